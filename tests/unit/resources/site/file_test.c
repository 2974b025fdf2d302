/* Files that are there whole or not at all, and what killed runs leave beside them. */
#include "resources/site/file.h"

#include "tests/unit/support/temp_dir.h"

#include <dirent.h>
#include <fcntl.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

static struct sf_arena *arena;
static struct sf_err err;
static char dir[TEMP_DIR_BYTES];

static int setup(void **state)
{
    (void)state;
    arena = sf_arena_new();
    err = (struct sf_err){.code = SF_OK};
    temp_dir_make(dir, "file");
    return 0;
}

static int teardown(void **state)
{
    (void)state;
    sf_arena_free(arena);
    return temp_dir_remove(dir);
}

static const char *at(const char *name)
{
    return sf_str_fmt(arena, "%s/%s", dir, name).p;
}

static size_t count_entries(const char *path)
{
    DIR *entries = opendir(path);
    assert_non_null(entries);
    size_t n = 0;
    while (readdir(entries))
        n++;
    closedir(entries);
    return n - 2; /* "." and ".." */
}

static void holds(const char *name, const char *text)
{
    assert_true(sf_file_is(arena, at(name), sf_str_of(text), 0600));
}

/* The number of a process that was there. */
static pid_t gone_pid(void)
{
    pid_t pid = fork();
    if (pid == 0)
        _exit(0);
    assert_int_equal(waitpid(pid, NULL, 0), pid);
    return pid;
}

static void a_folder_appears_with_its_file_and_nothing_else_beside_it(void **state)
{
    (void)state;
    struct stat st;
    assert_int_equal(sf_file_replace_in_dir(arena, at("servers/s-1/meta.json"), SF_STR("one"), 0600, &err), SF_OK);
    holds("servers/s-1/meta.json", "one");
    assert_int_equal(stat(at("servers/s-1"), &st), 0);
    assert_int_equal(st.st_mode & 07777, 0700);
    assert_int_equal(sf_file_replace_in_dir(arena, at("servers/s-1/meta.json"), SF_STR("two"), 0600, &err), SF_OK);
    holds("servers/s-1/meta.json", "two");
    assert_int_equal(count_entries(at("servers")), 1);
    assert_int_equal(count_entries(at("servers/s-1")), 1);
}

/* The moment before the rename, as a kill leaves it. */
static void what_a_killed_run_was_making_goes_when_the_next_is_made(void **state)
{
    (void)state;
    assert_int_equal(mkdir(at("servers"), 0700), 0);
    struct sf_str temp = sf_str_fmt(arena, "servers/%s%d.0123", SF_TEMP_PREFIX, (int)gone_pid());
    struct sf_str others = sf_str_fmt(arena, "servers/%s%d.0123", SF_TEMP_PREFIX, (int)getppid());
    const char *const left[] = {temp.p, others.p};
    for (size_t i = 0; i < SF_COUNT(left); i++) {
        assert_int_equal(mkdir(at(left[i]), 0700), 0);
        assert_int_equal(sf_file_replace(arena, at(sf_str_fmt(arena, "%s/meta.json", left[i]).p), SF_STR("x"), 0600, &err), SF_OK);
    }
    assert_int_equal(sf_file_replace_in_dir(arena, at("servers/s-2/meta.json"), SF_STR("two"), 0600, &err), SF_OK);
    assert_int_equal(access(at(temp.p), F_OK), -1);
    assert_int_equal(access(at(others.p), F_OK), 0); /* its process is at work */
}

static void only_names_of_ours_are_temporary_and_only_those_of_the_dead_stale(void **state)
{
    (void)state;
    int pid = (int)gone_pid();
    assert_true(sf_file_is_stale_temp(sf_str_fmt(arena, SF_TEMP_PREFIX "%d.ab", pid).p));
    assert_false(sf_file_is_stale_temp(sf_str_fmt(arena, SF_TEMP_PREFIX "%d.ab", (int)getpid()).p));
    assert_false(sf_file_is_stale_temp(sf_str_fmt(arena, SF_TEMP_PREFIX "%d", pid).p));
    assert_false(sf_file_is_stale_temp(sf_str_fmt(arena, "sfstack-%d.ab", pid).p));
    assert_false(sf_file_is_stale_temp(SF_TEMP_PREFIX "-1.ab"));
    assert_false(sf_file_is_stale_temp(SF_TEMP_PREFIX "notes"));
}

static void a_link_is_removed_and_not_followed(void **state)
{
    (void)state;
    assert_int_equal(sf_file_replace_in_dir(arena, at("kept/file"), SF_STR("x"), 0600, &err), SF_OK);
    assert_int_equal(symlink("kept", at("link")), 0);
    int fd = open(dir, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    assert_true(fd >= 0);
    sf_file_remove_temp(fd, "link");
    close(fd);
    holds("kept/file", "x");
    assert_int_equal(count_entries(dir), 1);
}

int main(void)
{
#define TEST(name) cmocka_unit_test_setup_teardown(name, setup, teardown)
    const struct CMUnitTest tests[] = {
        TEST(a_folder_appears_with_its_file_and_nothing_else_beside_it),
        TEST(what_a_killed_run_was_making_goes_when_the_next_is_made),
        TEST(only_names_of_ours_are_temporary_and_only_those_of_the_dead_stale),
        TEST(a_link_is_removed_and_not_followed),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
