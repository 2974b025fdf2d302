/* How long credentials are kept, when they are fetched anew, and who waits for whom, in virtual time. What the chain finds where is
 * tested from end to end in tests/aws.
 *
 * The source is a credential_process that counts its runs, waits at a gate if there is one, and prints what the test wrote. */
#include "resources/aws/client/credentials_links.h"

#include "engine/core/clock.h"
#include "tests/unit/support/temp_dir.h"

#include <setjmp.h>
#include <stdarg.h>

#include <cmocka.h>

#include <fcntl.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

enum { THREADS = 12, MINUTE_MS = 60 * 1000, HOUR_MS = 60 * MINUTE_MS };

static const int64_t START_MS = 1800000000000; /* 2027-01-15T08:00:00Z */

static struct sf_arena *arena;
static struct sf_http *http;
static struct sf_aws_provider *provider;
static struct sf_aws_config config;
static struct sf_err err;
static char dir[TEMP_DIR_BYTES];

static const char *path(const char *name)
{
    return sf_str_fmt(arena, "%s/%s", dir, name).p;
}

static int setup(void **state)
{
    (void)state;
    arena = sf_arena_new();
    err = (struct sf_err){.code = SF_OK};
    temp_dir_make(dir, "credentials");
    unsetenv("AWS_ACCESS_KEY_ID");
    unsetenv("AWS_WEB_IDENTITY_TOKEN_FILE");
    setenv("AWS_EC2_METADATA_DISABLED", "true", 1);
    struct sf_value *profiles = sf_value_map(arena), *profile = sf_value_map(arena), *none = sf_value_map(arena);
    sf_map_set_str(arena, profile, "credential_process",
                   sf_str_fmt(arena, "sh -c 'cd %s; echo run >> runs; if [ -p gate ]; then read x < gate; fi; cat answer'", dir));
    sf_map_set(arena, profiles, SF_STR("city"), profile);
    config = (struct sf_aws_config){.profile = SF_STR("city"),
                                    .profiles = profiles,
                                    .config_profiles = profiles,
                                    .credentials_profiles = none,
                                    .sessions = none,
                                    .services = none,
                                    .overrides = none};
    sf_clock_use_virtual(START_MS);
    http = sf_http_new();
    provider = sf_aws_provider_new(arena, &config, http);
    return 0;
}

static int teardown(void **state)
{
    (void)state;
    sf_aws_provider_free(provider);
    sf_http_free(http);
    sf_arena_free(arena);
    return temp_dir_remove(dir);
}

static void answer(const char *text)
{
    FILE *file = fopen(path("answer"), "we");
    assert_non_null(file);
    assert_true(fputs(text, file) >= 0);
    assert_int_equal(fclose(file), 0);
}

/* `lives_ms` of virtual time from now; 0: for ever. */
static void answer_keys(const char *access_key, int64_t lives_ms)
{
    struct sf_str expiration =
        lives_ms ? sf_str_fmt(arena, ", \"Expiration\": \"%s\"", sf_clock_rfc3339(arena, sf_clock_wall_ms() + lives_ms).p)
                 : SF_STR("");
    answer(sf_str_fmt(arena,
                      "{\"Version\": 1, \"AccessKeyId\": \"%s\", \"SecretAccessKey\": \"secret\", \"SessionToken\": \"token\"%s}",
                      access_key, expiration.p)
               .p);
}

static size_t runs(void)
{
    struct stat info;
    return stat(path("runs"), &info) == 0 ? (size_t)info.st_size / strlen("run\n") : 0;
}

static void assert_got(const char *access_key)
{
    struct sf_aws_credentials got;
    if (sf_aws_provider_get(provider, arena, sf_clock_ms() + HOUR_MS, &got, &err))
        fail_msg("%s", err.message);
    assert_string_equal(got.access_key.p, access_key);
    assert_string_equal(got.secret_key.p, "secret");
    assert_string_equal(got.session_token.p, "token");
    assert_string_equal(got.source, "credential_process of profile 'city'");
}

static void assert_fails(enum sf_code code, const char *text)
{
    struct sf_aws_credentials got;
    assert_int_equal(sf_aws_provider_get(provider, arena, sf_clock_ms() + HOUR_MS, &got, &err), code);
    if (!strstr(err.message, text))
        fail_msg("%s", err.message);
}

static void test_what_does_not_expire_is_fetched_once(void **state)
{
    (void)state;
    answer_keys("A", 0);
    assert_got("A");
    answer_keys("B", 0);
    sf_clock_advance(1000 * (int64_t)HOUR_MS);
    assert_got("A");
    assert_int_equal(runs(), 1);
}

static void test_what_expires_is_fetched_anew_a_quarter_of_an_hour_before(void **state)
{
    (void)state;
    answer_keys("A", HOUR_MS);
    assert_got("A");
    answer_keys("B", 2 * HOUR_MS);
    sf_clock_advance(45 * MINUTE_MS - 1);
    assert_got("A");
    assert_int_equal(runs(), 1);
    sf_clock_advance(1);
    assert_got("B");
    assert_got("B");
    assert_int_equal(runs(), 2);
}

static void test_what_cannot_be_fetched_anew_is_used_till_its_last_minute(void **state)
{
    (void)state;
    answer_keys("A", HOUR_MS);
    assert_got("A");
    answer("the vault is sealed");
    sf_clock_advance(50 * MINUTE_MS);
    assert_got("A");
    assert_got("A");
    assert_int_equal(runs(), 2); /* tried again after a minute, not for every call */
    sf_clock_advance(MINUTE_MS);
    assert_got("A");
    assert_int_equal(runs(), 3);
    sf_clock_advance(8 * MINUTE_MS - 1);
    assert_got("A");
    sf_clock_advance(1);
    assert_fails(SF_E_AUTH, "no JSON object");
    answer_keys("B", HOUR_MS);
    assert_got("B");
}

static void test_what_lives_a_quarter_of_an_hour_at_all_is_not_fetched_for_every_call(void **state)
{
    (void)state;
    answer_keys("A", 14 * MINUTE_MS);
    assert_got("A");
    sf_clock_advance(7 * MINUTE_MS - 1);
    assert_got("A");
    assert_int_equal(runs(), 1);
    sf_clock_advance(1);
    assert_got("A");
    assert_int_equal(runs(), 2);
}

static void test_what_is_old_when_it_comes_is_refused_with_what_to_do(void **state)
{
    (void)state;
    answer_keys("A", -MINUTE_MS);
    assert_fails(SF_E_AUTH, "AWS credentials of credential_process of profile 'city' expired at 2027-01-15T07:59:00Z");
    assert_string_equal(err.hint, "sign in anew to what 'sh' asks");
    answer_keys("A", MINUTE_MS);
    assert_fails(SF_E_AUTH, "expire at 2027-01-15T08:01:00Z");
    answer_keys("A", MINUTE_MS + 1000);
    assert_got("A");
}

static void test_an_answer_that_lacks_something_is_refused_and_not_quoted(void **state)
{
    (void)state;
    static const char *const answers[] = {
        "{\"Version\": 1, \"AccessKeyId\": \"A\"}",
        "{\"Version\": 1, \"SecretAccessKey\": \"secret\"}",
        "{\"Version\": 1, \"AccessKeyId\": \"A\", \"SecretAccessKey\": \"secret\", \"Expiration\": \"secret\"}",
        "{\"Version\": 1, \"AccessKeyId\": \"A\", \"SecretAccessKey\": [\"secret\"]}",
        "{\"Version\": \"1\", \"AccessKeyId\": \"A\", \"SecretAccessKey\": \"secret\"}",
        "{\"secret\": 1, \"secret\": 2}",
        "[\"secret\"]",
        "secret",
        ""};
    for (size_t i = 0; i < SF_COUNT(answers); i++) {
        answer(answers[i]);
        assert_fails(SF_E_AUTH, "credential_process of profile 'city'");
        assert_null(strstr(err.message, "secret"));
        assert_null(strstr(err.hint, "secret"));
    }
}

/* --- threads --- */

static void *get_in_thread(void *ctx)
{
    struct sf_err *own = ctx;
    struct sf_arena *of_thread = sf_arena_new();
    struct sf_aws_credentials got;
    own->code = sf_aws_provider_get(provider, of_thread, sf_clock_ms() + HOUR_MS, &got, own);
    if (!own->code && !sf_str_is(got.access_key, "A"))
        own->code = SF_E_INTERNAL;
    sf_arena_free(of_thread);
    return NULL;
}

static void await_run(void)
{
    struct timespec tick = {0, 1000000};
    while (runs() == 0)
        nanosleep(&tick, NULL); /* for what another process does */
}

/* Lets every run that waits at the gate, or will, go on. */
static void open_gate(void)
{
    int gate = open(path("gate"), O_WRONLY | O_CLOEXEC);
    assert_true(gate >= 0);
    assert_int_equal(unlink(path("gate")), 0);
    close(gate);
}

static void test_many_threads_make_one_fetch(void **state)
{
    (void)state;
    pthread_t threads[THREADS];
    struct sf_err own[THREADS] = {{.code = SF_OK}};
    answer_keys("A", HOUR_MS);
    assert_int_equal(mkfifo(path("gate"), 0600), 0);
    for (size_t i = 0; i < THREADS; i++)
        assert_int_equal(pthread_create(&threads[i], NULL, get_in_thread, &own[i]), 0);
    await_run();
    open_gate();
    for (size_t i = 0; i < THREADS; i++) {
        pthread_join(threads[i], NULL);
        if (own[i].code)
            fail_msg("thread %zu: %s", i, own[i].message);
    }
    assert_int_equal(runs(), 1);
}

static void test_every_thread_hears_why_there_are_none(void **state)
{
    (void)state;
    pthread_t threads[THREADS];
    struct sf_err own[THREADS] = {{.code = SF_OK}};
    answer("the vault is sealed");
    for (size_t i = 0; i < THREADS; i++)
        assert_int_equal(pthread_create(&threads[i], NULL, get_in_thread, &own[i]), 0);
    for (size_t i = 0; i < THREADS; i++) {
        pthread_join(threads[i], NULL);
        assert_int_equal(own[i].code, SF_E_AUTH);
        assert_non_null(strstr(own[i].message, "no JSON object"));
    }
}

static void test_who_has_usable_ones_does_not_wait_and_who_has_none_waits_till_his_deadline(void **state)
{
    (void)state;
    pthread_t thread;
    struct sf_err own = {.code = SF_OK};
    struct sf_aws_credentials got;
    answer_keys("A", HOUR_MS);
    assert_int_equal(mkfifo(path("gate"), 0600), 0);
    assert_int_equal(pthread_create(&thread, NULL, get_in_thread, &own), 0);
    await_run();
    assert_int_equal(sf_aws_provider_get(provider, arena, sf_clock_ms() + 20, &got, &err), SF_E_UNAVAILABLE);
    assert_string_equal(err.message, "waiting for AWS credentials took too long");
    open_gate();
    pthread_join(thread, NULL);
    assert_int_equal(own.code, SF_OK);

    assert_int_equal(unlink(path("runs")), 0);
    assert_int_equal(mkfifo(path("gate"), 0600), 0);
    sf_clock_advance(50 * MINUTE_MS);
    assert_int_equal(pthread_create(&thread, NULL, get_in_thread, &own), 0);
    await_run();
    assert_got("A"); /* the other one is at the gate */
    open_gate();
    pthread_join(thread, NULL);
    assert_int_equal(runs(), 1);
}

/* --- times --- */

static const struct {
    const char *text;
    int64_t wall_ms; /* -1: no time */
} times[] = {
    {"2027-01-15T08:00:00Z", 1800000000000},
    {"2027-01-15 08:00:00Z", 1800000000000},
    {"2027-01-15T08:00:00", 1800000000000},
    {"2027-01-15T08:00:00UTC", 1800000000000},
    {"2027-01-15T08:00:00.123456Z", 1800000000000},
    {"2027-01-15T09:30:00+01:30", 1800000000000},
    {"2027-01-15T00:00:00-0800", 1800000000000},
    {"1970-01-01T00:00:00Z", 0},
    {"2028-02-29T00:00:00Z", 1835395200000},
    {"", -1},
    {"2027-01-15", -1},
    {"2027-13-15T08:00:00Z", -1},
    {"2027-01-15T24:00:00Z", -1},
    {"2027-01-15T08:00:00ZZ", -1},
    {"2027-01-15T08:00:00+1", -1},
    {"2027-01-15T08:00:00+01:3", -1},
    {"2027-01-15T08:00:00 Z", -1},
    {"20270115T080000Z0000", -1},
    {"tomorrow at eight o'clock", -1},
    {"2027-01-15T08:00:00+01:30 and then some more of it until it is too long", -1},
};

static void test_times_are_read_in_each_of_the_ways_that_they_are_written(void **state)
{
    (void)state;
    for (size_t i = 0; i < SF_COUNT(times); i++) {
        int64_t got = -1;
        bool is_time = sf_cred_time(sf_str_of(times[i].text), &got);
        if (is_time != (times[i].wall_ms >= 0) || (is_time && got != times[i].wall_ms))
            fail_msg("'%s': %lld", times[i].text, (long long)got);
    }
}

int main(void)
{
#define EACH(test) cmocka_unit_test_setup_teardown(test, setup, teardown)
    const struct CMUnitTest tests[] = {
        EACH(test_what_does_not_expire_is_fetched_once),
        EACH(test_what_expires_is_fetched_anew_a_quarter_of_an_hour_before),
        EACH(test_what_cannot_be_fetched_anew_is_used_till_its_last_minute),
        EACH(test_what_lives_a_quarter_of_an_hour_at_all_is_not_fetched_for_every_call),
        EACH(test_what_is_old_when_it_comes_is_refused_with_what_to_do),
        EACH(test_an_answer_that_lacks_something_is_refused_and_not_quoted),
        EACH(test_many_threads_make_one_fetch),
        EACH(test_every_thread_hears_why_there_are_none),
        EACH(test_who_has_usable_ones_does_not_wait_and_who_has_none_waits_till_his_deadline),
        EACH(test_times_are_read_in_each_of_the_ways_that_they_are_written),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
