/* What the server's log adds to an error: a connection lost to a full disk is told as a full disk. */
#include "tests/unit/resources/harness.h"

#include "resources/local/postgres.h"

#include <fcntl.h>

#define BEFORE "2026-01-05 08:00:00.000 UTC [70] FATAL:  password authentication failed for user \"analyst\"\n"
#define PANIC                                                                                                                      \
    "2026-01-05 08:00:01.000 UTC [71] PANIC:  could not write to file \"pg_wal/xlogtemp.71\": No space left on device\n"           \
    "2026-01-05 08:00:01.100 UTC [60] LOG:  server process (PID 71) was terminated by signal 6: Aborted\n"                         \
    "2026-01-05 08:00:01.200 UTC [72] FATAL:  the database system is in recovery mode\n"
#define STOPPED "2026-01-05 08:00:01.000 UTC [71] FATAL:  terminating connection due to administrator command\n"

static struct harness *h;
static struct sf_postgres pg;

static void write_log(const char *text)
{
    struct sf_op *op = harness_op(h);
    assert_ok(h, sf_territory_write_file(op, sf_postgres_log(op, &pg), sf_str_of(text), 0600, &h->err));
}

/* A cluster that was loaded when its log was `before`, and that wrote what follows in `now` since. */
static int start(void **state)
{
    (void)state;
    h = harness_new("cluster.dw");
    struct sf_op *op = harness_op(h);
    pg = (struct sf_postgres){.id = SF_STR("dw"), .dir = sf_territory_path(op, "clusters/dw")};
    assert_ok(h, sf_territory_mkdir(op, pg.dir, 0700, &h->err));
    write_log(BEFORE);
    pg.log_end = sf_postgres_log_end(harness_op(h), &pg);
    assert_int_equal(pg.log_end, strlen(BEFORE));
    return 0;
}

static int stop(void **state)
{
    (void)state;
    harness_free(h);
    return 0;
}

static enum sf_code lose(enum sf_code code)
{
    struct sf_op *op = harness_op(h);
    sf_fail(&h->err, code, "lost the connection");
    sf_hint(&h->err, "see the server's log");
    enum sf_code rc = sf_postgres_blame(op, &pg, code, &h->err);
    assert_int_equal(rc, h->err.code);
    return rc;
}

static void the_last_panic_is_the_reason_and_else_the_last_fatal_line(void **state)
{
    (void)state;
    static const struct {
        const char *log, *reason;
    } cases[] = {
        {BEFORE PANIC, "could not write to file \"pg_wal/xlogtemp.71\": No space left on device"},
        {BEFORE STOPPED, "terminating connection due to administrator command"},
        {STOPPED "no line end FATAL:  cut off", "cut off"},
        {"LOG:  starting\n", ""},
        {"", ""},
    };
    for (size_t i = 0; i < SF_COUNT(cases); i++) {
        struct sf_str reason = sf_postgres_log_reason(sf_str_of(cases[i].log));
        assert_string_equal(sf_str_dup(h->arena, reason).p, cases[i].reason);
    }
}

static void a_connection_lost_to_a_full_disk_is_a_full_disk(void **state)
{
    (void)state;
    write_log(BEFORE PANIC);
    assert_int_equal(lose(SF_E_UNAVAILABLE), SF_E_IO);
    assert_string_equal(h->err.message, "cluster 'dw' gave up (could not write to file \"pg_wal/xlogtemp.71\": No space left on "
                                        "device): lost the connection");
    assert_non_null(strstr(h->err.hint, "free space where '"));
}

static void a_commit_lost_to_a_full_disk_stays_in_doubt(void **state)
{
    (void)state;
    write_log(BEFORE PANIC);
    assert_int_equal(lose(SF_E_UNKNOWN), SF_E_UNKNOWN);
    assert_non_null(strstr(h->err.hint, "free space where '"));
}

static void another_reason_is_quoted_and_keeps_the_hint(void **state)
{
    (void)state;
    write_log(BEFORE STOPPED);
    assert_int_equal(lose(SF_E_UNAVAILABLE), SF_E_UNAVAILABLE);
    assert_string_equal(h->err.message,
                        "cluster 'dw' gave up (terminating connection due to administrator command): lost the connection");
    assert_string_equal(h->err.hint, "see the server's log");
}

static void what_was_logged_before_explains_nothing(void **state)
{
    (void)state;
    write_log(PANIC);
    pg.log_end = sf_postgres_log_end(harness_op(h), &pg);
    assert_int_equal(lose(SF_E_UNAVAILABLE), SF_E_UNAVAILABLE);
    assert_string_equal(h->err.message, "lost the connection");
}

static void another_error_is_left_alone(void **state)
{
    (void)state;
    write_log(BEFORE PANIC);
    assert_int_equal(lose(SF_E_REFUSED), SF_E_REFUSED);
    assert_string_equal(h->err.message, "lost the connection");
}

static void a_reason_at_the_end_of_a_long_log_is_found(void **state)
{
    (void)state;
    char *log = sf_arena_alloc(h->arena, 200000);
    size_t n = (size_t)snprintf(log, 200000, BEFORE);
    while (n < 190000) {
        n += (size_t)snprintf(log + n, 200000 - n, "2026-01-05 08:00:01.000 UTC [60] LOG:  checkpoint starting: time\n");
    }
    snprintf(log + n, 200000 - n, PANIC);
    write_log(log);
    assert_int_equal(lose(SF_E_UNAVAILABLE), SF_E_IO);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(the_last_panic_is_the_reason_and_else_the_last_fatal_line, start, stop),
        cmocka_unit_test_setup_teardown(a_connection_lost_to_a_full_disk_is_a_full_disk, start, stop),
        cmocka_unit_test_setup_teardown(a_commit_lost_to_a_full_disk_stays_in_doubt, start, stop),
        cmocka_unit_test_setup_teardown(another_reason_is_quoted_and_keeps_the_hint, start, stop),
        cmocka_unit_test_setup_teardown(what_was_logged_before_explains_nothing, start, stop),
        cmocka_unit_test_setup_teardown(another_error_is_left_alone, start, stop),
        cmocka_unit_test_setup_teardown(a_reason_at_the_end_of_a_long_log_is_found, start, stop),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
