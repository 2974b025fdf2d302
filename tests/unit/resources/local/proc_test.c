/* Child processes: clean environment, no inherited descriptors, deadlines, and finding a process again. */
#include "resources/local/proc.h"
#include "tests/unit/resources/harness.h"

#include <fcntl.h>
#include <signal.h>

static struct harness *h;

static int setup(void **state)
{
    (void)state;
    h = harness_new("cluster.dw");
    return 0;
}

static int teardown(void **state)
{
    (void)state;
    harness_free(h);
    return 0;
}

static struct sf_str run_script(const char *script, bool as_run_account, int expected)
{
    const char *const argv[] = {"/bin/sh", "-c", script, NULL};
    const char *const env[] = {"EXTRA=1", NULL};
    struct sf_proc_spec spec = {.argv = argv, .env = env, .as_run_account = as_run_account};
    struct sf_str output;
    int status;
    assert_ok(h, sf_proc_run(harness_op(h), &spec, &status, &output, &h->err));
    assert_int_equal(status, expected);
    return output;
}

static void output_and_exit_status_come_back(void **state)
{
    (void)state;
    assert_true(sf_str_is(run_script("echo out; echo err >&2; exit 7", false, 7), "out\nerr\n"));
    run_script("kill -TERM $$", false, 128 + SIGTERM);
}

static void the_environment_is_clean(void **state)
{
    (void)state;
    setenv("PGHOST", "elsewhere", 1);
    setenv("LC_ALL", "de_DE.UTF-8", 1);
    struct sf_str output = run_script("env", false, 0);
    unsetenv("PGHOST");
    unsetenv("LC_ALL");
    assert_true(sf_str_find(output, SF_STR("PGHOST")) == SIZE_MAX);
    assert_true(sf_str_find(output, SF_STR("LC_ALL")) == SIZE_MAX);
    assert_true(sf_str_find(output, SF_STR("EXTRA=1")) != SIZE_MAX);
    assert_true(sf_str_find(output, SF_STR("LANG=C.UTF-8")) != SIZE_MAX);
}

static void no_descriptor_leaks_into_the_child(void **state)
{
    (void)state;
    int fd = open("/dev/null", O_RDONLY); /* without O_CLOEXEC on purpose */
    int high = fcntl(fd, F_DUPFD, 40);
    struct sf_str output = run_script("ls /proc/self/fd | wc -l", false, 0);
    close(fd);
    close(high);
    assert_true(sf_str_is(sf_str_trim(output), "4")); /* 0, 1, 2 and the directory itself */
}

static void the_child_is_the_run_account(void **state)
{
    (void)state;
    struct sf_str output = run_script("id -u", true, 0);
    assert_true(sf_str_eq(sf_str_trim(output), sf_str_fmt(h->arena, "%lu", (unsigned long)h->territory.run_uid)));
    output = run_script("id -G", true, 0);
    if (geteuid() == 0)
        assert_true(sf_str_eq(sf_str_trim(output), sf_str_fmt(h->arena, "%lu", (unsigned long)h->territory.run_gid)));
}

static void a_child_that_stays_past_the_deadline_is_killed(void **state)
{
    (void)state;
    const char *const argv[] = {"/bin/sh", "-c", "echo $$; sleep 60", NULL};
    struct sf_proc_spec spec = {.argv = argv};
    int status;
    struct sf_op *op = harness_op(h);
    op->deadline_ms = sf_clock_ms() + 100;
    assert_int_equal(sf_proc_run(op, &spec, &status, NULL, &h->err), SF_E_UNKNOWN);
    op->deadline_ms = sf_clock_ms() - 1;
    assert_int_equal(sf_proc_run(op, &spec, &status, NULL, &h->err), SF_E_UNAVAILABLE);
}

static void a_daemon_left_behind_does_not_hold_us(void **state)
{
    (void)state;
    struct sf_str output = run_script("sleep 30 & echo $!", false, 0);
    int64_t pid;
    assert_true(sf_str_int64(sf_str_trim(output), &pid));
    uint64_t start = sf_proc_start_time((pid_t)pid);
    assert_true(start > 0);
    assert_true(sf_proc_is_alive((pid_t)pid, start));
    assert_false(sf_proc_is_alive((pid_t)pid, start + 1)); /* the pid of another life */
    assert_ok(h, sf_proc_stop((pid_t)pid, start + 1, SIGTERM, 1000, &h->err));
    assert_true(sf_proc_is_alive((pid_t)pid, start));
    assert_ok(h, sf_proc_stop((pid_t)pid, start, SIGTERM, 5000, &h->err));
    assert_false(sf_proc_is_alive((pid_t)pid, start));
    assert_ok(h, sf_proc_stop((pid_t)pid, start, SIGTERM, 1000, &h->err));
}

static void a_stubborn_process_is_killed_in_the_end(void **state)
{
    (void)state;
    struct sf_str output =
        run_script("(trap '' TERM; echo ready; exec sleep 30) >/tmp/sf-proc-ready.$$ & p=$!; "
                   "until grep -q ready /tmp/sf-proc-ready.$$ 2>/dev/null; do :; done; rm /tmp/sf-proc-ready.$$; echo $p",
                   false, 0);
    int64_t pid;
    assert_true(sf_str_int64(sf_str_trim(output), &pid));
    uint64_t start = sf_proc_start_time((pid_t)pid);
    assert_ok(h, sf_proc_stop((pid_t)pid, start, SIGTERM, 50, &h->err));
    assert_false(sf_proc_is_alive((pid_t)pid, start));
}

static void a_missing_program_says_what_to_do(void **state)
{
    (void)state;
    const char *const argv[] = {"/nonexistent/initdb", NULL};
    struct sf_proc_spec spec = {.argv = argv};
    int status;
    assert_int_equal(sf_proc_run(harness_op(h), &spec, &status, NULL, &h->err), SF_E_UNAVAILABLE);
    assert_has(h->err.message, "could not start");
    assert_has(h->err.hint, "make deps");
}

static void a_listener_is_seen_with_its_owner(void **state)
{
    (void)state;
    struct sockaddr_in address = {.sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
    socklen_t size = sizeof(address);
    uid_t uid = (uid_t)-2;
    int fd = socket(AF_INET, SOCK_STREAM, 0);
    assert_int_equal(bind(fd, (struct sockaddr *)&address, size), 0);
    assert_int_equal(getsockname(fd, (struct sockaddr *)&address, &size), 0);
    int port = ntohs(address.sin_port);
    assert_false(sf_proc_port_is_listening("127.0.0.1", port, NULL));
    assert_int_equal(listen(fd, 1), 0);
    assert_true(sf_proc_port_is_listening("127.0.0.1", port, &uid));
    assert_int_equal(uid, geteuid());
    assert_true(sf_proc_port_is_listening("", port, NULL));
    assert_false(sf_proc_port_is_listening("127.0.0.2", port, NULL));
    assert_false(sf_proc_port_is_listening("::1", port, NULL));
    close(fd);
    assert_false(sf_proc_port_is_listening("127.0.0.1", port, NULL));
}

int main(void)
{
#define TEST(name) cmocka_unit_test_setup_teardown(name, setup, teardown)
    const struct CMUnitTest tests[] = {
        TEST(output_and_exit_status_come_back),
        TEST(the_environment_is_clean),
        TEST(no_descriptor_leaks_into_the_child),
        TEST(the_child_is_the_run_account),
        TEST(a_child_that_stays_past_the_deadline_is_killed),
        TEST(a_daemon_left_behind_does_not_hold_us),
        TEST(a_stubborn_process_is_killed_in_the_end),
        TEST(a_missing_program_says_what_to_do),
        TEST(a_listener_is_seen_with_its_owner),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
