/* The SQLite side of a store: safe settings, kept statements, errors in our words, tables and their migrations.
 *
 * The file is treated as hostile input: no triggers, no views, no schema functions, cell sizes checked, double-quoted strings
 * refused. Migrations only ever grow at the end of their list; user_version counts how many a file has seen. */
#include "state/internal.h"

#include "engine/core/clock.h"

#include <errno.h>
#include <stdio.h>

/* Migration i brings a file from user_version i to i + 1. Never edit one that was released: add the next. */
static const char *const migrations[] = {
    "CREATE TABLE store ("
    "  one INTEGER PRIMARY KEY CHECK (one = 1),"
    "  stack TEXT NOT NULL, lineage TEXT NOT NULL, provider TEXT NOT NULL, account TEXT NOT NULL, region TEXT NOT NULL,"
    "  revision INTEGER NOT NULL, created_ms INTEGER NOT NULL, checked_ms INTEGER NOT NULL,"
    "  key_check TEXT NOT NULL) STRICT;"
    "CREATE TABLE resource ("
    "  address TEXT NOT NULL, generation INTEGER NOT NULL, kind TEXT NOT NULL, id TEXT NOT NULL,"
    "  status TEXT NOT NULL CHECK (status IN ('current', 'incomplete', 'deposed')),"
    "  attrs TEXT NOT NULL, refs TEXT NOT NULL, deps TEXT NOT NULL,"
    "  replace_order TEXT NOT NULL, with_container TEXT NOT NULL, container TEXT NOT NULL,"
    "  is_protected INTEGER NOT NULL CHECK (is_protected IN (0, 1)), on_remove TEXT NOT NULL, revision INTEGER NOT NULL,"
    "  PRIMARY KEY (address, generation)) STRICT, WITHOUT ROWID;"
    "CREATE TABLE intent ("
    "  id TEXT NOT NULL PRIMARY KEY, address TEXT NOT NULL, generation INTEGER NOT NULL, kind TEXT NOT NULL,"
    "  verb TEXT NOT NULL, call TEXT NOT NULL, want TEXT NOT NULL, refs TEXT NOT NULL, deps TEXT NOT NULL,"
    "  made_id TEXT NOT NULL, run TEXT NOT NULL, opened_ms INTEGER NOT NULL) STRICT, WITHOUT ROWID;"
    "CREATE TABLE history ("
    "  seq INTEGER PRIMARY KEY, at_ms INTEGER NOT NULL, run TEXT NOT NULL, address TEXT NOT NULL, event TEXT NOT NULL,"
    "  detail TEXT NOT NULL) STRICT;"
    "CREATE TABLE meta (name TEXT NOT NULL PRIMARY KEY, value TEXT NOT NULL) STRICT, WITHOUT ROWID;"
    "CREATE TABLE secret ("
    "  address TEXT NOT NULL, name TEXT NOT NULL, revision INTEGER NOT NULL, nonce BLOB NOT NULL, sealed BLOB NOT NULL,"
    "  PRIMARY KEY (address, name)) STRICT, WITHOUT ROWID;",
};

static const char *const texts[SF_QUERIES] = {
    [SF_Q_BEGIN] = "BEGIN IMMEDIATE",
    [SF_Q_COMMIT] = "COMMIT",
    [SF_Q_ROLLBACK] = "ROLLBACK",
    [SF_Q_STORE] = "SELECT stack, lineage, provider, account, region, revision, checked_ms, key_check FROM store",
    [SF_Q_BUMP] = "UPDATE store SET revision = ?1",
    [SF_Q_CHECKED] = "UPDATE store SET checked_ms = ?1",
    [SF_Q_KEY_CHECK] = "UPDATE store SET key_check = ?1",
    [SF_Q_ROWS] = "SELECT address, generation, kind, id, status, attrs, refs, deps, replace_order, with_container, container,"
                  " is_protected, on_remove, revision FROM resource ORDER BY address, generation",
    [SF_Q_HAS_ADDRESS] = "SELECT EXISTS (SELECT 1 FROM resource WHERE address = ?1) OR EXISTS (SELECT 1 FROM intent WHERE"
                         " address = ?1) OR EXISTS (SELECT 1 FROM secret WHERE address = ?1)",
    [SF_Q_PUT_ROW] = "REPLACE INTO resource (address, generation, kind, id, status, attrs, refs, deps, replace_order,"
                     " with_container, container, is_protected, on_remove, revision)"
                     " VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10, ?11, ?12, ?13, ?14)",
    [SF_Q_DELETE_ROW] = "DELETE FROM resource WHERE address = ?1 AND generation = ?2",
    [SF_Q_INTENTS] = "SELECT id, address, generation, kind, verb, call, want, refs, deps, made_id, run, opened_ms FROM intent"
                     " ORDER BY opened_ms, id",
    [SF_Q_PUT_INTENT] = "REPLACE INTO intent (id, address, generation, kind, verb, call, want, refs, deps, made_id, run,"
                        " opened_ms) VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10, ?11, ?12)",
    [SF_Q_CLOSE_INTENT] = "DELETE FROM intent WHERE id = ?1",
    [SF_Q_ADD_HISTORY] = "INSERT INTO history (at_ms, run, address, event, detail) VALUES (?1, ?2, ?3, ?4, ?5)",
    [SF_Q_PRUNE_HISTORY] = "DELETE FROM history WHERE seq <= ?1",
    [SF_Q_HISTORY] = "SELECT at_ms, run, address, event, detail FROM history WHERE seq > (SELECT max(seq) FROM history) - ?1"
                     " AND (?2 = '' OR address = ?2) ORDER BY seq DESC LIMIT ?3",
    [SF_Q_GET_META] = "SELECT value FROM meta WHERE name = ?1",
    [SF_Q_PUT_META] =
        "INSERT INTO meta (name, value) VALUES (?1, ?2) ON CONFLICT (name) DO UPDATE SET value = ?2 WHERE value <> ?2",
    [SF_Q_SECRETS] = "SELECT name FROM secret WHERE address = ?1 ORDER BY name",
    [SF_Q_GET_SECRET] = "SELECT revision, nonce, sealed FROM secret WHERE address = ?1 AND name = ?2",
    [SF_Q_PUT_SECRET] = "REPLACE INTO secret (address, name, revision, nonce, sealed) VALUES (?1, ?2, ?3, ?4, ?5)",
    [SF_Q_DROP_SECRETS] = "DELETE FROM secret WHERE address = ?1",
};

int64_t sf_store_sql_version(void)
{
    return (int64_t)SF_COUNT(migrations);
}

enum sf_code sf_store_sql_configure(sqlite3 *db, const char *path, struct sf_err *err)
{
    static const struct {
        int option;
        int value;
    } options[] = {
        {SQLITE_DBCONFIG_DEFENSIVE, 1},   {SQLITE_DBCONFIG_TRUSTED_SCHEMA, 0}, {SQLITE_DBCONFIG_DQS_DDL, 0},
        {SQLITE_DBCONFIG_DQS_DML, 0},     {SQLITE_DBCONFIG_ENABLE_TRIGGER, 0}, {SQLITE_DBCONFIG_ENABLE_VIEW, 0},
        {SQLITE_DBCONFIG_ENABLE_FKEY, 1},
    };
    enum { BUSY_MS = 5000 };
    for (size_t i = 0; i < SF_COUNT(options); i++)
        if (sqlite3_db_config(db, options[i].option, options[i].value, NULL) != SQLITE_OK)
            return sf_store_sql_fail(db, path, err);
    sqlite3_extended_result_codes(db, 1);
    sqlite3_busy_timeout(db, BUSY_MS);
    /* EXTRA is FULL, and in rollback mode syncs the directory too; in WAL mode they are the same */
    if (sqlite3_exec(db,
                     "PRAGMA synchronous = EXTRA; PRAGMA cell_size_check = ON; PRAGMA mmap_size = 0; PRAGMA temp_store = MEMORY",
                     NULL, NULL, NULL) != SQLITE_OK)
        return sf_store_sql_fail(db, path, err);
    return SF_OK;
}

enum sf_code sf_store_sql_fail(sqlite3 *db, const char *path, struct sf_err *err)
{
    int code = sqlite3_extended_errcode(db);
    int cause = sqlite3_system_errno(db);
    switch (code & 0xff) {
    case SQLITE_NOMEM:
        sf_out_of_memory();
    case SQLITE_CORRUPT:
    case SQLITE_NOTADB:
    case SQLITE_ERROR: /* our statements do not fit the tables: not ours, or edited */
    case SQLITE_MISMATCH:
        return sf_copy_damaged(path, sqlite3_errmsg(db), err);
    case SQLITE_FULL:
        sf_fail(err, SF_E_IO, "no space left for state '%s'", path);
        sf_hint(err, "free some disk space and run the command again; nothing that was recorded is lost");
        return SF_E_IO;
    case SQLITE_BUSY:
    case SQLITE_LOCKED:
        sf_fail(err, SF_E_LOCKED, "another program is using state '%s'", path);
        sf_hint(err, "end whatever has the file open (a sqlite3 shell, a backup) and run the command again");
        return SF_E_LOCKED;
    case SQLITE_READONLY:
    case SQLITE_PERM:
    case SQLITE_CANTOPEN:
    case SQLITE_IOERR:
        errno = cause ? cause : EIO;
        sf_fail_errno(err, SF_E_IO, "cannot use state '%s' (%s)", path, sqlite3_errmsg(db));
        if (err && !err->hint[0])
            sf_hint(err,
                    "check the disk and the permissions of the directory and run the command again; nothing that was recorded is "
                    "lost");
        return SF_E_IO;
    }
    return sf_fail(err, SF_E_INTERNAL, "state '%s': %s (sqlite %d)", path, sqlite3_errmsg(db), code);
}

sqlite3_stmt *sf_store_sql_query(struct sf_store *store, enum sf_query query, struct sf_err *err)
{
    sqlite3_stmt **kept = &store->queries[query];
    if (!*kept && sqlite3_prepare_v3(store->db, texts[query], -1, SQLITE_PREPARE_PERSISTENT, kept, NULL) != SQLITE_OK) {
        (void)sf_store_sql_fail(store->db, store->path, err);
        return NULL;
    }
    sqlite3_reset(*kept);
    return *kept;
}

enum sf_code sf_store_sql_run(struct sf_store *store, sqlite3_stmt *query, struct sf_err *err)
{
    enum sf_code rc = SF_OK;
    if (sqlite3_step(query) != SQLITE_DONE)
        rc = sf_store_sql_fail(store->db, store->path, err);
    sqlite3_reset(query);
    sqlite3_clear_bindings(query);
    return rc;
}

enum sf_code sf_store_sql_exec(struct sf_store *store, const char *sql, struct sf_err *err)
{
    if (sqlite3_exec(store->db, sql, NULL, NULL, NULL) != SQLITE_OK)
        return sf_store_sql_fail(store->db, store->path, err);
    return SF_OK;
}

void sf_store_sql_bind(sqlite3_stmt *query, int at, struct sf_str text)
{
    /* the bytes outlive the step: callers hold them */
    if (sqlite3_bind_text64(query, at, text.p ? text.p : "", text.n, SQLITE_STATIC, SQLITE_UTF8) == SQLITE_NOMEM)
        sf_out_of_memory();
}

struct sf_str sf_store_sql_text(sqlite3_stmt *query, int at, struct sf_arena *arena)
{
    const char *text = (const char *)sqlite3_column_text(query, at);
    return sf_str_dup(arena, (struct sf_str){text, text ? (size_t)sqlite3_column_bytes(query, at) : 0});
}

enum sf_code sf_store_sql_int(struct sf_store *store, const char *sql, int64_t *out, struct sf_err *err)
{
    sqlite3_stmt *query = NULL;
    enum sf_code rc = SF_OK;
    if (sqlite3_prepare_v2(store->db, sql, -1, &query, NULL) != SQLITE_OK || sqlite3_step(query) != SQLITE_ROW)
        rc = sf_store_sql_fail(store->db, store->path, err);
    else
        *out = sqlite3_column_int64(query, 0);
    sqlite3_finalize(query);
    return rc;
}

static enum sf_code put_identity(struct sf_store *store, const struct sf_store_identity *identity, struct sf_err *err)
{
    static const char sql[] = "INSERT INTO store VALUES (1, ?1, ?2, ?3, ?4, ?5, 0, ?6, ?6, '')";
    sqlite3_stmt *query = NULL;
    if (sqlite3_prepare_v2(store->db, sql, -1, &query, NULL) != SQLITE_OK)
        return sf_store_sql_fail(store->db, store->path, err);
    sf_store_sql_bind(query, 1, identity->stack);
    sf_store_sql_bind(query, 2, sf_random_uuid(store->arena));
    sf_store_sql_bind(query, 3, identity->provider);
    sf_store_sql_bind(query, 4, identity->account);
    sf_store_sql_bind(query, 5, identity->region);
    sqlite3_bind_int64(query, 6, sf_clock_wall_ms());
    enum sf_code rc = sf_store_sql_run(store, query, err);
    sqlite3_finalize(query);
    return rc;
}

static enum sf_code run_migrations(struct sf_store *store, const struct sf_store_identity *identity, struct sf_err *err)
{
    int64_t version = 0; /* read again inside the transaction: another process may have been faster */
    enum sf_code rc = sf_store_sql_int(store, "PRAGMA user_version", &version, err);
    for (int64_t i = version; !rc && i < sf_store_sql_version(); i++)
        rc = sf_store_sql_exec(store, migrations[i], err);
    char marks[128];
    snprintf(marks, sizeof(marks), "PRAGMA user_version = %d; PRAGMA application_id = %d", (int)sf_store_sql_version(),
             SF_APPLICATION_ID);
    if (!rc && version < sf_store_sql_version())
        rc = sf_store_sql_exec(store, marks, err);
    if (!rc && version == 0)
        rc = put_identity(store, identity, err);
    return rc;
}

enum sf_code sf_store_sql_migrate(struct sf_store *store, const struct sf_store_identity *identity, struct sf_err *err)
{
    enum sf_code rc = sf_store_sql_exec(store, "BEGIN IMMEDIATE", err);
    if (rc)
        return rc;
    rc = run_migrations(store, identity, err);
    if (!rc)
        rc = sf_store_sql_exec(store, "COMMIT", err);
    if (rc && !sqlite3_get_autocommit(store->db))
        sqlite3_exec(store->db, "ROLLBACK", NULL, NULL, NULL);
    return rc;
}
