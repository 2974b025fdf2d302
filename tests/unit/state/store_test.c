/* state/store.c, sql.c, copy.c, files.c: opening, identity, durability, damage. */
#include "tests/unit/state/fixture.h"

#include <errno.h>
#include <grp.h>
#include <signal.h>
#include <sys/resource.h>

static void a_new_store_is_private_durable_and_ignored_by_git(void **state)
{
    struct fixture *f = *state;
    struct sf_store *store = open_writer(f);
    assert_int_equal(sf_store_lineage(store).n, 36);
    assert_int_equal(sf_store_revision(store), 0);
    sf_store_close(store);
    struct stat st;
    assert_int_equal(stat(f->path, &st), 0);
    assert_int_equal(st.st_mode & 0777, 0600);
    char ignore[128];
    snprintf(ignore, sizeof(ignore), "%s/.sf/.gitignore", f->dir);
    assert_true(file_holds(ignore, "*\n"));
}

static void lineage_and_rows_survive_closing(void **state)
{
    struct fixture *f = *state;
    struct sf_store *store = open_writer(f);
    struct sf_str lineage = sf_str_dup(f->arena, sf_store_lineage(store));
    assert_ok(f, put_one(store, "value.a", &f->err));
    sf_store_close(store);
    store = open_writer(f);
    assert_true(sf_str_eq(sf_store_lineage(store), lineage));
    assert_int_equal(count_rows(f, store), 1);
    assert_int_equal(sf_store_revision(store), 1);
    sf_store_close(store);
}

static void only_a_commit_that_changed_something_raises_the_revision(void **state)
{
    struct fixture *f = *state;
    struct sf_store *store = open_writer(f);
    assert_ok(f, sf_store_begin(store, &f->err));
    assert_ok(f, sf_store_commit(store, &f->err));
    assert_int_equal(sf_store_revision(store), 0);
    assert_ok(f, put_one(store, "value.a", &f->err));
    assert_ok(f, put_one(store, "value.b", &f->err));
    assert_int_equal(sf_store_revision(store), 2);
    sf_store_close(store);
}

static void a_rollback_leaves_nothing(void **state)
{
    struct fixture *f = *state;
    struct sf_store *store = open_writer(f);
    struct sf_row row = a_row("value.a");
    assert_ok(f, sf_store_begin(store, &f->err));
    assert_ok(f, sf_store_put_row(store, &row, &f->err));
    sf_store_rollback(store);
    assert_int_equal(count_rows(f, store), 0);
    assert_int_equal(sf_store_revision(store), 0);
    assert_ok(f, put_one(store, "value.b", &f->err));
    assert_int_equal(count_rows(f, store), 1);
    sf_store_close(store);
}

static void a_change_outside_a_transaction_is_refused(void **state)
{
    struct fixture *f = *state;
    struct sf_store *store = open_writer(f);
    struct sf_row row = a_row("value.a");
    assert_int_equal(sf_store_put_row(store, &row, &f->err), SF_E_INTERNAL);
    sf_store_close(store);
}

static void another_world_is_refused_and_both_are_named(void **state)
{
    struct fixture *f = *state;
    sf_store_close(open_writer(f));
    static const struct sf_store_identity others[] = {
        {LIT("other"), LIT("local"), LIT("000000000000"), LIT("local")},
        {LIT("shop"), LIT("aws"), LIT("000000000000"), LIT("local")},
        {LIT("shop"), LIT("local"), LIT("123456789012"), LIT("local")},
        {LIT("shop"), LIT("local"), LIT("000000000000"), LIT("us-west-2")},
    };
    static const char *const named[] = {"'other'", "aws", "123456789012", "us-west-2"};
    for (size_t i = 0; i < SF_COUNT(others); i++) {
        for (int read_only = 0; read_only < 2; read_only++) {
            struct sf_store *store = NULL;
            assert_int_equal(sf_store_open(f->path, &others[i], !read_only, read_only, &store, &f->err), SF_E_STALE);
            assert_null(store);
            assert_non_null(strstr(f->err.message, "'shop'"));
            assert_non_null(strstr(f->err.message, named[i]));
            assert_true(f->err.hint[0]);
        }
    }
}

static void two_stores_never_see_each_other(void **state)
{
    struct fixture *f = *state;
    static const struct sf_store_identity aws = {LIT("shop"), LIT("aws"), LIT("123456789012"), LIT("us-west-2")};
    char path[160];
    snprintf(path, sizeof(path), "%s/.sf/shop/aws/state.db", f->dir);
    struct sf_store *local = open_writer(f), *cloud = NULL;
    assert_ok(f, sf_store_open(path, &aws, true, false, &cloud, &f->err));
    assert_ok(f, sf_store_lock(local, "sfapply", 0, &f->err));
    assert_ok(f, sf_store_lock(cloud, "sfapply", 0, &f->err));
    assert_ok(f, put_one(local, "value.a", &f->err));
    assert_int_equal(count_rows(f, local), 1);
    assert_int_equal(count_rows(f, cloud), 0);
    assert_false(sf_str_eq(sf_store_lineage(local), sf_store_lineage(cloud)));
    sf_store_close(local);
    sf_store_close(cloud);
}

static void reading_where_nothing_is_says_absent_and_makes_nothing(void **state)
{
    struct fixture *f = *state;
    struct sf_store *store = NULL;
    assert_int_equal(sf_store_open(f->path, &here, false, true, &store, &f->err), SF_E_ABSENT);
    assert_int_equal(sf_store_open(f->path, &here, true, true, &store, &f->err), SF_E_ABSENT);
    assert_int_equal(sf_store_open(f->path, &here, false, false, &store, &f->err), SF_E_ABSENT);
    char top[96];
    snprintf(top, sizeof(top), "%s/.sf", f->dir);
    assert_false(exists(top));
}

static void an_empty_file_left_by_a_crash_is_absent_to_readers_and_filled_by_writers(void **state)
{
    struct fixture *f = *state;
    sf_store_close(open_writer(f));
    assert_int_equal(truncate(f->path, 0), 0);
    struct sf_store *store = NULL;
    assert_int_equal(sf_store_open(f->path, &here, false, true, &store, &f->err), SF_E_ABSENT);
    assert_int_equal(sf_store_open(f->path, &here, false, false, &store, &f->err), SF_E_ABSENT);
    store = open_writer(f);
    assert_ok(f, put_one(store, "value.a", &f->err));
    sf_store_close(store);
}

/* Byte 19 of the header: 1 for rollback mode, 2 for WAL (sqlite.org/fileformat2.html). */
static int read_version(const struct fixture *f)
{
    char byte = 0;
    int fd = open(f->path, O_RDONLY);
    assert_int_equal(pread(fd, &byte, 1, 19), 1);
    close(fd);
    return byte;
}

static void a_store_at_rest_is_one_file_and_reading_it_adds_none(void **state)
{
    struct fixture *f = *state;
    struct sf_store *store = open_writer(f);
    assert_ok(f, put_one(store, "value.a", &f->err));
    assert_true(exists(beside(f, "-wal")));
    sf_store_close(store);
    for (int i = 0; i < 2; i++) {
        assert_false(exists(beside(f, "-wal")));
        assert_false(exists(beside(f, "-shm")));
        assert_false(exists(beside(f, "-journal")));
        assert_int_equal(read_version(f), 1); /* rollback mode: whoever may read the file needs nothing beside it */
        if (i == 0) {
            store = open_reader(f);
            assert_int_equal(count_rows(f, store), 1);
            sf_store_close(store);
        }
    }
}

static void a_copied_file_in_wal_mode_is_read_without_making_others_beside_it(void **state)
{
    struct fixture *f = *state;
    struct sf_store *store = open_writer(f);
    assert_ok(f, put_one(store, "value.a", &f->err));
    sf_store_close(store);
    edit(f, "PRAGMA journal_mode = WAL");
    assert_int_equal(read_version(f), 2);
    store = open_reader(f);
    assert_int_equal(count_rows(f, store), 1);
    sf_store_close(store);
    assert_false(exists(beside(f, "-wal")));
    assert_false(exists(beside(f, "-shm")));
}

static void a_reader_sees_what_a_running_writer_committed_and_then_stands_still(void **state)
{
    struct fixture *f = *state;
    struct sf_store *writer = open_writer(f);
    assert_ok(f, put_one(writer, "value.a", &f->err));
    assert_ok(f, sf_store_begin(writer, &f->err));
    struct sf_row row = a_row("value.b");
    assert_ok(f, sf_store_put_row(writer, &row, &f->err));
    struct sf_store *reader = open_reader(f); /* in the middle of a transaction */
    assert_int_equal(count_rows(f, reader), 1);
    assert_ok(f, sf_store_commit(writer, &f->err));
    assert_int_equal(count_rows(f, reader), 1);
    assert_int_equal(sf_store_revision(reader), 1);
    sf_store_close(writer);
    assert_false(exists(beside(f, "-wal"))); /* the reader is open and not in the way */
    sf_store_close(reader);
    reader = open_reader(f);
    assert_int_equal(count_rows(f, reader), 2);
    assert_int_equal(sf_store_begin(reader, &f->err), SF_E_INTERNAL);
    assert_int_equal(sf_store_lock(reader, "x", 0, &f->err), SF_E_INTERNAL);
    sf_store_close(reader);
}

/* Becomes a user whom permissions bind. */
static bool become_nobody(void)
{
    return geteuid() != 0 || (setgroups(0, NULL) == 0 && setgid(65534) == 0 && setuid(65534) == 0);
}

static void a_read_only_directory_can_be_read(void **state)
{
    struct fixture *f = *state;
    struct sf_store *store = open_writer(f);
    assert_ok(f, put_one(store, "value.a", &f->err));
    sf_store_close(store);
    char dir[160];
    snprintf(dir, sizeof(dir), "%s/.sf/shop/local", f->dir);
    chmod(f->dir, 0755);
    if (geteuid() == 0)
        assert_int_equal(chown(f->path, 65534, 65534), 0);
    chmod(dir, 0555);
    pid_t child = fork();
    if (child == 0) {
        struct sf_store *reader = NULL;
        struct sf_row *rows;
        size_t n = 0;
        if (!become_nobody() || sf_store_open(f->path, &here, false, true, &reader, &f->err) != SF_OK)
            _exit(1);
        if (sf_store_rows(reader, f->arena, &rows, &n, &f->err) != SF_OK || n != 1)
            _exit(2);
        sf_store_close(reader);
        _exit(0);
    }
    assert_int_equal(wait_for(child), 0);
    chmod(dir, 0755);
}

static void a_store_of_another_account_is_refused_with_the_way_out(void **state)
{
    struct fixture *f = *state;
    if (geteuid() != 0) {
        print_message("skipped: only root can make a file of another account\n");
        skip();
    }
    sf_store_close(open_writer(f));
    assert_int_equal(chown(f->path, 65534, 65534), 0);
    struct sf_store *store = NULL;
    assert_int_equal(sf_store_open(f->path, &here, true, false, &store, &f->err), SF_E_IO);
    assert_non_null(strstr(f->err.message, "belongs to 'nobody'"));
    assert_non_null(strstr(f->err.hint, "chown -R root"));
}

static void a_store_that_others_can_read_is_refused(void **state)
{
    struct fixture *f = *state;
    sf_store_close(open_writer(f));
    chmod(f->path, 0644);
    struct sf_store *store = NULL;
    assert_int_equal(sf_store_open(f->path, &here, true, false, &store, &f->err), SF_E_IO);
    assert_non_null(strstr(f->err.hint, "chmod 600"));
}

static void a_symbolic_link_is_refused(void **state)
{
    struct fixture *f = *state;
    sf_store_close(open_writer(f));
    assert_int_equal(rename(f->path, beside(f, ".real")), 0);
    assert_int_equal(symlink(beside(f, ".real"), f->path), 0);
    struct sf_store *store = NULL;
    assert_int_equal(sf_store_open(f->path, &here, true, false, &store, &f->err), SF_E_IO);
    assert_non_null(strstr(f->err.message, "symbolic link"));
}

static void a_directory_and_a_shared_address_are_refused_in_words(void **state)
{
    struct fixture *f = *state;
    struct sf_store *store = NULL;
    assert_int_equal(sf_store_open(f->dir, &here, true, false, &store, &f->err), SF_E_IO);
    assert_int_equal(sf_store_open("/tmp/", &here, true, false, &store, &f->err), SF_E_USAGE);
    assert_int_equal(sf_store_open("postgresql://db/x", &here, true, false, &store, &f->err), SF_E_USAGE);
    assert_non_null(strstr(f->err.message, "shared state is not there yet"));
}

static void a_directory_that_cannot_be_made_is_named(void **state)
{
    struct fixture *f = *state;
    char blocker[96];
    snprintf(blocker, sizeof(blocker), "%s/.sf", f->dir);
    close(open(blocker, O_CREAT | O_WRONLY, 0600));
    struct sf_store *store = NULL;
    assert_int_equal(sf_store_open(f->path, &here, true, false, &store, &f->err), SF_E_IO);
    assert_non_null(strstr(f->err.message, blocker));
}

static void the_database_of_another_program_is_refused_untouched(void **state)
{
    struct fixture *f = *state;
    sf_store_close(open_writer(f));
    unlink(f->path);
    sqlite3 *db = NULL;
    assert_int_equal(sqlite3_open(f->path, &db), SQLITE_OK);
    sqlite3_exec(db, "CREATE TABLE mine (x)", NULL, NULL, NULL);
    sqlite3_close(db);
    chmod(f->path, 0600);
    struct sf_store *store = NULL;
    assert_int_equal(sf_store_open(f->path, &here, true, false, &store, &f->err), SF_E_IO);
    assert_non_null(strstr(f->err.message, "another program"));
    assert_int_equal(sf_store_open(f->path, &here, false, true, &store, &f->err), SF_E_IO);
}

static void a_newer_program_s_state_is_refused(void **state)
{
    struct fixture *f = *state;
    sf_store_close(open_writer(f));
    edit(f, "PRAGMA user_version = 99");
    struct sf_store *store = NULL;
    assert_int_equal(sf_store_open(f->path, &here, true, false, &store, &f->err), SF_E_STALE);
    assert_non_null(strstr(f->err.message, "newer sfstack"));
    assert_int_equal(sf_store_open(f->path, &here, false, true, &store, &f->err), SF_E_STALE);
}

static void the_backup_is_the_state_before_the_last_run_that_changed_it(void **state)
{
    struct fixture *f = *state;
    struct sf_store *store = open_writer(f);
    assert_ok(f, put_one(store, "value.a", &f->err));
    sf_store_close(store);
    assert_false(exists(beside(f, ".backup"))); /* there was nothing to copy */
    store = open_writer(f);
    assert_ok(f, sf_store_lock(store, "sfapply", 0, &f->err));
    assert_ok(f, put_one(store, "value.b", &f->err));
    sf_store_close(store);
    struct stat before, after;
    assert_int_equal(stat(beside(f, ".backup"), &before), 0);
    assert_int_equal(before.st_mode & 0777, 0600);

    /* restored, it is a state like any other, with one row */
    assert_int_equal(rename(f->path, beside(f, ".kept")), 0);
    assert_int_equal(link(beside(f, ".backup"), f->path), 0);
    store = open_reader(f);
    assert_int_equal(count_rows(f, store), 1);
    sf_store_close(store);
    assert_int_equal(rename(beside(f, ".kept"), f->path), 0);

    /* a run after a run that changed something copies; the next, with nothing new, does not */
    for (int i = 0; i < 2; i++) {
        store = open_writer(f);
        assert_ok(f, sf_store_lock(store, "sfapply", 0, &f->err));
        sf_store_close(store);
        assert_int_equal(stat(beside(f, ".backup"), &after), 0);
        assert_int_equal(before.st_ino == after.st_ino && before.st_mtim.tv_nsec == after.st_mtim.tv_nsec, i == 1);
        before = after;
    }
}

/* Two runs, so that there is a backup; then `damage` bytes are overwritten. */
static void make_and_damage(struct fixture *f, off_t offset, size_t n)
{
    for (int run = 0; run < 2; run++) {
        struct sf_store *store = open_writer(f);
        assert_ok(f, sf_store_lock(store, "sfapply", 0, &f->err));
        for (int i = 0; i < 200; i++) {
            char address[32];
            snprintf(address, sizeof(address), "value.v%d_%d", run, i);
            assert_ok(f, put_one(store, address, &f->err));
        }
        sf_store_close(store);
    }
    scribble(f->path, offset, n);
}

static void assert_names_the_copy(struct fixture *f, enum sf_code rc)
{
    assert_int_equal(rc, SF_E_IO);
    assert_non_null(strstr(f->err.message, "damaged"));
    assert_non_null(strstr(f->err.hint, beside(f, ".backup")));
    assert_non_null(strstr(f->err.hint, "revision 200"));
}

static void a_damaged_header_is_refused_naming_the_newest_good_copy(void **state)
{
    struct fixture *f = *state;
    make_and_damage(f, 0, 100);
    struct sf_store *store = NULL;
    assert_names_the_copy(f, sf_store_open(f->path, &here, true, false, &store, &f->err));
    assert_names_the_copy(f, sf_store_open(f->path, &here, false, true, &store, &f->err));
}

static void damaged_pages_are_found_before_the_first_change(void **state)
{
    struct fixture *f = *state;
    make_and_damage(f, 4096, 8192); /* whole tables gone */
    struct sf_store *store = NULL;
    assert_names_the_copy(f, sf_store_open(f->path, &here, true, false, &store, &f->err));
}

static void a_truncated_file_is_refused(void **state)
{
    struct fixture *f = *state;
    make_and_damage(f, 0, 0);
    struct stat st;
    assert_int_equal(stat(f->path, &st), 0);
    assert_int_equal(truncate(f->path, st.st_size / 2), 0);
    struct sf_store *store = NULL;
    enum sf_code rc = sf_store_open(f->path, &here, false, true, &store, &f->err);
    if (!rc) {
        struct sf_row *rows;
        size_t n;
        rc = sf_store_rows(store, f->arena, &rows, &n, &f->err);
        sf_store_close(store);
    }
    assert_names_the_copy(f, rc);
}

/* Overwrites the page of a table that no run reads by itself, in a state whose backup is fresh. */
static void damage_quietly(struct fixture *f)
{
    make_and_damage(f, 0, 0);
    struct sf_store *store = open_writer(f);
    assert_ok(f, sf_store_lock(store, "sfapply", 0, &f->err));
    sf_store_close(store);
    sqlite3 *db = NULL;
    sqlite3_stmt *query = NULL;
    assert_int_equal(sqlite3_open_v2(f->path, &db, SQLITE_OPEN_READONLY, NULL), SQLITE_OK);
    assert_int_equal(sqlite3_prepare_v2(db, "SELECT rootpage FROM sqlite_schema WHERE name = 'history'", -1, &query, NULL),
                     SQLITE_OK);
    assert_int_equal(sqlite3_step(query), SQLITE_ROW);
    off_t page = (off_t)sqlite3_column_int(query, 0);
    sqlite3_finalize(query);
    sqlite3_close(db);
    scribble(f->path, (page - 1) * 4096, 4096);
}

static enum sf_code lock_and_close(struct fixture *f)
{
    struct sf_store *store = open_writer(f);
    enum sf_code rc = sf_store_lock(store, "sfapply", 0, &f->err);
    sf_store_close(store);
    return rc;
}

static void quiet_damage_is_found_by_the_check_after_a_crash(void **state)
{
    struct fixture *f = *state;
    damage_quietly(f);
    assert_int_equal(lock_and_close(f), SF_OK); /* closed well, checked today: nobody looks */
    edit(f, "PRAGMA journal_mode = WAL");       /* as a killed run leaves it */
    struct sf_store *store = NULL;
    assert_int_equal(sf_store_open(f->path, &here, false, true, &store, &f->err), SF_E_IO);
    assert_non_null(strstr(f->err.hint, "revision 400"));
    assert_int_equal(lock_and_close(f), SF_E_IO);
    assert_non_null(strstr(f->err.hint, "revision 400"));
}

static void quiet_damage_is_found_by_the_daily_check(void **state)
{
    struct fixture *f = *state;
    damage_quietly(f);
    edit(f, "UPDATE store SET checked_ms = checked_ms - 86400001");
    assert_int_equal(lock_and_close(f), SF_E_IO);
    assert_non_null(strstr(f->err.hint, "revision 400"));
    assert_int_equal(lock_and_close(f), SF_E_IO); /* still: a failed check does not count as one */
}

static void damage_without_a_copy_says_so(void **state)
{
    struct fixture *f = *state;
    make_and_damage(f, 0, 100);
    unlink(beside(f, ".backup"));
    struct sf_store *store = NULL;
    assert_int_equal(sf_store_open(f->path, &here, true, false, &store, &f->err), SF_E_IO);
    assert_non_null(strstr(f->err.hint, "put back one from a backup"));
}

static void a_value_that_is_not_json_is_damage_and_is_not_shown(void **state)
{
    struct fixture *f = *state;
    struct sf_store *store = open_writer(f);
    assert_ok(f, put_one(store, "value.a", &f->err));
    sf_store_close(store);
    edit(f, "UPDATE resource SET attrs = '{\"hunter2'");
    store = open_reader(f);
    struct sf_row *rows;
    size_t n;
    assert_int_equal(sf_store_rows(store, f->arena, &rows, &n, &f->err), SF_E_IO);
    assert_null(strstr(f->err.message, "hunter2"));
    sf_store_close(store);
}

static void triggers_and_views_smuggled_into_the_file_do_nothing(void **state)
{
    struct fixture *f = *state;
    sf_store_close(open_writer(f));
    edit(f, "CREATE TRIGGER evil AFTER INSERT ON history BEGIN DELETE FROM resource; END");
    struct sf_store *store = open_writer(f);
    assert_ok(f, put_one(store, "value.a", &f->err));
    assert_ok(f, sf_store_begin(store, &f->err));
    assert_ok(f, sf_store_add_history(store, SF_STR("r"), SF_STR("value.a"), SF_STR("create"), NULL, &f->err));
    assert_ok(f, sf_store_commit(store, &f->err));
    assert_int_equal(count_rows(f, store), 1);
    sf_store_close(store);
}

static struct sf_intent an_intent(const char *id, const char *address)
{
    return (struct sf_intent){.id = sf_str_of(id),
                              .address = sf_str_of(address),
                              .kind = SF_STR("value"),
                              .verb = SF_STR("create"),
                              .call = SF_STR("mkdir"),
                              .run = SF_STR("run-1"),
                              .opened_ms = 1};
}

/* A run that is killed: `step` 0 after the intent's commit, 1 inside the outcome's transaction, 2 after it. */
static _Noreturn void run_and_die(struct fixture *f, int step)
{
    struct sf_store *store = NULL;
    struct sf_err *err = &f->err;
    struct sf_intent intent = an_intent("i-1", "value.b");
    struct sf_row row = a_row("value.b");
    if (sf_store_open(f->path, &here, true, false, &store, err) || sf_store_lock(store, "sfapply", 0, err) ||
        put_one(store, "value.a", err) || sf_store_begin(store, err) || sf_store_put_intent(store, &intent, err) ||
        sf_store_commit(store, err))
        _exit(1);
    if (step > 0 &&
        (sf_store_begin(store, err) || sf_store_put_row(store, &row, err) || sf_store_close_intent(store, intent.id, err)))
        _exit(2);
    if (step > 1 && sf_store_commit(store, err))
        _exit(3);
    raise(SIGKILL);
    _exit(4);
}

static void a_killed_run_leaves_its_intent_or_its_outcome_and_never_half(void **state)
{
    struct fixture *f = *state;
    for (int step = 0; step < 3; step++) {
        pid_t child = fork();
        if (child == 0)
            run_and_die(f, step);
        assert_int_equal(wait_for(child), 128 + SIGKILL);
        assert_true(exists(beside(f, "-wal")));
        size_t rows = step == 2 ? 2 : 1, intents = step == 2 ? 0 : 1;

        struct sf_store *store = open_reader(f); /* a plan comes first, and leaves all as it is */
        assert_int_equal(count_rows(f, store), rows);
        assert_int_equal(count_intents(f, store), intents);
        sf_store_close(store);

        store = open_writer(f);
        assert_ok(f, sf_store_lock(store, "sfapply", 0, &f->err));
        assert_int_equal(count_rows(f, store), rows);
        assert_int_equal(count_intents(f, store), intents);
        sf_store_close(store);
        assert_false(exists(beside(f, "-wal")));
        unlink(f->path);
    }
}

static void a_full_disk_undoes_the_transaction_and_keeps_what_was_there(void **state)
{
    struct fixture *f = *state;
    pid_t child = fork();
    if (child == 0) {
        struct sf_store *store = NULL;
        struct sf_err *err = &f->err;
        signal(SIGXFSZ, SIG_IGN);
        if (sf_store_open(f->path, &here, true, false, &store, err) || put_one(store, "value.a", err))
            _exit(1);
        struct rlimit limit, tight;
        getrlimit(RLIMIT_FSIZE, &limit);
        tight = (struct rlimit){128 * 1024, limit.rlim_max}; /* the next writes end here */
        setrlimit(RLIMIT_FSIZE, &tight);
        enum sf_code rc = SF_OK;
        int n = 1;
        for (; !rc && n < 1000; n++) {
            char address[32];
            snprintf(address, sizeof(address), "value.n%d", n);
            rc = put_one(store, address, err);
        }
        if (rc != SF_E_IO || !err->hint[0])
            _exit(2);
        int64_t revision = sf_store_revision(store);
        setrlimit(RLIMIT_FSIZE, &limit);
        struct sf_row *rows;
        size_t count = 0;
        if (sf_store_rows(store, f->arena, &rows, &count, err) || count != (size_t)n - 1 || revision != n - 1)
            _exit(3);
        if (put_one(store, "value.z", err) || sf_store_revision(store) != revision + 1) /* and the run can go on */
            _exit(4);
        sf_store_close(store);
        _exit(0);
    }
    assert_int_equal(wait_for(child), 0);
    struct sf_store *store = open_reader(f);
    assert_true(count_rows(f, store) > 2);
    sf_store_close(store);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        UNIT(a_new_store_is_private_durable_and_ignored_by_git),
        UNIT(lineage_and_rows_survive_closing),
        UNIT(only_a_commit_that_changed_something_raises_the_revision),
        UNIT(a_rollback_leaves_nothing),
        UNIT(a_change_outside_a_transaction_is_refused),
        UNIT(another_world_is_refused_and_both_are_named),
        UNIT(two_stores_never_see_each_other),
        UNIT(reading_where_nothing_is_says_absent_and_makes_nothing),
        UNIT(an_empty_file_left_by_a_crash_is_absent_to_readers_and_filled_by_writers),
        UNIT(a_store_at_rest_is_one_file_and_reading_it_adds_none),
        UNIT(a_copied_file_in_wal_mode_is_read_without_making_others_beside_it),
        UNIT(a_reader_sees_what_a_running_writer_committed_and_then_stands_still),
        UNIT(a_read_only_directory_can_be_read),
        UNIT(a_store_of_another_account_is_refused_with_the_way_out),
        UNIT(a_store_that_others_can_read_is_refused),
        UNIT(a_symbolic_link_is_refused),
        UNIT(a_directory_and_a_shared_address_are_refused_in_words),
        UNIT(a_directory_that_cannot_be_made_is_named),
        UNIT(the_database_of_another_program_is_refused_untouched),
        UNIT(a_newer_program_s_state_is_refused),
        UNIT(the_backup_is_the_state_before_the_last_run_that_changed_it),
        UNIT(a_damaged_header_is_refused_naming_the_newest_good_copy),
        UNIT(damaged_pages_are_found_before_the_first_change),
        UNIT(a_truncated_file_is_refused),
        UNIT(quiet_damage_is_found_by_the_check_after_a_crash),
        UNIT(quiet_damage_is_found_by_the_daily_check),
        UNIT(damage_without_a_copy_says_so),
        UNIT(a_value_that_is_not_json_is_damage_and_is_not_shown),
        UNIT(triggers_and_views_smuggled_into_the_file_do_nothing),
        UNIT(a_killed_run_leaves_its_intent_or_its_outcome_and_never_half),
        UNIT(a_full_disk_undoes_the_transaction_and_keeps_what_was_there),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
