/* What IAM would refuse when a document is stored (IAM user guide, "Grammar of the IAM JSON policy language", and quotas). */
#include "resources/iam/internal.h"

#include "engine/core/json.h"

#include <ctype.h>

static const struct limit {
    const char *what;
    size_t characters; /* blanks do not count */
} limits[] = {
    [SF_IAM_IDENTITY_POLICY] = {"a managed policy", 6144},
    [SF_IAM_TRUST_POLICY] = {"a trust policy", 2048},
    [SF_IAM_RESOURCE_POLICY] = {"a bucket policy", 20480},
};

static const char *const document_elements[] = {"Version", "Id", "Statement"};
static const char *const statement_elements[] = {"Sid",         "Effect",    "Action",       "NotAction", "Resource",
                                                 "NotResource", "Principal", "NotPrincipal", "Condition"};

static bool is_among(struct sf_str word, const char *const *words, size_t n)
{
    for (size_t i = 0; i < n; i++) {
        if (sf_str_is(word, words[i]))
            return true;
    }
    return false;
}

static enum sf_code check_elements(const struct sf_value *map, const char *const *words, size_t n, struct sf_err *err)
{
    for (size_t i = 0; i < map->map.n; i++) {
        const struct sf_pair *pair = &map->map.pairs[i];
        if (is_among(pair->key, words, n))
            continue;
        sf_iam_malformed(err, pair->value, "there is no element '%.*s'", SF_ARG(pair->key));
        if (err && pair->key_mark.line)
            err->where = pair->key_mark;
        for (size_t k = 0; k < n; k++) {
            if (sf_iam_equal_fold(pair->key, sf_str_of(words[k])) || sf_str_distance(pair->key, sf_str_of(words[k])) <= 2)
                sf_hint(err, "did you mean '%s'?", words[k]);
        }
        return SF_E_CONFIG;
    }
    return SF_OK;
}

static bool is_word(struct sf_str s, const char *more)
{
    for (size_t i = 0; i < s.n; i++) {
        if (!isalnum((unsigned char)s.p[i]) && !(s.p[i] && strchr(more, s.p[i])))
            return false;
    }
    return s.n > 0;
}

static enum sf_code check_action(const struct sf_value *item, struct sf_err *err)
{
    if (item->type == SF_V_STRING && sf_str_is(item->s, "*"))
        return SF_OK;
    size_t colon = item->type == SF_V_STRING ? sf_str_find(item->s, SF_STR(":")) : SIZE_MAX;
    if (colon != SIZE_MAX && is_word(sf_str_slice(item->s, 0, colon), "-") &&
        is_word(sf_str_slice(item->s, colon + 1, item->s.n), "*?"))
        return SF_OK;
    sf_iam_malformed(err, item, "'%.*s' is not an action", item->type == SF_V_STRING ? (int)item->s.n : 0,
                     item->type == SF_V_STRING ? item->s.p : "");
    sf_hint(err, "write service and action, as in s3:GetObject, or '*'");
    return SF_E_CONFIG;
}

static enum sf_code check_resource(const struct sf_value *item, struct sf_err *err)
{
    if (item->type == SF_V_STRING && sf_str_is(item->s, "*"))
        return SF_OK;
    if (item->type == SF_V_STRING && sf_str_starts(item->s, SF_STR("arn:"))) {
        size_t colons = 0;
        bool has_wildcard = false;
        for (size_t i = 0; i < item->s.n; i++) {
            colons += item->s.p[i] == ':';
            has_wildcard = has_wildcard || item->s.p[i] == '*';
        }
        if (colons >= 5 || has_wildcard)
            return SF_OK;
    }
    sf_iam_malformed(err, item, "'%.*s' is not an ARN", item->type == SF_V_STRING ? (int)item->s.n : 0,
                     item->type == SF_V_STRING ? item->s.p : "");
    sf_hint(err, "a resource is written as an ARN, as in ${landing.arn}/*, or '*'");
    return SF_E_CONFIG;
}

/* Exactly one of the two forms, not empty, every item well formed. */
static enum sf_code check_list(const struct sf_value *statement, const char *name, const char *not_name,
                               enum sf_code (*check)(const struct sf_value *, struct sf_err *), struct sf_err *err)
{
    const struct sf_value *plain = sf_map_getz(statement, name), *inverse = sf_map_getz(statement, not_name);
    const struct sf_value *list = plain ? plain : inverse;
    if (!plain == !inverse)
        return sf_iam_malformed(err, statement, "a statement needs either %s or %s", name, not_name);
    if (list->type == SF_V_UNKNOWN)
        return SF_OK;
    if (sf_iam_count(list) == 0)
        return sf_iam_malformed(err, list, "%s is empty", plain ? name : not_name);
    for (size_t i = 0; i < sf_iam_count(list); i++) {
        const struct sf_value *item = sf_iam_item(list, i);
        enum sf_code rc = item->type == SF_V_UNKNOWN ? SF_OK : check(item, err);
        if (rc)
            return rc;
    }
    return SF_OK;
}

static enum sf_code check_principal(const struct sf_value *statement, struct sf_err *err)
{
    static const char *const types[] = {"AWS", "Service", "Federated", "CanonicalUser"};
    const struct sf_value *plain = sf_map_getz(statement, "Principal"), *inverse = sf_map_getz(statement, "NotPrincipal");
    const struct sf_value *who = plain ? plain : inverse;
    if (!plain == !inverse)
        return sf_iam_malformed(err, statement, "a statement needs either Principal or NotPrincipal");
    if (who->type == SF_V_UNKNOWN || (who->type == SF_V_STRING && sf_str_is(who->s, "*")))
        return SF_OK;
    if (who->type != SF_V_MAP || who->map.n == 0) {
        sf_iam_malformed(err, who, "a Principal must be '*' or a map");
        sf_hint(err, "write {Service: transfer.amazonaws.com} or {AWS: \"arn:...\"}");
        return SF_E_CONFIG;
    }
    return check_elements(who, types, SF_COUNT(types), err);
}

static enum sf_code check_conditions(const struct sf_value *conditions, struct sf_err *err)
{
    if (!conditions || conditions->type == SF_V_UNKNOWN)
        return SF_OK;
    if (conditions->type != SF_V_MAP)
        return sf_iam_malformed(err, conditions, "a Condition must be a map of operators");
    for (size_t i = 0; i < conditions->map.n; i++) {
        const struct sf_pair *block = &conditions->map.pairs[i];
        if (!sf_iam_is_operator(block->key)) {
            sf_iam_malformed(err, block->value, "there is no condition operator '%.*s'", SF_ARG(block->key));
            sf_hint(err,
                    "StringEquals, StringLike, ArnLike, IpAddress, Bool, NumericLessThan, DateGreaterThan, Null and their kin");
            return SF_E_CONFIG;
        }
        if (block->value->type != SF_V_MAP)
            return sf_iam_malformed(err, block->value, "'%.*s' must hold a map of condition keys", SF_ARG(block->key));
        for (size_t k = 0; k < block->value->map.n; k++) {
            struct sf_str key = block->value->map.pairs[k].key;
            size_t colon = sf_str_find(key, SF_STR(":"));
            if (colon == SIZE_MAX || colon == 0 || colon + 1 == key.n)
                return sf_iam_malformed(err, block->value->map.pairs[k].value, "'%.*s' is not a condition key such as aws:SourceIp",
                                        SF_ARG(key));
        }
    }
    return SF_OK;
}

static enum sf_code check_statement(enum sf_iam_document kind, const struct sf_value *statement, struct sf_err *err)
{
    if (statement->type == SF_V_UNKNOWN)
        return SF_OK;
    if (statement->type != SF_V_MAP)
        return sf_iam_malformed(err, statement, "a statement must be a map");
    enum sf_code rc = check_elements(statement, statement_elements, SF_COUNT(statement_elements), err);
    if (rc)
        return rc;
    const struct sf_value *effect = sf_map_getz(statement, "Effect");
    if (!effect || effect->type != SF_V_STRING || (!sf_str_is(effect->s, "Allow") && !sf_str_is(effect->s, "Deny")))
        return sf_iam_malformed(err, effect ? effect : statement, "the Effect must be Allow or Deny");
    struct sf_str sid = sf_map_str(statement, "Sid");
    if (sid.n && kind != SF_IAM_RESOURCE_POLICY && !is_word(sid, ""))
        return sf_iam_malformed(err, sf_map_getz(statement, "Sid"), "the Sid '%.*s' may have only letters and digits", SF_ARG(sid));
    rc = check_list(statement, "Action", "NotAction", check_action, err);
    if (rc)
        return rc;
    bool has_principal = sf_map_getz(statement, "Principal") || sf_map_getz(statement, "NotPrincipal");
    bool has_resource = sf_map_getz(statement, "Resource") || sf_map_getz(statement, "NotResource");
    if (kind == SF_IAM_IDENTITY_POLICY && has_principal)
        return sf_iam_malformed(err, statement, "a policy for a role cannot name a Principal");
    if (kind == SF_IAM_TRUST_POLICY && has_resource)
        return sf_iam_malformed(err, statement, "a trust policy cannot name a Resource");
    if (kind != SF_IAM_TRUST_POLICY)
        rc = check_list(statement, "Resource", "NotResource", check_resource, err);
    if (rc == SF_OK && kind != SF_IAM_IDENTITY_POLICY)
        rc = check_principal(statement, err);
    return rc ? rc : check_conditions(sf_map_getz(statement, "Condition"), err);
}

static enum sf_code check_size(struct sf_arena *arena, enum sf_iam_document kind, const struct sf_value *document,
                               struct sf_err *err)
{
    struct sf_str text = sf_json_text(arena, document, SF_JSON_PLAIN);
    size_t n = 0;
    for (size_t i = 0; i < text.n; i++) {
        unsigned char c = (unsigned char)text.p[i];
        if (c > 0xc3) {
            /* IAM API reference: the pattern of PolicyDocument ends at U+00FF */
            return sf_iam_malformed(err, document, "it holds a character that IAM does not allow (beyond U+00FF)");
        }
        n += c > ' ' && (c & 0xc0) != 0x80;
    }
    if (n <= limits[kind].characters)
        return SF_OK;
    sf_iam_malformed(err, document, "it has %zu characters, and %s may have %zu", n, limits[kind].what, limits[kind].characters);
    sf_hint(err, "use wildcards, or split it into several policies");
    return SF_E_CONFIG;
}

enum sf_code sf_iam_check_document(struct sf_arena *arena, enum sf_iam_document kind, const struct sf_value *document,
                                   struct sf_err *err)
{
    if (document->type == SF_V_UNKNOWN)
        return SF_OK;
    if (document->type != SF_V_MAP)
        return sf_iam_malformed(err, document, "a policy must be a map");
    enum sf_code rc = check_elements(document, document_elements, SF_COUNT(document_elements), err);
    if (rc)
        return rc;
    struct sf_str version = sf_map_str(document, "Version");
    if (sf_map_getz(document, "Version") && !sf_str_is(version, "2012-10-17") && !sf_str_is(version, "2008-10-17")) {
        sf_iam_malformed(err, sf_map_getz(document, "Version"), "there is no policy language version '%.*s'", SF_ARG(version));
        sf_hint(err, "write Version: \"2012-10-17\"");
        return SF_E_CONFIG;
    }
    const struct sf_value *statements = sf_map_getz(document, "Statement");
    if (!statements || sf_iam_count(statements) == 0)
        return sf_iam_malformed(err, document, "it has no Statement");
    for (size_t i = 0; i < sf_iam_count(statements); i++) {
        const struct sf_value *statement = sf_iam_item(statements, i);
        rc = check_statement(kind, statement, err);
        if (rc)
            return rc;
        struct sf_str sid = sf_map_str(statement, "Sid");
        for (size_t k = 0; sid.n && k < i; k++) {
            if (sf_str_eq(sid, sf_map_str(sf_iam_item(statements, k), "Sid")))
                return sf_iam_malformed(err, sf_map_getz(statement, "Sid"), "two statements have the Sid '%.*s'", SF_ARG(sid));
        }
    }
    return check_size(arena, kind, document, err);
}
