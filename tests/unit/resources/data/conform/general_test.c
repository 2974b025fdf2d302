/* The conform engine on tables that are not the city's: no sides, several measures, texts on the row, levels without codes. */
#include "tests/unit/resources/data/conform/fixture.h"

#include "resources/data/conform/text.h"

/* Payments of a shop: who was paid (by name alone), for which account, on which slip. */
static const char shop[] = "rules: 1\n"
                           "columns:\n"
                           "  year: {names: [Year]}\n"
                           "  account: {bytes: 20}\n"
                           "  payee: {names: [Who Is Paid], bytes: 30}\n"
                           "  charity: {bytes: 1}\n"
                           "  slip: {bytes: 8}\n"
                           "  note: {bytes: 12, optional: true}\n"
                           "  paid: {}\n"
                           "  pending: {}\n"
                           "  taken_at: {ignored: true}\n"
                           "  loaded: {optional: true}\n"
                           "facts:\n"
                           "  table: payment\n"
                           "  key: payment_id\n"
                           "  partition: fy\n"
                           "  year: {column: year, min: 2000, max: 2030}\n"
                           "  amounts: [{column: paid}, {column: pending, empty: 0}]\n"
                           "  details: [slip, note]\n"
                           "snapshot: {loaded_at: loaded}\n"
                           "dimensions:\n"
                           "  account: {key: account_id, levels: [{name: account, label: Account}]}\n"
                           "  payee:\n"
                           "    key: payee_id\n"
                           "    levels: [{name: payee, label: Payee}]\n"
                           "    flag: {column: charity, values: {\"Yes\": [x], \"No\": [\"\"]}}\n";

#define HEADER "year,account,payee,charity,slip,note,paid,pending,taken_at\n"

static enum sf_code read_rules(struct fixture *f, const char *text)
{
    const struct sf_value *root;
    assert_int_equal(sf_yaml_parse(f->arena, sf_str_of(text), "shop.yaml", sf_diags_new(f->arena), &root), SF_OK);
    return sf_rules_read(f->arena, root, &f->rules, &f->err);
}

/* The shop's rules with one piece of text put in another's place. */
static const char *changed(struct fixture *f, const char *from, const char *to)
{
    const char *at = strstr(shop, from);
    assert_non_null(at);
    return sf_str_fmt(f->arena, "%.*s%s%s", (int)(at - shop), shop, to, at + strlen(from)).p;
}

static int setup(void **state)
{
    struct fixture *f = fixture_new();
    if (read_rules(f, shop))
        fail_msg("%s", f->err.message);
    *state = f;
    return 0;
}

static void details_and_every_measure_stand_on_the_row(void **state)
{
    struct fixture *f = *state;
    conforms(f, HEADER "2020,Rent,Acme,,S1,\"a, \"\"b\"\"\",10.5,-3,x\n"
                       "2020,Rent,Acme,,S2,,\"1,000\",,y\n");
    const char *rows = text_of(f, "years", "2020");
    contains(rows, "payment_id,year,account_id,payee_id,slip,note,paid,pending\n");
    contains(rows, ",S1,\"a, \"\"b\"\"\",10.50,-3.00\n");
    contains(rows, ",S2,,1000.00,0.00\n");
    const struct sf_value *year = object_of(f, "years", "2020");
    assert_int_equal(sf_map_int(year, "paid_cents", 0), 101050);
    assert_int_equal(sf_map_int(year, "pending_cents", 0), -300);
    assert_int_equal(sf_map_int(f->summary, "rows", 0), 2);
}

static void what_the_rules_do_not_have_is_no_table(void **state)
{
    struct fixture *f = *state;
    conforms(f, HEADER "2020,Rent,Acme,,S1,,1,0,x\n");
    const struct sf_value *tables = sf_map_getz(f->summary, "tables");
    assert_int_equal(tables->map.n, 2);
    assert_string_equal(sf_map_str(f->summary, "data_as_of").p ? sf_map_str(f->summary, "data_as_of").p : "", "");
}

static void a_level_without_a_code_has_one_column_and_nothing_can_be_a_flag(void **state)
{
    struct fixture *f = *state;
    conforms(f, HEADER "2020,Rent,ACME  Inc,,S1,,1,0,x\n"
                       "2021,Rent,Acme inc,,S2,,1,0,x\n"
                       "2021,Rent,acme inc,X,S3,,1,0,x\n"
                       "2021,,,,S4,,1,0,x\n");
    const char *payees = text_of(f, "tables", "payee");
    contains(payees, "payee_id,payee,charity\n");
    contains(payees, ",Acme inc,No\n"); /* in the spelling of the latest year, of two the bytewise smallest */
    contains(payees, ",Acme inc,Yes\n");
    contains(payees, ",No Payee,No\n");
    assert_int_equal(sf_map_int(object_of(f, "tables", "payee"), "rows", 0), 3);
    contains(text_of(f, "tables", "account"), ",No Account\n");
}

static void details_are_part_of_the_key_and_measures_are_not(void **state)
{
    struct fixture *f = *state;
    conforms(f, HEADER "2020,Rent,Acme,,S1,,3,7,x\n"
                       "2020,Rent,Acme,,S1,,3,5,x\n"
                       "2020,Rent,Acme,,S1,,2,9,x\n"
                       "2020,Rent,Acme,,S2,,2,9,x\n");
    assert_int_equal(sf_map_int(f->summary, "repeated_rows", 0), 2);
    const char *rows = text_of(f, "years", "2020");
    char account[65] = {0}, payee[65] = {0};
    sf_text_sha256_hex(SF_STR("4:Rent"), account);
    sf_text_sha256_hex(SF_STR("4:Acme0:"), payee);
    static const struct {
        const char *slip, *number, *amounts;
    } want[] = {{"S1", "1", "2.00,9.00"}, {"S1", "2", "3.00,5.00"}, {"S1", "3", "3.00,7.00"}, {"S2", "1", "2.00,9.00"}};
    for (size_t i = 0; i < SF_COUNT(want); i++) {
        struct sf_str parts = sf_str_fmt(f->arena, "4:202064:%s64:%s2:%s0:1:%s", account, payee, want[i].slip, want[i].number);
        uint64_t id = 1 + sf_text_hash60(parts);
        const char *line = sf_str_fmt(f->arena, "%llu,2020,", (unsigned long long)id).p, *at = strstr(rows, line);
        assert_non_null(at);
        const char *end = sf_str_fmt(f->arena, ",%s,,%s\n", want[i].slip, want[i].amounts).p;
        assert_memory_equal(strchr(at, '\n') + 1 - strlen(end), end, strlen(end));
    }
}

static void a_digest_sees_every_measure_and_every_detail(void **state)
{
    struct fixture *f = *state;
    static const char *const rows[] = {HEADER "2020,Rent,Acme,,S1,n,3,7,x\n", HEADER "2020,Rent,Acme,,S1,n,3,8,x\n",
                                       HEADER "2020,Rent,Acme,,S1,m,3,7,x\n", HEADER "2020,Rent,Acme,,S2,n,3,7,x\n",
                                       HEADER "2020,Rent,Acme,X,S1,n,3,7,x\n"};
    struct sf_str digests[SF_COUNT(rows)];
    for (size_t i = 0; i < SF_COUNT(rows); i++) {
        conforms(f, rows[i]);
        digests[i] = sf_map_str(object_of(f, "years", "2020"), "digest");
        for (size_t k = 0; k < i; k++)
            assert_false(sf_str_eq(digests[i], digests[k]));
    }
    conforms(f, HEADER "2020,Rent,Acme,,S1,n,3.0,7,another time\n"); /* an ignored column says nothing */
    assert_true(sf_str_eq(sf_map_str(object_of(f, "years", "2020"), "digest"), digests[0]));
}

static void an_optional_column_that_is_missing_is_empty(void **state)
{
    struct fixture *f = *state;
    conforms(f, "Year,account,Who Is Paid,charity,slip,note,paid,pending,taken_at\n2020,Rent,Acme,,S1,,3,7,x\n");
    struct sf_str with = sf_str_dup(f->arena, sf_map_str(f->summary, "snapshot"));
    conforms(f, "pending,slip,year,charity,account,payee,paid,taken_at\n7,S1,2020,,Rent,Acme,3,x\n");
    assert_true(sf_str_eq(sf_map_str(f->summary, "snapshot"), with));
}

static void a_detail_too_wide_in_bytes_rejects_the_row(void **state)
{
    struct fixture *f = *state;
    conforms(f, HEADER "2020,Rent,Acme,,12345678,,1,0,x\n"
                       "2020,Rent,Acme,,  123456\xc3\xa9  ,,1,0,x\n" /* blanks do not count, bytes do */
                       "2020,Rent,Acme,,1234567\xc3\xa9,,1,0,x\n"
                       "2020,Rent,Acme,,S1,,1,much,x\n"
                       "2020,Rent,Acme,,S1,,,0,x\n");
    assert_int_equal(sf_map_int(f->summary, "rows", 0), 2);
    const struct sf_value *rejects = sf_map_getz(f->summary, "rejects");
    assert_int_equal(rejects->list.n, 3);
    static const char *const columns[] = {"slip", "pending", "paid"};
    static const char *const reasons[] = {"is wider than its column", "is not a number", "is empty"};
    for (size_t i = 0; i < 3; i++) {
        assert_true(sf_str_is(sf_map_str(rejects->list.items[i], "column"), columns[i]));
        assert_true(sf_str_is(sf_map_str(rejects->list.items[i], "reason"), reasons[i]));
    }
    contains(text_of(f, "years", "2020"), ",123456\xc3\xa9,");
}

static void one_stamp_alone_is_compared_too(void **state)
{
    struct fixture *f = *state;
#define STAMPED "year,account,payee,charity,slip,paid,pending,taken_at,loaded\n"
    conforms(f, STAMPED "2020,Rent,Acme,,S1,1,0,x,Monday\n2021,Rent,Acme,,S1,1,0,y,Monday\n");
    assert_true(sf_str_is(sf_map_str(f->summary, "data_loaded_at"), "Monday"));
    assert_int_equal(conform(f, STAMPED "2020,Rent,Acme,,S1,1,0,x,Monday\n2021,Rent,Acme,,S1,1,0,y,Tuesday\n", 1, 0), SF_E_DATA);
    contains(f->err.message, "two snapshots in one file");
}

static void memory_and_slices_change_no_byte(void **state)
{
    struct fixture *f = *state;
    assert_int_equal(read_rules(f, changed(f, "note: {bytes: 12", "note: {bytes: 60000")), SF_OK);
    struct sf_buf text = SF_BUF(64 * 1024 * 1024);
    sf_buf_addz(&text, HEADER);
    for (int i = 0; i < 3000; i++) {
        sf_buf_addf(&text, "%d,A%d,P%d,,S%d,", 2000 + i % 3, i * 7 % 23, i % 7, i % 1000);
        for (int k = 0; k < (i % 100 == 0 ? 5000 : i % 5); k++)
            sf_buf_addc(&text, (char)('a' + (i + k) % 26));
        sf_buf_addf(&text, ",%d,%d,x\n", i, -i);
    }
    sf_buf_addc(&text, '\0');
    if (conform(f, text.p, 1, 0))
        fail_msg("%s", f->err.message);
    struct sf_str snapshot = sf_str_dup(f->arena, sf_map_str(f->summary, "snapshot"));
    const char *kept[3];
    for (int y = 0; y < 3; y++)
        kept[y] = sf_str_dup(f->arena, sf_map_str(object_of(f, "years", sf_str_fmt(f->arena, "%d", 2000 + y).p), "sha256")).p;
    static const struct {
        unsigned threads;
        size_t memory, slice;
    } ways[] = {{1, 1, 0}, {2, 1, 1}, {3, 40000, 5000}, {1, 0, 1}, {2, 0, 60000}};
    for (size_t i = 0; i < SF_COUNT(ways); i++) {
        if (conform_in_slices(f, text.p, ways[i].threads, ways[i].memory, ways[i].slice))
            fail_msg("%s", f->err.message);
        assert_true(sf_str_eq(sf_map_str(f->summary, "snapshot"), snapshot));
        for (int y = 0; y < 3; y++)
            assert_true(sf_str_is(sf_map_str(object_of(f, "years", sf_str_fmt(f->arena, "%d", 2000 + y).p), "sha256"), kept[y]));
    }
    sf_buf_free(&text);
}

/* Eight dimensions of 300 members each need 72 bits and more: a key of two words. */
static void more_members_than_one_word_holds_sort_by_two(void **state)
{
    enum { DIMENSIONS = 8, MEMBERS = 300, ROWS = 2 * MEMBERS };
    struct fixture *f = *state;
    struct sf_buf rules = SF_BUF(64 * 1024), text = SF_BUF(1024 * 1024);
    sf_buf_addz(&rules, "rules: 1\ncolumns:\n  year: {}\n  amount: {}\n");
    for (int d = 0; d < DIMENSIONS; d++)
        sf_buf_addf(&rules, "  d%d: {bytes: 20}\n", d);
    sf_buf_addz(&rules, "facts: {table: t, key: t_id, partition: fy, year: {column: year, min: 2000, max: 2001}, amount: "
                        "{column: amount}}\ndimensions:\n");
    for (int d = 0; d < DIMENSIONS; d++)
        sf_buf_addf(&rules, "  d%d: {key: d%d_id, levels: [{name: d%d, label: D}]}\n", d, d, d);
    sf_buf_addc(&rules, '\0');
    if (read_rules(f, rules.p))
        fail_msg("%s", f->err.message);
    struct sf_str snapshots[2], files[2];
    for (int backwards = 0; backwards < 2; backwards++) {
        sf_buf_clear(&text);
        sf_buf_addz(&text, "year,amount,d0,d1,d2,d3,d4,d5,d6,d7\n");
        for (int k = 0; k < ROWS; k++) {
            int i = backwards ? ROWS - 1 - k : k;
            sf_buf_addf(&text, "2000,%d", i % 5);
            for (int d = 0; d < DIMENSIONS; d++)
                sf_buf_addf(&text, ",m%d", (i * (d + 1)) % MEMBERS);
            sf_buf_addc(&text, '\n');
        }
        sf_buf_addc(&text, '\0');
        if (conform(f, text.p, 2, 0))
            fail_msg("%s", f->err.message);
        snapshots[backwards] = sf_str_dup(f->arena, sf_map_str(f->summary, "snapshot"));
        files[backwards] = sf_str_dup(f->arena, sf_map_str(object_of(f, "years", "2000"), "sha256"));
        assert_int_equal(sf_map_int(f->summary, "repeated_rows", 0), MEMBERS);
    }
    assert_true(sf_str_eq(snapshots[0], snapshots[1]));
    assert_true(sf_str_eq(files[0], files[1]));
    sf_buf_free(&rules);
    sf_buf_free(&text);
}

static void blanks_in_an_unknown_column_are_no_value_in_quotes_or_not(void **state)
{
    struct fixture *f = *state;
    f->rules = sf_rules_under(f->arena, f->rules, SF_CONTRACT_DISCARD_ROW);
    conforms(f, "year,account,payee,charity,slip,note,paid,pending,taken_at,more\n"
                "2020,a,p,,1,,1,,,\"\"\n2020,a,p,,2,,1,,, \n2020,a,p,,3,,1,,,\" "
                "\t\"\n2020,a,p,,4,,1,,,\"\"\"\"\n2020,a,p,,5,,1,,,\" x\"\n");
    assert_int_equal(sf_map_int(f->summary, "rejected", -1), 2);
}

static void a_wrong_rule_is_refused_with_its_line(void **state)
{
    struct fixture *f = *state;
    static const struct {
        const char *from, *to, *words;
    } cases[] = {
        {"taken_at: {ignored: true}", "taken_at: {}", "column 'taken_at' is used nowhere"},
        {"slip: {bytes: 8}", "slip: {bytes: 8, ignored: true}", "column 'slip' is used, so it cannot be 'ignored"},
        {"slip: {bytes: 8}", "slip: {}", "'details' names columns that have a width"},
        {"slip: {bytes: 8}", "slip: {byte: 8}", "unknown key 'byte' in 'slip'"},
        {"details: [slip, note]", "details: [slip, nota]", "'details' names columns"},
        {"{column: paid}, ", "{column: paid, empty: 1}, ", "'empty' can only be 0"},
        {"paid: {}", "paid: {optional: true}", "amount 'paid' is optional, so it needs 'empty: 0'"},
        {"amounts: [{column: paid}, {column: pending, empty: 0}]", "amounts: []", "'amounts' must be a list"},
        {"  amounts:", "  amount: {column: paid}\n  amounts:", "either 'amount' or 'amounts'"},
        {"snapshot: {loaded_at: loaded}", "snapshots: {loaded_at: loaded}", "unknown key 'snapshots'"},
        {"snapshot: {loaded_at: loaded}", "crosswalk: {table: c, dimension: payee, legacy_key: l, current_key: k}",
         "lowest level has a code"},
    };
    for (size_t i = 0; i < SF_COUNT(cases); i++) {
        if (read_rules(f, changed(f, cases[i].from, cases[i].to)) != SF_E_CONFIG)
            fail_msg("'%s' is accepted", cases[i].to);
        contains(f->err.message, cases[i].words);
        assert_true(f->err.where.line > 0);
    }
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, setup, fixture_free)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(details_and_every_measure_stand_on_the_row),
        TEST(what_the_rules_do_not_have_is_no_table),
        TEST(a_level_without_a_code_has_one_column_and_nothing_can_be_a_flag),
        TEST(details_are_part_of_the_key_and_measures_are_not),
        TEST(a_digest_sees_every_measure_and_every_detail),
        TEST(an_optional_column_that_is_missing_is_empty),
        TEST(a_detail_too_wide_in_bytes_rejects_the_row),
        TEST(one_stamp_alone_is_compared_too),
        TEST(memory_and_slices_change_no_byte),
        TEST(more_members_than_one_word_holds_sort_by_two),
        TEST(blanks_in_an_unknown_column_are_no_value_in_quotes_or_not),
        TEST(a_wrong_rule_is_refused_with_its_line),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
