/* covers: engine/run/sched.c — order, failure, pools, parking in virtual time, requests from workers, commit before release. */
#include "engine/core/clock.h"
#include "engine/run/sched.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include <cmocka.h>
#include <pthread.h>
#include <stdatomic.h>
#include <string.h>

enum { MANY = 8 };

struct world {
    struct sf_sched *sched;
    struct sf_task tasks[MANY];
    struct sf_task *list[MANY];
    struct sf_task *edges[MANY][MANY];
    char log[256];    /* what ended, in order */
    int starts[MANY]; /* how often start() was called */
    int fails;        /* bit set of tasks that fail */
    int parks;        /* bit set of tasks that park once, for an hour */
    int works;        /* bit set of tasks that go to a worker */
    int commits;
    int committed_at[MANY]; /* commits seen when the task was started */
    enum sf_code commit_result;
    atomic_int in_pool, most_in_pool;
    int requests;
};

static int index_of(const struct world *world, const struct sf_task *task)
{
    return (int)(task - world->tasks);
}

static void note(struct world *world, const struct sf_task *task, char mark)
{
    size_t n = strlen(world->log);
    world->log[n] = (char)('a' + index_of(world, task));
    if (mark)
        world->log[n + 1] = mark;
}

static enum sf_step_result ended(struct world *world, struct sf_task *task)
{
    bool fails = world->fails >> index_of(world, task) & 1;
    note(world, task, fails ? '!' : 0);
    return fails ? SF_STEP_FAILED : SF_STEP_DONE;
}

static enum sf_step_result start(void *ctx, struct sf_task *task)
{
    struct world *world = ctx;
    int i = index_of(world, task);
    world->committed_at[i] = world->commits;
    if (world->starts[i]++ == 0 && (world->parks >> i & 1)) {
        task->park_ms = 3600000;
        return SF_STEP_PARK;
    }
    return world->works >> i & 1 ? SF_STEP_WORK : ended(world, task);
}

static enum sf_code count_request(void *arg)
{
    struct world *world = arg;
    world->requests++;
    return SF_OK;
}

static void work(void *ctx, struct sf_task *task)
{
    struct world *world = ctx;
    (void)task;
    int now = atomic_fetch_add(&world->in_pool, 1) + 1;
    int most = atomic_load(&world->most_in_pool);
    while (now > most && !atomic_compare_exchange_weak(&world->most_in_pool, &most, now))
        continue;
    if (sf_sched_call(world->sched, count_request, world) != SF_OK)
        world->requests -= 100;
    atomic_fetch_sub(&world->in_pool, 1);
}

static enum sf_step_result finish(void *ctx, struct sf_task *task)
{
    return ended(ctx, task);
}

static void skip_task(void *ctx, struct sf_task *task)
{
    note(ctx, task, '-');
}

static enum sf_code commit(void *ctx)
{
    struct world *world = ctx;
    world->commits++;
    return world->commit_result;
}

static void make(struct world *world, int n)
{
    *world = (struct world){.sched = sf_sched_new(4)};
    for (int i = 0; i < n; i++) {
        world->list[i] = &world->tasks[i];
        world->tasks[i].next = world->edges[i];
    }
}

static void edge(struct world *world, int from, int to)
{
    world->edges[from][world->tasks[from].n_next++] = &world->tasks[to];
    world->tasks[to].blocked++;
}

static enum sf_code run(struct world *world, size_t n)
{
    struct sf_walk walk = {.ctx = world, .start = start, .work = work, .finish = finish, .skip = skip_task, .commit = commit};
    enum sf_code rc = sf_sched_run(world->sched, &walk, world->list, n);
    sf_sched_free(world->sched);
    return rc;
}

static void tasks_run_after_what_they_depend_on(void **state)
{
    (void)state;
    struct world world;
    make(&world, 4);
    edge(&world, 3, 2);
    edge(&world, 2, 1);
    edge(&world, 1, 0);
    assert_int_equal(run(&world, 4), SF_OK);
    assert_string_equal(world.log, "dcba");
}

static void a_failure_skips_dependents_and_nothing_else(void **state)
{
    (void)state;
    struct world world;
    make(&world, 4);
    edge(&world, 0, 1);
    edge(&world, 1, 2);
    world.fails = 1;
    assert_int_equal(run(&world, 4), SF_OK);
    assert_string_equal(world.log, "a!db-c-");
}

static void an_hour_of_parking_takes_no_time_and_no_thread(void **state)
{
    (void)state;
    struct world world;
    make(&world, 2);
    edge(&world, 0, 1);
    world.parks = 1;
    sf_clock_use_virtual(1000);
    assert_int_equal(run(&world, 2), SF_OK);
    assert_string_equal(world.log, "ab");
    assert_int_equal(world.starts[0], 2);
    assert_int_equal(sf_clock_ms(), 1000 + 3600000);
}

static void dependents_start_only_after_the_commit(void **state)
{
    (void)state;
    struct world world;
    make(&world, 2);
    edge(&world, 0, 1);
    assert_int_equal(run(&world, 2), SF_OK);
    assert_int_equal(world.committed_at[0], 0);
    assert_true(world.committed_at[1] >= 1);
}

static void a_commit_that_fails_stops_the_walk(void **state)
{
    (void)state;
    struct world world;
    make(&world, 3);
    edge(&world, 0, 1);
    world.commit_result = SF_E_IO;
    assert_int_equal(run(&world, 3), SF_E_IO);
    assert_non_null(strstr(world.log, "b-"));
}

static void workers_requests_are_answered_after_a_commit(void **state)
{
    (void)state;
    struct world world;
    make(&world, MANY);
    world.works = 0xff;
    assert_int_equal(run(&world, MANY), SF_OK);
    assert_int_equal(world.requests, MANY);
    assert_int_equal(strlen(world.log), MANY);
}

static void a_pool_caps_what_runs_at_once(void **state)
{
    (void)state;
    struct world world;
    make(&world, MANY);
    struct sf_pool pool = {.name = "narrow", .max = 1};
    for (int i = 0; i < MANY; i++)
        world.tasks[i].pool = &pool;
    world.works = 0xff;
    assert_int_equal(run(&world, MANY), SF_OK);
    assert_int_equal(atomic_load(&world.most_in_pool), 1);
    assert_int_equal(pool.running, 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(tasks_run_after_what_they_depend_on),
        cmocka_unit_test(a_failure_skips_dependents_and_nothing_else),
        cmocka_unit_test(dependents_start_only_after_the_commit),
        cmocka_unit_test(a_commit_that_fails_stops_the_walk),
        cmocka_unit_test(workers_requests_are_answered_after_a_commit),
        cmocka_unit_test(a_pool_caps_what_runs_at_once),
        cmocka_unit_test(an_hour_of_parking_takes_no_time_and_no_thread),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
