/* See bucket_lifecycle.h. Source: S3 API reference, LifecycleRule. */
#include "resources/aws/bucket_lifecycle.h"

#include "engine/core/xml.h"
#include "resources/aws/client/client.h"

#include <inttypes.h>

enum { MAX_XML_BYTES = 4 * 1024 * 1024, MAX_NAMED_BYTES = 200 };

static const char id_field[] = "id", prefix_field[] = "prefix";
static const struct {
    const char *field;         /* of the attribute */
    const char *action, *days; /* S3's element, and the one inside */
    const char *path;
} actions[] = {
    {"expire_days", "Expiration", "Days", "Expiration.Days"},
    {"noncurrent_days", "NoncurrentVersionExpiration", "NoncurrentDays", "NoncurrentVersionExpiration.NoncurrentDays"},
    {"abort_uploads_days", "AbortIncompleteMultipartUpload", "DaysAfterInitiation",
     "AbortIncompleteMultipartUpload.DaysAfterInitiation"},
};

/* --- from S3 --- */

static bool is_blank(const struct sf_value *v)
{
    return !v || (v->type == SF_V_STRING && !v->s.n);
}

/* Elements of `v` that are not `known` (a name, or NULL): their names, each with the path that leads there. */
static void name_others(struct sf_buf *others, const char *at, const struct sf_value *v, const char *known)
{
    for (size_t i = 0; v && v->type == SF_V_MAP && i < v->map.n; i++)
        if (!known || !sf_str_is(v->map.pairs[i].key, known))
            sf_buf_addf(others, "%s%s%s%.*s", others->n ? ", " : "", at, *at ? "." : "", SF_ARG(v->map.pairs[i].key));
}

static bool is_action(struct sf_str element, size_t *which)
{
    for (*which = 0; *which < SF_COUNT(actions); ++*which)
        if (sf_str_is(element, actions[*which].action))
            return true;
    return false;
}

/* <Filter>: a prefix, by itself or under <And>; the older form has <Prefix> beside. */
static struct sf_str prefix_of(const struct sf_value *rule, struct sf_buf *others)
{
    const struct sf_value *filter = sf_map_getz(rule, "Filter"), *both = sf_map_getz(filter, "And");
    if (is_blank(filter))
        return sf_aws_text(rule, "Prefix");
    if (both)
        name_others(others, "Filter", both, "Prefix");
    else
        name_others(others, "Filter", filter, "Prefix");
    return sf_aws_text(both ? both : filter, "Prefix");
}

static const struct sf_value *rule_of(struct sf_arena *arena, const struct sf_value *rule)
{
    static const char *const known[] = {"ID", "Prefix", "Filter", "Status"};
    struct sf_buf others = SF_BUF(MAX_NAMED_BYTES);
    struct sf_value *out = sf_value_map(arena);
    struct sf_str id = sf_aws_text(rule, "ID"), prefix = prefix_of(rule, &others);
    if (!sf_str_is(sf_aws_text(rule, "Status"), "Enabled"))
        sf_buf_addf(&others, "%sStatus %.*s", others.n ? ", " : "", SF_ARG(sf_aws_text(rule, "Status")));
    for (size_t i = 0; rule->type == SF_V_MAP && i < rule->map.n; i++) {
        const struct sf_pair *pair = &rule->map.pairs[i];
        size_t which;
        bool is_known = false;
        for (size_t k = 0; k < SF_COUNT(known); k++)
            is_known = is_known || sf_str_is(pair->key, known[k]);
        if (is_action(pair->key, &which))
            name_others(&others, actions[which].action, pair->value, actions[which].days);
        else if (!is_known)
            sf_buf_addf(&others, "%s%.*s", others.n ? ", " : "", SF_ARG(pair->key));
    }
    sf_map_set_str(arena, out, id_field, others.n ? sf_str_fmt(arena, "%.*s (with %s)", SF_ARG(id), others.p) : id);
    sf_map_set_str(arena, out, prefix_field, prefix);
    for (size_t i = 0; i < SF_COUNT(actions); i++)
        if (sf_aws_at(rule, actions[i].path))
            sf_map_set_int(arena, out, actions[i].field, sf_aws_int(rule, actions[i].path, 0));
    sf_buf_free(&others);
    return out;
}

const struct sf_value *sf_bucket_lifecycle_of(struct sf_arena *arena, const struct sf_value *reply)
{
    const struct sf_value *rules = sf_aws_items(arena, reply, "Rule");
    const struct sf_value **out = SF_NEW_ARRAY(arena, rules->list.n, const struct sf_value *);
    for (size_t i = 0; i < rules->list.n; i++)
        out[i] = rule_of(arena, rules->list.items[i]);
    return sf_value_list(arena, out, rules->list.n);
}

/* --- to S3 --- */

struct sf_str sf_bucket_lifecycle_xml(struct sf_arena *arena, const struct sf_value *rules)
{
    struct sf_buf xml = SF_BUF(MAX_XML_BYTES);
    sf_buf_addz(&xml, "<LifecycleConfiguration xmlns=\"http://s3.amazonaws.com/doc/2006-03-01/\">");
    for (size_t i = 0; i < rules->list.n; i++) {
        const struct sf_value *rule = rules->list.items[i];
        sf_buf_addz(&xml, "<Rule><ID>");
        sf_xml_write_text(&xml, sf_map_str(rule, id_field));
        sf_buf_addz(&xml, "</ID><Filter><Prefix>");
        sf_xml_write_text(&xml, sf_map_str(rule, prefix_field));
        sf_buf_addz(&xml, "</Prefix></Filter><Status>Enabled</Status>");
        for (size_t k = 0; k < SF_COUNT(actions); k++) {
            int64_t days = sf_map_int(rule, actions[k].field, 0);
            if (days > 0)
                sf_buf_addf(&xml, "<%s><%s>%" PRId64 "</%s></%s>", actions[k].action, actions[k].days, days, actions[k].days,
                            actions[k].action);
        }
        sf_buf_addz(&xml, "</Rule>");
    }
    sf_buf_addz(&xml, "</LifecycleConfiguration>");
    struct sf_str text = sf_str_dup(arena, sf_buf_str(&xml));
    sf_buf_free(&xml);
    return text;
}

enum sf_code sf_bucket_lifecycle_check(const struct sf_value *rules, struct sf_err *err)
{
    for (size_t i = 0; rules && rules->type == SF_V_LIST && i < rules->list.n; i++) {
        const struct sf_value *rule = rules->list.items[i];
        struct sf_str id = sf_map_str(rule, id_field);
        bool does_something = rule->type != SF_V_MAP;
        for (size_t k = 0; k < SF_COUNT(actions); k++)
            does_something = does_something || sf_map_getz(rule, actions[k].field);
        if (!does_something) {
            sf_fail(err, SF_E_CONFIG, "the lifecycle rule '%.*s' does nothing", SF_ARG(id));
            sf_hint(err, "give it expire_days, noncurrent_days or abort_uploads_days");
        }
        bool is_twice = false;
        for (size_t k = 0; id.n && k < i; k++)
            is_twice = is_twice || sf_str_eq(id, sf_map_str(rules->list.items[k], id_field));
        if (is_twice)
            sf_fail(err, SF_E_CONFIG, "two lifecycle rules have the id '%.*s'", SF_ARG(id));
        if (does_something && !is_twice)
            continue;
        if (err)
            err->where = rule->mark;
        return SF_E_CONFIG;
    }
    return SF_OK;
}
