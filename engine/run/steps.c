/* See steps.h. */
#include "engine/run/steps.h"

#include <stdlib.h>

struct edges {
    struct sf_step **from, **to;
    size_t n, cap;
};

struct building {
    struct sf_run *run;
    struct sf_step **steps;
    size_t n_steps;
    struct sf_step **make;           /* by node index: the step that creates or updates it */
    struct sf_step **take_away;      /* by node index: the one that destroys or forgets it */
    const struct sf_node **seen_for; /* by node index: the node whose dependencies were last followed through this one */
    struct sf_node **stack;          /* room for all nodes */
    struct edges wishes[2];          /* kept where they make no cycle; the first ones are given up first */
};

static struct sf_step *add_step(struct building *building, struct sf_node *node, enum sf_verb verb, const struct sf_recorded *row)
{
    struct sf_step *step = SF_NEW(building->run->arena, struct sf_step);
    step->node = node;
    step->verb = verb;
    step->row = row;
    step->task.owner = step;
    step->ctx = (struct sf_run_ctx){.run = building->run, .node = node, .step = step};
    if (row)
        step->id = row->id;
    building->steps[building->n_steps++] = step;
    return step;
}

/* The old object of a create-first replacement, under a generation of its own until it is destroyed. */
static const struct sf_recorded *as_deposed(struct sf_arena *arena, const struct sf_recorded *row)
{
    struct sf_recorded *deposed = SF_NEW(arena, struct sf_recorded);
    *deposed = *row;
    deposed->generation = 1;
    return deposed;
}

static void add_steps_of(struct building *building, struct sf_node *node)
{
    struct sf_step **make = &building->make[node->index], **take_away = &building->take_away[node->index];
    if (node->deposed)
        add_step(building, node, SF_VERB_DESTROY, node->deposed);
    enum sf_verb away = node->goes_with ? SF_VERB_FORGET : SF_VERB_DESTROY;
    switch (node->action) {
    case SF_CREATE:
        *make = add_step(building, node, SF_VERB_CREATE, NULL);
        break;
    case SF_UPDATE:
        *make = add_step(building, node, SF_VERB_UPDATE, NULL);
        break;
    case SF_REPLACE:
        *take_away = add_step(building, node, away,
                              sf_node_is_create_first(node) ? as_deposed(building->run->arena, node->recorded) : node->recorded);
        *make = add_step(building, node, SF_VERB_CREATE, NULL);
        break;
    case SF_DELETE:
        *take_away = add_step(building, node, away, node->recorded);
        break;
    case SF_FORGET:
        *take_away = add_step(building, node, SF_VERB_FORGET, node->recorded);
        break;
    case SF_NOOP:
        if (node->needs_record)
            *make = add_step(building, node, SF_VERB_RECORD, NULL);
        break;
    }
}

/* The call of an earlier run that is still open is for one step to settle: the one that takes the object away, or else updates it.
 */
static void hand_over_intent(struct building *building, const struct sf_node *node)
{
    struct sf_step *away = building->take_away[node->index], *make = building->make[node->index];
    if (!node->carries_intent)
        return;
    struct sf_step *heir = away ? away : make && make->verb == SF_VERB_UPDATE ? make : NULL;
    if (!heir)
        return;
    heir->carries_intent = heir->has_intent = true;
    heir->intent = node->intent->id;
}

/* A row whose container has left state could not be read by a later run: they leave together. */
static void join_container(struct building *building, const struct sf_node *node)
{
    struct sf_step *away = building->take_away[node->index];
    struct sf_step *container = node->goes_with ? building->take_away[node->goes_with->index] : NULL;
    if (!away || !container)
        return;
    away->next_content = container->contents;
    container->contents = away;
}

static void edge(struct edges *edges, struct sf_step *from, struct sf_step *to)
{
    if (!from || !to || from == to)
        return;
    if (edges->n == edges->cap) {
        edges->cap = edges->cap ? edges->cap * 2 : 256;
        edges->from = realloc(edges->from, edges->cap * sizeof(struct sf_step *));
        edges->to = realloc(edges->to, edges->cap * sizeof(struct sf_step *));
        if (!edges->from || !edges->to)
            sf_out_of_memory();
    }
    edges->from[edges->n] = from;
    edges->to[edges->n++] = to;
}

/* What makes a node comes after all that makes what it depends on, through nodes that stay as they are too: a load reads the data
 * set of its delivery, which may change while the delivery does not. */
static void order_after_deps(struct building *building, struct edges *edges, struct sf_node *node)
{
    struct sf_step *make = building->make[node->index];
    size_t n = 0;
    if (!make)
        return;
    building->stack[n++] = node;
    while (n > 0) {
        const struct sf_node *at = building->stack[--n];
        for (size_t i = 0; i < at->n_deps; i++) {
            struct sf_node *dep = at->deps[i];
            if (building->seen_for[dep->index] == node)
                continue;
            building->seen_for[dep->index] = node;
            edge(edges, building->make[dep->index], make);
            if (!building->make[dep->index])
                building->stack[n++] = dep;
        }
    }
}

/* What was renamed without `moved` leaves its container before the same kind is made in it again: a star takes one load. */
static void make_room(struct building *building, const struct sf_node *node)
{
    const struct sf_node *container = node->container;
    for (size_t i = 0; i < container->n_dependents; i++) {
        const struct sf_node *other = container->dependents[i];
        if (other->container == container && other->schema == node->schema && other->action == SF_CREATE)
            edge(&building->wishes[0], building->take_away[node->index], building->make[other->index]);
    }
}

/* The order of DESIGN section 8: create A before B, destroy B before A. And as wishes: what loses its reference is updated before
 * the thing goes; a thing goes before what it depends on is updated. What is made of a thing that is updated or replaced may be
 * what takes the old one's place with those who refer to it. */
static void order_node(struct building *building, struct edges *edges, struct sf_node *node)
{
    struct sf_step *make = building->make[node->index], *away = building->take_away[node->index];
    order_after_deps(building, edges, node);
    const struct sf_node *container = node->goes_with;
    if (container)
        edge(edges, building->take_away[container->index], away);
    for (size_t i = 0; i < node->n_recorded_deps; i++) {
        struct sf_node *dep = node->recorded_deps[i];
        struct sf_step *dep_away = building->take_away[dep->index], *dep_make = building->make[dep->index];
        if (away && dep_away && dep != container && !(dep->action == SF_REPLACE && sf_node_is_create_first(dep)))
            edge(edges, away, dep_away);
        if (away && dep_make && dep->action == SF_UPDATE && node->action == SF_DELETE && !container)
            edge(&building->wishes[0], away, dep_make);
        if (make && node->action != SF_REPLACE && dep_away && dep->action == SF_DELETE)
            edge(&building->wishes[1], make, dep_away);
    }
    if (node->action == SF_DELETE && node->container && !container)
        make_room(building, node);
    if (node->action == SF_REPLACE && sf_node_is_create_first(node)) {
        edge(edges, make, away);
        for (size_t i = 0; i < node->n_dependents; i++)
            edge(edges, building->make[node->dependents[i]->index], away);
    } else if (node->action == SF_REPLACE) {
        edge(edges, away, make);
    }
}

/* Hands the edges to the tasks; the lists of those who had some before are made anew. */
static void link_tasks(struct building *building, const struct edges *edges)
{
    for (size_t i = 0; i < building->n_steps; i++)
        building->steps[i]->task.n_next = building->steps[i]->task.blocked = 0;
    for (size_t i = 0; i < edges->n; i++)
        edges->from[i]->task.n_next++;
    for (size_t i = 0; i < building->n_steps; i++) {
        struct sf_task *task = &building->steps[i]->task;
        task->next = SF_NEW_ARRAY(building->run->arena, task->n_next, struct sf_task *);
        task->n_next = 0;
    }
    for (size_t i = 0; i < edges->n; i++) {
        struct sf_task *from = &edges->from[i]->task;
        from->next[from->n_next++] = &edges->to[i]->task;
        edges->to[i]->task.blocked++;
    }
}

/* Takes off all steps that can be done one after the other and says how many there are: fewer than all if there is a cycle. Steps
 * in a cycle, and those behind it, keep a `blocked` above 0. */
static size_t count_orderly(struct building *building, struct sf_task **ready)
{
    size_t n = 0;
    for (size_t i = 0; i < building->n_steps; i++)
        if (building->steps[i]->task.blocked == 0)
            ready[n++] = &building->steps[i]->task;
    for (size_t i = 0; i < n; i++)
        for (size_t k = 0; k < ready[i]->n_next; k++)
            if (--ready[i]->next[k]->blocked == 0)
                ready[n++] = ready[i]->next[k];
    return n;
}

static void drop_tangled(struct edges *wishes)
{
    size_t n = 0;
    for (size_t i = 0; i < wishes->n; i++) {
        if (wishes->from[i]->task.blocked > 0)
            continue;
        wishes->from[n] = wishes->from[i];
        wishes->to[n++] = wishes->to[i];
    }
    wishes->n = n;
}

/* All wishes at once, mostly; while that makes a cycle those of a list are given up that are in it or come after it. */
static void add_wishes(struct building *building, struct edges *edges)
{
    size_t n = edges->n;
    if (building->wishes[0].n + building->wishes[1].n == 0)
        return;
    struct sf_task **ready = SF_NEW_ARRAY(building->run->arena, building->n_steps + 1, struct sf_task *);
    for (size_t given_up = 0;; given_up++) {
        edges->n = n;
        for (size_t w = 0; w < SF_COUNT(building->wishes); w++)
            for (size_t i = 0; i < building->wishes[w].n; i++)
                edge(edges, building->wishes[w].from[i], building->wishes[w].to[i]);
        link_tasks(building, edges);
        if (given_up == SF_COUNT(building->wishes) || count_orderly(building, ready) == building->n_steps)
            return;
        drop_tangled(&building->wishes[given_up]);
    }
}

static void build_steps(struct building *building)
{
    struct sf_run *run = building->run;
    struct sf_graph *graph = &run->graph;
    building->steps = SF_NEW_ARRAY(run->arena, graph->n_nodes * 3, struct sf_step *);
    building->make = SF_NEW_ARRAY(run->arena, graph->n_nodes, struct sf_step *);
    building->take_away = SF_NEW_ARRAY(run->arena, graph->n_nodes, struct sf_step *);
    building->seen_for = SF_NEW_ARRAY(run->arena, graph->n_nodes, const struct sf_node *);
    building->stack = SF_NEW_ARRAY(run->arena, graph->n_nodes + 1, struct sf_node *);
    for (size_t i = 0; i < graph->n_nodes; i++)
        add_steps_of(building, graph->nodes[i]);
    for (size_t i = 0; i < graph->n_nodes; i++) {
        hand_over_intent(building, graph->nodes[i]);
        join_container(building, graph->nodes[i]);
    }
    struct edges edges = {0};
    for (size_t i = 0; i < graph->n_nodes; i++)
        order_node(building, &edges, graph->nodes[i]);
    add_wishes(building, &edges);
    link_tasks(building, &edges);
    for (size_t w = 0; w < SF_COUNT(building->wishes); w++) {
        free(building->wishes[w].from);
        free(building->wishes[w].to);
    }
    free(edges.from);
    free(edges.to);
}

static struct sf_pool *pool_of(struct sf_run *run, struct sf_pool **pools, size_t *n, const struct sf_schema *schema)
{
    if (!schema || !schema->pool || schema->pool_max <= 0)
        return NULL;
    for (size_t i = 0; i < *n; i++)
        if (strcmp(pools[i]->name, schema->pool) == 0)
            return pools[i];
    struct sf_pool *pool = SF_NEW(run->arena, struct sf_pool);
    pool->name = schema->pool;
    pool->max = schema->pool_max;
    pools[(*n)++] = pool;
    return pool;
}

static void assign_pools(struct building *building)
{
    struct sf_pool **pools = SF_NEW_ARRAY(building->run->arena, sf_schemas_count, struct sf_pool *);
    size_t n = 0;
    for (size_t i = 0; i < building->n_steps; i++)
        building->steps[i]->task.pool = pool_of(building->run, pools, &n, building->steps[i]->node->schema);
}

struct sf_step **sf_steps_build(struct sf_run *run, size_t *n)
{
    struct building building = {.run = run};
    build_steps(&building);
    assign_pools(&building);
    *n = building.n_steps;
    return building.steps;
}
