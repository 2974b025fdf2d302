/* kind `sftp_user`, AWS: a user of a Transfer Family server. The id is "<server id>/<name>".
 *
 * LOGICAL: the user sees "/", which is the bucket (below its prefix), and the mappings; PATH: the bucket's name is part of every
 * path. Keys are compared by type and body, for a comment is nobody's business but the person's. */
#include "attr/sftp_user.h"

#include "attr/ssh_key.h"
#include "engine/core/json.h"
#include "resources/aws/ownership.h"
#include "resources/aws/transfer.h"
#include "resources/site/sftp_command.h"

/* SshPublicKeyBody, Policy; and what is sure to fit into the first before the key is made */
enum { MAX_KEY_BYTES = 2048, MAX_POLICY_BYTES = 2048, MAX_RSA_BITS = 8192 };

static const char body_name[] = "SshPublicKeyBody", key_id_name[] = "SshPublicKeyId";
static const char policy_name[] = "Policy", role_name[] = "Role", home_name[] = "HomeDirectory", type_name[] = "HomeDirectoryType",
                  mappings_name[] = "HomeDirectoryMappings";

struct user {
    struct sf_str server, name, arn;
};

static enum sf_code user_of(struct sf_op *op, struct sf_str id, struct user *user, struct sf_err *err)
{
    size_t slash = sf_str_find(id, SF_STR("/"));
    *user =
        (struct user){sf_str_slice(id, 0, slash), slash == SIZE_MAX ? SF_STR_NONE : sf_str_slice(id, slash + 1, id.n), SF_STR_NONE};
    if (!user->server.n || !user->name.n) {
        sf_fail(err, SF_E_ABSENT, "'%.*s' is no SFTP user's id", SF_ARG(id));
        sf_hint(err, "write it like s-0123456789abcdef0/name");
        return SF_E_ABSENT;
    }
    user->arn = sf_transfer_user_arn(op, user->server, user->name);
    return SF_OK;
}

static enum sf_code wanted_user(struct sf_op *op, const struct sf_value *want, struct user *user, struct sf_err *err)
{
    return user_of(
        op,
        sf_str_fmt(op->arena, "%.*s/%.*s", SF_ARG(sf_map_str(want, SFTP_USER_SERVER)), SF_ARG(sf_map_str(want, SFTP_USER_NAME))),
        user, err);
}

static struct sf_str id_of(struct sf_op *op, const struct user *user)
{
    return sf_str_fmt(op->arena, "%.*s/%.*s", SF_ARG(user->server), SF_ARG(user->name));
}

static struct sf_value *params_of(struct sf_op *op, const struct user *user)
{
    struct sf_value *params = sf_transfer_params(op, user->server);
    sf_map_set_str(op->arena, params, "UserName", user->name);
    return params;
}

static const char *what_of(struct sf_op *op, const struct user *user)
{
    return sf_str_fmt(op->arena, "SFTP user '%.*s'", SF_ARG(user->name)).p;
}

/* --- keys, homes, policies: as they are compared --- */

/* "type base64" of a public key line. */
static struct sf_str key_body(struct sf_str line)
{
    line = sf_str_trim(line);
    size_t first = sf_str_find(line, SF_STR(" "));
    struct sf_str rest = first == SIZE_MAX ? SF_STR_NONE : sf_str_slice(line, first + 1, line.n);
    size_t second = sf_str_find(rest, SF_STR(" "));
    return second == SIZE_MAX ? line : sf_str_slice(line, 0, first + 1 + second);
}

/* The line in `lines` that is the same key, or SIZE_MAX. */
static size_t place_of(const struct sf_value *lines, struct sf_str line)
{
    for (size_t i = 0; lines && lines->type == SF_V_LIST && i < lines->list.n; i++)
        if (lines->list.items[i]->type == SF_V_STRING && sf_str_eq(key_body(lines->list.items[i]->s), key_body(line)))
            return i;
    return SIZE_MAX;
}

/* "/bucket/prefix"; the bucket may be given as its ARN. */
static struct sf_str target_of(struct sf_op *op, const struct sf_value *attrs)
{
    struct sf_str bucket = sf_map_str(attrs, SFTP_USER_HOME), prefix = sf_map_str(attrs, SFTP_USER_PREFIX);
    size_t arn = sf_str_starts(bucket, SF_STR("arn:")) ? sf_str_find(bucket, SF_STR(":::")) : SIZE_MAX;
    if (arn != SIZE_MAX)
        bucket = sf_str_slice(bucket, arn + 3, bucket.n);
    if (prefix.n && prefix.p[prefix.n - 1] == '/')
        prefix.n--;
    return sf_str_fmt(op->arena, "/%.*s%s%.*s", SF_ARG(bucket), prefix.n ? "/" : "", SF_ARG(prefix));
}

static bool is_path_home(const struct sf_value *attrs)
{
    return sf_str_is(sf_map_str(attrs, SFTP_USER_HOME_TYPE), "PATH");
}

static struct sf_value *mapping(struct sf_op *op, struct sf_str entry, struct sf_str target, struct sf_str type)
{
    struct sf_value *map = sf_value_map(op->arena);
    sf_map_set_str(op->arena, map, "Entry", entry);
    sf_map_set_str(op->arena, map, "Target", target);
    if (sf_str_is(type, "FILE")) /* a directory is what it is without */
        sf_map_set_str(op->arena, map, "Type", type);
    return map;
}

static void add_home(struct sf_op *op, const struct sf_value *want, struct sf_value *params)
{
    const struct sf_value *more = sf_map_getz(want, SFTP_USER_MAPPINGS);
    struct sf_str target = target_of(op, want);
    if (is_path_home(want)) {
        sf_map_set_str(op->arena, params, type_name, SF_STR("PATH"));
        sf_map_set_str(op->arena, params, home_name, target);
        return;
    }
    size_t n = more && more->type == SF_V_LIST ? more->list.n : 0;
    const struct sf_value **items = SF_NEW_ARRAY(op->arena, n + 1, const struct sf_value *);
    items[0] = mapping(op, SF_STR("/"), target, SF_STR_NONE);
    for (size_t i = 0; i < n; i++)
        items[i + 1] = mapping(op, sf_map_str(more->list.items[i], SFTP_USER_MAPPINGS_ENTRY),
                               sf_map_str(more->list.items[i], SFTP_USER_MAPPINGS_TARGET),
                               sf_map_str(more->list.items[i], SFTP_USER_MAPPINGS_TYPE));
    sf_map_set_str(op->arena, params, type_name, SF_STR("LOGICAL"));
    sf_map_add(op->arena, params, sf_str_of(mappings_name), sf_value_list(op->arena, items, n + 1));
}

static struct sf_str policy_text(struct sf_op *op, const struct sf_value *want)
{
    const struct sf_value *policy = sf_map_getz(want, SFTP_USER_POLICY);
    return policy && policy->type == SF_V_MAP ? sf_json_text(op->arena, policy, SF_JSON_PLAIN) : SF_STR_NONE;
}

/* --- plan time --- */

static enum sf_code check_keys(struct sf_op *op, struct sf_err *err)
{
    const struct sf_object *key;
    for (size_t i = 0; (key = sf_op_ref(op, NULL, SFTP_USER_KEYS, i)) != NULL; i++) {
        struct sf_str line = sf_map_str(key->attrs, SSH_KEY_PUBLIC_KEY);
        if (line.n ? line.n <= MAX_KEY_BYTES : sf_map_int(key->attrs, SSH_KEY_BITS, 0) <= MAX_RSA_BITS)
            continue;
        sf_fail(err, SF_E_CONFIG, "'%.*s' is too long: Transfer Family takes public keys of %d characters", SF_ARG(key->address),
                MAX_KEY_BYTES);
        sf_hint(err, "use an ed25519 key, or rsa with %d bits or less", MAX_RSA_BITS);
        return SF_E_CONFIG;
    }
    return SF_OK;
}

static enum sf_code check_home(const struct sf_value *want, struct sf_err *err)
{
    const struct sf_value *more = sf_map_getz(want, SFTP_USER_MAPPINGS);
    size_t n = more && more->type == SF_V_LIST ? more->list.n : 0;
    if (n && is_path_home(want)) {
        sf_fail(err, SF_E_CONFIG, "a home of type PATH has no mappings");
        sf_hint(err, "use `home_type: LOGICAL`, or leave the mappings out");
        sf_transfer_point_at(more, err);
        return SF_E_CONFIG;
    }
    for (size_t i = 0; i < n; i++) {
        struct sf_str entry = sf_map_str(more->list.items[i], SFTP_USER_MAPPINGS_ENTRY),
                      target = sf_map_str(more->list.items[i], SFTP_USER_MAPPINGS_TARGET);
        if (sf_str_starts(entry, SF_STR("/")) && entry.n > 1 && sf_str_starts(target, SF_STR("/")) && target.n > 1)
            continue;
        sf_fail(err, SF_E_CONFIG, "mapping %zu is from '%.*s' to '%.*s'", i + 1, SF_ARG(entry), SF_ARG(target));
        sf_hint(err, "write it like {entry: /reports, target: /bucket/reports}; / itself is the home");
        sf_transfer_point_at(more->list.items[i], err);
        return SF_E_CONFIG;
    }
    return SF_OK;
}

static enum sf_code derive(struct sf_op *op, struct sf_value *want, struct sf_err *err)
{
    sf_sftp_command_derive(op, want);
    enum sf_code rc = check_keys(op, err);
    if (rc == SF_OK)
        rc = check_home(want, err);
    if (rc == SF_OK && policy_text(op, want).n > MAX_POLICY_BYTES) {
        sf_fail(err, SF_E_CONFIG, "the session policy has %zu characters, %d more than Transfer Family takes",
                policy_text(op, want).n, (int)policy_text(op, want).n - MAX_POLICY_BYTES);
        sf_hint(err, "shorten it: what all users of the role share belongs into the role's own policies");
        sf_transfer_point_at(sf_map_getz(want, SFTP_USER_POLICY), err);
        rc = SF_E_CONFIG;
    }
    return rc ? rc : sf_transfer_check_trust(op, SFTP_USER_ROLE, err);
}

/* --- read and find --- */

static enum sf_code describe(struct sf_op *op, const struct user *user, const struct sf_value **found, struct sf_err *err)
{
    const struct sf_value *reply;
    enum sf_code rc = sf_transfer_call(op, SF_AWS_READ, "DescribeUser", params_of(op, user), user->arn, &reply, err);
    if (rc)
        return rc;
    *found = sf_aws_at(reply, "User");
    return *found ? SF_OK : sf_fail(err, SF_E_REFUSED, "AWS says nothing about the %s", what_of(op, user));
}

static const struct sf_value *tags_of(struct sf_op *op, const struct sf_value *found)
{
    return sf_aws_tag_map(op->arena, sf_aws_items(op->arena, found, "Tags"), &sf_aws_tags_upper);
}

/* Home and prefix as recorded, if that is where the target lies. */
static void report_target(struct sf_op *op, struct sf_str target, struct sf_value *attrs)
{
    const struct sf_value *recorded = op->self->attrs;
    struct sf_str rest = sf_str_slice(target, sf_str_starts(target, SF_STR("/")), target.n), home, prefix;
    size_t slash = sf_str_find(rest, SF_STR("/"));
    home = sf_str_slice(rest, 0, slash);
    prefix = slash == SIZE_MAX ? SF_STR_NONE : sf_str_slice(rest, slash + 1, rest.n);
    if (prefix.n && prefix.p[prefix.n - 1] == '/')
        target.n--;
    if (sf_str_eq(target, target_of(op, recorded))) {
        home = sf_map_str(recorded, SFTP_USER_HOME);
        prefix = sf_map_str(recorded, SFTP_USER_PREFIX);
    }
    sf_map_set_str(op->arena, attrs, SFTP_USER_HOME, home);
    sf_map_set_str(op->arena, attrs, SFTP_USER_PREFIX, prefix);
}

static void report_home(struct sf_op *op, const struct sf_value *found, struct sf_value *attrs)
{
    bool is_logical = sf_str_is(sf_aws_text(found, type_name), "LOGICAL");
    const struct sf_value *list = sf_aws_items(op->arena, found, mappings_name);
    const struct sf_value **items = SF_NEW_ARRAY(op->arena, list->list.n + 1, const struct sf_value *);
    struct sf_str target = sf_aws_text(found, home_name);
    size_t n = 0;
    for (size_t i = 0; is_logical && i < list->list.n; i++) {
        struct sf_str entry = sf_map_str(list->list.items[i], "Entry"), type = sf_map_str(list->list.items[i], "Type");
        if (sf_str_is(entry, "/")) {
            target = sf_map_str(list->list.items[i], "Target");
            continue;
        }
        struct sf_value *item = sf_value_map(op->arena);
        sf_map_set_str(op->arena, item, SFTP_USER_MAPPINGS_ENTRY, entry);
        sf_map_set_str(op->arena, item, SFTP_USER_MAPPINGS_TARGET, sf_map_str(list->list.items[i], "Target"));
        sf_map_set_str(op->arena, item, SFTP_USER_MAPPINGS_TYPE, type.n ? type : SF_STR("DIRECTORY"));
        items[n++] = item;
    }
    sf_map_set_str(op->arena, attrs, SFTP_USER_HOME_TYPE, is_logical ? SF_STR("LOGICAL") : SF_STR("PATH"));
    sf_map_add(op->arena, attrs, SF_STR(SFTP_USER_MAPPINGS), sf_value_list(op->arena, items, n));
    report_target(op, target, attrs);
}

/* Each key as recorded, comment and all, if it is among those. */
static const struct sf_value *reported_keys(struct sf_op *op, const struct sf_value *found)
{
    const struct sf_value *recorded = sf_map_getz(op->self->attrs, SFTP_USER_KEYS);
    const struct sf_value *keys = sf_aws_items(op->arena, found, "SshPublicKeys");
    const struct sf_value **items = SF_NEW_ARRAY(op->arena, keys->list.n + 1, const struct sf_value *);
    for (size_t i = 0; i < keys->list.n; i++) {
        struct sf_str line = sf_str_trim(sf_map_str(keys->list.items[i], body_name));
        size_t place = place_of(recorded, line);
        items[i] = place == SIZE_MAX ? sf_value_str(op->arena, line) : recorded->list.items[place];
    }
    return sf_value_list(op->arena, items, keys->list.n);
}

static enum sf_code report(struct sf_op *op, const struct user *user, const struct sf_value *found, struct sf_outcome *out,
                           struct sf_err *err)
{
    struct sf_value *attrs = sf_value_map(op->arena);
    struct sf_str text = sf_aws_text(found, policy_name);
    const struct sf_value *policy = &sf_null_value;
    if (text.n && sf_json_parse(op->arena, text, "session policy", SF_JSON_PLAIN, &policy, err) != SF_OK)
        policy = sf_value_str(op->arena, text); /* not one of ours, and unlike any */
    sf_map_set_str(op->arena, attrs, SFTP_USER_SERVER, user->server);
    sf_map_set_str(op->arena, attrs, SFTP_USER_NAME, user->name);
    sf_map_set_str(op->arena, attrs, SFTP_USER_ROLE, sf_aws_text(found, role_name));
    report_home(op, found, attrs);
    sf_map_add(op->arena, attrs, SF_STR(SFTP_USER_KEYS), reported_keys(op, found));
    sf_map_add(op->arena, attrs, SF_STR(SFTP_USER_POLICY), policy);
    sf_map_add(op->arena, attrs, SF_STR(SFTP_USER_TAGS), sf_aws_user_tags(op->arena, tags_of(op, found)));
    out->id = id_of(op, user);
    out->attrs = attrs;
    return SF_OK;
}

static enum sf_code read_user(struct sf_op *op, struct sf_str id, struct sf_outcome *out, struct sf_err *err)
{
    struct user user;
    const struct sf_value *found;
    enum sf_code rc = user_of(op, id, &user, err);
    if (rc == SF_OK)
        rc = describe(op, &user, &found, err);
    if (rc == SF_OK)
        rc = sf_aws_check_adopted(op, what_of(op, &user), tags_of(op, found), err);
    return rc ? rc : report(op, &user, found, out, err);
}

static enum sf_code find(struct sf_op *op, const struct sf_value *want, struct sf_outcome *out, struct sf_err *err)
{
    struct user user;
    const struct sf_value *found;
    enum sf_code rc = wanted_user(op, want, &user, err);
    if (rc == SF_OK)
        rc = describe(op, &user, &found, err);
    if (rc == SF_OK)
        rc = sf_aws_check_found(op, what_of(op, &user), tags_of(op, found), err);
    return rc ? rc : report(op, &user, found, out, err);
}

/* The name is taken on a server that stands already: whose is it? */
static enum sf_code check_taken(struct sf_op *op, const struct sf_value *want, struct sf_err *err)
{
    struct user user;
    const struct sf_value *found;
    enum sf_code rc = wanted_user(op, want, &user, err);
    if (rc == SF_OK)
        rc = describe(op, &user, &found, err);
    if (rc)
        return rc == SF_E_ABSENT ? SF_OK : rc;
    return sf_aws_check_owner(op, what_of(op, &user), tags_of(op, found), err);
}

static enum sf_code preflight(struct sf_op *op, const struct sf_value *want, struct sf_err *err)
{
    const struct sf_object *server = sf_op_ref(op, NULL, SFTP_USER_SERVER, 0);
    if (!sf_map_str(want, SFTP_USER_SERVER).n || !sf_map_str(want, SFTP_USER_NAME).n || (server && !server->id.n))
        return SF_OK; /* made together with it */
    return check_taken(op, want, err);
}

/* --- create and update --- */

static enum sf_code import(struct sf_op *op, const struct user *user, struct sf_str line, struct sf_err *err)
{
    struct sf_value *params = params_of(op, user);
    sf_map_set_str(op->arena, params, body_name, line);
    enum sf_code rc = sf_transfer_call(op, SF_AWS_PUT, "ImportSshPublicKey", params, user->arn, NULL, err);
    return rc == SF_E_CONFLICT ? SF_OK : rc; /* it is there: an earlier reply was lost */
}

static enum sf_code delete_key(struct sf_op *op, const struct user *user, struct sf_str id, struct sf_err *err)
{
    struct sf_value *params = params_of(op, user);
    sf_map_set_str(op->arena, params, key_id_name, id);
    enum sf_code rc = sf_transfer_call(op, SF_AWS_PUT, "DeleteSshPublicKey", params, user->arn, NULL, err);
    return rc == SF_E_ABSENT ? SF_OK : rc;
}

/* `there`: the reply's list. What is new comes first, so that nobody who stays is locked out in between. */
static enum sf_code put_keys(struct sf_op *op, const struct user *user, const struct sf_value *there, const struct sf_value *wanted,
                             struct sf_err *err)
{
    const struct sf_value **bodies = SF_NEW_ARRAY(op->arena, there->list.n + 1, const struct sf_value *);
    enum sf_code rc = SF_OK;
    for (size_t i = 0; i < there->list.n; i++)
        bodies[i] = sf_value_str(op->arena, sf_map_str(there->list.items[i], body_name));
    const struct sf_value *lines = sf_value_list(op->arena, bodies, there->list.n);
    for (size_t i = 0; rc == SF_OK && i < wanted->list.n; i++)
        if (place_of(lines, wanted->list.items[i]->s) == SIZE_MAX)
            rc = import(op, user, wanted->list.items[i]->s, err);
    for (size_t i = 0; rc == SF_OK && i < there->list.n; i++)
        if (place_of(wanted, bodies[i]->s) == SIZE_MAX)
            rc = delete_key(op, user, sf_map_str(there->list.items[i], key_id_name), err);
    return rc;
}

static enum sf_code create(struct sf_op *op, const struct sf_value *want, struct sf_outcome *out, struct sf_err *err)
{
    struct user user;
    struct sf_str policy = policy_text(op, want);
    const struct sf_value *keys = sf_map_getz(want, SFTP_USER_KEYS);
    enum sf_code rc = wanted_user(op, want, &user, err);
    if (rc)
        return rc;
    struct sf_value *params = params_of(op, &user), *first = sf_value_map(op->arena);
    const struct sf_value *given = first;
    sf_map_set_str(op->arena, params, role_name, sf_map_str(want, SFTP_USER_ROLE));
    add_home(op, want, params);
    if (policy.n)
        sf_map_set_str(op->arena, params, policy_name, policy);
    if (keys->list.n) {
        sf_map_set(op->arena, params, sf_str_of(body_name), keys->list.items[0]);
        sf_map_set(op->arena, first, sf_str_of(body_name), keys->list.items[0]);
    }
    sf_map_add(op->arena, params, SF_STR("Tags"), sf_aws_tags_of(op, want, &sf_aws_tags_upper));
    rc = sf_transfer_call(op, SF_AWS_MAKE, "CreateUser", params, sf_transfer_server_arn(op, user.server), NULL, err);
    if (rc)
        return sf_transfer_await_role(op, rc, sf_map_getz(want, SFTP_USER_ROLE), out, err);
    out->id = id_of(op, &user);
    rc = sf_op_made(op, out->id, err);
    return rc ? rc : put_keys(op, &user, sf_value_list(op->arena, &given, keys->list.n ? 1 : 0), keys, err);
}

static bool same_mappings(const struct sf_value *a, const struct sf_value *b)
{
    bool same = a->list.n == b->list.n;
    for (size_t i = 0; same && i < a->list.n; i++) {
        same = false;
        for (size_t j = 0; !same && j < b->list.n; j++)
            same = sf_value_equal(a->list.items[i], b->list.items[j]);
    }
    return same;
}

/* Whether the user's home is what add_home() has put into `params`. */
static bool same_home(struct sf_op *op, const struct sf_value *found, const struct sf_value *params)
{
    if (!sf_str_eq(sf_aws_text(found, type_name), sf_map_str(params, type_name)))
        return false;
    const struct sf_value *wanted = sf_map_getz(params, mappings_name), *list = sf_aws_items(op->arena, found, mappings_name);
    if (!wanted)
        return sf_str_eq(sf_aws_text(found, home_name), sf_map_str(params, home_name));
    const struct sf_value **items = SF_NEW_ARRAY(op->arena, list->list.n + 1, const struct sf_value *);
    for (size_t i = 0; i < list->list.n; i++)
        items[i] = mapping(op, sf_map_str(list->list.items[i], "Entry"), sf_map_str(list->list.items[i], "Target"),
                           sf_map_str(list->list.items[i], "Type"));
    return same_mappings(sf_value_list(op->arena, items, list->list.n), wanted);
}

static bool same_policy(struct sf_op *op, struct sf_str a, struct sf_str b)
{
    const struct sf_value *left, *right;
    if (!a.n || !b.n)
        return a.n == b.n;
    return sf_json_parse(op->arena, a, "policy", SF_JSON_PLAIN, &left, NULL) == SF_OK &&
           sf_json_parse(op->arena, b, "policy", SF_JSON_PLAIN, &right, NULL) == SF_OK && sf_value_equal(left, right);
}

static enum sf_code put_properties(struct sf_op *op, const struct user *user, const struct sf_value *found,
                                   const struct sf_value *want, struct sf_outcome *out, struct sf_err *err)
{
    struct sf_value *params = params_of(op, user), *home = sf_value_map(op->arena);
    const struct sf_value *role = sf_map_getz(want, SFTP_USER_ROLE), *policy = sf_map_getz(want, SFTP_USER_POLICY);
    struct sf_str text = policy_text(op, want);
    size_t n = params->map.n;
    add_home(op, want, home);
    if (!sf_str_eq(role->s, sf_aws_text(found, role_name)))
        sf_map_set(op->arena, params, sf_str_of(role_name), role);
    for (size_t i = 0; !same_home(op, found, home) && i < home->map.n; i++)
        sf_map_set(op->arena, params, home->map.pairs[i].key, home->map.pairs[i].value);
    if (policy && !same_policy(op, text, sf_aws_text(found, policy_name)))
        sf_map_set_str(op->arena, params, policy_name, text);
    if (params->map.n == n)
        return SF_OK;
    enum sf_code rc = sf_transfer_call(op, SF_AWS_PUT, "UpdateUser", params, user->arn, NULL, err);
    return sf_transfer_await_role(op, rc, role, out, err);
}

static enum sf_code update(struct sf_op *op, struct sf_str id, const struct sf_value *have, const struct sf_value *want,
                           struct sf_outcome *out, struct sf_err *err)
{
    struct user user;
    const struct sf_value *found;
    (void)have; /* the ids of keys are not in it, so the user is looked at anyway */
    enum sf_code rc = user_of(op, id, &user, err);
    if (rc == SF_OK)
        rc = describe(op, &user, &found, err);
    if (rc)
        return rc;
    out->id = id_of(op, &user);
    rc = sf_transfer_put_tags(op, user.arn, sf_aws_items(op->arena, found, "Tags"), want, err);
    if (rc == SF_OK)
        rc = put_keys(op, &user, sf_aws_items(op->arena, found, "SshPublicKeys"), sf_map_getz(want, SFTP_USER_KEYS), err);
    return rc ? rc : put_properties(op, &user, found, want, out, err);
}

static enum sf_code destroy(struct sf_op *op, struct sf_str id, struct sf_outcome *out, struct sf_err *err)
{
    struct user user;
    (void)out;
    if (user_of(op, id, &user, err) != SF_OK)
        return SF_OK;
    enum sf_code rc = sf_transfer_call(op, SF_AWS_PUT, "DeleteUser", params_of(op, &user), user.arn, NULL, err);
    return rc == SF_E_ABSENT ? SF_OK : rc;
}

static const struct sf_need needs[] = {
    {"transfer:CreateUser", "arn:{partition}:transfer:{region}:{account}:server/*"},
    {"transfer:DescribeUser transfer:UpdateUser transfer:DeleteUser transfer:ImportSshPublicKey transfer:DeleteSshPublicKey "
     "transfer:TagResource "
     "transfer:UntagResource",
     "arn:{partition}:transfer:{region}:{account}:user/*/{name}"},
    {"iam:PassRole", "{role}"},
    {NULL, NULL},
};

extern const struct sf_driver sf_driver_aws_sftp_user;
const struct sf_driver sf_driver_aws_sftp_user = {.kind = "sftp_user",
                                                  .world = "aws",
                                                  .read = read_user,
                                                  .find = find,
                                                  .create = create,
                                                  .destroy = destroy,
                                                  .update = update,
                                                  .preflight = preflight,
                                                  .derive = derive,
                                                  .needs = needs};
