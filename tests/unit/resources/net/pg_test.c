/* The libpq transport against a real server: what it gives back, and which code each way of failing gets. */
#include "tests/unit/resources/harness.h"

#include "attr/cluster.h"
#include "resources/local/postgres.h"

#include <signal.h>

extern const struct sf_driver sf_driver_local_cluster;

static struct harness *h;
static struct sf_postgres server;
static const char password[] = "Correct-horse-battery-1";

static int start_server(void **state)
{
    (void)state;
    h = harness_new("cluster.pg");
    struct sf_value *want = sf_value_map(h->arena);
    struct sf_outcome out = {0};
    sf_map_set_str(h->arena, want, CLUSTER_IDENTIFIER, SF_STR("pg"));
    sf_map_set_str(h->arena, want, CLUSTER_DATABASE, SF_STR("db"));
    sf_map_set_str(h->arena, want, CLUSTER_USERNAME, SF_STR("steward"));
    sf_map_set(h->arena, want, SF_STR(CLUSTER_PASSWORD), sf_value_secret(h->arena, sf_str_of(password)));
    sf_map_set_int(h->arena, want, CLUSTER_PORT, harness_free_port());
    assert_ok(h, sf_driver_local_cluster.create(harness_op(h), want, &out, &h->err));
    assert_ok(h, sf_postgres_load(harness_op(h), SF_STR("pg"), &server, &h->err));
    return 0;
}

static int stop_server(void **state)
{
    (void)state;
    struct sf_outcome out;
    assert_ok(h, sf_driver_local_cluster.destroy(harness_op(h), SF_STR("pg"), &out, &h->err));
    harness_free(h);
    return 0;
}

static struct sf_pg_target target_of(int64_t within_ms)
{
    memset(&h->err, 0, sizeof h->err);
    return (struct sf_pg_target){.host = "127.0.0.1",
                                 .port = server.port,
                                 .user = "steward",
                                 .database = "db",
                                 .password = password,
                                 .deadline_ms = sf_clock_ms() + within_ms};
}

static struct sf_pg *connected(void)
{
    struct sf_pg_target target = target_of(30000);
    struct sf_pg *pg = NULL;
    assert_ok(h, sf_pg_open(h->arena, &target, &pg, &h->err));
    return pg;
}

static void run(struct sf_pg *pg, const char *sql)
{
    assert_ok(h, sf_pg_exec(pg, sf_str_of(sql), NULL, &h->err));
}

static const char *one(struct sf_pg *pg, const char *sql)
{
    const struct sf_value *rows = NULL;
    assert_ok(h, sf_pg_exec(pg, sf_str_of(sql), &rows, &h->err));
    assert_int_equal(rows->list.n, 1);
    const struct sf_value *cell = rows->list.items[0]->list.items[0];
    return cell->type == SF_V_NULL ? "(null)" : cell->s.p;
}

static enum sf_code failing(struct sf_pg *pg, const char *sql)
{
    memset(&h->err, 0, sizeof h->err);
    return sf_pg_exec(pg, sf_str_of(sql), NULL, &h->err);
}

static void rows_are_lists_of_text_and_null(void **state)
{
    (void)state;
    struct sf_pg *pg = connected();
    const struct sf_value *rows = NULL;
    assert_ok(h,
              sf_pg_exec(pg, SF_STR("SELECT 1, NULL, 'é', 2.50::numeric(20,2) UNION ALL SELECT 2, '', 'x', 0.00"), &rows, &h->err));
    assert_true(
        sf_str_is(sf_json_text(h->arena, rows, SF_JSON_PLAIN), "[[\"1\",null,\"é\",\"2.50\"],[\"2\",\"\",\"x\",\"0.00\"]]"));
    assert_ok(h, sf_pg_exec(pg, SF_STR("CREATE TEMPORARY TABLE t (a int)"), &rows, &h->err));
    assert_int_equal(rows->list.n, 0);
    sf_pg_close(pg);
}

static void environment_variables_never_steer_a_connection(void **state)
{
    static const char *const hostile[][2] = {
        {"PGHOST", "192.0.2.1"},    {"PGHOSTADDR", "192.0.2.1"},         {"PGPORT", "1"},
        {"PGUSER", "nobody"},       {"PGDATABASE", "nowhere"},           {"PGPASSWORD", "wrong"},
        {"PGSSLMODE", "require"},   {"PGOPTIONS", "-c nonsense=1"},      {"PGCLIENTENCODING", "LATIN1"},
        {"PGAPPNAME", "somebody"},  {"PGGSSENCMODE", "require"},         {"PGCHANNELBINDING", "require"},
        {"PGCONNECT_TIMEOUT", "1"}, {"PGTARGETSESSIONATTRS", "standby"},
    };
    static const char *const removed[][2] = {{"PGSERVICE", "nowhere"}, {"PGTZ", "No/Where"}, {"PGDATESTYLE", "German"}};
    (void)state;
    for (size_t i = 0; i < SF_COUNT(removed); i++)
        setenv(removed[i][0], removed[i][1], 1);
    sf_pg_forget_environment();
    for (size_t i = 0; i < SF_COUNT(removed); i++)
        assert_null(getenv(removed[i][0]));
    for (size_t i = 0; i < SF_COUNT(hostile); i++)
        setenv(hostile[i][0], hostile[i][1], 1);
    struct sf_pg *pg = connected();
    assert_string_equal(
        one(pg, "SELECT current_user || ' ' || current_database() || ' ' || current_setting('client_encoding') || ' ' || "
                "current_setting('application_name') || ' ' || current_setting('TimeZone') || ' ' || "
                "current_setting('DateStyle')"),
        "steward db UTF8 sfstack UTC ISO, YMD");
    sf_pg_close(pg);
    sf_pg_forget_environment();
    assert_null(getenv("PGHOST"));
}

static void refused_connections_say_why_in_code_and_sqlstate(void **state)
{
    static const struct {
        const char *user, *database, *password;
        int port;
        enum sf_code code;
        const char *sqlstate;
    } cases[] = {
        {"steward", "db", "wrong", 0, SF_E_AUTH, "28P01"},
        {"steward", "nowhere", password, 0, SF_E_ABSENT, "3D000"},
        {"steward", "db", password, 1, SF_E_UNAVAILABLE, ""},
    };
    (void)state;
    for (size_t i = 0; i < SF_COUNT(cases); i++) {
        struct sf_pg_target target = target_of(10000);
        struct sf_pg *pg = NULL;
        target.user = cases[i].user;
        target.database = cases[i].database;
        target.password = cases[i].password;
        target.port = cases[i].port ? cases[i].port : target.port;
        assert_int_equal(sf_pg_open(h->arena, &target, &pg, &h->err), cases[i].code);
        assert_string_equal(h->err.remote_code, cases[i].sqlstate);
        assert_null(strstr(h->err.message, password));
        assert_null(strchr(h->err.message, '\n'));
    }
}

static void a_server_that_never_answers_ends_at_the_deadline(void **state)
{
    (void)state;
    struct sockaddr_in address = {.sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
    socklen_t size = sizeof address;
    int fd = socket(AF_INET, SOCK_STREAM, 0);
    assert_int_equal(bind(fd, (struct sockaddr *)&address, size), 0);
    assert_int_equal(listen(fd, 1), 0);
    assert_int_equal(getsockname(fd, (struct sockaddr *)&address, &size), 0);
    struct sf_pg_target target = target_of(300);
    struct sf_pg *pg = NULL;
    target.port = ntohs(address.sin_port);
    assert_int_equal(sf_pg_open(h->arena, &target, &pg, &h->err), SF_E_UNAVAILABLE);
    assert_true(sf_clock_ms() < target.deadline_ms + 2000);
    close(fd);
}

static void a_statement_past_the_deadline_is_ended_by_the_server(void **state)
{
    (void)state;
    struct sf_pg_target target = target_of(1200);
    struct sf_pg *pg = NULL;
    assert_ok(h, sf_pg_open(h->arena, &target, &pg, &h->err));
    assert_int_equal(failing(pg, "SELECT pg_sleep(600)"), SF_E_REFUSED);
    assert_string_equal(h->err.remote_code, "57014");
    sf_pg_close(pg);
}

static void a_statement_past_the_deadline_that_its_session_lets_run_is_told_to_stop(void **state)
{
    (void)state;
    struct sf_pg_target target = target_of(1200);
    struct sf_pg *pg = NULL;
    assert_ok(h, sf_pg_open(h->arena, &target, &pg, &h->err));
    run(pg, "SET statement_timeout = 0");
    assert_int_equal(failing(pg, "SELECT pg_sleep(601)"), SF_E_REFUSED);
    assert_string_equal(h->err.remote_code, "57014");
    assert_has(h->err.hint, "'timeouts'");
    sf_pg_close(pg);
    pg = connected();
    assert_string_equal(one(pg,
                            "SELECT count(*) FROM pg_stat_activity WHERE query LIKE '%pg_sleep(601)%' AND pid <> pg_backend_pid() "
                            "AND state = 'active'"),
                        "0");
    sf_pg_close(pg);
}

static bool is_asked_to_stop(void *ctx)
{
    return ++*(int *)ctx > 2;
}

static void a_cancelled_statement_is_cancelled_on_the_server_too(void **state)
{
    (void)state;
    int asked = -1000;
    struct sf_pg_target target = target_of(30000);
    struct sf_pg *pg = NULL;
    target.is_cancelled = is_asked_to_stop;
    target.ctx = &asked;
    assert_ok(h, sf_pg_open(h->arena, &target, &pg, &h->err));
    asked = 0;
    assert_int_equal(failing(pg, "SELECT pg_sleep(600)"), SF_E_CANCELLED);
    sf_pg_close(pg);
    pg = connected();
    assert_string_equal(one(pg,
                            "SELECT count(*) FROM pg_stat_activity WHERE query LIKE '%pg_sleep(600)%' AND pid <> pg_backend_pid() "
                            "AND state = 'active'"),
                        "0");
    sf_pg_close(pg);
}

static void errors_carry_detail_and_sqlstate_but_never_the_statement(void **state)
{
    (void)state;
    struct sf_pg *pg = connected();
    run(pg, "CREATE TEMPORARY TABLE t (a int PRIMARY KEY)");
    run(pg, "INSERT INTO t VALUES (1)");
    assert_int_equal(failing(pg, "INSERT INTO t VALUES (1)"), SF_E_REFUSED);
    assert_string_equal(h->err.remote_code, "23505");
    assert_has(h->err.message, "already exists");
    assert_int_equal(failing(pg, "ALTER ROLE steward PASSWORD 'Top-secret-1' NONSENSE"), SF_E_REFUSED);
    assert_string_equal(h->err.remote_code, "42601");
    assert_null(strstr(h->err.message, "Top-secret-1"));
    assert_null(strstr(h->err.hint, "Top-secret-1"));
    sf_pg_close(pg);
}

static void a_race_for_a_row_of_the_catalog_is_worth_another_try(void **state)
{
    (void)state;
    struct sf_pg *pg = connected();
    const char *race = "do $$ begin raise exception 'tuple concurrently updated' using errcode = 'XX000'; end $$";
    assert_int_equal(failing(pg, race), SF_E_THROTTLED);
    sf_pg_close(pg);
}

static void a_connection_lost_in_a_transaction_changed_nothing(void **state)
{
    (void)state;
    struct sf_pg *pg = connected();
    run(pg, "BEGIN");
    assert_int_equal(failing(pg, "SELECT pg_terminate_backend(pg_backend_pid())"), SF_E_UNAVAILABLE);
    sf_pg_close(pg);
    pg = connected();
    assert_int_equal(failing(pg, "SELECT pg_terminate_backend(pg_backend_pid())"), SF_E_UNKNOWN);
    sf_pg_close(pg);
}

static void a_connection_lost_during_commit_leaves_the_outcome_open(void **state)
{
    (void)state;
    struct sf_pg *pg = connected();
    run(pg, "CREATE TABLE doomed (a int)");
    run(pg, "CREATE FUNCTION die() RETURNS trigger LANGUAGE plpgsql AS $$BEGIN PERFORM pg_terminate_backend(pg_backend_pid()); "
            "RETURN NULL; END$$");
    run(pg,
        "CREATE CONSTRAINT TRIGGER die AFTER INSERT ON doomed DEFERRABLE INITIALLY DEFERRED FOR EACH ROW EXECUTE FUNCTION die()");
    run(pg, "BEGIN");
    run(pg, "INSERT INTO doomed VALUES (1)");
    assert_int_equal(sf_pg_commit(pg, &h->err), SF_E_UNKNOWN);
    sf_pg_close(pg);
}

static void commit_of_a_failed_transaction_is_no_success(void **state)
{
    (void)state;
    struct sf_pg *pg = connected();
    run(pg, "BEGIN");
    assert_int_equal(failing(pg, "SELECT 1/0"), SF_E_REFUSED);
    assert_int_equal(sf_pg_commit(pg, &h->err), SF_E_REFUSED);
    sf_pg_close(pg);
}

struct text_source {
    struct sf_str left;
    size_t repeat; /* how often the text comes */
    enum sf_code fails_with;
};

static enum sf_code next_text(void *from, void *bytes, size_t n, size_t *got, struct sf_err *err)
{
    struct text_source *s = from;
    size_t put = 0;
    while (s->repeat && put + s->left.n <= n) {
        memcpy((char *)bytes + put, s->left.p, s->left.n);
        put += s->left.n;
        s->repeat--;
    }
    *got = put;
    return put == 0 && s->fails_with ? sf_fail(err, s->fails_with, "the text is cut short") : SF_OK;
}

static void a_copy_streams_more_than_any_buffer_and_counts_its_rows(void **state)
{
    (void)state;
    struct sf_pg *pg = connected();
    int64_t n = 0;
    run(pg, "CREATE TEMPORARY TABLE t (a int, b text)");
    struct text_source source = {.left = SF_STR("7,some text of a row\n"), .repeat = 500000};
    assert_ok(h, sf_pg_copy_in(pg, SF_STR("COPY t FROM STDIN WITH (FORMAT csv)"), next_text, &source, &n, &h->err));
    assert_int_equal(n, 500000);
    assert_string_equal(one(pg, "SELECT count(*) FROM t"), "500000");
    sf_pg_close(pg);
}

static void a_copy_whose_source_fails_is_abandoned(void **state)
{
    (void)state;
    struct sf_pg *pg = connected();
    run(pg, "CREATE TEMPORARY TABLE t (a int)");
    struct text_source source = {.left = SF_STR("7\n"), .repeat = 1000, .fails_with = SF_E_DATA};
    assert_int_equal(sf_pg_copy_in(pg, SF_STR("COPY t FROM STDIN"), next_text, &source, NULL, &h->err), SF_E_DATA);
    assert_string_equal(h->err.message, "the text is cut short");
    assert_string_equal(one(pg, "SELECT count(*) FROM t"), "0");
    sf_pg_close(pg);
}

static void a_copy_that_the_server_refuses_midway_names_line_and_column(void **state)
{
    (void)state;
    struct sf_pg *pg = connected();
    run(pg, "CREATE TEMPORARY TABLE t (a int, b text)");
    struct text_source source = {.left = SF_STR("x,some text of a row\n"), .repeat = 1000000};
    assert_int_equal(sf_pg_copy_in(pg, SF_STR("COPY t FROM STDIN WITH (FORMAT csv)"), next_text, &source, NULL, &h->err),
                     SF_E_REFUSED);
    assert_string_equal(h->err.remote_code, "22P02");
    assert_has(h->err.message, "line 1, column a");
    assert_string_equal(one(pg, "SELECT 'usable'"), "usable");
    assert_int_equal(sf_pg_copy_in(pg, SF_STR("COPY nowhere FROM STDIN"), next_text, &source, NULL, &h->err), SF_E_REFUSED);
    assert_string_equal(one(pg, "SELECT 'usable'"), "usable");
    sf_pg_close(pg);
}

static void quoting_survives_hostile_text(void **state)
{
    static const char *const texts[] = {"plain", "it's", "a\\b", "\\'; DROP TABLE t; --", "\"", "", "é\n\t"};
    (void)state;
    struct sf_pg *pg = connected();
    for (size_t i = 0; i < SF_COUNT(texts); i++) {
        struct sf_str literal = sf_pg_literal(h->arena, sf_str_of(texts[i]));
        assert_string_equal(one(pg, sf_str_fmt(h->arena, "SELECT %.*s", SF_ARG(literal)).p), texts[i]);
        if (texts[i][0]) {
            struct sf_str name = sf_pg_ident(h->arena, sf_str_of(texts[i]));
            assert_string_equal(one(pg, sf_str_fmt(h->arena, "SELECT (x.*)::text FROM (SELECT 5 AS %.*s) x", SF_ARG(name)).p),
                                "(5)");
        }
    }
    sf_pg_close(pg);
}

static void a_password_is_set_by_its_verifier(void **state)
{
    (void)state;
    struct sf_pg *pg = connected();
    run(pg, "CREATE ROLE \"quo\"\"te\" LOGIN");
    assert_ok(h, sf_pg_set_password(pg, "quo\"te", "it's-\\-1", &h->err));
    assert_has(one(pg, "SELECT rolpassword FROM pg_authid WHERE rolname = 'quo\"te'"), "SCRAM-SHA-256$");
    sf_pg_close(pg);
    struct sf_pg_target target = target_of(10000);
    target.user = "quo\"te";
    target.password = "it's-\\-1";
    assert_ok(h, sf_pg_open(h->arena, &target, &pg, &h->err));
    sf_pg_close(pg);
}

static void a_read_only_connection_cannot_write(void **state)
{
    (void)state;
    struct sf_pg_target target = target_of(10000);
    struct sf_pg *pg = NULL;
    target.is_read_only = true;
    assert_ok(h, sf_pg_open(h->arena, &target, &pg, &h->err));
    assert_int_equal(failing(pg, "CREATE TABLE t (a int)"), SF_E_REFUSED);
    assert_string_equal(h->err.remote_code, "25006");
    sf_pg_close(pg);
}

static void one_question_gives_columns_and_rows_and_nothing_else_passes(void **state)
{
    static const struct {
        const char *sql, *sqlstate, *says;
    } cases[] = {
        {"select 1; select 2", "42601", "multiple commands"},
        {"set work_mem = 100", "", "gives no table"},
        {"copy (select 1) to stdout", "", "gives no table"},
        {"  ", "", "is empty"},
        {"select nothing", "42703", "does not exist"},
        {"select 1 / (3 - n) from generate_series(1, 5) n", "22012", "division by zero"}, /* after rows have come */
        {"select repeat('x', 1000000) from generate_series(1, 70)", "", "too large"},
    };
    (void)state;
    struct sf_pg *pg = connected();
    const struct sf_value *columns = NULL, *rows = NULL;
    assert_ok(h, sf_pg_ask(pg, SF_STR("select 'a' as t, 2.50 as n, null::bigint as k union all select '', 0, 7"), &columns, &rows,
                           &h->err));
    assert_string_equal(sf_json_text(h->arena, columns, SF_JSON_PLAIN).p,
                        "[{\"is_number\":false,\"name\":\"t\"},{\"is_number\":true,\"name\":\"n\"},"
                        "{\"is_number\":true,\"name\":\"k\"}]");
    assert_string_equal(sf_json_text(h->arena, rows, SF_JSON_PLAIN).p, "[[\"a\",\"2.50\",null],[\"\",\"0\",\"7\"]]");
    assert_ok(h, sf_pg_ask(pg, SF_STR("select 1 as one where false"), &columns, &rows, &h->err));
    assert_int_equal(columns->list.n, 1);
    assert_int_equal(rows->list.n, 0);
    assert_ok(h, sf_pg_ask(pg, SF_STR("select n from generate_series(1, 1000) n"), &columns, &rows, &h->err));
    assert_int_equal(rows->list.n, 1000);
    assert_string_equal(rows->list.items[999]->list.items[0]->s.p, "1000");
    sf_pg_close(pg);
    for (size_t i = 0; i < SF_COUNT(cases); i++) {
        pg = connected();
        assert_int_equal(sf_pg_ask(pg, sf_str_of(cases[i].sql), &columns, &rows, &h->err), SF_E_REFUSED);
        assert_string_equal(h->err.remote_code, cases[i].sqlstate);
        assert_has(h->err.message, cases[i].says);
        sf_pg_close(pg);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(rows_are_lists_of_text_and_null),
        cmocka_unit_test(environment_variables_never_steer_a_connection),
        cmocka_unit_test(refused_connections_say_why_in_code_and_sqlstate),
        cmocka_unit_test(a_server_that_never_answers_ends_at_the_deadline),
        cmocka_unit_test(a_statement_past_the_deadline_is_ended_by_the_server),
        cmocka_unit_test(a_statement_past_the_deadline_that_its_session_lets_run_is_told_to_stop),
        cmocka_unit_test(a_cancelled_statement_is_cancelled_on_the_server_too),
        cmocka_unit_test(errors_carry_detail_and_sqlstate_but_never_the_statement),
        cmocka_unit_test(a_race_for_a_row_of_the_catalog_is_worth_another_try),
        cmocka_unit_test(a_connection_lost_in_a_transaction_changed_nothing),
        cmocka_unit_test(a_connection_lost_during_commit_leaves_the_outcome_open),
        cmocka_unit_test(commit_of_a_failed_transaction_is_no_success),
        cmocka_unit_test(a_copy_streams_more_than_any_buffer_and_counts_its_rows),
        cmocka_unit_test(a_copy_whose_source_fails_is_abandoned),
        cmocka_unit_test(a_copy_that_the_server_refuses_midway_names_line_and_column),
        cmocka_unit_test(quoting_survives_hostile_text),
        cmocka_unit_test(a_password_is_set_by_its_verifier),
        cmocka_unit_test(a_read_only_connection_cannot_write),
        cmocka_unit_test(one_question_gives_columns_and_rows_and_nothing_else_passes),
    };
    return cmocka_run_group_tests(tests, start_server, stop_server);
}
