/* Rows that come, go and change between two conformed files of a year. */
#include "resources/data/delta.h"

#include "engine/core/json.h"
#include "resources/data/conform/conform.h"
#include "resources/data/conform/output.h"
#include "tests/unit/support/temp_dir.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#include <cmocka.h>

static struct sf_arena *arena;
static char cache[TEMP_DIR_BYTES];

static int set_up(void **state)
{
    (void)state;
    arena = sf_arena_new();
    temp_dir_make(cache, "delta");
    return 0;
}

static int tear_down(void **state)
{
    (void)state;
    sf_arena_free(arena);
    return temp_dir_remove(cache);
}

/* An object of the cache with these lines. */
static struct sf_str object(const char *const *lines, size_t n)
{
    struct sf_output *out;
    struct sf_object_file file;
    const char *dir = sf_str_fmt(arena, "%s/objects", cache).p;
    assert_int_equal(sf_output_open(dir, SF_STR("transaction/fy=2026"), SF_STR("transaction_id,amount"), &out, NULL), SF_OK);
    for (size_t i = 0; i < n; i++)
        assert_int_equal(sf_output_row(out, sf_str_of(lines[i]), NULL), SF_OK);
    assert_int_equal(sf_output_close(out, arena, &file, NULL), SF_OK);
    return file.key;
}

static void assert_delta(struct sf_str before, struct sf_str after, uint64_t added, uint64_t changed, uint64_t removed)
{
    struct sf_delta delta;
    assert_int_equal(sf_delta_count(arena, cache, before, after, &delta, NULL), SF_OK);
    assert_int_equal(delta.added, added);
    assert_int_equal(delta.changed, changed);
    assert_int_equal(delta.removed, removed);
}

static void rows_are_told_apart_by_key_and_compared_by_the_rest(void **state)
{
    (void)state;
    static const char *const old[] = {"7,1.00", "8,2.00", "9,3.00", "4611686018427387904,4.00"};
    static const char *const new[] = {"9,3.00", "8,2.01", "10,1.00", "11,\"a\nb\"", "4611686018427387904,4.00"};
    struct sf_str was = object(old, SF_COUNT(old)), is = object(new, SF_COUNT(new));
    assert_delta(was, is, 2, 1, 1);
    assert_delta(is, was, 1, 1, 2);
    assert_delta(was, was, 0, 0, 0);
    assert_delta(SF_STR_NONE, is, 5, 0, 0);
    assert_delta(was, SF_STR_NONE, 0, 0, 4);
}

static void keys_that_meet_in_the_table_are_kept_apart_and_it_grows(void **state)
{
    (void)state;
    enum { N = 20000, STEP = 4096 }; /* all in one place of the first table */
    struct sf_output *out;
    struct sf_object_file file;
    const char *dir = sf_str_fmt(arena, "%s/objects", cache).p;
    assert_int_equal(sf_output_open(dir, SF_STR("transaction/fy=2025"), SF_STR("transaction_id,amount"), &out, NULL), SF_OK);
    for (int64_t i = 1; i <= N; i++)
        assert_int_equal(sf_output_row(out, sf_str_fmt(arena, "%lld,1.00", (long long)(i * STEP)), NULL), SF_OK);
    assert_int_equal(sf_output_close(out, arena, &file, NULL), SF_OK);
    static const char *const few[] = {"4096,1.00", "8192,2.00", "5,1.00"};
    assert_delta(file.key, object(few, SF_COUNT(few)), 1, 1, N - 2);
}

static void a_file_that_is_gone_or_foreign_is_not_compared(void **state)
{
    (void)state;
    static const char *const old[] = {"7,1.00"}, *const foreign[] = {"seven,1.00"};
    struct sf_delta delta;
    struct sf_str was = object(old, 1);
    assert_int_equal(sf_delta_count(arena, cache, was, SF_STR("transaction/fy=2026/none.csv.gz"), &delta, NULL), SF_E_ABSENT);
    assert_int_equal(sf_delta_count(arena, cache, was, object(foreign, 1), &delta, NULL), SF_E_DATA);
}

static void an_object_is_found_by_year_and_digest_in_what_the_cache_keeps(void **state)
{
    (void)state;
    struct sf_err err = {0};
    const char *dir = sf_str_fmt(arena, "%s/conform", cache).p;
    assert_int_equal(sf_output_make_dir(dir, &err), SF_OK);
    assert_int_equal(sf_delta_kept(arena, cache)->map.n, 0);
    assert_int_equal(sf_conform_write_file(sf_str_fmt(arena, "%s/a-b.json", dir).p,
                                           SF_STR("{\"years\": {\"2026\": {\"digest\": \"abc\", \"key\": \"k\"}}}"), &err),
                     SF_OK);
    assert_int_equal(sf_conform_write_file(sf_str_fmt(arena, "%s/cut.json", dir).p, SF_STR("{\"years\": {"), &err), SF_OK);
    const struct sf_value *kept = sf_delta_kept(arena, cache);
    assert_true(sf_str_is(sf_delta_find(kept, SF_STR("2026"), SF_STR("abc")), "k"));
    assert_int_equal(sf_delta_find(kept, SF_STR("2025"), SF_STR("abc")).n, 0);
    assert_int_equal(sf_delta_find(kept, SF_STR("2026"), SF_STR("abd")).n, 0);
    assert_int_equal(sf_delta_find(kept, SF_STR("2026"), SF_STR_NONE).n, 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(rows_are_told_apart_by_key_and_compared_by_the_rest),
        cmocka_unit_test(keys_that_meet_in_the_table_are_kept_apart_and_it_grows),
        cmocka_unit_test(a_file_that_is_gone_or_foreign_is_not_compared),
        cmocka_unit_test(an_object_is_found_by_year_and_digest_in_what_the_cache_keeps),
    };
    return cmocka_run_group_tests(tests, set_up, tear_down);
}
