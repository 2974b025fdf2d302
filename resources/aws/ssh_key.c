/* kind `ssh_key`, AWS: there is no such thing there that SFTP would use; state has the key, and its attributes are what was
 * recorded. All else is resources/site/key_pair.h. The id is the fingerprint. */
#include "attr/ssh_key.h"
#include "resources/site/key_pair.h"

/* What is recorded is what there is; only the private key's file can have changed. */
static enum sf_code read_key(struct sf_op *op, struct sf_str id, struct sf_outcome *out, struct sf_err *err)
{
    if (op->is_adopting || !sf_map_str(op->self->attrs, SSH_KEY_FINGERPRINT).n) {
        sf_fail(err, SF_E_ABSENT, "no key '%.*s' is kept in state", SF_ARG(id));
        sf_hint(err, "give its `public_key` to use a key that was made elsewhere");
        return SF_E_ABSENT;
    }
    struct sf_value *attrs = sf_value_map(op->arena);
    for (size_t i = 0; i < sf_key_pair_n_attrs; i++) {
        const struct sf_value *value = sf_map_getz(op->self->attrs, sf_key_pair_attrs[i]);
        if (value)
            sf_map_add(op->arena, attrs, sf_str_of(sf_key_pair_attrs[i]), value);
    }
    out->id = id;
    out->attrs = attrs;
    sf_key_pair_look(op, out);
    return SF_OK;
}

/* Before it was recorded nobody can have used it: another one is made in its place. */
static enum sf_code find_key(struct sf_op *op, const struct sf_value *want, struct sf_outcome *out, struct sf_err *err)
{
    (void)want;
    (void)out;
    return sf_fail(err, SF_E_ABSENT, "the key of '%.*s' was not recorded", SF_ARG(op->self->address));
}

static enum sf_code create(struct sf_op *op, const struct sf_value *want, struct sf_outcome *out, struct sf_err *err)
{
    enum sf_code rc = sf_op_intent(op, "make the key", err);
    if (rc == SF_OK)
        rc = sf_key_pair_make(op, want, &out->attrs, err);
    if (rc)
        return rc;
    out->id = sf_map_str(out->attrs, SSH_KEY_FINGERPRINT);
    rc = sf_op_made(op, out->id, err);
    return rc ? rc : sf_key_pair_put_file(op, NULL, out, err);
}

/* Every attribute but the private file is `replace`: what is left to do is to put that back. */
static enum sf_code update(struct sf_op *op, struct sf_str id, const struct sf_value *have, const struct sf_value *want,
                           struct sf_outcome *out, struct sf_err *err)
{
    (void)want;
    enum sf_code rc = sf_op_intent(op, "write", err);
    if (rc)
        return rc;
    out->id = id;
    return sf_key_pair_put_file(op, have, out, err);
}

static enum sf_code destroy(struct sf_op *op, struct sf_str id, struct sf_outcome *out, struct sf_err *err)
{
    (void)id;
    (void)out;
    enum sf_code rc = sf_op_intent(op, "remove the key", err);
    return rc ? rc : sf_key_pair_remove_file(op, err);
}

extern const struct sf_driver sf_driver_aws_ssh_key;
const struct sf_driver sf_driver_aws_ssh_key = {.kind = "ssh_key",
                                                .world = "aws",
                                                .read = read_key,
                                                .find = find_key,
                                                .create = create,
                                                .update = update,
                                                .destroy = destroy,
                                                .preflight = sf_key_pair_preflight,
                                                .derive = sf_key_pair_derive};
