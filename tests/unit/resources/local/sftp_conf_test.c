/* The text that ProFTPD gets, as far as it can be judged without ProFTPD; tests/local/test_sftp_verbs.py judges the rest. */
#include "resources/local/sftp_conf.h"

#include <setjmp.h>
#include <stdarg.h>

#include <cmocka.h>

static struct sf_arena *arena;

static int setup(void **state)
{
    (void)state;
    arena = sf_arena_new();
    return 0;
}

static int teardown(void **state)
{
    (void)state;
    sf_arena_free(arena);
    return 0;
}

static const struct sf_str key[] = {
    {"ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAIOMqqnkVzrm0SdG6UOoqKLsabgH5C9okWi0dh2l9GKJl someone@here", 93}};

static struct sf_sftp_login login(const char *name, const struct sf_sftp_grant *grants, size_t n)
{
    return (struct sf_sftp_login){.name = sf_str_of(name),
                                  .data_dir = SF_STR("/w/buckets/b/data"),
                                  .prefix = SF_STR(""),
                                  .keys = key,
                                  .n_keys = 1,
                                  .grants = grants,
                                  .n_grants = n};
}

static struct sf_str text_of(const struct sf_sftp_login *logins, size_t n)
{
    struct sf_sftp_conf conf = {.dir = SF_STR("/w/sftp/s-1"),
                                .address = SF_STR("127.0.0.1"),
                                .port = 2222,
                                .user = SF_STR("someone"),
                                .group = SF_STR("some"),
                                .uid = 7,
                                .gid = 8,
                                .logins = logins,
                                .n_logins = n};
    return sf_sftp_conf_text(arena, &conf);
}

/* The section of this name, up to its end. */
static struct sf_str section(struct sf_str text, const char *name)
{
    struct sf_str start = sf_str_fmt(arena, "<Directory \"%s\">\n", name);
    size_t at = sf_str_find(text, start);
    if (at == SIZE_MAX)
        return SF_STR_NONE;
    struct sf_str rest = sf_str_slice(text, at, text.n);
    return sf_str_slice(rest, 0, sf_str_find(rest, SF_STR("</Directory>")));
}

/* Whether the section lets this user use the command. */
static bool lets(struct sf_str text, const char *name, const char *command, const char *user)
{
    struct sf_str rest = section(text, name);
    for (;;) {
        size_t at = sf_str_find(rest, SF_STR("<Limit "));
        if (at == SIZE_MAX)
            return false;
        rest = sf_str_slice(rest, at, rest.n);
        struct sf_str limit = sf_str_slice(rest, 0, sf_str_find(rest, SF_STR("</Limit>")));
        struct sf_str head = sf_str_slice(limit, 0, sf_str_find(limit, SF_STR(">")));
        bool is_it = sf_str_find(sf_str_fmt(arena, "%.*s ", SF_ARG(head)), sf_str_fmt(arena, " %s ", command)) != SIZE_MAX;
        if (is_it)
            return sf_str_find(limit, sf_str_fmt(arena, "AllowUser %s\n", user)) != SIZE_MAX;
        rest = sf_str_slice(rest, 1, rest.n);
    }
}

static void every_section_names_every_command(void **state)
{
    (void)state;
    static const char *const commands[] = {"RETR",     "STOR",     "APPE",    "OPENDIR", "READDIR",  "STAT",     "LSTAT",
                                           "REALPATH", "MKDIR",    "XMKD",    "DELE",    "RMD",      "RNFR",     "RNTO",
                                           "SETSTAT",  "FSETSTAT", "SYMLINK", "LINK",    "HARDLINK", "READLINK", "ALL"};
    const struct sf_sftp_grant grants[] = {
        {SF_STR(""), 0, false}, {SF_STR("a/"), SF_SFTP_ALL, true}, {SF_STR("a/b/"), SF_SFTP_GET, false}};
    struct sf_sftp_login l = login("alice", grants, 3);
    struct sf_str text = text_of(&l, 1);
    static const char *const names[] = {"/", "/*", "/a", "/a/*", "/a/b", "/a/b/*", "/w/buckets/b/data/a/b/*"};
    for (size_t i = 0; i < SF_COUNT(names); i++) {
        struct sf_str s = section(text, names[i]);
        assert_true(s.n > 0);
        for (size_t k = 0; k < SF_COUNT(commands); k++) {
            bool is_named = sf_str_find(s, sf_str_fmt(arena, " %s ", commands[k])) != SIZE_MAX ||
                            sf_str_find(s, sf_str_fmt(arena, " %s>", commands[k])) != SIZE_MAX;
            if (!is_named)
                print_error("%s is not in the section %s\n", commands[k], names[i]);
            assert_true(is_named);
        }
    }
}

static void a_command_is_let_through_in_one_name_space_only(void **state)
{
    (void)state;
    const struct sf_sftp_grant grants[] = {{SF_STR(""), SF_SFTP_ALL, true}};
    struct sf_sftp_login l = login("alice", grants, 1);
    struct sf_str text = text_of(&l, 1);
    assert_true(lets(text, "/w/buckets/b/data/*", "STOR", "alice"));
    assert_false(lets(text, "/*", "STOR", "alice"));
    assert_true(lets(text, "/*", "DELE", "alice"));
    assert_false(lets(text, "/w/buckets/b/data/*", "DELE", "alice"));
}

static void a_user_gets_nothing_from_another_users_row(void **state)
{
    (void)state;
    const struct sf_sftp_grant all[] = {{SF_STR(""), SF_SFTP_ALL, true}};
    const struct sf_sftp_grant some[] = {{SF_STR(""), 0, false}, {SF_STR("in/"), SF_SFTP_PUT, false}};
    struct sf_sftp_login both[] = {login("alice", all, 1), login("bob", some, 2)};
    struct sf_str text = text_of(both, 2);
    assert_true(lets(text, "/in/*", "DELE", "alice"));
    assert_false(lets(text, "/in/*", "DELE", "bob"));
    assert_true(lets(text, "/w/buckets/b/data/in/*", "STOR", "bob"));
    assert_false(lets(text, "/w/buckets/b/data/*", "STOR", "bob"));
    both[1].data_dir = SF_STR("/w/buckets/other/data");
    text = text_of(both, 2);
    assert_false(lets(text, "/w/buckets/b/data/*", "STOR", "bob"));
    assert_false(lets(text, "/w/buckets/other/data/in/*", "STOR", "alice"));
}

static void a_directory_that_cannot_be_written_narrows_the_one_above_it(void **state)
{
    (void)state;
    const struct sf_sftp_grant grants[] = {{SF_STR(""), SF_SFTP_ALL, true}, {SF_STR("a/x*/"), SF_SFTP_GET, false}};
    struct sf_sftp_login l = login("alice", grants, 2);
    struct sf_str text = text_of(&l, 1);
    assert_int_equal(section(text, "/a/x*").n, 0);
    assert_true(lets(text, "/w/buckets/b/data/a/*", "RETR", "alice"));
    assert_false(lets(text, "/w/buckets/b/data/a/*", "STOR", "alice"));
    assert_true(lets(text, "/w/buckets/b/data/*", "STOR", "alice"));
}

static void paths_that_proftpd_cannot_be_given_are_refused(void **state)
{
    (void)state;
    static const char *const bad[] = {"",      "/",     "relative", "/a*b", "/a[b]", "/a\"b",
                                      "/a\nb", "/a%ub", "/~a",      "/a:b", "/a#b",  "/a<b"};
    for (size_t i = 0; i < SF_COUNT(bad); i++)
        assert_false(sf_sftp_is_usable_path(sf_str_of(bad[i])));
    assert_true(sf_sftp_is_usable_path(SF_STR("/home/some one/é/x-y_z.w@v+u=t,s")));
}

static void keys_become_rfc_4716_and_garbage_is_refused(void **state)
{
    (void)state;
    struct sf_str text;
    struct sf_err err;
    struct sf_sftp_login l = login("alice", NULL, 0);
    assert_int_equal(sf_sftp_keys_text(arena, &l, &text, &err), SF_OK);
    assert_string_equal(text.p, "---- BEGIN SSH2 PUBLIC KEY ----\n"
                                "AAAAC3NzaC1lZDI1NTE5AAAAIOMqqnkVzrm0SdG6UOoqKLsabgH5C9okWi0dh2l9GKJl\n"
                                "---- END SSH2 PUBLIC KEY ----\n");
    const struct sf_str garbage[] = {SF_STR("ssh-ed25519 AAAA\nB3Nz---- END"), SF_STR("nothing"), SF_STR("")};
    for (size_t i = 0; i < SF_COUNT(garbage); i++) {
        l.keys = &garbage[i];
        assert_int_equal(sf_sftp_keys_text(arena, &l, &text, &err), SF_E_CONFIG);
    }
}

static void a_home_made_anew_makes_a_new_text(void **state)
{
    (void)state;
    struct sf_sftp_grant all = {SF_STR(""), SF_SFTP_ALL, true};
    struct sf_sftp_login first = login("u", &all, 1), second = first;
    first.born = SF_STR("7-1.0");
    second.born = SF_STR("7-2.0");
    assert_false(sf_str_eq(sf_sftp_conf_ident(text_of(&first, 1)), sf_sftp_conf_ident(text_of(&second, 1))));
}

static void the_greeting_changes_with_the_rules_and_only_then(void **state)
{
    (void)state;
    const struct sf_sftp_grant one[] = {{SF_STR(""), SF_SFTP_PUT, false}}, two[] = {{SF_STR(""), SF_SFTP_GET, false}};
    struct sf_sftp_login a = login("alice", one, 1), b = login("alice", two, 1);
    struct sf_str first = sf_sftp_conf_ident(text_of(&a, 1)), again = sf_sftp_conf_ident(text_of(&a, 1));
    assert_true(sf_str_starts(first, SF_STR("sfstack_")));
    assert_true(sf_str_eq(first, again));
    assert_false(sf_str_eq(first, sf_sftp_conf_ident(text_of(&b, 1))));
}

static void access_says_what_changes_when_rights_or_keys_do(void **state)
{
    (void)state;
    const struct sf_sftp_grant grants[] = {{SF_STR(""), SF_SFTP_PUT | SF_SFTP_LIST, true}};
    struct sf_sftp_login l = login("alice", grants, 1);
    struct sf_str before = sf_sftp_access_text(arena, &l);
    assert_true(sf_str_find(before, SF_STR("/: list put ls\n")) != SIZE_MAX);
    assert_true(sf_str_find(before, SF_STR("key SHA256:")) != SIZE_MAX);
    l.n_keys = 0;
    assert_false(sf_str_eq(before, sf_sftp_access_text(arena, &l)));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(every_section_names_every_command),
        cmocka_unit_test(a_command_is_let_through_in_one_name_space_only),
        cmocka_unit_test(a_user_gets_nothing_from_another_users_row),
        cmocka_unit_test(a_directory_that_cannot_be_written_narrows_the_one_above_it),
        cmocka_unit_test(paths_that_proftpd_cannot_be_given_are_refused),
        cmocka_unit_test(a_home_made_anew_makes_a_new_text),
        cmocka_unit_test(keys_become_rfc_4716_and_garbage_is_refused),
        cmocka_unit_test(the_greeting_changes_with_the_rules_and_only_then),
        cmocka_unit_test(access_says_what_changes_when_rights_or_keys_do),
    };
    return cmocka_run_group_tests(tests, setup, teardown);
}
