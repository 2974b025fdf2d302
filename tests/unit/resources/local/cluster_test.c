/* kind `cluster` against a real PostgreSQL of its own: made, stopped, killed, repaired, shut off by security groups, destroyed. */
#include "tests/unit/resources/harness.h"

#include "attr/cluster.h"
#include "engine/core/clock.h"
#include "resources/local/enforce.h"
#include "resources/local/postgres.h"
#include "resources/local/proc.h"
#include "resources/local/warehouse.h"

#include <errno.h>
#include <sched.h>
#include <signal.h>
#include <sys/shm.h>

extern const struct sf_driver sf_driver_local_cluster;
static const struct sf_driver *const driver = &sf_driver_local_cluster;

static const char first_password[] = "Correct-horse-battery-1";
static const char second_password[] = "Correct-horse-battery-2";

/* Writes security group sg-1: one rule for `port` from these CIDRs (NULL-terminated). */
static void admit_only(struct harness *h, int port, const char *const *cidrs)
{
    const struct sf_value *items[8];
    size_t n = 0;
    for (; cidrs[n]; n++)
        items[n] = sf_value_str(h->arena, sf_str_of(cidrs[n]));
    const struct sf_value **copy = SF_NEW_ARRAY(h->arena, n + 1, const struct sf_value *);
    memcpy(copy, items, n * sizeof *copy);
    struct sf_value *rule = sf_value_map(h->arena), *attrs = sf_value_map(h->arena);
    sf_map_set_str(h->arena, rule, "protocol", SF_STR("tcp"));
    sf_map_set_int(h->arena, rule, "port", port);
    sf_map_set(h->arena, rule, SF_STR("from"), sf_value_list(h->arena, copy, n));
    const struct sf_value **rules = SF_NEW_ARRAY(h->arena, 1, const struct sf_value *);
    rules[0] = rule;
    sf_map_set(h->arena, attrs, SF_STR("ingress"), sf_value_list(h->arena, rules, 1));
    struct sf_op *op = harness_op(h);
    assert_ok(h, sf_territory_mkdir(op, sf_territory_path(op, "security_groups"), 0700, &h->err));
    assert_ok(h, sf_territory_write_meta(op, sf_territory_path(op, "security_groups/sg-1.json"), SF_STR("sg-1"), attrs, &h->err));
}

/* A cluster that this machine may reach; its port is asked for in the stack, so the rule names it too. */
static struct sf_value *wishes(struct harness *h, int port)
{
    struct sf_value *want = sf_value_map(h->arena);
    const struct sf_value **groups = SF_NEW_ARRAY(h->arena, 1, const struct sf_value *);
    groups[0] = sf_value_str(h->arena, SF_STR("sg-1"));
    sf_map_set_str(h->arena, want, CLUSTER_IDENTIFIER, SF_STR("test-dw"));
    sf_map_set_str(h->arena, want, CLUSTER_DATABASE, SF_STR("san_francisco"));
    sf_map_set_str(h->arena, want, CLUSTER_USERNAME, SF_STR("steward"));
    sf_map_set(h->arena, want, SF_STR(CLUSTER_PASSWORD), sf_value_secret(h->arena, sf_str_of(first_password)));
    sf_map_set(h->arena, want, SF_STR(CLUSTER_ROLES), sf_value_list(h->arena, NULL, 0));
    sf_map_set(h->arena, want, SF_STR(CLUSTER_SECURITY_GROUPS), sf_value_list(h->arena, groups, 1));
    sf_map_set_int(h->arena, want, CLUSTER_PORT, port);
    sf_map_set_bool(h->arena, want, CLUSTER_RUNNING, true);
    admit_only(h, port, (const char *const[]){NULL});
    return want;
}

static void enforce(struct harness *h)
{
    struct sf_op *op = harness_op(h);
    pthread_mutex_lock(&h->territory.mutex);
    enum sf_code rc = sf_enforce_pg(op, &h->err);
    pthread_mutex_unlock(&h->territory.mutex);
    assert_ok(h, rc);
}

static struct sf_outcome reading(struct harness *h)
{
    struct sf_outcome out = {0};
    assert_ok(h, driver->read(harness_op(h), SF_STR("test-dw"), &out, &h->err));
    return out;
}

static const char *text_of(const struct sf_outcome *out, const char *attr)
{
    return sf_map_str(out->attrs, attr).p;
}

static struct sf_postgres server_of(struct harness *h)
{
    struct sf_postgres pg;
    assert_ok(h, sf_postgres_load(harness_op(h), SF_STR("test-dw"), &pg, &h->err));
    return pg;
}

static int create_cluster(struct harness *h, struct sf_value *want)
{
    struct sf_outcome out = {0};
    assert_ok(h, driver->create(harness_op(h), want, &out, &h->err));
    assert_true(sf_str_is(out.id, "test-dw"));
    assert_string_equal(text_of(&out, CLUSTER_CONFIGURATION), "current");
    return (int)sf_map_int(out.attrs, CLUSTER_PORT, 0);
}

static void update_cluster(struct harness *h, const struct sf_value *have, const struct sf_value *want, struct sf_outcome *out)
{
    *out = (struct sf_outcome){0};
    assert_ok(h, driver->update(harness_op(h), SF_STR("test-dw"), have, want, out, &h->err));
    assert_string_equal(text_of(out, CLUSTER_CONFIGURATION), "current");
}

/* initdb takes most of a second, so one cluster, stopped, is copied to where a test needs one and is not about how it is made: as
 * after a crash, create() then goes on with what it finds. */
static char template_dir[TEMP_DIR_BYTES];

static void copy_tree(struct harness *h, const char *from, const char *to)
{
    assert_int_equal(system(sf_str_fmt(h->arena, "cp -a '%s' '%s'", from, to).p), 0);
}

static int make_template(void **state)
{
    struct harness *h = harness_new("cluster.dw");
    struct sf_value *want = wishes(h, harness_free_port());
    struct sf_outcome out = {0};
    (void)state;
    create_cluster(h, want);
    sf_map_set_bool(h->arena, want, CLUSTER_RUNNING, false);
    update_cluster(h, reading(h).attrs, want, &out);
    temp_dir_make(template_dir, "template");
    copy_tree(h, sf_territory_path(harness_op(h), "clusters/test-dw"), template_dir);
    assert_int_equal(unlink(sf_str_fmt(h->arena, "%s/test-dw/server.json", template_dir).p), 0);
    assert_ok(h, driver->destroy(harness_op(h), SF_STR("test-dw"), &out, &h->err));
    harness_free(h);
    return 0;
}

static int remove_template(void **state)
{
    (void)state;
    return temp_dir_remove(template_dir);
}

/* A running cluster as wished; its port. */
static int running_cluster(struct harness *h, struct sf_value *want)
{
    struct sf_op *op = harness_op(h);
    assert_ok(h, sf_territory_mkdir(op, sf_territory_path(op, "clusters"), 0700, &h->err));
    copy_tree(h, sf_str_fmt(h->arena, "%s/test-dw", template_dir).p, sf_territory_path(op, "clusters/test-dw"));
    int port = create_cluster(h, want);
    assert_null(strstr(harness_calls, "initdb"));
    return port;
}

static int set_up(void **state)
{
    struct harness *h = harness_new("cluster.dw");
    *state = h;
    return 0;
}

static int tear_down(void **state)
{
    struct harness *h = *state;
    struct sf_outcome out;
    h->op.is_planning = false;
    assert_ok(h, driver->destroy(harness_op(h), SF_STR("test-dw"), &out, &h->err));
    harness_free(h);
    return 0;
}

/* What the server says to a client from `source` that asks for database and user: 'R' asks for a password, 'E' refuses. With
 * `keep`, the connection stays open and its descriptor is returned there. */
static char knock(const char *source, int port)
{
    struct sockaddr_in from = {.sin_family = AF_INET}, to = {.sin_family = AF_INET, .sin_port = htons((uint16_t)port)};
    static const char body[] = "user\0steward\0database\0san_francisco\0";
    unsigned char packet[8 + sizeof body];
    char answer = 0;
    int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    inet_pton(AF_INET, source, &from.sin_addr);
    inet_pton(AF_INET, "127.0.0.1", &to.sin_addr);
    uint32_t size = htonl((uint32_t)sizeof packet), version = htonl(196608);
    memcpy(packet, &size, 4);
    memcpy(packet + 4, &version, 4);
    memcpy(packet + 8, body, sizeof body);
    assert_int_equal(bind(fd, (struct sockaddr *)&from, sizeof from), 0);
    if (connect(fd, (struct sockaddr *)&to, sizeof to) != 0) {
        close(fd);
        return 'x';
    }
    assert_int_equal(write(fd, packet, sizeof packet), (ssize_t)sizeof packet);
    assert_int_equal(read(fd, &answer, 1), 1);
    close(fd);
    return answer;
}

static enum sf_code log_in(struct harness *h, int port, const char *password)
{
    struct sf_pg *conn = NULL;
    struct sf_pg_target target = {.host = "127.0.0.1",
                                  .port = port,
                                  .user = "steward",
                                  .database = "san_francisco",
                                  .password = password,
                                  .deadline_ms = sf_clock_ms() + 10000};
    enum sf_code rc = sf_pg_open(h->arena, &target, &conn, &h->err);
    sf_pg_close(conn);
    return rc;
}

static struct sf_str control_text(struct harness *h, const char *sql)
{
    const struct sf_value *rows = NULL;
    struct sf_object cluster = {.id = SF_STR("test-dw"), .address = SF_STR("cluster.dw")};
    assert_ok(h, sf_local_warehouse_query(harness_op(h), &cluster, sf_str_of(sql), &rows, &h->err));
    assert_int_equal(rows->list.n, 1);
    return rows->list.items[0]->list.items[0]->s;
}

static void a_new_cluster_runs_and_reads_as_it_was_wished(void **state)
{
    struct harness *h = *state;
    struct sf_value *want = wishes(h, harness_free_port());
    struct sf_outcome out = {0};
    assert_int_equal(driver->read(harness_op(h), SF_STR("test-dw"), &out, &h->err), SF_E_ABSENT);
    assert_int_equal(driver->find(harness_op(h), want, &out, &h->err), SF_E_ABSENT);
    int port = create_cluster(h, want);
    assert_has(harness_calls, "mkdir\nmade\ninitdb\n");
    assert_int_equal(port, sf_map_int(want, CLUSTER_PORT, 0));
    out = reading(h);
    assert_true(sf_map_bool(out.attrs, CLUSTER_RUNNING, false));
    for (const char *const *attr = (const char *const[]){CLUSTER_IDENTIFIER, CLUSTER_DATABASE, CLUSTER_USERNAME, CLUSTER_ROLES,
                                                         CLUSTER_SECURITY_GROUPS, CLUSTER_PORT, NULL};
         *attr; attr++)
        assert_true(sf_value_equal(sf_map_getz(out.attrs, *attr), sf_map_getz(want, *attr)));
    assert_null(sf_map_getz(out.attrs, CLUSTER_PASSWORD));
    assert_string_equal(text_of(&out, CLUSTER_CONFIGURATION), "current");
    assert_true(sf_map_str(out.attrs, CLUSTER_VERSION).n > 0);
    assert_ok(h, driver->find(harness_op(h), want, &out, &h->err));
    assert_int_equal(log_in(h, port, first_password), SF_OK);
    assert_int_equal(log_in(h, port, "not the password"), SF_E_AUTH);
    assert_true(sf_str_is(control_text(h, "SELECT current_setting('server_encoding') || ' ' || datcollate FROM pg_database WHERE "
                                          "datname = current_database()"),
                          "UTF8 C.UTF-8"));
}

static void a_second_server_takes_the_next_free_port_and_keeps_it(void **state)
{
    struct harness *h = *state;
    int taken = harness_free_port(), fd = socket(AF_INET, SOCK_STREAM, 0);
    struct sockaddr_in address = {
        .sin_family = AF_INET, .sin_port = htons((uint16_t)taken), .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
    assert_int_equal(bind(fd, (struct sockaddr *)&address, sizeof address), 0);
    assert_int_equal(listen(fd, 1), 0);
    struct sf_value *want = wishes(h, taken);
    int port = running_cluster(h, want);
    assert_true(port > taken);
    assert_has(harness_warnings, "is taken");
    close(fd);
    struct sf_outcome out;
    sf_map_set_bool(h->arena, want, CLUSTER_RUNNING, false);
    update_cluster(h, reading(h).attrs, want, &out);
    sf_map_set_bool(h->arena, want, CLUSTER_RUNNING, true);
    update_cluster(h, out.attrs, want, &out);
    assert_int_equal(sf_map_int(out.attrs, CLUSTER_PORT, 0), port);
}

static void a_killed_postmaster_reads_as_stopped_and_update_starts_it_again(void **state)
{
    struct harness *h = *state;
    struct sf_value *want = wishes(h, harness_free_port());
    int port = running_cluster(h, want);
    struct sf_object cluster = {.id = SF_STR("test-dw"), .address = SF_STR("cluster.dw")};
    const struct sf_value *rows;
    size_t failed;
    struct sf_statement make[] = {{.sql = SF_STR("CREATE TABLE kept AS SELECT 42 AS answer")}};
    assert_ok(h, sf_local_warehouse_control(harness_op(h), &cluster, make, 1, &rows, &failed, &h->err));
    struct sf_postgres pg = server_of(h);
    pid_t pid;
    uint64_t started;
    assert_true(sf_postgres_is_running(harness_op(h), &pg, &pid, &started));
    kill(pid, SIGKILL);
    while (sf_proc_is_alive(pid, started))
        ;
    struct sf_outcome out = reading(h);
    assert_false(sf_map_bool(out.attrs, CLUSTER_RUNNING, true));
    assert_int_equal(sf_local_warehouse_query(harness_op(h), &cluster, SF_STR("SELECT 1"), &rows, &h->err), SF_E_UNAVAILABLE);
    update_cluster(h, out.attrs, want, &out);
    assert_true(sf_map_bool(out.attrs, CLUSTER_RUNNING, false));
    assert_int_equal(sf_map_int(out.attrs, CLUSTER_PORT, 0), port);
    assert_true(sf_str_is(control_text(h, "SELECT answer FROM kept"), "42"));
}

static void orphans_of_a_killed_postmaster_do_not_stop_the_next_start(void **state)
{
    struct harness *h = *state;
    struct sf_value *want = wishes(h, harness_free_port());
    running_cluster(h, want);
    struct sf_postgres pg = server_of(h);
    struct sf_pg *conn = NULL;
    assert_ok(h, sf_postgres_connect(harness_op(h), &pg, "postgres", true, &conn, &h->err));
    const struct sf_value *rows;
    assert_ok(h, sf_pg_exec(conn, SF_STR("SELECT pg_backend_pid()"), &rows, &h->err));
    int64_t backend = 0;
    assert_true(sf_str_int64(rows->list.items[0]->list.items[0]->s, &backend));
    uint64_t backend_started = sf_proc_start_time((pid_t)backend);
    /* a stopped backend cannot notice that its postmaster is gone, as one that is deep in a query would not */
    kill((pid_t)backend, SIGSTOP);
    pid_t pid;
    assert_true(sf_postgres_is_running(harness_op(h), &pg, &pid, NULL));
    kill(pid, SIGKILL);
    struct sf_outcome out;
    update_cluster(h, reading(h).attrs, want, &out);
    assert_true(sf_map_bool(out.attrs, CLUSTER_RUNNING, false));
    assert_false(sf_proc_is_alive((pid_t)backend, backend_started));
    sf_pg_close(conn);
}

static void a_removed_cidr_is_refused_at_once_and_its_sessions_end(void **state)
{
    struct harness *h = *state;
    int declared = harness_free_port();
    struct sf_value *want = wishes(h, declared);
    admit_only(h, declared, (const char *const[]){"127.0.0.0/8", NULL});
    int port = running_cluster(h, want);
    assert_int_equal(knock("127.0.0.1", port), 'R');
    assert_int_equal(knock("127.0.0.2", port), 'R');
    struct sf_pg *session = NULL;
    struct sf_pg_target target = {.host = "127.0.0.1",
                                  .port = port,
                                  .user = "steward",
                                  .database = "san_francisco",
                                  .password = first_password,
                                  .deadline_ms = sf_clock_ms() + 10000};
    assert_ok(h, sf_pg_open(h->arena, &target, &session, &h->err));
    admit_only(h, declared, (const char *const[]){"127.0.0.1/32", NULL});
    assert_string_equal(text_of(&(struct sf_outcome){.attrs = reading(h).attrs}, CLUSTER_CONFIGURATION), "pg_hba.conf");
    enforce(h);
    assert_int_equal(knock("127.0.0.1", port), 'R');
    assert_int_equal(knock("127.0.0.2", port), 'E');
    assert_ok(h, sf_pg_exec(session, SF_STR("SELECT 1"), NULL, &h->err));
    admit_only(h, declared, (const char *const[]){"127.0.0.2/32", NULL});
    enforce(h);
    assert_has(harness_warnings, "ended 1 session");
    assert_int_equal(knock("127.0.0.1", port), 'E');
    assert_int_equal(knock("127.0.0.2", port), 'R');
    assert_int_not_equal(sf_pg_exec(session, SF_STR("SELECT 1"), NULL, &h->err), SF_OK);
    sf_pg_close(session);
    assert_string_equal(text_of(&(struct sf_outcome){.attrs = reading(h).attrs}, CLUSTER_CONFIGURATION), "current");
    assert_int_equal(log_in(h, port, first_password), SF_E_DENIED);
}

static void an_outside_cidr_restarts_the_server_on_all_addresses(void **state)
{
    struct harness *h = *state;
    int declared = harness_free_port();
    struct sf_value *want = wishes(h, declared);
    int port = running_cluster(h, want);
    admit_only(h, declared, (const char *const[]){"127.0.0.1/32", "192.0.2.0/24", NULL});
    enforce(h);
    assert_has(harness_warnings, "restarted");
    assert_has(control_text(h, "SELECT current_setting('listen_addresses')").p, "0.0.0.0");
    assert_true(sf_proc_port_is_listening("192.0.2.1", port, NULL));
    admit_only(h, declared, (const char *const[]){NULL});
    enforce(h);
    assert_false(sf_proc_port_is_listening("192.0.2.1", port, NULL));
}

static void an_edited_port_moves_what_the_rules_name_and_nothing_else(void **state)
{
    struct harness *h = *state;
    int declared = harness_free_port();
    struct sf_value *want = wishes(h, declared);
    int port = running_cluster(h, want);
    struct sf_outcome out = reading(h);
    assert_int_equal(sf_map_int(out.attrs, CLUSTER_RULE_PORT, 0), declared);
    want = wishes(h, declared + 1);
    assert_string_equal(text_of(&(struct sf_outcome){.attrs = reading(h).attrs}, CLUSTER_CONFIGURATION), "pg_hba.conf");
    update_cluster(h, out.attrs, want, &out);
    assert_int_equal(sf_map_int(out.attrs, CLUSTER_RULE_PORT, 0), declared + 1);
    assert_int_equal(sf_map_int(out.attrs, CLUSTER_PORT, 0), port);
    assert_int_equal(log_in(h, port, first_password), SF_OK);
}

static void edited_configuration_is_drift_that_update_puts_back(void **state)
{
    struct harness *h = *state;
    struct sf_value *want = wishes(h, harness_free_port());
    int port = running_cluster(h, want);
    struct sf_postgres pg = server_of(h);
    struct sf_op *op = harness_op(h);
    const char *path = sf_str_fmt(h->arena, "%s/pg_hba.conf", pg.data_dir).p;
    assert_ok(h, sf_territory_write_file(op, path, SF_STR("host all all all trust\n"), 0600, &h->err));
    pid_t pid;
    assert_true(sf_postgres_is_running(op, &pg, &pid, NULL));
    kill(pid, SIGHUP);
    struct sf_outcome out = reading(h);
    assert_string_equal(text_of(&out, CLUSTER_CONFIGURATION), "pg_hba.conf");
    update_cluster(h, out.attrs, want, &out);
    assert_int_equal(log_in(h, port, "not the password"), SF_E_AUTH);
    struct sf_statement drop[] = {{.sql = SF_STR("ALTER SYSTEM SET listen_addresses = '*'")}};
    struct sf_pg *conn = NULL;
    assert_ok(h, sf_postgres_connect(harness_op(h), &pg, "postgres", false, &conn, &h->err));
    assert_ok(h, sf_pg_exec(conn, drop[0].sql, NULL, &h->err));
    assert_ok(h, sf_pg_exec(conn, SF_STR("DROP DATABASE san_francisco"), NULL, &h->err));
    sf_pg_close(conn);
    out = reading(h);
    assert_string_equal(text_of(&out, CLUSTER_CONFIGURATION), "postgresql.auto.conf");
    update_cluster(h, out.attrs, want, &out);
    assert_int_equal(log_in(h, port, first_password), SF_OK);
}

static void a_changed_password_replaces_the_old_one_and_is_in_no_file(void **state)
{
    struct harness *h = *state;
    struct sf_value *want = wishes(h, harness_free_port());
    int port = running_cluster(h, want);
    struct sf_value *have = sf_value_map(h->arena);
    sf_map_set(h->arena, have, SF_STR(CLUSTER_PASSWORD),
               sf_value_fingerprint(h->arena, sf_op_fingerprint(&h->op, sf_str_of(first_password))));
    struct sf_outcome out;
    update_cluster(h, have, want, &out);
    assert_null(strstr(harness_calls, "PASSWORD"));
    sf_map_set(h->arena, want, SF_STR(CLUSTER_PASSWORD), sf_value_secret(h->arena, sf_str_of(second_password)));
    update_cluster(h, have, want, &out);
    assert_has(harness_calls, "ALTER ROLE PASSWORD");
    assert_int_equal(log_in(h, port, second_password), SF_OK);
    assert_int_equal(log_in(h, port, first_password), SF_E_AUTH);
    char command[256];
    snprintf(command, sizeof command, "grep -rq 'Correct-horse' '%s'", h->dir);
    assert_int_not_equal(system(command), 0);
}

static void a_half_made_data_directory_is_made_again(void **state)
{
    struct harness *h = *state;
    struct sf_value *want = wishes(h, harness_free_port());
    struct sf_op *op = harness_op(h);
    assert_ok(h, sf_territory_mkdir(op, sf_territory_path(op, "clusters/test-dw/data.new/base"), 0700, &h->err));
    assert_ok(h, sf_territory_mkdir(op, sf_territory_path(op, "clusters/test-dw/data/base"), 0700, &h->err));
    create_cluster(h, want);
}

static void a_long_path_puts_the_control_socket_under_tmp_and_destroy_removes_it(void **state)
{
    struct harness *h = *state;
    const char *shorter = h->territory.dir;
    struct sf_op *op = harness_op(h);
    const char *deep = sf_territory_path(op, "%080d/%080d", 1, 2);
    assert_ok(h, sf_territory_mkdir(op, deep, 0700, &h->err));
    h->territory.dir = deep;
    running_cluster(h, wishes(h, harness_free_port()));
    struct sf_postgres pg = server_of(h);
    struct stat st;
    assert_true(sf_str_starts(sf_str_of(pg.socket_dir), SF_STR("/tmp/sfstack-")));
    assert_int_equal(stat(pg.socket_dir, &st), 0);
    assert_int_equal(st.st_mode & 0777, 0700);
    assert_true(st.st_uid == h->territory.run_uid);
    struct sf_outcome out;
    assert_ok(h, driver->destroy(harness_op(h), SF_STR("test-dw"), &out, &h->err));
    assert_int_not_equal(stat(pg.socket_dir, &st), 0);
    /* somebody else got there first: named, not used */
    assert_int_equal(mkdir(pg.socket_dir, 0777), 0);
    assert_int_equal(chmod(pg.socket_dir, 0777), 0);
    assert_int_equal(driver->create(harness_op(h), wishes(h, harness_free_port()), &out, &h->err), SF_E_DENIED);
    assert_int_equal(rmdir(pg.socket_dir), 0);
    assert_ok(h, driver->destroy(harness_op(h), SF_STR("test-dw"), &out, &h->err));
    h->territory.dir = shorter;
}

/* The shell's child is the shell until it has become the program. */
static void wait_for_program(struct harness *h, pid_t pid, const char *name)
{
    char exe[512] = "";
    int64_t end = sf_clock_ms() + 5000;
    const char *link = sf_str_fmt(h->arena, "/proc/%ld/exe", (long)pid).p;
    while (!sf_str_ends(sf_str_of(exe), sf_str_of(name))) {
        assert_true(sf_clock_ms() < end);
        sched_yield();
        ssize_t n = readlink(link, exe, sizeof exe - 1);
        exe[n > 0 ? n : 0] = '\0';
    }
}

static void tools_of_a_run_that_was_killed_do_not_disturb_the_next(void **state)
{
    struct harness *h = *state;
    struct sf_value *want = wishes(h, harness_free_port());
    struct sf_op *op = harness_op(h);
    const char *dir = sf_territory_path(op, "clusters/test-dw");
    assert_ok(h, sf_territory_mkdir(op, dir, 0700, &h->err));
    struct sf_str command = sf_str_fmt(h->arena, "'%s/initdb' --pgdata='%s/data.new' -U steward >/dev/null 2>&1 & echo $!",
                                       sf_proc_find_postgres_bin(h->arena, NULL), dir);
    const char *const argv[] = {"/bin/sh", "-c", command.p, NULL};
    struct sf_proc_spec spec = {.argv = argv, .as_run_account = true};
    struct sf_str output;
    int status;
    assert_ok(h, sf_proc_run(op, &spec, &status, &output, &h->err));
    pid_t pid = (pid_t)strtol(output.p, NULL, 10);
    uint64_t started = sf_proc_start_time(pid);
    assert_true(started != 0);
    wait_for_program(h, pid, "/initdb");
    create_cluster(h, want);
    assert_false(sf_proc_is_alive(pid, started));
}

static void a_removed_data_directory_is_absent_and_can_be_made_again(void **state)
{
    struct harness *h = *state;
    struct sf_value *want = wishes(h, harness_free_port());
    int port = running_cluster(h, want);
    struct sf_postgres pg = server_of(h);
    assert_ok(h, sf_territory_remove_tree(harness_op(h), pg.data_dir, &h->err));
    struct sf_outcome out;
    assert_int_equal(driver->read(harness_op(h), SF_STR("test-dw"), &out, &h->err), SF_E_ABSENT);
    assert_int_equal(create_cluster(h, want), port);
}

static void destroy_leaves_no_process_file_port_or_memory(void **state)
{
    struct harness *h = *state;
    struct sf_value *want = wishes(h, harness_free_port());
    int port = running_cluster(h, want);
    struct sf_postgres pg = server_of(h);
    pid_t pid;
    uint64_t started;
    assert_true(sf_postgres_is_running(harness_op(h), &pg, &pid, &started));
    struct sf_outcome out;
    assert_ok(h, driver->destroy(harness_op(h), SF_STR("test-dw"), &out, &h->err));
    assert_false(sf_proc_is_alive(pid, started));
    assert_false(sf_proc_port_is_listening("", port, NULL));
    assert_int_not_equal(access(pg.dir, F_OK), 0);
    assert_int_not_equal(access(pg.socket_dir, F_OK), 0);
    assert_ok(h, driver->destroy(harness_op(h), SF_STR("test-dw"), &out, &h->err));
    assert_int_equal(driver->read(harness_op(h), SF_STR("test-dw"), &out, &h->err), SF_E_ABSENT);
}

/* It is marked at once; whoever looks at a dying process in /proc may hold its memory for a moment longer. */
static void assert_shared_memory_goes(int shm_id)
{
    struct shmid_ds segment;
    int64_t end = sf_clock_ms() + 5000;
    while (shmctl(shm_id, IPC_STAT, &segment) == 0) {
        assert_true(segment.shm_perm.mode & SHM_DEST);
        assert_true(sf_clock_ms() < end);
        sched_yield();
    }
}

static void destroy_after_kill_9_leaves_no_shared_memory(void **state)
{
    struct harness *h = *state;
    running_cluster(h, wishes(h, harness_free_port()));
    struct sf_postgres pg = server_of(h);
    struct sf_str lock;
    long key, shm_id = -1;
    assert_ok(h, sf_territory_read_file(harness_op(h), sf_str_fmt(h->arena, "%s/postmaster.pid", pg.data_dir).p, &lock, &h->err));
    assert_int_equal(sscanf(lock.p, "%*[^\n]\n%*[^\n]\n%*[^\n]\n%*[^\n]\n%*[^\n]\n%*[^\n]\n%ld %ld", &key, &shm_id), 2);
    struct shmid_ds segment;
    assert_int_equal(shmctl((int)shm_id, IPC_STAT, &segment), 0);
    pid_t pid;
    assert_true(sf_postgres_is_running(harness_op(h), &pg, &pid, NULL));
    kill(pid, SIGKILL);
    struct sf_outcome out;
    assert_ok(h, driver->destroy(harness_op(h), SF_STR("test-dw"), &out, &h->err));
    assert_shared_memory_goes((int)shm_id);
}

static void an_interrupted_destroy_is_still_seen_and_can_be_finished(void **state)
{
    struct harness *h = *state;
    struct sf_value *want = wishes(h, harness_free_port());
    running_cluster(h, want);
    struct sf_postgres pg = server_of(h);
    struct sf_op *op = harness_op(h);
    assert_ok(h, sf_postgres_stop(op, &pg, SIGQUIT, &h->err));
    assert_ok(h, sf_territory_write_file(op, sf_str_fmt(h->arena, "%s/removing", pg.dir).p, SF_STR_NONE, 0600, &h->err));
    assert_ok(h, sf_territory_remove_tree(op, pg.data_dir, &h->err));
    struct sf_outcome out = reading(h);
    assert_string_equal(text_of(&out, CLUSTER_CONFIGURATION), "being removed");
    create_cluster(h, want);
}

static void a_foreign_cluster_is_a_conflict_and_is_left_alone(void **state)
{
    struct harness *h = *state;
    struct sf_value *want = wishes(h, harness_free_port());
    running_cluster(h, want);
    struct sf_outcome out;
    struct sf_str own = h->site.lineage;
    h->site.lineage = SF_STR("00000000-0000-4000-8000-000000000000");
    assert_int_equal(driver->create(harness_op(h), want, &out, &h->err), SF_E_CONFLICT);
    assert_int_equal(driver->destroy(harness_op(h), SF_STR("test-dw"), &out, &h->err), SF_E_CONFLICT);
    assert_int_equal(driver->find(harness_op(h), want, &out, &h->err), SF_E_ABSENT);
    h->site.lineage = own;
    h->op.is_planning = true;
    assert_true(sf_map_bool(reading(h).attrs, CLUSTER_RUNNING, false));
}

static void data_of_another_major_version_is_a_named_error(void **state)
{
    struct harness *h = *state;
    struct sf_value *want = wishes(h, harness_free_port());
    running_cluster(h, want);
    struct sf_postgres pg = server_of(h);
    struct sf_op *op = harness_op(h);
    assert_ok(h, sf_postgres_stop(op, &pg, SIGINT, &h->err));
    const char *path = sf_str_fmt(h->arena, "%s/PG_VERSION", pg.data_dir).p;
    assert_ok(h, sf_territory_write_file(op, path, SF_STR("9\n"), 0600, &h->err));
    struct sf_outcome out;
    assert_int_equal(driver->update(harness_op(h), SF_STR("test-dw"), NULL, want, &out, &h->err), SF_E_CONFLICT);
    assert_has(h->err.message, "PostgreSQL 9");
    assert_has(h->err.hint, "-replace cluster.dw");
}

static void a_load_that_fails_leaves_nothing_and_says_where(void **state)
{
    struct harness *h = *state;
    running_cluster(h, wishes(h, harness_free_port()));
    struct sf_value *attrs = sf_value_map(h->arena);
    sf_map_set(h->arena, attrs, SF_STR("password"), sf_value_secret(h->arena, sf_str_of(first_password)));
    struct sf_object cluster = {.id = SF_STR("test-dw"), .address = SF_STR("cluster.dw"), .attrs = attrs};
    const struct sf_value *rows = NULL;
    size_t failed = 99;
    struct sf_statement bad[] = {{.sql = SF_STR("CREATE TABLE t (a int)")}, {.sql = SF_STR("INSERT INTO t VALUES ('x')")}};
    assert_int_equal(sf_local_warehouse_run(harness_op(h), &cluster, bad, 2, &rows, &failed, &h->err), SF_E_REFUSED);
    assert_int_equal(failed, 1);
    assert_string_equal(h->err.remote_code, "22P02");
    struct sf_statement good[] = {{.sql = SF_STR("CREATE TABLE t (a int)")},
                                  {.sql = SF_STR("SELECT count(*) FROM t"), .wants_rows = true}};
    assert_ok(h, sf_local_warehouse_run(harness_op(h), &cluster, good, 2, &rows, &failed, &h->err));
    assert_int_equal(rows->list.items[0]->type, SF_V_NULL);
    assert_true(sf_str_is(rows->list.items[1]->list.items[0]->list.items[0]->s, "0"));
    assert_int_equal(sf_local_warehouse_query(harness_op(h), &cluster, SF_STR("INSERT INTO t VALUES (1)"), &rows, &h->err),
                     SF_E_REFUSED);
}

/* --- no server needed --- */

static struct sf_admitted admitted_by(struct harness *h, const char *ingress, const char **bad)
{
    const struct sf_value *rules = NULL;
    assert_ok(h, sf_json_parse(h->arena, sf_str_of(ingress), "test", SF_JSON_PLAIN, &rules, &h->err));
    return sf_postgres_admitted(h->arena, &rules, 1, 5439, bad);
}

static void rules_for_the_declared_port_become_canonical_cidrs(void **state)
{
    static const struct {
        const char *ingress, *cidrs, *listen;
        bool admits_loopback;
    } cases[] = {
        {"[{\"protocol\":\"tcp\",\"port\":5439,\"from\":[]}]", "127.0.0.1/32 ::1/128", "127.0.0.1,::1", true},
        {"[{\"protocol\":\"tcp\",\"port\":5439,\"from\":[\"127.0.0.2\"]}]", "127.0.0.2/32", "127.0.0.1,::1", false},
        {"[{\"protocol\":\"tcp\",\"port\":5439,\"from\":[\"10.1.2.3/8\",\"10.0.0.0/8\"]}]", "10.0.0.0/8", "0.0.0.0,::1", false},
        {"[{\"protocol\":\"tcp\",\"port\":5439,\"from\":[\"0.0.0.0/0\"]}]", "0.0.0.0/0", "0.0.0.0,::1", true},
        {"[{\"protocol\":\"tcp\",\"port\":5439,\"from\":[\"2001:DB8::/32\",\"127.0.0.1/32\"]}]", "127.0.0.1/32 2001:db8::/32",
         "127.0.0.1,::", true},
        {"[{\"protocol\":\"tcp\",\"port\":22,\"from\":[\"10.0.0.0/8\"]}]", "", "127.0.0.1,::1", false},
        {"[{\"protocol\":\"udp\",\"port\":5439,\"from\":[\"10.0.0.0/8\"]}]", "", "127.0.0.1,::1", false},
        {"[]", "", "127.0.0.1,::1", false},
    };
    struct harness *h = *state;
    for (size_t i = 0; i < SF_COUNT(cases); i++) {
        const char *bad;
        struct sf_admitted all = admitted_by(h, cases[i].ingress, &bad);
        struct sf_buf text = SF_BUF(1000);
        for (size_t k = 0; k < all.n; k++)
            sf_buf_addf(&text, "%s%.*s", k ? " " : "", SF_ARG(all.cidrs[k]));
        assert_string_equal(text.p ? text.p : "", cases[i].cidrs);
        assert_string_equal(all.listen, cases[i].listen);
        assert_int_equal(sf_postgres_admits_loopback(&all), cases[i].admits_loopback);
        assert_null(bad);
        sf_buf_free(&text);
    }
}

static void what_is_no_cidr_admits_nobody_and_is_named(void **state)
{
    static const char *const texts[] = {"10.0.0.0/33", "all",     "10.0.0.0/8 trust\\nhost all all all trust",
                                        "samenet",     "::1/129", ""};
    struct harness *h = *state;
    for (size_t i = 0; i < SF_COUNT(texts); i++) {
        const char *bad = NULL;
        struct sf_str json = sf_str_fmt(h->arena, "[{\"protocol\":\"tcp\",\"port\":5439,\"from\":[\"%s\"]}]", texts[i]);
        assert_int_equal(admitted_by(h, json.p, &bad).n, 0);
        assert_non_null(bad);
    }
}

static void a_group_that_shuts_the_load_out_is_a_plan_error(void **state)
{
    struct harness *h = *state;
    struct sf_value *want = wishes(h, 5439), *attrs = sf_value_map(h->arena), *refs = sf_value_map(h->arena);
    struct sf_object group = {.address = SF_STR("security_group.sql"), .attrs = attrs};
    const struct sf_object *deps[] = {&group};
    const struct sf_value *rules = NULL;
    sf_map_set_str(h->arena, refs, "security_groups", group.address);
    h->self.refs = refs;
    h->self.deps = deps;
    h->self.n_deps = 1;
    h->op.is_planning = true;
    static const char closed[] = "[{\"protocol\":\"tcp\",\"port\":5439,\"from\":[\"10.0.0.0/8\"]}]";
    assert_ok(h, sf_json_parse(h->arena, sf_str_of(closed), "test", SF_JSON_PLAIN, &rules, &h->err));
    sf_map_set(h->arena, attrs, SF_STR("ingress"), rules);
    assert_int_equal(driver->derive(harness_op(h), want, &h->err), SF_E_CONFIG);
    assert_has(h->err.hint, "127.0.0.1/32");
    static const char open[] = "[{\"protocol\":\"tcp\",\"port\":5439,\"from\":[\"10.0.0.0/8\",\"127.0.0.1/32\"]}]";
    assert_ok(h, sf_json_parse(h->arena, sf_str_of(open), "test", SF_JSON_PLAIN, &rules, &h->err));
    sf_map_set(h->arena, attrs, SF_STR("ingress"), rules);
    assert_ok(h, driver->derive(harness_op(h), want, &h->err));
    sf_map_set_str(h->arena, want, CLUSTER_USERNAME, SF_STR("st\"eward"));
    assert_int_equal(driver->derive(harness_op(h), want, &h->err), SF_E_CONFIG);
}

int main(void)
{
    sf_pg_forget_environment();
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(rules_for_the_declared_port_become_canonical_cidrs, set_up, tear_down),
        cmocka_unit_test_setup_teardown(what_is_no_cidr_admits_nobody_and_is_named, set_up, tear_down),
        cmocka_unit_test_setup_teardown(a_group_that_shuts_the_load_out_is_a_plan_error, set_up, tear_down),
        cmocka_unit_test_setup_teardown(a_new_cluster_runs_and_reads_as_it_was_wished, set_up, tear_down),
        cmocka_unit_test_setup_teardown(a_second_server_takes_the_next_free_port_and_keeps_it, set_up, tear_down),
        cmocka_unit_test_setup_teardown(a_killed_postmaster_reads_as_stopped_and_update_starts_it_again, set_up, tear_down),
        cmocka_unit_test_setup_teardown(orphans_of_a_killed_postmaster_do_not_stop_the_next_start, set_up, tear_down),
        cmocka_unit_test_setup_teardown(a_removed_cidr_is_refused_at_once_and_its_sessions_end, set_up, tear_down),
        cmocka_unit_test_setup_teardown(an_outside_cidr_restarts_the_server_on_all_addresses, set_up, tear_down),
        cmocka_unit_test_setup_teardown(an_edited_port_moves_what_the_rules_name_and_nothing_else, set_up, tear_down),
        cmocka_unit_test_setup_teardown(edited_configuration_is_drift_that_update_puts_back, set_up, tear_down),
        cmocka_unit_test_setup_teardown(a_changed_password_replaces_the_old_one_and_is_in_no_file, set_up, tear_down),
        cmocka_unit_test_setup_teardown(a_half_made_data_directory_is_made_again, set_up, tear_down),
        cmocka_unit_test_setup_teardown(a_long_path_puts_the_control_socket_under_tmp_and_destroy_removes_it, set_up, tear_down),
        cmocka_unit_test_setup_teardown(tools_of_a_run_that_was_killed_do_not_disturb_the_next, set_up, tear_down),
        cmocka_unit_test_setup_teardown(a_removed_data_directory_is_absent_and_can_be_made_again, set_up, tear_down),
        cmocka_unit_test_setup_teardown(destroy_leaves_no_process_file_port_or_memory, set_up, tear_down),
        cmocka_unit_test_setup_teardown(destroy_after_kill_9_leaves_no_shared_memory, set_up, tear_down),
        cmocka_unit_test_setup_teardown(an_interrupted_destroy_is_still_seen_and_can_be_finished, set_up, tear_down),
        cmocka_unit_test_setup_teardown(a_foreign_cluster_is_a_conflict_and_is_left_alone, set_up, tear_down),
        cmocka_unit_test_setup_teardown(data_of_another_major_version_is_a_named_error, set_up, tear_down),
        cmocka_unit_test_setup_teardown(a_load_that_fails_leaves_nothing_and_says_where, set_up, tear_down),
    };
    return cmocka_run_group_tests(tests, make_template, remove_template);
}
