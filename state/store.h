/* The durable store: what exists, what was about to happen, what happened. Seen by engine/run and engine/cli only.
 *
 * One store belongs to one stack, lineage, provider, account and region, and refuses any other. Used by one thread. A mutating
 * call is bracketed: intent committed -> call -> outcome and resource row committed in one transaction. */
#ifndef SF_STATE_STORE_H
#define SF_STATE_STORE_H

#include "engine/core/json.h"

struct sf_store;

struct sf_store_identity {
    struct sf_str stack, provider;
    struct sf_str account, region; /* empty in what is asked for: whichever it is */
};

enum sf_row_status { SF_ROW_CURRENT, SF_ROW_INCOMPLETE, SF_ROW_DEPOSED };

struct sf_row {
    struct sf_str address; /* "bucket.landing" */
    struct sf_str kind;
    int64_t generation; /* 0 for the current object; deposed ones count up */
    struct sf_str id;
    enum sf_row_status status;
    const struct sf_value *attrs; /* map as last known after an apply or accepted refresh; secrets as fingerprints */
    const struct sf_value *refs;  /* map: ref attribute -> address or list of addresses */
    const struct sf_value *deps;  /* list of addresses: direct dependencies as of the last apply */
    struct sf_str replace_order;  /* "delete_first", "create_first", "attachment" */
    struct sf_str with_container; /* "forget" or "destroy_own" */
    struct sf_str container;      /* address of what it is inside of, or empty */
    bool is_protected;
    struct sf_str on_remove; /* "destroy" or "forget" */
    int64_t revision;        /* store revision of its last change */
};

struct sf_intent {
    struct sf_str id; /* UUID */
    struct sf_str address;
    int64_t generation;
    struct sf_str kind;
    struct sf_str verb;          /* "create", "update", "destroy" */
    struct sf_str call;          /* the driver's word for the call last announced */
    const struct sf_value *want; /* map, secrets as fingerprints */
    const struct sf_value *refs;
    const struct sf_value *deps;
    struct sf_str made_id; /* identity if known */
    struct sf_str run;     /* UUID of the run that wrote it */
    int64_t opened_ms;     /* wall clock */
};

/* Opens (creates when `may_create`) the store at `path`, a file, or postgresql:// (not yet: SF_E_USAGE).
 * Checks application id, version, identity, lineage, foreign keys; quick_check after an unclean close and daily. Damage is
 * SF_E_IO naming the newest good copy. Another stack, provider, account or region is SF_E_STALE naming both. SF_E_ABSENT when there
 * is no file and may_create is false. Read-only is a private copy of one moment: it works beside a running apply and in a directory
 * that cannot be written, makes no file, and holds nothing up. */
enum sf_code sf_store_open(const char *path, const struct sf_store_identity *identity, bool may_create, bool read_only,
                           struct sf_store **out, struct sf_err *err) SF_MUST_CHECK;
/* Checkpoints (a store at rest is one file) and closes. NULL is fine. */
void sf_store_close(struct sf_store *store);
struct sf_str sf_store_lineage(const struct sf_store *store);
/* Increases by one with every commit that changed something. */
int64_t sf_store_revision(const struct sf_store *store);

/* Takes the run lock for life (kernel lock on <path>.lock), waiting up to `wait_ms`, then checks (after an unclean close, and
 * daily) and backs up the file, and sees what other runs did meanwhile: read rows after it. SF_E_LOCKED names the holder
 * (user@host, pid, since, command); SF_E_CANCELLED when SIGINT, SIGTERM or SIGHUP came while waiting. Called again, it only renames
 * the command. */
enum sf_code sf_store_lock(struct sf_store *store, const char *command, int64_t wait_ms, struct sf_err *err) SF_MUST_CHECK;
/* Who holds the lock now ("pid 123, root@host, sfapply since ..."), empty when nobody. */
struct sf_str sf_store_lock_holder(struct sf_store *store, struct sf_arena *arena);

/* Everything, in one read transaction. Arrays live in the arena. */
enum sf_code sf_store_rows(struct sf_store *store, struct sf_arena *arena, struct sf_row **rows, size_t *n,
                           struct sf_err *err) SF_MUST_CHECK;
enum sf_code sf_store_intents(struct sf_store *store, struct sf_arena *arena, struct sf_intent **intents, size_t *n,
                              struct sf_err *err) SF_MUST_CHECK;

/* A write transaction: BEGIN IMMEDIATE ... COMMIT (durable when it returns). Several calls may share one. Takes the run lock if
 * this store does not hold it. A commit that fails has rolled back; after a call inside that fails, roll back. */
enum sf_code sf_store_begin(struct sf_store *store, struct sf_err *err) SF_MUST_CHECK;
enum sf_code sf_store_commit(struct sf_store *store, struct sf_err *err) SF_MUST_CHECK;
void sf_store_rollback(struct sf_store *store);

/* Inside a transaction. put replaces by (address, generation). */
enum sf_code sf_store_put_row(struct sf_store *store, const struct sf_row *row, struct sf_err *err) SF_MUST_CHECK;
enum sf_code sf_store_delete_row(struct sf_store *store, struct sf_str address, int64_t generation,
                                 struct sf_err *err) SF_MUST_CHECK;
/* Renames an address everywhere it occurs (rows, deps, refs, sealed secrets). */
enum sf_code sf_store_move(struct sf_store *store, struct sf_str from, struct sf_str to, struct sf_err *err) SF_MUST_CHECK;
/* Puts or replaces the intent with this id. */
enum sf_code sf_store_put_intent(struct sf_store *store, const struct sf_intent *intent, struct sf_err *err) SF_MUST_CHECK;
enum sf_code sf_store_close_intent(struct sf_store *store, struct sf_str id, struct sf_err *err) SF_MUST_CHECK;
/* Appends to history: what happened to an address ("create", "update", "destroy", "forget", "adopt", "load"...), with a JSON
 * detail. Pruned to the newest 10,000 by the store. */
enum sf_code sf_store_add_history(struct sf_store *store, struct sf_str run, struct sf_str address, struct sf_str event,
                                  const struct sf_value *detail, struct sf_err *err) SF_MUST_CHECK;
/* Newest first; empty address: all. Rows are maps {at, run, address, event, detail}. */
enum sf_code sf_store_history(struct sf_store *store, struct sf_arena *arena, struct sf_str address, size_t limit,
                              const struct sf_value **list, struct sf_err *err) SF_MUST_CHECK;

/* Small named JSON values: "outputs", "world", "variables" (fingerprints of secret variables). NULL when absent. */
enum sf_code sf_store_get_meta(struct sf_store *store, struct sf_arena *arena, const char *name, const struct sf_value **value,
                               struct sf_err *err) SF_MUST_CHECK;
enum sf_code sf_store_put_meta(struct sf_store *store, const char *name, const struct sf_value *value,
                               struct sf_err *err) SF_MUST_CHECK;

/* --- secrets (seal.c) --- AES-256-GCM, bound to stack lineage, address, name and revision. Key: SF_STATE_KEY (64 hex digits),
 * SF_STATE_KEY_FILE, or ${XDG_CONFIG_HOME:-~/.config}/sfstack/key, 0600, made on first use when may_make_key. Thread-safe
 * once loaded: fingerprint only reads. SF_E_ABSENT: there is no key yet and none may be made; SF_E_AUTH: it cannot be used (open to
 * others, malformed), or is not the one this store was sealed with; SF_E_CONFIG: no HOME to keep one in. */
enum sf_code sf_store_load_key(struct sf_store *store, bool may_make_key, struct sf_err *err) SF_MUST_CHECK;
/* Inside a transaction. Replaces what was sealed under (address, name). Variables use the address "var.<name>". */
enum sf_code sf_store_seal(struct sf_store *store, struct sf_str address, const char *name, struct sf_str clear,
                           struct sf_err *err) SF_MUST_CHECK;
enum sf_code sf_store_unseal(struct sf_store *store, struct sf_arena *arena, struct sf_str address, const char *name,
                             struct sf_str *clear, struct sf_err *err) SF_MUST_CHECK;
enum sf_code sf_store_drop_secrets(struct sf_store *store, struct sf_str address, struct sf_err *err) SF_MUST_CHECK;
/* "hmac:" and 32 hex digits: HMAC-SHA-256 under a key derived from the state key and the lineage. The empty view,
 * which equals nothing recorded, while no key is loaded. */
struct sf_str sf_store_fingerprint(struct sf_store *store, struct sf_arena *arena, struct sf_str clear);

#endif
