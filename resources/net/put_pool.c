/* See put_pool.h. All that threads share is in struct pool and guarded by its mutex; a session is its thread's alone. */
#include "resources/net/put_pool.h"

#include "engine/core/clock.h"

#include <pthread.h>
#include <stdatomic.h>
#include <time.h>

enum { MAX_SESSIONS = 16 };

struct pool {
    const struct sf_put_road *road;
    const int *steps;
    size_t n;
    atomic_bool is_over; /* somebody failed: everybody ends */
    pthread_mutex_t mutex;
    pthread_cond_t changed;
    size_t next, n_done, n_told;
    size_t *finished;      /* indices, in the order in which they were done */
    size_t n_working;      /* threads that run */
    bool is_open, may_put; /* a session is; ready() has returned */
    enum sf_code rc;
    struct sf_err err;
};

struct worker {
    struct pool *pool;
    struct sf_arena *arena;
    pthread_t thread;
    bool is_started;
};

static bool is_stopped(void *ctx)
{
    struct pool *pool = ctx;
    return atomic_load(&pool->is_over) || (pool->road->is_cancelled && pool->road->is_cancelled(pool->road->cancel_ctx));
}

static void lock(struct pool *pool)
{
    pthread_mutex_lock(&pool->mutex);
}

static void unlock(struct pool *pool)
{
    pthread_cond_broadcast(&pool->changed);
    pthread_mutex_unlock(&pool->mutex);
}

/* The first failure is the pool's; what others say after it follows from it. */
static void fail_pool(struct pool *pool, enum sf_code rc, const struct sf_err *err)
{
    if (!pool->rc) {
        pool->rc = rc;
        pool->err = *err;
    }
    atomic_store(&pool->is_over, true);
}

/* Whether the next file begins a step while the one before it is not through. */
static bool is_step_open(const struct pool *pool)
{
    return pool->steps && pool->next < pool->n && pool->next > pool->n_done &&
           pool->steps[pool->next] != pool->steps[pool->next - 1];
}

/* The next file whose turn it is, or SIZE_MAX: nothing is left. Waits for lower steps. */
static size_t take(struct pool *pool)
{
    size_t i = SIZE_MAX;
    lock(pool);
    while (!atomic_load(&pool->is_over) && (!pool->may_put || is_step_open(pool)))
        pthread_cond_wait(&pool->changed, &pool->mutex);
    if (!atomic_load(&pool->is_over) && pool->next < pool->n)
        i = pool->next++;
    unlock(pool);
    return i;
}

static void put_in_turn(struct worker *w, struct sf_put_session *session)
{
    struct pool *pool = w->pool;
    for (size_t i; (i = take(pool)) != SIZE_MAX;) {
        struct sf_err err = {0};
        enum sf_code rc = pool->road->put(session, i, &err);
        lock(pool);
        if (rc)
            fail_pool(pool, rc, &err);
        else
            pool->finished[pool->n_done++] = i;
        unlock(pool);
        if (rc)
            return;
    }
}

static void *work(void *arg)
{
    struct worker *w = arg;
    struct pool *pool = w->pool;
    struct sf_put_session session = {.road = pool->road, .arena = w->arena, .is_stopped = is_stopped, .ctx = pool};
    struct sf_err err = {0};
    enum sf_code rc = pool->road->open(&session, &err);
    lock(pool);
    pool->is_open = pool->is_open || !rc;
    /* a server may admit fewer sessions than are asked for: the others do the work */
    if (rc && !pool->is_open && pool->n_working == 1)
        fail_pool(pool, rc, &err);
    unlock(pool);
    if (!rc)
        put_in_turn(w, &session);
    pool->road->close(&session);
    lock(pool);
    pool->n_working--;
    if (pool->n_working == 0 && pool->n_done < pool->n && !pool->rc)
        fail_pool(pool, rc ? rc : SF_E_INTERNAL, &err);
    unlock(pool);
    return NULL;
}

/* False when there is no thread to be had. */
static bool start(struct pool *pool, struct worker *w)
{
    w->pool = pool;
    w->arena = sf_arena_new();
    pool->n_working++;
    w->is_started = pthread_create(&w->thread, NULL, work, w) == 0;
    if (!w->is_started)
        pool->n_working--;
    return w->is_started;
}

/* Waits for news; until `until_ms` (sf_clock_ms(), 0: as long as it takes). Locked by the caller. */
static void wait_for_news(struct pool *pool, int64_t until_ms)
{
    struct timespec at;
    if (!until_ms) {
        pthread_cond_wait(&pool->changed, &pool->mutex);
        return;
    }
    int64_t left = until_ms - sf_clock_ms();
    clock_gettime(CLOCK_MONOTONIC, &at);
    at.tv_nsec += (left > 0 ? left : 0) * 1000000;
    at.tv_sec += at.tv_nsec / 1000000000;
    at.tv_nsec %= 1000000000;
    pthread_cond_timedwait(&pool->changed, &pool->mutex, &at);
}

/* Tells the caller what there is to tell, unlocked meanwhile. */
static void tell(struct pool *pool, const struct sf_put_calls *calls)
{
    while (!pool->rc && ((pool->is_open && !pool->may_put) || pool->n_told < pool->n_done)) {
        struct sf_err err = {0};
        bool is_ready = !pool->may_put;
        size_t i = is_ready ? 0 : pool->finished[pool->n_told++];
        enum sf_code rc = SF_OK;
        pthread_mutex_unlock(&pool->mutex);
        if (is_ready && calls->ready)
            rc = calls->ready(calls->ctx, &err);
        else if (!is_ready && calls->done)
            rc = calls->done(calls->ctx, i, &err);
        lock(pool);
        pool->may_put = true;
        if (rc)
            fail_pool(pool, rc, &err);
        pthread_cond_broadcast(&pool->changed);
    }
}

static void supervise(struct pool *pool, struct worker *workers, size_t wanted, const struct sf_put_calls *calls)
{
    size_t n = 1;
    bool is_patient = pool->road->patience_ms > 0;
    int64_t patience = sf_clock_ms() + pool->road->patience_ms;
    lock(pool);
    while (pool->n_working > 0) {
        tell(pool, calls);
        if (patience && is_patient && (pool->is_open || pool->rc))
            patience = 0;
        if (patience && sf_clock_ms() >= patience) {
            while (n < wanted && start(pool, &workers[n]))
                n++;
            patience = 0;
        }
        if (pool->n_working > 0 && (pool->rc || pool->n_told == pool->n_done))
            wait_for_news(pool, patience);
    }
    tell(pool, calls);
    unlock(pool);
}

enum sf_code sf_put_all(const struct sf_put_road *road, const int *steps, size_t n, const struct sf_put_calls *calls,
                        struct sf_err *err)
{
    struct worker workers[MAX_SESSIONS] = {0};
    struct pool pool = {.road = road, .steps = steps, .n = n};
    size_t wanted = road->max_sessions < MAX_SESSIONS ? road->max_sessions : MAX_SESSIONS;
    pthread_condattr_t monotonic;
    if (n == 0)
        return SF_OK;
    struct sf_arena *arena = sf_arena_new();
    pool.finished = SF_NEW_ARRAY(arena, n, size_t);
    pthread_mutex_init(&pool.mutex, NULL);
    pthread_condattr_init(&monotonic);
    pthread_condattr_setclock(&monotonic, CLOCK_MONOTONIC);
    pthread_cond_init(&pool.changed, &monotonic);
    pthread_condattr_destroy(&monotonic);
    if (start(&pool, &workers[0]))
        supervise(&pool, workers, n < wanted ? n : wanted, calls);
    else
        pool.rc = sf_fail(&pool.err, SF_E_IO, "no thread could be started to deliver %zu files", n);
    for (size_t i = 0; i < MAX_SESSIONS; i++) {
        if (workers[i].is_started)
            pthread_join(workers[i].thread, NULL);
        sf_arena_free(workers[i].arena);
    }
    pthread_cond_destroy(&pool.changed);
    pthread_mutex_destroy(&pool.mutex);
    sf_arena_free(arena);
    if (pool.rc && err)
        *err = pool.err;
    return pool.rc;
}
