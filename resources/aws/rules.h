/* The rules of a security group, between the stack file's shape and EC2's. Pure: no calls.
 *
 * The stack file says {protocol, port, to_port, from: [CIDR...], description}; EC2 keeps one permission for each protocol, range of
 * ports and peer, and authorises and revokes each by itself. So both shapes are taken apart into single permissions, compared as
 * these, and what AWS has is put together again the way the stack file has it. A peer that is no CIDR (a security group, a prefix
 * list) cannot be said in a stack file, but is read and can be revoked. Source: EC2 API reference, IpPermission. */
#ifndef SF_AWS_RULES_H
#define SF_AWS_RULES_H

#include "engine/core/value.h"

/* One permission. */
struct sf_rule {
    struct sf_str protocol; /* EC2's word: "tcp", "udp", "icmp", "icmpv6", "-1" for all, or a number */
    int64_t from, to;       /* ports, or type and code; -1: all */
    struct sf_str peer;     /* canonical CIDR, "sg-..." or "pl-..." */
    struct sf_str description;
};

struct sf_rules {
    struct sf_rule *list;
    size_t n;
};

struct sf_rules_diff {
    struct sf_rules add, remove, describe; /* describe: there, but with another description */
};

/* Which way: the attribute, and how its fields and EC2's calls are named. */
struct sf_rules_way {
    const char *attr;      /* "ingress" */
    const char *peers;     /* "from" */
    const char *reply;     /* "ipPermissions.item" */
    const char *authorize; /* "AuthorizeSecurityGroupIngress" */
    const char *revoke;
    const char *describe;
};
extern const struct sf_rules_way sf_rules_ways[2]; /* ingress, egress */

/* The stack file's rules taken apart, each permission once. What is not known yet is left out. */
struct sf_rules sf_rules_of_attr(struct sf_arena *arena, const struct sf_value *attr, const struct sf_rules_way *way);
/* EC2's IpPermissions taken apart. */
struct sf_rules sf_rules_of_reply(struct sf_arena *arena, const struct sf_value *group, const struct sf_rules_way *way);
/* `there` put together as `shape` (rules in the stack file's form, or NULL) structures them: of each rule those peers that are
 * there, a rule without any as it is; what no rule of `shape` accounts for becomes further rules. */
const struct sf_value *sf_rules_report(struct sf_arena *arena, struct sf_rules there, const struct sf_value *shape,
                                       const struct sf_rules_way *way);
/* What makes `have` into `want`. */
struct sf_rules_diff sf_rules_compare(struct sf_arena *arena, struct sf_rules have, struct sf_rules want);
/* The parameter IpPermissions; to revoke, descriptions are left out: they identify nothing. */
const struct sf_value *sf_rules_params(struct sf_arena *arena, struct sf_rules rules, bool has_descriptions);
/* SF_E_CONFIG when AWS would refuse them or let something in that the stack does not say: ports that make no sense, a loopback
 * address, characters in a description, one permission with two descriptions. `open_to_all` is set to a peer that is the whole
 * internet and may reach `port`, else NULL. */
enum sf_code sf_rules_check(struct sf_arena *arena, const struct sf_value *attr, const struct sf_rules_way *way, int port,
                            const char **open_to_all, struct sf_err *err) SF_MUST_CHECK;
/* Descriptions of groups and rules: a-z A-Z 0-9, blanks and ._-:/()#,@[]+=&;{}!$* */
bool sf_rules_is_description(struct sf_str text);

#endif
