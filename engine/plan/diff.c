/* One node: what is wanted, recorded and actual, and the action that follows. Pure. See graph.h. */
#include "engine/plan/graph.h"

#include <stdio.h>

const struct sf_value *sf_node_attribute(struct sf_arena *arena, const struct sf_node *node, struct sf_str attr)
{
    struct sf_str source = sf_str_fmt(arena, "%.*s.%.*s", SF_ARG(node->name), SF_ARG(attr));
    if (sf_str_is(attr, "id"))
        return node->planned.id.n ? sf_value_str(arena, node->planned.id) : sf_value_unknown(arena, source);
    if (!node->planned.attrs)
        return sf_value_unknown(arena, source);
    const struct sf_value *v = sf_map_get(node->planned.attrs, attr);
    return v ? v : &sf_null_value;
}

struct scope_ctx {
    struct sf_graph *graph;
    struct sf_arena *arena;
};

static const struct sf_value *scope_attribute(void *ctx, const struct sf_resource *resource, struct sf_str attr)
{
    struct scope_ctx *scope = ctx;
    const struct sf_node *node = sf_map_find(scope->graph->by_address, resource->address);
    return sf_node_attribute(scope->arena, node, attr);
}

static struct sf_scope scope_of(struct sf_graph *graph, const struct sf_resource *self, struct scope_ctx *ctx)
{
    return (struct sf_scope){.stack = graph->stack,
                             .account = graph->site->account,
                             .region = graph->site->region,
                             .self = self,
                             .attribute = scope_attribute,
                             .ctx = ctx};
}

static struct sf_str address_of_name(const struct sf_graph *graph, struct sf_str name)
{
    const struct sf_resource *target = sf_map_find(graph->stack->by_name, name);
    return target ? target->address : name;
}

/* Reference names to addresses: state must find its way without the stack file. */
static struct sf_value *refs_to_addresses(struct sf_graph *graph, struct sf_arena *arena, const struct sf_value *names)
{
    struct sf_value *refs = sf_value_map(arena);
    for (size_t i = 0; names && i < names->map.n; i++) {
        const struct sf_value *v = names->map.pairs[i].value;
        if (v->type == SF_V_STRING) {
            v = sf_value_str(arena, address_of_name(graph, v->s));
        } else if (v->type == SF_V_LIST) {
            const struct sf_value **items = SF_NEW_ARRAY(arena, v->list.n, const struct sf_value *);
            for (size_t j = 0; j < v->list.n; j++)
                items[j] = v->list.items[j]->type == SF_V_STRING ? sf_value_str(arena, address_of_name(graph, v->list.items[j]->s))
                                                                 : v->list.items[j];
            v = sf_value_list(arena, items, v->list.n);
        }
        sf_map_add(arena, refs, names->map.pairs[i].key, v);
    }
    return refs;
}

/* The stack's own tags reach every kind that has an attribute `tags`; the resource's own win. */
static void add_stack_tags(const struct sf_graph *graph, const struct sf_node *node, struct sf_arena *arena, struct sf_value *want)
{
    static const char name[] = "tags";
    const struct sf_value *tags = graph->stack->tags, *own = sf_map_getz(want, name);
    int index = sf_schema_attr(node->schema, SF_STR(name));
    if (index < 0 || !tags || !tags->map.n || (own && own->type != SF_V_MAP))
        return;
    struct sf_value *all = sf_value_map(arena);
    for (size_t i = 0; i < tags->map.n; i++)
        sf_map_set(arena, all, tags->map.pairs[i].key, tags->map.pairs[i].value);
    for (size_t i = 0; own && i < own->map.n; i++)
        sf_map_set(arena, all, own->map.pairs[i].key, own->map.pairs[i].value);
    sf_map_set(arena, want, SF_STR(name), all);
}

enum sf_code sf_node_evaluate_into(struct sf_graph *graph, struct sf_node *node, struct sf_arena *arena, struct sf_value **want,
                                   struct sf_value **refs)
{
    struct scope_ctx ctx = {graph, arena};
    struct sf_scope scope = scope_of(graph, node->resource, &ctx);
    struct sf_value *names = NULL;
    enum sf_code rc = sf_resource_eval(arena, &scope, node->resource, graph->diags, want, &names);
    if (rc)
        return rc;
    add_stack_tags(graph, node, arena, *want);
    *refs = refs_to_addresses(graph, arena, names);
    return SF_OK;
}

enum sf_code sf_node_evaluate(struct sf_graph *graph, struct sf_node *node)
{
    return sf_node_evaluate_into(graph, node, graph->arena, &node->want, &node->refs);
}

static void fill_object(struct sf_graph *graph, struct sf_object *object, struct sf_node **deps, size_t n, bool planned)
{
    const struct sf_object **list = SF_NEW_ARRAY(graph->arena, n, const struct sf_object *);
    for (size_t i = 0; i < n; i++)
        list[i] = planned ? &deps[i]->planned : &deps[i]->now;
    object->deps = list;
    object->n_deps = n;
}

void sf_node_prepare_now(struct sf_graph *graph, struct sf_node *node)
{
    const struct sf_recorded *row = node->recorded;
    if (row) {
        node->now.id = row->id;
        node->now.attrs = row->attrs;
        node->now.refs = row->refs;
    } else if (node->intent) {
        node->now.id = node->intent->made_id;
        node->now.attrs = node->intent->want;
        node->now.refs = node->intent->refs;
    }
    fill_object(graph, &node->now, node->recorded_deps, node->n_recorded_deps, false);
}

void sf_node_prepare_planned(struct sf_graph *graph, struct sf_node *node)
{
    node->planned.id = node->recorded ? node->recorded->id : SF_STR_NONE;
    node->planned.attrs = node->want;
    node->planned.refs = node->refs;
    fill_object(graph, &node->planned, node->deps, node->n_deps, true);
}

static bool is_renewed(const struct sf_node *container)
{
    return container && (container->action == SF_CREATE || container->action == SF_REPLACE);
}

bool sf_node_wants_read(const struct sf_graph *graph, const struct sf_node *node)
{
    if (!node->recorded || !node->driver->read || graph->options.no_refresh || !node->is_targeted)
        return false;
    const struct sf_node *container = node->container;
    if (!container)
        return true;
    if (is_renewed(container) || container->seen == SF_SEEN_ABSENT)
        return false;
    bool goes_along = container->action == SF_DELETE && node->schema->with_container == SF_FORGET_WITH_CONTAINER;
    return !goes_along;
}

static bool same(struct sf_graph *graph, const struct sf_attr *attr, const struct sf_value *a, const struct sf_value *b)
{
    if (a == b)
        return true;
    if (!a || !b)
        return false;
    return sf_schema_equal(graph->arena, attr, a, b, graph->fingerprint, graph->fingerprint_key);
}

struct sf_value *sf_node_merge(struct sf_graph *graph, struct sf_arena *arena, const struct sf_schema *schema,
                               const struct sf_value *want, const struct sf_value *reported, const struct sf_value *earlier)
{
    struct sf_value *merged = sf_value_map(arena);
    for (size_t i = 0; i < schema->n_attrs; i++) {
        const struct sf_attr *attr = &schema->attrs[i];
        const struct sf_value *w = sf_map_getz(want, attr->name);
        const struct sf_value *r = sf_map_getz(reported, attr->name);
        const struct sf_value *e = sf_map_getz(earlier, attr->name);
        const struct sf_value *chosen = w ? w : r ? r : e;
        if (w && r && !sf_schema_equal(arena, attr, w, r, graph->fingerprint, graph->fingerprint_key))
            chosen = r;
        if (chosen && chosen->type != SF_V_NULL && chosen->type != SF_V_UNKNOWN)
            sf_map_add(arena, merged, sf_str_of(attr->name), chosen);
    }
    return merged;
}

static bool is_ignored(const struct sf_node *node, const struct sf_attr *attr)
{
    const struct sf_value *names = node->resource ? node->resource->ignore_changes : NULL;
    for (size_t i = 0; names && i < names->list.n; i++)
        if (sf_str_is(names->list.items[i]->s, attr->name) || sf_str_is(names->list.items[i]->s, "all"))
            return true;
    return attr->on_change == SF_CHANGE_IGNORE;
}

static void add_change(struct sf_change **list, size_t *n, const struct sf_attr *attr, const struct sf_value *before,
                       const struct sf_value *after, bool forces)
{
    (*list)[(*n)++] = (struct sf_change){attr, before, after, forces};
}

static const struct sf_value *unknown_of(struct sf_graph *graph, const struct sf_node *node, const struct sf_attr *attr)
{
    return sf_value_unknown(graph->arena, sf_str_fmt(graph->arena, "%.*s.%s", SF_ARG(node->name), attr->name));
}

static bool has_open(const struct sf_node *node, const char *verb)
{
    return node->intent && node->recorded && sf_str_is(node->intent->verb, verb);
}

/* What cannot be read back and was being changed when an earlier run was stopped: it may be the old or the new one. */
static bool is_in_doubt(const struct sf_node *node, const struct sf_attr *attr)
{
    return (attr->is_secret || attr->is_write_only) && has_open(node, "update") &&
           !sf_value_equal(sf_map_getz(node->intent->want, attr->name), sf_map_getz(node->recorded->attrs, attr->name));
}

/* The attribute as it is: as read if it can be read, else as recorded. */
static const struct sf_value *current(const struct sf_node *node, const struct sf_attr *attr)
{
    if (is_in_doubt(node, attr))
        return NULL;
    const struct sf_value *v = node->seen == SF_SEEN_PRESENT ? sf_map_getz(node->actual, attr->name) : NULL;
    if (!v)
        v = sf_map_getz(node->recorded->attrs, attr->name);
    return v && v->type != SF_V_NULL ? v : NULL;
}

static bool is_listed_change(const struct sf_node *node, const struct sf_attr *attr)
{
    for (size_t i = 0; i < node->n_changes; i++)
        if (node->changes[i].attr == attr)
            return true;
    return false;
}

/* Whether only another world has the attribute. */
static bool is_elsewhere(const struct sf_graph *graph, const struct sf_attr *attr)
{
    return attr->world && !sf_str_is(graph->site->provider, attr->world);
}

/* What will be for a thing made new: what is wanted, and unknowns for what the world chooses. */
static void plan_new(struct sf_graph *graph, struct sf_node *node, bool is_replacement)
{
    struct sf_value *attrs = sf_value_map(graph->arena);
    for (size_t i = 0; i < node->schema->n_attrs; i++) {
        const struct sf_attr *attr = &node->schema->attrs[i];
        const struct sf_value *w = sf_map_getz(node->want, attr->name);
        if (!w && !is_elsewhere(graph, attr) && (attr->is_computed || attr->is_assigned || attr->derive))
            w = unknown_of(graph, node, attr);
        if (!w || (attr->derive && w->type == SF_V_NULL)) /* derived, and there is none */
            continue;
        sf_map_add(graph->arena, attrs, sf_str_of(attr->name), w);
        if (!is_replacement)
            add_change(&node->changes, &node->n_changes, attr, NULL, w, false);
        else if (w->type == SF_V_UNKNOWN && current(node, attr) && !is_listed_change(node, attr))
            add_change(&node->changes, &node->n_changes, attr, current(node, attr), w, false);
    }
    node->planned.id = SF_STR_NONE;
    node->planned.attrs = attrs;
}

static void find_drift(struct sf_graph *graph, struct sf_node *node)
{
    if (node->seen != SF_SEEN_PRESENT || node->recorded->is_incomplete) /* what is not finished was not changed by anybody */
        return;
    node->drift = SF_NEW_ARRAY(graph->arena, node->schema->n_attrs, struct sf_change);
    for (size_t i = 0; i < node->schema->n_attrs; i++) {
        const struct sf_attr *attr = &node->schema->attrs[i];
        const struct sf_value *was = sf_map_getz(node->recorded->attrs, attr->name);
        const struct sf_value *is = sf_map_getz(node->actual, attr->name);
        /* once recorded, an attribute with an `unset` would count as taken out of the stack file */
        bool is_for_people = ((!attr->is_computed && !attr->derive) || attr->is_assigned) && !attr->unset_json;
        bool appeared = !was && is && is->type != SF_V_NULL && is_for_people && !attr->is_secret;
        if (appeared || (was && is && !same(graph, attr, was, is)))
            add_change(&node->drift, &node->n_drift, attr, was, is, false);
    }
}

static const struct sf_value *unset_value(struct sf_arena *arena, const struct sf_attr *attr)
{
    const struct sf_value *v = NULL;
    struct sf_err ignored;
    return sf_json_parse(arena, sf_str_of(attr->unset_json), "schema", SF_JSON_PLAIN, &v, &ignored) ? NULL : v;
}

void sf_node_adjust_want(const struct sf_graph *graph, const struct sf_node *node, struct sf_arena *arena, struct sf_value *want)
{
    for (size_t i = 0; i < want->map.n; i++) {
        struct sf_pair *pair = &want->map.pairs[i];
        pair->value = sf_plan_fill_absent(graph, arena, pair->value, sf_map_get(node->recorded->attrs, pair->key));
    }
    for (size_t i = 0; i < node->schema->n_attrs; i++) {
        const struct sf_attr *attr = &node->schema->attrs[i];
        const struct sf_value *is = current(node, attr), *instead = NULL;
        if (attr->is_secret || attr->derive || (attr->is_computed && !attr->is_assigned))
            continue;
        if (is_ignored(node, attr))
            instead = is ? is : &sf_null_value;
        else if (attr->unset_json && !sf_map_getz(want, attr->name) && sf_map_getz(node->recorded->attrs, attr->name))
            instead = unset_value(arena, attr);
        if (instead)
            sf_map_set(arena, want, sf_str_of(attr->name), instead);
    }
}

/* The difference in one attribute that is wanted or was; returns what it will be. */
static const struct sf_value *compare(struct sf_graph *graph, struct sf_node *node, const struct sf_attr *attr)
{
    const struct sf_value *want = sf_map_getz(node->want, attr->name);
    const struct sf_value *is = current(node, attr);
    if (is_ignored(node, attr) || (attr->is_preferred && is))
        return is ? is : want;
    if (!want && attr->derive && sf_value_has_unknown(node->want, NULL))
        want = unknown_of(graph, node, attr);
    if (!want || (want->type == SF_V_NULL && !is))
        return is;
    if (same(graph, attr, is, want))
        return want;
    if (attr->is_computed)
        return is ? is : want;
    /* replacement by an unknown is planned: it may turn out unchanged at apply, never the other way round */
    /* what is derived forces only from one value to another: a VPC to another, not to one from none */
    bool forces = attr->on_change == SF_CHANGE_REPLACE && !(attr->derive && (!is || want->type == SF_V_NULL));
    add_change(&node->changes, &node->n_changes, attr, is, sf_value_sealed(graph, graph->arena, want),
               forces); /* sealed, so that what is shown compares secrets too */
    return want;
}

static bool is_listed(const char *const *names, const char *name)
{
    for (size_t i = 0; names && names[i]; i++)
        if (strcmp(names[i], name) == 0)
            return true;
    return false;
}

static bool changes_any(const struct sf_node *node, const char *const *names)
{
    for (size_t i = 0; i < node->n_changes; i++)
        if (is_listed(names, node->changes[i].attr->name))
            return true;
    return false;
}

static bool same_addresses(const struct sf_value *list, struct sf_node *const *deps, size_t n)
{
    if (!list || list->type != SF_V_LIST || list->list.n != n)
        return false;
    for (size_t i = 0; i < n; i++)
        if (!sf_str_eq(list->list.items[i]->s, deps[i]->address))
            return false;
    return true;
}

bool sf_node_changes_guard(const struct sf_node *node)
{
    const struct sf_recorded *row = node->recorded;
    return row && node->resource &&
           (row->is_protected != node->resource->is_protected || row->on_remove != node->resource->on_remove);
}

bool sf_node_changes_record(const struct sf_node *node)
{
    return node->action == SF_NOOP && node->needs_record && (node->moved_from.n || sf_node_changes_guard(node));
}

static bool record_differs(const struct sf_node *node)
{
    const struct sf_recorded *row = node->recorded;
    struct sf_str container = node->container ? node->container->address : SF_STR_NONE;
    return sf_node_changes_guard(node) || !sf_str_eq(row->container, container) ||
           !same_addresses(row->deps, node->deps, node->n_deps) || !sf_value_equal(row->refs, node->refs) || node->moved_from.n;
}

static bool is_replace_requested(const struct sf_graph *graph, const struct sf_node *node)
{
    for (size_t i = 0; i < graph->options.n_replaces; i++)
        if (sf_str_eq(graph->options.replaces[i], node->address) || sf_str_eq(graph->options.replaces[i], node->name))
            return true;
    return false;
}

static void compare_all(struct sf_graph *graph, struct sf_node *node, bool derived, struct sf_value *attrs)
{
    for (size_t i = 0; i < node->schema->n_attrs; i++) {
        const struct sf_attr *attr = &node->schema->attrs[i];
        bool is_due = (attr->derive != NULL) == derived && !is_elsewhere(graph, attr);
        const struct sf_value *v = is_due ? compare(graph, node, attr) : NULL;
        if (v)
            sf_map_add(graph->arena, attrs, sf_str_of(attr->name), v);
    }
}

/* derive() was asked before it was known what ignored attributes are, so it took what the stack file says of them. If they are all
 * that differs, what is derived is what it was. */
static void underive(struct sf_graph *graph, struct sf_node *node)
{
    for (size_t i = 0; i < node->schema->n_attrs; i++) {
        const struct sf_attr *attr = &node->schema->attrs[i];
        const struct sf_value *was = sf_map_getz(node->recorded->attrs, attr->name);
        if (attr->derive && was && !node->driver->is_slow_derive)
            sf_map_set(graph->arena, node->want, sf_str_of(attr->name), was);
    }
}

/* Taking something over means to keep it: never to destroy it and make another. It is always an update, for it gets this stack's
 * ownership mark. */
static void adopt_only(struct sf_graph *graph, struct sf_node *node)
{
    if (node->action == SF_REPLACE) {
        const struct sf_attr *attr = NULL;
        for (size_t i = 0; !attr && i < node->n_changes; i++)
            attr = node->changes[i].forces_replacement ? node->changes[i].attr : NULL;
        sf_diag_error(graph->diags, "SF0209", node->resource->mark,
                      "to adopt '%.*s' would replace it: '%s' is not as the stack file says", SF_ARG(node->address),
                      attr ? attr->name : "something");
        sf_diag_help(graph->diags, "write '%s' as it is, adopt it, and change it afterwards", attr ? attr->name : "it");
        node->has_failed = true;
    }
    node->action = SF_UPDATE;
    node->reason = SF_REASON_ADOPTED;
    node->reason_detail = node->recorded->id;
}

void sf_node_adopt(struct sf_graph *graph, struct sf_node *node, struct sf_str id, const struct sf_value *actual)
{
    struct sf_recorded *row = SF_NEW(graph->arena, struct sf_recorded);
    *row = (struct sf_recorded){.address = node->address,
                                .kind = node->kind,
                                .id = sf_str_dup(graph->arena, id),
                                .is_protected = node->resource->is_protected,
                                .on_remove = node->resource->on_remove,
                                .attrs = actual,
                                .refs = node->refs,
                                .deps = sf_value_list(graph->arena, NULL, 0)};
    node->recorded = row;
    node->is_adopted = true;
    node->seen = SF_SEEN_PRESENT;
    node->actual = actual;
    sf_node_prepare_now(graph, node);
}

static bool names(const struct sf_value *refs, struct sf_str address)
{
    for (size_t i = 0; refs && refs->type == SF_V_LIST && i < refs->list.n; i++)
        if (names(refs->list.items[i], address))
            return true;
    return refs && refs->type == SF_V_STRING && sf_str_eq(refs->s, address);
}

/* The object whose replacement takes a reference of this one along: a policy that is deleted is detached from its roles. */
static const struct sf_node *severed_by(const struct sf_node *node)
{
    for (size_t i = 0; i < node->schema->n_attrs; i++) {
        const struct sf_attr *attr = &node->schema->attrs[i];
        for (size_t k = 0; attr->is_severed && k < node->n_deps; k++)
            if (node->deps[k]->action == SF_REPLACE && names(sf_map_getz(node->refs, attr->name), node->deps[k]->address))
                return node->deps[k];
    }
    return NULL;
}

static void decide_existing(struct sf_graph *graph, struct sf_node *node)
{
    struct sf_value *attrs = sf_value_map(graph->arena);
    bool forced = false;
    const struct sf_variable *absent = sf_plan_absent_secret(graph, node->want);
    sf_node_adjust_want(graph, node, graph->arena, node->want);
    compare_all(graph, node, false, attrs);
    if (!node->n_changes && node->resource->ignore_changes)
        underive(graph, node);
    compare_all(graph, node, true, attrs);
    for (size_t i = 0; i < node->n_changes; i++)
        forced |= node->changes[i].forces_replacement;
    for (size_t i = 0; i < node->schema->n_attrs; i++) {
        const struct sf_attr *attr = &node->schema->attrs[i];
        if (attr->is_computed && !is_elsewhere(graph, attr) && changes_any(node, attr->changes_with))
            sf_map_set(graph->arena, attrs, sf_str_of(attr->name), unknown_of(graph, node, attr));
    }
    node->planned.attrs = attrs;
    node->planned.id = node->recorded->id;
    bool can_update = node->driver->update || !node->driver->create;
    const struct sf_node *severing = severed_by(node);
    node->is_severed = severing != NULL;
    if (is_replace_requested(graph, node)) {
        node->action = SF_REPLACE;
        node->reason = SF_REASON_REQUESTED;
    } else if (has_open(node, "destroy")) { /* what is left of it is no base for an update */
        node->action = SF_REPLACE;
        node->reason = SF_REASON_HALF_GONE;
    } else if (node->container && node->container->action == SF_REPLACE) {
        node->action = SF_REPLACE;
        node->reason = SF_REASON_CONTAINER_NEW;
        node->reason_detail = node->container->address;
    } else if (forced) {
        node->action = SF_REPLACE;
        node->reason = SF_REASON_CHANGED;
    } else if (node->n_changes && !can_update) {
        node->action = SF_REPLACE;
        node->reason = SF_REASON_CANNOT_UPDATE;
    } else if (node->recorded->is_incomplete) {
        node->action = can_update ? SF_UPDATE : SF_REPLACE;
        node->reason = SF_REASON_INCOMPLETE;
    } else if (node->n_changes) {
        node->action = SF_UPDATE;
        node->reason = SF_REASON_CHANGED;
    } else if (severing && node->driver->update) {
        node->action = SF_UPDATE;
        node->reason = SF_REASON_SEVERED;
        node->reason_detail = severing->address;
    } else {
        node->action = SF_NOOP;
        node->needs_record = node->n_drift || record_differs(node);
    }
    if (node->is_adopted)
        adopt_only(graph, node);
    if (node->action == SF_REPLACE)
        plan_new(graph, node, true);
    node->absent_secret = node->action == SF_REPLACE ? absent : sf_plan_absent_secret(graph, node->want);
}

static void decide_unwanted(struct sf_graph *graph, struct sf_node *node)
{
    if (!node->recorded) {
        node->action = SF_NOOP;
        return;
    }
    node->planned.attrs = NULL;
    node->reason = graph->options.is_destroy ? SF_REASON_DESTROY : SF_REASON_NOT_IN_CONFIG;
    if (node->seen == SF_SEEN_ABSENT && !node->has_remains) {
        node->action = SF_FORGET;
        node->reason = SF_REASON_GONE;
    } else {
        bool keep = node->recorded->on_remove == SF_ON_REMOVE_FORGET;
        node->action = keep ? SF_FORGET : SF_DELETE;
    }
}

static void keep_as_recorded(struct sf_node *node)
{
    node->action = SF_NOOP;
    node->planned.id = node->now.id;
    node->planned.attrs = node->recorded ? node->recorded->attrs : NULL;
    node->planned.refs = node->now.refs;
    node->planned.deps = node->now.deps;
    node->planned.n_deps = node->now.n_deps;
}

void sf_node_decide(struct sf_graph *graph, struct sf_node *node)
{
    node->is_decided = true;
    node->changes = SF_NEW_ARRAY(graph->arena, node->schema->n_attrs, struct sf_change);
    if (node->recorded)
        find_drift(graph, node);
    if (node->recorded && node->seen == SF_SEEN_PRESENT) /* drivers of what depends on it see it as it is */
        node->now.attrs = sf_node_merge(graph, graph->arena, node->schema, NULL, node->actual, node->recorded->attrs);
    if (!node->is_targeted) {
        keep_as_recorded(node);
    } else if (graph->options.is_refresh_only) {
        keep_as_recorded(node);
        if (node->recorded && node->seen == SF_SEEN_ABSENT) {
            node->action = SF_FORGET;
            node->reason = SF_REASON_GONE;
        }
        node->needs_record = node->n_drift > 0;
    } else if (!node->resource) {
        decide_unwanted(graph, node);
    } else if (!node->recorded) {
        node->action = SF_CREATE;
        node->reason = SF_REASON_NOT_IN_STATE;
        plan_new(graph, node, false);
    } else if (node->seen == SF_SEEN_ABSENT || (node->container && node->container->action == SF_CREATE)) {
        node->action = SF_CREATE;
        node->reason = node->seen == SF_SEEN_ABSENT ? SF_REASON_GONE : SF_REASON_CONTAINER_NEW;
        if (node->container && node->reason == SF_REASON_CONTAINER_NEW)
            node->reason_detail = node->container->address;
        plan_new(graph, node, false);
    } else {
        decide_existing(graph, node);
    }
    if (node->action == SF_CREATE)
        node->absent_secret = sf_plan_absent_secret(graph, node->want);
}

enum sf_code sf_graph_settle(struct sf_graph *graph)
{
    enum sf_code rc = SF_OK;
    for (size_t i = 0; i < graph->n_nodes; i++) {
        struct sf_node *node = graph->nodes[i];
        /* where it is, which need not be where it is to be */
        struct sf_node *container = node->recorded ? sf_map_find(graph->by_address, node->recorded->container) : NULL;
        bool container_goes = container && (container->action == SF_DELETE || container->action == SF_REPLACE);
        bool goes = node->action == SF_DELETE || node->action == SF_REPLACE;
        bool forgets = node->schema->with_container == SF_FORGET_WITH_CONTAINER;
        if (goes && container_goes && forgets) {
            node->goes_with = container;
            node->reason_detail = container->address;
            if (node->action == SF_DELETE)
                node->reason = SF_REASON_WITH_CONTAINER;
        }
        if (goes && node->recorded && node->recorded->is_protected) {
            (void)sf_diag_error(graph->diags, "SF0501", node->resource ? node->resource->mark : (struct sf_mark){0},
                                "'%.*s' is protected and this plan would destroy it", SF_ARG(node->address));
            rc = SF_E_REFUSED;
            sf_diag_help(graph->diags,
                         "set `protect: false` on it and apply that first; deleting its block does not lift the guard");
        }
    }
    return rc;
}

/* Whether a value waits for a resource that -target leaves out: it stays unknown through the apply. */
static bool waits_for_untargeted(const struct sf_graph *graph, const struct sf_value *v)
{
    struct sf_str source;
    if (!graph->options.n_targets || !sf_value_has_unknown(v, &source))
        return false;
    for (size_t i = 0; i < graph->n_nodes; i++) {
        const struct sf_node *node = graph->nodes[i];
        if (!node->is_targeted && sf_str_starts(source, node->name) && source.n > node->name.n && source.p[node->name.n] == '.')
            return true;
    }
    return false;
}

enum sf_code sf_graph_outputs(struct sf_graph *graph, struct sf_arena *arena, const struct sf_value **outputs)
{
    struct scope_ctx ctx = {graph, arena};
    struct sf_scope scope = scope_of(graph, NULL, &ctx);
    struct sf_value *map = sf_value_map(arena);
    enum sf_code rc = SF_OK;
    for (size_t i = 0; !graph->options.is_destroy && i < graph->stack->n_outputs; i++) {
        const struct sf_value *v = NULL;
        enum sf_code one = sf_expr_eval(arena, &scope, graph->stack->outputs[i].raw, false, graph->diags, &v);
        if (!one && waits_for_untargeted(graph, v))
            v = sf_map_get(graph->recorded_outputs, graph->stack->outputs[i].name);
        if (one)
            rc = one;
        else if (v && v->type != SF_V_NULL) /* what has no value here is no output */
            sf_map_add(arena, map, graph->stack->outputs[i].name, v);
    }
    *outputs = sf_value_sealed(graph, arena, map);
    return rc;
}

struct sf_counts sf_graph_count(const struct sf_graph *graph)
{
    struct sf_counts counts = {0};
    for (size_t i = 0; i < graph->n_nodes; i++) {
        const struct sf_node *node = graph->nodes[i];
        counts.add += node->action == SF_CREATE || node->action == SF_REPLACE;
        counts.change += node->action == SF_UPDATE;
        counts.destroy += node->action == SF_DELETE || node->action == SF_REPLACE;
        counts.destroy += node->deposed != NULL;
        counts.forget += node->action == SF_FORGET;
        counts.record += sf_node_changes_record(node);
        counts.drift += node->n_drift > 0 || (node->seen == SF_SEEN_ABSENT && node->recorded);
        counts.unreadable += node->seen == SF_SEEN_UNREADABLE;
    }
    return counts;
}

bool sf_graph_has_changes(const struct sf_graph *graph)
{
    struct sf_counts counts = sf_graph_count(graph);
    if (counts.add || counts.change || counts.destroy || counts.forget || counts.record)
        return true;
    if (graph->options.is_refresh_only && counts.drift)
        return true;
    if (!graph->outputs)
        return false;
    size_t recorded = graph->recorded_outputs ? graph->recorded_outputs->map.n : 0;
    return !sf_value_equal(graph->outputs, graph->recorded_outputs) && (graph->outputs->map.n || recorded);
}

/* Whether the new object goes by another name than the old one; two of one name cannot stand side by side. */
static bool is_renamed(const struct sf_node *node)
{
    for (size_t i = 0; i < node->n_changes; i++)
        if (strcmp(node->changes[i].attr->name, node->schema->identity) == 0)
            return true;
    return false;
}

bool sf_node_is_create_first(const struct sf_node *node)
{
    return node->schema->replace_order == SF_CREATE_FIRST && !node->goes_with && is_renamed(node);
}
