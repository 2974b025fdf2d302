/* See host_keys.h. */
#include "resources/aws/host_keys.h"

#include "attr/sftp_server.h"
#include "attr/ssh_key.h"
#include "resources/aws/transfer.h"
#include "resources/site/key_pair.h"

enum { MAX_HOST_KEY_BYTES = 4096, MAX_RSA_BITS = 4096 }; /* ImportHostKey, HostKeyBody */

static const char id_name[] = "HostKeyId", fingerprint_name[] = "Fingerprint";

/* --- fingerprints --- */

struct sf_str sf_host_keys_fingerprint(struct sf_arena *arena, struct sf_str text)
{
    static const struct sf_str mark = {"SHA256:", 7};
    size_t at = sf_str_find(text, mark);
    text = at == SIZE_MAX ? sf_str_trim(text) : sf_str_slice(text, at + mark.n, text.n);
    text = sf_str_slice(text, 0, sf_str_find(text, SF_STR(" ")));
    while (text.n && text.p[text.n - 1] == '=')
        text.n--;
    bool is_md5 = memchr(text.p ? text.p : "", ':', text.n) != NULL; /* nothing of ours is equal to it */
    return sf_str_fmt(arena, "%s%.*s", is_md5 ? "" : mark.p, SF_ARG(text));
}

enum sf_code sf_host_keys_list(struct sf_op *op, struct sf_str server, const struct sf_value **keys, struct sf_err *err)
{
    static const struct sf_aws_pages pages = {"HostKeys", "NextToken", "NextToken"};
    struct sf_aws_call call = {.service = SF_AWS_TRANSFER,
                               .action = "ListHostKeys",
                               .params = sf_transfer_params(op, server),
                               .resource = sf_transfer_server_arn(op, server)};
    const struct sf_value *all;
    enum sf_code rc = sf_aws_list(op, &call, &pages, &all, err);
    if (rc)
        return rc;
    const struct sf_value **items = SF_NEW_ARRAY(op->arena, all->list.n + 1, const struct sf_value *);
    for (size_t i = 0; i < all->list.n; i++) {
        struct sf_value *key = sf_value_map(op->arena);
        sf_map_set_str(op->arena, key, id_name, sf_map_str(all->list.items[i], id_name));
        sf_map_set_str(op->arena, key, fingerprint_name,
                       sf_host_keys_fingerprint(op->arena, sf_map_str(all->list.items[i], fingerprint_name)));
        items[i] = key;
    }
    *keys = sf_value_list(op->arena, items, all->list.n);
    return SF_OK;
}

const struct sf_value *sf_host_keys_fingerprints(struct sf_op *op, const struct sf_value *keys)
{
    const struct sf_value **items = SF_NEW_ARRAY(op->arena, keys->list.n + 1, const struct sf_value *);
    for (size_t i = 0; i < keys->list.n; i++)
        items[i] = sf_map_getz(keys->list.items[i], fingerprint_name);
    return sf_value_list(op->arena, items, keys->list.n);
}

/* --- the ssh_keys behind them --- */

static struct sf_str known_text(const struct sf_object *key, const char *attr)
{
    return sf_map_str(key->attrs, attr);
}

static enum sf_code check_key(const struct sf_object *key, struct sf_err *err)
{
    bool is_rsa = sf_str_is(known_text(key, SSH_KEY_ALGORITHM), "rsa");
    if (known_text(key, SSH_KEY_PUBLIC_KEY).n && !known_text(key, SSH_KEY_PRIVATE_KEY_FILE).n) {
        sf_fail(err, SF_E_CONFIG, "'%.*s' is an imported public key, so it cannot be a host key", SF_ARG(key->address));
        sf_hint(err, "name an ssh_key that is made by this stack: a server needs the private half");
        return SF_E_CONFIG;
    }
    if (is_rsa && !sf_str_is(known_text(key, SSH_KEY_FORMAT), "pem")) {
        sf_fail(err, SF_E_CONFIG, "'%.*s' is an rsa key in OpenSSH's own form, which Transfer Family does not take as a host key",
                SF_ARG(key->address));
        sf_hint(err, "add `format: pem` to it, or use an ed25519 key");
        return SF_E_CONFIG;
    }
    if (is_rsa && sf_map_int(key->attrs, SSH_KEY_BITS, 0) > MAX_RSA_BITS) {
        sf_fail(err, SF_E_CONFIG, "'%.*s' is too long: a host key on AWS has %d characters at most", SF_ARG(key->address),
                MAX_HOST_KEY_BYTES);
        sf_hint(err, "use an rsa key of %d bits or less, or an ed25519 key", MAX_RSA_BITS);
        return SF_E_CONFIG;
    }
    return SF_OK;
}

enum sf_code sf_host_keys_check(struct sf_op *op, struct sf_err *err)
{
    const struct sf_object *key;
    enum sf_code rc = SF_OK;
    for (size_t i = 0; !rc && (key = sf_op_ref(op, NULL, SFTP_SERVER_HOST_KEYS, i)) != NULL; i++)
        rc = check_key(key, err);
    return rc;
}

enum sf_code sf_host_keys_private(struct sf_op *op, struct sf_str fingerprint, struct sf_str *secret, struct sf_err *err)
{
    const struct sf_object *key;
    for (size_t i = 0; (key = sf_op_ref(op, NULL, SFTP_SERVER_HOST_KEYS, i)) != NULL; i++) {
        if (!sf_str_eq(known_text(key, SSH_KEY_FINGERPRINT), fingerprint))
            continue;
        enum sf_code rc = sf_op_unseal(op, key, SF_KEY_PAIR_SECRET, secret, err);
        if (rc != SF_E_ABSENT)
            return rc;
    }
    sf_fail(err, SF_E_CONFIG, "the host key '%.*s' is not on the server, and this stack does not have its private half",
            SF_ARG(fingerprint));
    sf_hint(err, "name an ssh_key that is made by this stack");
    return SF_E_CONFIG;
}

const struct sf_str *sf_host_keys_public(struct sf_op *op, size_t *n)
{
    const struct sf_object *key;
    size_t count = 0;
    while (sf_op_ref(op, NULL, SFTP_SERVER_HOST_KEYS, count))
        count++;
    struct sf_str *lines = SF_NEW_ARRAY(op->arena, count + 1, struct sf_str);
    *n = 0;
    for (size_t i = 0; i < count && (key = sf_op_ref(op, NULL, SFTP_SERVER_HOST_KEYS, i)) != NULL; i++)
        if (known_text(key, SSH_KEY_PUBLIC_KEY).n)
            lines[(*n)++] = known_text(key, SSH_KEY_PUBLIC_KEY);
    return lines;
}

/* --- importing and deleting --- */

static bool holds(const struct sf_value *fingerprints, struct sf_str fingerprint)
{
    for (size_t i = 0; i < fingerprints->list.n; i++)
        if (sf_str_eq(fingerprints->list.items[i]->s, fingerprint))
            return true;
    return false;
}

static enum sf_code import(struct sf_op *op, struct sf_str server, struct sf_str fingerprint, struct sf_err *err)
{
    struct sf_str secret;
    enum sf_code rc = sf_host_keys_private(op, fingerprint, &secret, err);
    if (rc)
        return rc;
    struct sf_value *params = sf_transfer_params(op, server);
    sf_map_add(op->arena, params, SF_STR("HostKeyBody"), sf_value_secret(op->arena, secret));
    rc = sf_transfer_call(op, SF_AWS_PUT, "ImportHostKey", params, sf_transfer_server_arn(op, server), NULL, err);
    return rc == SF_E_CONFLICT ? SF_OK : rc; /* it is there: an earlier reply was lost */
}

static enum sf_code delete_key(struct sf_op *op, struct sf_str server, struct sf_str id, struct sf_err *err)
{
    struct sf_value *params = sf_transfer_params(op, server);
    sf_map_set_str(op->arena, params, id_name, id);
    struct sf_str arn = sf_aws_arn(op, "transfer", true, "host-key/%.*s/%.*s", SF_ARG(server), SF_ARG(id));
    enum sf_code rc = sf_transfer_call(op, SF_AWS_PUT, "DeleteHostKey", params, arn, NULL, err);
    return rc == SF_E_ABSENT ? SF_OK : rc;
}

enum sf_code sf_host_keys_converge(struct sf_op *op, struct sf_str server, const struct sf_value *have, const struct sf_value *want,
                                   struct sf_err *err)
{
    const struct sf_value *there = sf_host_keys_fingerprints(op, have);
    enum sf_code rc = SF_OK;
    for (size_t i = 0; !rc && i < want->list.n; i++)
        if (!holds(there, want->list.items[i]->s))
            rc = import(op, server, want->list.items[i]->s, err);
    for (size_t i = 0; !rc && i < have->list.n; i++)
        if (!holds(want, there->list.items[i]->s))
            rc = delete_key(op, server, sf_map_str(have->list.items[i], id_name), err);
    return rc;
}
