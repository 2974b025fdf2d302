/* Star schemas in a real PostgreSQL: made as declared, described, readable by the reader only, mended, and gone without a trace. */
#include "tests/unit/resources/data/fixture.h"

#include <errno.h>

static struct fixture *f;
static const struct sf_driver *const driver = &sf_driver_data_star_schema;

static int start(void **state)
{
    (void)state;
    f = fixture_new();
    return 0;
}

static int stop(void **state)
{
    (void)state;
    fixture_free(f);
    return 0;
}

static struct sf_value *make(struct sf_outcome *out)
{
    struct sf_value *want = fixture_want(f, &f->star, driver);
    *out = (struct sf_outcome){0};
    f->star.attrs = want;
    assert_ok(f->h, driver->create(fixture_op(f, &f->star), want, out, &f->h->err));
    f->star.attrs = out->attrs;
    f->star.id = out->id;
    return want;
}

static void unmake(void)
{
    struct sf_outcome out = {0};
    assert_ok(f->h, driver->destroy(fixture_op(f, &f->star), SF_STR("report"), &out, &f->h->err));
    fixture_object(f, &f->star, "star_schema", "star", "",
                   "{\"schema\":\"report\",\"tables\":\"builtin:sf/star\",\"reader\":\"analyst\"}", "{\"cluster\":\"cluster.dw\"}");
}

static const char *structure(const struct sf_outcome *out, const char *name)
{
    return sf_map_str(sf_map_getz(out->attrs, STAR_SCHEMA_STRUCTURE), name).p;
}

static struct sf_outcome look(void)
{
    struct sf_outcome out = {0};
    assert_ok(f->h, driver->read(fixture_op(f, &f->star), SF_STR("report"), &out, &f->h->err));
    return out;
}

/* Tables under views cannot be changed by hand: away with the views first. */
static void drop_views(void)
{
    fixture_sql(f, "do $$ begin execute (select 'drop view ' || string_agg('report.' || viewname, ', ') from pg_views "
                   "where schemaname = 'report'); end $$");
}

static int shell(const char *command, char *out, size_t size)
{
    FILE *pipe = popen(command, "r");
    assert_non_null(pipe);
    size_t n = fread(out, 1, size - 1, pipe);
    out[n] = '\0';
    return pclose(pipe);
}

static void a_star_is_made_as_declared_and_reads_back_so(void **state)
{
    (void)state;
    struct sf_outcome out;
    struct sf_value *want = make(&out);
    assert_string_equal(harness_calls, "CREATE SCHEMA\nmade\nseal\nCREATE ROLE\n");
    struct sf_outcome seen = look();
    assert_true(sf_value_equal(sf_map_getz(seen.attrs, STAR_SCHEMA_STRUCTURE), sf_map_getz(want, STAR_SCHEMA_STRUCTURE)));
    assert_true(
        sf_value_equal(sf_map_getz(seen.attrs, STAR_SCHEMA_VIEW_DIGESTS), sf_map_getz(out.attrs, STAR_SCHEMA_VIEW_DIGESTS)));
    assert_string_equal(
        fixture_ask(f, "select count(*) from pg_class c join pg_namespace n on n.oid = relnamespace left join pg_description d "
                       "on d.objoid = c.oid and objsubid = 0 where nspname = 'report' and relkind in ('r', 'p', 'v') and "
                       "d.description is null"),
        "0");
    assert_string_equal(
        fixture_ask(
            f, "select string_agg(tableowner, ',') from (select distinct tableowner from pg_tables where schemaname = 'report') t"),
        "steward");
    struct sf_outcome found = {0};
    struct sf_op *op = fixture_op(f, &f->star);
    assert_int_equal(driver->find(op, want, &found, &f->h->err), SF_E_ABSENT);
    unmake();
}

static void the_printed_command_reads_and_does_not_write(void **state)
{
    (void)state;
    struct sf_outcome out;
    char text[4096];
    make(&out);
    setenv("PGUSER", "nobody", 1);
    setenv("PGDATABASE", "elsewhere", 1);
    const char *command = sf_map_str(out.attrs, STAR_SCHEMA_PSQL_COMMAND).p;
    const char *read =
        sf_str_fmt(f->h->arena, "%s -Atc 'select count(*) from transaction; select type from type; show search_path' 2>&1", command)
            .p;
    assert_int_equal(shell(read, text, sizeof text), 0);
    assert_string_equal(text, "0\nreport, public\n");
    const char *list = sf_str_fmt(f->h->arena, "%s -Atc '\\dt' 2>&1", command).p;
    assert_int_equal(shell(list, text, sizeof text), 0);
    assert_has(text, "report|transaction|partitioned table|steward");
    const char *write = sf_str_fmt(f->h->arena, "%s -c 'delete from program' 2>&1", command).p;
    assert_int_not_equal(shell(write, text, sizeof text), 0);
    assert_has(text, "permission denied for table program");
    assert_null(strstr(command, fixture_secret("star_schema.star")));
    assert_int_equal(strlen(fixture_secret("star_schema.star")), 32);
    unsetenv("PGUSER");
    unsetenv("PGDATABASE");
    unmake();
}

static void what_was_changed_by_hand_is_named_and_mended(void **state)
{
    static const struct {
        const char *sql, *where, *says;
    } cases[] = {
        {"alter table report.program alter column program type varchar(200)", "program", "is missing"},
        {"alter table report.fund drop column fund_code", "fund", "column fund_code is missing"},
        {"alter table report.transaction alter column amount drop not null", "transaction", "column amount may be null"},
        {"comment on column report.type.object is 'x'", "type", "comment of column object differs"},
        {"comment on table report.finance is null", "finance", "comment differs"},
        {"create or replace view report.fiscal_year as select 1 as fiscal_year, null::date as starts_on, null::date as ends_on, "
         "''::text as "
         "is_partial, 1::bigint as row_count, ''::text as data_as_of",
         "fiscal_year", "was redefined by hand"},
        {"drop view report.spending_revenue", "spending_revenue", "is missing"},
        {"revoke select on report.transaction from analyst", "(reader)", "may not read transaction"},
        {"grant insert on report.fund to analyst", "(reader)", "may write fund"},
        {"grant update on report.fund to public", "(reader)", "may write fund"},
        {"grant create on schema report to public", "(reader)", "rights of 'analyst' on the schema differ"},
        {"alter role analyst superuser", "(reader)", "may do more than read"},
        {"grant pg_write_all_data to analyst", "(reader)", "may do more than read"},
        {"grant create on schema public to public", "(reader)", "may do more than read"},
        {"grant create on database san_francisco to analyst", "(reader)", "may do more than read"},
        {"grant update (fund) on report.fund to analyst", "(reader)", "may write fund"},
        {"alter table report.fund owner to analyst", "(reader)", "may write fund"},
        {"alter role analyst password 'other'", "(reader)", "password was changed"},
        {"alter role analyst valid until '2001-01-01'", "(reader)", "may not log in"},
        {"alter role analyst in database san_francisco set search_path to public", "(reader)", "does not name the schema"},
        {"create rule nothing as on insert to report.fund do instead nothing", "fund", "has rule nothing that is not declared"},
        {"alter table report.fund set unlogged", "fund", "has unlogged storage that is not declared"},
        {"alter table report.fund enable row level security", "fund", "has row security that is not declared"},
        {"alter table report.fund add check (fund_id > 5) not valid", "fund", "has constraint fund_fund_id_check that is not"},
        {"alter database san_francisco reset search_path", "(search_path)", "does not name the schema"},
        {"drop schema report_partitions", "transaction", "schema of its partitions is missing"},
    };
    (void)state;
    struct sf_outcome out;
    struct sf_value *want = make(&out);
    drop_views();
    fixture_sql(f, "alter table report.program alter column program type varchar(200)");
    struct sf_outcome seen = look();
    assert_string_equal(structure(&seen, "program"), "column program is character varying(200), declared character varying(100)");
    assert_ok(f->h, driver->update(fixture_op(f, &f->star), SF_STR("report"), seen.attrs, want, &out, &f->h->err));
    f->star.attrs = out.attrs;
    for (size_t i = 1; i < SF_COUNT(cases); i++) {
        if (strstr(cases[i].sql, "fund_code"))
            drop_views();
        fixture_sql(f, cases[i].sql);
        seen = look();
        const char *said = structure(&seen, cases[i].where);
        assert_has(said, cases[i].says);
        assert_ok(f->h, driver->update(fixture_op(f, &f->star), SF_STR("report"), seen.attrs, want, &out, &f->h->err));
        f->star.attrs = out.attrs;
        assert_true(sf_value_equal(sf_map_getz(out.attrs, STAR_SCHEMA_STRUCTURE), sf_map_getz(want, STAR_SCHEMA_STRUCTURE)));
    }
    unlink(sf_str_fmt(f->h->arena, "%s/dw-analyst.pgpass", f->h->site.secrets_dir).p);
    seen = look();
    assert_has(structure(&seen, "(reader)"), "passfile is missing");
    char before[256];
    snprintf(before, sizeof before, "%s", fixture_secret("star_schema.star"));
    assert_ok(f->h, driver->update(fixture_op(f, &f->star), SF_STR("report"), seen.attrs, want, &out, &f->h->err));
    assert_string_equal(before, fixture_secret("star_schema.star"));
    unmake();
}

/* The small star in the stack's folder, with a table of this name and these views. */
static void write_star(const char *table, const char *views)
{
    FILE *file = fopen(sf_str_fmt(f->h->arena, "%s/small.yaml", f->h->site.stack_dir).p, "w");
    assert_non_null(file);
    fprintf(file,
            "star: 1\ntables:\n  f: {role: fact, key: id, partition_by: year, measure: amount, comment: F, columns: {\n"
            "    id: {type: bigint, comment: Id}, year: {type: integer, comment: Y},\n"
            "    amount: {type: numeric, digits: 20, scale: 2, comment: A}}}\n"
            "  %s: {role: dimension, key: id, comment: D, columns: {id: {type: bigint, comment: Id}}}\nviews:\n%s",
            table, views);
    assert_int_equal(fclose(file), 0);
}

static void a_star_file_with_other_tables_and_views_is_followed(void **state)
{
    static const char first[] = "  base: {comment: Base, sql: 'select year from f', columns: {year: Y}}\n"
                                "  upper: {comment: Upper, sql: 'select year from base', columns: {year: Y}}\n"
                                "  on_old: {comment: On old, sql: 'select id from old', columns: {id: Id}}\n";
    /* another text with the same columns, a view gone, a view new, and the order turned round; and another table */
    static const char second[] = "  other: {comment: Other, sql: 'select id from f', columns: {id: Id}}\n"
                                 "  upper: {comment: Upper, sql: 'select year + 1 as year from f', columns: {year: Y}}\n";
    static const char small[] = "{\"schema\":\"report\",\"tables\":\"small.yaml\",\"reader\":\"analyst\"}";
    (void)state;
    struct sf_outcome out;
    write_star("old", first);
    fixture_object(f, &f->star, "star_schema", "star", "", small, "{\"cluster\":\"cluster.dw\"}");
    make(&out);
    write_star("young", second);
    struct sf_outcome seen = look();
    const struct sf_value *had = sf_map_getz(out.attrs, STAR_SCHEMA_STRUCTURE);
    /* nothing was changed by hand, so what is there is what was made */
    assert_true(sf_value_equal(sf_map_getz(seen.attrs, STAR_SCHEMA_STRUCTURE), had));
    assert_true(
        sf_value_equal(sf_map_getz(seen.attrs, STAR_SCHEMA_VIEW_DIGESTS), sf_map_getz(out.attrs, STAR_SCHEMA_VIEW_DIGESTS)));
    fixture_object(f, &f->star, "star_schema", "star", "report", small, "{\"cluster\":\"cluster.dw\"}");
    struct sf_value *want = fixture_want(f, &f->star, driver);
    assert_string_not_equal(sf_map_str(sf_map_getz(want, STAR_SCHEMA_STRUCTURE), "upper").p, sf_map_str(had, "upper").p);
    fixture_sql(f, "create view report.mine as select 1 as one");
    assert_ok(f->h, driver->update(fixture_op(f, &f->star), SF_STR("report"), seen.attrs, want, &out, &f->h->err));
    assert_true(sf_value_equal(sf_map_getz(out.attrs, STAR_SCHEMA_STRUCTURE), sf_map_getz(want, STAR_SCHEMA_STRUCTURE)));
    assert_string_equal(
        fixture_ask(f, "select string_agg(viewname, ' ' order by viewname) from pg_views where schemaname = 'report'"),
        "mine other upper");
    assert_string_equal(fixture_ask(f, "select string_agg(tablename, ' ' order by tablename) from pg_tables where schemaname = "
                                       "'report' and tablename not like 'load_%'"),
                        "f young");
    assert_has(fixture_ask(f, "select pg_get_viewdef('report.upper'::regclass)"), "+ 1");
    fixture_sql(f, "drop view report.mine");

    /* a destroy right after the file lost a table and a view takes them along too */
    f->star.attrs = out.attrs;
    write_star("old", first);
    unmake();
    assert_string_equal(fixture_ask(f, "select count(*) from pg_namespace where nspname like 'report%'"), "0");
}

static void foreign_schemas_and_tables_are_left_alone(void **state)
{
    (void)state;
    struct sf_outcome out = {0};
    fixture_sql(f, "create schema report");
    struct sf_value *want = fixture_want(f, &f->star, driver);
    assert_int_equal(driver->create(fixture_op(f, &f->star), want, &out, &f->h->err), SF_E_CONFLICT);
    assert_has(f->h->err.message, "not ours");
    fixture_sql(f, "comment on schema report is 'sfstack:stack=other/1 sfstack:address=x '");
    assert_int_equal(driver->create(fixture_op(f, &f->star), want, &out, &f->h->err), SF_E_CONFLICT);
    assert_has(f->h->err.hint, "put state.db back");
    assert_int_equal(driver->read(fixture_op(f, &f->star), SF_STR("report"), &out, &f->h->err), SF_E_ABSENT);
    assert_ok(f->h, driver->destroy(fixture_op(f, &f->star), SF_STR("report"), &out, &f->h->err));
    assert_string_equal(fixture_ask(f, "select count(*) from pg_namespace where nspname = 'report'"), "1");
    fixture_sql(f, "drop schema report");

    make(&out);
    fixture_sql(f, "create table report.mine (a int)");
    assert_int_equal(driver->destroy(fixture_op(f, &f->star), SF_STR("report"), &out, &f->h->err), SF_E_REFUSED);
    assert_has(f->h->err.message, "'mine'");
    assert_string_equal(
        fixture_ask(f, "select count(*) from pg_tables where schemaname = 'report' and tablename in ('mine', 'program')"), "2");
    fixture_sql(f, "drop table report.mine");
    unmake();
}

static void a_destroyed_star_leaves_nothing_and_a_shared_reader_stays(void **state)
{
    (void)state;
    struct sf_outcome out;
    make(&out);
    struct sf_object second = f->star;
    second.name = SF_STR("second");
    second.address = SF_STR("star_schema.second");
    second.attrs = fixture_json(f, "{\"schema\":\"second\",\"tables\":\"builtin:sf/star\",\"reader\":\"analyst\"}");
    struct sf_value *want = fixture_want(f, &second, driver);
    second.attrs = want;
    assert_ok(f->h, driver->create(fixture_op(f, &second), want, &out, &f->h->err));
    second.attrs = out.attrs;
    struct sf_outcome seen = look();
    assert_true(sf_value_equal(sf_map_getz(seen.attrs, STAR_SCHEMA_STRUCTURE), sf_map_getz(f->star.attrs, STAR_SCHEMA_STRUCTURE)));
    assert_string_equal(fixture_ask(f, "show search_path"), "report, second, public");
    assert_ok(f->h, driver->destroy(fixture_op(f, &second), SF_STR("second"), &out, &f->h->err));
    assert_string_equal(fixture_ask(f, "select count(*) from pg_roles where rolname = 'analyst'"), "1");
    assert_string_equal(fixture_ask(f, "show search_path"), "report, public");
    unmake();
    assert_string_equal(fixture_ask(f, "select count(*) from pg_namespace where nspname like 'report%'"), "0");
    assert_string_equal(fixture_ask(f, "select count(*) from pg_roles where rolname = 'analyst'"), "0");
    assert_string_equal(fixture_ask(f, "show search_path"), "\"$user\", public");
    assert_int_equal(rmdir(f->h->site.secrets_dir), 0);
    assert_int_equal(mkdir(f->h->site.secrets_dir, 0700), 0);
    assert_ok(f->h, driver->destroy(fixture_op(f, &f->star), SF_STR("report"), &out, &f->h->err));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_star_is_made_as_declared_and_reads_back_so),
        cmocka_unit_test(the_printed_command_reads_and_does_not_write),
        cmocka_unit_test(what_was_changed_by_hand_is_named_and_mended),
        cmocka_unit_test(a_star_file_with_other_tables_and_views_is_followed),
        cmocka_unit_test(foreign_schemas_and_tables_are_left_alone),
        cmocka_unit_test(a_destroyed_star_leaves_nothing_and_a_shared_reader_stays),
    };
    return cmocka_run_group_tests(tests, start, stop);
}
