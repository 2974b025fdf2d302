/* Condition elements: operators, set qualifiers, IfExists (IAM user guide, "Condition operators" and "Multivalued context keys").
 * Every block and key must hold; of a key's values one must match, or none for a negated operator. */
#include "resources/iam/internal.h"

#include <arpa/inet.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <time.h>

enum family { STRING, STRING_FOLDED, STRING_PATTERN, ARN, NUMERIC, DATE, BOOLEAN, BINARY, ADDRESS, PRESENCE };
enum relation { EQUAL, LESS, LESS_EQUAL, GREATER, GREATER_EQUAL };

static const struct condition_op {
    const char *name;
    enum family family;
    enum relation relation;
    bool is_negated;
} operators[] = {
    {"StringEquals", STRING, EQUAL, false},
    {"StringNotEquals", STRING, EQUAL, true},
    {"StringEqualsIgnoreCase", STRING_FOLDED, EQUAL, false},
    {"StringNotEqualsIgnoreCase", STRING_FOLDED, EQUAL, true},
    {"StringLike", STRING_PATTERN, EQUAL, false},
    {"StringNotLike", STRING_PATTERN, EQUAL, true},
    {"ArnEquals", ARN, EQUAL, false},
    {"ArnLike", ARN, EQUAL, false},
    {"ArnNotEquals", ARN, EQUAL, true},
    {"ArnNotLike", ARN, EQUAL, true},
    {"NumericEquals", NUMERIC, EQUAL, false},
    {"NumericNotEquals", NUMERIC, EQUAL, true},
    {"NumericLessThan", NUMERIC, LESS, false},
    {"NumericLessThanEquals", NUMERIC, LESS_EQUAL, false},
    {"NumericGreaterThan", NUMERIC, GREATER, false},
    {"NumericGreaterThanEquals", NUMERIC, GREATER_EQUAL, false},
    {"DateEquals", DATE, EQUAL, false},
    {"DateNotEquals", DATE, EQUAL, true},
    {"DateLessThan", DATE, LESS, false},
    {"DateLessThanEquals", DATE, LESS_EQUAL, false},
    {"DateGreaterThan", DATE, GREATER, false},
    {"DateGreaterThanEquals", DATE, GREATER_EQUAL, false},
    {"Bool", BOOLEAN, EQUAL, false},
    {"BinaryEquals", BINARY, EQUAL, false},
    {"IpAddress", ADDRESS, EQUAL, false},
    {"NotIpAddress", ADDRESS, EQUAL, true},
    {"Null", PRESENCE, EQUAL, false},
};

enum quantifier { PLAIN, FOR_ALL, FOR_ANY };

/* Takes a name apart; NULL when there is no such operator. */
static const struct condition_op *find_operator(struct sf_str name, enum quantifier *quantifier, bool *if_exists)
{
    *quantifier = PLAIN;
    size_t colon = sf_str_find(name, SF_STR(":"));
    if (colon != SIZE_MAX) {
        struct sf_str qualifier = sf_str_slice(name, 0, colon);
        if (sf_iam_equal_fold(qualifier, SF_STR("ForAllValues")))
            *quantifier = FOR_ALL;
        else if (sf_iam_equal_fold(qualifier, SF_STR("ForAnyValue")))
            *quantifier = FOR_ANY;
        else
            return NULL;
        name = sf_str_slice(name, colon + 1, name.n);
    }
    struct sf_str suffix = SF_STR("IfExists");
    *if_exists = name.n > suffix.n && sf_iam_equal_fold(sf_str_slice(name, name.n - suffix.n, name.n), suffix);
    if (*if_exists)
        name = sf_str_slice(name, 0, name.n - suffix.n);
    for (size_t i = 0; i < SF_COUNT(operators); i++) {
        if (sf_iam_equal_fold(name, sf_str_of(operators[i].name)))
            return operators[i].family == PRESENCE && (*if_exists || *quantifier != PLAIN) ? NULL : &operators[i];
    }
    return NULL;
}

bool sf_iam_is_operator(struct sf_str name)
{
    enum quantifier quantifier;
    bool if_exists;
    return find_operator(name, &quantifier, &if_exists) != NULL;
}

/* --- values --- */

static bool to_number(struct sf_str text, double *out)
{
    char buf[64], *rest;
    text = sf_str_trim(text);
    if (!text.n || text.n >= sizeof(buf) || text.p[0] == 'n' || text.p[0] == 'i')
        return false;
    memcpy(buf, text.p, text.n);
    buf[text.n] = 0;
    *out = strtod(buf, &rest);
    return *rest == 0;
}

/* Seconds since 1970: a number, "2026-11-20", or "2026-11-20T13:35:39[.5][Z|+01:00]". */
static bool to_seconds(struct sf_str text, double *out)
{
    char buf[48];
    struct tm tm = {0};
    int used = 0;
    if (to_number(text, out))
        return true;
    if (text.n >= sizeof(buf))
        return false;
    memcpy(buf, text.p, text.n);
    buf[text.n] = 0;
    if (sscanf(buf, "%4d-%2d-%2d%n", &tm.tm_year, &tm.tm_mon, &tm.tm_mday, &used) != 3 || used != 10)
        return false;
    tm.tm_year -= 1900;
    tm.tm_mon -= 1;
    const char *p = buf + used;
    double fraction = 0;
    int offset = 0;
    if (*p == 'T') {
        if (sscanf(p, "T%2d:%2d%n", &tm.tm_hour, &tm.tm_min, &used) != 2)
            return false;
        p += used;
        if (*p == ':') {
            if (sscanf(p, ":%2d%n", &tm.tm_sec, &used) != 1)
                return false;
            p += used;
        }
        if (*p == '.') {
            char *rest;
            fraction = strtod(p, &rest);
            p = rest;
        }
        int hours, minutes;
        if ((*p == '+' || *p == '-') && sscanf(p + 1, "%2d:%2d%n", &hours, &minutes, &used) == 2) {
            offset = (hours * 60 + minutes) * (*p == '-' ? -60 : 60);
            p += used + 1;
        } else if (*p == 'Z') {
            p++;
        }
    }
    if (*p)
        return false;
    *out = (double)(timegm(&tm) - offset) + fraction;
    return true;
}

static bool relates(double a, enum relation relation, double b)
{
    switch (relation) {
    case EQUAL:
        return !(a < b) && !(a > b);
    case LESS:
        return a < b;
    case LESS_EQUAL:
        return a <= b;
    case GREATER:
        return a > b;
    case GREATER_EQUAL:
        return a >= b;
    }
    return false;
}

/* Whether `address` is in `range` ("203.0.113.0/24", "2001:db8::/32", or one address). */
static bool is_in_range(struct sf_str address, struct sf_str range)
{
    char a[64], r[64];
    unsigned char ab[16], rb[16];
    size_t slash = sf_str_find(range, SF_STR("/"));
    struct sf_str base = sf_str_slice(range, 0, slash);
    if (address.n >= sizeof(a) || base.n >= sizeof(r))
        return false;
    snprintf(a, sizeof(a), "%.*s", SF_ARG(address));
    snprintf(r, sizeof(r), "%.*s", SF_ARG(base));
    int family = strchr(r, ':') ? AF_INET6 : AF_INET;
    if (inet_pton(family, a, ab) != 1 || inet_pton(family, r, rb) != 1)
        return false;
    int64_t bits = family == AF_INET ? 32 : 128;
    if (slash != SIZE_MAX) {
        int64_t wanted;
        if (!sf_str_int64(sf_str_slice(range, slash + 1, range.n), &wanted) || wanted < 0 || wanted > bits)
            return false;
        bits = wanted;
    }
    size_t whole = (size_t)bits / 8;
    if (memcmp(ab, rb, whole) != 0)
        return false;
    unsigned rest = (unsigned)bits % 8;
    return rest == 0 || ((ab[whole] ^ rb[whole]) & (0xffu << (8 - rest)) & 0xff) == 0;
}

/* One value of the request against one of the policy. */
static enum sf_iam_tri matches(struct sf_iam_eval *eval, const struct condition_op *op, struct sf_str have, struct sf_str want)
{
    struct sf_iam_pattern pattern;
    double a, b;
    enum sf_iam_tri known;
    switch (op->family) {
    case STRING:
    case STRING_FOLDED:
    case STRING_PATTERN:
        known = sf_iam_compile(eval, want, op->family == STRING_PATTERN, &pattern);
        return known != SF_YES ? known : sf_iam_match(&pattern, have, op->family == STRING_FOLDED) ? SF_YES : SF_NO;
    case ARN:
        known = sf_iam_compile(eval, want, true, &pattern);
        return known != SF_YES ? known : sf_iam_match_arn(&pattern, have) ? SF_YES : SF_NO;
    case NUMERIC:
        return to_number(have, &a) && to_number(want, &b) && relates(a, op->relation, b) ? SF_YES : SF_NO;
    case DATE:
        return to_seconds(have, &a) && to_seconds(want, &b) && relates(a, op->relation, b) ? SF_YES : SF_NO;
    case BOOLEAN:
        return sf_iam_equal_fold(have, want) ? SF_YES : SF_NO;
    case BINARY:
        return sf_str_eq(have, want) ? SF_YES : SF_NO;
    case ADDRESS:
        return is_in_range(have, want) ? SF_YES : SF_NO;
    case PRESENCE:
        break;
    }
    return SF_NO;
}

/* Whether one value of the request matches any of the policy's. */
static enum sf_iam_tri matches_any(struct sf_iam_eval *eval, const struct condition_op *op, const struct sf_value *have,
                                   const struct sf_value *wants)
{
    enum sf_iam_tri any = SF_NO;
    struct sf_str have_text, want_text;
    if (!sf_iam_text(eval->arena, have, &have_text))
        return SF_NO;
    for (size_t i = 0; i < sf_iam_count(wants) && any != SF_YES; i++) {
        const struct sf_value *want = sf_iam_item(wants, i);
        if (want->type == SF_V_UNKNOWN) {
            eval->unknown = want->s;
            any = sf_iam_or(any, SF_MAYBE);
        } else if (sf_iam_text(eval->arena, want, &want_text)) {
            any = sf_iam_or(any, matches(eval, op, have_text, want_text));
        }
    }
    return any;
}

static enum sf_iam_tri key_holds(struct sf_iam_eval *eval, const struct condition_op *op, enum quantifier quantifier,
                                 bool if_exists, struct sf_str key, const struct sf_value *wants)
{
    const struct sf_value *have = NULL;
    enum sf_iam_presence presence = sf_iam_lookup(eval, key, &have);
    if (presence == SF_KEY_PRESENT && have->type == SF_V_LIST && have->list.n == 0)
        presence = SF_KEY_ABSENT;
    if (presence == SF_KEY_UNKNOWN) {
        eval->unknown = key;
        return SF_MAYBE;
    }
    if (op->family == PRESENCE) {
        struct sf_value state = {.type = SF_V_STRING, .s = presence == SF_KEY_ABSENT ? SF_STR("true") : SF_STR("false")};
        static const struct condition_op same = {"Bool", BOOLEAN, EQUAL, false};
        return matches_any(eval, &same, &state, wants);
    }
    if (presence == SF_KEY_ABSENT) {
        if (if_exists || quantifier == FOR_ALL)
            return SF_YES;
        return quantifier == PLAIN && op->is_negated ? SF_YES : SF_NO;
    }
    /* a plain operator on several values: one of them must match, or none for a negated one */
    bool wants_all = quantifier == FOR_ALL || (quantifier == PLAIN && op->is_negated);
    enum sf_iam_tri holds = wants_all ? SF_YES : SF_NO;
    for (size_t i = 0; i < sf_iam_count(have); i++) {
        enum sf_iam_tri one = matches_any(eval, op, sf_iam_item(have, i), wants);
        if (op->is_negated)
            one = sf_iam_not(one);
        holds = wants_all ? sf_iam_and(holds, one) : sf_iam_or(holds, one);
    }
    return holds;
}

enum sf_code sf_iam_conditions(struct sf_iam_eval *eval, const struct sf_value *conditions, enum sf_iam_tri *holds,
                               struct sf_err *err)
{
    *holds = SF_YES;
    if (!conditions)
        return SF_OK;
    if (conditions->type == SF_V_UNKNOWN) {
        eval->unknown = conditions->s;
        *holds = SF_MAYBE;
        return SF_OK;
    }
    if (conditions->type != SF_V_MAP)
        return sf_iam_malformed(err, conditions, "a Condition must be a map of operators");
    for (size_t i = 0; i < conditions->map.n; i++) {
        const struct sf_pair *block = &conditions->map.pairs[i];
        enum quantifier quantifier;
        bool if_exists;
        const struct condition_op *op = find_operator(block->key, &quantifier, &if_exists);
        if (!op)
            return sf_iam_malformed(err, block->value, "there is no condition operator '%.*s'", SF_ARG(block->key));
        if (block->value->type != SF_V_MAP)
            return sf_iam_malformed(err, block->value, "the condition operator '%.*s' must hold a map of keys", SF_ARG(block->key));
        for (size_t k = 0; k < block->value->map.n; k++) {
            const struct sf_pair *pair = &block->value->map.pairs[k];
            *holds = sf_iam_and(*holds, key_holds(eval, op, quantifier, if_exists, pair->key, pair->value));
        }
    }
    return SF_OK;
}
