/* Where the territory is and who may use it. As root, the servers' account is another; as any other user it is that user. */
#include "resources/data/world.h"
#include "resources/local/territory.h"
#include "tests/unit/support/temp_dir.h"

#include <setjmp.h>
#include <stdarg.h>

#include <cmocka.h>

#include <pwd.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

extern const struct sf_world sf_world_local;

static struct sf_arena *arena;
static struct sf_site site;
static struct sf_value *settings;
static struct sf_territory *t;
static const struct sf_value *record;
static struct sf_err err;
static char dir[TEMP_DIR_BYTES];
static bool is_root;

static int setup(void **state)
{
    (void)state;
    arena = sf_arena_new();
    is_root = geteuid() == 0;
    settings = sf_value_map(arena);
    temp_dir_make(dir, "world");
    site = (struct sf_site){.stack = SF_STR("sf-test"),
                            .settings = settings,
                            .stack_dir = dir,
                            .state_dir = sf_str_fmt(arena, "%s/.sf/sf-test/local", dir).p};
    return 0;
}

static int teardown(void **state)
{
    (void)state;
    if (t && strncmp(t->dir, "/var/lib/sfstack/", 17) == 0)
        temp_dir_remove(t->dir);
    temp_dir_remove(dir);
    sf_arena_free(arena);
    t = NULL;
    return 0;
}

static enum sf_code open_world(bool may_write, const struct sf_value *recorded)
{
    void *ctx = NULL;
    memset(&err, 0, sizeof(err));
    enum sf_code rc = sf_world_local.open(arena, &site, may_write, recorded ? recorded : sf_value_map(arena), &ctx, &record, &err);
    t = ctx;
    return rc;
}

static void the_territory_is_in_the_state_directory_when_its_account_gets_there(void **state)
{
    (void)state;
    struct stat st;
    assert_int_equal(chmod(dir, 0755), 0);
    for (const char *p = site.state_dir + strlen(dir) + 1;; p++) { /* open to all on the way */
        p = strchr(p, '/');
        const char *one = sf_str_fmt(arena, "%.*s", p ? (int)(p - site.state_dir) : 999, site.state_dir).p;
        assert_int_equal(mkdir(one, 0755), 0);
        if (!p)
            break;
    }
    assert_int_equal(open_world(true, NULL), SF_OK);
    assert_string_equal(t->dir, sf_str_fmt(arena, "%s/world", site.state_dir).p);
    assert_null(record);
    assert_int_equal(stat(t->dir, &st), 0);
    assert_int_equal(st.st_mode & 07777, 0700);
    assert_int_equal(st.st_uid, t->run_uid);
    assert_int_not_equal(t->run_uid, 0);
    assert_int_equal(t->switches_user, is_root);
    const char *first = t->dir;
    assert_int_equal(open_world(true, NULL), SF_OK);
    assert_string_equal(t->dir, first);
}

static void root_goes_elsewhere_when_the_account_cannot_get_there_and_says_so(void **state)
{
    (void)state;
    if (!is_root) {
        print_message("skipped: only root has servers of another account\n");
        skip();
    }
    assert_int_equal(open_world(true, NULL), SF_OK); /* mkdtemp made it 0700 */
    assert_int_equal(strncmp(t->dir, "/var/lib/sfstack/sf-test-", 25), 0);
    assert_non_null(record);
    assert_true(sf_str_is(sf_map_str(record, "dir"), t->dir));
    const struct sf_value *recorded = record;
    /* recorded is where the objects are, whatever the directory allows today */
    assert_int_equal(chmod(dir, 0755), 0);
    assert_int_equal(open_world(true, recorded), SF_OK);
    assert_true(sf_str_is(sf_map_str(recorded, "dir"), t->dir));
    assert_null(record);
}

static void a_plan_makes_nothing(void **state)
{
    (void)state;
    assert_int_equal(open_world(false, NULL), SF_OK);
    assert_int_equal(access(sf_str_fmt(arena, "%s/.sf", dir).p, F_OK), -1);
    assert_int_equal(access(t->dir, F_OK), -1);
}

static void a_root_of_ones_own_is_taken_and_cannot_silently_move(void **state)
{
    (void)state;
    assert_int_equal(chmod(dir, 0755), 0);
    sf_map_set_str(arena, settings, "root", SF_STR("elsewhere/"));
    assert_int_equal(open_world(true, NULL), SF_OK);
    assert_string_equal(t->dir, sf_str_fmt(arena, "%s/elsewhere", dir).p);
    const struct sf_value *recorded = record;
    sf_map_set_str(arena, settings, "root", SF_STR("moved"));
    assert_int_equal(open_world(true, recorded), SF_E_CONFIG);
    assert_non_null(strstr(err.hint, "sfdestroy"));
}

static void an_account_that_is_none_or_root_is_refused(void **state)
{
    (void)state;
    if (!is_root) {
        print_message("skipped: run_as is for root\n");
        skip();
    }
    sf_map_set_str(arena, settings, "run_as", SF_STR("no-such-account"));
    assert_int_equal(open_world(true, NULL), SF_E_CONFIG);
    assert_non_null(strstr(err.hint, "useradd"));
    sf_map_set_str(arena, settings, "run_as", SF_STR("root"));
    assert_int_equal(open_world(true, NULL), SF_E_CONFIG);
    sf_map_set_str(arena, settings, "run_as", SF_STR("nobody"));
    assert_int_equal(open_world(true, NULL), SF_OK);
    assert_string_equal(t->run_user, "nobody");
}

static void root_does_not_work_in_somebodys_directory(void **state)
{
    (void)state;
    struct passwd *nobody = getpwnam("nobody");
    if (!is_root || !nobody) {
        print_message("skipped: takes root and an account 'nobody'\n");
        skip();
    }
    assert_int_equal(chown(dir, nobody->pw_uid, nobody->pw_gid), 0);
    assert_int_equal(sf_world_local.check(arena, &site, &err), SF_E_DENIED); /* before state is made */
    assert_int_equal(open_world(true, NULL), SF_E_DENIED);
    assert_non_null(strstr(err.hint, "without sudo"));
    assert_non_null(strstr(err.hint, "nobody"));
    assert_int_equal(access(sf_str_fmt(arena, "%s/.sf", dir).p, F_OK), -1);
    /* its own directory with somebody's .sf in it */
    const char *dot_sf = sf_str_fmt(arena, "%s/.sf", dir).p;
    assert_int_equal(chown(dir, 0, 0), 0);
    assert_int_equal(mkdir(dot_sf, 0700), 0);
    assert_int_equal(chown(dot_sf, nobody->pw_uid, nobody->pw_gid), 0);
    assert_int_equal(open_world(false, NULL), SF_E_DENIED);
    assert_non_null(strstr(err.hint, "chown -R root"));
}

static void a_territory_of_another_account_gets_its_chown_line(void **state)
{
    (void)state;
    if (!is_root) {
        print_message("skipped: takes root to make a directory of another account\n");
        skip();
    }
    assert_int_equal(chmod(dir, 0755), 0);
    const char *place = sf_str_fmt(arena, "%s/place", dir).p;
    assert_int_equal(mkdir(place, 0700), 0); /* root's */
    sf_map_set_str(arena, settings, "root", sf_str_of(place));
    assert_int_equal(open_world(true, NULL), SF_E_DENIED);
    assert_non_null(strstr(err.hint, "chown -R "));
    /* one made for another account goes on with that account */
    struct passwd *nobody = getpwnam("nobody");
    assert_int_equal(chown(place, nobody->pw_uid, nobody->pw_gid), 0);
    assert_int_equal(open_world(true, NULL), SF_OK);
    assert_string_equal(t->run_user, "nobody");
}

int main(void)
{
#define TEST(name) cmocka_unit_test_setup_teardown(name, setup, teardown)
    const struct CMUnitTest tests[] = {
        TEST(the_territory_is_in_the_state_directory_when_its_account_gets_there),
        TEST(root_goes_elsewhere_when_the_account_cannot_get_there_and_says_so),
        TEST(a_plan_makes_nothing),
        TEST(a_root_of_ones_own_is_taken_and_cannot_silently_move),
        TEST(an_account_that_is_none_or_root_is_refused),
        TEST(root_does_not_work_in_somebodys_directory),
        TEST(a_territory_of_another_account_gets_its_chown_line),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
