/* A source cut into raw files: what is in them, where they end, and what is refused before. */
#include "tests/unit/resources/data/conform/fixture.h"

#include "resources/data/conform/raw.h"

static const char rules_text[] = "rules: 1\n"
                                 "columns:\n"
                                 "  year: {}\n"
                                 "  place: {bytes: 20, names: [Place Name]}\n"
                                 "  note: {bytes: 20, optional: true}\n"
                                 "  paid: {}\n"
                                 "  taken: {}\n"
                                 "  internal: {ignored: true, optional: true}\n"
                                 "dimensions:\n"
                                 "  site: {key: site_id, levels: [{name: place, label: Place}]}\n"
                                 "facts: {table: visit, key: visit_id, partition: fy, year: {column: year, min: 1999, max: 2049},\n"
                                 "        details: [note], amounts: [{column: paid}]}\n"
                                 "snapshot: {as_of: taken}\n";

static int setup(void **state)
{
    struct fixture *f = fixture_new();
    const struct sf_value *root;
    struct sf_diags *diags = sf_diags_new(f->arena);
    assert_int_equal(sf_yaml_parse(f->arena, sf_str_of(rules_text), "rules", diags, &root), SF_OK);
    if (sf_rules_read(f->arena, root, &f->rules, &f->err))
        fail_msg("%s", f->err.message);
    *state = f;
    return 0;
}

static enum sf_code cut(struct fixture *f, struct sf_str text, size_t file_bytes)
{
    struct sf_source *source;
    sf_source_open_bytes("t.csv", text, &source);
    struct sf_conform_options options = {.cache_dir = f->dir, .name = "t", .slice_bytes = file_bytes};
    enum sf_code rc = sf_raw_run(f->arena, f->rules, source, &options, &f->summary, &f->err);
    sf_source_close(source);
    return rc;
}

static const char *cut_of(struct fixture *f, const char *text)
{
    if (cut(f, sf_str_of(text), 0))
        fail_msg("%s", f->err.message);
    return text_of(f, "raw", "0001");
}

static void refuses(struct fixture *f, const char *text, const char *why)
{
    assert_int_equal(cut(f, sf_str_of(text), 0), SF_E_DATA);
    contains(f->err.message, why);
}

#define HEADER "conform_line,year,place,note,paid\n"

static void columns_are_those_of_the_rules_whatever_the_source_calls_them(void **state)
{
    struct fixture *f = *state;
    assert_string_equal(cut_of(f, "taken,paid,internal,Place Name,year\nd,1.00,x,Here,2020\nd,2,,There,2021\n"),
                        HEADER "2,2020,Here,,1.00\n3,2021,There,,2\n");
    assert_int_equal(sf_map_int(f->summary, "source_rows", 0), 2);
    assert_true(sf_str_is(sf_map_str(f->summary, "data_as_of"), "d"));
    assert_int_equal(sf_map_getz(f->summary, "years")->map.n, 0);
}

static void fields_mean_the_same_to_every_reader_of_csv(void **state)
{
    struct fixture *f = *state;
    assert_string_equal(
        cut_of(f, "year,place,note,paid,taken\r\n2020,\"a \"\"b\"\", c\",37.8\"N,1,d\r\n\"2020\",\"two\nlines\",\"\",2,d\r\n"
                  "2021,last,,3,d"),
        HEADER "2,2020,\"a \"\"b\"\", c\",\"37.8\"\"N\",1\n3,\"2020\",\"two\nlines\",\"\",2\n5,2021,last,,3\n");
    assert_true(sf_map_bool(f->summary, "lacks_final_newline", false));
}

static void a_field_wider_than_any_column_is_cut_where_a_character_ends(void **state)
{
    struct fixture *f = *state;
    enum { WIDE = 70000 };
    struct sf_buf text = SF_BUF(1 << 20);
    sf_buf_addz(&text, "year,place,note,paid,taken\n2020,x");
    for (size_t i = 0; i < WIDE / 2; i++)
        sf_buf_addz(&text, "\xc3\xa9");
    sf_buf_addz(&text, ",,1,d\n");
    assert_int_equal(cut(f, sf_buf_str(&text), 0), SF_OK);
    const char *place = strchr(text_of(f, "raw", "0001"), 'x'), *end = strchr(place, ',');
    assert_int_equal(end - place, SF_RAW_MAX_FIELD);
    assert_true(sf_str_is_utf8((struct sf_str){place, (size_t)(end - place)}));
    sf_buf_free(&text);
}

static void files_end_with_a_record_and_hold_all_of_them_in_order(void **state)
{
    struct fixture *f = *state;
    struct sf_buf text = SF_BUF(1 << 20);
    sf_buf_addz(&text, "year,place,note,paid,taken\n");
    for (size_t i = 0; i < 1000; i++)
        sf_buf_addf(&text, "2020,\"place\n%zu\",,%zu,d\n", i, i);
    assert_int_equal(cut(f, sf_buf_str(&text), 5000), SF_OK);
    const struct sf_value *files = sf_map_getz(f->summary, "raw");
    assert_true(files->map.n > 4);
    size_t n = 0;
    for (size_t i = 0; i < files->map.n; i++) {
        const char *rows = text_of_object(f, files->map.pairs[i].value);
        int64_t in_file = 0;
        assert_int_equal(strncmp(rows, HEADER, strlen(HEADER)), 0);
        for (rows += strlen(HEADER); *rows; n++, in_file++) {
            struct sf_str want = sf_str_fmt(f->arena, "%zu,2020,\"place\n%zu\",,%zu\n", 2 * n + 2, n, n);
            assert_int_equal(strncmp(rows, want.p, want.n), 0);
            rows += want.n;
        }
        assert_int_equal(in_file, sf_map_int(files->map.pairs[i].value, "rows", 0));
    }
    assert_int_equal(n, 1000);
    struct sf_str snapshot = sf_map_str(f->summary, "snapshot");
    assert_int_equal(cut(f, sf_buf_str(&text), 5000), SF_OK);
    assert_true(sf_str_eq(snapshot, sf_map_str(f->summary, "snapshot")));
    sf_buf_free(&text);
}

static void an_unknown_column_is_named_beside_the_row_that_has_a_value_in_it(void **state)
{
    struct fixture *f = *state;
    refuses(f, "year,place,paid,taken,other\n2020,a,1,d,x\n", "unknown column 'other'");
    f->rules = sf_rules_under(f->arena, f->rules, SF_CONTRACT_DISCARD_ROW);
    assert_string_equal(cut_of(f, "year,place,paid,taken,other\n2020,a,1,d,x\n2020,b,2,d,\n"),
                        "conform_line,conform_unknown,year,place,note,paid\n2,other,2020,a,,1\n3,,2020,b,,2\n");
}

static void what_refuses_a_file_refuses_it_here(void **state)
{
    struct fixture *f = *state;
    refuses(f, "", "the source is empty");
    refuses(f, "year,place,paid\n2020,a,1\n", "the header lacks 'taken'");
    refuses(f, "year,place,paid,taken\n2020,a,1,d\n2020,a,1\n", "line 3");
    refuses(f, "year,place,paid,taken\n2020,a,1,d\n2020,a,1,e\n", "two snapshots in one file");
    refuses(f, "year,place,paid,taken\n2020,\"a,1,d\n", "line 2");
    assert_int_equal(cut(f, (struct sf_str){"year,place,paid,taken\n20\00020,a,1,d\n", 34}, 0), SF_E_DATA);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(columns_are_those_of_the_rules_whatever_the_source_calls_them, setup, fixture_free),
        cmocka_unit_test_setup_teardown(fields_mean_the_same_to_every_reader_of_csv, setup, fixture_free),
        cmocka_unit_test_setup_teardown(a_field_wider_than_any_column_is_cut_where_a_character_ends, setup, fixture_free),
        cmocka_unit_test_setup_teardown(files_end_with_a_record_and_hold_all_of_them_in_order, setup, fixture_free),
        cmocka_unit_test_setup_teardown(an_unknown_column_is_named_beside_the_row_that_has_a_value_in_it, setup, fixture_free),
        cmocka_unit_test_setup_teardown(what_refuses_a_file_refuses_it_here, setup, fixture_free),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
