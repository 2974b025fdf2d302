/* The conform engine on small tables: what each rule makes of them. */
#include "tests/unit/resources/data/conform/fixture.h"

#include "engine/core/json.h"
#include "resources/data/conform/text.h"
#include "resources/data/conform/year.h"

#define COLUMNS                                                                                                                    \
    "fiscal_year,related_govt_units,organization_group_code,organization_group,department_code,department,program_code,program,"   \
    "character_code,character,object_code,object,sub_object_code,sub_object,fund_type_code,fund_type,fund_code,fund,"              \
    "fund_category_code,fund_category,revenue_or_spending,amount\n"
#define PROGRAM "No,01,Public Protection,POL,Police,1,Patrol,"
#define TYPE "10,Pay,100,Wages,1000,Salaries,"
#define FUND "1G,General,1GA,General Fund,0,Operating,"

static const struct sf_rules *load_rules(struct sf_arena *arena)
{
    const struct sf_value *root;
    const struct sf_rules *rules;
    struct sf_err err;
    struct sf_diags *diags = sf_diags_new(arena);
    assert_int_equal(sf_yaml_load(arena, "schemas/data/sf/spending_revenue.yaml", diags, &root), SF_OK);
    enum sf_code rc = sf_rules_read(arena, root, &rules, &err);
    if (rc)
        fail_msg("%s", err.message);
    return rules;
}

static int setup(void **state)
{
    struct fixture *f = fixture_new();
    f->rules = load_rules(f->arena);
    *state = f;
    return 0;
}

/* Unpacked text of an object, without its header line. */
static const char *rows_of(struct fixture *f, const char *group, const char *name)
{
    return strchr(text_of(f, group, name), '\n') + 1;
}

/* The codes of one year as they stood in the source. */
static const char *aliases_of(struct fixture *f, const char *year)
{
    const struct sf_value *parts = sf_map_getz(object_of(f, "tables", "code_alias"), "parts");
    return strchr(text_of_object(f, sf_map_getz(parts, year)), '\n') + 1;
}

static struct sf_str digest_of(struct fixture *f, const char *group, const char *name)
{
    return sf_map_str(object_of(f, group, name), "digest");
}

static void nothing_becomes_no_level_and_what_is_there_is_kept(void **state)
{
    struct fixture *f = *state;
    conforms(f, COLUMNS "2020,NO,01,Public Protection,POL,Police,,," TYPE FUND "Spending,1\n"
                        "2020,NO,01,Public Protection,POL,,7,Jail," TYPE "1G,General,1GA, \t,,,Spending,1\n");
    const char *programs = rows_of(f, "tables", "program");
    assert_non_null(strstr(programs, ",No Program,No Program Code,Police,POL,Public Protection,01,No\n"));
    assert_non_null(strstr(programs, ",Jail,7,No Department,POL,Public Protection,01,No\n"));
    assert_non_null(strstr(rows_of(f, "tables", "fund"), ",No Fund Category,No Fund Category Code,No Fund,1GA,General,1G\n"));
    assert_non_null(strstr(aliases_of(f, "2020"), "program,program,"));
    assert_non_null(strstr(aliases_of(f, "2020"), ",2020,,,1,1.00\n")); /* as in the source: nothing */
}

static void spellings_that_differ_in_case_and_blanks_are_one_member(void **state)
{
    struct fixture *f = *state;
    conforms(f, COLUMNS "2019,YES,01,Public Protection,POL,POL  Police,1,Patrol," TYPE FUND "Spending,1\n"
                        "2020,Yes,01,PUBLIC protection,POL,Pol police,1,\"patrol \"," TYPE FUND "spending,2\n"
                        "2020,No,01,Public Protection,POL,POL Police,1,Patrol," TYPE FUND "SPENDING,4\n");
    /* display spelling: the latest year's, then the bytewise smallest */
    const char *programs = rows_of(f, "tables", "program");
    assert_non_null(strstr(programs, "4092915274971061,Patrol,1,POL Police,POL,PUBLIC protection,01,No\n"));
    assert_non_null(strstr(programs, ",Patrol,1,POL Police,POL,PUBLIC protection,01,Yes\n"));
    assert_int_equal(sf_map_int(object_of(f, "tables", "program"), "rows", 0), 2);
}

static void the_code_of_the_latest_year_counts_and_old_ones_stay_in_the_alias_table(void **state)
{
    struct fixture *f = *state;
    conforms(f, COLUMNS "2016," PROGRAM "513,Benefits,300,Health,01234,Dental," FUND "Spending,10\n"
                        "2018," PROGRAM "BEN_B,Benefits,300,Health,01234,Dental," FUND "Spending,20\n"
                        "2018," PROGRAM "BEN_A,Benefits,300,Health,01234,Dental," FUND "Spending,-5.5\n"
                        "2018," PROGRAM "BEN_A,Benefits,300,Health,01234,Dental," FUND "Spending,30\n");
    assert_non_null(strstr(rows_of(f, "tables", "type"), ",Dental,01234,Health,300,Benefits,BEN_A\n"));
    const char *aliases = aliases_of(f, "2018");
    assert_null(strstr(aliases, ",2016,"));
    assert_non_null(strstr(aliases_of(f, "2016"), ",2016,513,Benefits,1,10.00\n"));
    assert_non_null(strstr(aliases, ",2018,BEN_A,Benefits,2,24.50\n"));
    assert_non_null(strstr(aliases, ",2018,BEN_B,Benefits,1,20.00\n"));
    assert_non_null(strstr(aliases, ",2018,01234,Dental,3,44.50\n")); /* one row for one code and name, however many raws */
}

static void legacy_types_are_mapped_where_one_counterpart_exists(void **state)
{
    struct fixture *f = *state;
    conforms(f, COLUMNS "2015," PROGRAM "1,Old A,1,O,111,By Code," FUND "Spending,10\n"
                        "2020," PROGRAM "A,New A,1,O,111,Renamed," FUND "Spending,10\n"
                        "2015," PROGRAM "1,Old B,1,O,222,By  NAME," FUND "Spending,20\n"
                        "2020," PROGRAM "A,New B,1,O,999,By Name," FUND "Spending,20\n"
                        "2015," PROGRAM "1,Old C,1,O,333,Many," FUND "Spending,-40\n"
                        "2020," PROGRAM "A,New C,1,O,333,Many," FUND "Spending,1\n"
                        "2020," PROGRAM "A,New D,1,O,333,Many," FUND "Spending,1\n"
                        "2015," PROGRAM "1,Old D,1,O,,," FUND "Spending,3\n"
                        "2020," PROGRAM "A,New E,1,O,,," FUND "Spending,3\n"
                        "2015," PROGRAM "1,Same,1,O,444,Both," FUND "Spending,3\n"
                        "2020," PROGRAM "A,Same,1,O,444,Both," FUND "Spending,3\n");
    const char *rows = rows_of(f, "tables", "type_crosswalk");
    assert_non_null(strstr(rows, ",same_sub_object_code\n"));
    assert_non_null(strstr(rows, ",same_sub_object_name\n"));
    const struct sf_value *c = sf_map_getz(f->summary, "crosswalk");
    assert_int_equal(sf_map_int(c, "legacy_members", 0), 4); /* what occurs in both eras needs no mapping */
    assert_int_equal(sf_map_int(c, "mapped_by_code", 0), 1);
    assert_int_equal(sf_map_int(c, "mapped_by_name", 0), 1);
    assert_int_equal(sf_map_int(c, "ambiguous", 0), 1);
    assert_int_equal(sf_map_int(c, "unmatched", 0), 1); /* nothing is no name to go by */
    assert_int_equal(sf_map_int(c, "legacy_rows", 0), 4);
    assert_int_equal(sf_map_int(c, "mapped_rows", 0), 2);
    assert_int_equal(sf_map_int(c, "legacy_cents", 0), -700);
    assert_int_equal(sf_map_int(c, "mapped_cents", 0), 3000);
}

/* transaction_id of a row of PROGRAM, TYPE and FUND, from the contract's text. */
static int64_t expected_id(const char *year, const char *side, const char *occurrence)
{
    static const char *const raws[3][7] = {{"No", "01", "Public Protection", "POL", "Police", "1", "Patrol"},
                                           {"10", "Pay", "100", "Wages", "1000", "Salaries", NULL},
                                           {"1G", "General", "1GA", "General Fund", "0", "Operating", NULL}};
    struct sf_buf all = SF_BUF(4096), raw = SF_BUF(4096);
    sf_text_part(&all, sf_str_of(year));
    sf_text_part(&all, sf_str_of(side));
    for (size_t d = 0; d < 3; d++) {
        char hex[64];
        sf_buf_clear(&raw);
        for (size_t i = 0; i < 7 && raws[d][i]; i++)
            sf_text_part(&raw, sf_str_of(raws[d][i]));
        sf_text_sha256_hex(sf_buf_str(&raw), hex);
        sf_text_part(&all, (struct sf_str){hex, sizeof hex});
    }
    sf_text_part(&all, sf_str_of(occurrence));
    int64_t id = (int64_t)(1 + sf_text_hash60(sf_buf_str(&all)));
    sf_buf_free(&all);
    sf_buf_free(&raw);
    return id;
}

static void rows_that_differ_only_in_the_amount_are_numbered_by_ascending_cents(void **state)
{
    struct fixture *f = *state;
    conforms(f, COLUMNS "2021," PROGRAM TYPE FUND "Revenue,5\n"
                        "2021," PROGRAM TYPE FUND "Revenue,-7.25\n"
                        "2021," PROGRAM TYPE FUND "Revenue,5\n"
                        "2021," PROGRAM TYPE FUND "Spending,1\n");
    const char *rows = rows_of(f, "years", "2021");
    static const struct {
        const char *side, *occurrence, *end;
    } want[] = {{"Revenue", "1", ",2,-7.25\n"},
                {"Revenue", "2", ",2,5.00\n"},
                {"Revenue", "3", ",2,5.00\n"},
                {"Spending", "1", ",1,1.00\n"}};
    for (size_t i = 0; i < SF_COUNT(want); i++) {
        char id[32];
        snprintf(id, sizeof id, "%lld,2021,", (long long)expected_id("2021", want[i].side, want[i].occurrence));
        const char *row = strstr(rows, id);
        if (!row)
            fail_msg("no row '%s' in\n%s", id, rows);
        const char *end = strchr(row, '\n') + 1;
        assert_memory_equal(end - strlen(want[i].end), want[i].end, strlen(want[i].end));
    }
    assert_int_equal(sf_map_int(f->summary, "repeated_rows", 0), 2);
    assert_int_equal(sf_map_int(object_of(f, "years", "2021"), "revenue_cents", 0), 275);
    assert_int_equal(sf_map_int(object_of(f, "years", "2021"), "spending_rows", 0), 1);
}

static void digests_do_not_see_order_quoting_or_number_format(void **state)
{
    struct fixture *f = *state;
    conforms(f, COLUMNS "2021," PROGRAM TYPE FUND "Revenue,1234.50\n2021," PROGRAM TYPE FUND "Spending,3.00\n");
    struct sf_str snapshot = sf_map_str(f->summary, "snapshot"), year = digest_of(f, "years", "2021");
    conforms(f, "\xef\xbb\xbf" COLUMNS "\"2021\",No,\"01\",Public Protection,POL,Police,1,Patrol," TYPE FUND "Spending,\"3\"\n"
                "2021," PROGRAM TYPE FUND "Revenue,\"1,234.5\"");
    assert_true(sf_str_eq(sf_map_str(f->summary, "snapshot"), snapshot));
    conforms(f, COLUMNS "2021," PROGRAM TYPE FUND "Revenue,1234.51\n2021," PROGRAM TYPE FUND "Spending,3.00\n");
    assert_false(sf_str_eq(digest_of(f, "years", "2021"), year));
}

/* COPY tells "" from nothing; here both are no text. Rows equal but for that are one member, and numbered through. */
static void a_quoted_empty_text_is_nothing_too(void **state)
{
    struct fixture *f = *state;
    static const char nothing[] = "2021,No,,,POL,Police,1,Patrol," TYPE FUND "Revenue,1.00\n";
    static const char quoted[] = "2021,No,\"\",,POL,Police,1,Patrol," TYPE FUND "Revenue,1.00\n";
    char text[2048];
    snprintf(text, sizeof text, "%s%s%s%s", COLUMNS, nothing, nothing, nothing);
    conforms(f, text);
    struct sf_str snapshot = sf_map_str(f->summary, "snapshot");
    snprintf(text, sizeof text, "%s%s%s%s", COLUMNS, quoted, nothing, quoted);
    conforms(f, text);
    assert_true(sf_str_eq(sf_map_str(f->summary, "snapshot"), snapshot));
}

static void threads_and_spilling_change_nothing(void **state)
{
    struct fixture *f = *state;
    struct sf_buf text = SF_BUF(64 * 1024 * 1024);
    sf_buf_addz(&text, COLUMNS);
    for (unsigned i = 0; i < 40000; i++)
        sf_buf_addf(&text, "%u," PROGRAM "10,Pay,100,Wages,%u,S%u," FUND "Spending,%u.%02u\n", 2000 + i % 3, i % 101, i % 101,
                    i * 7919 % 100003, i % 100);
    assert_int_equal(conform(f, text.p, 1, 0), SF_OK);
    struct sf_str snapshot = sf_map_str(f->summary, "snapshot");
    struct sf_str sha256 = sf_map_str(object_of(f, "years", "2001"), "sha256");
    assert_int_equal(conform(f, text.p, 4, 1), SF_OK); /* a byte of memory: every full block goes to the file */
    assert_true(sf_str_eq(sf_map_str(f->summary, "snapshot"), snapshot));
    assert_true(sf_str_eq(sf_map_str(object_of(f, "years", "2001"), "sha256"), sha256));
    assert_int_equal(sf_map_int(f->summary, "rows", 0), 40000);
    sf_buf_free(&text);
}

static void a_bad_value_rejects_the_row_and_is_listed_with_its_line(void **state)
{
    struct fixture *f = *state;
    conforms(f, COLUMNS "2021," PROGRAM TYPE FUND "Revenue,1\n"
                        "1066," PROGRAM TYPE FUND "Revenue,10\n"
                        "2021,Perhaps,01,\"Public\nProtection\",POL,Police,1,Patrol," TYPE FUND "Revenue,20\n"
                        "2021," PROGRAM TYPE FUND "Neither,(40)\n"
                        "2021," PROGRAM TYPE FUND "Revenue,1.005\n"
                        "2021," PROGRAM
                        "10,Pay,0123456789012345678901234567890123456789\xc3\xa4\xc3\xa4\xc3\xa4\xc3\xa4\xc3\xa4!,Wages,1,S," FUND
                        "Revenue,80\n");
    assert_int_equal(sf_map_int(f->summary, "rows", -1), 1);
    assert_int_equal(sf_map_int(f->summary, "rejected", -1), 5);
    assert_int_equal(sf_map_int(f->summary, "rejected_with_amount", -1), 3);
    assert_int_equal(sf_map_int(f->summary, "rejected_cents", -1), 11000);
    static const struct {
        int64_t line;
        const char *column, *reason;
    } want[] = {{3, "fiscal_year", "is not a fiscal year in range"},
                {4, "related_govt_units", "is none of the known values"},
                {6, "revenue_or_spending", "is none of the known values"},
                {7, "amount", "has more than two decimals"},
                {8, "object_code", "is wider than its column"}};
    const struct sf_value *rejects = sf_map_getz(f->summary, "rejects");
    assert_int_equal(rejects->list.n, SF_COUNT(want));
    for (size_t i = 0; i < SF_COUNT(want); i++) {
        const struct sf_value *r = rejects->list.items[i];
        assert_int_equal(sf_map_int(r, "line", 0), want[i].line);
        assert_true(sf_str_is(sf_map_str(r, "column"), want[i].column));
        assert_true(sf_str_is(sf_map_str(r, "reason"), want[i].reason));
    }
    assert_int_equal(access(sf_str_fmt(f->arena, "%s/%.*s", f->dir, SF_ARG(sf_map_str(f->summary, "rejects_file"))).p, R_OK), 0);
    assert_null(strstr(rows_of(f, "tables", "type"), "Wages,0123")); /* a rejected row makes no member */
}

static void two_snapshots_in_one_file_are_refused(void **state)
{
    struct fixture *f = *state;
    static const char text[] =
        "data_as_of," COLUMNS "a,2021," PROGRAM TYPE FUND "Revenue,1\nb,2021," PROGRAM TYPE FUND "Revenue,1\n";
    assert_int_equal(conform(f, text, 1, 0), SF_E_DATA);
    assert_non_null(strstr(f->err.message, "line 3: data_as_of is 'b', in other rows 'a'"));
}

static void headers_are_matched_under_every_known_name(void **state)
{
    struct fixture *f = *state;
    conforms(
        f,
        "Revenue or Spending,FISCAL YEAR,Related Gov\xe2\x80\x99t Units,Organization Group Code,Organization Group,Department Code,"
        "Department,Program Code,Program,Character Code,Character,Object Code,Object,Sub-object Code,Sub-object,Fund Type Code,"
        "Fund Type,Fund Code,Fund,Fund Category Code,Fund Category,Amount\n"
        "Revenue,2021," PROGRAM TYPE "1G,General,1GA,General Fund,0,Operating,1\n");
    assert_int_equal(sf_map_int(f->summary, "rows", 0), 1);
    assert_int_equal(conform(f, "Fiscal Yaer," COLUMNS, 1, 0), SF_E_DATA);
    assert_non_null(strstr(f->err.message, "line 1, column 1: unknown column 'Fiscal Yaer'"));
    assert_non_null(strstr(f->err.hint, "did you mean 'Fiscal Year'"));
    assert_int_equal(conform(f, "", 1, 0), SF_E_DATA);
    assert_int_equal(conform(f, COLUMNS, 1, 0), SF_OK); /* a header alone is an empty table */
    assert_int_equal(sf_map_int(f->summary, "rows", -1), 0);
}

static void amounts_that_add_up_beyond_64_bits_are_refused(void **state)
{
    struct fixture *f = *state;
    assert_int_equal(conform(f,
                             COLUMNS "2021," PROGRAM TYPE FUND "Revenue,92000000000000000\n2021," PROGRAM TYPE FUND
                                     "Revenue,-92000000000000000\n",
                             1, 0),
                     SF_E_DATA);
    assert_non_null(strstr(f->err.message, "64 bits"));
}

static void equal_ids_in_a_year_are_found(void **state)
{
    (void)state;
    static const size_t sizes[] = {1, 2, 1000, 200000}; /* the last one is looked at in parts */
    struct sf_twice_scratch scratch = {.slots = NULL};
    for (size_t i = 0; i < SF_COUNT(sizes); i++) {
        size_t n = sizes[i];
        int64_t *ids = calloc(n, sizeof *ids), twice = 0;
        assert_non_null(ids);
        for (size_t k = 0; k < n; k++)
            ids[k] = (int64_t)(k * 1024 + 1); /* all in one corner of the table */
        assert_false(sf_year_find_twice(ids, n, &scratch, &twice));
        for (size_t k = 1; k < n; k += n / 3 + 1) {
            int64_t kept = ids[n - 1];
            ids[n - 1] = ids[k - 1];
            assert_true(sf_year_find_twice(ids, n, &scratch, &twice));
            assert_int_equal(twice, ids[k - 1]);
            ids[n - 1] = kept;
        }
        free(ids);
    }
    free(scratch.slots);
}

static enum sf_code read_rules(struct fixture *f, const char *from, const char *to)
{
    char text[64 * 1024];
    FILE *file = fopen("schemas/data/sf/spending_revenue.yaml", "re");
    assert_non_null(file);
    size_t n = fread(text, 1, sizeof text - 1, file);
    fclose(file);
    text[n] = '\0';
    const char *at = strstr(text, from);
    assert_non_null(at);
    struct sf_str changed = sf_str_fmt(f->arena, "%.*s%s%s", (int)(at - text), text, to, at + strlen(from));
    const struct sf_value *root;
    assert_int_equal(sf_yaml_parse(f->arena, changed, "r.yaml", sf_diags_new(f->arena), &root), SF_OK);
    return sf_rules_read(f->arena, root, &f->rules, &f->err);
}

static void a_wrong_rule_file_is_refused_with_its_line(void **state)
{
    struct fixture *f = *state;
    static const struct {
        const char *from, *to, *words;
    } cases[] = {{"rules: 1", "rules: 2", "version 1"},
                 {"column: amount", "column: amuont", "'column' names no column: 'amuont'"},
                 {"min: 1999", "min: soon", "'min' must be a number"},
                 {"from: 2018", "from: 2019", "an era begins in the year after"},
                 {"dimension: type", "dimension: kind", "names no dimension"},
                 {"key: program_id", "key: \"x; drop\"", "'key' must be a name"},
                 {"{table: code_alias}", "{tabel: code_alias}", "unknown key 'tabel'"}};
    for (size_t i = 0; i < SF_COUNT(cases); i++) {
        assert_int_equal(read_rules(f, cases[i].from, cases[i].to), SF_E_CONFIG);
        if (!strstr(f->err.message, cases[i].words))
            fail_msg("'%s' does not say '%s'", f->err.message, cases[i].words);
        assert_true(f->err.where.line > 0);
    }
}

static void a_comment_leaves_the_hash_of_the_rules_alone_and_a_rule_changes_it(void **state)
{
    struct fixture *f = *state;
    struct sf_str before = f->rules->hash;
    assert_int_equal(read_rules(f, "# One fact row", "# just one fact row"), SF_OK);
    assert_true(sf_str_eq(f->rules->hash, before));
    assert_int_equal(read_rules(f, "max: 2049", "max: 2048"), SF_OK);
    assert_false(sf_str_eq(f->rules->hash, before));
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, setup, fixture_free)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(nothing_becomes_no_level_and_what_is_there_is_kept),
        TEST(spellings_that_differ_in_case_and_blanks_are_one_member),
        TEST(the_code_of_the_latest_year_counts_and_old_ones_stay_in_the_alias_table),
        TEST(legacy_types_are_mapped_where_one_counterpart_exists),
        TEST(rows_that_differ_only_in_the_amount_are_numbered_by_ascending_cents),
        TEST(digests_do_not_see_order_quoting_or_number_format),
        TEST(a_quoted_empty_text_is_nothing_too),
        TEST(threads_and_spilling_change_nothing),
        TEST(a_bad_value_rejects_the_row_and_is_listed_with_its_line),
        TEST(two_snapshots_in_one_file_are_refused),
        TEST(headers_are_matched_under_every_known_name),
        TEST(amounts_that_add_up_beyond_64_bits_are_refused),
        TEST(equal_ids_in_a_year_are_found),
        TEST(a_wrong_rule_file_is_refused_with_its_line),
        TEST(a_comment_leaves_the_hash_of_the_rules_alone_and_a_rule_changes_it),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
