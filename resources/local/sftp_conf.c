/* See sftp_conf.h. First the table of a user is made fit for sections (normalize), then the sections of all users are collected,
 * then each section is written with what every user may do there. A section's right is what holds for every key that it can
 * match, so that a section which is matched in place of a closer one can take away, never give. */
#include "resources/local/sftp_conf.h"

#include "engine/core/clock.h"

#include <openssl/evp.h>
#include <stdlib.h>

static const char ident_start[] = "ServerIdent on \"sfstack_";

enum { MAX_CONF_BYTES = 16 * 1024 * 1024, MAX_SEGMENT_BYTES = 255 };

/* Commands that are checked together, always in the same name space. The names are those that mod_sftp puts into the command
 * it checks (contrib/mod_sftp/fxp.c). */
enum class_id {
    C_GET,
    C_PUT,
    C_FSTAT,
    C_LIST,
    C_SEE,
    C_STAT,
    C_REALPATH,
    C_MKDIR,
    C_REMOVE,
    C_RMDIR,
    C_MOVE,
    C_ONTO,
    C_SET,
    C_NEVER,
    N_CLASSES
};

static const struct {
    const char *commands;
    bool is_real; /* checked against the real path */
} classes[N_CLASSES] = {
    [C_GET] = {"RETR READ", true},
    [C_PUT] = {"STOR APPE FSETSTAT", true},
    [C_FSTAT] = {"FSTAT", true},
    [C_LIST] = {"OPENDIR LIST NLST MLSD MLST", false},
    [C_SEE] = {"READDIR", false}, /* the directory, and every entry that is to be shown */
    [C_STAT] = {"STAT LSTAT", false},
    [C_REALPATH] = {"REALPATH", false},
    [C_MKDIR] = {"MKDIR MKD XMKD", false},
    [C_REMOVE] = {"REMOVE DELE", false},
    [C_RMDIR] = {"RMDIR RMD XRMD", false},
    [C_MOVE] = {"RNFR", false},
    [C_ONTO] = {"RNTO RENAME", false},
    [C_SET] = {"SETSTAT", false},
    [C_NEVER] = {"SYMLINK LINK HARDLINK READLINK LOCK SITE SITE_CHMOD SITE_CHGRP SITE_COPY SITE_DIGEST WRITE DIRS ALL", false},
};

enum section_kind {
    S_ENTRY, /* <Directory path>: the entry itself; what is below has a section of its own where that matters */
    S_BELOW  /* <Directory path/...>: all that is below */
};

/* One name may mean something in both name spaces: then it has both paths. Paths have no leading and no final slash. */
struct section {
    struct sf_str name; /* as written in <Directory> */
    enum section_kind kind;
    bool is_virtual, is_real;
    struct sf_str virtual_path; /* in the user's view */
    struct sf_str data_dir;     /* of the bucket */
    struct sf_str real_path;    /* in the bucket */
};

struct sections {
    struct sf_arena *arena;
    struct section *items;
    size_t n, cap;
};

struct table {
    const struct sf_sftp_login *login;
    struct sf_sftp_grant *rows; /* sorted by prefix; rows[0] is "" */
    size_t n;
    unsigned all_verbs; /* that occur anywhere */
};

/* --- a user's table --- */

static bool is_safe(unsigned char c)
{
    return c >= 0x20 && c != 0x7f && !strchr("*?[]{}\\\"'%~#<>$", c);
}

bool sf_sftp_is_usable_path(struct sf_str path)
{
    for (size_t i = 0; i < path.n; i++) {
        /* ':' ends a field of the user file */
        if (!is_safe((unsigned char)path.p[i]) || path.p[i] == ':')
            return false;
    }
    return path.n > 1 && path.n < 1024 && path.p[0] == '/';
}

/* A prefix that no local key can start with: an empty, "." or ".." segment, or one too long for a file name. */
static bool is_impossible(struct sf_str prefix)
{
    size_t start = 0;
    for (size_t i = 0; i < prefix.n; i++) {
        if (prefix.p[i] != '/')
            continue;
        struct sf_str segment = sf_str_slice(prefix, start, i);
        if (!segment.n || sf_str_is(segment, ".") || sf_str_is(segment, "..") || segment.n > MAX_SEGMENT_BYTES)
            return true;
        start = i + 1;
    }
    return false;
}

/* The row that decides for `key`: the longest that it starts with. */
static struct sf_sftp_grant row_at(const struct sf_sftp_grant *rows, size_t n, struct sf_str key)
{
    struct sf_sftp_grant found = {SF_STR(""), 0, false};
    for (size_t i = 0; i < n; i++) {
        if (sf_str_starts(key, rows[i].prefix) && rows[i].prefix.n >= found.prefix.n)
            found = rows[i];
    }
    return found;
}

static unsigned verbs_at(const struct table *t, struct sf_str key)
{
    return row_at(t->rows, t->n, key).verbs;
}

/* What holds for every key that starts with `prefix`, as a row. */
static struct sf_sftp_grant narrowed(const struct sf_sftp_grant *rows, size_t n, struct sf_str prefix)
{
    struct sf_sftp_grant row = row_at(rows, n, prefix);
    for (size_t i = 0; i < n; i++) {
        if (sf_str_starts(rows[i].prefix, prefix)) {
            row.verbs &= rows[i].verbs;
            row.may_list = row.may_list && rows[i].may_list;
        }
    }
    row.prefix = prefix;
    return row;
}

/* The longest directory at the head of a prefix that can be written in a section: "a/" of "a/x[1]/". */
static struct sf_str writable_head(struct sf_str prefix)
{
    size_t end = 0;
    for (size_t i = 0; i < prefix.n && is_safe((unsigned char)prefix.p[i]); i++) {
        if (prefix.p[i] == '/')
            end = i + 1;
    }
    return sf_str_slice(prefix, 0, end);
}

static bool starts_with_any(struct sf_str s, const struct sf_str *heads, size_t n)
{
    for (size_t i = 0; i < n; i++) {
        if (sf_str_starts(s, heads[i]))
            return true;
    }
    return false;
}

static int by_prefix(const void *a, const void *b)
{
    return sf_str_cmp(((const struct sf_sftp_grant *)a)->prefix, ((const struct sf_sftp_grant *)b)->prefix);
}

/* The user's own table, relative to what is "/" to the user. A directory whose name cannot be written in a section takes the one
 * above it down to what holds on both sides. */
static struct table normalize(struct sf_arena *arena, const struct sf_sftp_login *login)
{
    struct sf_sftp_grant *rows = SF_NEW_ARRAY(arena, login->n_grants + 1, struct sf_sftp_grant);
    struct sf_str *heads = SF_NEW_ARRAY(arena, login->n_grants + 1, struct sf_str);
    size_t n = 0, n_heads = 0;
    rows[n] = row_at(login->grants, login->n_grants, login->prefix);
    /* an area above the user's root says how what is below it is listed, and the root is below it */
    if (rows[n].prefix.n < login->prefix.n)
        rows[n].may_list = rows[n].verbs & SF_SFTP_LIST;
    rows[n++].prefix = SF_STR("");
    for (size_t i = 0; i < login->n_grants; i++) {
        struct sf_sftp_grant row = login->grants[i];
        if (row.prefix.n <= login->prefix.n || !sf_str_starts(row.prefix, login->prefix))
            continue;
        row.prefix = sf_str_slice(row.prefix, login->prefix.n, row.prefix.n);
        if (is_impossible(row.prefix))
            continue;
        rows[n++] = row;
        struct sf_str head = writable_head(row.prefix);
        if (head.n < row.prefix.n)
            heads[n_heads++] = head;
    }
    struct table t = {.login = login, .rows = SF_NEW_ARRAY(arena, n + n_heads, struct sf_sftp_grant)};
    for (size_t i = 0; i < n; i++) {
        if (!starts_with_any(rows[i].prefix, heads, n_heads))
            t.rows[t.n++] = rows[i];
    }
    for (size_t i = 0; i < n_heads; i++) {
        bool is_covered = starts_with_any(heads[i], heads, i);
        for (size_t k = i + 1; k < n_heads && !is_covered; k++)
            is_covered = heads[k].n < heads[i].n && sf_str_starts(heads[i], heads[k]);
        if (!is_covered)
            t.rows[t.n++] = narrowed(rows, n, heads[i]);
    }
    qsort(t.rows, t.n, sizeof(*t.rows), by_prefix);
    for (size_t i = 0; i < t.n; i++)
        t.all_verbs |= t.rows[i].verbs | (t.rows[i].may_list ? SF_SFTP_LIST : 0U);
    return t;
}

/* --- what a user may do in a section --- */

static unsigned bit(enum class_id id)
{
    return 1U << id;
}

static unsigned if_has(unsigned verbs, unsigned any_of, enum class_id id)
{
    return verbs & any_of ? bit(id) : 0;
}

/* Moving a key into another prefix must not open it to a verb that the user has there only. */
static bool may_move(const struct table *t, unsigned verbs)
{
    unsigned lost = t->all_verbs & ~verbs;
    return (verbs & SF_SFTP_DELETE) && !(lost & (SF_SFTP_GET | SF_SFTP_LIST));
}

/* Whether the directory whose keys start with `slash` ("" or "a/b/") may be listed. */
static bool may_list(const struct table *t, struct sf_str slash)
{
    struct sf_sftp_grant row = row_at(t->rows, t->n, slash);
    return row.prefix.n == slash.n ? row.may_list : row.verbs & SF_SFTP_LIST;
}

static unsigned rights_on_keys(const struct table *t, unsigned verbs)
{
    return if_has(verbs, SF_SFTP_GET, C_GET) | if_has(verbs, SF_SFTP_PUT, C_PUT) |
           if_has(verbs, SF_SFTP_LIST | SF_SFTP_GET | SF_SFTP_PUT, C_FSTAT) | if_has(verbs, SF_SFTP_LIST, C_LIST) |
           if_has(verbs, SF_SFTP_LIST, C_SEE) | if_has(verbs, SF_SFTP_LIST | SF_SFTP_GET, C_STAT) | bit(C_REALPATH) |
           if_has(verbs, SF_SFTP_PUT, C_MKDIR) | if_has(verbs, SF_SFTP_DELETE, C_REMOVE) | if_has(verbs, SF_SFTP_DELETE, C_RMDIR) |
           (may_move(t, verbs) ? bit(C_MOVE) : 0) | if_has(verbs, SF_SFTP_PUT, C_ONTO) | if_has(verbs, SF_SFTP_PUT, C_SET);
}

/* The user's own root: it can be looked at, and nothing else. */
static unsigned rights_on_root(const struct table *t)
{
    return bit(C_REALPATH) | bit(C_STAT) | (may_list(t, SF_STR("")) ? bit(C_LIST) | bit(C_SEE) : 0);
}

/* `path` is a file or a directory with rows of its own below it. As a directory it is never moved: that would carry keys across
 * the border of a row. */
static unsigned rights_on_border(const struct table *t, struct sf_str path, struct sf_str slash)
{
    unsigned at = verbs_at(t, slash), below = at | (may_list(t, slash) ? SF_SFTP_LIST : 0U);
    for (size_t i = 0; i < t->n; i++)
        below |= sf_str_starts(t->rows[i].prefix, slash) ? t->rows[i].verbs : 0;
    unsigned as_file = rights_on_keys(t, verbs_at(t, path));
    as_file &= ~(bit(C_MOVE) | bit(C_ONTO) | bit(C_LIST) | bit(C_SEE) | bit(C_RMDIR) | bit(C_MKDIR));
    return as_file | (may_list(t, slash) ? bit(C_LIST) | bit(C_SEE) : 0) | if_has(at, SF_SFTP_DELETE, C_RMDIR) |
           if_has(below, SF_SFTP_PUT, C_MKDIR) | if_has(below, SF_SFTP_ALL, C_STAT);
}

static bool has_rows_below(const struct table *t, struct sf_str path_slash)
{
    for (size_t i = 0; i < t->n; i++) {
        if (sf_str_starts(t->rows[i].prefix, path_slash))
            return true;
    }
    return false;
}

static struct sf_str parent_slash(struct sf_str path)
{
    while (path.n && path.p[path.n - 1] != '/')
        path.n--;
    return path;
}

/* Class bits of the user in the section of `kind` at `path` of the user's own view. An entry shows where its directory may be
 * listed, whatever else holds for it. */
static unsigned rights_at(struct sf_arena *arena, const struct table *t, enum section_kind kind, struct sf_str path)
{
    struct sf_str slash = path.n ? sf_str_fmt(arena, "%.*s/", SF_ARG(path)) : SF_STR("");
    if (kind == S_BELOW)
        return rights_on_keys(t, verbs_at(t, slash)) | (may_list(t, slash) ? bit(C_SEE) : 0);
    if (!path.n)
        return rights_on_root(t);
    unsigned shown = may_list(t, parent_slash(path)) ? bit(C_SEE) : 0;
    if (has_rows_below(t, slash))
        return shown | rights_on_border(t, path, slash);
    return shown | rights_on_keys(t, verbs_at(t, path));
}

/* The same for a section at `path` of the whole bucket: the user sees what is below the prefix only. */
static unsigned rights_in_bucket(struct sf_arena *arena, const struct table *t, const struct section *s)
{
    struct sf_str prefix = t->login->prefix, path = s->real_path;
    if (!sf_str_eq(t->login->data_dir, s->data_dir))
        return 0;
    if (!prefix.n)
        return rights_at(arena, t, s->kind, path);
    if (path.n + 1 == prefix.n && sf_str_starts(prefix, path))
        return rights_at(arena, t, s->kind, SF_STR(""));
    if (path.n <= prefix.n || !sf_str_starts(path, prefix))
        return 0;
    return rights_at(arena, t, s->kind, sf_str_slice(path, prefix.n, path.n));
}

/* --- the sections of all users --- */

static struct section *add_section(struct sections *list, struct sf_str root, struct sf_str path, enum section_kind kind)
{
    static const char *const tails[] = {[S_ENTRY] = "", [S_BELOW] = "/*"};
    list->items = sf_arena_grow(list->arena, list->items, list->n, &list->cap, sizeof(*list->items));
    struct section *s = &list->items[list->n++];
    const char *slash = path.n ? "/" : "";
    s->kind = kind;
    s->name = sf_str_fmt(list->arena, "%.*s%s%.*s%s", SF_ARG(root), slash, SF_ARG(path), tails[kind]);
    if (!s->name.n)
        s->name = SF_STR("/");
    return s;
}

/* The section in both name spaces: as the user sees it, and where it really is. */
static void add_both(struct sections *list, const struct sf_sftp_login *login, struct sf_str path, enum section_kind kind)
{
    struct section *seen = add_section(list, SF_STR(""), path, kind);
    seen->is_virtual = true;
    seen->virtual_path = path;
    struct sf_str real = sf_str_fmt(list->arena, "%.*s%.*s", SF_ARG(login->prefix), SF_ARG(path));
    if (!path.n && real.n)
        real = sf_str_slice(real, 0, real.n - 1);
    struct section *there = add_section(list, login->data_dir, real, kind);
    there->is_real = true;
    there->data_dir = login->data_dir;
    there->real_path = real;
}

static void add_directory(struct sections *list, const struct sf_sftp_login *login, struct sf_str path)
{
    add_both(list, login, path, S_ENTRY);
    add_both(list, login, path, S_BELOW);
}

static void add_login(struct sections *list, const struct table *t)
{
    add_directory(list, t->login, SF_STR(""));
    for (size_t i = 0; i < t->n; i++) {
        struct sf_str prefix = t->rows[i].prefix;
        for (size_t k = 0; k < prefix.n; k++) {
            if (prefix.p[k] == '/')
                add_directory(list, t->login, sf_str_slice(prefix, 0, k));
        }
    }
}

static int by_name(const void *a, const void *b)
{
    return sf_str_cmp(((const struct section *)a)->name, ((const struct section *)b)->name);
}

/* Sections of one name become one: ProFTPD refuses a second. */
static void merge(struct sections *list)
{
    size_t kept = 0;
    if (list->n)
        qsort(list->items, list->n, sizeof(*list->items), by_name);
    for (size_t i = 0; i < list->n; i++) {
        struct section *s = &list->items[i];
        if (kept && sf_str_eq(list->items[kept - 1].name, s->name)) {
            struct section *same = &list->items[kept - 1];
            if (s->is_virtual) {
                same->is_virtual = true;
                same->virtual_path = s->virtual_path;
            }
            if (s->is_real) {
                same->is_real = true;
                same->data_dir = s->data_dir;
                same->real_path = s->real_path;
            }
            continue;
        }
        list->items[kept++] = *s;
    }
    list->n = kept;
}

/* --- text --- */

static void add_limits(struct sf_arena *arena, struct sf_buf *buf, const struct section *s, const struct table *tables, size_t n)
{
    unsigned *rights = SF_NEW_ARRAY(arena, n ? n : 1, unsigned);
    for (size_t i = 0; i < n; i++) {
        unsigned seen = s->is_virtual ? rights_at(arena, &tables[i], s->kind, s->virtual_path) : 0;
        unsigned there = s->is_real ? rights_in_bucket(arena, &tables[i], s) : 0;
        for (unsigned id = 0; id < N_CLASSES; id++)
            rights[i] |= (classes[id].is_real ? there : seen) & bit((enum class_id)id);
    }
    unsigned open = 0;
    for (size_t i = 0; i < n; i++)
        open |= rights[i];
    for (unsigned id = 0; id < N_CLASSES; id++) {
        if (!(open & bit((enum class_id)id)))
            continue;
        sf_buf_addf(buf, "  <Limit %s>\n", classes[id].commands);
        for (size_t i = 0; i < n; i++) {
            if (rights[i] & bit((enum class_id)id))
                sf_buf_addf(buf, "    AllowUser %.*s\n", SF_ARG(tables[i].login->name));
        }
        sf_buf_addz(buf, "    DenyAll\n  </Limit>\n");
    }
    sf_buf_addz(buf, "  <Limit");
    for (unsigned id = 0; id < N_CLASSES; id++) {
        if (!(open & bit((enum class_id)id)))
            sf_buf_addf(buf, " %s", classes[id].commands);
    }
    sf_buf_addz(buf, ">\n    DenyAll\n  </Limit>\n");
}

static void add_server(struct sf_buf *buf, const struct sf_sftp_conf *conf)
{
    static const char fixed[] = "# Derived from users, roles, policies and buckets. What is changed here by hand is put back.\n"
                                "LoadModule mod_sftp.c\n"
                                "LoadModule mod_vroot.c\n"
                                "ServerName sfstack\n"
                                "ServerType standalone\n"
                                "SocketBindTight on\n" /* else DefaultAddress listens everywhere */
                                "UseIPv6 off\n"
                                "UseReverseDNS off\n"
                                "ControlsEngine off\n" /* its socket is root's */
                                "DelayEngine off\n"
                                "ScoreboardFile none\n"
                                "TransferLog none\n"
                                "WtmpLog off\n"
                                "UseLastlog off\n"
                                "LangEngine off\n"
                                "AuthPAM off\n"
                                "UseFtpUsers off\n"
                                "AuthOrder mod_auth_file.c\n"
                                "RequireValidShell off\n"
                                "AllowOverride off\n" /* an uploaded .ftpaccess is an object like any other */
                                "AllowOverwrite on\n"
                                "AllowStoreRestart on\n"
                                "Umask 077 077\n"
                                "MaxInstances 100\n"
                                "MaxLoginAttempts 6\n"
                                "TimeoutLogin 60\n"
                                "TimeoutIdle 1800\n"
                                "TimeoutNoTransfer 0\n"
                                "PathDenyFilter \"(^|/)\\.sfstack-\"\n"
                                "Protocols sftp\n" /* no scp */
                                "VRootEngine on\n"
                                "DefaultRoot ~\n"
                                "SFTPEngine on\n"
                                "SFTPAuthMethods publickey\n"
                                "SFTPMaxChannels 10\n"
                                "SFTPExtensions -checkFile -copyFile -hardlink -homeDirectory -spaceAvailable -statvfs -vendorID "
                                "-versionSelect\n"
                                "SFTPClientMatch \".*\" sftpProtocolVersion 3\n"
                                /* without these `put` makes an empty file and then fails */
                                "SFTPOptions IgnoreSFTPUploadPerms IgnoreSFTPSetPerms IgnoreSFTPSetTimes IgnoreSFTPSetOwners "
                                "IgnoreFIFOs\n";
    sf_buf_addz(buf, fixed);
    sf_buf_addf(buf, "User %.*s\nGroup %.*s\n", SF_ARG(conf->user), SF_ARG(conf->group));
    sf_buf_addf(buf, "DefaultAddress %.*s\nPort %d\n", SF_ARG(conf->address), conf->port);
    sf_buf_addf(buf, "PidFile \"%.*s/proftpd.pid\"\nSystemLog \"%.*s/log\"\nSFTPLog \"%.*s/log\"\n", SF_ARG(conf->dir),
                SF_ARG(conf->dir), SF_ARG(conf->dir));
    sf_buf_addf(buf, "AuthUserFile \"%.*s/passwd\"\nSFTPAuthorizedUserKeys \"file:%.*s/keys/%%u\"\n", SF_ARG(conf->dir),
                SF_ARG(conf->dir));
    for (size_t i = 0; i < conf->n_host_keys; i++)
        sf_buf_addf(buf, "SFTPHostKey \"%.*s/%.*s\"\n", SF_ARG(conf->dir), SF_ARG(conf->host_keys[i]));
    sf_buf_addz(buf, "<Limit ALL>\n  DenyAll\n</Limit>\n");
}

struct sf_str sf_sftp_conf_text(struct sf_arena *arena, const struct sf_sftp_conf *conf)
{
    struct sf_buf buf = SF_BUF(MAX_CONF_BYTES);
    struct sections list = {.arena = arena};
    struct table *tables = SF_NEW_ARRAY(arena, conf->n_logins ? conf->n_logins : 1, struct table);
    for (size_t i = 0; i < conf->n_logins; i++) {
        tables[i] = normalize(arena, &conf->logins[i]);
        add_login(&list, &tables[i]);
    }
    merge(&list);
    add_server(&buf, conf);
    /* a <Directory> whose directory was not there when it was read stays without force: one made anew must make a new text */
    for (size_t i = 0; i < conf->n_logins; i++)
        if (conf->logins[i].born.n)
            sf_buf_addf(&buf, "# home born %.*s\n", SF_ARG(conf->logins[i].born));
    for (size_t i = 0; i < list.n; i++) {
        sf_buf_addf(&buf, "<Directory \"%.*s\">\n", SF_ARG(list.items[i].name));
        add_limits(arena, &buf, &list.items[i], tables, conf->n_logins);
        sf_buf_addz(&buf, "</Directory>\n");
    }
    struct sf_str digest = sf_sha256_hex(arena, sf_buf_str(&buf));
    sf_buf_addf(&buf, "%s%.16s\"\n", ident_start, digest.p);
    struct sf_str text = buf.overflow ? SF_STR_NONE : sf_str_dup(arena, sf_buf_str(&buf));
    sf_buf_free(&buf);
    return text;
}

struct sf_str sf_sftp_conf_ident(struct sf_str conf_text)
{
    size_t at = sf_str_find(conf_text, SF_STR("ServerIdent on \""));
    struct sf_str rest = at == SIZE_MAX ? SF_STR_NONE : sf_str_slice(conf_text, at + strlen("ServerIdent on \""), conf_text.n);
    return sf_str_slice(rest, 0, sf_str_find(rest, SF_STR("\"")));
}

struct sf_str sf_sftp_users_text(struct sf_arena *arena, const struct sf_sftp_conf *conf)
{
    struct sf_buf buf = SF_BUF(MAX_CONF_BYTES);
    for (size_t i = 0; i < conf->n_logins; i++) {
        const struct sf_sftp_login *l = &conf->logins[i];
        struct sf_str prefix = l->prefix.n ? sf_str_slice(l->prefix, 0, l->prefix.n - 1) : SF_STR_NONE;
        /* "*" is the hash of no password */
        sf_buf_addf(&buf, "%.*s:*:%lu:%lu::%.*s%s%.*s:/bin/false\n", SF_ARG(l->name), (unsigned long)conf->uid,
                    (unsigned long)conf->gid, SF_ARG(l->data_dir), prefix.n ? "/" : "", SF_ARG(prefix));
    }
    struct sf_str text = buf.overflow ? SF_STR_NONE : sf_str_dup(arena, sf_buf_str(&buf));
    sf_buf_free(&buf);
    return text;
}

/* The base64 word of "ssh-ed25519 AAAA... comment". */
static bool key_blob(struct sf_str line, struct sf_str *blob)
{
    line = sf_str_trim(line);
    size_t cut = sf_str_find(line, SF_STR(" "));
    if (cut == SIZE_MAX)
        return false;
    struct sf_str rest = sf_str_trim(sf_str_slice(line, cut, line.n));
    *blob = sf_str_slice(rest, 0, sf_str_find(rest, SF_STR(" ")));
    for (size_t i = 0; i < blob->n; i++) {
        char c = blob->p[i];
        bool ok = (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') || c == '+' || c == '/' ||
                  (c == '=' && i + 2 >= blob->n);
        if (!ok)
            return false;
    }
    return blob->n >= 32 && blob->n % 4 == 0 && blob->n <= 16384;
}

enum sf_code sf_sftp_keys_text(struct sf_arena *arena, const struct sf_sftp_login *login, struct sf_str *text, struct sf_err *err)
{
    enum { LINE_BYTES = 70 };
    struct sf_buf buf = SF_BUF(MAX_CONF_BYTES);
    enum sf_code rc = SF_OK;
    for (size_t i = 0; i < login->n_keys && rc == SF_OK; i++) {
        struct sf_str blob;
        if (!key_blob(login->keys[i], &blob)) {
            rc = sf_fail(err, SF_E_CONFIG, "key %zu of SFTP user '%.*s' is not an OpenSSH public key", i + 1, SF_ARG(login->name));
            sf_hint(err, "name an ssh_key, or write one line as in id_ed25519.pub");
            break;
        }
        sf_buf_addz(&buf, "---- BEGIN SSH2 PUBLIC KEY ----\n");
        for (size_t at = 0; at < blob.n; at += LINE_BYTES)
            sf_buf_addf(&buf, "%.*s\n", SF_ARG(sf_str_slice(blob, at, at + LINE_BYTES)));
        sf_buf_addz(&buf, "---- END SSH2 PUBLIC KEY ----\n");
    }
    *text = sf_str_dup(arena, sf_buf_str(&buf));
    sf_buf_free(&buf);
    return rc;
}

struct sf_str sf_sftp_access_text(struct sf_arena *arena, const struct sf_sftp_login *login)
{
    static const char *const names[] = {"list", "get", "put", "delete"};
    struct sf_buf buf = SF_BUF(MAX_CONF_BYTES);
    struct table t = normalize(arena, login);
    sf_buf_addf(&buf, "/ is %.*s/%.*s\n", SF_ARG(login->data_dir), SF_ARG(login->prefix));
    for (size_t i = 0; i < t.n; i++) {
        sf_buf_addf(&buf, "/%.*s:", SF_ARG(t.rows[i].prefix));
        for (size_t k = 0; k < SF_COUNT(names); k++) {
            if (t.rows[i].verbs & (1U << k))
                sf_buf_addf(&buf, " %s", names[k]);
        }
        sf_buf_addz(&buf, t.rows[i].may_list ? " ls\n" : "\n");
    }
    for (size_t i = 0; i < login->n_keys; i++)
        sf_buf_addf(&buf, "key %.*s\n", SF_ARG(sf_sftp_fingerprint(arena, login->keys[i])));
    struct sf_str text = sf_str_dup(arena, sf_buf_str(&buf));
    sf_buf_free(&buf);
    return text;
}

struct sf_str sf_sftp_fingerprint(struct sf_arena *arena, struct sf_str public_key)
{
    struct sf_str blob;
    unsigned char digest[EVP_MAX_MD_SIZE], text[64];
    unsigned n = 0;
    if (!key_blob(public_key, &blob))
        return SF_STR_NONE;
    unsigned char *bytes = sf_arena_alloc(arena, blob.n);
    int got = EVP_DecodeBlock(bytes, (const unsigned char *)blob.p, (int)blob.n);
    for (size_t i = blob.n; i > 0 && blob.p[i - 1] == '='; i--)
        got--;
    if (got <= 0 || EVP_Digest(bytes, (size_t)got, digest, &n, EVP_sha256(), NULL) != 1)
        return SF_STR_NONE;
    int len = EVP_EncodeBlock(text, digest, (int)n);
    while (len > 0 && text[len - 1] == '=')
        len--;
    return sf_str_fmt(arena, "SHA256:%.*s", len, (const char *)text);
}
