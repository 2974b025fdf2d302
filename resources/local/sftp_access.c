/* See sftp_access.h. A user who is not wholly in order (role gone or not trusting, bucket gone, a policy that cannot be granted by
 * directory) is left out: then the login is refused, which is the only safe reading. */
#include "resources/local/sftp_access.h"

#include "attr/sftp_server.h"
#include "attr/sftp_user.h"
#include "engine/core/clock.h"
#include "resources/local/role_policies.h"

#include <errno.h>
#include <fcntl.h>
#include <grp.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

struct derived {
    struct sf_sftp_conf conf;
    struct sf_sftp_login *logins;
    struct sf_str conf_text, users_text;
    struct sf_str *keys, *access; /* by login */
};

/* --- grants --- */

static struct sf_str with_slash(struct sf_op *op, struct sf_str prefix)
{
    if (!prefix.n || prefix.p[prefix.n - 1] == '/')
        return prefix;
    return sf_str_fmt(op->arena, "%.*s/", SF_ARG(prefix));
}

enum sf_code sf_sftp_grants(struct sf_op *op, const struct sf_sftp_identity *who, const struct sf_sftp_grant **grants, size_t *n,
                            struct sf_err *err)
{
    struct sf_value *context = sf_value_map(op->arena);
    struct sf_str prefix = with_slash(op, who->prefix);
    if (prefix.n)
        prefix = sf_str_slice(prefix, 0, prefix.n - 1);
    sf_map_set_str(op->arena, context, "transfer:UserName", who->name);
    sf_map_set_str(op->arena, context, "transfer:HomeBucket", who->bucket);
    sf_map_set_str(op->arena, context, "transfer:HomeFolder", prefix);
    sf_map_set_str(op->arena, context, "transfer:HomeDirectory",
                   sf_str_fmt(op->arena, "/%.*s%s%.*s", SF_ARG(who->bucket), prefix.n ? "/" : "", SF_ARG(prefix)));
    sf_map_set_str(op->arena, context, "aws:ResourceAccount", op->site->account);
    sf_map_set_str(op->arena, context, "s3:ResourceAccount", op->site->account);
    sf_map_set_bool(op->arena, context, "aws:SecureTransport", true);
    struct sf_iam_request request = {.principal = sf_value_str(op->arena, who->role_arn), .context = context};
    struct sf_iam_policies policies = {.identity = who->documents, .session = who->session};
    struct sf_iam_area *areas;
    struct sf_str arn = sf_str_fmt(op->arena, "arn:aws:s3:::%.*s", SF_ARG(who->bucket));
    enum sf_code rc = sf_iam_areas(op->arena, &request, &policies, arn, &areas, n, err);
    if (rc)
        return rc;
    struct sf_sftp_grant *list = SF_NEW_ARRAY(op->arena, *n + 1, struct sf_sftp_grant);
    for (size_t i = 0; i < *n; i++) {
        unsigned verbs = 0;
        verbs |= areas[i].below & SF_IAM_LIST ? SF_SFTP_LIST : 0;
        verbs |= areas[i].below & SF_IAM_GET ? SF_SFTP_GET : 0;
        verbs |= areas[i].below & SF_IAM_PUT ? SF_SFTP_PUT : 0;
        verbs |= areas[i].below & SF_IAM_DELETE ? SF_SFTP_DELETE : 0;
        list[i] = (struct sf_sftp_grant){with_slash(op, areas[i].dir), verbs, areas[i].may_list};
    }
    *grants = list;
    return SF_OK;
}

/* --- one user --- */

static bool is_directory(struct sf_op *op, struct sf_str path)
{
    struct stat st;
    sf_territory_enter(op);
    bool ok = path.p && lstat(path.p, &st) == 0 && S_ISDIR(st.st_mode);
    sf_territory_leave(op);
    return ok;
}

/* A file of ours, or an editor's hand, may hold anything: lists become text lists, all else nothing. */
static const struct sf_str *texts(struct sf_op *op, const struct sf_value *list, size_t *n)
{
    size_t count = list && list->type == SF_V_LIST ? list->list.n : 0;
    struct sf_str *out = SF_NEW_ARRAY(op->arena, count + 1, struct sf_str);
    *n = 0;
    for (size_t i = 0; i < count; i++) {
        if (list->list.items[i]->type == SF_V_STRING)
            out[(*n)++] = list->list.items[i]->s;
    }
    return out;
}

/* Number and time of birth of a directory: a number alone is soon given to another. */
static struct sf_str born(struct sf_op *op, struct sf_str dir)
{
    struct statx st;
    if (statx(AT_FDCWD, sf_str_dup(op->arena, dir).p, AT_SYMLINK_NOFOLLOW, STATX_INO | STATX_BTIME, &st) != 0)
        return SF_STR_NONE;
    bool has_time = (st.stx_mask & STATX_BTIME) != 0;
    return sf_str_fmt(op->arena, "%llu-%lld.%u", (unsigned long long)st.stx_ino, has_time ? (long long)st.stx_btime.tv_sec : 0,
                      has_time ? st.stx_btime.tv_nsec : 0);
}

static enum sf_code login_of(struct sf_op *op, struct sf_str world, const struct sf_value *attrs, struct sf_sftp_login *login,
                             struct sf_str *keys, struct sf_err *err)
{
    struct sf_role_policies role;
    struct sf_sftp_identity who = {.name = sf_map_str(attrs, SFTP_USER_NAME),
                                   .bucket = sf_map_str(attrs, SFTP_USER_HOME),
                                   .prefix = sf_map_str(attrs, SFTP_USER_PREFIX)};
    enum sf_code rc = sf_local_role_policies(op, sf_map_str(attrs, SFTP_USER_ROLE), &role, err);
    if (rc == SF_OK)
        rc = sf_local_role_trusts(op, &role, "transfer", err);
    if (rc)
        return rc;
    who.role_arn = role.arn;
    who.documents = role.documents;
    const struct sf_value *session = sf_map_getz(attrs, SFTP_USER_POLICY);
    if (session && session->type != SF_V_NULL)
        who.session = session;
    *login = (struct sf_sftp_login){.name = who.name, .prefix = with_slash(op, who.prefix)};
    login->data_dir = sf_str_fmt(op->arena, "%.*s/buckets/%.*s/data", SF_ARG(world), SF_ARG(who.bucket));
    login->keys = texts(op, sf_map_getz(attrs, SFTP_USER_KEYS), &login->n_keys);
    struct sf_str root = sf_str_fmt(op->arena, "%.*s/%.*s", SF_ARG(login->data_dir), SF_ARG(login->prefix));
    if (!sf_sftp_is_usable_path(root)) {
        sf_fail(err, SF_E_CONFIG, "'%.*s' holds a character that ProFTPD's configuration has no way to write", SF_ARG(root));
        sf_hint(err, "use letters, digits, blanks and ._-@+=,/ in directory names");
        return SF_E_CONFIG;
    }
    if (memchr(who.bucket.p ? who.bucket.p : "", '/', who.bucket.n) || !is_directory(op, login->data_dir))
        return sf_fail(err, SF_E_ABSENT, "there is no bucket '%.*s'", SF_ARG(who.bucket));
    login->born = born(op, login->data_dir);
    rc = sf_sftp_keys_text(op->arena, login, keys, err);
    return rc ? rc : sf_sftp_grants(op, &who, &login->grants, &login->n_grants, err);
}

/* The name inside the file must be the file's own: it becomes part of paths. */
static enum sf_code read_user(struct sf_op *op, const struct sf_proftpd *p, struct sf_str file, const struct sf_value **attrs,
                              struct sf_err *err)
{
    const struct sf_value *meta;
    enum sf_code rc = sf_territory_read_meta(op, sf_str_fmt(op->arena, "%s/users/%.*s", p->dir, SF_ARG(file)).p, &meta, err);
    if (rc)
        return rc;
    *attrs = sf_map_getz(meta, "attrs");
    struct sf_str name = sf_map_str(*attrs, SFTP_USER_NAME);
    for (size_t i = 0; i < name.n; i++) {
        unsigned char c = (unsigned char)name.p[i];
        bool is_word = (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') || c == '_';
        if (!is_word && (i == 0 || !strchr("@.-", c)))
            return sf_fail(err, SF_E_CONFIG, "'%.*s' is no SFTP user name", SF_ARG(name));
    }
    if (!sf_str_eq(sf_str_fmt(op->arena, "%.*s.json", SF_ARG(name)), file))
        return sf_fail(err, SF_E_CONFIG, "the file of user '%.*s' names another one", SF_ARG(file));
    return SF_OK;
}

/* Symbolic links in the territory's own path would make every section miss. */
static enum sf_code real_world(struct sf_op *op, struct sf_str *world, struct sf_err *err)
{
    sf_territory_enter(op);
    char *path = realpath(sf_territory_of(op)->dir, NULL);
    sf_territory_leave(op);
    if (!path)
        return sf_fail_errno(err, SF_E_IO, "cannot resolve '%s'", sf_territory_of(op)->dir);
    *world = sf_str_dup(op->arena, sf_str_of(path));
    free(path);
    return SF_OK;
}

const char *sf_sftp_user_defect(struct sf_op *op, const struct sf_proftpd *p, struct sf_str name)
{
    const struct sf_value *attrs;
    struct sf_sftp_login login;
    struct sf_str world, keys;
    struct sf_err err = {.code = SF_OK};
    enum sf_code rc = real_world(op, &world, &err);
    if (rc == SF_OK)
        rc = read_user(op, p, sf_str_fmt(op->arena, "%.*s.json", SF_ARG(name)), &attrs, &err);
    if (rc == SF_OK)
        rc = login_of(op, world, attrs, &login, &keys, &err);
    return rc ? sf_str_dup(op->arena, sf_str_of(err.message)).p : NULL;
}

/* --- the whole server --- */

static enum sf_code group_name(struct sf_op *op, gid_t gid, struct sf_str *name, struct sf_err *err)
{
    struct group group, *found = NULL;
    char *room = sf_arena_alloc(op->arena, 65536);
    int cause = getgrgid_r(gid, &group, room, 65536, &found);
    if (!found) {
        errno = cause;
        return sf_fail(err, SF_E_UNAVAILABLE, "group %lu of the run account has no name", (unsigned long)gid);
    }
    *name = sf_str_dup(op->arena, sf_str_of(group.gr_name));
    return SF_OK;
}

static enum sf_code derive(struct sf_op *op, const struct sf_proftpd *p, struct derived *out, struct sf_err *err)
{
    const struct sf_territory *t = sf_territory_of(op);
    struct sf_str *files = NULL, world = SF_STR_NONE;
    size_t n = 0, n_keys = 0;
    *out = (struct derived){.conf = {.address = p->address, .port = p->port, .uid = t->run_uid, .gid = t->run_gid}};
    enum sf_code rc = real_world(op, &world, err);
    if (rc == SF_OK)
        rc = group_name(op, t->run_gid, &out->conf.group, err);
    if (rc == SF_OK)
        rc = sf_territory_list(op, sf_str_fmt(op->arena, "%s/users", p->dir).p, &files, &n, err);
    if (rc)
        return rc;
    out->conf.user = sf_str_of(t->run_user);
    out->conf.dir = sf_str_fmt(op->arena, "%.*s/sftp/%.*s", SF_ARG(world), SF_ARG(p->id));
    if (!sf_sftp_is_usable_path(out->conf.dir)) {
        sf_fail(err, SF_E_CONFIG, "'%.*s' holds a character that ProFTPD's configuration has no way to write",
                SF_ARG(out->conf.dir));
        sf_hint(err, "move the stack to a directory whose path has letters, digits, blanks and ._-@+=,/ only");
        return SF_E_CONFIG;
    }
    const struct sf_value *host_keys = sf_map_getz(p->attrs, SFTP_SERVER_HOST_KEYS);
    n_keys = host_keys && host_keys->type == SF_V_LIST ? host_keys->list.n : 0;
    struct sf_str *names = SF_NEW_ARRAY(op->arena, n_keys + 1, struct sf_str);
    for (size_t i = 0; i < n_keys; i++)
        names[i] = sf_str_fmt(op->arena, "host_key_%zu", i);
    out->conf.host_keys = names;
    out->conf.n_host_keys = n_keys;
    out->logins = SF_NEW_ARRAY(op->arena, n + 1, struct sf_sftp_login);
    out->keys = SF_NEW_ARRAY(op->arena, n + 1, struct sf_str);
    out->access = SF_NEW_ARRAY(op->arena, n + 1, struct sf_str);
    size_t kept = 0;
    for (size_t i = 0; i < n; i++) {
        const struct sf_value *attrs;
        struct sf_err ignored;
        if (!sf_str_ends(files[i], SF_STR(".json")) || read_user(op, p, files[i], &attrs, &ignored) != SF_OK ||
            login_of(op, world, attrs, &out->logins[kept], &out->keys[kept], &ignored) != SF_OK)
            continue;
        out->access[kept] = sf_sftp_access_text(op->arena, &out->logins[kept]);
        kept++;
    }
    out->conf.logins = out->logins;
    out->conf.n_logins = kept;
    out->conf_text = sf_sftp_conf_text(op->arena, &out->conf);
    out->users_text = sf_sftp_users_text(op->arena, &out->conf);
    if (out->conf_text.n)
        return SF_OK;
    return sf_fail(err, SF_E_CONFIG, "the rights of all users of SFTP server '%.*s' do not fit into 16 MiB", SF_ARG(p->id));
}

static const char *file_of(struct sf_op *op, const struct sf_proftpd *p, const char *folder, struct sf_str name)
{
    return sf_str_fmt(op->arena, "%s/%s/%.*s", p->dir, folder, SF_ARG(name)).p;
}

static bool has_login(const struct derived *d, struct sf_str name)
{
    for (size_t i = 0; i < d->conf.n_logins; i++) {
        if (sf_str_eq(d->logins[i].name, name))
            return true;
    }
    return false;
}

static bool is_same(struct sf_op *op, const char *path, struct sf_str want)
{
    struct sf_str now;
    return sf_territory_read_file(op, path, &now, NULL) == SF_OK && sf_str_eq(now, want);
}

/* Names in a folder of files by user that no user has any more. */
static enum sf_code left_over(struct sf_op *op, const struct sf_proftpd *p, const struct derived *d, const char *folder,
                              struct sf_str **names, size_t *n, struct sf_err *err)
{
    size_t all, kept = 0;
    enum sf_code rc = sf_territory_list(op, sf_str_fmt(op->arena, "%s/%s", p->dir, folder).p, names, &all, err);
    for (size_t i = 0; i < all && rc == SF_OK; i++) {
        if (!has_login(d, (*names)[i]))
            (*names)[kept++] = (*names)[i];
    }
    *n = rc ? 0 : kept;
    return rc;
}

static enum sf_code remove_left_over(struct sf_op *op, const struct sf_proftpd *p, const struct derived *d, const char *folder,
                                     struct sf_err *err)
{
    struct sf_str *names;
    size_t n;
    enum sf_code rc = left_over(op, p, d, folder, &names, &n, err);
    for (size_t i = 0; i < n && rc == SF_OK; i++)
        rc = sf_territory_remove_tree(op, file_of(op, p, folder, names[i]), err);
    return rc;
}

static const char *loaded_path(struct sf_op *op, const struct sf_proftpd *p)
{
    return sf_str_fmt(op->arena, "%s/loaded", p->dir).p;
}

static enum sf_code write_all(struct sf_op *op, const struct sf_proftpd *p, const struct derived *d, struct sf_err *err)
{
    static const char *const folders[] = {"keys", "access", "users"};
    enum sf_code rc = SF_OK;
    bool changed;
    for (size_t i = 0; i < SF_COUNT(folders) && rc == SF_OK; i++)
        rc = sf_territory_mkdir(op, sf_str_fmt(op->arena, "%s/%s", p->dir, folders[i]).p, 0700, err);
    for (size_t i = 0; i < d->conf.n_logins && rc == SF_OK; i++) {
        const struct sf_sftp_login *l = &d->logins[i];
        /* the user's "/" must be there, or the login fails */
        if (l->prefix.n)
            rc = sf_territory_mkdir(
                op, sf_str_fmt(op->arena, "%.*s/%.*s", SF_ARG(l->data_dir), (int)l->prefix.n - 1, l->prefix.p).p, 0700, err);
        if (rc == SF_OK)
            rc = sf_territory_write_changed(op, file_of(op, p, "keys", l->name), d->keys[i], 0600, &changed, err);
    }
    if (rc == SF_OK)
        rc = remove_left_over(op, p, d, "keys", err);
    if (rc == SF_OK)
        rc = sf_territory_write_changed(op, sf_str_fmt(op->arena, "%s/passwd", p->dir).p, d->users_text, 0600, &changed, err);
    const char *conf = sf_str_fmt(op->arena, "%s/proftpd.conf", p->dir).p;
    /* from here on nobody knows what the server has read, until it is confirmed: a run may be killed in between, and the next one
     * may come back to the text that was in force before */
    if (rc == SF_OK && !is_same(op, conf, d->conf_text))
        rc = sf_territory_remove_tree(op, loaded_path(op, p), err);
    if (rc == SF_OK)
        rc = sf_territory_write_changed(op, conf, d->conf_text, 0600, &changed, err);
    return rc;
}

enum sf_code sf_sftp_write_access(struct sf_op *op, const struct sf_proftpd *p, bool *is_unread, struct sf_str **users, size_t *n,
                                  struct sf_err *err)
{
    struct derived d;
    struct sf_str *gone;
    size_t n_gone;
    *n = 0;
    enum sf_code rc = derive(op, p, &d, err);
    if (rc == SF_OK)
        rc = write_all(op, p, &d, err);
    if (rc == SF_OK)
        rc = left_over(op, p, &d, "access", &gone, &n_gone, err);
    if (rc)
        return rc;
    *is_unread = !is_same(op, loaded_path(op, p), sf_sha256_hex(op->arena, d.conf_text));
    *users = SF_NEW_ARRAY(op->arena, n_gone + d.conf.n_logins + 1, struct sf_str);
    for (size_t i = 0; i < n_gone; i++)
        (*users)[(*n)++] = gone[i];
    for (size_t i = 0; i < d.conf.n_logins; i++) {
        if (!is_same(op, file_of(op, p, "access", d.logins[i].name), d.access[i]))
            (*users)[(*n)++] = d.logins[i].name;
    }
    return SF_OK;
}

enum sf_code sf_sftp_confirm_access(struct sf_op *op, const struct sf_proftpd *p, struct sf_err *err)
{
    struct derived d;
    bool changed;
    enum sf_code rc = derive(op, p, &d, err);
    for (size_t i = 0; i < d.conf.n_logins && rc == SF_OK; i++)
        rc = sf_territory_write_changed(op, file_of(op, p, "access", d.logins[i].name), d.access[i], 0600, &changed, err);
    if (rc == SF_OK)
        rc = remove_left_over(op, p, &d, "access", err);
    return rc ? rc : sf_territory_write_changed(op, loaded_path(op, p), sf_sha256_hex(op->arena, d.conf_text), 0600, &changed, err);
}

enum sf_code sf_sftp_access_drift(struct sf_op *op, const struct sf_proftpd *p, const char **drift, struct sf_err *err)
{
    struct derived d;
    *drift = NULL;
    enum sf_code rc = derive(op, p, &d, err);
    if (rc)
        return rc;
    if (!is_same(op, sf_str_fmt(op->arena, "%s/proftpd.conf", p->dir).p, d.conf_text))
        *drift = "proftpd.conf is changed";
    else if (!is_same(op, sf_str_fmt(op->arena, "%s/passwd", p->dir).p, d.users_text))
        *drift = "passwd is changed";
    else if (!is_same(op, loaded_path(op, p), sf_sha256_hex(op->arena, d.conf_text)))
        *drift = "proftpd.conf is not in force yet";
    for (size_t i = 0; i < d.conf.n_logins && !*drift; i++) {
        if (!is_same(op, file_of(op, p, "keys", d.logins[i].name), d.keys[i]) ||
            !is_same(op, file_of(op, p, "access", d.logins[i].name), d.access[i]))
            *drift = sf_str_fmt(op->arena, "keys of '%.*s' are changed", SF_ARG(d.logins[i].name)).p;
    }
    return SF_OK;
}
