/* The two things that the provider-neutral data kinds need of a world: a bucket and a warehouse.
 *
 * Implemented once in resources/local/world.c (`sf_world_local`) and once in resources/aws/. Bucket calls here go through
 * the control plane (the engine's own rights), never through SFTP. */
#ifndef SF_DATA_WORLD_H
#define SF_DATA_WORLD_H

#include "engine/core/map.h"
#include "engine/kind.h"
#include "resources/net/put_pool.h"

struct sf_bucket_entry {
    struct sf_str key;
    int64_t bytes;
    struct sf_str etag; /* another after every write of other bytes, often their MD5 in hex; empty where there is none */
};

/* A streaming reader of one object. read() fills up to `n` bytes, *got = 0 at the end. close() always. */
struct sf_reader {
    enum sf_code (*read)(struct sf_reader *reader, void *bytes, size_t n, size_t *got, struct sf_err *err);
    void (*close)(struct sf_reader *reader);
    void *impl;
};

/* One step of a warehouse transaction: SQL text, or a copy-in of bucket objects into a table. */
struct sf_statement {
    const char *what;  /* for progress and errors: "copy transaction FY2025" */
    struct sf_str sql; /* for a copy: empty */
    /* copy-in: gzip CSV objects with a header line, in order, into `table` (already quoted, schema-qualified) */
    struct sf_str table;
    struct sf_str columns; /* quoted column list, comma-separated */
    /* of each of them a letter: b bigint, i integer, n numeric, t text; NULL: not known, or another type is among them */
    const char *types;
    const struct sf_object *bucket;
    const struct sf_str *keys;
    size_t n_keys;
    const struct sf_object *role; /* must be attached to the cluster, trust redshift, allow GetObject on each key */
    bool wants_rows;              /* keep this statement's result rows */
    bool freeze;                  /* the table was created in this transaction: rows are written frozen (PostgreSQL) */
    bool opens;   /* of a script that is cut into transactions (sf_script_run): one begins here. Alone in one, it is run outside of
                     any */
    bool is_anew; /* first of a warehouse_run() that only stages or sweeps: run each time, whatever became of one in the same words
                   */
    const struct sf_str *prepare; /* warehouse_stage() only: SQL run before the copy (makes the table), in its transaction */
    size_t n_prepare;
};

/* The SQL of a world's warehouses; see dialect.h. */
struct sf_dialect;
extern const struct sf_dialect sf_dialect_postgresql, sf_dialect_redshift;

struct sf_world {
    const char *name;
    const struct sf_dialect *dialect;
    struct sf_str account, region;
    bool has_etags; /* of objects; see sf_bucket_entry */

    /* Called first, before even state is opened. Whether this account should work in this stack's directory at all (root in
     * somebody's home should not), and who it is in this world: sets site->account and site->region where they are not fixed, and
     * may set site->world_ctx. May be NULL. */
    enum sf_code (*check)(struct sf_arena *arena, struct sf_site *site, struct sf_err *err);
    /* Who and where, lines of text for the top of a plan: "aws account 123456789012, us-west-2, as arn:...". May be NULL. */
    void (*greet)(const struct sf_site *site, struct sf_buf *out);
    /* Frees what check() and open() made; called once at the end, whatever happened. May be NULL. */
    void (*close)(struct sf_site *site);
    /* Asks the world which actions of `statement` ({Action: [..], Resource: [..]}) the caller is not allowed: *denied is a list of
     * texts "s3:CreateBucket on arn:...". SF_E_DENIED or SF_E_REFUSED: it would not say. On the main thread, while planning. May be
     * NULL. */
    enum sf_code (*ask_rights)(struct sf_arena *arena, const struct sf_site *site, const struct sf_value *statement,
                               const struct sf_value **denied, struct sf_err *err);
    /* Called once before planning, on the main thread. Finds and checks what the whole world needs (the territory, the
     * account servers run as) and returns its context in *ctx, which lives in `arena`. `may_write` is false for sfplan. `recorded`
     * is what an earlier open() stored in state (empty map at first); *record is what to store now (or NULL for no change). */
    enum sf_code (*open)(struct sf_arena *arena, struct sf_site *site, bool may_write, const struct sf_value *recorded, void **ctx,
                         const struct sf_value **record, struct sf_err *err);

    /* After a destroy: what still bears this stack's ownership or still runs or listens, one line each in *left (a list, empty
     * when it is proven that nothing is left; the empty frame of directories is removed then). May be NULL. */
    enum sf_code (*sweep)(struct sf_arena *arena, const struct sf_site *site, const struct sf_value **left, struct sf_err *err);

    /* --- bucket --- */
    /* All objects whose key starts with `prefix`, sorted by key. */
    enum sf_code (*bucket_list)(struct sf_op *op, const struct sf_object *bucket, struct sf_str prefix,
                                struct sf_bucket_entry **entries, size_t *n, struct sf_err *err);
    /* SF_E_ABSENT if there is no such key. The caller closes. */
    enum sf_code (*bucket_open)(struct sf_op *op, const struct sf_object *bucket, struct sf_str key, struct sf_reader *reader,
                                struct sf_err *err);
    /* Writes a whole object from memory. */
    enum sf_code (*bucket_put)(struct sf_op *op, const struct sf_object *bucket, struct sf_str key, struct sf_str bytes,
                               struct sf_err *err);
    /* Puts files, ordered by step, each as a whole object under its key, several at once where that helps; see sf_put_all().
     * `calls` is told of files. A file that does not have the size that was said is SF_E_STALE. A file's etag is set before done().
     */
    enum sf_code (*bucket_put_many)(struct sf_op *op, const struct sf_object *bucket, struct sf_put_file *files, size_t n,
                                    const struct sf_put_calls *calls, struct sf_err *err);
    /* Ends what was begun of putting one of `keys` (a map) below `prefix` and never finished. May be NULL: nothing is left then. */
    enum sf_code (*bucket_abandon)(struct sf_op *op, const struct sf_object *bucket, struct sf_str prefix,
                                   const struct sf_map *keys, struct sf_err *err);
    /* Deletes one object with all its versions; absent is success. */
    enum sf_code (*bucket_delete)(struct sf_op *op, const struct sf_object *bucket, struct sf_str key, struct sf_err *err);

    /* --- SFTP --- */
    /* While planning: whether this program's SSH can talk to `server` and log in with `key`, as both will be. SF_E_CONFIG says what
     * they do not share and what else to do. May be NULL: it can. */
    enum sf_code (*sftp_check)(struct sf_op *op, const struct sf_object *server, const struct sf_object *key, struct sf_err *err);

    /* --- warehouse --- */
    /* One read-only query through engine control (no password, outside the security groups). Rows: list of lists of string
     * or null. SF_E_UNAVAILABLE when the cluster is stopped or unreachable. */
    enum sf_code (*warehouse_query)(struct sf_op *op, const struct sf_object *cluster, struct sf_str sql,
                                    const struct sf_value **rows, struct sf_err *err);
    /* Whether warehouse_run() would take these as one transaction: SF_E_CONFIG says what is too much. Asks nobody, also while
     * planning. May be NULL: it takes any. */
    enum sf_code (*warehouse_takes)(struct sf_op *op, const struct sf_object *cluster, const struct sf_statement *statements,
                                    size_t n, struct sf_err *err);
    /* Copies (or SQL that fills one such table) into tables that nobody else looks at, before the transaction that publishes what
     * they bring: several at once, in any order, each with its `prepare`, as a client with the master user's password would. They
     * are committed when this returns SF_OK. On failure the others are stopped and *failed is the index of one that failed; what is
     * left of the tables is the caller's to drop, as it is after a crash. Never SF_E_UNKNOWN: nothing is published here. (On
     * PostgreSQL a connection a processor; on Redshift one after the other, since a COPY uses all slices by itself.) */
    enum sf_code (*warehouse_stage)(struct sf_op *op, const struct sf_object *cluster, const struct sf_statement *copies, size_t n,
                                    size_t *failed, struct sf_err *err);
    /* One statement of a person's, as `user` with `password`, in a session that may only read. SF_E_REFUSED with the SQLSTATE in
     * err->remote_code for what is wrong with it or would write. May be NULL. */
    enum sf_code (*warehouse_ask)(struct sf_op *op, const struct sf_object *cluster, struct sf_str user, struct sf_str password,
                                  struct sf_str sql, struct sf_answer *out, struct sf_err *err);
    /* Whether a person's psql may be let in at all, as far as the stack says, and what it has to have in its environment beside the
     * passfile: "PGSSLMODE=verify-full PGSSLROOTCERT=/etc/ca.pem", words for a shell. NULL: it may, and nothing. Asks nobody. */
    bool (*warehouse_client)(struct sf_op *op, const struct sf_object *cluster, struct sf_str *environment);
    /* Statements in one transaction, each in turn, all or nothing, as a client with the master user's password would. On
     * failure *failed is the index and err->remote_code the SQLSTATE. Lost connection during commit is SF_E_UNKNOWN. *rows is a
     * list with one entry a statement: its rows if wants_rows, else null. */
    enum sf_code (*warehouse_run)(struct sf_op *op, const struct sf_object *cluster, const struct sf_statement *statements,
                                  size_t n, const struct sf_value **rows, size_t *failed, struct sf_err *err);
    /* Like warehouse_run but through engine control (roles, grants, comments, database settings): no copy-in. */
    enum sf_code (*warehouse_control)(struct sf_op *op, const struct sf_object *cluster, const struct sf_statement *statements,
                                      size_t n, const struct sf_value **rows, size_t *failed, struct sf_err *err);
};

/* Worlds linked in, NULL-terminated; generated or listed in resources/worlds.c. */
extern const struct sf_world *const sf_worlds[];

#endif
