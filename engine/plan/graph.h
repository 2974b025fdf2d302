/* The planned graph: every resource that the stack file names or that state records, what is wanted, recorded and actual, and
 * what follows from the three. Pure: nothing here reads the world; engine/run fills in what was seen.
 *
 * A node is decided after all it depends on: its wanted attributes are evaluated from theirs. `now` is the resource as it is
 * (recorded, or as just read); `planned` as it will be: unknowns name what they wait for. */
#ifndef SF_PLAN_GRAPH_H
#define SF_PLAN_GRAPH_H

#include "engine/core/json.h"
#include "engine/kind.h"
#include "engine/lang/expr.h"

/* What state records of one object, in the engine's own words. */
struct sf_recorded {
    struct sf_str address;
    struct sf_str kind;
    int64_t generation; /* 0: the current object; above: deposed */
    struct sf_str id;
    bool is_incomplete;
    bool is_protected;
    enum sf_on_remove on_remove;
    struct sf_str replace_order;
    struct sf_str with_container;
    struct sf_str container; /* address, or empty */
    const struct sf_value *attrs;
    const struct sf_value *refs;
    const struct sf_value *deps; /* list of addresses */
};

/* A call that an earlier run announced and never closed. */
struct sf_open_intent {
    struct sf_str id;
    struct sf_str address;
    struct sf_str kind;
    struct sf_str verb;
    struct sf_str call;
    struct sf_str made_id;
    const struct sf_value *want;
    const struct sf_value *refs;
    const struct sf_value *deps;
};

enum sf_action { SF_NOOP, SF_CREATE, SF_UPDATE, SF_REPLACE, SF_DELETE, SF_FORGET };

/* Why; a closed list, printed by sf_reason_text() and in -json. */
enum sf_reason {
    SF_REASON_NONE,
    SF_REASON_NOT_IN_STATE,
    SF_REASON_CHANGED,        /* attributes differ */
    SF_REASON_CANNOT_UPDATE,  /* the kind has no update */
    SF_REASON_REQUESTED,      /* -replace */
    SF_REASON_GONE,           /* deleted outside */
    SF_REASON_INCOMPLETE,     /* an earlier run made it and was stopped */
    SF_REASON_HALF_GONE,      /* an earlier run was destroying it and was stopped */
    SF_REASON_CONTAINER_NEW,  /* what it lives in is created or replaced */
    SF_REASON_NOT_IN_CONFIG,  /* its block was removed */
    SF_REASON_DESTROY,        /* sfdestroy, -destroy */
    SF_REASON_WITH_CONTAINER, /* goes with what it lives in */
    SF_REASON_ADOPTED,        /* adopt: */
    SF_REASON_SEVERED,        /* what it refers to is replaced, and takes the reference with it */
};

enum sf_seen {
    SF_SEEN_NOT_ASKED, /* no refresh, not recorded, or nothing outside */
    SF_SEEN_PRESENT,
    SF_SEEN_ABSENT,
    SF_SEEN_UNREADABLE, /* the container cannot be asked */
};

struct sf_change {
    const struct sf_attr *attr;
    const struct sf_value *before; /* NULL: none */
    const struct sf_value *after;  /* NULL: none; may hold unknowns */
    bool forces_replacement;
};

struct sf_node {
    size_t index;
    struct sf_str address;
    struct sf_str kind;
    struct sf_str name;
    const struct sf_schema *schema; /* never NULL once the graph is built: a kind that this program does not know is refused */
    const struct sf_driver *driver;
    const struct sf_resource *resource;  /* NULL: not in the stack file, or everything is being destroyed */
    const struct sf_recorded *recorded;  /* NULL: not in state */
    const struct sf_recorded *deposed;   /* NULL: none */
    const struct sf_open_intent *intent; /* NULL: none */
    struct sf_str moved_from;            /* address in state, when moved: renamed it */

    struct sf_node **deps; /* distinct: by configuration if in it, else as recorded */
    size_t n_deps;
    struct sf_node **recorded_deps; /* distinct, as of the last apply */
    size_t n_recorded_deps;
    struct sf_node **dependents; /* reverse of deps */
    size_t n_dependents;
    struct sf_node *container; /* what it lives in: by configuration, else as recorded; NULL: none */

    /* filled while walking */
    bool is_targeted;
    bool is_severed;       /* a reference of it has to be made again */
    bool is_adopted;       /* `recorded` is what was found for adopt:, not a row of state */
    struct sf_value *want; /* map; NULL: not wanted */
    struct sf_value *refs; /* map: ref attribute -> address(es) */
    enum sf_seen seen;
    bool has_remains;              /* absent, but destroy() has something to do: see struct sf_outcome */
    const struct sf_value *actual; /* map, when present */
    struct sf_str actual_id;
    const struct sf_err *read_err; /* why unreadable or failed; NULL: neither */

    /* decided */
    bool is_decided;
    bool has_failed; /* evaluating, reading or preflight failed: dependents are not planned */
    enum sf_action action;
    enum sf_reason reason;
    struct sf_str reason_detail; /* "cluster.dw", a file, ... */
    struct sf_change *changes;
    size_t n_changes;
    struct sf_change *drift; /* recorded against actual */
    size_t n_drift;
    const struct sf_variable *absent_secret; /* NULL, or the secret that this run lacks and the action needs */
    bool carries_intent;                     /* `intent` stays open until a step of this run has settled it */
    bool needs_record;                       /* nothing to call, but state should be brought up to date */
    struct sf_node *goes_with;               /* the container whose destruction takes it away, without a call; NULL: none */
    struct sf_object now;
    struct sf_object planned;
};

struct sf_plan_options {
    bool is_destroy;
    bool is_refresh_only;
    bool no_refresh;
    bool is_data_skipped;           /* slow derive() is not asked: what state records is taken over */
    const struct sf_value *settled; /* of a saved plan: map of address -> what its slow derive() came to; or NULL */
    bool no_preflight;              /* the world is not asked at all */
    const struct sf_str *targets;
    size_t n_targets;
    const struct sf_str *replaces;
    size_t n_replaces;
};

struct sf_graph {
    struct sf_arena *arena;
    const struct sf_stack *stack;
    const struct sf_site *site;
    struct sf_plan_options options;
    struct sf_node **nodes; /* file order, then recorded ones that the file does not name */
    size_t n_nodes;
    struct sf_map *by_address;
    struct sf_diags *diags;
    sf_fingerprint_fn *fingerprint; /* of clear secrets */
    void *fingerprint_key;
    const struct sf_value *outputs;          /* map: as planned; NULL while there are none */
    const struct sf_value *recorded_outputs; /* map, maybe NULL */
};

/* Builds nodes and edges. Targets and replaces that name nothing are errors with the nearest name. Cycles among recorded-only
 * nodes cannot be. Linear in nodes and edges. */
enum sf_code sf_graph_build(struct sf_graph *graph, const struct sf_recorded *recorded, size_t n_recorded,
                            const struct sf_open_intent *intents, size_t n_intents, struct sf_err *err) SF_MUST_CHECK;

/* The driver of a kind in this world, or the provider-neutral one; NULL when there is none. */
const struct sf_driver *sf_driver_find(struct sf_str kind, struct sf_str world);

/* Evaluates what a configured node wants, from its decided dependencies. Diagnostics go to graph->diags. */
enum sf_code sf_node_evaluate(struct sf_graph *graph, struct sf_node *node) SF_MUST_CHECK;
/* Same evaluation into the caller's arena and scope of final attributes, for apply. */
enum sf_code sf_node_evaluate_into(struct sf_graph *graph, struct sf_node *node, struct sf_arena *arena, struct sf_value **want,
                                   struct sf_value **refs) SF_MUST_CHECK;
/* Fills node->now from what is recorded, so that read() may be asked. */
void sf_node_prepare_now(struct sf_graph *graph, struct sf_node *node);
/* Fills node->planned with want so that derive() and preflight() may be asked. */
void sf_node_prepare_planned(struct sf_graph *graph, struct sf_node *node);
/* Whether read() should be asked: recorded, refresh wanted, its container there and not about to be renewed. */
bool sf_node_wants_read(const struct sf_graph *graph, const struct sf_node *node);
/* The existing object that `adopt:` names becomes what is recorded, as far as planning goes. */
void sf_node_adopt(struct sf_graph *graph, struct sf_node *node, struct sf_str id, const struct sf_value *actual);
/* Takes want, recorded and actual; sets action, reason, changes, drift, planned. */
void sf_node_decide(struct sf_graph *graph, struct sf_node *node);
/* Second pass once all are decided: what goes with a destroyed container, protections. Errors go to graph->diags. */
enum sf_code sf_graph_settle(struct sf_graph *graph) SF_MUST_CHECK;
/* What an update of an existing object is to set, where that is not what the stack file says: an ignored attribute stays as it
 * is; a secret that this run lacks is what was recorded; one that was recorded and is not wanted any more gets its schema's
 * `unset`. A preferred one stays the wish, as it was when the plan derived from it: a driver's update leaves it alone. */
void sf_node_adjust_want(const struct sf_graph *graph, const struct sf_node *node, struct sf_arena *arena, struct sf_value *want);
/* Evaluates the outputs from the planned attributes; secrets in them are sealed, as in what is recorded. */
enum sf_code sf_graph_outputs(struct sf_graph *graph, struct sf_arena *arena, const struct sf_value **outputs) SF_MUST_CHECK;

/* An attribute of a node as planned (or final): value, unknown, or the null value. */
const struct sf_value *sf_node_attribute(struct sf_arena *arena, const struct sf_node *node, struct sf_str attr);
/* Final attributes after a call: what was wanted, overlaid with what the driver reports; spellings that mean the same stay
 * as wanted. */
struct sf_value *sf_node_merge(struct sf_graph *graph, struct sf_arena *arena, const struct sf_schema *schema,
                               const struct sf_value *want, const struct sf_value *reported, const struct sf_value *earlier);
/* Copy with every clear secret replaced by its fingerprint: what may be stored. */
const struct sf_value *sf_value_sealed(struct sf_graph *graph, struct sf_arena *arena, const struct sf_value *v);

/* Whether a replacement makes the new object before it takes the old one away: the kind wants it so, and the name changes too. */
bool sf_node_is_create_first(const struct sf_node *node);

/* The stack file's guards (protect, on_remove) are not those that state records. */
bool sf_node_changes_guard(const struct sf_node *node);
/* Nothing is called, but people should know: a new address, another guard. */
bool sf_node_changes_record(const struct sf_node *node);

/* The first secret variable in a value that neither this run was given nor sfstack generates; NULL when there is none. */
const struct sf_variable *sf_plan_absent_secret(const struct sf_graph *graph, const struct sf_value *v);
/* `want` with the recorded fingerprints, found at the same places of `is`, instead of such secrets. */
const struct sf_value *sf_plan_fill_absent(const struct sf_graph *graph, struct sf_arena *arena, const struct sf_value *want,
                                           const struct sf_value *is);

struct sf_counts {
    size_t add, change, destroy, forget, record, drift, unreadable;
};
struct sf_counts sf_graph_count(const struct sf_graph *graph);
/* Something to do, in the world or in what state says of it. */
bool sf_graph_has_changes(const struct sf_graph *graph);
const char *sf_action_name(enum sf_action action);
const char *sf_reason_text(enum sf_reason reason);

#endif
