/* kind `sftp_server`, AWS: a Transfer Family server for SFTP in front of S3, with users of its own (SERVICE_MANAGED).
 *
 * CreateServer has no client token, so a lost reply leaves a server that costs by the hour: the tags in that very call are how
 * find() knows it again. A server starts and stops in minutes; what needs it OFFLINE (another endpoint) stops it, changes it,
 * starts it, each time converge() is called again. The host keys' public halves go to known_hosts, under the name that clients use.
 */
#include "attr/sftp_server.h"

#include "resources/aws/host_keys.h"
#include "resources/aws/ownership.h"
#include "resources/aws/sftp_vpc.h"
#include "resources/aws/transfer.h"
#include "resources/site/known_hosts.h"

#include <stdlib.h>

enum { SFTP_PORT = 22, MAX_PORT = 65535 };

static const char set_stat_on[] = "ENABLE_NO_OP", set_stat_off[] = "DEFAULT";

enum state { OFFLINE, ONLINE, STARTING, STOPPING, START_FAILED, STOP_FAILED };
static const char *const state_names[] = {"OFFLINE", "ONLINE", "STARTING", "STOPPING", "START_FAILED", "STOP_FAILED"};

static const char *what_of(struct sf_op *op, struct sf_str id)
{
    return sf_str_fmt(op->arena, "SFTP server '%.*s'", SF_ARG(id)).p;
}

static enum state state_of(const struct sf_value *server)
{
    struct sf_str name = sf_aws_text(server, "State");
    for (size_t i = 0; i < SF_COUNT(state_names); i++)
        if (sf_str_is(name, state_names[i]))
            return (enum state)i;
    return ONLINE;
}

static bool is_moving(enum state state)
{
    return state == STARTING || state == STOPPING;
}

/* Without `host_keys` the service makes a key of its own, which is its business. */
static const struct sf_value *host_keys_of(const struct sf_value *attrs)
{
    const struct sf_value *keys = sf_map_getz(attrs, SFTP_SERVER_HOST_KEYS);
    return keys && keys->type == SF_V_LIST ? keys : NULL;
}

static bool shall_run(const struct sf_value *want)
{
    return sf_map_bool(want, SFTP_SERVER_RUNNING, true);
}

/* --- where clients connect --- */

struct where {
    struct sf_str host;
    int port;
};

/* "host:port" */
static bool split_endpoint(struct sf_str text, struct where *where)
{
    size_t colon = text.n;
    while (colon && text.p[colon - 1] != ':')
        colon--;
    int64_t port;
    if (colon < 2 || !sf_str_int64(sf_str_slice(text, colon, text.n), &port) || port < 1 || port > MAX_PORT)
        return false;
    *where = (struct where){sf_str_slice(text, 0, colon - 1), (int)port};
    return true;
}

static struct where where_of(struct sf_op *op, struct sf_str id, const struct sf_value *attrs)
{
    struct sf_str given = sf_map_str(attrs, SFTP_SERVER_SFTP_ENDPOINT);
    struct where where;
    if (split_endpoint(given.n ? given : sf_str_of(getenv("SF_TRANSFER_SFTP_ENDPOINT")), &where))
        return where;
    where.host = sf_str_fmt(op->arena, "%.*s.server.transfer.%.*s.%s", SF_ARG(id), SF_ARG(op->site->region),
                            sf_aws_partition(sf_aws_of(op))->suffix);
    where.port = SFTP_PORT;
    return where;
}

static void report_where(struct sf_op *op, const struct where *where, struct sf_value *attrs)
{
    size_t n;
    const struct sf_str *keys = sf_host_keys_public(op, &n);
    bool is_known = n && sf_known_hosts_has(op, where->host, where->port, keys, n);
    sf_map_set_str(op->arena, attrs, SFTP_SERVER_HOST, where->host);
    sf_map_set_int(op->arena, attrs, SFTP_SERVER_PORT, where->port);
    sf_map_set_str(op->arena, attrs, SFTP_SERVER_ENDPOINT, sf_str_fmt(op->arena, "%.*s:%d", SF_ARG(where->host), where->port));
    sf_map_set(op->arena, attrs, SF_STR(SFTP_SERVER_KNOWN_HOSTS_FILE),
               is_known ? sf_value_str(op->arena, sf_str_of(sf_known_hosts_path(op))) : &sf_null_value);
}

static enum sf_code put_known_hosts(struct sf_op *op, const struct where *where, struct sf_err *err)
{
    size_t n;
    const struct sf_str *keys = sf_host_keys_public(op, &n);
    return sf_known_hosts_set(op, where->host, where->port, keys, n, err);
}

/* --- plan time --- */

static enum sf_code check_port(const struct sf_value *want, struct sf_err *err)
{
    const struct sf_value *endpoint = sf_map_getz(want, SFTP_SERVER_SFTP_ENDPOINT);
    int64_t port = sf_map_int(want, SFTP_SERVER_PORT, SFTP_PORT);
    struct where ignored;
    if (port != SFTP_PORT) {
        sf_fail(err, SF_E_CONFIG, "an SFTP server on AWS listens on port %d only, not on %lld", SFTP_PORT, (long long)port);
        sf_hint(err, "leave `port` out: each world takes what it has");
        sf_transfer_point_at(sf_map_getz(want, SFTP_SERVER_PORT), err);
        return SF_E_CONFIG;
    }
    if (endpoint && endpoint->type == SF_V_STRING && endpoint->s.n && !split_endpoint(endpoint->s, &ignored)) {
        sf_fail(err, SF_E_CONFIG, "'%.*s' is not a host and a port", SF_ARG(endpoint->s));
        sf_hint(err, "write it like files.example.org:22");
        sf_transfer_point_at(endpoint, err);
        return SF_E_CONFIG;
    }
    return SF_OK;
}

static enum sf_code check_security_policy(const struct sf_value *want, struct sf_err *err)
{
    struct sf_str name = sf_map_str(want, SFTP_SERVER_SECURITY_POLICY);
    if (!name.n || (sf_str_starts(name, SF_STR("Transfer")) && sf_str_find(name, SF_STR("SecurityPolicy-")) != SIZE_MAX))
        return SF_OK;
    sf_fail(err, SF_E_CONFIG, "'%.*s' is not the name of a security policy", SF_ARG(name));
    sf_hint(err, "list them: aws transfer list-security-policies");
    sf_transfer_point_at(sf_map_getz(want, SFTP_SERVER_SECURITY_POLICY), err);
    return SF_E_CONFIG;
}

static enum sf_code check_host_keys(struct sf_op *op, const struct sf_value *want, struct sf_err *err)
{
    const struct sf_value *keys = sf_map_getz(want, SFTP_SERVER_HOST_KEYS);
    if (keys && keys->type == SF_V_LIST && !keys->list.n) {
        sf_fail(err, SF_E_CONFIG, "'%.*s' has no host key", SF_ARG(op->self->address));
        sf_hint(err, "name an ssh_key in `host_keys`");
        sf_transfer_point_at(keys, err);
        return SF_E_CONFIG;
    }
    return sf_host_keys_check(op, err);
}

static enum sf_code derive(struct sf_op *op, struct sf_value *want, struct sf_err *err)
{
    const struct sf_value *vpc = sf_map_getz(want, SFTP_SERVER_VPC);
    struct sf_str network = sf_map_str(vpc, SFTP_SERVER_VPC_ID);
    if (network.n || !sf_value_has_unknown(vpc ? vpc : &sf_null_value, NULL))
        sf_map_set(op->arena, want, SF_STR(SFTP_SERVER_NETWORK), network.n ? sf_value_str(op->arena, network) : &sf_null_value);
    sf_map_set(op->arena, want, SF_STR(SFTP_SERVER_KNOWN_HOSTS_FILE),
               sf_op_ref(op, NULL, SFTP_SERVER_HOST_KEYS, 0) ? sf_value_str(op->arena, sf_str_of(sf_known_hosts_path(op)))
                                                             : &sf_null_value);
    enum sf_code rc = check_port(want, err);
    if (rc == SF_OK)
        rc = check_security_policy(want, err);
    if (rc == SF_OK)
        rc = sf_sftp_vpc_check(vpc, err);
    if (rc == SF_OK)
        rc = check_host_keys(op, want, err);
    return rc ? rc : sf_transfer_check_trust(op, SFTP_SERVER_LOGGING_ROLE, err);
}

/* --- read and find --- */

static enum sf_code describe(struct sf_op *op, struct sf_str id, const struct sf_value **server, struct sf_err *err)
{
    const struct sf_value *reply;
    enum sf_code rc = sf_transfer_call(op, SF_AWS_READ, "DescribeServer", sf_transfer_params(op, id),
                                       sf_transfer_server_arn(op, id), &reply, err);
    if (rc)
        return rc;
    *server = sf_aws_at(reply, "Server");
    return *server ? SF_OK : sf_fail(err, SF_E_REFUSED, "AWS says nothing about the %s", what_of(op, id));
}

static const struct sf_value *tags_of(struct sf_op *op, const struct sf_value *server)
{
    return sf_aws_tag_map(op->arena, sf_aws_items(op->arena, server, "Tags"), &sf_aws_tags_upper);
}

/* Of the keys that the stack names each is looked at; of the service's own the one that DescribeServer shows. */
static enum sf_code read_fingerprints(struct sf_op *op, struct sf_str id, const struct sf_value *server,
                                      const struct sf_value *attrs, const struct sf_value **fingerprints, struct sf_err *err)
{
    struct sf_str shown = sf_aws_text(server, "HostKeyFingerprint");
    const struct sf_value *keys;
    if (!host_keys_of(attrs)) {
        const struct sf_value **items = SF_NEW_ARRAY(op->arena, 1, const struct sf_value *);
        items[0] = sf_value_str(op->arena, sf_host_keys_fingerprint(op->arena, shown));
        *fingerprints = sf_value_list(op->arena, items, shown.n > 0);
        return SF_OK;
    }
    enum sf_code rc = sf_host_keys_list(op, id, &keys, err);
    if (rc == SF_OK)
        *fingerprints = sf_host_keys_fingerprints(op, keys);
    return rc;
}

static enum sf_code report(struct sf_op *op, struct sf_str id, const struct sf_value *server, struct sf_outcome *out,
                           struct sf_err *err)
{
    struct sf_value *attrs = sf_value_map(op->arena);
    const struct sf_value *vpc, *fingerprints = NULL, *recorded = op->self->attrs;
    struct where where = where_of(op, id, recorded);
    enum state state = state_of(server);
    enum sf_code rc = read_fingerprints(op, id, server, recorded, &fingerprints, err);
    if (rc == SF_OK)
        rc = sf_sftp_vpc_read(op, server, sf_map_getz(recorded, SFTP_SERVER_VPC), &vpc, err);
    if (rc)
        return rc;
    if (host_keys_of(recorded))
        sf_map_set(op->arena, attrs, SF_STR(SFTP_SERVER_HOST_KEYS), fingerprints);
    sf_map_set(op->arena, attrs, SF_STR(SFTP_SERVER_HOST_KEY_FINGERPRINTS), fingerprints);
    sf_map_set_bool(op->arena, attrs, SFTP_SERVER_RUNNING, state == ONLINE || state == STARTING || state == STOP_FAILED);
    sf_map_set_str(op->arena, attrs, SFTP_SERVER_SECURITY_POLICY, sf_aws_text(server, "SecurityPolicyName"));
    sf_map_set_str(op->arena, attrs, SFTP_SERVER_LOGGING_ROLE, sf_aws_text(server, "LoggingRole"));
    sf_map_set(op->arena, attrs, SF_STR(SFTP_SERVER_VPC), vpc);
    sf_map_set(op->arena, attrs, SF_STR(SFTP_SERVER_NETWORK),
               vpc->type == SF_V_MAP ? sf_map_getz(vpc, SFTP_SERVER_VPC_ID) : &sf_null_value);
    sf_map_set_bool(op->arena, attrs, SFTP_SERVER_SET_STAT,
                    sf_str_is(sf_aws_text(server, "ProtocolDetails.SetStatOption"), set_stat_on));
    sf_map_set(op->arena, attrs, SF_STR(SFTP_SERVER_TAGS), sf_aws_user_tags(op->arena, tags_of(op, server)));
    report_where(op, &where, attrs);
    out->id = id;
    out->attrs = attrs;
    return SF_OK;
}

/* While waiting: SF_OK with *out pending, or not pending once the server is as wanted; SF_E_REFUSED when it will not be. */
static enum sf_code look_at_state(struct sf_op *op, struct sf_str id, enum state state, struct sf_outcome *out, struct sf_err *err)
{
    bool runs = shall_run(op->self->attrs);
    if (state == (runs ? START_FAILED : STOP_FAILED)) {
        sf_fail(err, SF_E_REFUSED, "the %s did not %s (%s)", what_of(op, id), runs ? "start" : "stop", state_names[state]);
        sf_hint(err, "run the same command again; if it goes on, look into the AWS Health dashboard");
        return SF_E_REFUSED;
    }
    if (is_moving(state) || state == (runs ? OFFLINE : ONLINE))
        sf_transfer_wait(op, false, runs ? "the server to start" : "the server to stop", out);
    return SF_OK;
}

static enum sf_code read_server(struct sf_op *op, struct sf_str id, struct sf_outcome *out, struct sf_err *err)
{
    const struct sf_value *server;
    enum sf_code rc = describe(op, id, &server, err);
    if (rc)
        return rc;
    out->id = id;
    rc = sf_aws_check_adopted(op, what_of(op, id), tags_of(op, server), err);
    if (rc == SF_OK && !op->is_planning)
        rc = look_at_state(op, id, state_of(server), out, err);
    return rc || out->is_pending ? rc : report(op, id, server, out, err);
}

static enum sf_code list_servers(struct sf_op *op, const struct sf_value **servers, struct sf_err *err)
{
    static const struct sf_aws_pages pages = {"Servers", "NextToken", "NextToken"};
    struct sf_aws_call call = {.service = SF_AWS_TRANSFER, .action = "ListServers"};
    return sf_aws_list(op, &call, &pages, servers, err);
}

/* Only DescribeServer shows tags, so every server that ours could be is looked at; this happens after a crash only. */
static enum sf_code find(struct sf_op *op, const struct sf_value *want, struct sf_outcome *out, struct sf_err *err)
{
    const struct sf_value *servers, *server;
    enum sf_code rc = list_servers(op, &servers, err);
    struct sf_err ignored;
    (void)want;
    for (size_t i = 0; rc == SF_OK && i < servers->list.n; i++) {
        struct sf_str id = sf_map_str(servers->list.items[i], "ServerId");
        if (sf_str_is(sf_map_str(servers->list.items[i], "Domain"), "EFS"))
            continue;
        rc = describe(op, id, &server, err);
        if (rc == SF_OK && sf_aws_check_owner(op, what_of(op, id), tags_of(op, server), &ignored) == SF_OK)
            return report(op, id, server, out, err);
        if (rc == SF_E_ABSENT) /* gone in between */
            rc = SF_OK;
    }
    return rc ? rc : sf_fail(err, SF_E_ABSENT, "there is no SFTP server of '%.*s'", SF_ARG(op->self->address));
}

/* --- create and update --- */

static const struct sf_value *set_stat_of(struct sf_op *op, const struct sf_value *want)
{
    struct sf_value *details = sf_value_map(op->arena);
    bool is_on = sf_map_bool(want, SFTP_SERVER_SET_STAT, true);
    sf_map_set_str(op->arena, details, "SetStatOption", sf_str_of(is_on ? set_stat_on : set_stat_off));
    return details;
}

static enum sf_code creation(struct sf_op *op, const struct sf_value *want, struct sf_value *params, struct sf_err *err)
{
    static const struct sf_value sftp = {.type = SF_V_STRING, .s = {"SFTP", 4}};
    static const struct sf_value *protocols[] = {&sftp};
    struct sf_str secret = SF_STR_NONE, role = sf_map_str(want, SFTP_SERVER_LOGGING_ROLE);
    const struct sf_value *keys = host_keys_of(want);
    enum sf_code rc = keys ? sf_host_keys_private(op, keys->list.items[0]->s, &secret, err) : SF_OK;
    if (rc)
        return rc;
    sf_map_add(op->arena, params, SF_STR("Protocols"), sf_value_list(op->arena, protocols, 1));
    sf_map_set_str(op->arena, params, "Domain", SF_STR("S3"));
    sf_map_set_str(op->arena, params, "IdentityProviderType", SF_STR("SERVICE_MANAGED"));
    sf_sftp_vpc_add(op, sf_map_getz(want, SFTP_SERVER_VPC), params);
    sf_map_set_str(op->arena, params, "SecurityPolicyName", sf_map_str(want, SFTP_SERVER_SECURITY_POLICY));
    if (role.n)
        sf_map_set_str(op->arena, params, "LoggingRole", role);
    sf_map_add(op->arena, params, SF_STR("ProtocolDetails"), set_stat_of(op, want));
    if (keys)
        sf_map_add(op->arena, params, SF_STR("HostKey"), sf_value_secret(op->arena, secret));
    sf_map_add(op->arena, params, SF_STR("Tags"), sf_aws_tags_of(op, want, &sf_aws_tags_upper));
    return SF_OK;
}

static enum sf_code create(struct sf_op *op, const struct sf_value *want, struct sf_outcome *out, struct sf_err *err)
{
    struct sf_value *params = sf_value_map(op->arena), *first = sf_value_map(op->arena);
    const struct sf_value *reply = NULL, *keys = host_keys_of(want), *given = first;
    enum sf_code rc = creation(op, want, params, err);
    if (rc == SF_OK)
        rc = sf_transfer_call(op, SF_AWS_MAKE, "CreateServer", params, SF_STR_NONE, &reply, err);
    if (rc)
        return sf_transfer_await_role(op, rc, sf_map_getz(want, SFTP_SERVER_LOGGING_ROLE), out, err);
    struct sf_str id = out->id = sf_aws_text(reply, "ServerId");
    rc = sf_op_made(op, id, err);
    if (rc == SF_OK && keys) {
        sf_map_set(op->arena, first, SF_STR("Fingerprint"), keys->list.items[0]);
        rc = sf_host_keys_converge(op, id, sf_value_list(op->arena, &given, 1), keys, err);
    }
    struct where where = where_of(op, id, want);
    if (rc == SF_OK)
        rc = put_known_hosts(op, &where, err);
    bool is_all = shall_run(want) && !sf_sftp_vpc_has_addresses(sf_map_getz(want, SFTP_SERVER_VPC));
    if (rc == SF_OK)
        sf_transfer_wait(op, !is_all, "the server to start", out);
    return rc;
}

static enum sf_code put_properties(struct sf_op *op, struct sf_str id, const struct sf_value *server, const struct sf_value *want,
                                   struct sf_outcome *out, struct sf_err *err)
{
    struct sf_value *params = sf_transfer_params(op, id);
    struct sf_str policy = sf_map_str(want, SFTP_SERVER_SECURITY_POLICY);
    const struct sf_value *role = sf_map_getz(want, SFTP_SERVER_LOGGING_ROLE), *details = set_stat_of(op, want);
    size_t n = params->map.n;
    if (!sf_str_eq(policy, sf_aws_text(server, "SecurityPolicyName")))
        sf_map_set_str(op->arena, params, "SecurityPolicyName", policy);
    if (role && role->type == SF_V_STRING && !sf_str_eq(role->s, sf_aws_text(server, "LoggingRole")))
        sf_map_set(op->arena, params, SF_STR("LoggingRole"), role);
    bool is_on = sf_str_is(sf_aws_text(server, "ProtocolDetails.SetStatOption"), set_stat_on);
    if (is_on != sf_map_bool(want, SFTP_SERVER_SET_STAT, true))
        sf_map_set(op->arena, params, SF_STR("ProtocolDetails"), details);
    if (params->map.n == n)
        return SF_OK;
    enum sf_code rc = sf_transfer_call(op, SF_AWS_PUT, "UpdateServer", params, sf_transfer_server_arn(op, id), NULL, err);
    return sf_transfer_await_role(op, rc, role, out, err);
}

static enum sf_code start_or_stop(struct sf_op *op, struct sf_str id, bool starts, struct sf_err *err)
{
    return sf_transfer_call(op, SF_AWS_PUT, starts ? "StartServer" : "StopServer", sf_transfer_params(op, id),
                            sf_transfer_server_arn(op, id), NULL, err);
}

/* The endpoint, and whether the server runs. */
static enum sf_code put_endpoint(struct sf_op *op, struct sf_str id, const struct sf_value *server, const struct sf_value *want,
                                 struct sf_outcome *out, struct sf_err *err)
{
    const struct sf_value *vpc, *wanted = sf_map_getz(want, SFTP_SERVER_VPC);
    enum state state = state_of(server);
    bool is_up = state == ONLINE || state == STOP_FAILED;
    enum sf_code rc = sf_sftp_vpc_read(op, server, wanted, &vpc, err);
    if (rc == SF_OK && wanted) {
        if (is_up && sf_sftp_vpc_needs_offline(vpc, wanted)) {
            rc = start_or_stop(op, id, false, err);
            if (rc == SF_OK)
                sf_transfer_wait(op, true, "the server to stop, so that its endpoint can change", out);
            return rc;
        }
        rc = sf_sftp_vpc_converge(op, id, server, vpc, wanted, err);
        if (rc && sf_aws_is_error(err, "ConflictException", NULL)) {
            sf_transfer_wait(op, true, "the VPC endpoint", out);
            return SF_OK;
        }
    }
    if (rc || is_up == shall_run(want))
        return rc;
    if (is_up)
        sf_op_warn(op, "AWS bills a stopped SFTP server like a running one; only destroying it ends that");
    rc = start_or_stop(op, id, !is_up, err);
    if (rc == SF_OK)
        sf_transfer_wait(op, false, is_up ? "the server to stop" : "the server to start", out);
    return rc;
}

/* What has come true beside what is wanted. */
static void report_wanted(struct sf_op *op, struct sf_str id, const struct sf_value *want, struct sf_outcome *out)
{
    struct sf_value *attrs = sf_value_map(op->arena);
    const struct sf_value *keys = host_keys_of(want);
    const struct sf_value *network = sf_map_getz(sf_map_getz(want, SFTP_SERVER_VPC), SFTP_SERVER_VPC_ID);
    struct where where = where_of(op, id, want);
    if (keys)
        sf_map_set(op->arena, attrs, SF_STR(SFTP_SERVER_HOST_KEY_FINGERPRINTS), keys);
    sf_map_set(op->arena, attrs, SF_STR(SFTP_SERVER_NETWORK), network ? network : &sf_null_value);
    report_where(op, &where, attrs);
    out->attrs = attrs;
}

static enum sf_code update(struct sf_op *op, struct sf_str id, const struct sf_value *have, const struct sf_value *want,
                           struct sf_outcome *out, struct sf_err *err)
{
    const struct sf_value *server, *keys, *wanted_keys = host_keys_of(want);
    struct where where = where_of(op, id, want),
                 earlier = {sf_map_str(have, SFTP_SERVER_HOST), (int)sf_map_int(have, SFTP_SERVER_PORT, 0)};
    enum sf_code rc = SF_OK;
    out->id = id;
    if (earlier.host.n && !(sf_str_eq(where.host, earlier.host) && where.port == earlier.port))
        rc = sf_known_hosts_set(op, earlier.host, earlier.port, NULL, 0, err);
    if (rc == SF_OK)
        rc = describe(op, id, &server, err);
    if (rc)
        return rc;
    if (is_moving(state_of(server))) {
        sf_transfer_wait(op, true, state_of(server) == STARTING ? "the server to start" : "the server to stop", out);
        return SF_OK;
    }
    rc = sf_transfer_put_tags(op, sf_transfer_server_arn(op, id), sf_aws_items(op->arena, server, "Tags"), want, err);
    if (rc == SF_OK && wanted_keys)
        rc = sf_host_keys_list(op, id, &keys, err);
    if (rc == SF_OK && wanted_keys)
        rc = sf_host_keys_converge(op, id, keys, wanted_keys, err);
    if (rc == SF_OK)
        rc = put_known_hosts(op, &where, err);
    if (rc == SF_OK)
        rc = put_properties(op, id, server, want, out, err);
    if (rc == SF_OK && !out->is_pending)
        rc = put_endpoint(op, id, server, want, out, err);
    if (rc == SF_OK && !out->is_pending)
        report_wanted(op, id, want, out);
    return rc;
}

/* --- destroy --- */

static enum sf_code is_listed(struct sf_op *op, struct sf_str id, bool *is_there, struct sf_err *err)
{
    const struct sf_value *servers;
    enum sf_code rc = list_servers(op, &servers, err);
    *is_there = false;
    for (size_t i = 0; rc == SF_OK && i < servers->list.n; i++)
        *is_there = *is_there || sf_str_eq(sf_map_str(servers->list.items[i], "ServerId"), id);
    return rc;
}

/* Its users go with it. Called again until it is gone: a server in a VPC takes its endpoint down first. What DeleteServer says to a
 * server that is on its way out is not relied upon, the list is. */
static enum sf_code destroy(struct sf_op *op, struct sf_str id, struct sf_outcome *out, struct sf_err *err)
{
    struct where where = where_of(op, id, op->self->attrs);
    struct sf_err ignored;
    bool is_there = false;
    enum sf_code rc =
        sf_transfer_call(op, SF_AWS_PUT, "DeleteServer", sf_transfer_params(op, id), sf_transfer_server_arn(op, id), NULL, err);
    bool is_busy = rc && sf_aws_is_error(err, "InvalidRequestException", "VPC endpoint");
    if (rc && rc != SF_E_ABSENT && rc != SF_E_UNAVAILABLE && !is_busy)
        return rc;
    if (rc != SF_E_ABSENT) {
        enum sf_code listed = is_listed(op, id, &is_there, rc ? &ignored : err);
        if (listed || (is_there && rc && !is_busy))
            return rc ? rc : listed;
    }
    if (!is_there)
        return sf_known_hosts_set(op, where.host, where.port, NULL, 0, err);
    sf_transfer_wait(op, true, "the server to go", out);
    return SF_OK;
}

static const struct sf_need needs[] = {
    {"transfer:CreateServer transfer:ListServers transfer:DescribeSecurityPolicy", "*"},
    {"transfer:DescribeServer transfer:UpdateServer transfer:StartServer transfer:StopServer "
     "transfer:DeleteServer transfer:ImportHostKey transfer:ListHostKeys transfer:TagResource transfer:UntagResource",
     "arn:{partition}:transfer:{region}:{account}:server/*"},
    {"transfer:DeleteHostKey", "arn:{partition}:transfer:{region}:{account}:host-key/*/*"},
    {"iam:PassRole", "{logging_role}"},
    {NULL, NULL},
};

extern const struct sf_driver sf_driver_aws_sftp_server;
const struct sf_driver sf_driver_aws_sftp_server = {.kind = "sftp_server",
                                                    .world = "aws",
                                                    .read = read_server,
                                                    .find = find,
                                                    .create = create,
                                                    .destroy = destroy,
                                                    .update = update,
                                                    .derive = derive,
                                                    .needs = needs};
