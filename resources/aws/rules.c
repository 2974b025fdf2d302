/* See rules.h. */
#include "resources/aws/rules.h"

#include "engine/core/cidr.h"
#include "resources/aws/client/client.h"
#include "resources/aws/params.h"

enum { ALL = -1, MAX_PORT = 65535 };

const struct sf_rules_way sf_rules_ways[2] = {
    {"ingress", "from", "ipPermissions.item", "AuthorizeSecurityGroupIngress", "RevokeSecurityGroupIngress",
     "UpdateSecurityGroupRuleDescriptionsIngress"},
    {"egress", "to", "ipPermissionsEgress.item", "AuthorizeSecurityGroupEgress", "RevokeSecurityGroupEgress",
     "UpdateSecurityGroupRuleDescriptionsEgress"},
};

/* How EC2 names the peers of a permission, in replies and in parameters. */
static const struct {
    const char *reply, *reply_field; /* "ipRanges.item", "cidrIp" */
    const char *param, *param_field; /* "IpRanges", "CidrIp" */
} peer_kinds[] = {
    {"ipRanges.item", "cidrIp", "IpRanges", "CidrIp"},
    {"ipv6Ranges.item", "cidrIpv6", "Ipv6Ranges", "CidrIpv6"},
    {"groups.item", "groupId", "Groups", "GroupId"},
    {"prefixListIds.item", "prefixListId", "PrefixListIds", "PrefixListId"},
};

static size_t kind_of_peer(struct sf_str peer)
{
    if (sf_str_starts(peer, SF_STR("sg-")))
        return 2;
    if (sf_str_starts(peer, SF_STR("pl-")))
        return 3;
    return memchr(peer.p, ':', peer.n) ? 1 : 0;
}

static struct sf_str canonical(struct sf_arena *arena, struct sf_str peer)
{
    struct sf_cidr cidr;
    return sf_cidr_parse(peer, true, &cidr) ? sf_cidr_text(arena, &cidr) : peer;
}

/* --- from the stack file's shape --- */

/* Protocol and ports of a rule as EC2 has them; the protocol of ICMP depends on the peer. */
static struct sf_rule permission_of(const struct sf_value *rule)
{
    struct sf_str protocol = sf_map_str(rule, "protocol");
    int64_t port = sf_map_int(rule, "port", ALL), to = sf_map_int(rule, "to_port", port);
    struct sf_rule permission = {protocol, port, to, SF_STR_NONE, sf_map_str(rule, "description")};
    if (sf_str_is(protocol, "all")) {
        permission.protocol = SF_STR("-1");
        permission.from = permission.to = ALL;
    } else if (port == ALL && (sf_str_is(protocol, "tcp") || sf_str_is(protocol, "udp"))) {
        permission.from = 0;
        permission.to = MAX_PORT;
    }
    return permission;
}

static struct sf_rule for_peer(struct sf_arena *arena, struct sf_rule permission, struct sf_str peer)
{
    permission.peer = canonical(arena, peer);
    if (sf_str_is(permission.protocol, "icmp") && kind_of_peer(permission.peer) == 1)
        permission.protocol = SF_STR("icmpv6");
    return permission;
}

static bool is_same(const struct sf_rule *a, const struct sf_rule *b)
{
    return a->from == b->from && a->to == b->to && sf_str_eq(a->protocol, b->protocol) && sf_str_eq(a->peer, b->peer);
}

static const struct sf_rule *find(const struct sf_rules *rules, const struct sf_rule *rule)
{
    for (size_t i = 0; i < rules->n; i++)
        if (is_same(&rules->list[i], rule))
            return &rules->list[i];
    return NULL;
}

static const struct sf_value *list_at(const struct sf_value *map, const char *key)
{
    static const struct sf_value none = {.type = SF_V_LIST};
    const struct sf_value *list = sf_map_getz(map, key);
    return list && list->type == SF_V_LIST ? list : &none;
}

static size_t count_peers(const struct sf_value *attr, const char *peers)
{
    size_t n = 0;
    for (size_t i = 0; i < attr->list.n; i++)
        n += list_at(attr->list.items[i], peers)->list.n;
    return n;
}

struct sf_rules sf_rules_of_attr(struct sf_arena *arena, const struct sf_value *attr, const struct sf_rules_way *way)
{
    struct sf_rules rules = {0};
    if (!attr || attr->type != SF_V_LIST)
        return rules;
    rules.list = SF_NEW_ARRAY(arena, count_peers(attr, way->peers), struct sf_rule);
    for (size_t i = 0; i < attr->list.n; i++) {
        const struct sf_value *peers = list_at(attr->list.items[i], way->peers);
        struct sf_rule permission = permission_of(attr->list.items[i]);
        for (size_t k = 0; k < peers->list.n; k++) {
            if (peers->list.items[k]->type != SF_V_STRING)
                continue;
            struct sf_rule rule = for_peer(arena, permission, peers->list.items[k]->s);
            if (!find(&rules, &rule))
                rules.list[rules.n++] = rule;
        }
    }
    return rules;
}

/* --- from a reply --- */

static size_t count_replied(struct sf_arena *arena, const struct sf_value *permissions)
{
    size_t n = 0;
    for (size_t i = 0; i < permissions->list.n; i++)
        for (size_t k = 0; k < SF_COUNT(peer_kinds); k++)
            n += sf_aws_items(arena, permissions->list.items[i], peer_kinds[k].reply)->list.n;
    return n;
}

struct sf_rules sf_rules_of_reply(struct sf_arena *arena, const struct sf_value *group, const struct sf_rules_way *way)
{
    const struct sf_value *permissions = sf_aws_items(arena, group, way->reply);
    struct sf_rules rules = {.list = SF_NEW_ARRAY(arena, count_replied(arena, permissions), struct sf_rule)};
    for (size_t i = 0; i < permissions->list.n; i++) {
        const struct sf_value *permission = permissions->list.items[i];
        struct sf_rule rule = {.protocol = sf_aws_text(permission, "ipProtocol"),
                               .from = sf_aws_int(permission, "fromPort", ALL),
                               .to = sf_aws_int(permission, "toPort", ALL)};
        if (sf_str_is(rule.protocol, "-1"))
            rule.from = rule.to = ALL;
        for (size_t k = 0; k < SF_COUNT(peer_kinds); k++) {
            const struct sf_value *peers = sf_aws_items(arena, permission, peer_kinds[k].reply);
            for (size_t p = 0; p < peers->list.n; p++) {
                rule.peer = canonical(arena, sf_aws_text(peers->list.items[p], peer_kinds[k].reply_field));
                rule.description = sf_aws_text(peers->list.items[p], "description");
                rules.list[rules.n++] = rule;
            }
        }
    }
    return rules;
}

/* --- back to the stack file's shape --- */

/* The rule of `shape` with those of its peers that are there; NULL when it has peers, and none is. */
static const struct sf_value *as_in_shape(struct sf_arena *arena, const struct sf_value *rule, struct sf_rules there, bool *is_told,
                                          const struct sf_rules_way *way)
{
    const struct sf_value *peers = list_at(rule, way->peers);
    const struct sf_value **kept = SF_NEW_ARRAY(arena, peers->list.n, const struct sf_value *);
    struct sf_rule permission = permission_of(rule);
    size_t n = 0;
    for (size_t i = 0; i < peers->list.n; i++) {
        const struct sf_value *peer = peers->list.items[i];
        if (peer->type != SF_V_STRING)
            continue;
        struct sf_rule wanted = for_peer(arena, permission, peer->s);
        const struct sf_rule *found = find(&there, &wanted);
        if (!found || !sf_str_eq(found->description, wanted.description))
            continue;
        is_told[found - there.list] = true;
        kept[n++] = peer;
    }
    if (n == peers->list.n)
        return rule;
    struct sf_value *told = sf_value_map(arena);
    for (size_t i = 0; i < rule->map.n; i++)
        sf_map_add(arena, told, rule->map.pairs[i].key, rule->map.pairs[i].value);
    sf_map_set(arena, told, sf_str_of(way->peers), sf_value_list(arena, kept, n));
    return n ? told : NULL;
}

static bool is_of_one_rule(const struct sf_rule *a, const struct sf_rule *b)
{
    return a->from == b->from && a->to == b->to && sf_str_eq(a->protocol, b->protocol) && sf_str_eq(a->description, b->description);
}

/* A rule of its own for there.list[first] and all others that fit in. */
static const struct sf_value *further_rule(struct sf_arena *arena, struct sf_rules there, size_t first, bool *is_told,
                                           const struct sf_rules_way *way)
{
    const struct sf_rule *rule = &there.list[first];
    const struct sf_value **peers = SF_NEW_ARRAY(arena, there.n, const struct sf_value *);
    struct sf_value *told = sf_value_map(arena);
    size_t n = 0;
    for (size_t i = first; i < there.n; i++) {
        if (is_told[i] || !is_of_one_rule(rule, &there.list[i]))
            continue;
        is_told[i] = true;
        peers[n++] = sf_value_str(arena, there.list[i].peer);
    }
    bool is_all_ports = rule->from == ALL || (rule->from == 0 && rule->to == MAX_PORT);
    struct sf_str protocol = sf_str_is(rule->protocol, "-1")       ? SF_STR("all")
                             : sf_str_is(rule->protocol, "icmpv6") ? SF_STR("icmp")
                                                                   : rule->protocol;
    sf_map_set_str(arena, told, "protocol", protocol);
    if (!is_all_ports)
        sf_map_set_int(arena, told, "port", rule->from);
    if (!is_all_ports && rule->to != rule->from)
        sf_map_set_int(arena, told, "to_port", rule->to);
    sf_map_set(arena, told, sf_str_of(way->peers), sf_value_list(arena, peers, n));
    if (rule->description.n)
        sf_map_set_str(arena, told, "description", rule->description);
    return told;
}

const struct sf_value *sf_rules_report(struct sf_arena *arena, struct sf_rules there, const struct sf_value *shape,
                                       const struct sf_rules_way *way)
{
    size_t n_shape = shape && shape->type == SF_V_LIST ? shape->list.n : 0, n = 0;
    const struct sf_value **rules = SF_NEW_ARRAY(arena, n_shape + there.n, const struct sf_value *);
    bool *is_told = SF_NEW_ARRAY(arena, there.n, bool);
    for (size_t i = 0; i < n_shape; i++) {
        const struct sf_value *rule = as_in_shape(arena, shape->list.items[i], there, is_told, way);
        if (rule)
            rules[n++] = rule;
    }
    for (size_t i = 0; i < there.n; i++)
        if (!is_told[i])
            rules[n++] = further_rule(arena, there, i, is_told, way);
    return sf_value_list(arena, rules, n);
}

/* --- what differs --- */

struct sf_rules_diff sf_rules_compare(struct sf_arena *arena, struct sf_rules have, struct sf_rules want)
{
    struct sf_rules_diff diff = {.add.list = SF_NEW_ARRAY(arena, want.n, struct sf_rule),
                                 .remove.list = SF_NEW_ARRAY(arena, have.n, struct sf_rule),
                                 .describe.list = SF_NEW_ARRAY(arena, want.n, struct sf_rule)};
    for (size_t i = 0; i < want.n; i++) {
        const struct sf_rule *wanted = &want.list[i], *there = find(&have, wanted);
        if (!there)
            diff.add.list[diff.add.n++] = *wanted;
        else if (!sf_str_eq(there->description, wanted->description))
            diff.describe.list[diff.describe.n++] = *wanted;
    }
    for (size_t i = 0; i < have.n; i++)
        if (!find(&want, &have.list[i]))
            diff.remove.list[diff.remove.n++] = have.list[i];
    return diff;
}

const struct sf_value *sf_rules_params(struct sf_arena *arena, struct sf_rules rules, bool has_descriptions)
{
    const struct sf_value **permissions = SF_NEW_ARRAY(arena, rules.n, const struct sf_value *);
    for (size_t i = 0; i < rules.n; i++) {
        const struct sf_rule *rule = &rules.list[i];
        size_t kind = kind_of_peer(rule->peer);
        struct sf_value *permission = sf_value_map(arena), *peer = sf_value_map(arena);
        sf_map_set_str(arena, permission, "IpProtocol", rule->protocol);
        if (!sf_str_is(rule->protocol, "-1")) {
            sf_map_set_int(arena, permission, "FromPort", rule->from);
            sf_map_set_int(arena, permission, "ToPort", rule->to);
        }
        sf_map_set_str(arena, peer, peer_kinds[kind].param_field, rule->peer);
        if (has_descriptions && rule->description.n)
            sf_map_set_str(arena, peer, "Description", rule->description);
        sf_map_set(arena, permission, sf_str_of(peer_kinds[kind].param), sf_params_one(arena, peer));
        permissions[i] = permission;
    }
    return sf_value_list(arena, permissions, rules.n);
}

/* --- what AWS would refuse --- */

bool sf_rules_is_description(struct sf_str text)
{
    static const char more[] = " ._-:/()#,@[]+=&;{}!$*";
    for (size_t i = 0; i < text.n; i++) {
        char c = text.p[i];
        bool is_alnum = (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9');
        if (!is_alnum && (!c || !strchr(more, c)))
            return false;
    }
    return true;
}

static enum sf_code check_ports(const struct sf_value *rule, const struct sf_rules_way *way, struct sf_err *err)
{
    struct sf_str protocol = sf_map_str(rule, "protocol");
    int64_t port = sf_map_int(rule, "port", ALL), to = sf_map_int(rule, "to_port", ALL);
    bool has_ports = sf_str_is(protocol, "tcp") || sf_str_is(protocol, "udp");
    if (!has_ports && (port != ALL || to != ALL)) {
        sf_fail(err, SF_E_CONFIG, "a rule of %s for protocol '%.*s' has a port", way->attr, SF_ARG(protocol));
        sf_hint(err, "only tcp and udp have ports: leave it out, or name one of them");
        return SF_E_CONFIG;
    }
    if (to != ALL && (port == ALL || to < port)) {
        sf_fail(err, SF_E_CONFIG, "a rule of %s ends at port %lld but does not begin at or before it", way->attr, (long long)to);
        sf_hint(err, "write the first port as `port`, the last one as `to_port`");
        return SF_E_CONFIG;
    }
    return SF_OK;
}

static bool is_loopback(struct sf_str peer)
{
    static const char *const loopback[] = {"127.0.0.0/8", "::1/128"};
    struct sf_cidr inner, outer;
    for (size_t i = 0; i < SF_COUNT(loopback); i++)
        if (sf_cidr_parse(peer, true, &inner) && sf_cidr_parse(sf_str_of(loopback[i]), false, &outer) &&
            sf_cidr_contains(&outer, &inner))
            return true;
    return false;
}

static enum sf_code check_rule(const struct sf_rule *rule, const struct sf_rules_way *way, struct sf_err *err)
{
    if (is_loopback(rule->peer)) {
        sf_fail(err, SF_E_CONFIG, "'%.*s' in %s is a loopback address: nobody reaches AWS from it", SF_ARG(rule->peer), way->attr);
        sf_hint(err, "name the address that your connections come from, with /32: `curl https://checkip.amazonaws.com` prints it");
        return SF_E_CONFIG;
    }
    if (!sf_rules_is_description(rule->description)) {
        sf_fail(err, SF_E_CONFIG, "the description '%.*s' of a rule has characters that AWS refuses", SF_ARG(rule->description));
        sf_hint(err, "use a-z, A-Z, 0-9, blanks and ._-:/()#,@[]+=&;{}!$*");
        return SF_E_CONFIG;
    }
    return SF_OK;
}

/* One permission can be described once only. */
static enum sf_code check_described_once(struct sf_arena *arena, struct sf_rules rules, const struct sf_value *attr,
                                         const struct sf_rules_way *way, struct sf_err *err)
{
    for (size_t i = 0; i < attr->list.n; i++) {
        struct sf_rules own = sf_rules_of_attr(arena, sf_params_one(arena, attr->list.items[i]), way);
        for (size_t k = 0; k < own.n; k++) {
            const struct sf_rule *first = find(&rules, &own.list[k]);
            if (!first || sf_str_eq(first->description, own.list[k].description))
                continue;
            sf_fail(err, SF_E_CONFIG, "two rules of %s for '%.*s' differ in their description only", way->attr,
                    SF_ARG(own.list[k].peer));
            sf_hint(err, "AWS keeps one rule with one description: leave one of them out");
            return SF_E_CONFIG;
        }
    }
    return SF_OK;
}

enum sf_code sf_rules_check(struct sf_arena *arena, const struct sf_value *attr, const struct sf_rules_way *way, int port,
                            const char **open_to_all, struct sf_err *err)
{
    enum sf_code rc = SF_OK;
    *open_to_all = NULL;
    if (!attr || attr->type != SF_V_LIST)
        return SF_OK;
    for (size_t i = 0; !rc && i < attr->list.n; i++)
        rc = check_ports(attr->list.items[i], way, err);
    struct sf_rules rules = sf_rules_of_attr(arena, attr, way);
    for (size_t i = 0; !rc && i < rules.n; i++) {
        const struct sf_rule *rule = &rules.list[i];
        rc = check_rule(rule, way, err);
        bool is_all = sf_str_is(rule->peer, "0.0.0.0/0") || sf_str_is(rule->peer, "::/0");
        bool covers = rule->from == ALL ? sf_str_is(rule->protocol, "-1")
                                        : sf_str_is(rule->protocol, "tcp") && rule->from <= port && port <= rule->to;
        if (is_all && covers)
            *open_to_all = sf_str_dup(arena, rule->peer).p;
    }
    return rc ? rc : check_described_once(arena, rules, attr, way, err);
}
