/* kind `ssh_key`, local: <territory>/ssh_keys/ID/meta.json has the public half; all else is resources/site/key_pair.h. */
#include "attr/ssh_key.h"
#include "resources/local/record.h"
#include "resources/site/key_pair.h"

static enum sf_code record_of(struct sf_op *op, struct sf_str id, struct sf_record *record, struct sf_err *err)
{
    if (!sf_record_is_name(id) || !sf_str_starts(id, SF_STR("key-")))
        return sf_fail(err, SF_E_CONFIG, "'%.*s' is not the id of an ssh key", SF_ARG(id));
    *record = (struct sf_record){.path = sf_territory_path(op, "ssh_keys/%.*s/meta.json", SF_ARG(id)),
                                 .what = sf_str_fmt(op->arena, "ssh key '%.*s'", SF_ARG(id)).p,
                                 .attrs = sf_key_pair_attrs,
                                 .n_attrs = sf_key_pair_n_attrs};
    return SF_OK;
}

static enum sf_code read_key(struct sf_op *op, struct sf_str id, struct sf_outcome *out, struct sf_err *err)
{
    struct sf_record record;
    enum sf_code rc = record_of(op, id, &record, err);
    if (rc == SF_OK)
        rc = sf_record_read(op, &record, out, err);
    if (rc == SF_OK)
        sf_key_pair_look(op, out);
    return rc;
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
    const struct sf_value *attrs;
    struct sf_str id = sf_record_new_id(op, "key-");
    enum sf_code rc = record_of(op, id, &record, err);
    if (rc == SF_OK)
        rc = sf_key_pair_make(op, want, &attrs, err);
    if (rc == SF_OK)
        rc = sf_record_create(op, &record, id, attrs, out, err);
    if (rc == SF_OK)
        rc = sf_key_pair_put_file(op, NULL, out, err);
    return rc ? rc : sf_local_enforce(op, err);
}

/* Every attribute but the private file is `replace`: what is left to do is to put things back. */
static enum sf_code update(struct sf_op *op, struct sf_str id, const struct sf_value *have, const struct sf_value *want,
                           struct sf_outcome *out, struct sf_err *err)
{
    struct sf_record record;
    (void)want;
    enum sf_code rc = record_of(op, id, &record, err);
    if (rc == SF_OK)
        rc = sf_record_read(op, &record, out, err);
    if (rc == SF_OK)
        rc = sf_op_intent(op, "write", err);
    if (rc == SF_OK)
        rc = sf_key_pair_put_file(op, have, out, err);
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
    rc = sf_key_pair_remove_file(op, err);
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
                                                  .preflight = sf_key_pair_preflight,
                                                  .derive = sf_key_pair_derive};
