/* What the tests of state/ share: a temporary directory a test, stores in it, and children that do something to them. */
#ifndef TESTS_STATE_FIXTURE_H
#define TESTS_STATE_FIXTURE_H

#include "state/store.h"
#include "tests/unit/support/temp_dir.h"

#include <setjmp.h>
#include <stdarg.h>
#include <cmocka.h>

#include <fcntl.h>
#include <sqlite3.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

struct fixture {
    char dir[TEMP_DIR_BYTES];
    char path[128];
    struct sf_arena *arena;
    struct sf_err err;
};

/* SF_STR for initializers of static data, where a compound literal is not constant. */
#define LIT(text)                                                                                                                  \
    {                                                                                                                              \
        (text), sizeof(text) - 1                                                                                                   \
    }

static const struct sf_store_identity here = {LIT("shop"), LIT("local"), LIT("000000000000"), LIT("local")};

static inline int set_up(void **state)
{
    struct fixture *f = calloc(1, sizeof(*f));
    assert_non_null(f);
    temp_dir_make(f->dir, "state");
    snprintf(f->path, sizeof(f->path), "%s/.sf/shop/local/state.db", f->dir);
    f->arena = sf_arena_new();
    char config[128];
    snprintf(config, sizeof(config), "%s/config", f->dir);
    setenv("XDG_CONFIG_HOME", config, 1);
    unsetenv("SF_STATE_KEY");
    unsetenv("SF_STATE_KEY_FILE");
    *state = f;
    return 0;
}

static inline int tear_down(void **state)
{
    struct fixture *f = *state;
    temp_dir_remove(f->dir);
    sf_arena_free(f->arena);
    free(f);
    return 0;
}

/* "<state file><suffix>"; good until the next four calls. */
static inline const char *beside(const struct fixture *f, const char *suffix)
{
    static char names[4][160];
    static unsigned next;
    char *name = names[next++ % 4];
    snprintf(name, sizeof(names[0]), "%s%s", f->path, suffix);
    return name;
}

static inline bool exists(const char *path)
{
    struct stat st;
    return lstat(path, &st) == 0;
}

#define assert_ok(f, call)                                                                                                         \
    do {                                                                                                                           \
        enum sf_code rc_ = (call);                                                                                                 \
        if (rc_)                                                                                                                   \
            print_error("%s: %s | %s\n", #call, (f)->err.message, (f)->err.hint);                                                  \
        assert_int_equal(rc_, SF_OK);                                                                                              \
    } while (0)

static inline struct sf_store *open_writer(struct fixture *f)
{
    struct sf_store *store = NULL;
    assert_ok(f, sf_store_open(f->path, &here, true, false, &store, &f->err));
    return store;
}

static inline struct sf_store *open_reader(struct fixture *f)
{
    struct sf_store *store = NULL;
    assert_ok(f, sf_store_open(f->path, &here, false, true, &store, &f->err));
    return store;
}

static inline struct sf_row a_row(const char *address)
{
    return (struct sf_row){
        .address = sf_str_of(address), .kind = SF_STR("value"), .id = SF_STR("id-1"), .on_remove = SF_STR("destroy")};
}

/* One row in a transaction of its own. Usable in a child: it asserts nothing. */
static inline enum sf_code put_one(struct sf_store *store, const char *address, struct sf_err *err)
{
    struct sf_row row = a_row(address);
    enum sf_code rc = sf_store_begin(store, err);
    if (!rc)
        rc = sf_store_put_row(store, &row, err);
    if (!rc)
        return sf_store_commit(store, err);
    sf_store_rollback(store);
    return rc;
}

static inline size_t count_rows(struct fixture *f, struct sf_store *store)
{
    struct sf_row *rows;
    size_t n;
    assert_ok(f, sf_store_rows(store, f->arena, &rows, &n, &f->err));
    return n;
}

static inline size_t count_intents(struct fixture *f, struct sf_store *store)
{
    struct sf_intent *intents;
    size_t n;
    assert_ok(f, sf_store_intents(store, f->arena, &intents, &n, &f->err));
    return n;
}

/* Changes the file behind the store's back, as a person with a SQLite shell would. */
static inline void edit(const struct fixture *f, const char *sql)
{
    sqlite3 *db = NULL;
    char *message = NULL;
    assert_int_equal(sqlite3_open_v2(f->path, &db, SQLITE_OPEN_READWRITE, NULL), SQLITE_OK);
    int rc = sqlite3_exec(db, sql, NULL, NULL, &message);
    if (rc != SQLITE_OK)
        print_error("%s: %s\n", sql, message);
    assert_int_equal(rc, SQLITE_OK);
    sqlite3_close(db);
}

/* Whether the bytes of `path` hold `needle`. */
static inline bool file_holds(const char *path, const char *needle)
{
    FILE *file = fopen(path, "rb");
    if (!file)
        return false;
    struct sf_buf buf = SF_BUF(64 * 1024 * 1024);
    char part[4096];
    for (size_t n; (n = fread(part, 1, sizeof(part), file)) > 0;)
        sf_buf_add(&buf, (struct sf_str){part, n});
    fclose(file);
    bool found = sf_str_find(sf_buf_str(&buf), sf_str_of(needle)) != SIZE_MAX;
    sf_buf_free(&buf);
    return found;
}

/* Overwrites `n` bytes at `offset`. */
static inline void scribble(const char *path, off_t offset, size_t n)
{
    char junk[8192];
    memset(junk, 0xa5, sizeof(junk));
    int fd = open(path, O_WRONLY);
    assert_true(fd >= 0);
    assert_int_equal(pwrite(fd, junk, n, offset), (ssize_t)n);
    close(fd);
}

static inline int wait_for(pid_t child)
{
    int status = 0;
    assert_int_equal(waitpid(child, &status, 0), child);
    return WIFEXITED(status) ? WEXITSTATUS(status) : 128 + WTERMSIG(status);
}

#define UNIT(test) cmocka_unit_test_setup_teardown(test, set_up, tear_down)

#endif
