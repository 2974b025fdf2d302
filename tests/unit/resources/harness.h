/* A local world in a temporary directory for tests of drivers, with the engine's side of an operation
 * played in memory (fake_run.h). Include it from one file of a test program.
 *
 * As root the servers run as `postgres`, as any other user as that user: the same tests run both ways. */
#ifndef SF_TESTS_HARNESS_H
#define SF_TESTS_HARNESS_H

#include "engine/core/clock.h"
#include "resources/data/dialect.h"
#include "resources/local/territory.h"
#include "tests/unit/support/fake_run.h"
#include "tests/unit/support/temp_dir.h"

#include <setjmp.h>
#include <stdarg.h>

#include <cmocka.h>

#include <arpa/inet.h>
#include <pwd.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <unistd.h>

enum { HARNESS_OP_MS = 60000 };

struct harness {
    struct sf_arena *arena;
    struct sf_territory territory;
    struct sf_site site;
    struct sf_world world;
    struct sf_object self;
    struct sf_op op;
    struct sf_err err;
    char dir[TEMP_DIR_BYTES];
};

/* what the drivers told the engine */
#define harness_warnings fake_warnings
#define harness_calls fake_calls

/* A world of its own under /tmp. The caller fills self.attrs and the like. */
static inline struct harness *harness_new(const char *address)
{
    struct harness *h = calloc(1, sizeof *h);
    assert_non_null(h);
    h->arena = sf_arena_new();
    temp_dir_make(h->dir, "test");
    h->territory.dir = sf_str_fmt(h->arena, "%s/world", h->dir).p;
    h->territory.run_uid = geteuid();
    h->territory.run_gid = getegid();
    struct passwd *account = geteuid() == 0 ? getpwnam("postgres") : getpwuid(geteuid());
    assert_non_null(account);
    h->territory.run_user = sf_str_dup(h->arena, sf_str_of(account->pw_name)).p;
    assert_int_equal(mkdir(h->territory.dir, 0700), 0);
    if (geteuid() == 0) {
        h->territory.switches_user = true;
        h->territory.run_uid = account->pw_uid;
        h->territory.run_gid = account->pw_gid;
        assert_int_equal(chmod(h->dir, 0711), 0);
        assert_int_equal(chown(h->territory.dir, account->pw_uid, account->pw_gid), 0);
    }
    pthread_mutex_init(&h->territory.mutex, NULL);
    h->site = (struct sf_site){
        .stack = SF_STR("test"),
        .lineage = SF_STR("11111111-2222-4333-8444-555555555555"),
        .provider = SF_STR("local"),
        .account = SF_STR("000000000000"),
        .region = SF_STR("local"),
        .state_dir = h->dir,
        .cache_dir = sf_str_fmt(h->arena, "%s/cache", h->dir).p,
        .secrets_dir = sf_str_fmt(h->arena, "%s/secrets", h->dir).p,
        .stack_dir = h->dir,
        .world = &h->world,
        .world_ctx = &h->territory,
    };
    h->world.dialect = &sf_dialect_postgresql;
    h->self = (struct sf_object){.address = sf_str_dup(h->arena, sf_str_of(address)), .attrs = sf_value_map(h->arena)};
    h->op = (struct sf_op){
        .arena = h->arena, .site = &h->site, .self = &h->self, .intent = SF_STR("99999999-2222-4333-8444-555555555555")};
    return h;
}

/* The operation with a fresh deadline, and no memory of earlier warnings, calls and errors. */
static inline struct sf_op *harness_op(struct harness *h)
{
    h->op.deadline_ms = sf_clock_ms() + HARNESS_OP_MS;
    memset(&h->err, 0, sizeof h->err);
    fake_forget();
    return &h->op;
}

static inline void harness_free(struct harness *h)
{
    temp_dir_remove(h->dir);
    sf_arena_free(h->arena);
    free(h);
}

/* A TCP port of the loopback address that nobody listens on now. */
static inline int harness_free_port(void)
{
    struct sockaddr_in address = {.sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
    socklen_t size = sizeof address;
    int fd = socket(AF_INET, SOCK_STREAM, 0);
    assert_int_equal(bind(fd, (struct sockaddr *)&address, size), 0);
    assert_int_equal(getsockname(fd, (struct sockaddr *)&address, &size), 0);
    close(fd);
    return ntohs(address.sin_port);
}

#define assert_ok(h, call)                                                                                                         \
    do {                                                                                                                           \
        enum sf_code assert_ok_code = (call);                                                                                      \
        if (assert_ok_code)                                                                                                        \
            print_error("%s\n", (h)->err.message);                                                                                 \
        assert_int_equal(assert_ok_code, SF_OK);                                                                                   \
    } while (0)

/* Whether `text` is in `all`; prints both if not. */
#define assert_has(all, text)                                                                                                      \
    do {                                                                                                                           \
        if (!strstr((all), (text)))                                                                                                \
            print_error("'%s' is not in: %s\n", (text), (all));                                                                    \
        assert_non_null(strstr((all), (text)));                                                                                    \
    } while (0)

#endif
