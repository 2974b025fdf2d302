/* Rows that are read many at a time come to what reading them value by value comes to. A field in quotes is never read the short
 * way, so the same rows in quotes go the long one. */
#include "tests/unit/resources/data/conform/fixture.h"

#include "engine/core/json.h"

#define COLUMNS                                                                                                                    \
    "fiscal_year,related_govt_units,organization_group_code,organization_group,department_code,department,program_code,program,"   \
    "character_code,character,object_code,object,sub_object_code,sub_object,fund_type_code,fund_type,fund_code,fund,"              \
    "fund_category_code,fund_category,data_as_of,revenue_or_spending,amount"
#define MEMBERS "No,01,Public Protection,POL,Police,1,Patrol,10,Pay,100,Wages,1000,Salaries,1G,General,1GA,General Fund,0,"

enum { MOST_TEXT = 1 << 20, ROWS = 400 };

static int setup(void **state)
{
    struct fixture *f = fixture_new();
    const struct sf_value *root;
    assert_int_equal(sf_yaml_load(f->arena, "schemas/data/sf/spending_revenue.yaml", sf_diags_new(f->arena), &root), SF_OK);
    if (sf_rules_read(f->arena, root, &f->rules, &f->err))
        fail_msg("%s", f->err.message);
    *state = f;
    return 0;
}

static uint64_t next_random(uint64_t *seed)
{
    *seed = *seed * 6364136223846793005u + 1442695040888963407u;
    return *seed >> 33;
}

/* Mostly the first of the values, which are plain. */
static const char *one_of(uint64_t *seed, const char *const *values, size_t n)
{
    uint64_t r = next_random(seed);
    return values[r % 8 ? r % 3 : (r >> 8) % n];
}

static void add_field(struct sf_buf *out, const char *value, bool is_quoted, const char *behind)
{
    sf_buf_addf(out, is_quoted ? "\"%s\"%s" : "%s%s", value, behind);
}

static void write_rows(struct sf_buf *out, uint64_t seed, bool is_quoted, const char *eol)
{
    static const char *const years[] = {"2013", "1999",  "2049",  "1998", "2050", "13",   "20131", "2o13",
                                        "",     " 2013", "2013 ", "0000", "9999", "-999", "2 13",  "201C"};
    static const char *const sides[] = {"Spending", "Revenue", "Spending", "spending", "Spendin",        "Spendings",
                                        "Revenu",   "",        " Revenue", "Revenue ", "Spend\xc3\xadng"};
    static const char *const amounts[] = {
        "171.32", "-83186.16", "1200000.00",        "5",     "5.1",    "1.234",     "9999999999999.99", "-0.01", "0.00", ".50",
        "1e3",    "",          "99999999999999.99", "+5.00", "(5.00)", "12345:.00", "--5.00",           "/.00"};
    static const char *const categories[] = {"Operating", "Grants", "Gifts", "Bonds \xe2\x82\xac", "Reserve, old"};
    sf_buf_addf(out, "%s%s", COLUMNS, eol);
    for (size_t i = 0; i < ROWS; i++) {
        const char *category = one_of(&seed, categories, SF_COUNT(categories));
        add_field(out, one_of(&seed, years, SF_COUNT(years)), is_quoted, "," MEMBERS);
        add_field(out, category, is_quoted || strchr(category, ','), ",2026-09-20T23:05:20.000,");
        add_field(out, one_of(&seed, sides, SF_COUNT(sides)), is_quoted, ",");
        add_field(out, one_of(&seed, amounts, SF_COUNT(amounts)), is_quoted, eol);
    }
}

/* What of the summary does not depend on how a row is written. */
static struct sf_str outcome(struct fixture *f, const char *text)
{
    conforms(f, text);
    struct sf_buf out = SF_BUF(MOST_TEXT);
    sf_json_write(&out, sf_map_getz(f->summary, "years"), SF_JSON_PLAIN);
    sf_buf_addf(&out, "%lld rejected\n", (long long)sf_map_int(f->summary, "rejected", -1));
    const struct sf_value *rejects = sf_map_getz(f->summary, "rejects");
    for (size_t i = 0; i < rejects->list.n; i++) {
        const struct sf_value *one = rejects->list.items[i];
        sf_buf_addf(&out, "%lld %.*s %.*s %.*s\n", (long long)sf_map_int(one, "line", -1), SF_ARG(sf_map_str(one, "column")),
                    SF_ARG(sf_map_str(one, "reason")), SF_ARG(sf_map_str(one, "value")));
    }
    struct sf_str kept = sf_str_dup(f->arena, sf_buf_str(&out));
    sf_buf_free(&out);
    return kept;
}

static void rows_read_at_once_are_those_read_value_by_value(void **state)
{
    struct fixture *f = *state;
    print_message("seeds 1 to 20\n");
    for (uint64_t seed = 1; seed <= 20; seed++) {
        struct sf_buf plain = SF_BUF(MOST_TEXT), quoted = SF_BUF(MOST_TEXT);
        const char *eol = seed % 2 ? "\n" : "\r\n"; /* the amount is the last field: what is behind it matters */
        write_rows(&plain, seed, false, eol);
        write_rows(&quoted, seed, true, eol);
        struct sf_str have = outcome(f, plain.p), want = outcome(f, quoted.p);
        if (!sf_str_eq(have, want))
            fail_msg("seed %llu: %.*s, not %.*s", (unsigned long long)seed, SF_ARG(have), SF_ARG(want));
        sf_buf_free(&plain);
        sf_buf_free(&quoted);
    }
}

/* In the middle of many plain rows. */
static void another_stamp_is_another_snapshot(void **state)
{
    struct fixture *f = *state;
    for (size_t n = 1; n < 70; n += 4) {
        struct sf_buf text = SF_BUF(MOST_TEXT);
        sf_buf_addz(&text, COLUMNS "\n");
        for (size_t i = 0; i < 70; i++)
            sf_buf_addf(&text, "2013," MEMBERS "Gifts,2026-09-20T23:05:2%s,Spending,1.00\n",
                        i != n       ? "0.000"
                        : n % 8 == 1 ? "1.000"
                                     : "0.0000");
        assert_int_equal(conform(f, text.p, 1, 0), SF_E_DATA);
        assert_non_null(strstr(f->err.message, sf_str_fmt(f->arena, "line %zu: data_as_of", n + 2).p));
        sf_buf_free(&text);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(rows_read_at_once_are_those_read_value_by_value, setup, fixture_free),
        cmocka_unit_test_setup_teardown(another_stamp_is_another_snapshot, setup, fixture_free),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
