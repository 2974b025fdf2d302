/* kind `security_group`, local: <territory>/security_groups/ID.json. The servers that it is put on derive their access lists from
 * it (enforce_pg.c); by itself it opens nothing. */
#include "attr/security_group.h"
#include "resources/local/record.h"

static const char *const kept[] = {SECURITY_GROUP_NAME, SECURITY_GROUP_DESCRIPTION, SECURITY_GROUP_INGRESS, SECURITY_GROUP_TAGS};

static enum sf_code record_of(struct sf_op *op, struct sf_str id, struct sf_record *record, struct sf_err *err)
{
    if (!sf_record_is_name(id) || !sf_str_starts(id, SF_STR("sg-")))
        return sf_fail(err, SF_E_CONFIG, "'%.*s' is not the id of a security group", SF_ARG(id));
    *record = (struct sf_record){.path = sf_territory_path(op, "security_groups/%.*s.json", SF_ARG(id)),
                                 .what = sf_str_fmt(op->arena, "security group '%.*s'", SF_ARG(id)).p,
                                 .attrs = kept,
                                 .n_attrs = SF_COUNT(kept)};
    return SF_OK;
}

/* Names are unique among the groups, as in a VPC. *id is the group that has `name`, empty if none. */
static enum sf_code find_by_name(struct sf_op *op, struct sf_str name, struct sf_str *id, const struct sf_value **meta,
                                 struct sf_err *err)
{
    struct sf_str *files;
    size_t n;
    *id = SF_STR_NONE;
    enum sf_code rc = sf_territory_list(op, sf_territory_path(op, "security_groups"), &files, &n, err);
    for (size_t i = 0; rc == SF_OK && i < n; i++) {
        if (!sf_str_ends(files[i], SF_STR(".json")))
            continue;
        rc = sf_territory_read_meta(op, sf_territory_path(op, "security_groups/%.*s", SF_ARG(files[i])), meta, err);
        if (rc == SF_OK && sf_str_eq(name, sf_map_str(sf_map_getz(*meta, "attrs"), SECURITY_GROUP_NAME))) {
            *id = sf_str_slice(files[i], 0, files[i].n - 5);
            return SF_OK;
        }
        rc = rc == SF_E_ABSENT ? SF_OK : rc;
    }
    return rc;
}

static enum sf_code check_name(struct sf_op *op, struct sf_str name, struct sf_err *err)
{
    const struct sf_value *meta;
    struct sf_str id;
    enum sf_code rc = find_by_name(op, name, &id, &meta, err);
    if (rc || !id.n || sf_territory_is_from_intent(op, meta))
        return rc;
    return sf_territory_check_owner(op, meta, sf_str_fmt(op->arena, "security group '%.*s'", SF_ARG(name)).p, err);
}

static enum sf_code preflight(struct sf_op *op, const struct sf_value *want, struct sf_err *err)
{
    struct sf_str name = sf_map_str(want, SECURITY_GROUP_NAME);
    if (sf_str_starts(name, SF_STR("sg-"))) {
        sf_fail(err, SF_E_CONFIG, "the name of a security group cannot start with 'sg-'");
        sf_hint(err, "EC2 keeps that for ids; choose another name");
        return SF_E_CONFIG;
    }
    return name.n ? check_name(op, name, err) : SF_OK;
}

/* Ports as EC2 takes them, so that a stack means the same in both worlds. */
static enum sf_code derive(struct sf_op *op, struct sf_value *want, struct sf_err *err)
{
    const struct sf_value *rules = sf_map_getz(want, SECURITY_GROUP_INGRESS);
    (void)op;
    for (size_t i = 0; rules && rules->type == SF_V_LIST && i < rules->list.n; i++) {
        const struct sf_value *rule = rules->list.items[i];
        struct sf_str protocol = sf_map_str(rule, "protocol");
        int64_t port = sf_map_int(rule, "port", -1), to = sf_map_int(rule, "to_port", -1);
        bool has_ports = sf_str_is(protocol, "tcp") || sf_str_is(protocol, "udp");
        if (!has_ports && protocol.n && (port != -1 || to != -1)) {
            sf_fail(err, SF_E_CONFIG, "a rule of ingress for protocol '%.*s' has a port", SF_ARG(protocol));
            sf_hint(err, "only tcp and udp have ports: leave it out, or name one of them");
            return SF_E_CONFIG;
        }
        if (to != -1 && (port == -1 || to < port)) {
            sf_fail(err, SF_E_CONFIG, "a rule of ingress ends at port %lld but does not begin at or before it", (long long)to);
            sf_hint(err, "write the first port as `port`, the last one as `to_port`");
            return SF_E_CONFIG;
        }
    }
    return SF_OK;
}

static enum sf_code read_group(struct sf_op *op, struct sf_str id, struct sf_outcome *out, struct sf_err *err)
{
    struct sf_record record;
    enum sf_code rc = record_of(op, id, &record, err);
    return rc ? rc : sf_record_read(op, &record, out, err);
}

static enum sf_code find_group(struct sf_op *op, const struct sf_value *want, struct sf_outcome *out, struct sf_err *err)
{
    struct sf_record record;
    const struct sf_value *meta;
    struct sf_str id;
    enum sf_code rc = find_by_name(op, sf_map_str(want, SECURITY_GROUP_NAME), &id, &meta, err);
    if (rc == SF_OK && !id.n)
        return sf_fail(err, SF_E_ABSENT, "there is no such security group");
    if (rc == SF_OK)
        rc = record_of(op, id, &record, err);
    return rc ? rc : sf_record_find(op, &record, out, err);
}

static enum sf_code create(struct sf_op *op, const struct sf_value *want, struct sf_outcome *out, struct sf_err *err)
{
    struct sf_record record;
    const struct sf_value *meta;
    struct sf_str name = sf_map_str(want, SECURITY_GROUP_NAME), id;
    enum sf_code rc = check_name(op, name, err);
    if (rc == SF_OK)
        rc = find_by_name(op, name, &id, &meta, err);
    if (rc)
        return rc;
    if (!id.n)
        id = sf_record_new_id(op, "sg-");
    rc = record_of(op, id, &record, err);
    if (rc == SF_OK)
        rc = sf_record_create(op, &record, id, want, out, err);
    return rc ? rc : sf_local_enforce(op, err);
}

static enum sf_code update(struct sf_op *op, struct sf_str id, const struct sf_value *have, const struct sf_value *want,
                           struct sf_outcome *out, struct sf_err *err)
{
    struct sf_record record;
    (void)have;
    enum sf_code rc = record_of(op, id, &record, err);
    if (rc == SF_OK)
        rc = sf_record_update(op, &record, id, want, out, err);
    return rc ? rc : sf_local_enforce(op, err);
}

static enum sf_code destroy(struct sf_op *op, struct sf_str id, struct sf_outcome *out, struct sf_err *err)
{
    struct sf_record record;
    (void)out;
    enum sf_code rc = record_of(op, id, &record, err);
    if (rc == SF_OK)
        rc = sf_record_destroy(op, &record, err);
    return rc ? rc : sf_local_enforce(op, err);
}

extern const struct sf_driver sf_driver_local_security_group;
const struct sf_driver sf_driver_local_security_group = {.kind = "security_group",
                                                         .world = "local",
                                                         .read = read_group,
                                                         .find = find_group,
                                                         .create = create,
                                                         .update = update,
                                                         .destroy = destroy,
                                                         .preflight = preflight,
                                                         .derive = derive};
