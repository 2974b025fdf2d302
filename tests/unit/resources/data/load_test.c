/* Loads into a real PostgreSQL: published whole or not at all, verified to the row, repaired year by year. */
#include "tests/unit/resources/data/fixture.h"

static struct fixture *f;
static const struct sf_driver *const driver = &sf_driver_data_load;
static const char builtin_checks[] = "{\"checks\":\"builtin:sf/checks\"}";
static const char *load_attrs = builtin_checks;
static const char load_refs[] = "{\"into\":\"star_schema.star\",\"from\":\"upload.delivery\",\"role\":\"role.load_role\"}";

static struct fixture_file files[16];
static size_t n_files;

static void use(size_t i, const char *text, const char *facts)
{
    files[i].text = text;
    if (facts)
        files[i].facts = facts;
}

static void deliver(const char *more)
{
    fixture_dataset(f, files, n_files, more);
    fixture_deliver(f);
}

static int start(void **state)
{
    (void)state;
    f = fixture_new();
    struct sf_outcome out = {0};
    f->star.attrs = fixture_want(f, &f->star, &sf_driver_data_star_schema);
    assert_ok(f->h, sf_driver_data_star_schema.create(fixture_op(f, &f->star), f->star.attrs, &out, &f->h->err));
    f->star.attrs = out.attrs;
    f->star.id = out.id;
    return 0;
}

static int stop(void **state)
{
    (void)state;
    fixture_free(f);
    return 0;
}

/* The plain data set, delivered, nothing loaded. */
static int fresh(void **state)
{
    struct sf_outcome out = {0};
    (void)state;
    if (f->load.id.n)
        assert_ok(f->h, driver->destroy(fixture_op(f, &f->load), f->load.id, &out, &f->h->err));
    load_attrs = builtin_checks;
    f->h->site.accepted_checks = NULL;
    fake_checks[0] = 0;
    fixture_object(f, &f->load, "load", "weekly_load", "", load_attrs, load_refs);
    n_files = SF_COUNT(fixture_files);
    memcpy(files, fixture_files, sizeof fixture_files);
    deliver("");
    return 0;
}

/* As if -accept-check had named it. */
static void accept_check(const char *name)
{
    f->h->site.accepted_checks = fixture_json(f, sf_str_fmt(f->h->arena, "[\"%s\"]", name).p);
}

/* The data set as if it were the city's and taken then. */
static void pretend_taken(const char *as_of)
{
    struct sf_value *attrs = sf_value_map(f->h->arena);
    for (size_t i = 0; i < f->dataset.attrs->map.n; i++)
        sf_map_add(f->h->arena, attrs, f->dataset.attrs->map.pairs[i].key, f->dataset.attrs->map.pairs[i].value);
    sf_map_set_bool(f->h->arena, attrs, "is_sample", false);
    sf_map_set_str(f->h->arena, attrs, "data_as_of", sf_str_of(as_of));
    f->dataset.attrs = attrs;
}

static enum sf_code create(struct sf_outcome *out)
{
    struct sf_value *want = fixture_want(f, &f->load, driver);
    *out = (struct sf_outcome){0};
    f->load.attrs = want;
    enum sf_code rc = driver->create(fixture_op(f, &f->load), want, out, &f->h->err);
    if (!rc) {
        f->load.attrs = out->attrs;
        f->load.id = out->id;
    }
    return rc;
}

static struct sf_outcome look(void)
{
    struct sf_outcome out = {0};
    assert_ok(f->h, driver->read(fixture_op(f, &f->load), f->load.id, &out, &f->h->err));
    return out;
}

static enum sf_code update(struct sf_outcome *out)
{
    struct sf_outcome seen = look();
    fixture_object(f, &f->load, "load", "weekly_load", "report/weekly_load", load_attrs, load_refs);
    struct sf_value *want = fixture_want(f, &f->load, driver);
    struct sf_op *op = fixture_op(f, &f->load);
    op->is_seen = true;
    enum sf_code rc = driver->update(op, f->load.id, seen.attrs, want, out, &f->h->err);
    f->load.attrs = rc ? seen.attrs : out->attrs;
    return rc;
}

static const struct sf_value *contents(const struct sf_outcome *out, const char *group, const char *name)
{
    const struct sf_value *all = sf_map_getz(out->attrs, LOAD_CONTENTS), *of = sf_map_getz(all, group);
    return sf_map_getz(of ? of : sf_map_getz(sf_map_getz(all, "tables"), group), name);
}

static bool is_as_wanted(const struct sf_outcome *out)
{
    struct sf_object load;
    struct fixture *g = f;
    fixture_object(g, &load, "load", "weekly_load", "report/weekly_load", load_attrs, load_refs);
    struct sf_value *want = fixture_want(f, &load, driver);
    return sf_value_equal(sf_map_getz(want, LOAD_CONTENTS), sf_map_getz(out->attrs, LOAD_CONTENTS));
}

static void a_load_publishes_everything_and_reads_back_equal(void **state)
{
    (void)state;
    struct sf_outcome out;
    assert_ok(f->h, create(&out));
    assert_string_equal(harness_calls, "publish load\nmade\n");
    assert_true(is_as_wanted(&out));
    assert_int_equal(sf_map_int(out.attrs, LOAD_ROWS, 0), 5);
    assert_int_equal(sf_map_int(out.attrs, LOAD_CHECKS_PASSED, 0), 34);
    assert_string_equal(
        fixture_ask(f, "select string_agg(fiscal_year || ' ' || organization_group || ' ' || amount, '; ' order by amount) from "
                       "report.spending_revenue where fiscal_year = 2025"),
        "2025 Culture, Recreation -5.00; 2025 Public Protection 40.00");
    assert_string_equal(
        fixture_ask(
            f, "select string_agg(fiscal_year || ' ' || is_partial || ' ' || row_count, ', ' order by 1) from report.fiscal_year"),
        "2024 No 3, 2025 Yes 2");
    assert_string_equal(
        fixture_ask(f, "select count(*) from report.load_ledger where is_sample and note = 'SAMPLE DATA, NOT THE CITY''S FIGURES'"),
        "10");
    assert_string_equal(
        fixture_ask(f,
                    "select count(*) from pg_class where relnamespace = 'report'::regnamespace and relkind in ('r', 'p', 'v') and "
                    "obj_description(oid) not like 'SAMPLE DATA, NOT THE CITY''S FIGURES. %'"),
        "0");
    struct sf_outcome star = {0};
    assert_ok(f->h, sf_driver_data_star_schema.read(fixture_op(f, &f->star), SF_STR("report"), &star, &f->h->err));
    assert_true(sf_value_equal(sf_map_getz(star.attrs, STAR_SCHEMA_STRUCTURE), sf_map_getz(f->star.attrs, STAR_SCHEMA_STRUCTURE)));
}

static void an_edited_row_is_drift_of_its_year_alone_and_is_loaded_again(void **state)
{
    static const struct {
        const char *sql, *group, *name, *says;
    } cases[] = {
        {"delete from report.transaction where transaction_id = 1005", "years", "2025", "edited by hand: 1 of 2 rows"},
        {"update report.transaction set amount = 41 where transaction_id = 1004", "years", "2025",
         "edited by hand: total is 36.00, was 35.00"},
        {"update report.transaction set program_id = 12 where transaction_id = 1001", "years", "2024",
         "edited by hand: same rows and total, other contents"},
        {"update report.transaction set amount = case amount when 10 then 20.25 else 10 end where transaction_id in (1001, 1002)",
         "years", "2024", "edited by hand: same rows and total, other contents"},
        {"drop table report_partitions.transaction_2024", "years", "2024", "edited by hand: 0 of 3 rows"},
        {"update report.program set department = 'POL  Police' where program_id = 11", "tables", "program",
         "edited by hand: same rows and total, other contents"},
        {"update report.code_alias set source_name = '' where source_name is null", "code_alias", "2025",
         "edited by hand: same rows and total, other contents"},
        {"drop table report_partitions.code_alias_2024", "code_alias", "2024", "edited by hand: 0 of 1 rows"},
        {"insert into report.fund select 99, fund_category, fund_category_code, fund, fund_code, fund_type, fund_type_code from "
         "report.fund",
         "tables", "fund", "edited by hand: 2 of 1 rows"},
        {"update report.load_ledger set source = 'x' where part = 2025 and table_name = 'transaction'", "years", "2025",
         "the ledger was edited by hand"},
        {"insert into report.load_ledger select * from report.load_ledger where part = 2024 and table_name = 'transaction' and "
         "is_current",
         "years", "2024", "the ledger was edited by hand"},
    };
    (void)state;
    struct sf_outcome out;
    assert_ok(f->h, create(&out));
    for (size_t i = 0; i < SF_COUNT(cases); i++) {
        fixture_sql(f, cases[i].sql);
        struct sf_outcome seen = look();
        const struct sf_value *said = contents(&seen, cases[i].group, cases[i].name);
        assert_true(said && said->type == SF_V_STRING);
        assert_string_equal(said->s.p, cases[i].says);
        assert_ok(f->h, update(&out));
        assert_true(is_as_wanted(&out));
        const char *again =
            fixture_ask(f, sf_str_fmt(f->h->arena,
                                      "select string_agg(table_name || coalesce(part::text, ''), ' ') from report.load_ledger "
                                      "where load_id = '%.*s' and table_name <> '(load)'",
                                      SF_ARG(sf_map_str(out.attrs, LOAD_LOAD_ID)))
                               .p);
        const char *table = strcmp(cases[i].group, "years") == 0    ? "transaction"
                            : strcmp(cases[i].group, "tables") == 0 ? ""
                                                                    : cases[i].group;
        const char *expected = sf_str_fmt(f->h->arena, "%s%s", table, cases[i].name).p;
        assert_string_equal(again, expected);
    }
}

static void a_table_that_the_star_makes_anew_is_planned_to_be_filled_again(void **state)
{
    static const struct {
        const char *sql, *table, *group, *name;
    } cases[] = {
        {"alter table report.program add column more int", "program", "tables", "program"},
        {"alter table report.type_crosswalk drop constraint type_crosswalk_pkey", "type_crosswalk", "tables", "type_crosswalk"},
        {"alter table report.transaction add column more int", "transaction", "years", "2025"},
        {"alter table report.load_ledger add column more int", "load_ledger", NULL, NULL},
        {"alter table report.fund drop column fund_code cascade", "fund", NULL, NULL},
    };
    (void)state;
    const struct sf_driver *star = &sf_driver_data_star_schema;
    struct sf_outcome out;
    assert_ok(f->h, create(&out));
    for (size_t i = 0; i < SF_COUNT(cases); i++) {
        fixture_sql(f, cases[i].sql);
        struct sf_outcome seen = {0}, mended = {0};
        assert_ok(f->h, star->read(fixture_op(f, &f->star), SF_STR("report"), &mended, &f->h->err));
        f->star.attrs = mended.attrs;
        bool is_whole = cases[i].name == NULL; /* the ledger itself cannot be asked: all is loaded anew */
        if (is_whole) {
            assert_int_equal(driver->read(fixture_op(f, &f->load), f->load.id, &seen, &f->h->err), SF_E_ABSENT);
        } else {
            seen = look();
            assert_string_equal(contents(&seen, cases[i].group, cases[i].name)->s.p, "its table is made anew");
        }
        struct sf_value *want = fixture_want(f, &f->star, star);
        assert_ok(f->h, star->update(fixture_op(f, &f->star), SF_STR("report"), mended.attrs, want, &mended, &f->h->err));
        f->star.attrs = mended.attrs;
        fixture_object(f, &f->load, "load", "weekly_load", is_whole ? "" : "report/weekly_load", load_attrs, load_refs);
        if (is_whole)
            assert_ok(f->h, create(&out));
        else
            assert_ok(f->h, update(&out));
        seen = look();
        assert_true(is_as_wanted(&seen));
    }
}

static void rows_that_no_load_brought_are_taken_away(void **state)
{
    (void)state;
    struct sf_outcome out;
    assert_ok(f->h, create(&out));
    fixture_sql(f, "create table report_partitions.by_hand partition of report.transaction for values in (1990)");
    fixture_sql(f, "insert into report.transaction values (1, 1990, 11, 21, 31, 1, 5)");
    struct sf_outcome seen = look();
    assert_string_equal(contents(&seen, "years", "1990")->s.p, "not loaded from here: 1 rows");
    assert_ok(f->h, update(&out));
    assert_true(is_as_wanted(&out));
    fixture_sql(f, "drop table report_partitions.by_hand");
}

static void only_what_changed_is_loaded_and_the_rest_keeps_its_ledger_row(void **state)
{
    (void)state;
    struct sf_outcome out;
    assert_ok(f->h, create(&out));
    use(7, FACTS_2025 "1006,2025,11,22,31,2,7.00\n",
        ",\"spending_rows\":2,\"spending_cents\":3500,\"revenue_rows\":1,\"revenue_cents\":700");
    files[9] = (struct fixture_file){"", "2026", FACT_HEADER "1007,2026,11,22,31,1,1.00\n",
                                     ",\"spending_rows\":1,\"spending_cents\":100,\"revenue_rows\":0,\"revenue_cents\":0"};
    n_files = 10;
    deliver("");
    assert_ok(f->h, update(&out));
    assert_true(is_as_wanted(&out));
    assert_string_equal(
        fixture_ask(f, sf_str_fmt(f->h->arena,
                                  "select string_agg(part::text, ' ' order by part) from report.load_ledger where load_id = '%.*s' "
                                  "and part is not null",
                                  SF_ARG(sf_map_str(out.attrs, LOAD_LOAD_ID)))
                           .p),
        "2025 2026");
    /* a year leaves the data set */
    files[6] = files[7];
    files[7] = files[9];
    n_files = 9;
    deliver("");
    assert_int_equal(update(&out), SF_E_UNPUBLISHED);
    assert_has(f->h->err.message,
               "check 'volume' failed for 1 row; nothing was published\n  fiscal_year=2024: rows=none, published=3");
    assert_has(f->h->err.hint, "sfapply -accept-check volume");
    accept_check("volume");
    assert_ok(f->h, update(&out));
    assert_true(is_as_wanted(&out));
    assert_string_equal(fixture_ask(f, "select string_agg(distinct fiscal_year::text, ' ') from report.transaction"), "2025 2026");
    assert_string_equal(fixture_ask(f, "select string_agg(fiscal_year::text, ' ' order by 1) from report.fiscal_year"),
                        "2025 2026");
}

static void what_a_stopped_load_left_is_drift_and_goes_with_the_next(void **state)
{
    (void)state;
    struct sf_outcome out;
    assert_ok(f->h, create(&out));
    fixture_sql(f, "create table report_partitions.staged_part_transaction_2031 (a int)");
    fixture_sql(f, "create unlogged table report_partitions.staged_table_program (a int)");
    struct sf_outcome seen = look();
    assert_false(is_as_wanted(&seen));
    assert_string_equal(sf_map_str(sf_map_getz(seen.attrs, LOAD_CONTENTS), "staging").p, "2 tables of a load that was stopped");
    assert_ok(f->h, update(&out));
    assert_true(is_as_wanted(&out));
    assert_string_equal(fixture_ask(f, "select string_agg(relname, ' ' order by relname) from pg_class "
                                       "where relnamespace = 'report_partitions'::regnamespace"),
                        "code_alias_2024 code_alias_2025 transaction_2024 transaction_2025");
    assert_string_equal(fixture_ask(f, "select count(*) from pg_constraint where conname like 'staged%'"), "0");
    fixture_sql(f, "create table report_partitions.staged_table_fund (a int)");
    assert_ok(f->h, driver->destroy(fixture_op(f, &f->load), f->load.id, &out, &f->h->err));
    assert_string_equal(fixture_ask(f, "select count(*) from pg_class where relnamespace = 'report_partitions'::regnamespace"),
                        "0");
    f->load.id = SF_STR_NONE;
}

static void a_failed_check_publishes_nothing_and_keeps_the_rows(void **state)
{
    static const struct {
        size_t file;
        const char *text, *check, *row;
    } cases[] = {
        {7, FACTS_2025 "1006,2025,99,22,31,1,0.00\n", "transaction_relationships", "transaction_id=1006"},
        {7, FACTS_2025 "1006,2025,11,22,31,7,0.00\n", "transaction_relationships", "transaction_id=1006"},
        {7, FACTS_2025 "1004,2025,11,22,31,1,0.00\n", "transaction_unique", "transaction_id=1004, copies=2"},
        {7, FACTS_2025 "1006,2025,11,22,31,,0.00\n", "transaction_not_null", "finance_id=null"},
        {7, FACTS_2025 "1006,2025,11,22,31,1,0.01\n", "reconcile", "staged rows=3 total=35.01"},
        {7, FACTS_2025 "1006,2024,11,22,31,1,0.00\n", "row_count", "transaction 2024: declared=none, staged=1"},
        {0, PROGRAMS "13,Patrol,X,POL Police,POL,Public Protection,01,No\n", "program_path_unique", "department=POL Police"},
        {5, CROSSWALK "22,77,same_sub_object_code\n", "crosswalk_relationships", "current_type_id=77"},
        /* no year changes, but a member that two of them use is gone */
        {0,
         "program_id,program,program_code,department,department_code,organization_group,organization_group_code,related_govt_"
         "units\n"
         "11,Patrol,PTL,POL Police,POL,Public Protection,01,No\n",
         "transaction_relationships", "transaction_id=1003"},
    };
    (void)state;
    struct sf_outcome out;
    assert_ok(f->h, create(&out));
    for (size_t i = 0; i < SF_COUNT(cases); i++) {
        memcpy(files, fixture_files, sizeof fixture_files);
        if (cases[i].file == 7)
            use(7, cases[i].text, ",\"spending_rows\":3,\"spending_cents\":3500,\"revenue_rows\":0,\"revenue_cents\":0");
        else
            use(cases[i].file, cases[i].text, NULL);
        deliver("");
        enum sf_code rc = update(&out);
        assert_int_equal(rc, SF_E_UNPUBLISHED);
        assert_has(f->h->err.message, cases[i].row);
        assert_has(f->h->err.message, sf_str_fmt(f->h->arena, "check '%s' failed for ", cases[i].check).p);
        assert_has(f->h->err.message, "nothing was published");
        assert_string_equal(fixture_ask(f, "select count(*) || ' ' || sum(amount) from report.transaction"), "5 95.25");
        assert_string_equal(
            fixture_ask(
                f,
                sf_str_fmt(f->h->arena, "select count(*) > 0 from report.load_rejects where check_name = '%s'", cases[i].check).p),
            "t");
    }
    memcpy(files, fixture_files, sizeof fixture_files);
    deliver("");
    assert_ok(f->h, update(&out));
    assert_true(is_as_wanted(&out));
}

static void every_type_of_check_fails_where_its_rule_is_broken(void **state)
{
    static const struct {
        const char *check, *says;
    } cases[] = {
        {"not_null, table: code_alias, columns: [source_code]", "1 row; nothing was published\n  dimension=program, level=program"},
        {"unique, table: transaction, columns: [program_id]", "2 rows; nothing was published\n  program_id=11, copies=3"},
        {"unique, table: transaction, columns: [fiscal_year, type_id], where: fiscal_year = 2025 -- it",
         "fiscal_year=2025, type_id=22, copies=2"},
        {"relationships, table: type_crosswalk, columns: [legacy_type_id]", NULL},
        {"accepted_values, table: transaction, column: finance_id, values: [1]",
         "1 row; nothing was published\n  transaction_id=1003"},
        {"accepted_values, table: program, column: department_code, values: [POL, \"it's\"]",
         "1 row; nothing was published\n  program_id=12"},
        {"accepted_range, table: transaction, column: amount, max: 30.00", "1 row; nothing was published\n  transaction_id=1004"},
        {"accepted_range, table: transaction, column: amount, min: 20.25, where: fiscal_year = 2024",
         "1 row; nothing was published\n  transaction_id=1001"},
        {"accepted_range, table: transaction, column: fiscal_year, max: current_year-1",
         "2 rows; nothing was published\n  transaction_id=1004"},
        {"accepted_range, table: transaction, column: fiscal_year, min: current_year-1, max: current_year", NULL},
        {"functional_dependency, table: transaction, columns: [type_id], determines: [program_id]",
         "type_id=21, program_id=2 values, such as 11 and 12"},
        {"functional_dependency, table: transaction, columns: [type_id], determines: [fund_id]", NULL},
        {"elimination_pairs, via: type_id, column: sub_object, values: [Overtime, Overtime Pay]",
         "1 row; nothing was published\n  Overtime rows=3 total=60.25, Overtime Pay rows=2 total=35.00, together=95.25"},
        {"elimination_pairs, via: program_id, column: department_code, values: [POL, LIB], by: fiscal_year",
         "fiscal_year=2024: POL rows=2 total=30.25, LIB rows=1 total=30.00, together=60.25"},
        {"elimination_pairs, via: program_id, column: department_code, values: [POL, LIB], by: fiscal_year, totals: true",
         "2 rows; nothing was published\n  fiscal_year=2024"},
        {"elimination_pairs, via: type_id, column: character_code, values: [ELS, ELU], totals: true", NULL},
        {"freshness, max_days: 14", "data_as_of=2025-03-01T10:00:00.000"},
        {"freshness, max_days: 36500", NULL},
        {"volume, shrink_percent: 1, growth_percent: 1", NULL},
        {"sql, query: select fiscal_year as fy, sum(amount) as total from transaction group by 1 having sum(amount) > 50, columns: "
         "[fy, total]",
         "1 row; nothing was published\n  fy=2024, total=60.25"},
        {"sql, query: select count(*) as n from type t join \"transaction\" using (type_id) where 1 = 2 having count(*) > 0, "
         "columns: [n]",
         NULL},
        {"sql, query: select p.program from program p left join published_program q using (program_id) where q.program is null, "
         "columns: [program]",
         "2 rows; nothing was published\n  program=No Program"},
        {"row_count, table: fund", NULL},
        {"reconcile", NULL},
    };
    (void)state;
    for (size_t i = 0; i < SF_COUNT(cases); i++) {
        struct sf_outcome out;
        assert_int_equal(fresh(NULL), 0);
        pretend_taken("2025-03-01T10:00:00.000");
        const char *path = sf_str_fmt(f->h->arena, "%s/own.yaml", f->h->dir).p, *query = strstr(cases[i].check, "query: ");
        const char *end = query ? strstr(query, ", columns: ") : NULL;
        struct sf_str text = query
                                 ? sf_str_fmt(f->h->arena, "checks: 1\nlist:\n  own: {check: %.*squery: '%.*s'%s}\n",
                                              (int)(query - cases[i].check), cases[i].check, (int)(end - query - 7), query + 7, end)
                                 : sf_str_fmt(f->h->arena, "checks: 1\nlist:\n  own: {check: %s}\n", cases[i].check);
        fixture_write(path, text);
        load_attrs = sf_str_fmt(f->h->arena, "{\"checks\":\"%s\"}", path).p;
        fixture_object(f, &f->load, "load", "weekly_load", "", load_attrs, load_refs);
        enum sf_code rc = create(&out);
        if ((rc == SF_OK) != (cases[i].says == NULL) || (rc && !strstr(f->h->err.message, cases[i].says)))
            print_error("%s: %s\n", cases[i].check, rc ? f->h->err.message : "passed");
        assert_int_equal(rc, cases[i].says ? SF_E_UNPUBLISHED : SF_OK);
        assert_true(!rc || strstr(f->h->err.message, cases[i].says));
        if (rc)
            assert_string_equal(
                fixture_ask(f, "select string_agg(distinct check_name || ' ' || severity, ',') from report.load_rejects"),
                "own error");
    }
}

static void a_total_of_a_part_without_sides_is_reconciled_to_the_cent(void **state)
{
    struct sf_outcome out;
    (void)state;
    load_attrs = "{\"checks\":{\"own\":{\"check\":\"reconcile\"}}}";
    fixture_object(f, &f->load, "load", "weekly_load", "", load_attrs, load_refs);
    use(6, FACTS_2024, ",\"amount_cents\":6025");
    use(7, FACTS_2025, ",\"amount_cents\":3501");
    deliver("");
    assert_int_equal(create(&out), SF_E_UNPUBLISHED);
    assert_has(f->h->err.message,
               "failed for 1 row; nothing was published\n  part=2025: declared rows=2 total=35.01, staged rows=2 total=35.00");
    use(7, FACTS_2025, ",\"amount_cents\":3500");
    deliver("");
    assert_ok(f->h, create(&out));
}

static void a_year_that_loses_half_of_its_rows_is_stopped_until_it_is_accepted_once(void **state)
{
    static const char smaller[] = FACT_HEADER "1001,2024,11,21,31,1,10.00\n";
    static const char facts[] = ",\"spending_rows\":1,\"spending_cents\":1000,\"revenue_rows\":0,\"revenue_cents\":0";
    (void)state;
    struct sf_outcome out;
    assert_ok(f->h, create(&out));
    use(6, smaller, facts);
    deliver("");
    assert_int_equal(update(&out), SF_E_UNPUBLISHED);
    assert_has(f->h->err.message, "check 'volume' failed for 1 row");
    assert_has(f->h->err.message, "fiscal_year=2024: rows=1, published=3");
    assert_string_equal(fake_checks, "volume failed 1\n");
    accept_check("volume");
    assert_ok(f->h, update(&out));
    assert_true(is_as_wanted(&out));
    assert_string_equal(fake_checks, "volume failed 1\nvolume accepted 1\n");
    assert_string_equal(fixture_ask(f, "select accepted || ' ' || checks_passed || ' ' || coalesce(warned, 'no') from "
                                       "report.load_ledger where is_current and table_name = '(load)'"),
                        "volume=1 33 no");
    assert_string_equal(fixture_ask(f, "select severity || ' ' || row_text from report.load_rejects"),
                        "accepted fiscal_year=2024: rows=1, published=3");
    struct sf_outcome seen = look();
    assert_true(is_as_wanted(&seen));
    /* what is accepted once is what is compared with from then on, and nothing is left of it */
    use(6, FACTS_2024, fixture_files[6].facts);
    f->h->site.accepted_checks = NULL;
    deliver("");
    assert_ok(f->h, update(&out));
    assert_string_equal(fixture_ask(f, "select count(accepted) || ' ' || (select count(*) from report.load_rejects) from "
                                       "report.load_ledger where is_current and table_name = '(load)'"),
                        "0 0");
}

static void a_warning_is_published_listed_and_kept(void **state)
{
    (void)state;
    struct sf_outcome out;
    pretend_taken("2025 Mar 01 10:00:00 AM");
    assert_ok(f->h, create(&out));
    assert_string_equal(fake_checks, "freshness warned 1\n");
    assert_string_equal(fixture_ask(f,
                                    "select warned || ' ' || coalesce(accepted, 'no') from report.load_ledger where is_current and "
                                    "table_name = '(load)'"),
                        "freshness=1 no");
    assert_string_equal(fixture_ask(f, "select check_name || ' ' || severity || ' ' || substring(row_text, 1, 34) from "
                                       "report.load_rejects"),
                        "freshness warn data_as_of=2025 Mar 01 10:00:00 AM");
    struct sf_outcome seen = look();
    assert_true(is_as_wanted(&seen));
}

static void a_query_that_the_warehouse_does_not_take_names_its_check(void **state)
{
    struct sf_outcome out;
    (void)state;
    load_attrs = "{\"checks\":{\"own\":{\"check\":\"sql\",\"query\":\"select no_such from fund\",\"columns\":[\"no_such\"]}}}";
    fixture_object(f, &f->load, "load", "weekly_load", "", load_attrs, load_refs);
    assert_int_equal(create(&out), SF_E_REFUSED);
    assert_has(f->h->err.message, "check 'own'");
    assert_has(f->h->err.message, "no_such");
}

static void a_first_load_that_fails_a_check_leaves_no_partition(void **state)
{
    (void)state;
    struct sf_outcome out;
    use(7, FACTS_2025 "1006,2025,11,22,31,1,0.01\n",
        ",\"spending_rows\":3,\"spending_cents\":3500,\"revenue_rows\":0,\"revenue_cents\":0");
    deliver("");
    assert_int_equal(create(&out), SF_E_UNPUBLISHED);
    assert_int_equal(out.id.n, 0);
    assert_string_equal(fixture_ask(f, "select count(*) from pg_class where relnamespace = 'report_partitions'::regnamespace"),
                        "0");
    assert_int_equal(driver->find(fixture_op(f, &f->load), f->load.attrs, &out, &f->h->err), SF_E_ABSENT);
}

static void rejected_rows_of_the_data_set_stop_the_load_before_it_starts(void **state)
{
    (void)state;
    struct sf_outcome out;
    deliver("");
    struct sf_value *attrs = sf_value_map(f->h->arena);
    for (size_t i = 0; i < f->dataset.attrs->map.n; i++)
        sf_map_add(f->h->arena, attrs, f->dataset.attrs->map.pairs[i].key, f->dataset.attrs->map.pairs[i].value);
    sf_map_set_int(f->h->arena, attrs, "rejected", 1);
    sf_map_set_str(f->h->arena, attrs, "rejects_file", SF_STR("/cache/rejects.csv"));
    sf_map_set(f->h->arena, attrs, SF_STR("rejects"),
               fixture_json(f, "[{\"line\":7,\"column\":\"amount\",\"reason\":\"not a number\",\"value\":\"x\"}]"));
    f->dataset.attrs = attrs;
    assert_int_equal(create(&out), SF_E_UNPUBLISHED);
    assert_has(f->h->err.message, "1 row of data set 'spending_revenue' was rejected and max_rejects is 0");
    assert_has(f->h->err.message, "line 7, amount: not a number: 'x'");
    assert_has(f->h->err.hint, "/cache/rejects.csv");
    assert_string_equal(harness_calls, "");
}

static void a_load_whose_answer_was_lost_is_found_by_its_intent(void **state)
{
    (void)state;
    struct sf_outcome out = {0}, found = {0};
    struct sf_value *want = fixture_want(f, &f->load, driver);
    f->load.attrs = want;
    struct sf_op *op = fixture_op(f, &f->load);
    assert_int_equal(driver->find(op, want, &found, &f->h->err), SF_E_ABSENT);
    assert_ok(f->h, driver->create(op, want, &out, &f->h->err));
    struct sf_str intent = op->intent;
    op = fixture_op(f, &f->load);
    assert_int_equal(driver->find(op, want, &found, &f->h->err), SF_E_ABSENT);
    op->intent = intent;
    assert_ok(f->h, driver->find(op, want, &found, &f->h->err));
    assert_true(sf_str_is(found.id, "report/weekly_load"));
    assert_true(is_as_wanted(&found));
    f->load.id = found.id;
}

static void missing_objects_and_another_load_are_named(void **state)
{
    (void)state;
    struct sf_outcome out;
    const char *key = sf_map_str(sf_map_getz(sf_map_getz(f->dataset.attrs, "years"), "2025"), "key").p;
    assert_ok(f->h, sf_local_bucket_delete(harness_op(f->h), &f->bucket, sf_str_of(key), &f->h->err));
    assert_int_equal(create(&out), SF_E_REFUSED);
    assert_has(f->h->err.message, key);
    assert_has(f->h->err.hint, "run sfapply again");
    fixture_deliver(f);
    assert_ok(f->h, create(&out));
    struct sf_object other = f->load;
    other.name = SF_STR("other");
    assert_int_equal(driver->create(fixture_op(f, &other), f->load.attrs, &out, &f->h->err), SF_E_CONFLICT);
    assert_has(f->h->err.message, "report/weekly_load");
}

static void a_destroyed_load_leaves_empty_tables(void **state)
{
    (void)state;
    struct sf_outcome out;
    assert_ok(f->h, create(&out));
    assert_ok(f->h, driver->destroy(fixture_op(f, &f->load), f->load.id, &out, &f->h->err));
    assert_string_equal(
        fixture_ask(
            f, "select (select count(*) from report.transaction) + (select count(*) from report.program) + (select count(*) "
               "from report.load_ledger) + (select count(*) from pg_class where relnamespace = 'report_partitions'::regnamespace)"),
        "0");
    assert_int_equal(driver->read(fixture_op(f, &f->load), f->load.id, &out, &f->h->err), SF_E_ABSENT);
    assert_ok(f->h, driver->destroy(fixture_op(f, &f->load), f->load.id, &out, &f->h->err));
    assert_string_equal(
        fixture_ask(f, "select obj_description('report.program'::regclass)"),
        "Who spent or received the money; one row per organization group, department, program and kind of government unit");
    f->load.id = SF_STR_NONE;
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup(a_load_publishes_everything_and_reads_back_equal, fresh),
        cmocka_unit_test_setup(an_edited_row_is_drift_of_its_year_alone_and_is_loaded_again, fresh),
        cmocka_unit_test_setup(a_table_that_the_star_makes_anew_is_planned_to_be_filled_again, fresh),
        cmocka_unit_test_setup(rows_that_no_load_brought_are_taken_away, fresh),
        cmocka_unit_test_setup(only_what_changed_is_loaded_and_the_rest_keeps_its_ledger_row, fresh),
        cmocka_unit_test_setup(what_a_stopped_load_left_is_drift_and_goes_with_the_next, fresh),
        cmocka_unit_test_setup(a_failed_check_publishes_nothing_and_keeps_the_rows, fresh),
        cmocka_unit_test_setup(every_type_of_check_fails_where_its_rule_is_broken, fresh),
        cmocka_unit_test_setup(a_total_of_a_part_without_sides_is_reconciled_to_the_cent, fresh),
        cmocka_unit_test_setup(a_year_that_loses_half_of_its_rows_is_stopped_until_it_is_accepted_once, fresh),
        cmocka_unit_test_setup(a_warning_is_published_listed_and_kept, fresh),
        cmocka_unit_test_setup(a_query_that_the_warehouse_does_not_take_names_its_check, fresh),
        cmocka_unit_test_setup(a_first_load_that_fails_a_check_leaves_no_partition, fresh),
        cmocka_unit_test_setup(rejected_rows_of_the_data_set_stop_the_load_before_it_starts, fresh),
        cmocka_unit_test_setup(a_load_whose_answer_was_lost_is_found_by_its_intent, fresh),
        cmocka_unit_test_setup(missing_objects_and_another_load_are_named, fresh),
        cmocka_unit_test_setup(a_destroyed_load_leaves_empty_tables, fresh),
    };
    return cmocka_run_group_tests(tests, start, stop);
}
