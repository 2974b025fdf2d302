/* Partial files and snapshots: killed at any byte, a transfer goes on or begins again, and what it ends in is what was sent. */
#include "resources/data/source/snapshot.h"

#include "engine/core/clock.h"
#include "resources/data/conform/source.h"
#include "tests/unit/support/temp_dir.h"

#include <setjmp.h>
#include <stdarg.h>

#include <cmocka.h>

#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

enum { BYTES = 300000 };

struct fixture {
    struct sf_arena *arena;
    char dir[TEMP_DIR_BYTES];
    char *text; /* a CSV file */
    size_t n;
    struct sf_err err;
};

static bool never(void *ctx)
{
    (void)ctx;
    return false;
}

static int setup(void **state)
{
    struct fixture *f = calloc(1, sizeof *f);
    assert_non_null(f);
    f->arena = sf_arena_new();
    temp_dir_make(f->dir, "snapshot");
    f->text = malloc(BYTES);
    assert_non_null(f->text);
    f->n = (size_t)snprintf(f->text, BYTES, "number,\"data_as_of\"\n");
    for (unsigned i = 0; f->n < BYTES - 100; i++)
        f->n += (size_t)snprintf(f->text + f->n, BYTES - f->n, "%u,\"a \"\"quoted\"\"\ntext %u\"\n", i, i * 2654435761U);
    int lock;
    assert_int_equal(sf_snapshot_lock(f->arena, f->dir, SF_STR("t"), never, NULL, &lock, &f->err), SF_OK);
    sf_snapshot_unlock(lock);
    *state = f;
    return 0;
}

static int teardown(void **state)
{
    struct fixture *f = *state;
    int status = temp_dir_remove(f->dir);
    free(f->text);
    sf_arena_free(f->arena);
    free(f);
    return status;
}

static struct sf_partial *open_partial(struct fixture *f, bool is_paged, struct sf_meter *meter)
{
    struct sf_partial *partial = NULL;
    sf_meter_open(meter, NULL);
    assert_int_equal(sf_partial_open(f->arena, f->dir, SF_STR("t"), is_paged, meter, &partial, &f->err), SF_OK);
    return partial;
}

static void close_partial(struct sf_partial *partial, struct sf_meter *meter)
{
    sf_partial_close(partial);
    sf_meter_close(meter);
}

static const char *part_path(struct fixture *f)
{
    return sf_str_fmt(f->arena, "%s/source/partial/t.part", f->dir).p;
}

static void assert_holds_the_text(struct fixture *f, const struct sf_snapshot *snapshot)
{
    struct sf_source *source;
    struct sf_csv_chunk chunk = {0};
    size_t at = 0;
    bool end = false;
    struct sf_str hash = sf_sha256_hex(f->arena, (struct sf_str){f->text, f->n});
    assert_true(sf_str_eq(snapshot->id, sf_str_slice(hash, 0, 16)));
    assert_int_equal(snapshot->bytes, f->n);
    assert_int_equal(sf_source_open_file(snapshot->path, false, &source, &f->err), SF_OK);
    for (;;) {
        assert_int_equal(sf_source_next(source, &chunk, &end, &f->err), SF_OK);
        if (end)
            break;
        assert_true(at + chunk.n <= f->n);
        assert_memory_equal(chunk.bytes, f->text + at, chunk.n);
        at += chunk.n;
    }
    assert_int_equal(at, f->n);
    sf_csv_chunk_free(&chunk);
    sf_source_close(source);
}

static void a_transfer_that_is_killed_again_and_again_ends_in_what_was_sent(void **state)
{
    struct fixture *f = *state;
    srand(7);
    size_t kills = 0, resumed = 0;
    struct sf_snapshot snapshot;
    for (bool is_done = false; !is_done;) {
        struct sf_meter meter;
        struct sf_partial *partial = open_partial(f, false, &meter);
        size_t at = sf_partial_bytes(partial);
        assert_true(at <= f->n);
        resumed += at > 0;
        if (at == 0)
            assert_int_equal(sf_partial_begin(partial, SF_STR("of this"), &f->err), SF_OK);
        assert_true(sf_str_is(sf_partial_what(partial), "of this"));
        size_t until = at + (size_t)rand() % 60000 + 1;
        while (at < until && at < f->n) {
            size_t now = (size_t)rand() % 5000 + 1;
            now = now < f->n - at ? now : f->n - at;
            assert_int_equal(sf_partial_add(partial, (struct sf_str){f->text + at, now}, &f->err), SF_OK);
            at += now;
            if (rand() % 4 == 0)
                assert_int_equal(sf_partial_keep(partial, &f->err), SF_OK);
        }
        if (at == f->n) {
            assert_int_equal(sf_partial_end_part(partial, &f->err), SF_OK);
            assert_int_equal(sf_partial_finish(partial, f->arena, &snapshot, &f->err), SF_OK);
            is_done = true;
        }
        close_partial(partial, &meter);
        struct stat st;
        if (!is_done && stat(part_path(f), &st) == 0 && st.st_size > 0 &&
            kills < 30) { /* what was on its way to the disk is lost */
            assert_int_equal(truncate(part_path(f), st.st_size - rand() % (st.st_size < 400 ? st.st_size : 400)), 0);
            kills++;
        }
    }
    assert_true(kills > 3);
    assert_true(resumed > 3);
    assert_holds_the_text(f, &snapshot);
    assert_int_not_equal(access(part_path(f), F_OK), 0);
}

static void a_damaged_partial_file_is_begun_again(void **state)
{
    struct fixture *f = *state;
    struct sf_meter meter;
    struct sf_partial *partial = open_partial(f, false, &meter);
    assert_int_equal(sf_partial_begin(partial, SF_STR("x"), &f->err), SF_OK);
    assert_int_equal(sf_partial_add(partial, (struct sf_str){f->text, 100000}, &f->err), SF_OK);
    assert_int_equal(sf_partial_keep(partial, &f->err), SF_OK);
    close_partial(partial, &meter);
    int fd = open(part_path(f), O_WRONLY | O_CLOEXEC);
    assert_int_equal(pwrite(fd, "damage", 6, 1000), 6);
    close(fd);
    partial = open_partial(f, false, &meter);
    assert_int_equal(sf_partial_bytes(partial), 0);
    assert_int_equal(meter.rows, 0);
    close_partial(partial, &meter);
}

static void a_page_that_broke_off_leaves_no_trace(void **state)
{
    struct fixture *f = *state;
    struct sf_meter meter;
    struct sf_snapshot snapshot;
    struct sf_partial *partial = open_partial(f, true, &meter);
    assert_int_equal(sf_partial_begin(partial, SF_STR("pages"), &f->err), SF_OK);
    static const char *const pages[] = {"a\n1\n2\n", "a\n3\n4"};
    for (size_t i = 0; i < SF_COUNT(pages); i++) {
        sf_meter_begin_part(&meter);
        assert_int_equal(sf_partial_add(partial, SF_STR("a\n7\n8\n\"9"), &f->err), SF_OK);
        assert_int_equal(sf_partial_rewind(partial, &f->err), SF_OK);
        assert_int_equal(meter.rows, 2 * i);
        sf_meter_begin_part(&meter);
        assert_int_equal(sf_partial_add(partial, sf_str_of(pages[i]), &f->err), SF_OK);
        assert_int_equal(sf_partial_end_part(partial, &f->err), SF_OK);
    }
    assert_int_equal(sf_partial_finish(partial, f->arena, &snapshot, &f->err), SF_OK);
    close_partial(partial, &meter);
    assert_int_equal(snapshot.rows, 4);
    f->n = (size_t)snprintf(f->text, BYTES, "a\n1\n2\n3\n4\n");
    assert_holds_the_text(f, &snapshot);
}

static void a_pointer_counts_only_while_its_file_is_there_as_it_was(void **state)
{
    struct fixture *f = *state;
    struct sf_meter meter;
    struct sf_snapshot made, found;
    struct sf_partial *partial = open_partial(f, false, &meter);
    assert_int_equal(sf_partial_add(partial, (struct sf_str){f->text, f->n}, &f->err), SF_OK);
    assert_int_equal(sf_partial_end_part(partial, &f->err), SF_OK);
    assert_int_equal(sf_partial_finish(partial, f->arena, &made, &f->err), SF_OK);
    close_partial(partial, &meter);
    struct sf_value *about = sf_value_map(f->arena);
    sf_map_set_str(f->arena, about, "identity", SF_STR("week 1"));
    made.about = about;
    assert_false(sf_snapshot_find(f->arena, f->dir, SF_STR("t"), &found));
    assert_int_equal(sf_snapshot_point(f->arena, f->dir, SF_STR("t"), &made, &f->err), SF_OK);
    assert_true(sf_snapshot_find(f->arena, f->dir, SF_STR("t"), &found));
    assert_true(sf_str_eq(found.id, made.id));
    assert_int_equal(found.rows, made.rows);
    assert_string_equal(found.path, made.path);
    assert_true(sf_str_is(sf_map_str(found.about, "identity"), "week 1"));
    assert_int_equal(truncate(found.path, 10), 0);
    assert_false(sf_snapshot_find(f->arena, f->dir, SF_STR("t"), &found));
}

int main(void)
{
#define EACH(test) cmocka_unit_test_setup_teardown(test, setup, teardown)
    const struct CMUnitTest tests[] = {
        EACH(a_transfer_that_is_killed_again_and_again_ends_in_what_was_sent),
        EACH(a_damaged_partial_file_is_begun_again),
        EACH(a_page_that_broke_off_leaves_no_trace),
        EACH(a_pointer_counts_only_while_its_file_is_there_as_it_was),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
