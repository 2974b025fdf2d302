/* Who needs whom: every reference in attributes, `after` and outputs is found, checked against names and schemas, and becomes an
 * edge; then cycles are looked for. Cost is linear in the text and the edges: a stamp per resource keeps edges distinct. */
#include "engine/lang/load.h"

#include <stdlib.h>

enum { MAX_CYCLE_NAMES = 10 };

struct walker {
    struct sf_loader *l;
    struct sf_resource *self; /* NULL in an output */
    const char *attr;         /* the attribute that is walked: what people call its items by */
    struct sf_resource **found;
    size_t n, cap;
    size_t *stamps; /* per resource: 1 + the index of the resource that it was last found for */
};

static size_t index_of(const struct sf_stack *stack, const struct sf_resource *resource)
{
    return (size_t)(resource - stack->resources);
}

static void add_edge(struct walker *w, struct sf_resource *target, struct sf_mark where)
{
    if (!w->self)
        return;
    if (target == w->self) {
        sf_diag_error(w->l->diags, "SF0411", where, "'%.*s' refers to itself", SF_ARG(target->name));
        return;
    }
    size_t *stamp = &w->stamps[index_of(w->l->stack, target)], mine = index_of(w->l->stack, w->self) + 1;
    if (*stamp == mine)
        return;
    *stamp = mine;
    if (w->n == w->cap) {
        w->cap = w->cap ? w->cap * 2 : 64;
        struct sf_resource **grown = realloc(w->found, w->cap * sizeof(struct sf_resource *));
        if (!grown)
            sf_out_of_memory();
        w->found = grown;
    }
    w->found[w->n++] = target;
}

/* --- names --- */

/* The block's name without ["key"]. */
static struct sf_str base_of(struct sf_str name)
{
    return sf_str_slice(name, 0, sf_str_find(name, SF_STR("[")));
}

static void unknown_name(struct sf_loader *l, struct sf_str name, struct sf_mark where)
{
    const struct sf_block *block = sf_map_find(l->blocks, base_of(name));
    if (block && !block->is_read)
        return; /* it is there, with an error of its own */
    if (block && block->has_each && sf_str_eq(base_of(name), name)) {
        sf_diag_error(l->diags, "SF0402", where, "'%.*s' has for_each: one of its resources must be named", SF_ARG(name));
        sf_diag_help(l->diags, "as in %.*s['KEY']", SF_ARG(name));
        return;
    }
    if (block && block->has_each) {
        sf_diag_error(l->diags, "SF0402", where, "for_each of '%.*s' makes no %.*s", SF_ARG(block->name), SF_ARG(name));
        return;
    }
    if (block) {
        sf_diag_error(l->diags, "SF0402", where, "'%.*s' has no for_each, so it has no keys", SF_ARG(block->name));
        return;
    }
    sf_diag_error(l->diags, "SF0402", where, "there is no resource '%.*s'", SF_ARG(sf_str_slice(name, 0, 64)));
    sf_diag_help_nearest(l->diags, name, l->names, l->n_names);
}

/* "landing-write" or "Landing_Write" was meant to be landing_write. */
static const struct sf_block *meant(struct sf_loader *l, struct sf_str text)
{
    char name[64];
    if (!text.n || text.n > sizeof(name))
        return NULL;
    for (size_t i = 0; i < text.n; i++) {
        char c = text.p[i];
        name[i] = c == '-' ? '_' : c >= 'A' && c <= 'Z' ? (char)(c - 'A' + 'a') : c;
    }
    return sf_map_find(l->blocks, (struct sf_str){name, text.n});
}

static bool is_literal_id(struct sf_str s)
{
    for (size_t i = 0; i < s.n; i++)
        if (strchr("-:/.", s.p[i]) && s.p[i])
            return true;
    return false;
}

static void check_kind(struct walker *w, const struct sf_attr *attr, const struct sf_resource *target, struct sf_mark where)
{
    struct sf_loader *l = w->l;
    struct sf_buf kinds = SF_BUF(512);
    for (size_t i = 0; attr->to && attr->to[i]; i++) {
        if (strcmp(attr->to[i], target->schema->kind) == 0) {
            sf_buf_free(&kinds);
            return;
        }
        sf_buf_addf(&kinds, "%s'%s'", i ? ", " : "", attr->to[i]);
    }
    if (attr->to) {
        sf_diag_error(l->diags, "SF0410", where, "%s: '%.*s' is a %s", w->attr, SF_ARG(target->name), target->schema->kind);
        sf_diag_help(l->diags, "a resource of kind %.*s belongs here", SF_ARG(sf_buf_str(&kinds)));
    }
    sf_buf_free(&kinds);
}

/* A bare name, or an id, in a ref attribute. */
static void check_ref(struct walker *w, const struct sf_attr *attr, const struct sf_value *v)
{
    struct sf_loader *l = w->l;
    struct sf_str name;
    if (sf_parse_resource_name(l->arena, v->s, &name)) {
        struct sf_resource *target = sf_map_find(l->stack->by_name, name);
        if (!target) {
            unknown_name(l, name, v->mark);
            return;
        }
        check_kind(w, attr, target, v->mark);
        add_edge(w, target, v->mark);
        return;
    }
    const struct sf_block *block = meant(l, v->s);
    if (!block && is_literal_id(v->s))
        return;
    sf_diag_error(l->diags, "SF0402", v->mark, "%s: '%.*s' is neither the name of a resource nor an id", w->attr,
                  SF_ARG(sf_str_slice(v->s, 0, 64)));
    if (block)
        sf_diag_help(l->diags, "did you mean '%.*s'?", SF_ARG(block->name));
    else
        sf_diag_help_nearest(l->diags, v->s, l->names, l->n_names);
}

/* --- ${...} --- */

static void would_show(struct walker *w, const struct sf_part *part, struct sf_mark where)
{
    sf_diag_error(w->l->diags, "SF0226", where, "'%.*s' is a secret, and attribute '%s' is not", SF_ARG(part->text), w->attr);
    sf_diag_help(w->l->diags, "a secret may be used only in an attribute that is kept secret");
}

static void check_resource_part(struct walker *w, const struct sf_attr *attr, const struct sf_part *part, struct sf_mark where)
{
    struct sf_loader *l = w->l;
    struct sf_resource *target = sf_map_find(l->stack->by_name, part->name);
    if (!target) {
        unknown_name(l, part->name, where);
        return;
    }
    add_edge(w, target, where);
    if (sf_str_is(part->attr, "id"))
        return;
    const struct sf_schema *schema = target->schema;
    int index = sf_schema_attr(schema, part->attr);
    if (index < 0) {
        struct sf_str *names = SF_NEW_ARRAY(l->arena, schema->n_attrs, struct sf_str);
        for (size_t i = 0; i < schema->n_attrs; i++)
            names[i] = sf_str_of(schema->attrs[i].name);
        sf_diag_error(l->diags, "SF0409", where, "%s '%.*s' has no attribute '%.*s'", schema->kind, SF_ARG(target->name),
                      SF_ARG(part->attr));
        sf_diag_help_nearest(l->diags, part->attr, names, schema->n_attrs);
        return;
    }
    if (schema->attrs[index].is_secret && !attr->is_secret && attr->type != SF_T_ANY)
        would_show(w, part, where);
}

static void check_part(struct walker *w, const struct sf_attr *attr, const struct sf_part *part, struct sf_mark where)
{
    struct sf_loader *l = w->l;
    switch (part->type) {
    case SF_PART_RESOURCE:
        check_resource_part(w, attr, part, where);
        return;
    case SF_PART_VAR: {
        const struct sf_variable *variable = sf_map_find(l->stack->variable_by_name, part->name);
        if (variable && variable->is_secret && !attr->is_secret && attr->type != SF_T_ANY)
            would_show(w, part, where);
        if (variable)
            return;
        struct sf_str *names = SF_NEW_ARRAY(l->arena, l->stack->n_variables, struct sf_str);
        for (size_t i = 0; i < l->stack->n_variables; i++)
            names[i] = l->stack->variables[i].name;
        sf_diag_error(l->diags, "SF0403", where, "there is no variable '%.*s'", SF_ARG(part->name));
        sf_diag_help_nearest(l->diags, part->name, names, l->stack->n_variables);
        return;
    }
    case SF_PART_EACH:
        if (!w->self || !w->self->each)
            sf_diag_error(l->diags, "SF0407", where, "'%.*s' has a meaning only in a resource with for_each", SF_ARG(part->text));
        return;
    case SF_PART_TEXT:
    case SF_PART_STACK:
    case SF_PART_PROVIDER:
    case SF_PART_FILE:
        return;
    }
}

static void check_text(struct walker *w, const struct sf_attr *attr, const struct sf_value *v, bool in_json)
{
    struct sf_part part;
    struct sf_part_error error;
    size_t at = 0;
    enum sf_code rc;
    while ((rc = sf_part_next(w->l->arena, v->s, &at, in_json, &part, &error)) == SF_OK)
        if (part.type != SF_PART_TEXT)
            check_part(w, attr, &part, sf_part_mark(v, part.at, part.text.n));
    if (rc == SF_E_CONFIG)
        sf_part_complain(w->l->diags, v, &error);
}

/* Whether all of a text is known at load: variables that are no secrets, stack.name, each.*. */
static bool is_static(const struct walker *w, const struct sf_value *v)
{
    struct sf_part part;
    struct sf_part_error error;
    size_t at = 0;
    enum sf_code rc;
    while ((rc = sf_part_next(w->l->arena, v->s, &at, false, &part, &error)) == SF_OK) {
        const struct sf_variable *variable =
            part.type == SF_PART_VAR ? sf_map_find(w->l->stack->variable_by_name, part.name) : NULL;
        if (part.type == SF_PART_RESOURCE || part.type == SF_PART_PROVIDER || part.type == SF_PART_FILE)
            return false;
        if (part.type == SF_PART_VAR && (!variable || !variable->value || variable->is_secret))
            return false;
        if (part.type == SF_PART_EACH && (!w->self || !w->self->each))
            return false;
    }
    return rc == SF_E_ABSENT;
}

/* --- values, by schema --- */

static const struct sf_value *walk(struct walker *w, const struct sf_attr *attr, const struct sf_value *v, bool in_json);

static const struct sf_value *walk_list(struct walker *w, const struct sf_attr *of, const struct sf_value *v, bool in_json)
{
    struct sf_value *copy = NULL;
    for (size_t i = 0; i < v->list.n; i++) {
        const struct sf_value *item = walk(w, of, v->list.items[i], in_json);
        if (item == v->list.items[i])
            continue;
        if (!copy) {
            copy = SF_NEW(w->l->arena, struct sf_value);
            *copy = *v;
            copy->list.items = SF_NEW_ARRAY(w->l->arena, v->list.n, const struct sf_value *);
            memcpy(copy->list.items, v->list.items, v->list.n * sizeof(struct sf_value *));
        }
        copy->list.items[i] = item;
    }
    return copy ? copy : v;
}

static const struct sf_attr *field_of(const struct sf_attr *attr, const struct sf_attr *otherwise, struct sf_str key)
{
    for (size_t i = 0; i < attr->n_fields; i++)
        if (sf_str_is(key, attr->fields[i].name))
            return &attr->fields[i];
    return otherwise;
}

static const struct sf_value *walk_map(struct walker *w, const struct sf_attr *attr, const struct sf_attr *of,
                                       const struct sf_value *v, bool in_json)
{
    struct sf_value *copy = NULL;
    for (size_t i = 0; i < v->map.n; i++) {
        const struct sf_pair *pair = &v->map.pairs[i];
        const struct sf_value *item = walk(w, field_of(attr, of, pair->key), pair->value, in_json);
        if (item == pair->value)
            continue;
        if (!copy) {
            copy = SF_NEW(w->l->arena, struct sf_value);
            *copy = *v;
            copy->map.cap = v->map.n;
            copy->map.pairs = SF_NEW_ARRAY(w->l->arena, v->map.n, struct sf_pair);
            memcpy(copy->map.pairs, v->map.pairs, v->map.n * sizeof(struct sf_pair));
        }
        copy->map.pairs[i].value = item;
    }
    return copy ? copy : v;
}

/* Checks all references in a value. What comes back is the value itself, or a copy in which names in refs are evaluated: a name
 * must be known at load, for it is an edge. */
static const struct sf_value *walk(struct walker *w, const struct sf_attr *attr, const struct sf_value *v, bool in_json)
{
    bool holds_refs = attr->type == SF_T_REF || (attr->of && attr->of->type == SF_T_REF);
    if (v->type == SF_V_STRING && sf_parts_any(v->s)) {
        const struct sf_value *value;
        if (!holds_refs || !is_static(w, v)) {
            check_text(w, attr, v, in_json || attr->type == SF_T_JSON);
            return v;
        }
        if (sf_load_eval(w->l, w->self, v, &value))
            return v;
        v = value;
    }
    if (v->type == SF_V_STRING) {
        if (attr->type == SF_T_REF && v->s.n && !sf_parts_any(v->s) &&
            !(v->is_plain && (sf_str_is(v->s, "null") || sf_str_is(v->s, "~"))))
            check_ref(w, attr, v);
        return v;
    }
    in_json = in_json || attr->type == SF_T_JSON;
    /* inside any and json the attribute stays what it is, and what a secret one holds is secret */
    const struct sf_attr *of = attr->of && !attr->is_secret ? attr->of : attr;
    if (v->type == SF_V_LIST)
        return walk_list(w, of, v, in_json);
    if (v->type == SF_V_MAP)
        return walk_map(w, attr, of, v, in_json);
    return v;
}

static void walk_after(struct walker *w, const struct sf_value *after)
{
    static const struct sf_attr any_kind = {.name = "after", .type = SF_T_REF};
    w->attr = "after";
    if (after->type != SF_V_LIST && after->type != SF_V_STRING) {
        sf_load_wrong(w->l, after, "after", "a list of names of resources");
        return;
    }
    const struct sf_value *const one[] = {after};
    const struct sf_value *const *items = after->type == SF_V_LIST ? after->list.items : one;
    for (size_t i = 0; i < (after->type == SF_V_LIST ? after->list.n : 1); i++) {
        struct sf_str name;
        if (items[i]->type != SF_V_STRING ||
            (!sf_parts_any(items[i]->s) && !sf_parse_resource_name(w->l->arena, items[i]->s, &name)))
            sf_load_wrong(w->l, items[i], "after", "a list of names of resources");
        else
            walk(w, &any_kind, items[i], false);
    }
}

static void walk_resource(struct walker *w, size_t index)
{
    struct sf_resource *resource = w->self = &w->l->stack->resources[index];
    const struct sf_value *attrs = resource->attrs;
    struct sf_value *copy = NULL;
    w->n = 0;
    for (size_t i = 0; i < attrs->map.n; i++) {
        const struct sf_pair *pair = &attrs->map.pairs[i];
        const struct sf_attr *attr = &resource->schema->attrs[sf_schema_attr(resource->schema, pair->key)];
        w->attr = attr->name;
        const struct sf_value *v = walk(w, attr, pair->value, false);
        if (v == pair->value)
            continue;
        if (!copy) { /* the instances of a for_each share their attributes */
            copy = SF_NEW(w->l->arena, struct sf_value);
            *copy = *attrs;
            copy->map.cap = attrs->map.n;
            copy->map.pairs = SF_NEW_ARRAY(w->l->arena, attrs->map.n, struct sf_pair);
            memcpy(copy->map.pairs, attrs->map.pairs, attrs->map.n * sizeof(struct sf_pair));
        }
        copy->map.pairs[i].value = v;
    }
    if (copy)
        resource->attrs = copy;
    if (w->l->after[index])
        walk_after(w, w->l->after[index]);
    resource->deps = SF_NEW_ARRAY(w->l->arena, w->n, struct sf_resource *);
    resource->n_deps = w->n;
    if (w->n)
        memcpy(resource->deps, w->found, w->n * sizeof(struct sf_resource *));
}

/* --- cycles --- */

struct visit {
    struct sf_resource *resource;
    size_t next; /* index into its deps */
};

static void report_cycle(struct sf_loader *l, const struct visit *path, size_t n)
{
    struct sf_buf names = SF_BUF(SF_MAX_MESSAGE_BYTES), places = SF_BUF(SF_MAX_MESSAGE_BYTES);
    for (size_t i = 0; i < n; i++) {
        const struct sf_resource *resource = path[i].resource;
        if (i == MAX_CYCLE_NAMES) {
            sf_buf_addf(&names, "... (%zu more) -> ", n - i);
            break;
        }
        sf_buf_addf(&names, "%.*s -> ", SF_ARG(resource->name));
        sf_buf_addf(&places, "%s'%.*s' at %s:%u", i ? ", " : "", SF_ARG(resource->name), resource->mark.file, resource->mark.line);
    }
    sf_diag_error(l->diags, "SF0412", path[0].resource->mark, "resources need each other in a circle: %.*s%.*s",
                  SF_ARG(sf_buf_str(&names)), SF_ARG(path[0].resource->name));
    sf_diag_help(l->diags, "one of these references must go: %.*s", SF_ARG(sf_buf_str(&places)));
    sf_buf_free(&names);
    sf_buf_free(&places);
}

/* Depth first with a stack of its own: a chain of 100,000 must not be a recursion. */
static void find_cycles(struct sf_loader *l)
{
    enum { WHITE, GREY, BLACK };
    size_t n = l->stack->n_resources;
    unsigned char *color = SF_NEW_ARRAY(l->arena, n, unsigned char);
    struct visit *path = SF_NEW_ARRAY(l->arena, n, struct visit);
    for (size_t i = 0; i < n; i++) {
        if (color[i] != WHITE)
            continue;
        size_t depth = 0;
        path[depth++] = (struct visit){&l->stack->resources[i], 0};
        color[i] = GREY;
        while (depth) {
            struct visit *top = &path[depth - 1];
            if (top->next == top->resource->n_deps) {
                color[index_of(l->stack, top->resource)] = BLACK;
                depth--;
                continue;
            }
            struct sf_resource *target = top->resource->deps[top->next++];
            unsigned char *state = &color[index_of(l->stack, target)];
            if (*state == WHITE) {
                *state = GREY;
                path[depth++] = (struct visit){target, 0};
            } else if (*state == GREY) {
                size_t from = depth - 1;
                while (path[from].resource != target)
                    from--;
                report_cycle(l, path + from, depth - from);
            }
        }
    }
}

void sf_load_references(struct sf_loader *l)
{
    static const struct sf_attr any = {.name = "output", .type = SF_T_ANY};
    struct sf_stack *stack = l->stack;
    struct walker w = {.l = l, .stamps = SF_NEW_ARRAY(l->arena, stack->n_resources, size_t)};
    for (size_t i = 0; i < stack->n_resources; i++)
        sf_map_put(stack->by_name, stack->resources[i].name, &stack->resources[i]);
    for (size_t i = 0; i < stack->n_resources; i++)
        walk_resource(&w, i);
    w.self = NULL;
    w.attr = "outputs";
    for (size_t i = 0; i < stack->n_outputs; i++)
        walk(&w, &any, stack->outputs[i].raw, false);
    free(w.found);
    find_cycles(l);
}
