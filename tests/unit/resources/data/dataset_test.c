/* The kind dataset: sources, the cache, and what a plan sees of it. */
#include "tests/unit/support/fake_run.h"

#include "resources/data/conform/cache.h"
#include "resources/data/dataset_attrs.h"
#include "tests/unit/support/temp_dir.h"

#include <fcntl.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

extern const struct sf_driver sf_driver_data_dataset;

struct fixture {
    struct sf_arena *arena;
    char dir[TEMP_DIR_BYTES];
    struct sf_site site;
    struct sf_object self;
    struct sf_op op;
    struct sf_err err;
};

static int setup(void **state)
{
    struct fixture *f = calloc(1, sizeof *f);
    char cwd[512];
    f->arena = sf_arena_new();
    temp_dir_make(f->dir, "dataset");
    assert_non_null(getcwd(cwd, sizeof cwd));
    f->site = (struct sf_site){.stack = SF_STR("s"), .stack_dir = f->dir, .share_dir = sf_str_dup(f->arena, sf_str_of(cwd)).p};
    f->site.cache_dir = sf_str_fmt(f->arena, "%s/cache", f->dir).p;
    f->self = (struct sf_object){.address = SF_STR("dataset.d"), .kind = SF_STR("dataset"), .name = SF_STR("d")};
    f->op = (struct sf_op){.arena = f->arena, .site = &f->site, .self = &f->self, .is_planning = true};
    fake_forget();
    *state = f;
    return 0;
}

static int teardown(void **state)
{
    struct fixture *f = *state;
    int status = temp_dir_remove(f->dir);
    sf_arena_free(f->arena);
    free(f);
    return status;
}

static struct sf_value *one(struct fixture *f, const char *key, const struct sf_value *value)
{
    struct sf_value *map = sf_value_map(f->arena);
    sf_map_set(f->arena, map, sf_str_of(key), value);
    return map;
}

static const struct sf_value *text(struct fixture *f, const char *s)
{
    return sf_value_str(f->arena, sf_str_of(s));
}

static enum sf_code derive(struct fixture *f, const struct sf_value *source, struct sf_value **want)
{
    *want = sf_value_map(f->arena);
    sf_map_set(f->arena, *want, SF_STR(DATASET_SOURCE), source);
    sf_map_set(f->arena, *want, SF_STR(DATASET_CONFORM), text(f, "builtin:sf/spending_revenue"));
    return sf_driver_data_dataset.derive(&f->op, *want, &f->err);
}

static const struct sf_value *sample(struct fixture *f, int64_t rows)
{
    struct sf_value *spec = sf_value_map(f->arena);
    sf_map_set_int(f->arena, spec, "rows", rows);
    sf_map_set_int(f->arena, spec, "seed", 5);
    return one(f, "sample", spec);
}

#define HEADER                                                                                                                     \
    "fiscal_year,related_govt_units,organization_group_code,organization_group,department_code,department,program_code,program,"   \
    "character_code,character,object_code,object,sub_object_code,sub_object,fund_type_code,fund_type,fund_code,fund,"              \
    "fund_category_code,fund_category,revenue_or_spending,amount\n"
#define ROW "2021,No,01,G,D,Dep,1,P,10,Pay,100,Wages,1000,Salaries,1G,General,1GA,General Fund,0,Operating,Spending,"

static void write_file(struct fixture *f, const char *rows)
{
    FILE *file = fopen(sf_str_fmt(f->arena, "%s/rows.csv", f->dir).p, "we");
    assert_non_null(file);
    fputs(HEADER, file);
    fputs(rows, file);
    fclose(file);
}

static void a_sample_is_conformed_and_says_that_it_is_one(void **state)
{
    struct fixture *f = *state;
    struct sf_value *want;
    assert_int_equal(derive(f, sample(f, 3000), &want), SF_OK);
    assert_true(sf_map_bool(want, DATASET_IS_SAMPLE, false));
    assert_true(sf_str_is(sf_map_str(want, DATASET_SOURCE_KIND), "sample"));
    assert_int_equal(sf_map_int(want, DATASET_ROWS, 0), 3000);
    assert_int_equal(sf_map_int(want, DATASET_REJECTED, -1), 0);
    assert_int_equal(sf_map_str(want, DATASET_SNAPSHOT).n, 16);
    assert_true(sf_map_str(want, DATASET_DATA_AS_OF).n > 0);
    const struct sf_value *tables = sf_map_getz(want, DATASET_TABLES);
    static const char *const names[] = {"program", "type", "fund", "finance", "type_crosswalk"};
    for (size_t i = 0; i < SF_COUNT(names); i++) {
        struct stat st;
        const struct sf_value *table = sf_map_getz(tables, names[i]);
        struct sf_str path = sf_str_fmt(f->arena, "%s/objects/%.*s", f->site.cache_dir, SF_ARG(sf_map_str(table, "key")));
        assert_int_equal(stat(path.p, &st), 0);
        assert_int_equal(st.st_size, sf_map_int(table, "bytes", -1));
    }
    /* a file a year, of the same years */
    const struct sf_value *parts = sf_map_getz(sf_map_getz(tables, "code_alias"), TABLE_PARTS);
    const struct sf_value *years = sf_map_getz(want, DATASET_YEARS);
    assert_int_equal(parts->map.n, years->map.n);
    for (size_t i = 0; i < years->map.n; i++)
        assert_true(sf_str_starts(sf_map_str(sf_map_get(parts, years->map.pairs[i].key), FILE_KEY),
                                  sf_str_fmt(f->arena, "code_alias/fy=%.*s/", SF_ARG(years->map.pairs[i].key))));
    assert_int_equal(sf_conform_missing(f->arena, f->site.cache_dir, tables).n, 0);
    struct sf_str alias = sf_map_str(parts->map.pairs[0].value, FILE_KEY);
    assert_int_equal(unlink(sf_str_fmt(f->arena, "%s/objects/%.*s", f->site.cache_dir, SF_ARG(alias)).p), 0);
    assert_true(sf_str_eq(sf_conform_missing(f->arena, f->site.cache_dir, tables), alias));
}

static void what_is_cached_is_not_made_again_and_what_is_missing_is(void **state)
{
    struct fixture *f = *state;
    struct sf_value *first, *second;
    struct stat before, after;
    assert_int_equal(derive(f, sample(f, 2000), &first), SF_OK);
    const struct sf_value *program = sf_map_getz(sf_map_getz(first, DATASET_TABLES), "program");
    struct sf_str path = sf_str_fmt(f->arena, "%s/objects/%.*s", f->site.cache_dir, SF_ARG(sf_map_str(program, "key")));
    assert_int_equal(stat(path.p, &before), 0);
    assert_int_equal(derive(f, sample(f, 2000), &second), SF_OK);
    assert_true(sf_value_equal(first, second));
    assert_int_equal(stat(path.p, &after), 0);
    assert_int_equal(before.st_ino, after.st_ino);
    assert_int_equal(unlink(path.p), 0);
    assert_int_equal(derive(f, sample(f, 2000), &second), SF_OK);
    assert_true(sf_value_equal(first, second));
    assert_int_equal(stat(path.p, &after), 0);
}

static void a_file_is_read_beside_the_stack_and_noticed_when_it_changes(void **state)
{
    struct fixture *f = *state;
    struct sf_value *first, *second;
    write_file(f, ROW "1.00\n");
    assert_int_equal(derive(f, one(f, "file", text(f, "rows.csv")), &first), SF_OK);
    assert_false(sf_map_bool(first, DATASET_IS_SAMPLE, true));
    assert_true(sf_str_is(sf_map_str(first, DATASET_SOURCE_KIND), "file"));
    assert_int_equal(sf_map_int(first, DATASET_ROWS, 0), 1);
    struct stat st;
    const char *path = sf_str_fmt(f->arena, "%s/rows.csv", f->dir).p;
    assert_int_equal(stat(path, &st), 0);
    write_file(f, ROW "2.00\n"); /* same size, same inode, and, as on a coarse clock, same time */
    const struct timespec times[2] = {st.st_atim, st.st_mtim};
    assert_int_equal(utimensat(AT_FDCWD, path, times, 0), 0);
    assert_int_equal(derive(f, one(f, "file", text(f, "rows.csv")), &second), SF_OK);
    assert_false(sf_str_eq(sf_map_str(first, DATASET_SNAPSHOT), sf_map_str(second, DATASET_SNAPSHOT)));
    write_file(f, ROW "2\n"); /* another writing of the same */
    assert_int_equal(derive(f, one(f, "file", text(f, "rows.csv")), &first), SF_OK);
    assert_true(sf_str_eq(sf_map_str(first, DATASET_SNAPSHOT), sf_map_str(second, DATASET_SNAPSHOT)));
}

static void a_file_without_rows_is_refused_since_it_would_take_every_year_out(void **state)
{
    struct fixture *f = *state;
    struct sf_value *want;
    write_file(f, "");
    assert_int_equal(derive(f, one(f, "file", text(f, "rows.csv")), &want), SF_E_DATA);
    assert_non_null(strstr(f->err.message, "rows.csv' line 2, column 1: there is no row below the header"));
}

static void rejects_are_reported_and_do_not_fail(void **state)
{
    struct fixture *f = *state;
    struct sf_value *want;
    write_file(f, ROW "1.00\n" ROW "one\n");
    assert_int_equal(derive(f, one(f, "file", text(f, "rows.csv")), &want), SF_OK);
    assert_int_equal(sf_map_int(want, DATASET_REJECTED, 0), 1);
    assert_int_equal(sf_map_int(want, DATASET_ROWS, 0), 1);
    assert_int_equal(access(sf_map_str(want, DATASET_REJECTS_FILE).p, R_OK), 0);
}

static void a_last_line_without_line_end_is_warned_about_or_refused_when_it_is_known_to_be_wrong(void **state)
{
    struct fixture *f = *state;
    struct sf_value *want;
    write_file(f, ROW "1.00\n" ROW "12");
    struct sf_value *source = one(f, "file", text(f, "rows.csv"));
    assert_int_equal(derive(f, source, &want), SF_OK);
    assert_non_null(strstr(fake_warnings, "no line end"));
    sf_map_set_bool(f->arena, source, "ends_with_newline", true);
    assert_int_equal(derive(f, source, &want), SF_E_DATA);
    assert_non_null(strstr(f->err.message, "cut off"));
}

static void a_source_that_depends_on_an_unknown_stays_unknown(void **state)
{
    struct fixture *f = *state;
    struct sf_value *want;
    assert_int_equal(derive(f, one(f, "file", sf_value_unknown(f->arena, SF_STR("x.y"))), &want), SF_OK);
    assert_null(sf_map_getz(want, DATASET_SNAPSHOT));
}

static void wrong_sources_are_refused(void **state)
{
    struct fixture *f = *state;
    struct sf_value *want, *both = one(f, "file", text(f, "rows.csv"));
    sf_map_set(f->arena, both, SF_STR("sample"), sf_value_map(f->arena));
    const struct {
        const struct sf_value *source;
        enum sf_code rc;
        const char *words;
    } cases[] = {
        {text(f, "rows.csv"), SF_E_CONFIG, "must be a map"},
        {sf_value_map(f->arena), SF_E_CONFIG, "name one source"},
        {both, SF_E_CONFIG, "name one source"},
        {one(f, "datasf", text(f, "bpnb_jwfb")), SF_E_CONFIG, "'datasf' must be the id of a table"},
        {one(f, "url", text(f, "rows.csv")), SF_E_CONFIG, "'url' must be an address"},
        {one(f, "flie", text(f, "rows.csv")), SF_E_CONFIG, "unknown key 'flie'"},
        {sample(f, 0), SF_E_CONFIG, "rows are a number"},
        {sample(f, -1), SF_E_CONFIG, "rows are a number"},
        {one(f, "sample", one(f, "rosw", text(f, "5"))), SF_E_CONFIG, "not 'rosw'"},
        {one(f, "file", text(f, "absent.csv")), SF_E_IO, "absent.csv"},
        {one(f, "file", text(f, ".")), SF_E_DATA, "not a regular file"},
    };
    for (size_t i = 0; i < SF_COUNT(cases); i++) {
        assert_int_equal(derive(f, cases[i].source, &want), cases[i].rc);
        if (!strstr(f->err.message, cases[i].words))
            fail_msg("'%s' does not say '%s'", f->err.message, cases[i].words);
    }
}

static void applying_only_records_and_destroying_leaves_the_cache_alone(void **state)
{
    struct fixture *f = *state;
    struct sf_value *want;
    struct sf_outcome out = {.id = SF_STR_NONE};
    assert_int_equal(derive(f, sample(f, 1000), &want), SF_OK);
    f->op.is_planning = false;
    f->self.attrs = want;
    assert_int_equal(sf_driver_data_dataset.find(&f->op, want, &out, &f->err), SF_E_ABSENT);
    assert_int_equal(sf_driver_data_dataset.create(&f->op, want, &out, &f->err), SF_OK);
    assert_true(sf_str_is(out.id, "d") && out.attrs == want);
    assert_string_equal(fake_made, "d");
    assert_int_equal(sf_driver_data_dataset.read(&f->op, out.id, &out, &f->err), SF_OK);
    assert_true(out.attrs == want);
    assert_int_equal(sf_driver_data_dataset.destroy(&f->op, out.id, &out, &f->err), SF_OK);
    const struct sf_value *program = sf_map_getz(sf_map_getz(want, DATASET_TABLES), "program");
    assert_int_equal(access(sf_str_fmt(f->arena, "%s/objects/%.*s", f->site.cache_dir, SF_ARG(sf_map_str(program, "key"))).p, R_OK),
                     0);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, setup, teardown)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(a_sample_is_conformed_and_says_that_it_is_one),
        TEST(what_is_cached_is_not_made_again_and_what_is_missing_is),
        TEST(a_file_is_read_beside_the_stack_and_noticed_when_it_changes),
        TEST(a_file_without_rows_is_refused_since_it_would_take_every_year_out),
        TEST(rejects_are_reported_and_do_not_fail),
        TEST(a_last_line_without_line_end_is_warned_about_or_refused_when_it_is_known_to_be_wrong),
        TEST(a_source_that_depends_on_an_unknown_stays_unknown),
        TEST(wrong_sources_are_refused),
        TEST(applying_only_records_and_destroying_leaves_the_cache_alone),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
