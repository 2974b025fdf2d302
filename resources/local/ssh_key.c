/* kind `ssh_key`, local: <territory>/ssh_keys/ID/meta.json has the public half. The private half is sealed in state before
 * anything is made of it, and written 0600 into the secrets directory for people's own clients; that file is rewritten when it is
 * missing or differs. An imported key has a public half only. */
#include "attr/ssh_key.h"
#include "resources/local/record.h"
#include "resources/net/sshkey.h"

#include <sys/stat.h>
#include <unistd.h>

#define SECRET "private_key"

enum { DEFAULT_RSA_BITS = 4096 };

/* what the world chose or keeps; the file in the secrets directory is looked at, not kept */
static const char *const kept[] = {SSH_KEY_ALGORITHM, SSH_KEY_BITS,       SSH_KEY_FORMAT,
                                   SSH_KEY_COMMENT,   SSH_KEY_PUBLIC_KEY, SSH_KEY_FINGERPRINT};

static enum sf_code record_of(struct sf_op *op, struct sf_str id, struct sf_record *record, struct sf_err *err)
{
    if (!sf_record_is_name(id) || !sf_str_starts(id, SF_STR("key-")))
        return sf_fail(err, SF_E_CONFIG, "'%.*s' is not the id of an ssh key", SF_ARG(id));
    *record = (struct sf_record){.path = sf_territory_path(op, "ssh_keys/%.*s/meta.json", SF_ARG(id)),
                                 .what = sf_str_fmt(op->arena, "ssh key '%.*s'", SF_ARG(id)).p,
                                 .attrs = kept,
                                 .n_attrs = SF_COUNT(kept)};
    return SF_OK;
}

/* The resource's own name: the address without its kind. for_each keys may hold anything, so only plain characters stay. */
static const char *private_path(struct sf_op *op)
{
    struct sf_str name = op->self->name;
    char *plain = sf_arena_alloc(op->arena, name.n + 1);
    for (size_t i = 0; i < name.n; i++) {
        char c = name.p[i];
        bool is_plain = (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') || c == '_' || c == '-';
        plain[i] = is_plain ? c : '.';
    }
    return sf_str_fmt(op->arena, "%s/%s", op->site->secrets_dir, plain[0] == '.' ? "key" : plain).p;
}

static bool is_imported(const struct sf_value *want)
{
    return sf_map_getz(want, SSH_KEY_PUBLIC_KEY) != NULL;
}

static enum sf_code derive(struct sf_op *op, struct sf_value *want, struct sf_err *err)
{
    (void)err;
    if (!is_imported(want))
        sf_map_set_str(op->arena, want, SSH_KEY_PRIVATE_KEY_FILE, sf_str_of(private_path(op)));
    return SF_OK;
}

struct wish {
    struct sf_str algorithm, comment;
    int bits;
    enum sf_sshkey_format format;
};

static struct wish wish_of(struct sf_op *op, const struct sf_value *want)
{
    struct wish w = {.algorithm = sf_map_str(want, SSH_KEY_ALGORITHM), .comment = sf_map_str(want, SSH_KEY_COMMENT)};
    if (!w.algorithm.n)
        w.algorithm = SF_STR("ed25519");
    if (!sf_map_getz(want, SSH_KEY_COMMENT))
        w.comment = sf_str_fmt(op->arena, "%.*s-%.*s", SF_ARG(op->site->stack), SF_ARG(op->self->name));
    w.bits = (int)sf_map_int(want, SSH_KEY_BITS, sf_str_is(w.algorithm, "rsa") ? DEFAULT_RSA_BITS : 256);
    w.format = sf_str_is(sf_map_str(want, SSH_KEY_FORMAT), "pem") ? SF_SSHKEY_PEM : SF_SSHKEY_OPENSSH;
    return w;
}

/* An imported key: what else the stack says of it must be so. */
static enum sf_code import(struct sf_op *op, const struct sf_value *want, struct sf_sshkey *key, struct sf_err *err)
{
    const struct sf_value *line = sf_map_getz(want, SSH_KEY_PUBLIC_KEY);
    struct sf_str algorithm = sf_map_str(want, SSH_KEY_ALGORITHM);
    int64_t bits = sf_map_int(want, SSH_KEY_BITS, 0);
    enum sf_code rc = sf_sshkey_parse_public(op->arena, line->type == SF_V_STRING ? line->s : SF_STR_NONE, key, err);
    if (rc == SF_OK && ((algorithm.n && !sf_str_is(algorithm, key->algorithm)) || (bits && bits != key->bits))) {
        rc = sf_fail(err, SF_E_CONFIG, "the public_key is an %s key of %d bits, which is not what the stack says", key->algorithm,
                     key->bits);
        sf_hint(err, "leave out algorithm and bits when a public_key is given");
    }
    if (rc && err && !err->where.line)
        err->where = line->mark;
    return rc;
}

static enum sf_code preflight(struct sf_op *op, const struct sf_value *want, struct sf_err *err)
{
    struct sf_sshkey key;
    const struct sf_value *line = sf_map_getz(want, SSH_KEY_PUBLIC_KEY);
    if (line)
        return line->type == SF_V_UNKNOWN ? SF_OK : import(op, want, &key, err);
    struct wish w = wish_of(op, want);
    if (sf_map_getz(want, SSH_KEY_BITS) && !sf_str_is(w.algorithm, "rsa")) {
        sf_fail(err, SF_E_CONFIG, "`bits` is for rsa keys; an %.*s key has one size", SF_ARG(w.algorithm));
        sf_hint(err, "leave `bits` out");
        return SF_E_CONFIG;
    }
    return sf_sshkey_check(w.algorithm, w.bits, w.format, w.comment, err);
}

static const struct sf_value *attrs_of(struct sf_op *op, const struct sf_value *want, const struct sf_sshkey *key)
{
    struct sf_value *attrs = sf_value_map(op->arena);
    for (size_t i = 0; i < want->map.n; i++)
        sf_map_add(op->arena, attrs, want->map.pairs[i].key, want->map.pairs[i].value);
    sf_map_set_str(op->arena, attrs, SSH_KEY_ALGORITHM, sf_str_of(key->algorithm));
    sf_map_set_int(op->arena, attrs, SSH_KEY_BITS, key->bits);
    sf_map_set_str(op->arena, attrs, SSH_KEY_COMMENT, key->comment);
    sf_map_set_str(op->arena, attrs, SSH_KEY_PUBLIC_KEY, key->public_key);
    sf_map_set_str(op->arena, attrs, SSH_KEY_FINGERPRINT, key->fingerprint);
    return attrs;
}

/* The clear private key where people's clients find it; nothing for an imported key. */
static enum sf_code write_private(struct sf_op *op, struct sf_str private_key, struct sf_outcome *out, struct sf_err *err)
{
    struct sf_value *attrs = sf_value_map(op->arena);
    for (size_t i = 0; i < out->attrs->map.n; i++)
        sf_map_add(op->arena, attrs, out->attrs->map.pairs[i].key, out->attrs->map.pairs[i].value);
    out->attrs = attrs;
    if (!private_key.n)
        return SF_OK;
    const char *path = private_path(op);
    enum sf_code rc = sf_territory_mkdir(op, op->site->secrets_dir, 0700, err);
    if (rc == SF_OK)
        rc = sf_territory_write_file(op, path, private_key, 0600, err);
    if (rc == SF_OK)
        sf_map_set_str(op->arena, attrs, SSH_KEY_PRIVATE_KEY_FILE, sf_str_of(path));
    return rc;
}

/* Whether the file is there as it should be: ours, 0600, the very key. */
static bool is_private_in_place(struct sf_op *op, const char *path, struct sf_str private_key)
{
    struct stat st;
    struct sf_str now;
    return lstat(path, &st) == 0 && S_ISREG(st.st_mode) && (st.st_mode & 07777) == 0600 && st.st_uid == geteuid() &&
           sf_territory_read_file(op, path, &now, NULL) == SF_OK && sf_str_eq(now, private_key);
}

/* Removes a file that we wrote into the secrets directory; any other path is left alone. */
static enum sf_code remove_private(struct sf_op *op, struct sf_str path, struct sf_err *err)
{
    struct sf_str dir = sf_str_fmt(op->arena, "%s/", op->site->secrets_dir);
    if (!sf_str_starts(path, dir) || memchr(path.p + dir.n, '/', path.n - dir.n))
        return SF_OK;
    return sf_territory_remove_tree(op, sf_str_dup(op->arena, path).p, err);
}

static enum sf_code read_key(struct sf_op *op, struct sf_str id, struct sf_outcome *out, struct sf_err *err)
{
    struct sf_record record;
    struct sf_str private_key;
    struct sf_err ignored;
    enum sf_code rc = record_of(op, id, &record, err);
    if (rc == SF_OK)
        rc = sf_record_read(op, &record, out, err);
    if (rc || sf_op_unseal(op, NULL, SECRET, &private_key, &ignored) != SF_OK)
        return rc; /* imported */
    struct sf_value *attrs = sf_value_map(op->arena);
    for (size_t i = 0; i < out->attrs->map.n; i++)
        sf_map_add(op->arena, attrs, out->attrs->map.pairs[i].key, out->attrs->map.pairs[i].value);
    /* where it is, which is another place while the resource has just been renamed; null says "not there", which a missing
     * attribute would not */
    const char *recorded = sf_str_dup(op->arena, sf_map_str(op->self->attrs, SSH_KEY_PRIVATE_KEY_FILE)).p;
    const char *path = is_private_in_place(op, private_path(op), private_key) ? private_path(op) : recorded;
    bool is_there = path && *path && is_private_in_place(op, path, private_key);
    sf_map_add(op->arena, attrs, sf_str_of(SSH_KEY_PRIVATE_KEY_FILE),
               is_there ? sf_value_str(op->arena, sf_str_of(path)) : &sf_null_value);
    out->attrs = attrs;
    return SF_OK;
}

static enum sf_code find_key(struct sf_op *op, const struct sf_value *want, struct sf_outcome *out, struct sf_err *err)
{
    struct sf_record record;
    (void)want;
    enum sf_code rc = record_of(op, sf_record_new_id(op, "key-"), &record, err);
    return rc ? rc : sf_record_find(op, &record, out, err);
}

static enum sf_code create(struct sf_op *op, const struct sf_value *want, struct sf_outcome *out, struct sf_err *err)
{
    struct sf_record record;
    struct sf_sshkey key;
    struct sf_str id = sf_record_new_id(op, "key-");
    enum sf_code rc = record_of(op, id, &record, err);
    if (rc)
        return rc;
    if (is_imported(want)) {
        rc = import(op, want, &key, err);
    } else {
        struct wish w = wish_of(op, want);
        rc = sf_sshkey_generate(op->arena, w.algorithm, w.bits, w.format, w.comment, &key, err);
        if (rc == SF_OK)
            rc = sf_op_seal(op, SECRET, key.private_key, err);
    }
    if (rc == SF_OK)
        rc = sf_record_create(op, &record, id, attrs_of(op, want, &key), out, err);
    if (rc == SF_OK)
        rc = write_private(op, key.private_key, out, err);
    return rc ? rc : sf_local_enforce(op, err);
}

/* Every attribute but the private file is `replace`: what is left to do is to put things back. */
static enum sf_code update(struct sf_op *op, struct sf_str id, const struct sf_value *have, const struct sf_value *want,
                           struct sf_outcome *out, struct sf_err *err)
{
    struct sf_record record;
    struct sf_str private_key = SF_STR_NONE, earlier = sf_map_str(have, SSH_KEY_PRIVATE_KEY_FILE);
    (void)want;
    enum sf_code rc = record_of(op, id, &record, err);
    if (rc == SF_OK)
        rc = sf_record_read(op, &record, out, err);
    if (rc)
        return rc;
    rc = sf_op_unseal(op, NULL, SECRET, &private_key, err);
    if (rc == SF_E_ABSENT)
        rc = SF_OK; /* imported */
    if (rc == SF_OK)
        rc = sf_op_intent(op, "write", err);
    if (rc == SF_OK && !sf_str_is(earlier, private_path(op)))
        rc = remove_private(op, earlier, err); /* the resource was renamed */
    if (rc == SF_OK)
        rc = write_private(op, private_key, out, err);
    return rc ? rc : sf_local_enforce(op, err);
}

static enum sf_code destroy(struct sf_op *op, struct sf_str id, struct sf_outcome *out, struct sf_err *err)
{
    struct sf_record record;
    (void)out;
    enum sf_code rc = record_of(op, id, &record, err);
    if (rc == SF_OK)
        rc = sf_record_check_destroy(op, &record, err);
    if (rc && rc != SF_E_ABSENT)
        return rc;
    rc = sf_op_intent(op, "remove", err);
    if (rc)
        return rc;
    rc = remove_private(op, sf_map_str(op->self->attrs, SSH_KEY_PRIVATE_KEY_FILE), err);
    if (rc == SF_OK)
        rc = sf_territory_remove_tree(op, sf_territory_path(op, "ssh_keys/%.*s", SF_ARG(id)), err);
    return rc ? rc : sf_local_enforce(op, err);
}

extern const struct sf_driver sf_driver_local_ssh_key;
const struct sf_driver sf_driver_local_ssh_key = {.kind = "ssh_key",
                                                  .world = "local",
                                                  .read = read_key,
                                                  .find = find_key,
                                                  .create = create,
                                                  .update = update,
                                                  .destroy = destroy,
                                                  .preflight = preflight,
                                                  .derive = derive};
