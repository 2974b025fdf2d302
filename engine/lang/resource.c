/* Resource blocks: kind, attributes, lifecycle keys, world blocks, for_each. Nothing is evaluated here but for_each. */
#include "engine/lang/load.h"

#include <stdio.h>

enum { MAX_EACH_KEY = 128, MAX_TIMEOUT_S = 24 * 3600 };

static const char *const lifecycle_keys[] = {"kind",     "after", "protect", "on_remove", "ignore_changes", "timeouts", "adopt",
                                             "for_each", "skip",  "local",   "aws"};

/* One block while it is read. */
struct block {
    const struct sf_value *map;
    const struct sf_schema *schema;
    const struct sf_value *after;
    const struct sf_value *for_each;
    struct sf_resource common; /* what all instances share */
};

static bool is_lifecycle_key(struct sf_str key)
{
    for (size_t i = 0; i < SF_COUNT(lifecycle_keys); i++)
        if (sf_str_is(key, lifecycle_keys[i]))
            return true;
    return false;
}

static void unknown_kind(struct sf_loader *l, const struct sf_value *v)
{
    struct sf_str *names = SF_NEW_ARRAY(l->arena, sf_schemas_count, struct sf_str);
    for (size_t i = 0; i < sf_schemas_count; i++)
        names[i] = sf_str_of(sf_schemas[i]->kind);
    sf_diag_error(l->diags, "SF0212", v->mark, "there is no kind '%.*s'", SF_ARG(sf_str_slice(v->s, 0, 64)));
    sf_diag_help_nearest(l->diags, v->s, names, sf_schemas_count);
}

static void unknown_attribute(struct sf_loader *l, const struct sf_schema *schema, const struct sf_pair *pair, const char *block)
{
    struct sf_str *names = SF_NEW_ARRAY(l->arena, schema->n_attrs + SF_COUNT(lifecycle_keys), struct sf_str);
    size_t n = 0;
    for (size_t i = 0; i < schema->n_attrs; i++) {
        const struct sf_attr *attr = &schema->attrs[i];
        bool is_for_people = (!attr->is_computed && !attr->derive) || attr->is_assigned;
        if (is_for_people && (!block || !attr->world || strcmp(attr->world, block) == 0))
            names[n++] = sf_str_of(attr->name);
    }
    for (size_t i = 0; i < SF_COUNT(lifecycle_keys) && !block; i++)
        names[n++] = sf_str_of(lifecycle_keys[i]);
    sf_diag_error(l->diags, "SF0214", pair->key_mark, "unknown attribute '%.*s' of kind '%s'",
                  SF_ARG(sf_str_slice(pair->key, 0, 64)), schema->kind);
    sf_diag_help_nearest(l->diags, pair->key, names, n);
}

/* --- lifecycle keys --- */

static bool read_bool(struct sf_loader *l, const struct sf_value *v, const char *key)
{
    if (v->type == SF_V_STRING && (sf_str_is(v->s, "true") || sf_str_is(v->s, "false")))
        return v->s.p[0] == 't';
    sf_load_wrong(l, v, key, "true or false");
    return false;
}

static enum sf_on_remove read_on_remove(struct sf_loader *l, const struct sf_value *v)
{
    if (v->type == SF_V_STRING && sf_str_is(v->s, "forget"))
        return SF_ON_REMOVE_FORGET;
    if (v->type != SF_V_STRING || !sf_str_is(v->s, "destroy"))
        sf_load_wrong(l, v, "on_remove", "destroy or forget");
    return SF_ON_REMOVE_DESTROY;
}

/* "90", "90s", "30m", "2h" in seconds; 0 when it is none of these. */
static int duration_of(struct sf_str s)
{
    int64_t n, unit = 1;
    if (s.n && (s.p[s.n - 1] == 's' || s.p[s.n - 1] == 'm' || s.p[s.n - 1] == 'h')) {
        unit = s.p[s.n - 1] == 'h' ? 3600 : s.p[s.n - 1] == 'm' ? 60 : 1;
        s.n--;
    }
    if (!sf_str_int64(s, &n) || n < 1 || n > MAX_TIMEOUT_S / unit)
        return 0;
    return (int)(n * unit);
}

static void read_timeouts(struct sf_loader *l, const struct sf_value *v, struct sf_resource *resource)
{
    static const char *const keys[] = {"create", "update", "destroy"};
    int *const fields[] = {&resource->create_s, &resource->update_s, &resource->destroy_s};
    if (v->type != SF_V_MAP) {
        sf_load_wrong(l, v, "timeouts", "a map, as in {create: 30m}");
        return;
    }
    sf_load_check_keys(l, v, "'timeouts'", keys, SF_COUNT(keys));
    for (size_t i = 0; i < SF_COUNT(keys); i++) {
        const struct sf_value *timeout = sf_map_getz(v, keys[i]);
        if (!timeout)
            continue;
        *fields[i] = timeout->type == SF_V_STRING ? duration_of(timeout->s) : 0;
        if (!*fields[i])
            sf_load_wrong(l, timeout, keys[i], "a time of 1 second to 24 hours, as in 90s, 30m or 2h");
    }
}

static const struct sf_value *read_ignore_changes(struct sf_loader *l, const struct sf_schema *schema, const struct sf_value *v)
{
    if (v->type != SF_V_LIST) {
        sf_load_wrong(l, v, "ignore_changes", "a list of attribute names");
        return NULL;
    }
    for (size_t i = 0; i < v->list.n; i++) {
        const struct sf_value *item = v->list.items[i];
        struct sf_pair pair = {.key = item->type == SF_V_STRING ? item->s : SF_STR_NONE, .key_mark = item->mark};
        if (sf_schema_attr(schema, pair.key) < 0)
            unknown_attribute(l, schema, &pair, NULL);
    }
    return v;
}

static const struct sf_value *read_skip(struct sf_loader *l, const struct sf_value *v)
{
    bool ok = v->type == SF_V_MAP;
    for (size_t i = 0; ok && i < v->map.n; i++)
        ok = v->map.pairs[i].value->type == SF_V_STRING && v->map.pairs[i].value->s.n;
    if (ok)
        return v;
    sf_load_wrong(l, v, "skip", "a map of rules, each with the reason why it does not apply here");
    return NULL;
}

static void read_lifecycle(struct sf_loader *l, struct block *block, const struct sf_pair *pair)
{
    struct sf_resource *resource = &block->common;
    const struct sf_value *v = pair->value;
    if (sf_str_is(pair->key, "after"))
        block->after = v;
    else if (sf_str_is(pair->key, "for_each"))
        block->for_each = v;
    else if (sf_str_is(pair->key, "protect"))
        resource->is_protected = read_bool(l, v, "protect");
    else if (sf_str_is(pair->key, "on_remove"))
        resource->on_remove = read_on_remove(l, v);
    else if (sf_str_is(pair->key, "timeouts"))
        read_timeouts(l, v, resource);
    else if (sf_str_is(pair->key, "ignore_changes"))
        resource->ignore_changes = read_ignore_changes(l, block->schema, v);
    else if (sf_str_is(pair->key, "skip"))
        resource->skip = read_skip(l, v);
    else if (sf_str_is(pair->key, "adopt")) {
        if (v->type == SF_V_STRING && v->s.n)
            resource->adopt = v->s;
        else
            sf_load_wrong(l, v, "adopt", "the id of an existing object");
    }
}

/* --- attributes --- */

static void add_attribute(struct sf_loader *l, struct sf_value *attrs, const struct sf_pair *pair)
{
    const struct sf_pair *before = sf_map_pair(attrs, pair->key);
    if (before) { /* the world's block says it again: that one counts */
        attrs->map.pairs[before - attrs->map.pairs] = *pair;
        return;
    }
    sf_map_add(l->arena, attrs, pair->key, pair->value);
    attrs->map.pairs[attrs->map.n - 1].key_mark = pair->key_mark;
}

/* Whether a person may write this attribute. Reports. */
static bool may_write(struct sf_loader *l, const struct sf_schema *schema, const struct sf_attr *attr, const struct sf_pair *pair)
{
    if ((!attr->is_computed && !attr->derive) || attr->is_assigned)
        return true;
    sf_diag_error(l->diags, "SF0216", pair->key_mark, "attribute '%s' of kind '%s' cannot be set: it is %s", attr->name,
                  schema->kind, attr->derive ? "derived from the others" : "chosen by the provider");
    return false;
}

/* The block of one world inside a resource. What the other world has is only checked as far as the schema knows it. */
static void read_world(struct sf_loader *l, struct block *block, const struct sf_pair *world, struct sf_value *attrs)
{
    bool is_active = sf_str_eq(world->key, l->stack->provider);
    if (world->value->type != SF_V_MAP) {
        sf_load_wrong(l, world->value, world->key.p, "a map of attributes");
        return;
    }
    for (size_t i = 0; i < world->value->map.n; i++) {
        const struct sf_pair *pair = &world->value->map.pairs[i];
        int index = sf_schema_attr(block->schema, pair->key);
        const struct sf_attr *attr = index < 0 ? NULL : &block->schema->attrs[index];
        if (!attr) {
            if (is_active)
                unknown_attribute(l, block->schema, pair, world->key.p);
            continue;
        }
        if (attr->world && !sf_str_is(world->key, attr->world)) {
            sf_diag_error(l->diags, "SF0217", pair->key_mark, "attribute '%s' of kind '%s' exists only under '%s:'", attr->name,
                          block->schema->kind, attr->world);
            continue;
        }
        if (!may_write(l, block->schema, attr, pair))
            continue;
        const struct sf_value *typed;
        if (is_active)
            add_attribute(l, attrs, pair);
        else if (!sf_parts_any_in(pair->value) && attr->type != SF_T_REF &&
                 !attr->is_secret) /* complaints are all that is wanted */
            (void)!sf_schema_type(l->arena, attr, attr->name, pair->value, l->diags, &typed);
    }
}

static void read_attribute(struct sf_loader *l, struct block *block, const struct sf_pair *pair, struct sf_value *attrs)
{
    int index = sf_schema_attr(block->schema, pair->key);
    if (index < 0) {
        unknown_attribute(l, block->schema, pair, NULL);
        return;
    }
    const struct sf_attr *attr = &block->schema->attrs[index];
    if (attr->world) {
        sf_diag_error(l->diags, "SF0217", pair->key_mark, "attribute '%s' of kind '%s' exists only on provider '%s'", attr->name,
                      block->schema->kind, attr->world);
        sf_diag_help(l->diags, "write it as '%s: {%s: ...}'", attr->world, attr->name);
    } else if (may_write(l, block->schema, attr, pair)) {
        add_attribute(l, attrs, pair);
    }
}

static bool read_block(struct sf_loader *l, const struct sf_pair *pair, struct block *block)
{
    const struct sf_value *map = pair->value;
    if (map->type != SF_V_MAP) {
        sf_diag_error(l->diags, "SF0203", map->mark, "resource '%s' must be a map with 'kind:'", pair->key.p);
        return false;
    }
    const struct sf_value *kind = sf_map_getz(map, "kind");
    if (!kind || kind->type != SF_V_STRING) {
        sf_diag_error(l->diags, "SF0211", pair->key_mark, "resource '%s' has no kind", pair->key.p);
        sf_diag_help(l->diags, "say what it is, as in 'kind: bucket'");
        return false;
    }
    block->map = map;
    block->schema = sf_schema_find(kind->s);
    if (!block->schema) {
        unknown_kind(l, kind);
        return false;
    }
    struct sf_value *attrs = sf_value_map(l->arena);
    const struct sf_pair *world = NULL;
    for (size_t i = 0; i < map->map.n; i++) {
        const struct sf_pair *entry = &map->map.pairs[i];
        if (!is_lifecycle_key(entry->key))
            read_attribute(l, block, entry, attrs);
        else if (!sf_str_is(entry->key, "local") && !sf_str_is(entry->key, "aws"))
            read_lifecycle(l, block, entry);
        else if (sf_str_eq(entry->key, l->stack->provider))
            world = entry; /* last, for it overrides */
        else
            read_world(l, block, entry, attrs);
    }
    if (world)
        read_world(l, block, world, attrs);
    block->common.schema = block->schema;
    block->common.attrs = attrs;
    block->common.mark = pair->key_mark;
    return true;
}

/* --- instances --- */

static void add_resource(struct sf_loader *l, const struct block *block, struct sf_str name)
{
    struct sf_stack *stack = l->stack;
    if (stack->n_resources >= SF_MAX_RESOURCES) {
        if (stack->n_resources == SF_MAX_RESOURCES)
            sf_diag_error(l->diags, "SF0218", block->common.mark, "more than %d resources", SF_MAX_RESOURCES);
        stack->n_resources = SF_MAX_RESOURCES;
        return;
    }
    if (stack->n_resources == l->cap_resources) {
        size_t cap = l->cap_resources ? l->cap_resources * 2 : 64;
        struct sf_resource *grown = SF_NEW_ARRAY(l->arena, cap, struct sf_resource);
        const struct sf_value **after = SF_NEW_ARRAY(l->arena, cap, const struct sf_value *);
        if (stack->n_resources) {
            memcpy(grown, stack->resources, stack->n_resources * sizeof(*grown));
            memcpy(after, l->after, stack->n_resources * sizeof(struct sf_value *));
        }
        stack->resources = grown;
        l->after = after;
        l->cap_resources = cap;
    }
    struct sf_resource *resource = &stack->resources[stack->n_resources];
    *resource = block->common;
    resource->name = name;
    resource->address = sf_str_fmt(l->arena, "%s.%.*s", block->schema->kind, SF_ARG(name));
    l->after[stack->n_resources++] = block->after;
}

static bool is_good_each_key(struct sf_str key)
{
    if (!key.n || key.n > MAX_EACH_KEY)
        return false;
    for (size_t i = 0; i < key.n; i++)
        if ((unsigned char)key.p[i] < 0x20 || key.p[i] == 0x7f || strchr("\"'\\[]${}", key.p[i]))
            return false;
    return true;
}

static void add_instance(struct sf_loader *l, struct block *block, struct sf_str name, struct sf_map *seen, struct sf_str key,
                         const struct sf_value *each)
{
    static char present;
    if (!is_good_each_key(key)) {
        sf_diag_error(l->diags, "SF0219", each->mark, "for_each: '%.*s' cannot be a key", SF_ARG(sf_str_slice(key, 0, 64)));
        sf_diag_help(l->diags, "a key is 1 to %d characters without quotes, brackets, braces, '$' and '\\'", MAX_EACH_KEY);
        return;
    }
    if (sf_map_find(seen, key)) {
        sf_diag_error(l->diags, "SF0219", each->mark, "for_each: '%.*s' is there twice", SF_ARG(key));
        return;
    }
    sf_map_put(seen, key, &present);
    block->common.each = each;
    block->common.each_key = key;
    add_resource(l, block, sf_str_fmt(l->arena, "%.*s[\"%.*s\"]", SF_ARG(name), SF_ARG(key)));
}

static void add_instances(struct sf_loader *l, struct block *block, struct sf_str name)
{
    const struct sf_value *all;
    struct sf_map *seen = sf_map_new(l->arena);
    if (sf_load_eval(l, NULL, block->for_each, &all))
        return;
    if (all->type == SF_V_UNKNOWN || sf_value_has_secret(all)) {
        sf_diag_error(l->diags, "SF0219", block->for_each->mark, "for_each cannot use a secret");
        return;
    }
    if (all->type == SF_V_MAP) {
        for (size_t i = 0; i < all->map.n; i++)
            add_instance(l, block, name, seen, all->map.pairs[i].key, all->map.pairs[i].value);
        return;
    }
    if (all->type != SF_V_LIST) {
        sf_load_wrong(l, block->for_each, "for_each", "a list or a map, or a variable that is one");
        return;
    }
    for (size_t i = 0; i < all->list.n; i++) {
        const struct sf_value *item = all->list.items[i];
        if (item->type == SF_V_STRING)
            add_instance(l, block, name, seen, item->s, item);
        else if (item->type == SF_V_INT)
            add_instance(l, block, name, seen, sf_str_fmt(l->arena, "%lld", (long long)item->i), item);
        else {
            sf_diag_error(l->diags, "SF0219", item->mark, "for_each: the items of a list must be texts");
            sf_diag_help(l->diags, "use a map when each one has several values: its keys name the resources");
        }
    }
}

void sf_load_resources(struct sf_loader *l, const struct sf_value *block)
{
    if (!block || (block->type == SF_V_STRING && block->is_plain && !block->s.n))
        return;
    if (block->type != SF_V_MAP) {
        sf_load_wrong(l, block, "resources", "a map");
        return;
    }
    struct sf_str *names = SF_NEW_ARRAY(l->arena, l->n_names + block->map.n, struct sf_str);
    if (l->n_names)
        memcpy(names, l->names, l->n_names * sizeof(*names));
    l->names = names;
    for (size_t i = 0; i < block->map.n; i++) {
        const struct sf_pair *pair = &block->map.pairs[i];
        const struct sf_block *before = sf_map_find(l->blocks, pair->key);
        if (before) {
            sf_diag_error(l->diags, "SF0103", pair->key_mark, "resource '%s' is already at %s:%u", pair->key.p, before->mark.file,
                          before->mark.line);
            continue;
        }
        if (sf_load_check_name(l, pair, "a resource"))
            continue;
        struct sf_block *known = SF_NEW(l->arena, struct sf_block);
        *known = (struct sf_block){.mark = pair->key_mark, .name = pair->key};
        sf_map_put(l->blocks, pair->key, known);
        names[l->n_names++] = pair->key;
        struct block read = {.map = NULL};
        if (!read_block(l, pair, &read))
            continue;
        known->has_each = read.for_each != NULL;
        known->is_read = true;
        if (read.for_each)
            add_instances(l, &read, pair->key);
        else
            add_resource(l, &read, pair->key);
    }
}
