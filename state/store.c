/* Opening and closing a store, its identity, and its transactions. See internal.h for what lies at rest and what while in use. */
#include "state/internal.h"

#include "engine/core/clock.h"

#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

enum { DAY_MS = 24 * 60 * 60 * 1000 };

enum sf_code sf_store_reload(struct sf_store *store, struct sf_err *err)
{
    sqlite3_stmt *query = sf_store_sql_query(store, SF_Q_STORE, err);
    if (!query)
        return SF_E_IO;
    int step = sqlite3_step(query);
    if (step == SQLITE_DONE)
        return sf_copy_damaged(store->path, "it does not say whose it is", err);
    if (step != SQLITE_ROW)
        return sf_store_sql_fail(store->db, store->path, err);
    store->identity.stack = sf_store_sql_text(query, 0, store->arena);
    store->lineage = sf_store_sql_text(query, 1, store->arena);
    store->identity.provider = sf_store_sql_text(query, 2, store->arena);
    store->identity.account = sf_store_sql_text(query, 3, store->arena);
    store->identity.region = sf_store_sql_text(query, 4, store->arena);
    store->revision = sqlite3_column_int64(query, 5);
    store->checked_ms = sqlite3_column_int64(query, 6);
    store->key_check = sf_store_sql_text(query, 7, store->arena);
    sqlite3_reset(query);
    if (store->lineage.n != 36)
        return sf_copy_damaged(store->path, "it has no lineage", err);
    return SF_OK;
}

/* Who only reads state does not ask the world where it is. */
static bool fits(struct sf_str have, struct sf_str want)
{
    return !want.n || sf_str_eq(have, want);
}

static enum sf_code check_identity(const struct sf_store *store, const struct sf_store_identity *want, struct sf_err *err)
{
    const struct sf_store_identity *have = &store->identity;
    if (sf_str_eq(have->stack, want->stack) && sf_str_eq(have->provider, want->provider) && fits(have->account, want->account) &&
        fits(have->region, want->region))
        return SF_OK;
    sf_fail(err, SF_E_STALE,
            "state '%s' belongs to stack '%.*s' (provider %.*s, account %.*s, region %.*s), not to stack '%.*s' (provider %.*s, "
            "account "
            "%.*s, region %.*s)",
            store->path, SF_ARG(have->stack), SF_ARG(have->provider), SF_ARG(have->account), SF_ARG(have->region),
            SF_ARG(want->stack), SF_ARG(want->provider), SF_ARG(want->account), SF_ARG(want->region));
    sf_hint(err, "a stack has a state for each account and region it is in: go back to those above, or name another with --state");
    return SF_E_STALE;
}

/* Whose file it is and which version, before anything is written to it. */
static enum sf_code check_version(struct sf_store *store, bool *is_new, bool *is_old, struct sf_err *err)
{
    int64_t application = 0, version = 0, tables = 0;
    enum sf_code rc = sf_store_sql_int(store, "SELECT count(*) FROM sqlite_schema", &tables, err);
    if (!rc)
        rc = sf_store_sql_int(store, "PRAGMA application_id", &application, err);
    if (!rc)
        rc = sf_store_sql_int(store, "PRAGMA user_version", &version, err);
    if (rc)
        return rc;
    *is_new = tables == 0 && application == 0 && version == 0;
    *is_old = !*is_new && version < sf_store_sql_version();
    if (*is_new)
        return SF_OK;
    if (application != SF_APPLICATION_ID || version < 1) {
        sf_fail(err, SF_E_IO, "'%s' is a database of another program, not a state of sfstack", store->path);
        sf_hint(err, "name another file with --state");
        return SF_E_IO;
    }
    if (version > sf_store_sql_version()) {
        sf_fail(err, SF_E_STALE, "state '%s' was written by a newer sfstack (tables of version %lld, this program knows %lld)",
                store->path, (long long)version, (long long)sf_store_sql_version());
        sf_hint(err, "use that sfstack, or a newer one");
        return SF_E_STALE;
    }
    return SF_OK;
}

static enum sf_code open_for_reading(struct sf_store *store, struct sf_err *err)
{
    bool is_unclean = false, is_new = false, is_old = false;
    enum sf_code rc = sf_copy_open(store, &is_unclean, err);
    if (!rc)
        rc = check_version(store, &is_new, &is_old, err);
    if (!rc && is_new)
        rc = sf_fail(err, SF_E_ABSENT, "state '%s' is empty", store->path);
    if (!rc && is_old) {
        rc = sf_fail(err, SF_E_STALE, "state '%s' was written by an older sfstack", store->path);
        sf_hint(err, "sfapply brings it up to date; use the older sfplan until then");
    }
    if (!rc && is_unclean)
        rc = sf_copy_check(store, err);
    return rc;
}

/* Another run may be at work with the older program: only the holder of the lock changes tables. */
static enum sf_code migrate_under_lock(struct sf_store *store, const struct sf_store_identity *identity, struct sf_err *err)
{
    enum sf_code rc = sf_store_reload(store, err);
    if (!rc)
        rc = check_identity(store, identity, err);
    if (!rc)
        rc = sf_store_lock(store, "state migration", 0, err);
    if (!rc)
        rc = sf_store_sql_migrate(store, identity, err);
    sf_lock_release(store);
    return rc;
}

static enum sf_code open_for_writing(struct sf_store *store, const struct sf_store_identity *identity, bool may_create,
                                     struct sf_err *err)
{
    char *journal = sf_files_beside(store->path, "-journal");
    store->had_hot_journal = access(journal, F_OK) == 0;
    free(journal);
    bool is_new = false, is_old = false;
    int flags = SQLITE_OPEN_READWRITE | SQLITE_OPEN_NOMUTEX | SQLITE_OPEN_NOFOLLOW;
    enum sf_code rc = SF_OK;
    if (sqlite3_open_v2(store->path, &store->db, flags, NULL) != SQLITE_OK)
        rc = sf_store_sql_fail(store->db, store->path, err);
    if (!rc)
        rc = sf_store_sql_configure(store->db, store->path, err);
    if (!rc)
        rc = check_version(store, &is_new, &is_old, err);
    if (!rc && is_new && !may_create)
        return sf_fail(err, SF_E_ABSENT, "state '%s' is empty", store->path);
    if (!rc && is_new)
        rc = sf_store_sql_migrate(store, identity, err);
    if (!rc && is_old)
        rc = migrate_under_lock(store, identity, err);
    return rc;
}

static enum sf_code open_at(struct sf_store *store, const char *path, const struct sf_store_identity *identity, bool may_create,
                            struct sf_err *err)
{
    enum sf_code rc = sf_files_resolve(path, may_create, &store->path, err);
    if (!rc && may_create)
        rc = sf_files_make(store->path, err);
    struct stat st;
    if (!rc)
        rc = sf_files_check(store->path, &st, err);
    if (rc)
        return rc;
    store->device = st.st_dev;
    store->inode = st.st_ino;
    enum sf_files_kind kind = sf_files_kind(store->path);
    if (kind == SF_FILES_NETWORK && !store->is_read_only) {
        sf_fail(err, SF_E_IO, "state '%s' is on a network file system, where its locks cannot be relied on", store->path);
        sf_hint(err, "keep it on a local disk: --state /var/tmp/%.*s.db, or SF_STATE", SF_ARG(identity->stack));
        return SF_E_IO;
    }
    store->is_rollback_only = kind != SF_FILES_LOCAL;
    rc = store->is_read_only ? open_for_reading(store, err) : open_for_writing(store, identity, may_create, err);
    if (!rc)
        rc = sf_store_reload(store, err);
    if (!rc)
        rc = check_identity(store, identity, err);
    return rc;
}

enum sf_code sf_store_open(const char *path, const struct sf_store_identity *identity, bool may_create, bool read_only,
                           struct sf_store **out, struct sf_err *err)
{
    *out = NULL;
    if (sf_str_starts(sf_str_of(path), SF_STR("postgresql:")) || sf_str_starts(sf_str_of(path), SF_STR("postgres:"))) {
        sf_fail(err, SF_E_USAGE, "shared state is not there yet: '--state postgresql://...' cannot be used");
        sf_hint(err, "give the name of a file");
        return SF_E_USAGE;
    }
    struct sf_arena *arena = sf_arena_new();
    struct sf_store *store = SF_NEW(arena, struct sf_store);
    store->arena = arena;
    store->lock_fd = -1;
    store->is_read_only = read_only;
    for (size_t i = 0; i < SF_STATE_TEXTS; i++)
        store->texts[i] = SF_BUF(SF_MAX_JSON_BYTES);
    enum sf_code rc = open_at(store, path, identity, may_create && !read_only, err);
    if (rc)
        sf_store_close(store);
    else
        *out = store;
    return rc;
}

/* A person who restores a backup while we wait for the lock leaves us with a file that has no name any more. */
static enum sf_code check_same_file(const struct sf_store *store, struct sf_err *err)
{
    struct stat st;
    enum sf_code rc = sf_files_check(store->path, &st, err);
    if (rc && rc != SF_E_ABSENT)
        return rc;
    if (!rc && st.st_dev == store->device && st.st_ino == store->inode)
        return SF_OK;
    sf_fail(err, SF_E_STALE, "state '%s' was removed or replaced by another file meanwhile", store->path);
    sf_hint(err, "run the command again");
    return SF_E_STALE;
}

static enum sf_code is_wal(struct sf_store *store, bool *answer, struct sf_err *err)
{
    sqlite3_stmt *query = NULL;
    enum sf_code rc = SF_OK;
    if (sqlite3_prepare_v2(store->db, "PRAGMA journal_mode", -1, &query, NULL) != SQLITE_OK || sqlite3_step(query) != SQLITE_ROW)
        rc = sf_store_sql_fail(store->db, store->path, err);
    else
        *answer = sqlite3_stricmp((const char *)sqlite3_column_text(query, 0), "wal") == 0;
    sqlite3_finalize(query);
    return rc;
}

enum sf_code sf_store_become_writer(struct sf_store *store, struct sf_err *err)
{
    bool was_wal = false;
    enum sf_code rc = check_same_file(store, err);
    if (!rc)
        rc = is_wal(store, &was_wal, err);
    if (!rc)
        rc = sf_store_reload(store, err); /* another run may have ended between open and lock */
    int64_t now = sf_clock_wall_ms();
    bool is_due = was_wal || store->had_hot_journal || now - store->checked_ms > DAY_MS || now < store->checked_ms;
    if (!rc && is_due)
        rc = sf_copy_check(store, err);
    if (!rc && store->revision > 0)
        rc = sf_copy_back_up(store, err);
    /* a reader in its moment of reading can hold this up beyond the busy timeout: then this run works with a rollback journal */
    if (!rc && !store->is_rollback_only)
        (void)sqlite3_exec(store->db, "PRAGMA journal_mode = WAL", NULL, NULL, NULL);
    if (!rc && is_due) {
        sqlite3_stmt *query = sf_store_sql_query(store, SF_Q_CHECKED, err);
        if (!query)
            return SF_E_IO;
        sqlite3_bind_int64(query, 1, now);
        rc = sf_store_sql_run(store, query, err);
    }
    return rc;
}

void sf_store_close(struct sf_store *store)
{
    if (!store)
        return;
    enum { READER_MS = 200 };
    sf_store_rollback(store);
    for (size_t i = 0; i < SF_QUERIES; i++)
        sqlite3_finalize(store->queries[i]);
    if (store->db && store->lock_fd >= 0) {
        /* back to one file; if a reader is in the way the file stays in WAL mode, and the next run checks it and tries again */
        sqlite3_busy_timeout(store->db, READER_MS);
        sqlite3_exec(store->db, "PRAGMA wal_checkpoint(TRUNCATE)", NULL, NULL, NULL);
        sqlite3_exec(store->db, "PRAGMA journal_mode = DELETE", NULL, NULL, NULL);
    }
    sqlite3_close(store->db);
    sf_lock_release(store);
    for (size_t i = 0; i < SF_STATE_TEXTS; i++)
        sf_buf_free(&store->texts[i]);
    sf_seal_forget(store);
    free(store->path);
    sf_arena_free(store->arena); /* and the store with it */
}

struct sf_str sf_store_lineage(const struct sf_store *store)
{
    return store->lineage;
}

int64_t sf_store_revision(const struct sf_store *store)
{
    return store->revision;
}

enum sf_code sf_store_begin(struct sf_store *store, struct sf_err *err)
{
    if (store->is_read_only || store->is_in_tx)
        return sf_fail(err, SF_E_INTERNAL, "state '%s': a transaction was begun %s", store->path,
                       store->is_read_only ? "on a read-only store" : "inside another");
    enum sf_code rc = store->lock_fd < 0 ? sf_store_lock(store, "sfstack", 0, err) : SF_OK; /* nobody writes without the lock */
    if (rc)
        return rc;
    sqlite3_stmt *query = sf_store_sql_query(store, SF_Q_BEGIN, err);
    if (!query)
        return SF_E_IO;
    rc = sf_store_sql_run(store, query, err);
    store->is_in_tx = rc == SF_OK;
    store->has_changed = false;
    return rc;
}

enum sf_code sf_store_will_change(struct sf_store *store, struct sf_err *err)
{
    if (!store->is_in_tx)
        return sf_fail(err, SF_E_INTERNAL, "state '%s': a change outside a transaction", store->path);
    store->has_changed = true;
    return SF_OK;
}

static enum sf_code put_revision(struct sf_store *store, struct sf_err *err)
{
    sqlite3_stmt *query = sf_store_sql_query(store, SF_Q_BUMP, err);
    if (!query)
        return SF_E_IO;
    sqlite3_bind_int64(query, 1, store->revision + 1);
    return sf_store_sql_run(store, query, err);
}

/* From the first value that depends on the key, the store knows which key it is. */
static enum sf_code put_key_check(struct sf_store *store, struct sf_err *err)
{
    sqlite3_stmt *query = sf_store_sql_query(store, SF_Q_KEY_CHECK, err);
    if (!query)
        return SF_E_IO;
    sf_store_sql_bind(query, 1, sf_str_of(store->own_key_check));
    return sf_store_sql_run(store, query, err);
}

static enum sf_code commit(struct sf_store *store, bool puts_key_check, struct sf_err *err)
{
    if (sqlite3_get_autocommit(store->db)) { /* SQLite itself rolled back: disk full or I/O error in a statement before */
        sf_fail(err, SF_E_IO, "state '%s': the changes could not be written and were undone", store->path);
        sf_hint(err, "free some disk space and run the command again; nothing that was recorded before is lost");
        return SF_E_IO;
    }
    enum sf_code rc = store->has_changed ? put_revision(store, err) : SF_OK;
    if (!rc && puts_key_check)
        rc = put_key_check(store, err);
    if (rc)
        return rc;
    sqlite3_stmt *query = sf_store_sql_query(store, SF_Q_COMMIT, err);
    return query ? sf_store_sql_run(store, query, err) : SF_E_IO;
}

enum sf_code sf_store_commit(struct sf_store *store, struct sf_err *err)
{
    if (!store->is_in_tx)
        return sf_fail(err, SF_E_INTERNAL, "state '%s': a commit outside a transaction", store->path);
    bool puts_key_check = store->has_changed && store->key_check.n == 0 && store->has_key && atomic_load(&store->is_key_used);
    enum sf_code rc = commit(store, puts_key_check, err);
    if (rc) {
        sf_store_rollback(store);
        return rc;
    }
    if (store->has_changed)
        store->revision++;
    if (puts_key_check)
        store->key_check = sf_str_dup(store->arena, sf_str_of(store->own_key_check));
    store->is_in_tx = false;
    return SF_OK;
}

void sf_store_rollback(struct sf_store *store)
{
    if (store->is_in_tx && !sqlite3_get_autocommit(store->db)) {
        sqlite3_stmt *query = sf_store_sql_query(store, SF_Q_ROLLBACK, NULL);
        if (query)
            (void)!sf_store_sql_run(store, query, NULL);
    }
    store->is_in_tx = false;
    store->has_changed = false;
}
