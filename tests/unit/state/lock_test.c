/* state/lock.c: one mutating run at a time, and no lock that outlives its holder. */
#include "tests/unit/state/fixture.h"

#include <signal.h>

/* A child that takes the lock, says so, and holds it until its end of the pipe is closed (or it is killed). */
struct holder {
    pid_t pid;
    int go; /* closing it ends the child */
};

static struct holder hold(struct fixture *f)
{
    int ready[2], go[2];
    assert_int_equal(pipe(ready), 0);
    assert_int_equal(pipe(go), 0);
    pid_t pid = fork();
    if (pid == 0) {
        close(go[1]);
        struct sf_store *store = NULL;
        bool is_held = sf_store_open(f->path, &here, true, false, &store, &f->err) == SF_OK &&
                       sf_store_lock(store, "sfapply", 0, &f->err) == SF_OK;
        char byte = is_held ? 'y' : 'n';
        if (write(ready[1], &byte, 1) != 1 || !is_held)
            _exit(1);
        if (read(go[0], &byte, 1) != 0)
            _exit(2);
        sf_store_close(store);
        _exit(0);
    }
    close(ready[1]);
    close(go[0]);
    char byte = 0;
    assert_int_equal(read(ready[0], &byte, 1), 1);
    assert_int_equal(byte, 'y');
    close(ready[0]);
    return (struct holder){pid, go[1]};
}

static void the_second_run_is_told_who_holds_the_lock(void **state)
{
    struct fixture *f = *state;
    struct holder holder = hold(f);
    struct sf_store *store = open_writer(f);
    assert_int_equal(sf_store_lock(store, "sfdestroy", 0, &f->err), SF_E_LOCKED);
    char pid[32];
    snprintf(pid, sizeof(pid), "pid %ld", (long)holder.pid);
    assert_non_null(strstr(f->err.message, pid));
    assert_non_null(strstr(f->err.message, "sfapply since 20"));
    assert_non_null(strchr(f->err.message, '@'));
    assert_true(sf_str_starts(sf_store_lock_holder(store, f->arena), sf_str_of(pid)));
    assert_int_equal(put_one(store, "value.a", &f->err), SF_E_LOCKED); /* nor can it write without */
    close(holder.go);
    assert_int_equal(wait_for(holder.pid), 0);
    assert_int_equal(sf_store_lock_holder(store, f->arena).n, 0);
    assert_ok(f, sf_store_lock(store, "sfdestroy", 0, &f->err));
    sf_store_close(store);
}

static void a_reader_sees_the_holder_too(void **state)
{
    struct fixture *f = *state;
    struct holder holder = hold(f);
    struct sf_store *reader = open_reader(f);
    assert_true(sf_store_lock_holder(reader, f->arena).n > 0);
    sf_store_close(reader);
    close(holder.go);
    assert_int_equal(wait_for(holder.pid), 0);
}

static void a_killed_holder_holds_nothing(void **state)
{
    struct fixture *f = *state;
    struct holder holder = hold(f);
    kill(holder.pid, SIGKILL);
    assert_int_equal(wait_for(holder.pid), 128 + SIGKILL);
    close(holder.go);
    struct sf_store *store = open_writer(f);
    assert_int_equal(sf_store_lock_holder(store, f->arena).n, 0); /* though the file still names it */
    assert_true(file_holds(beside(f, ".lock"), "sfapply"));
    assert_ok(f, sf_store_lock(store, "sfapply", 0, &f->err));
    assert_ok(f, put_one(store, "value.a", &f->err));
    sf_store_close(store);
}

static void waiting_ends_when_the_holder_does(void **state)
{
    struct fixture *f = *state;
    struct holder holder = hold(f);
    struct sf_store *store = open_writer(f);
    pid_t closer = fork(); /* lets go while we wait */
    if (closer == 0) {
        kill(holder.pid, SIGKILL);
        _exit(0);
    }
    assert_ok(f, sf_store_lock(store, "sfapply", 60000, &f->err));
    sf_store_close(store);
    wait_for(closer);
    wait_for(holder.pid);
    close(holder.go);
}

static void waiting_is_given_up_after_its_time(void **state)
{
    struct fixture *f = *state;
    struct holder holder = hold(f);
    struct sf_store *store = open_writer(f);
    assert_int_equal(sf_store_lock(store, "sfapply", 120, &f->err), SF_E_LOCKED);
    sf_store_close(store);
    close(holder.go);
    wait_for(holder.pid);
}

static void a_pending_stop_signal_ends_the_wait(void **state)
{
    struct fixture *f = *state;
    struct holder holder = hold(f);
    struct sf_store *store = open_writer(f);
    sigset_t stop, before;
    sigemptyset(&stop);
    sigaddset(&stop, SIGTERM);
    sigprocmask(SIG_BLOCK, &stop, &before); /* as a program that takes its signals by descriptor does */
    raise(SIGTERM);
    assert_int_equal(sf_store_lock(store, "sfapply", 600000, &f->err), SF_E_CANCELLED);
    int taken = 0;
    sigwait(&stop, &taken);
    sigprocmask(SIG_SETMASK, &before, NULL);
    sf_store_close(store);
    close(holder.go);
    wait_for(holder.pid);
}

static void a_hostile_lock_file_cannot_drive_the_terminal(void **state)
{
    struct fixture *f = *state;
    struct holder holder = hold(f);
    int fd = open(beside(f, ".lock"), O_WRONLY | O_TRUNC);
    assert_true(write(fd, "\033[2Jpwned\n", 10) == 10);
    close(fd);
    struct sf_store *store = open_writer(f);
    assert_int_equal(sf_store_lock(store, "sfapply", 0, &f->err), SF_E_LOCKED);
    assert_null(strchr(f->err.message, '\033'));
    sf_store_close(store);
    close(holder.go);
    wait_for(holder.pid);
}

static void a_state_replaced_while_waiting_is_noticed(void **state)
{
    struct fixture *f = *state;
    struct sf_store *store = open_writer(f);
    assert_int_equal(rename(f->path, beside(f, ".old")), 0);
    sf_store_close(open_writer(f));
    assert_int_equal(sf_store_lock(store, "sfapply", 0, &f->err), SF_E_STALE);
    sf_store_close(store);
}

static void what_another_run_did_in_between_is_seen_under_the_lock(void **state)
{
    struct fixture *f = *state;
    struct sf_store *late = open_writer(f), *early = open_writer(f);
    assert_ok(f, put_one(early, "value.a", &f->err));
    sf_store_close(early);
    assert_ok(f, sf_store_lock(late, "sfapply", 0, &f->err));
    assert_int_equal(sf_store_revision(late), 1);
    assert_ok(f, put_one(late, "value.b", &f->err));
    assert_int_equal(sf_store_revision(late), 2);
    sf_store_close(late);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        UNIT(the_second_run_is_told_who_holds_the_lock),
        UNIT(a_reader_sees_the_holder_too),
        UNIT(a_killed_holder_holds_nothing),
        UNIT(waiting_ends_when_the_holder_does),
        UNIT(waiting_is_given_up_after_its_time),
        UNIT(a_pending_stop_signal_ends_the_wait),
        UNIT(a_hostile_lock_file_cannot_drive_the_terminal),
        UNIT(a_state_replaced_while_waiting_is_noticed),
        UNIT(what_another_run_did_in_between_is_seen_under_the_lock),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
