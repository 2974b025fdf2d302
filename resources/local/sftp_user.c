/* kind `sftp_user` in the local world: <territory>/sftp/SERVER/users/NAME.json. What the user may do follows from its role when
 * the server's configuration is derived (sftp_access.c); nothing of that is stored here. The id is "<server id>/<name>". */
#include "attr/sftp_user.h"

#include "attr/policy.h"
#include "attr/role.h"
#include "resources/local/proftpd.h"
#include "resources/local/record.h"
#include "resources/local/role_policies.h"
#include "resources/local/sftp_access.h"
#include "resources/site/sftp_command.h"

static const char *const kept[] = {SFTP_USER_NAME, SFTP_USER_ROLE,   SFTP_USER_HOME,         SFTP_USER_PREFIX,
                                   SFTP_USER_KEYS, SFTP_USER_POLICY, SFTP_USER_SFTP_COMMAND, SFTP_USER_TAGS};

static enum sf_code record_of(struct sf_op *op, struct sf_str server, struct sf_str name, struct sf_record *record,
                              struct sf_err *err)
{
    if (!sf_record_is_name(server) || !sf_record_is_name(name))
        return sf_fail(err, SF_E_ABSENT, "'%.*s/%.*s' is no SFTP user's id", SF_ARG(server), SF_ARG(name));
    *record = (struct sf_record){.path = sf_territory_path(op, "sftp/%.*s/users/%.*s.json", SF_ARG(server), SF_ARG(name)),
                                 .what = sf_str_fmt(op->arena, "SFTP user '%.*s'", SF_ARG(name)).p,
                                 .attrs = kept,
                                 .n_attrs = SF_COUNT(kept)};
    return SF_OK;
}

static enum sf_code record_of_id(struct sf_op *op, struct sf_str id, struct sf_record *record, struct sf_str *server,
                                 struct sf_err *err)
{
    size_t slash = sf_str_find(id, SF_STR("/"));
    *server = sf_str_slice(id, 0, slash);
    return record_of(op, *server, slash == SIZE_MAX ? SF_STR_NONE : sf_str_slice(id, slash + 1, id.n), record, err);
}

/* --- derive --- */

/* The documents of the role as planned; NULL when something in them is not known yet. */
static const struct sf_value *planned_documents(struct sf_op *op, const struct sf_object *role)
{
    const struct sf_value *arns = sf_map_getz(role->attrs, ROLE_POLICIES), *own = sf_map_getz(role->attrs, ROLE_INLINE);
    size_t n_arns = arns && arns->type == SF_V_LIST ? arns->list.n : 0, n_own = own && own->type == SF_V_MAP ? own->map.n : 0,
           n = 0;
    const struct sf_value **items = SF_NEW_ARRAY(op->arena, n_arns + n_own + 1, const struct sf_value *);
    for (size_t i = 0; i < n_arns; i++) {
        const struct sf_object *policy = sf_op_ref(op, role, ROLE_POLICIES, i);
        const struct sf_value *document = policy ? sf_map_getz(policy->attrs, POLICY_DOCUMENT) : NULL;
        if (!document || sf_value_has_unknown(document, NULL))
            return NULL;
        items[n++] = document;
    }
    for (size_t i = 0; i < n_own; i++) {
        if (sf_value_has_unknown(own->map.pairs[i].value, NULL))
            return NULL;
        items[n++] = own->map.pairs[i].value;
    }
    return sf_value_list(op->arena, items, n);
}

/* What the local server cannot honour is an error of the plan, not a surprise at the login. */
static enum sf_code check_policies(struct sf_op *op, const struct sf_value *want, struct sf_err *err)
{
    const struct sf_object *role = sf_op_ref(op, NULL, SFTP_USER_ROLE, 0);
    const struct sf_value *policy = sf_map_getz(want, SFTP_USER_POLICY), *name = sf_map_getz(want, SFTP_USER_NAME);
    const struct sf_value *home = sf_map_getz(want, SFTP_USER_HOME), *prefix = sf_map_getz(want, SFTP_USER_PREFIX);
    const struct sf_value *role_arn = sf_map_getz(want, SFTP_USER_ROLE);
    const struct sf_value *documents = role && role->attrs ? planned_documents(op, role) : NULL;
    if (!documents || !name || name->type != SF_V_STRING || !home || home->type != SF_V_STRING || !role_arn ||
        role_arn->type != SF_V_STRING || (policy && sf_value_has_unknown(policy, NULL)))
        return SF_OK;
    struct sf_sftp_identity who = {.name = name->s, .bucket = home->s, .role_arn = role_arn->s, .documents = documents};
    if (prefix && prefix->type == SF_V_STRING)
        who.prefix = prefix->s;
    if (policy && policy->type != SF_V_NULL)
        who.session = policy;
    const struct sf_sftp_grant *grants;
    size_t n;
    return sf_sftp_grants(op, &who, &grants, &n, err);
}

static enum sf_code check_prefix(struct sf_op *op, const struct sf_value *want, struct sf_err *err)
{
    struct sf_str prefix = sf_map_str(want, SFTP_USER_PREFIX);
    if (!prefix.n || sf_sftp_is_usable_path(sf_str_fmt(op->arena, "/%.*s", SF_ARG(prefix))))
        return SF_OK;
    sf_fail(err, SF_E_CONFIG, "'%.*s' holds a character that ProFTPD's configuration has no way to write", SF_ARG(prefix));
    sf_hint(err, "use letters, digits, blanks and ._-@+=,/ in the prefix");
    return SF_E_CONFIG;
}

static enum sf_code derive(struct sf_op *op, struct sf_value *want, struct sf_err *err)
{
    sf_sftp_command_derive(op, want);
    enum sf_code rc = check_prefix(op, want, err);
    return rc ? rc : check_policies(op, want, err);
}

/* --- the driver --- */

static enum sf_code preflight(struct sf_op *op, const struct sf_value *want, struct sf_err *err)
{
    struct sf_record record;
    const struct sf_object *server = sf_op_ref(op, NULL, SFTP_USER_SERVER, 0);
    if (!server || !server->id.n)
        return SF_OK; /* made together with it */
    enum sf_code rc = record_of(op, server->id, sf_map_str(want, SFTP_USER_NAME), &record, err);
    return rc ? rc : sf_record_preflight(op, &record, err);
}

static enum sf_code read_user(struct sf_op *op, struct sf_str id, struct sf_outcome *out, struct sf_err *err)
{
    struct sf_record record;
    struct sf_str server;
    enum sf_code rc = record_of_id(op, id, &record, &server, err);
    if (rc == SF_OK)
        rc = sf_record_read(op, &record, out, err);
    if (rc)
        return rc;
    struct sf_value *attrs = sf_value_map(op->arena);
    for (size_t i = 0; i < out->attrs->map.n; i++)
        sf_map_add(op->arena, attrs, out->attrs->map.pairs[i].key, out->attrs->map.pairs[i].value);
    sf_map_set_str(op->arena, attrs, SFTP_USER_SERVER, server);
    out->attrs = attrs;
    return SF_OK;
}

static enum sf_code find_user(struct sf_op *op, const struct sf_value *want, struct sf_outcome *out, struct sf_err *err)
{
    struct sf_record record;
    enum sf_code rc = record_of(op, sf_map_str(want, SFTP_USER_SERVER), sf_map_str(want, SFTP_USER_NAME), &record, err);
    return rc ? rc : sf_record_find(op, &record, out, err);
}

/* Not an error: as on AWS the user exists, and is refused. */
static void warn_if_refused(struct sf_op *op, struct sf_str server, struct sf_str name)
{
    struct sf_proftpd p;
    if (sf_proftpd_load(op, server, &p, NULL) != SF_OK)
        return;
    const char *defect = sf_sftp_user_defect(op, &p, name);
    if (defect)
        sf_op_warn(op, "SFTP user '%.*s' cannot log in: %s", SF_ARG(name), defect);
}

static enum sf_code create(struct sf_op *op, const struct sf_value *want, struct sf_outcome *out, struct sf_err *err)
{
    struct sf_record record;
    struct sf_proftpd p;
    struct sf_str server = sf_map_str(want, SFTP_USER_SERVER), name = sf_map_str(want, SFTP_USER_NAME);
    enum sf_code rc = sf_proftpd_load(op, server, &p, err);
    if (rc == SF_OK)
        rc = record_of(op, server, name, &record, err);
    if (rc == SF_OK)
        rc = sf_record_create(op, &record, sf_str_fmt(op->arena, "%.*s/%.*s", SF_ARG(server), SF_ARG(name)), want, out, err);
    if (rc == SF_OK)
        rc = sf_local_enforce(op, err);
    if (rc == SF_OK)
        warn_if_refused(op, server, name);
    return rc == SF_E_ABSENT ? SF_E_UNAVAILABLE : rc;
}

static enum sf_code update(struct sf_op *op, struct sf_str id, const struct sf_value *have, const struct sf_value *want,
                           struct sf_outcome *out, struct sf_err *err)
{
    struct sf_record record;
    struct sf_str server;
    (void)have;
    enum sf_code rc = record_of_id(op, id, &record, &server, err);
    if (rc == SF_OK)
        rc = sf_record_update(op, &record, id, want, out, err);
    if (rc == SF_OK)
        rc = sf_local_enforce(op, err);
    if (rc == SF_OK)
        warn_if_refused(op, server, sf_map_str(want, SFTP_USER_NAME));
    return rc;
}

static enum sf_code destroy(struct sf_op *op, struct sf_str id, struct sf_outcome *out, struct sf_err *err)
{
    struct sf_record record;
    struct sf_str server;
    (void)out;
    if (record_of_id(op, id, &record, &server, err) != SF_OK)
        return SF_OK;
    enum sf_code rc = sf_record_destroy(op, &record, err);
    return rc ? rc : sf_local_enforce(op, err);
}

extern const struct sf_driver sf_driver_local_sftp_user;
const struct sf_driver sf_driver_local_sftp_user = {.kind = "sftp_user",
                                                    .world = "local",
                                                    .read = read_user,
                                                    .find = find_user,
                                                    .create = create,
                                                    .update = update,
                                                    .destroy = destroy,
                                                    .preflight = preflight,
                                                    .derive = derive};
