/* See key_pair.h. */
#include "resources/site/key_pair.h"

#include "attr/ssh_key.h"
#include "resources/net/sshkey.h"
#include "resources/site/file.h"

#include <sys/stat.h>
#include <unistd.h>

enum { DEFAULT_RSA_BITS = 4096 };

const char *const sf_key_pair_attrs[] = {SSH_KEY_ALGORITHM, SSH_KEY_BITS,       SSH_KEY_FORMAT,
                                         SSH_KEY_COMMENT,   SSH_KEY_PUBLIC_KEY, SSH_KEY_FINGERPRINT};
const size_t sf_key_pair_n_attrs = SF_COUNT(sf_key_pair_attrs);

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

/* The line as every later read reports it: a file of a key ends with a newline, which is no part of it. */
static void trim_public_key(struct sf_op *op, struct sf_value *want)
{
    const struct sf_value *line = sf_map_getz(want, SSH_KEY_PUBLIC_KEY);
    struct sf_sshkey key;
    struct sf_err ignored;
    if (!line || line->type != SF_V_STRING || sf_sshkey_parse_public(op->arena, line->s, &key, &ignored) != SF_OK)
        return; /* preflight says what is wrong */
    struct sf_value *trimmed = SF_NEW(op->arena, struct sf_value);
    *trimmed = *line;
    trimmed->s = key.public_key;
    sf_map_set(op->arena, want, SF_STR(SSH_KEY_PUBLIC_KEY), trimmed);
}

enum sf_code sf_key_pair_derive(struct sf_op *op, struct sf_value *want, struct sf_err *err)
{
    (void)err;
    trim_public_key(op, want);
    sf_map_set(op->arena, want, sf_str_of(SSH_KEY_PRIVATE_KEY_FILE),
               is_imported(want) ? &sf_null_value : sf_value_str(op->arena, sf_str_of(private_path(op))));
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

enum sf_code sf_key_pair_preflight(struct sf_op *op, const struct sf_value *want, struct sf_err *err)
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

enum sf_code sf_key_pair_make(struct sf_op *op, const struct sf_value *want, const struct sf_value **attrs, struct sf_err *err)
{
    struct sf_sshkey key;
    enum sf_code rc;
    if (is_imported(want)) {
        rc = import(op, want, &key, err);
    } else {
        struct wish w = wish_of(op, want);
        rc = sf_sshkey_generate(op->arena, w.algorithm, w.bits, w.format, w.comment, &key, err);
        if (rc == SF_OK)
            rc = sf_op_seal(op, SF_KEY_PAIR_SECRET, key.private_key, err);
    }
    if (rc == SF_OK)
        *attrs = attrs_of(op, want, &key);
    return rc;
}

static void add_file(struct sf_op *op, const struct sf_value *file, struct sf_outcome *out)
{
    struct sf_value *attrs = sf_value_map(op->arena);
    for (size_t i = 0; out->attrs && i < out->attrs->map.n; i++)
        sf_map_add(op->arena, attrs, out->attrs->map.pairs[i].key, out->attrs->map.pairs[i].value);
    sf_map_set(op->arena, attrs, sf_str_of(SSH_KEY_PRIVATE_KEY_FILE), file);
    out->attrs = attrs;
}

/* Removes a file that we wrote into the secrets directory; any other path is left alone. */
static enum sf_code remove_private(struct sf_op *op, struct sf_str path, struct sf_err *err)
{
    struct sf_str dir = sf_str_fmt(op->arena, "%s/", op->site->secrets_dir);
    if (!sf_str_starts(path, dir) || path.n == dir.n || memchr(path.p + dir.n, '/', path.n - dir.n))
        return SF_OK;
    return sf_file_remove(sf_str_dup(op->arena, path).p, err);
}

enum sf_code sf_key_pair_put_file(struct sf_op *op, const struct sf_value *have, struct sf_outcome *out, struct sf_err *err)
{
    const char *path = private_path(op);
    struct sf_str private_key, earlier = sf_map_str(have, SSH_KEY_PRIVATE_KEY_FILE);
    enum sf_code rc = sf_op_unseal(op, NULL, SF_KEY_PAIR_SECRET, &private_key, err);
    if (rc == SF_E_ABSENT)
        return SF_OK; /* imported */
    if (rc == SF_OK && !sf_str_is(earlier, path))
        rc = remove_private(op, earlier, err);
    if (rc == SF_OK)
        rc = sf_file_mkdir(op->arena, op->site->secrets_dir, 0700, err);
    if (rc == SF_OK)
        rc = sf_file_replace(op->arena, path, private_key, 0600, err);
    if (rc == SF_OK)
        add_file(op, sf_value_str(op->arena, sf_str_of(path)), out);
    return rc;
}

static bool is_in_place(struct sf_op *op, const char *path, struct sf_str private_key)
{
    struct stat st;
    return sf_file_is(op->arena, path, private_key, 0600) && lstat(path, &st) == 0 && st.st_uid == geteuid();
}

void sf_key_pair_look(struct sf_op *op, struct sf_outcome *out)
{
    struct sf_str private_key;
    struct sf_err ignored;
    if (sf_op_unseal(op, NULL, SF_KEY_PAIR_SECRET, &private_key, &ignored) != SF_OK)
        return; /* imported */
    /* where it is, which is another place while the resource has just been renamed; null says "not there", which a missing
     * attribute would not */
    const char *recorded = sf_str_dup(op->arena, sf_map_str(op->self->attrs, SSH_KEY_PRIVATE_KEY_FILE)).p;
    const char *path = is_in_place(op, private_path(op), private_key) ? private_path(op) : recorded;
    bool is_there = path && *path && is_in_place(op, path, private_key);
    add_file(op, is_there ? sf_value_str(op->arena, sf_str_of(path)) : &sf_null_value, out);
}

enum sf_code sf_key_pair_remove_file(struct sf_op *op, struct sf_err *err)
{
    return remove_private(op, sf_map_str(op->self->attrs, SSH_KEY_PRIVATE_KEY_FILE), err);
}
