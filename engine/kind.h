/* THE driver interface: the one header that the author of a resource kind must read.
 *
 * A driver turns one kind of resource into calls on one world. It is a const struct of functions (below), named
 * `sf_driver_<folder>_<kind>` in resources/<folder>/<kind>.c; the build joins drivers and schemas by these names.
 *
 * The contract, tested for every driver by one conformance suite:
 *
 * - Calls come on a worker thread, many resources at once, never two for one resource. A call may block up to
 *   op->deadline_ms and never sleeps: what needs waiting answers `is_pending` with a hint, and the engine calls read()
 *   again later, or with `again` the same verb: update() once there is an identity (with have == want: read first), create()
 *   before that, destroy().
 * - Before each call that changes the world a driver asks with sf_op_intent(); after the one call that gives the object its
 *   identity it reports sf_op_made() at once. Both return when the journal is on disk. create() makes exactly one
 *   identity-giving call, first, carrying the ownership marks; all that follows is idempotent and update() could redo it.
 * - find() answers "did this create come true?" after a crash: by name or ownership mark (op->intent), SF_E_ABSENT if not.
 * - Outcomes: SF_OK is done; SF_E_UNKNOWN may have happened (timeout, reset); every other code cannot have happened.
 * - read() of a missing thing is SF_E_ABSENT; of a thing in a container that cannot be asked (stopped server) it is
 *   SF_E_UNAVAILABLE. destroy() of a missing thing is SF_OK. create() over a foreign object is SF_E_CONFLICT.
 * - read() reports every managed attribute in schema terms, as it is now in the world, not as recorded. What cannot be
 *   read back (a password) is left out: the engine keeps its recorded fingerprint, and advances it only after success.
 * - Values in `want` are typed and checked by the schema and hold no unknowns, save in derive().
 * - All memory comes from op->arena. Handles are closed before returning. Nothing is kept between calls.
 */
#ifndef SF_KIND_H
#define SF_KIND_H

#include "engine/core/value.h"

struct sf_world;
struct sf_run_ctx; /* the engine's side of an operation; opaque to drivers */

/* What the stack and this run are. Lives as long as the run; read-only, shared by all threads. */
struct sf_site {
    struct sf_str stack;                    /* "sf-finance" */
    struct sf_str lineage;                  /* UUID of this stack's state */
    struct sf_str provider;                 /* "local" or "aws" */
    struct sf_str account;                  /* "000000000000" locally */
    struct sf_str region;                   /* "local" locally */
    struct sf_str caller;                   /* who this run is in the world: an ARN; empty locally */
    const struct sf_value *tags;            /* stack-level tags */
    const struct sf_value *settings;        /* the provider's block of the stack file, a map */
    const char *stack_dir;                  /* absolute, of the stack file: relative paths in attributes start here */
    const char *state_dir;                  /* absolute: .sf/<stack>/<provider> */
    const char *cache_dir;                  /* absolute: .sf/cache; content-addressed, rebuilt at will */
    const char *secrets_dir;                /* absolute: <state_dir>/secrets; clear files, 0600, for people's own clients */
    const char *share_dir;                  /* absolute: where schemas/ of this program is (builtin: names) */
    const struct sf_value *accepted_checks; /* list of names given with -accept-check, or NULL */
    const struct sf_world *world;
    void *world_ctx; /* what world->open() made */
};

/* One resource as drivers see it: their own and the ones it refers to. Read-only. */
struct sf_object {
    struct sf_str address; /* "bucket.landing" */
    struct sf_str kind;
    struct sf_str name;
    struct sf_str id;                    /* empty before it exists */
    const struct sf_value *attrs;        /* map in schema terms; while planning it may hold unknowns and fingerprints */
    const struct sf_value *refs;         /* map: ref attribute -> address, or list of addresses; literals are left out */
    const struct sf_object *const *deps; /* what refs point at, and all else it depends on */
    size_t n_deps;
};

/* What one driver call is given. Lives for that call only. */
struct sf_op {
    struct sf_arena *arena;
    const struct sf_site *site;
    const struct sf_object *self; /* attrs: in read, find and destroy what is recorded; in create and update = want */
    struct sf_str intent;         /* UUID of the running (or, in find, the open) intent; empty while planning */
    int64_t deadline_ms;          /* sf_clock_ms() that blocking calls must not pass */
    bool is_adopting; /* read() is asked for `adopt: ID`: self->attrs is what is wanted, and another stack's is SF_E_CONFLICT */
    bool is_planning; /* nothing outside site->cache_dir may change */
    bool is_seen;     /* in update(): `have` is what read() found in this run, not what state records or what is wanted */
    /* for a slow derive(): attributes to take over as they are, without a look at the source; NULL: look */
    const struct sf_value *settled;
    enum sf_settled {
        SF_SETTLED_BY_PLAN,  /* what a plan said: the same bytes, or SF_E_STALE */
        SF_SETTLED_BY_STATE, /* what state records, or NULL: -data=skip */
    } settled_by;
    struct sf_run_ctx *run;
};

/* What a driver call reports. */
struct sf_outcome {
    struct sf_str id;             /* as soon as it is known, even if a later step fails */
    const struct sf_value *attrs; /* map: what exists now */
    bool is_pending;              /* accepted but not finished: read() will be called until it says otherwise */
    bool again;                   /* with is_pending: not read() but the rest of the work, update(), create() or destroy() */
    uint32_t poll_after_ms;       /* hint for that */
    const char *waiting_for;      /* for the progress line while pending */
    bool has_remains; /* read(), SF_E_ABSENT: gone, but what was made with it is not; destroy() will be called for that */
};

/* What a query answers. */
struct sf_answer {
    const struct sf_value *columns; /* list of maps {name: text, is_number: bool} */
    const struct sf_value *rows;    /* list of lists of text or null, one per column */
};

typedef enum sf_code sf_driver_derive_fn(struct sf_op *op, struct sf_value *want, struct sf_err *err);
typedef enum sf_code sf_driver_read_fn(struct sf_op *op, struct sf_str id, struct sf_outcome *out, struct sf_err *err);
typedef enum sf_code sf_driver_find_fn(struct sf_op *op, const struct sf_value *want, struct sf_outcome *out, struct sf_err *err);
typedef enum sf_code sf_driver_create_fn(struct sf_op *op, const struct sf_value *want, struct sf_outcome *out, struct sf_err *err);
typedef enum sf_code sf_driver_update_fn(struct sf_op *op, struct sf_str id, const struct sf_value *have,
                                         const struct sf_value *want, struct sf_outcome *out, struct sf_err *err);
typedef enum sf_code sf_driver_destroy_fn(struct sf_op *op, struct sf_str id, struct sf_outcome *out, struct sf_err *err);
typedef enum sf_code sf_driver_foresee_fn(struct sf_op *op, struct sf_str id, struct sf_err *err);
typedef enum sf_code sf_driver_query_fn(struct sf_op *op, struct sf_str id, struct sf_str text, struct sf_answer *out,
                                        struct sf_err *err);
typedef enum sf_code sf_driver_preflight_fn(struct sf_op *op, const struct sf_value *want, struct sf_err *err);

/* What the person who runs sfstack must be allowed to do for one kind: `sfplan -caller-policy`, and the check before an apply. */
struct sf_need {
    const char *actions;  /* separated by blanks: "s3:CreateBucket s3:PutBucketTagging" */
    const char *resource; /* "arn:{partition}:s3:::{name}"; {x} is an attribute, or partition, account, region; "*" where IAM has no
                             narrower; "{x=y}" before it: only where attribute x is the text y */
};

struct sf_driver {
    const char *kind;
    const char *world; /* "local", "aws", or NULL for a provider-neutral kind */
    /* required; a kind with no outside object (value) leaves all but derive NULL */
    sf_driver_read_fn *read;
    sf_driver_find_fn *find;
    sf_driver_create_fn *create;
    sf_driver_destroy_fn *destroy;
    /* optional */
    sf_driver_update_fn *update;       /* absent: every change replaces */
    sf_driver_preflight_fn *preflight; /* plan time, before a create: name taken, quota, grammar, port */
    sf_driver_foresee_fn *foresee;     /* plan time, before a destroy: what would block it, said by sf_op_warn() or refused */
    /* Sets the attributes that the schema marks `derive`, from known values: called while planning and again at apply, after
     * the attributes are evaluated. What depends on an unknown stays unknown (leave it out). Pure, save that a kind that reads
     * a source (dataset) may write the cache. Runs on a worker when is_slow_derive, else inline. */
    sf_driver_derive_fn *derive;
    bool is_slow_derive;
    /* `sfstate query`: one question in the object's own language, put as somebody who may only read. Changes nothing: what would is
     * refused by the object itself. op->is_planning is true and nothing else runs. SF_E_REFUSED with the object's words and code
     * for a question that is wrong, or whose answer is too large; SF_E_UNAVAILABLE when it does not answer. */
    sf_driver_query_fn *query;
    const struct sf_need *needs; /* ended by one without actions; NULL: none */
};

/* Every driver linked in; generated. NULL-terminated. */
extern const struct sf_driver *const sf_drivers[];

/* A world as the engine sees it; resources/provider.c fills it from what is linked in. */
struct sf_provider {
    const char *name;
    struct sf_str account, region; /* where they are fixed; else open() sets them in the site */
    const struct sf_world *world;
    /* Called first of all, before even state is opened; may be NULL. See struct sf_world. */
    enum sf_code (*check)(struct sf_arena *arena, struct sf_site *site, struct sf_err *err);
    /* The first line of a plan: who and where. May be NULL. See struct sf_world. */
    void (*greet)(const struct sf_site *site, struct sf_buf *out);
    /* Frees what check() and open() made. May be NULL. */
    void (*close)(struct sf_site *site);
    /* Which of a statement's actions the caller is not allowed; may be NULL. See struct sf_world. */
    enum sf_code (*ask_rights)(struct sf_arena *arena, const struct sf_site *site, const struct sf_value *statement,
                               const struct sf_value **denied, struct sf_err *err);
    /* Called once before planning. See struct sf_world. */
    enum sf_code (*open)(struct sf_arena *arena, struct sf_site *site, bool may_write, const struct sf_value *recorded, void **ctx,
                         const struct sf_value **record, struct sf_err *err);
    /* May be NULL. See struct sf_world. */
    enum sf_code (*sweep)(struct sf_arena *arena, const struct sf_site *site, const struct sf_value **left, struct sf_err *err);
};

/* False when no such world is linked in. */
bool sf_provider_find(struct sf_str name, struct sf_provider *out);

/* --- reviews: pure looks at the whole planned graph, each a section after the plan (resources/review/) --- */

struct sf_review_item {
    struct sf_str address;
    struct sf_str kind;
    const char *action;            /* "create", "update", "replace", "delete", "forget", "no-op" */
    const struct sf_value *before; /* attributes as they are, or NULL */
    const struct sf_value *after;  /* as planned; may hold unknowns; NULL when it goes */
};

struct sf_review {
    const char *title;
    /* Appends lines of text, each indented by two blanks; nothing when there is nothing to say. No secret is among the attributes
     * shown. */
    void (*write)(const struct sf_site *site, const struct sf_review_item *items, size_t n, struct sf_buf *out);
    /* One line for the very top of the plan, or nothing. May be NULL. */
    void (*head)(const struct sf_site *site, const struct sf_review_item *items, size_t n, struct sf_buf *out);
};

/* In the order they are shown; NULL-terminated. */
extern const struct sf_review *const sf_reviews[];

/* --- what a driver may ask of the engine --- */

/* Announces one mutating call ("mkdir", "initdb", "CREATE ROLE"). Returns when it is durable. SF_E_CANCELLED: stop here,
 * nothing was started. */
enum sf_code sf_op_intent(struct sf_op *op, const char *call, struct sf_err *err) SF_MUST_CHECK;
/* Reports the identity the instant it is known. Returns when it is durable. */
enum sf_code sf_op_made(struct sf_op *op, struct sf_str id, struct sf_err *err) SF_MUST_CHECK;
/* The object that ref attribute `attr` of `of` (NULL: op->self) points at, the i-th if it is a list; NULL when it has none or it is
 * a literal. */
const struct sf_object *sf_op_ref(const struct sf_op *op, const struct sf_object *of, const char *attr, size_t i);
/* Keeps a secret that this driver generated: sealed, durable before it returns; part of this resource and gone with it. */
enum sf_code sf_op_seal(struct sf_op *op, const char *name, struct sf_str secret, struct sf_err *err) SF_MUST_CHECK;
/* The clear secret kept under `name` by resource `of` (NULL: op->self). SF_E_ABSENT when there is none. Works while planning. */
enum sf_code sf_op_unseal(struct sf_op *op, const struct sf_object *of, const char *name, struct sf_str *secret,
                          struct sf_err *err) SF_MUST_CHECK;
/* Keyed fingerprint of a secret as state keeps it ("hmac:..."). */
struct sf_str sf_op_fingerprint(struct sf_op *op, struct sf_str secret);
/* One short line for the progress display ("FY2012, 14 of 29"). Cheap; may be called often. */
void sf_op_progress(struct sf_op *op, const char *fmt, ...) SF_PRINTF(2, 3);
/* The same in numbers, from which the display works out rate and time left: `what` is "fetching bpnb-jwfb", `unit` "rows", "files",
 * or "bytes", which are shown as MB; total 0: not known. `done` grows as long as `what` stays the same. */
void sf_op_progress_of(struct sf_op *op, const char *what, uint64_t done, uint64_t total, const char *unit);
/* A note or warning that belongs in the plan or the run's summary. */
void sf_op_warn(struct sf_op *op, const char *fmt, ...) SF_PRINTF(2, 3);
/* What became of one check of data. */
enum sf_check_outcome {
    SF_CHECK_SKIPPED, /* not reached */
    SF_CHECK_PASSED,
    SF_CHECK_FAILED,   /* nothing was published */
    SF_CHECK_WARNED,   /* failed, and published: its severity is warn */
    SF_CHECK_ACCEPTED, /* failed, and published: -accept-check */
};
struct sf_check_report {
    struct sf_str name;
    enum sf_check_outcome outcome;
    int64_t failing;    /* rows */
    struct sf_str rows; /* the first of them, a line each */
};
/* Says that this resource has a check of that name, while planning and again in the call that runs it. Whether -accept-check names
 * it. */
bool sf_op_has_check(struct sf_op *op, struct sf_str name);
/* Says what became of it, for the summary, -json and -junit. */
void sf_op_report_check(struct sf_op *op, const struct sf_check_report *report);
/* Whether a signal asked to stop; long local work checks it now and then. */
bool sf_op_is_cancelled(const struct sf_op *op);

#endif
