/* Copies of a state file: the backup that a damaged one is restored from, and the private copy that a read-only store reads.
 *
 * <path>.backup is written at the start of a mutating run, when the state has changed since the last one, from a file that was
 * just read from end to end; it replaces the old one by rename, so there is always a whole one. */
#include "state/internal.h"

#include "engine/core/clock.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

enum { HEADER_BYTES = 100, WRITE_VERSION_AT = 18, READ_VERSION_AT = 19, WAL_VERSION = 2, ROLLBACK_VERSION = 1 };

/* "file:" and the path with what a URI gives a meaning escaped. */
static char *immutable_uri(const char *path)
{
    struct sf_buf buf = SF_BUF(64 * 1024);
    sf_buf_addz(&buf, "file:");
    for (const char *p = path; *p; p++) {
        if (*p == '?' || *p == '#' || *p == '%')
            sf_buf_addf(&buf, "%%%02x", (unsigned)(unsigned char)*p);
        else
            sf_buf_addc(&buf, *p);
    }
    sf_buf_addz(&buf, "?immutable=1");
    return buf.p;
}

static enum sf_code open_immutable(const char *path, sqlite3 **db)
{
    char *uri = immutable_uri(path);
    int flags = SQLITE_OPEN_READONLY | SQLITE_OPEN_URI | SQLITE_OPEN_NOMUTEX | SQLITE_OPEN_NOFOLLOW;
    int rc = sqlite3_open_v2(uri, db, flags, NULL);
    free(uri);
    return rc == SQLITE_OK ? SF_OK : SF_E_IO;
}

/* First column of the first row: text into `out`, cut to its size. False when there is none. */
static bool ask(sqlite3 *db, const char *sql, char *out, size_t size)
{
    sqlite3_stmt *query = NULL;
    bool is_answered = sqlite3_prepare_v2(db, sql, -1, &query, NULL) == SQLITE_OK && sqlite3_step(query) == SQLITE_ROW;
    if (is_answered)
        snprintf(out, size, "%s", (const char *)sqlite3_column_text(query, 0));
    sqlite3_finalize(query);
    return is_answered;
}

/* Revision and lineage of a backup that is whole; false when there is none or it is damaged too. */
static bool read_backup(const char *backup, int64_t *revision, char lineage[64])
{
    sqlite3 *db = NULL;
    char answer[64], number[64] = "";
    bool is_good = access(backup, R_OK) == 0 && open_immutable(backup, &db) == SF_OK &&
                   ask(db, "PRAGMA quick_check(1)", answer, sizeof(answer)) && strcmp(answer, "ok") == 0 &&
                   ask(db, "SELECT revision FROM store", number, sizeof(number)) &&
                   ask(db, "SELECT lineage FROM store", lineage, 64) && sf_str_int64(sf_str_of(number), revision);
    sqlite3_close(db);
    return is_good;
}

enum sf_code sf_copy_damaged(const char *path, const char *what, struct sf_err *err)
{
    char *backup = sf_files_beside(path, ".backup");
    struct stat st;
    int64_t revision = 0;
    char lineage[64];
    struct sf_arena *arena = sf_arena_new();
    sf_fail(err, SF_E_IO, "state '%s' is damaged, or no state of sfstack: %s", path, what);
    if (stat(backup, &st) == 0 && read_backup(backup, &revision, lineage)) {
        /* an old -wal beside a restored file would be replayed into it: it must go too */
        sf_hint(
            err,
            "nothing was changed; the newest good copy is '%s' (revision %lld, %s): mv '%s' '%s.damaged'; rm -f '%s-wal' '%s-shm'; "
            "cp -p '%s' '%s'",
            backup, (long long)revision, sf_clock_rfc3339(arena, (int64_t)st.st_mtime * 1000).p, path, path, path, path, backup,
            path);
    } else {
        sf_hint(err, "nothing was changed, and there is no good copy beside it: put back one from a backup of this directory");
    }
    sf_arena_free(arena);
    free(backup);
    return SF_E_IO;
}

enum sf_code sf_copy_check(struct sf_store *store, struct sf_err *err)
{
    char answer[256];
    if (!ask(store->db, "PRAGMA quick_check(1)", answer, sizeof(answer)))
        return sf_store_sql_fail(store->db, store->path, err);
    if (strcmp(answer, "ok") != 0)
        return sf_copy_damaged(store->path, answer, err);
    if (ask(store->db, "PRAGMA foreign_key_check", answer, sizeof(answer)))
        return sf_copy_damaged(store->path, "a row refers to one that is not there", err);
    return SF_OK;
}

static enum sf_code sync_file(const char *path, struct sf_err *err)
{
    int fd = open(path, O_RDWR | O_NOFOLLOW | O_CLOEXEC);
    if (fd < 0)
        return sf_fail_errno(err, SF_E_IO, "cannot open '%s'", path);
    enum sf_code rc = fsync(fd) == 0 ? SF_OK : sf_fail_errno(err, SF_E_IO, "cannot write '%s' to disk", path);
    close(fd);
    return rc;
}

static enum sf_code write_copy(struct sf_store *store, const char *fresh, const char *backup, struct sf_err *err)
{
    if (unlink(fresh) != 0 && errno != ENOENT)
        return sf_fail_errno(err, SF_E_IO, "cannot remove '%s'", fresh);
    enum sf_code rc = sf_files_make(fresh, err); /* empty and 0600: VACUUM fills it */
    if (rc)
        return rc;
    sqlite3_stmt *query = NULL;
    if (sqlite3_prepare_v2(store->db, "VACUUM INTO ?1", -1, &query, NULL) != SQLITE_OK)
        return sf_store_sql_fail(store->db, store->path, err);
    sf_store_sql_bind(query, 1, sf_str_of(fresh));
    rc = sf_store_sql_run(store, query, err);
    sqlite3_finalize(query);
    if (!rc)
        rc = sync_file(fresh, err);
    if (!rc && rename(fresh, backup) != 0)
        rc = sf_fail_errno(err, SF_E_IO, "cannot replace '%s'", backup);
    if (!rc)
        rc = sf_files_sync_dir(backup, err);
    if (rc)
        unlink(fresh);
    return rc;
}

enum sf_code sf_copy_back_up(struct sf_store *store, struct sf_err *err)
{
    char *backup = sf_files_beside(store->path, ".backup");
    char *fresh = sf_files_beside(store->path, ".backup.new");
    int64_t revision = -1;
    char lineage[64] = "";
    enum sf_code rc = SF_OK;
    bool is_fresh = read_backup(backup, &revision, lineage) && revision == store->revision && sf_str_is(store->lineage, lineage);
    if (!is_fresh) {
        rc = write_copy(store, fresh, backup, err);
        if (rc)
            sf_context(err, "while copying the state to '%s'", backup);
    }
    free(fresh);
    free(backup);
    return rc;
}

/* Whether the header says WAL. SF_E_ABSENT for an empty file: made, never filled. */
static enum sf_code read_header(const char *path, bool *is_wal, struct sf_err *err)
{
    unsigned char header[HEADER_BYTES];
    int fd = open(path, O_RDONLY | O_NOFOLLOW | O_CLOEXEC);
    if (fd < 0)
        return sf_fail_errno(err, SF_E_IO, "cannot read state '%s'", path);
    ssize_t n = read(fd, header, sizeof(header));
    close(fd);
    if (n == 0)
        return sf_fail(err, SF_E_ABSENT, "state '%s' is empty", path);
    if (n < (ssize_t)sizeof(header) || memcmp(header, "SQLite format 3", 16) != 0)
        return sf_copy_damaged(path, "its first bytes are not those of a SQLite file", err);
    *is_wal = header[READ_VERSION_AT] == WAL_VERSION;
    return SF_OK;
}

/* Bytes of the whole database as of one read transaction, malloc'ed by SQLite; NULL when it could not be read. */
static unsigned char *read_image(sqlite3 *db, sqlite3_int64 *size)
{
    unsigned char *image = NULL;
    if (sqlite3_exec(db, "BEGIN; SELECT count(*) FROM sqlite_schema", NULL, NULL, NULL) == SQLITE_OK)
        image = sqlite3_serialize(db, "main", size, 0);
    return image;
}

/* Rolls back what a crash left half done, which a read-only connection cannot. */
static void recover(const char *path)
{
    sqlite3 *db = NULL;
    if (sqlite3_open_v2(path, &db, SQLITE_OPEN_READWRITE | SQLITE_OPEN_NOMUTEX | SQLITE_OPEN_NOFOLLOW, NULL) == SQLITE_OK)
        sqlite3_exec(db, "SELECT count(*) FROM sqlite_schema", NULL, NULL, NULL);
    sqlite3_close(db);
}

static enum sf_code image_of_file(const char *path, bool is_immutable, unsigned char **image, sqlite3_int64 *size,
                                  struct sf_err *err)
{
    sqlite3 *db = NULL;
    enum sf_code rc = SF_OK;
    *image = NULL;
    int flags = SQLITE_OPEN_READONLY | SQLITE_OPEN_NOMUTEX | SQLITE_OPEN_NOFOLLOW;
    bool is_open = is_immutable ? open_immutable(path, &db) == SF_OK : sqlite3_open_v2(path, &db, flags, NULL) == SQLITE_OK;
    if (!is_open)
        rc = sf_store_sql_fail(db, path, err);
    if (!rc)
        rc = sf_store_sql_configure(db, path, err);
    if (!rc) {
        *image = read_image(db, size);
        if (!*image)
            rc = sf_store_sql_fail(db, path, err);
    }
    sqlite3_close(db); /* ends the read transaction */
    return rc;
}

static enum sf_code read_file_image(const char *path, bool *is_wal, unsigned char **image, sqlite3_int64 *size, struct sf_err *err)
{
    char *wal = sf_files_beside(path, "-wal");
    char *journal = sf_files_beside(path, "-journal");
    enum sf_code rc = SF_OK;
    for (int attempt = 0; attempt < 2; attempt++) {
        rc = read_header(path, is_wal, err);
        if (rc)
            break;
        /* WAL without a -wal file: nobody has it open, and SQLite would make files beside it only to read it */
        bool is_immutable = *is_wal && access(wal, F_OK) != 0;
        rc = image_of_file(path, is_immutable, image, size, err);
        if (!rc && is_immutable && access(wal, F_OK) == 0 && attempt == 0) { /* a writer came in between */
            sqlite3_free(*image);
            continue;
        }
        if (!rc || attempt || access(journal, F_OK) != 0)
            break;
        recover(path);
    }
    free(journal);
    free(wal);
    return rc;
}

enum sf_code sf_copy_open(struct sf_store *store, bool *is_unclean, struct sf_err *err)
{
    unsigned char *image = NULL;
    sqlite3_int64 size = 0;
    enum sf_code rc = read_file_image(store->path, is_unclean, &image, &size, err);
    if (rc)
        return rc;
    if (size < HEADER_BYTES) {
        sqlite3_free(image);
        return sf_fail(err, SF_E_ABSENT, "state '%s' is empty", store->path);
    }
    /* a database in memory has no WAL: the copy is whole, so say so */
    image[WRITE_VERSION_AT] = ROLLBACK_VERSION;
    image[READ_VERSION_AT] = ROLLBACK_VERSION;
    if (sqlite3_open_v2(":memory:", &store->db, SQLITE_OPEN_READWRITE | SQLITE_OPEN_NOMUTEX, NULL) != SQLITE_OK) {
        sqlite3_free(image);
        return sf_store_sql_fail(store->db, store->path, err);
    }
    unsigned flags = SQLITE_DESERIALIZE_FREEONCLOSE | SQLITE_DESERIALIZE_READONLY; /* frees the image on failure too */
    if (sqlite3_deserialize(store->db, "main", image, size, size, flags) != SQLITE_OK)
        return sf_store_sql_fail(store->db, store->path, err);
    return sf_store_sql_configure(store->db, store->path, err);
}
