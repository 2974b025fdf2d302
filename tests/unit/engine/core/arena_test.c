/* engine/core/arena.c: zeroed, aligned, never NULL, released together. */
#include "engine/core/arena.h"

#include <setjmp.h>
#include <stdarg.h>
#include <cmocka.h>

#include <fcntl.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <unistd.h>

static void memory_is_zeroed_aligned_and_apart(void **state)
{
    (void)state;
    struct sf_arena *arena = sf_arena_new();
    enum { N = 4000 };
    unsigned char **all = sf_arena_array(arena, N, sizeof(*all));
    for (size_t i = 0; i < N; i++) {
        size_t n = i * 37 % 300 + 1;
        all[i] = sf_arena_alloc(arena, n);
        assert_int_equal((uintptr_t)all[i] % _Alignof(max_align_t), 0);
        for (size_t k = 0; k < n; k++)
            assert_int_equal(all[i][k], 0);
        memset(all[i], (int)(i % 251) + 1, n);
    }
    for (size_t i = 0; i < N; i++) /* nobody wrote into somebody else's */
        for (size_t k = 0; k < i * 37 % 300 + 1; k++)
            assert_int_equal(all[i][k], i % 251 + 1);
    sf_arena_free(arena);
}

static void large_requests_leave_the_page_that_is_being_cut_from_in_use(void **state)
{
    (void)state;
    struct sf_arena *arena = sf_arena_new();
    unsigned char *small = sf_arena_alloc(arena, 16);
    unsigned char *large = sf_arena_alloc(arena, 1024 * 1024);
    unsigned char *next = sf_arena_alloc(arena, 16);
    assert_ptr_equal(next, small + 16);
    large[1024 * 1024 - 1] = 1;
    assert_int_equal(next[0], 0);
    sf_arena_free(arena);
}

static void a_request_of_nothing_is_not_null(void **state)
{
    (void)state;
    struct sf_arena *arena = sf_arena_new();
    void *nothing = sf_arena_alloc(arena, 0), *none = sf_arena_array(arena, 0, 8), *flat = sf_arena_array(arena, 8, 0);
    assert_true((uintptr_t)nothing && (uintptr_t)none && (uintptr_t)flat);
    sf_arena_free(arena);
}

static void what_grows_keeps_what_was_in_it_and_moves_only_when_it_is_full(void **state)
{
    (void)state;
    struct sf_arena *arena = sf_arena_new();
    uint32_t *items = NULL;
    size_t cap = 0, moves = 0;
    for (uint32_t n = 0; n < 1000; n++) {
        uint32_t *before = items;
        bool is_full = n == cap;
        items = sf_arena_grow(arena, items, n, &cap, sizeof(*items));
        assert_true(cap > n);
        assert_int_equal(items != before, is_full);
        moves += is_full;
        items[n] = n;
    }
    assert_int_equal(moves, 9); /* 4, 8, ... 1024 */
    for (uint32_t n = 0; n < 1000; n++)
        assert_int_equal(items[n], n);
    sf_arena_free(arena);
}

static void freeing_null_is_fine(void **state)
{
    (void)state;
    sf_arena_free(NULL);
    sf_arena_free(sf_arena_new());
}

/* How a child ends that asks for `count` times `size` bytes. */
static int signal_of_request(size_t count, size_t size)
{
    pid_t child = fork();
    if (child == 0) {
        struct rlimit no_core = {0, 0};
        setrlimit(RLIMIT_CORE, &no_core);
        dup2(open("/dev/null", O_WRONLY | O_CLOEXEC), STDERR_FILENO);
        void *memory = sf_arena_array(sf_arena_new(), count, size);
        _exit(((uintptr_t)memory & 1) ? 1 : 0);
    }
    int status = 0;
    assert_int_equal(waitpid(child, &status, 0), child);
    return WIFSIGNALED(status) ? WTERMSIG(status) : 0;
}

static void a_size_that_overflows_ends_the_process(void **state)
{
    (void)state;
    assert_int_equal(signal_of_request(SIZE_MAX / 4, 8), SIGABRT);
    assert_int_equal(signal_of_request(SIZE_MAX, 1), SIGABRT);
    assert_int_equal(signal_of_request(((size_t)1 << 32) + 1, (size_t)1 << 32), SIGABRT);
    assert_int_equal(signal_of_request(10, 10), 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(memory_is_zeroed_aligned_and_apart),
        cmocka_unit_test(large_requests_leave_the_page_that_is_being_cut_from_in_use),
        cmocka_unit_test(a_request_of_nothing_is_not_null),
        cmocka_unit_test(what_grows_keeps_what_was_in_it_and_moves_only_when_it_is_full),
        cmocka_unit_test(freeing_null_is_fine),
        cmocka_unit_test(a_size_that_overflows_ends_the_process),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
