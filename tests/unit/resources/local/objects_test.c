/* The territory's files and a bucket's objects: whole or not at all, and never outside. */
#include "resources/local/objects.h"
#include "tests/unit/resources/harness.h"

#include <dirent.h>
#include <fcntl.h>
#include <stdatomic.h>

static struct harness *h;
static const struct sf_object bucket = {.id = {"landing", 7}};

static int setup(void **state)
{
    (void)state;
    h = harness_new("bucket.landing");
    struct sf_op *op = harness_op(h);
    return sf_territory_mkdir(op, sf_territory_path(op, "buckets/landing/data"), 0700, &h->err);
}

static int teardown(void **state)
{
    (void)state;
    harness_free(h);
    return 0;
}

static enum sf_code put(const char *key, const char *text)
{
    return sf_local_bucket_put(harness_op(h), &bucket, sf_str_of(key), sf_str_of(text), &h->err);
}

static const char *data_path(const char *name)
{
    return sf_territory_path(&h->op, "buckets/landing/data/%s", name);
}

static void objects_are_put_listed_read_and_deleted(void **state)
{
    (void)state;
    struct sf_bucket_entry *entries;
    struct sf_reader reader;
    size_t n, got;
    char text[16];
    assert_ok(h, put("b.csv", "hello"));
    assert_ok(h, put("a/deep/x.csv", "1"));
    assert_ok(h, put("a/y.csv", ""));
    assert_ok(h, put("b.csv", "again"));
    assert_ok(h, sf_local_bucket_list(harness_op(h), &bucket, SF_STR_NONE, &entries, &n, &h->err));
    assert_int_equal(n, 3);
    assert_true(sf_str_is(entries[0].key, "a/deep/x.csv"));
    assert_true(sf_str_is(entries[2].key, "b.csv"));
    assert_int_equal(entries[2].bytes, 5);
    assert_ok(h, sf_local_bucket_list(harness_op(h), &bucket, SF_STR("a/d"), &entries, &n, &h->err));
    assert_int_equal(n, 1);
    assert_ok(h, sf_local_bucket_open(harness_op(h), &bucket, SF_STR("b.csv"), &reader, &h->err));
    assert_ok(h, reader.read(&reader, text, sizeof(text), &got, &h->err));
    assert_int_equal(got, 5);
    assert_memory_equal(text, "again", 5);
    assert_ok(h, reader.read(&reader, text, sizeof(text), &got, &h->err));
    assert_int_equal(got, 0);
    reader.close(&reader);
    assert_ok(h, sf_local_bucket_delete(harness_op(h), &bucket, SF_STR("a/deep/x.csv"), &h->err));
    assert_ok(h, sf_local_bucket_delete(harness_op(h), &bucket, SF_STR("a/deep/x.csv"), &h->err));
    assert_int_equal(access(data_path("a/deep"), F_OK), -1); /* pruned */
    assert_int_equal(access(data_path("a"), F_OK), 0);       /* not empty */
    assert_int_equal(sf_local_bucket_open(harness_op(h), &bucket, SF_STR("a/deep/x.csv"), &reader, &h->err), SF_E_ABSENT);
}

static void hostile_keys_are_refused(void **state)
{
    (void)state;
    char longest[1100];
    memset(longest, 'a', sizeof(longest));
    longest[sizeof(longest) - 1] = 0;
    const char *const bad[] = {"",      "/etc/passwd", "../x", "a/../../x", "a//b",  "a/",         ".",
                               "a/./b", "a\nb",        "\x7f", "\xff\xfe",  longest, ".sfstack-x", "a/.sfstack-x/b"};
    for (size_t i = 0; i < SF_COUNT(bad); i++) {
        struct sf_reader reader;
        if (put(bad[i], "x") != SF_E_REFUSED)
            fail_msg("taken: '%s'", bad[i]);
        assert_int_equal(sf_local_bucket_open(harness_op(h), &bucket, sf_str_of(bad[i]), &reader, &h->err), SF_E_REFUSED);
        assert_int_equal(sf_local_bucket_delete(harness_op(h), &bucket, sf_str_of(bad[i]), &h->err), SF_E_REFUSED);
    }
    assert_ok(h, put("..a/b..", "fine"));
}

static void links_in_a_bucket_lead_nowhere(void **state)
{
    (void)state;
    struct sf_reader reader;
    struct sf_bucket_entry *entries;
    size_t n;
    const char *outside = sf_str_fmt(h->arena, "%s/outside", h->dir).p;
    assert_int_equal(mkdir(outside, 0777), 0);
    assert_int_equal(chmod(outside, 0777), 0); /* whoever gets there may write */
    assert_int_equal(symlink(outside, data_path("dir")), 0);
    assert_int_equal(symlink("/etc/passwd", data_path("file")), 0);
    assert_int_not_equal(put("dir/x", "x"), SF_OK);
    assert_int_equal(access(sf_str_fmt(h->arena, "%s/x", outside).p, F_OK), -1);
    assert_int_not_equal(sf_local_bucket_open(harness_op(h), &bucket, SF_STR("file"), &reader, &h->err), SF_OK);
    /* they are seen, so that a destroy names them */
    assert_ok(h, sf_local_bucket_list(harness_op(h), &bucket, SF_STR_NONE, &entries, &n, &h->err));
    assert_int_equal(n, 2);
    /* putting over a link replaces the link */
    assert_ok(h, put("file", "mine"));
    assert_ok(h, sf_territory_remove_tree(harness_op(h), sf_territory_path(&h->op, "buckets/landing"), &h->err));
    assert_int_equal(access(outside, F_OK), 0);
}

static void a_key_cannot_be_a_file_and_a_directory(void **state)
{
    (void)state;
    assert_ok(h, put("a", "x"));
    assert_int_equal(put("a/b", "x"), SF_E_CONFLICT);
    assert_ok(h, put("c/d", "x"));
    assert_int_equal(put("c", "x"), SF_E_CONFLICT);
}

static void a_bucket_that_is_not_there_is_absent(void **state)
{
    (void)state;
    struct sf_object other = {.id = {"other", 5}};
    struct sf_bucket_entry *entries;
    size_t n;
    assert_int_equal(sf_local_bucket_list(harness_op(h), &other, SF_STR_NONE, &entries, &n, &h->err), SF_E_ABSENT);
    assert_int_equal(sf_local_bucket_put(harness_op(h), &other, SF_STR("x"), SF_STR("x"), &h->err), SF_E_ABSENT);
    assert_ok(h, sf_local_bucket_delete(harness_op(h), &other, SF_STR("x"), &h->err));
    other.id = SF_STR("../landing");
    assert_int_equal(sf_local_bucket_list(harness_op(h), &other, SF_STR_NONE, &entries, &n, &h->err), SF_E_REFUSED);
}

static void temporary_files_are_invisible_and_gone_after_a_put(void **state)
{
    (void)state;
    struct sf_bucket_entry *entries;
    size_t n, left = 0;
    assert_ok(h, put("x", "x"));
    int fd = open(data_path(".sfstack-crashed"), O_WRONLY | O_CREAT, 0600);
    close(fd);
    assert_ok(h, sf_local_bucket_list(harness_op(h), &bucket, SF_STR_NONE, &entries, &n, &h->err));
    assert_int_equal(n, 1);
    DIR *dir = opendir(data_path(""));
    struct dirent *entry;
    while ((entry = readdir(dir)) != NULL)
        left += strncmp(entry->d_name, SF_TEMP_PREFIX, strlen(SF_TEMP_PREFIX)) == 0;
    closedir(dir);
    assert_int_equal(left, 1); /* the one made here */
}

struct writer {
    struct harness *h;
    char letter;
    atomic_int *running;
};

static void *write_often(void *arg)
{
    struct writer *w = arg;
    struct sf_arena *arena = sf_arena_new();
    struct sf_op op = w->h->op;
    char text[20000];
    op.arena = arena;
    memset(text, w->letter, sizeof(text));
    for (int i = 0; i < 200; i++) {
        if (sf_territory_write_file(&op, sf_territory_path(&op, "shared.json"), (struct sf_str){text, sizeof(text)}, 0600, NULL))
            abort();
    }
    sf_arena_free(arena);
    atomic_fetch_sub(w->running, 1);
    return NULL;
}

static void a_reader_sees_a_whole_file_of_one_writer(void **state)
{
    (void)state;
    atomic_int running = 2;
    struct writer writers[] = {{h, 'a', &running}, {h, 'b', &running}};
    pthread_t threads[2];
    struct sf_op *op = harness_op(h);
    const char *path = sf_territory_path(op, "shared.json");
    struct sf_str text;
    assert_ok(h, sf_territory_write_file(op, path, SF_STR("c"), 0600, &h->err));
    for (size_t i = 0; i < 2; i++)
        assert_int_equal(pthread_create(&threads[i], NULL, write_often, &writers[i]), 0);
    while (atomic_load(&running) > 0) {
        assert_ok(h, sf_territory_read_file(op, path, &text, &h->err));
        assert_true(text.n == 1 || text.n == 20000);
        assert_int_equal(text.p[0], text.p[text.n - 1]);
    }
    for (size_t i = 0; i < 2; i++)
        pthread_join(threads[i], NULL);
}

static void files_have_the_mode_and_the_owner_asked_for(void **state)
{
    (void)state;
    struct stat st;
    bool changed;
    struct sf_op *op = harness_op(h);
    const char *path = sf_territory_path(op, "a/b/c");
    assert_ok(h, sf_territory_mkdir(op, sf_territory_path(op, "a/b"), 0711, &h->err));
    mode_t before = umask(0077);
    assert_ok(h, sf_territory_write_changed(op, path, SF_STR("x"), 0644, &changed, &h->err));
    umask(before);
    assert_true(changed);
    assert_int_equal(stat(path, &st), 0);
    assert_int_equal(st.st_mode & 07777, 0644);
    assert_int_equal(st.st_uid, h->territory.run_uid);
    assert_ok(h, sf_territory_write_changed(op, path, SF_STR("x"), 0644, &changed, &h->err));
    assert_false(changed);
    assert_ok(h, sf_territory_write_changed(op, path, SF_STR("x"), 0600, &changed, &h->err));
    assert_true(changed);
}

static void only_this_stacks_directories_can_be_removed(void **state)
{
    (void)state;
    struct sf_op *op = harness_op(h);
    assert_int_equal(sf_territory_remove_tree(op, "/etc", &h->err), SF_E_INTERNAL);
    assert_int_equal(sf_territory_remove_tree(op, h->territory.dir, &h->err), SF_OK); /* below the state directory */
    assert_int_equal(sf_territory_remove_tree(op, sf_str_fmt(h->arena, "%s/../x", h->dir).p, &h->err), SF_E_INTERNAL);
}

int main(void)
{
#define TEST(name) cmocka_unit_test_setup_teardown(name, setup, teardown)
    const struct CMUnitTest tests[] = {
        TEST(objects_are_put_listed_read_and_deleted),
        TEST(hostile_keys_are_refused),
        TEST(links_in_a_bucket_lead_nowhere),
        TEST(a_key_cannot_be_a_file_and_a_directory),
        TEST(a_bucket_that_is_not_there_is_absent),
        TEST(temporary_files_are_invisible_and_gone_after_a_put),
        TEST(a_reader_sees_a_whole_file_of_one_writer),
        TEST(files_have_the_mode_and_the_owner_asked_for),
        TEST(only_this_stacks_directories_can_be_removed),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
