/* What the files of state/ share; nobody else includes this.
 *
 * A store is one SQLite connection, one thread's. Read-write, it works on the file; read-only, on a private copy of the file in
 * memory, taken in one read transaction at open, so that a plan sees one moment and never stands in a writer's way.
 *
 * At rest the file is in rollback-journal mode: one file that anyone can read without making others beside it. The holder of
 * the run lock turns it to WAL and back. A file found in WAL mode while nobody holds the lock was not closed cleanly. */
#ifndef SF_STATE_INTERNAL_H
#define SF_STATE_INTERNAL_H

#include "state/store.h"

#include <sqlite3.h>
#include <stdatomic.h>
#include <sys/stat.h>
#include <sys/types.h>

enum { SF_KEY_BYTES = 32, SF_STATE_TEXTS = 3 };

/* One prepared statement each, made when first used and kept; the texts are in sql.c. */
enum sf_query {
    SF_Q_BEGIN,
    SF_Q_COMMIT,
    SF_Q_ROLLBACK,
    SF_Q_STORE,
    SF_Q_BUMP,
    SF_Q_CHECKED,
    SF_Q_KEY_CHECK,
    SF_Q_ROWS,
    SF_Q_HAS_ADDRESS,
    SF_Q_PUT_ROW,
    SF_Q_DELETE_ROW,
    SF_Q_INTENTS,
    SF_Q_PUT_INTENT,
    SF_Q_CLOSE_INTENT,
    SF_Q_ADD_HISTORY,
    SF_Q_PRUNE_HISTORY,
    SF_Q_HISTORY,
    SF_Q_GET_META,
    SF_Q_PUT_META,
    SF_Q_SECRETS,
    SF_Q_GET_SECRET,
    SF_Q_PUT_SECRET,
    SF_Q_DROP_SECRETS,
    SF_QUERIES
};

/* How the file system under a state file is to be treated. */
enum sf_files_kind { SF_FILES_LOCAL, SF_FILES_ROLLBACK_ONLY, SF_FILES_NETWORK };

struct sf_store {
    sqlite3 *db;
    char *path;             /* absolute, its directory without symbolic links */
    struct sf_arena *arena; /* this store itself, identity and lineage */
    struct sf_store_identity identity;
    struct sf_str lineage;
    int64_t revision;   /* as of the last commit or load */
    int64_t checked_ms; /* wall clock of the last full check */
    dev_t device;       /* the file that was opened, to notice a replaced one */
    ino_t inode;
    bool is_read_only;
    bool is_in_tx;
    bool has_changed;      /* something was written in this transaction */
    bool had_hot_journal;  /* a rollback journal lay beside the file when it was opened */
    bool is_rollback_only; /* the file system cannot do WAL's shared memory */
    int lock_fd;           /* -1 while the run lock is not held */
    sqlite3_stmt *queries[SF_QUERIES];
    struct sf_buf texts[SF_STATE_TEXTS]; /* JSON on its way into a statement */

    /* seal.c */
    bool has_key;
    atomic_bool is_key_used; /* a fingerprint or a sealed value depends on the key now */
    struct sf_str key_check; /* recorded proof of which key it is; empty before the first use */
    char own_key_check[33];  /* the same of the key that is loaded */
    char key_source[256];    /* where it came from, for messages */
    unsigned char seal_key[SF_KEY_BYTES];
    unsigned char print_key[SF_KEY_BYTES];
};

/* --- files.c: paths, owners, modes, durability --- */

/* An absolute path (malloc'ed) whose directory exists and is free of symbolic links; SF_E_ABSENT when it does not exist and
 * may not be made. A `.sf` on the way gets its .gitignore. */
enum sf_code sf_files_resolve(const char *path, bool may_create, char **out, struct sf_err *err) SF_MUST_CHECK;
/* Refuses a link, a non-file, another owner, and a mode that lets others in. SF_E_ABSENT when there is nothing. */
enum sf_code sf_files_check(const char *path, struct stat *st, struct sf_err *err) SF_MUST_CHECK;
/* Makes an empty file, 0600, durable with its directory. One that exists already is fine. */
enum sf_code sf_files_make(const char *path, struct sf_err *err) SF_MUST_CHECK;
/* mkdir -p, each new directory durable in its parent. */
enum sf_code sf_files_make_dirs(const char *path, mode_t mode, struct sf_err *err) SF_MUST_CHECK;
/* Makes the names in the directory of `path` durable. */
enum sf_code sf_files_sync_dir(const char *path, struct sf_err *err) SF_MUST_CHECK;
enum sf_files_kind sf_files_kind(const char *path);
/* `path` with `suffix`, malloc'ed; never NULL. */
char *sf_files_beside(const char *path, const char *suffix);
/* The account's name, or its number. */
void sf_files_user(uid_t uid, char *name, size_t size);

/* --- sql.c: the connection, errors, schema --- */

/* Safety settings that every connection of ours gets. */
enum sf_code sf_store_sql_configure(sqlite3 *db, const char *path, struct sf_err *err) SF_MUST_CHECK;
/* The kept statement, reset; NULL with `err` filled when it cannot be made. */
sqlite3_stmt *sf_store_sql_query(struct sf_store *store, enum sf_query query, struct sf_err *err);
/* Steps a statement that returns nothing, and resets it. */
enum sf_code sf_store_sql_run(struct sf_store *store, sqlite3_stmt *query, struct sf_err *err) SF_MUST_CHECK;
enum sf_code sf_store_sql_exec(struct sf_store *store, const char *sql, struct sf_err *err) SF_MUST_CHECK;
/* Turns the connection's last error into ours. */
enum sf_code sf_store_sql_fail(sqlite3 *db, const char *path, struct sf_err *err);
void sf_store_sql_bind(sqlite3_stmt *query, int at, struct sf_str text);
/* Column `at` as text in the arena. */
struct sf_str sf_store_sql_text(sqlite3_stmt *query, int at, struct sf_arena *arena);
/* First column of the first row of `sql` as an integer. */
enum sf_code sf_store_sql_int(struct sf_store *store, const char *sql, int64_t *out, struct sf_err *err) SF_MUST_CHECK;
/* Brings a file up to this program's tables, in one transaction; a new one gets its identity. */
enum sf_code sf_store_sql_migrate(struct sf_store *store, const struct sf_store_identity *identity,
                                  struct sf_err *err) SF_MUST_CHECK;
/* Versions of the tables: what this program writes, and the mark in the file's header. */
int64_t sf_store_sql_version(void);
enum { SF_APPLICATION_ID = 0x53465354 }; /* "SFST" */

/* --- copy.c: checks, the backup, the read-only copy --- */

/* SF_E_IO: the file is damaged, `what` says how; the hint names the newest good copy. */
enum sf_code sf_copy_damaged(const char *path, const char *what, struct sf_err *err);
/* quick_check and foreign keys. */
enum sf_code sf_copy_check(struct sf_store *store, struct sf_err *err) SF_MUST_CHECK;
/* Writes <path>.backup anew when it is older than the store. */
enum sf_code sf_copy_back_up(struct sf_store *store, struct sf_err *err) SF_MUST_CHECK;
/* Opens a private copy in memory of the file at store->path. `is_unclean`: the file was left in WAL mode by a crash. */
enum sf_code sf_copy_open(struct sf_store *store, bool *is_unclean, struct sf_err *err) SF_MUST_CHECK;

/* --- store.c --- */

/* Reads the store's own row: identity, lineage, revision. */
enum sf_code sf_store_reload(struct sf_store *store, struct sf_err *err) SF_MUST_CHECK;
/* What the new holder of the lock does first: check if need be, back up, turn to WAL. */
enum sf_code sf_store_become_writer(struct sf_store *store, struct sf_err *err) SF_MUST_CHECK;
/* SF_E_INTERNAL outside a transaction; notes that something changes. */
enum sf_code sf_store_will_change(struct sf_store *store, struct sf_err *err) SF_MUST_CHECK;

/* --- rows.c --- */

/* Binds `v` as JSON, by way of the store's text buffer `text`; NULL as `empty`. */
enum sf_code sf_rows_bind_value(struct sf_store *store, sqlite3_stmt *query, int at, size_t text, const struct sf_value *v,
                                const char *empty, struct sf_err *err) SF_MUST_CHECK;
enum sf_code sf_rows_read_value(struct sf_store *store, sqlite3_stmt *query, int at, struct sf_arena *arena,
                                const struct sf_value **out, struct sf_err *err) SF_MUST_CHECK;

/* --- lock.c --- */
void sf_lock_release(struct sf_store *store);

/* --- key.c, seal.c --- */

/* Finds (or makes) the 32 bytes of the state key; `source` says where. SF_E_ABSENT when there is none and none may be made. */
enum sf_code sf_key_find(bool may_make, unsigned char *key, char *source, size_t source_size, struct sf_err *err) SF_MUST_CHECK;
/* Seals everything of `from` again for `to`. */
enum sf_code sf_seal_move(struct sf_store *store, struct sf_str from, struct sf_str to, struct sf_err *err) SF_MUST_CHECK;
/* Forgets the keys in memory. */
void sf_seal_forget(struct sf_store *store);

#endif
