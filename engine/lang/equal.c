/* sf_schema_equal(): whether two values of an attribute mean the same. Both are brought into a canonical form (sets sorted and
 * without doubles, networks masked, policies in one spelling), which then is compared exactly. Identical values take a short
 * cut. Canonical forms are for comparison only and never leave this file. */
#include "engine/core/cidr.h"
#include "engine/core/json.h"
#include "engine/lang/schema.h"

#include <stdlib.h>

struct canon {
    struct sf_arena *arena;
    sf_fingerprint_fn *fingerprint; /* NULL: clear secrets stay as they are */
    void *key;
};

static const struct sf_attr any_attr = {.name = "any", .type = SF_T_ANY};

static const struct sf_value *canon_value(const struct canon *c, const struct sf_attr *attr, const struct sf_value *v);

static int by_order(const void *a, const void *b)
{
    return sf_value_order(*(const struct sf_value *const *)a, *(const struct sf_value *const *)b);
}

/* Sorts and removes doubles, in place. */
static void make_set(struct sf_value *list)
{
    size_t kept = 0;
    if (list->list.n)
        qsort(list->list.items, list->list.n, sizeof(struct sf_value *), by_order);
    for (size_t i = 0; i < list->list.n; i++)
        if (!kept || sf_value_order(list->list.items[kept - 1], list->list.items[i]) != 0)
            list->list.items[kept++] = list->list.items[i];
    list->list.n = kept;
}

static struct sf_value *new_list(const struct canon *c, size_t n)
{
    return sf_value_list(c->arena, SF_NEW_ARRAY(c->arena, n, const struct sf_value *), n);
}

static const struct sf_value *lower_case(const struct canon *c, const struct sf_value *v)
{
    if (v->type != SF_V_STRING)
        return v;
    struct sf_str s = v->s;
    char *p = sf_arena_alloc(c->arena, s.n + 1);
    for (size_t i = 0; i < s.n; i++)
        p[i] = s.p[i] >= 'A' && s.p[i] <= 'Z' ? (char)(s.p[i] - 'A' + 'a') : s.p[i];
    return sf_value_str(c->arena, (struct sf_str){p, s.n});
}

static const struct sf_value *mask_cidr(const struct canon *c, const struct sf_value *v)
{
    struct sf_cidr cidr;
    if (v->type != SF_V_STRING || !sf_cidr_parse(v->s, true, &cidr))
        return v;
    return sf_value_str(c->arena, sf_cidr_text(c->arena, &cidr));
}

/* --- IAM policies --- */

/* A string or a list of strings as a set. */
static struct sf_value *string_set(const struct canon *c, const struct sf_value *v, bool folds_case)
{
    size_t n = v->type == SF_V_LIST ? v->list.n : 1;
    struct sf_value *set = new_list(c, n);
    for (size_t i = 0; i < n; i++) {
        const struct sf_value *item = v->type == SF_V_LIST ? v->list.items[i] : v;
        if (item->type == SF_V_BOOL) /* condition values: true and "true" are one */
            item = sf_value_str(c->arena, item->b ? SF_STR("true") : SF_STR("false"));
        else if (item->type == SF_V_INT)
            item = sf_value_str(c->arena, sf_str_fmt(c->arena, "%lld", (long long)item->i));
        else if (item->type == SF_V_NUMBER)
            item = sf_value_str(c->arena, item->s);
        set->list.items[i] = folds_case ? lower_case(c, item) : canon_value(c, &any_attr, item);
    }
    make_set(set);
    return set;
}

/* "arn:aws:iam::ACCOUNT:root" and "ACCOUNT" name the same principal. */
static const struct sf_value *root_account(const struct canon *c, const struct sf_value *v)
{
    static const char head[] = "arn:aws:iam::", tail[] = ":root";
    size_t account = 12, at = sizeof(head) - 1;
    if (v->type != SF_V_STRING || v->s.n != at + account + sizeof(tail) - 1 || !sf_str_starts(v->s, sf_str_of(head)) ||
        !sf_str_ends(v->s, sf_str_of(tail)))
        return v;
    return sf_value_str(c->arena, sf_str_slice(v->s, at, at + account));
}

static const struct sf_value *canon_principal(const struct canon *c, const struct sf_value *v)
{
    struct sf_value *out = sf_value_map(c->arena);
    if (v->type == SF_V_STRING && sf_str_is(v->s, "*")) {
        sf_map_set(c->arena, out, SF_STR("AWS"), string_set(c, v, false));
        return out;
    }
    if (v->type != SF_V_MAP)
        return canon_value(c, &any_attr, v);
    for (size_t i = 0; i < v->map.n; i++) {
        struct sf_value *set = string_set(c, v->map.pairs[i].value, false);
        for (size_t k = 0; k < set->list.n; k++)
            set->list.items[k] = root_account(c, set->list.items[k]);
        make_set(set);
        sf_map_add(c->arena, out, v->map.pairs[i].key, set);
    }
    return out;
}

static const struct sf_value *canon_condition(const struct canon *c, const struct sf_value *v)
{
    if (v->type != SF_V_MAP)
        return canon_value(c, &any_attr, v);
    struct sf_value *out = sf_value_map(c->arena);
    for (size_t i = 0; i < v->map.n; i++) {
        const struct sf_value *keys = v->map.pairs[i].value;
        if (keys->type != SF_V_MAP) {
            sf_map_add(c->arena, out, v->map.pairs[i].key, canon_value(c, &any_attr, keys));
            continue;
        }
        struct sf_value *inner = sf_value_map(c->arena);
        for (size_t k = 0; k < keys->map.n; k++) { /* names of condition keys know no case */
            const struct sf_value *name = lower_case(c, sf_value_str(c->arena, keys->map.pairs[k].key));
            sf_map_add(c->arena, inner, name->s, string_set(c, keys->map.pairs[k].value, false));
        }
        sf_map_add(c->arena, out, v->map.pairs[i].key, inner);
    }
    return out;
}

static const struct sf_value *canon_statement(const struct canon *c, const struct sf_value *v)
{
    if (v->type != SF_V_MAP)
        return canon_value(c, &any_attr, v);
    struct sf_value *out = sf_value_map(c->arena);
    for (size_t i = 0; i < v->map.n; i++) {
        struct sf_str key = v->map.pairs[i].key;
        const struct sf_value *part = v->map.pairs[i].value;
        if (sf_str_is(key, "Sid") && part->type == SF_V_STRING && !part->s.n)
            continue;
        if (part->type == SF_V_UNKNOWN || part->type == SF_V_NULL)
            part = canon_value(c, &any_attr, part);
        else if (sf_str_is(key, "Action") || sf_str_is(key, "NotAction"))
            part = string_set(c, part, true);
        else if (sf_str_is(key, "Resource") || sf_str_is(key, "NotResource"))
            part = string_set(c, part, false);
        else if (sf_str_is(key, "Principal") || sf_str_is(key, "NotPrincipal"))
            part = canon_principal(c, part);
        else if (sf_str_is(key, "Condition"))
            part = canon_condition(c, part);
        else
            part = canon_value(c, &any_attr, part);
        sf_map_add(c->arena, out, key, part);
    }
    return out;
}

/* JSON given as text is read first. */
static const struct sf_value *parsed(const struct canon *c, const struct sf_value *v)
{
    const struct sf_value *tree;
    if (v->type != SF_V_STRING || v->is_secret || sf_json_parse(c->arena, v->s, "value", SF_JSON_PLAIN, &tree, NULL))
        return v;
    return tree;
}

static const struct sf_value *canon_policy(const struct canon *c, const struct sf_value *v)
{
    v = parsed(c, v);
    if (v->type != SF_V_MAP)
        return canon_value(c, &any_attr, v);
    struct sf_value *out = sf_value_map(c->arena);
    sf_map_set_str(c->arena, out, "Version", SF_STR("2008-10-17")); /* what IAM takes when there is none */
    for (size_t i = 0; i < v->map.n; i++) {
        struct sf_str key = v->map.pairs[i].key;
        const struct sf_value *part = v->map.pairs[i].value;
        if (!sf_str_is(key, "Statement") || part->type == SF_V_UNKNOWN) {
            sf_map_set(c->arena, out, key, canon_value(c, &any_attr, part));
            continue;
        }
        size_t n = part->type == SF_V_LIST ? part->list.n : 1;
        struct sf_value *set = new_list(c, n);
        for (size_t k = 0; k < n; k++)
            set->list.items[k] = canon_statement(c, part->type == SF_V_LIST ? part->list.items[k] : part);
        make_set(set); /* IAM evaluates all of them: their order says nothing */
        sf_map_set(c->arena, out, key, set);
    }
    return out;
}

/* --- by schema --- */

static const struct sf_attr *attr_of_key(const struct sf_attr *attr, struct sf_str key)
{
    for (size_t i = 0; i < attr->n_fields; i++)
        if (sf_str_is(key, attr->fields[i].name))
            return &attr->fields[i];
    return attr->of ? attr->of : &any_attr;
}

static const struct sf_value *canon_list(const struct canon *c, const struct sf_attr *attr, const struct sf_value *v)
{
    const struct sf_attr *of = attr->of ? attr->of : &any_attr;
    struct sf_value *out = new_list(c, v->list.n);
    for (size_t i = 0; i < v->list.n; i++) {
        const struct sf_value *item = canon_value(c, of, v->list.items[i]);
        if (attr->equal == SF_EQUAL_CASE_FOLDED)
            item = lower_case(c, item);
        else if (attr->equal == SF_EQUAL_CIDR_SET)
            item = mask_cidr(c, item);
        out->list.items[i] = item;
    }
    if (attr->equal == SF_EQUAL_UNORDERED || attr->equal == SF_EQUAL_CIDR_SET)
        make_set(out);
    return out;
}

static const struct sf_value *canon_map(const struct canon *c, const struct sf_attr *attr, const struct sf_value *v)
{
    struct sf_value *out = sf_value_map(c->arena);
    for (size_t i = 0; i < v->map.n; i++) {
        const struct sf_value *item = v->map.pairs[i].value;
        if (item->type == SF_V_NULL && attr->type == SF_T_OBJECT) /* a field left out and a null one are one */
            continue;
        sf_map_add(c->arena, out, v->map.pairs[i].key, canon_value(c, attr_of_key(attr, v->map.pairs[i].key), item));
    }
    return out;
}

static const struct sf_value *canon_value(const struct canon *c, const struct sf_attr *attr, const struct sf_value *v)
{
    if (v->is_secret) {
        if (v->type != SF_V_STRING || !c->fingerprint)
            return v;
        return sf_value_fingerprint(c->arena, c->fingerprint(c->key, c->arena, v->s));
    }
    if (attr->equal == SF_EQUAL_IAM_POLICY)
        return canon_policy(c, v);
    if (attr->equal == SF_EQUAL_JSON)
        v = parsed(c, v);
    switch (v->type) {
    case SF_V_LIST:
        return canon_list(c, attr, v);
    case SF_V_MAP:
        return canon_map(c, attr, v);
    case SF_V_STRING:
        if (attr->equal == SF_EQUAL_CASE_FOLDED)
            return lower_case(c, v);
        return attr->equal == SF_EQUAL_CIDR_SET ? mask_cidr(c, v) : v;
    case SF_V_NULL:
    case SF_V_BOOL:
    case SF_V_INT:
    case SF_V_NUMBER:
    case SF_V_UNKNOWN:
    case SF_V_FINGERPRINT:
        return v;
    }
    return v;
}

bool sf_schema_equal(struct sf_arena *arena, const struct sf_attr *attr, const struct sf_value *a, const struct sf_value *b,
                     sf_fingerprint_fn *fingerprint, void *key)
{
    a = a ? a : &sf_null_value;
    b = b ? b : &sf_null_value;
    if (a == b && !sf_value_has_unknown(a, NULL))
        return true;
    if (a->is_secret == b->is_secret && sf_value_equal(a, b))
        return true;
    struct canon c = {arena, fingerprint, key};
    if (sf_value_has_unknown(a, NULL) || sf_value_has_unknown(b, NULL))
        return false;
    return sf_value_equal(canon_value(&c, attr, a), canon_value(&c, attr, b));
}
