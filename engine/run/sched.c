/* See sched.h. */
#include "engine/run/sched.h"

#include "engine/core/clock.h"

#include <errno.h>
#include <poll.h>
#include <pthread.h>
#include <signal.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <sys/eventfd.h>
#include <unistd.h>

enum { TICK_MS = 100 };

struct request {
    sf_request_fn *handle;
    void *arg;
    enum sf_code result;
    bool is_done;
    pthread_cond_t done;
    struct request *link;
};

struct queue {
    struct sf_task *head, **tail;
};

struct sf_sched {
    pthread_mutex_t mutex;
    pthread_cond_t has_work;
    struct queue work;    /* for workers */
    struct queue results; /* from workers */
    struct request *requests, **last_request;
    bool is_closing;
    int wake_fd;
    int max_workers;
    int n_workers;
    int n_idle;
    pthread_t threads[SF_MAX_WORKERS];
    const struct sf_walk *walk; /* of the walk under way */
};

/* Signal handlers have no context: these three are the process's, and only they are. */
static atomic_int cancel_level;
static atomic_int cancel_signal;
static atomic_int signal_fd = -1;

static void on_signal(int number)
{
    int saved = errno;
    int none = 0;
    atomic_compare_exchange_strong(&cancel_signal, &none, number);
    atomic_fetch_add(&cancel_level, 1);
    int fd = atomic_load(&signal_fd);
    uint64_t one = 1;
    if (fd >= 0 && write(fd, &one, sizeof(one)) < 0)
        errno = 0; /* the counter is full: the reader is awake anyway */
    errno = saved;
}

void sf_sched_catch_signals(void)
{
    struct sigaction action = {.sa_handler = on_signal};
    sigemptyset(&action.sa_mask);
    sigaction(SIGINT, &action, NULL);
    sigaction(SIGTERM, &action, NULL);
    signal(SIGPIPE, SIG_IGN);
}

int sf_sched_cancel_level(void)
{
    return atomic_load(&cancel_level);
}

int sf_sched_cancel_signal(void)
{
    return atomic_load(&cancel_signal);
}

static void queue_init(struct queue *queue)
{
    queue->head = NULL;
    queue->tail = &queue->head;
}

static void queue_push(struct queue *queue, struct sf_task *task)
{
    task->link = NULL;
    *queue->tail = task;
    queue->tail = &task->link;
}

static struct sf_task *queue_pop(struct queue *queue)
{
    struct sf_task *task = queue->head;
    if (task) {
        queue->head = task->link;
        if (!queue->head)
            queue->tail = &queue->head;
    }
    return task;
}

static void wake(struct sf_sched *sched)
{
    uint64_t one = 1;
    while (write(sched->wake_fd, &one, sizeof(one)) < 0 && errno == EINTR)
        continue;
}

struct sf_sched *sf_sched_new(int workers)
{
    struct sf_sched *sched = calloc(1, sizeof(*sched));
    if (!sched)
        sf_out_of_memory();
    pthread_mutex_init(&sched->mutex, NULL);
    pthread_cond_init(&sched->has_work, NULL);
    queue_init(&sched->work);
    queue_init(&sched->results);
    sched->last_request = &sched->requests;
    sched->max_workers = workers < 1 ? 1 : workers > SF_MAX_WORKERS ? SF_MAX_WORKERS : workers;
    sched->wake_fd = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
    if (sched->wake_fd < 0)
        sf_out_of_memory();
    atomic_store(&signal_fd, sched->wake_fd);
    return sched;
}

void sf_sched_free(struct sf_sched *sched)
{
    if (!sched)
        return;
    pthread_mutex_lock(&sched->mutex);
    sched->is_closing = true;
    pthread_cond_broadcast(&sched->has_work);
    pthread_mutex_unlock(&sched->mutex);
    for (int i = 0; i < sched->n_workers; i++)
        pthread_join(sched->threads[i], NULL);
    atomic_store(&signal_fd, -1);
    close(sched->wake_fd);
    pthread_cond_destroy(&sched->has_work);
    pthread_mutex_destroy(&sched->mutex);
    free(sched);
}

static void *worker_main(void *arg)
{
    struct sf_sched *sched = arg;
    pthread_mutex_lock(&sched->mutex);
    for (;;) {
        struct sf_task *task = queue_pop(&sched->work);
        if (!task) {
            if (sched->is_closing)
                break;
            sched->n_idle++;
            pthread_cond_wait(&sched->has_work, &sched->mutex);
            sched->n_idle--;
            continue;
        }
        const struct sf_walk *walk = sched->walk;
        pthread_mutex_unlock(&sched->mutex);
        walk->work(walk->ctx, task);
        pthread_mutex_lock(&sched->mutex);
        queue_push(&sched->results, task);
        wake(sched);
    }
    pthread_mutex_unlock(&sched->mutex);
    return NULL;
}

/* Called with the mutex held. Signals are the scheduler thread's: workers block them. */
static void add_worker(struct sf_sched *sched)
{
    sigset_t all, old;
    sigfillset(&all);
    pthread_sigmask(SIG_BLOCK, &all, &old);
    if (pthread_create(&sched->threads[sched->n_workers], NULL, worker_main, sched) == 0)
        sched->n_workers++;
    else if (sched->n_workers == 0)
        sf_out_of_memory();
    pthread_sigmask(SIG_SETMASK, &old, NULL);
}

static void give_work(struct sf_sched *sched, struct sf_task *task)
{
    pthread_mutex_lock(&sched->mutex);
    queue_push(&sched->work, task);
    if (sched->n_idle == 0 && sched->n_workers < sched->max_workers)
        add_worker(sched);
    pthread_cond_signal(&sched->has_work);
    pthread_mutex_unlock(&sched->mutex);
}

enum sf_code sf_sched_call(struct sf_sched *sched, sf_request_fn *handle, void *arg)
{
    struct request request = {.handle = handle, .arg = arg, .result = SF_OK};
    pthread_cond_init(&request.done, NULL);
    pthread_mutex_lock(&sched->mutex);
    *sched->last_request = &request;
    /* cppcheck-suppress autoVariables ; it is unlinked before is_done, which is waited for */
    sched->last_request = &request.link;
    wake(sched);
    while (!request.is_done)
        pthread_cond_wait(&request.done, &sched->mutex);
    pthread_mutex_unlock(&sched->mutex);
    pthread_cond_destroy(&request.done);
    return request.result;
}

/* One walk's bookkeeping on the scheduler's thread. */
struct walker {
    struct sf_sched *sched;
    const struct sf_walk *walk;
    struct queue ready;
    struct queue ended;     /* done, failed or skipped in this round; released after the commit */
    struct sf_task *parked; /* list by due time */
    size_t unfinished;
    size_t running;
    enum sf_code failure;
};

static void park(struct walker *walker, struct sf_task *task)
{
    task->state = SF_TASK_PARKED;
    task->due_ms = sf_clock_ms() + task->park_ms;
    struct sf_task **at = &walker->parked;
    while (*at && (*at)->due_ms <= task->due_ms)
        at = &(*at)->link;
    task->link = *at;
    *at = task;
}

static void leave_pool(struct sf_task *task)
{
    if (task->pool)
        task->pool->running--;
}

static void settle(struct walker *walker, struct sf_task *task, enum sf_step_result result)
{
    switch (result) {
    case SF_STEP_WORK:
        task->state = SF_TASK_RUNNING;
        walker->running++;
        give_work(walker->sched, task);
        return;
    case SF_STEP_PARK:
        leave_pool(task);
        park(walker, task);
        return;
    case SF_STEP_DONE:
        leave_pool(task);
        task->state = SF_TASK_DONE;
        queue_push(&walker->ended, task);
        return;
    case SF_STEP_FAILED:
        leave_pool(task);
        task->state = SF_TASK_FAILED;
        queue_push(&walker->ended, task);
        return;
    }
}

static bool is_stopping(const struct walker *walker)
{
    return walker->failure != SF_OK || sf_sched_cancel_level() > 0;
}

/* Starts what is ready, as far as workers and pools allow. */
static void start_ready(struct walker *walker)
{
    struct queue held;
    queue_init(&held);
    for (struct sf_task *task; (task = queue_pop(&walker->ready));) {
        if (task->has_failed_predecessor || is_stopping(walker)) {
            task->state = SF_TASK_SKIPPED;
            walker->walk->skip(walker->walk->ctx, task);
            queue_push(&walker->ended, task);
            continue;
        }
        if (task->pool && task->pool->running >= task->pool->max) {
            queue_push(&held, task);
            continue;
        }
        if (task->pool)
            task->pool->running++;
        settle(walker, task, walker->walk->start(walker->walk->ctx, task));
    }
    walker->ready = held;
    if (!held.head)
        queue_init(&walker->ready);
}

static void release(struct walker *walker)
{
    for (struct sf_task *task; (task = queue_pop(&walker->ended));) {
        walker->unfinished--;
        for (size_t i = 0; i < task->n_next; i++) {
            struct sf_task *next = task->next[i];
            if (task->state != SF_TASK_DONE)
                next->has_failed_predecessor = true;
            if (--next->blocked == 0) {
                next->state = SF_TASK_READY;
                queue_push(&walker->ready, next);
            }
        }
    }
}

static void take_due(struct walker *walker)
{
    int64_t now = sf_clock_ms();
    while (walker->parked && (walker->parked->due_ms <= now || is_stopping(walker))) {
        struct sf_task *task = walker->parked;
        walker->parked = task->link;
        task->state = SF_TASK_READY;
        queue_push(&walker->ready, task);
    }
}

static void wait_for_messages(struct walker *walker)
{
    if (sf_clock_is_virtual() && walker->running == 0 && walker->parked) {
        int64_t ahead = walker->parked->due_ms - sf_clock_ms();
        sf_clock_advance(ahead > 0 ? ahead : 0);
        return;
    }
    int timeout = walker->walk->tick ? TICK_MS : -1;
    if (walker->parked) {
        int64_t left = walker->parked->due_ms - sf_clock_ms();
        int due = left < 0 ? 0 : left > 60000 ? 60000 : (int)left;
        if (timeout < 0 || due < timeout)
            timeout = due;
    }
    struct pollfd fd = {.fd = walker->sched->wake_fd, .events = POLLIN};
    if (poll(&fd, 1, timeout) == 0 && walker->walk->tick)
        walker->walk->tick(walker->walk->ctx);
    uint64_t count;
    while (read(walker->sched->wake_fd, &count, sizeof(count)) > 0)
        continue;
}

/* Takes what workers sent; answers requests only after the commit. */
static struct request *take_messages(struct walker *walker)
{
    struct sf_sched *sched = walker->sched;
    pthread_mutex_lock(&sched->mutex);
    struct queue results = sched->results;
    queue_init(&sched->results);
    struct request *requests = sched->requests;
    sched->requests = NULL;
    sched->last_request = &sched->requests;
    pthread_mutex_unlock(&sched->mutex);
    for (struct request *request = requests; request; request = request->link)
        request->result = request->handle(request->arg);
    for (struct sf_task *task; (task = queue_pop(&results));) {
        walker->running--;
        settle(walker, task, walker->walk->finish(walker->walk->ctx, task));
    }
    return requests;
}

static void answer(struct walker *walker, struct request *requests)
{
    pthread_mutex_lock(&walker->sched->mutex);
    for (struct request *request = requests, *next; request; request = next) {
        next = request->link; /* the request is on its worker's stack and gone once it is done */
        if (walker->failure)
            request->result = walker->failure;
        request->is_done = true;
        pthread_cond_signal(&request->done);
    }
    pthread_mutex_unlock(&walker->sched->mutex);
}

enum sf_code sf_sched_run(struct sf_sched *sched, const struct sf_walk *walk, struct sf_task **tasks, size_t n)
{
    struct walker walker = {.sched = sched, .walk = walk, .unfinished = n};
    queue_init(&walker.ready);
    queue_init(&walker.ended);
    pthread_mutex_lock(&sched->mutex);
    sched->walk = walk;
    pthread_mutex_unlock(&sched->mutex);
    for (size_t i = 0; i < n; i++)
        if (tasks[i]->blocked == 0) {
            tasks[i]->state = SF_TASK_READY;
            queue_push(&walker.ready, tasks[i]);
        }
    while (walker.unfinished > 0) {
        start_ready(&walker);
        bool nothing_ended = !walker.ended.head;
        if (nothing_ended && (walker.running || walker.parked))
            wait_for_messages(&walker);
        struct request *requests = take_messages(&walker);
        enum sf_code rc = walk->commit(walk->ctx);
        if (rc && !walker.failure)
            walker.failure = rc;
        answer(&walker, requests);
        release(&walker);
        take_due(&walker);
        if (nothing_ended && !walker.running && !walker.parked && !walker.ready.head && !walker.ended.head && !requests &&
            walker.unfinished)
            return SF_E_INTERNAL; /* a cycle: the graph is checked before, so this is a bug */
    }
    if (walker.failure)
        return walker.failure;
    return sf_sched_cancel_level() ? SF_E_CANCELLED : SF_OK;
}
