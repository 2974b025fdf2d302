/* ~/.aws and the environment: what a file means, which of two settings wins, and which line is at fault. */
#include "resources/aws/client/config.h"
#include "resources/aws/client/ini.h"
#include "tests/unit/support/temp_dir.h"

#include <setjmp.h>
#include <stdarg.h>

#include <cmocka.h>

#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

static struct sf_arena *arena;
static struct sf_err err;
static char dir[TEMP_DIR_BYTES], config_path[80], credentials_path[80];

static int setup(void **state)
{
    (void)state;
    /* names first: unsetting while walking the environment would skip some */
    char names[64][64];
    size_t n = 0;
    for (char **entry = environ; *entry && n < SF_COUNT(names); entry++) {
        if (strncmp(*entry, "AWS_", 4) == 0)
            snprintf(names[n++], sizeof(names[0]), "%.*s", (int)strcspn(*entry, "="), *entry);
    }
    while (n)
        unsetenv(names[--n]);
    arena = sf_arena_new();
    err = (struct sf_err){.code = SF_OK};
    temp_dir_make(dir, "config");
    snprintf(config_path, sizeof(config_path), "%s/config", dir);
    snprintf(credentials_path, sizeof(credentials_path), "%s/credentials", dir);
    setenv("AWS_CONFIG_FILE", config_path, 1);
    setenv("AWS_SHARED_CREDENTIALS_FILE", credentials_path, 1);
    return 0;
}

static int teardown(void **state)
{
    (void)state;
    sf_arena_free(arena);
    return temp_dir_remove(dir);
}

static void write_file(const char *path, const char *text)
{
    FILE *file = fopen(path, "we");
    assert_non_null(file);
    assert_true(fputs(text, file) >= 0);
    assert_int_equal(fclose(file), 0);
}

static void assert_text(struct sf_str got, const char *wanted)
{
    if (!sf_str_is(got, wanted))
        fail_msg("wanted '%s', got '%.*s'", wanted, SF_ARG(got));
}

static struct sf_aws_config load(const struct sf_value *settings)
{
    struct sf_aws_config config;
    if (sf_aws_config_load(arena, settings, &config, &err))
        fail_msg("%s", err.message);
    return config;
}

static void test_without_files_and_variables_the_profile_is_default_and_there_is_no_region(void **state)
{
    (void)state;
    struct sf_aws_config config = load(NULL);
    assert_text(config.profile, "default");
    assert_false(config.is_profile_explicit || config.is_profile_of_stack || config.use_fips || config.use_dualstack);
    assert_int_equal(config.region.n, 0);
    assert_int_equal(sf_aws_config_get(&config, "region").n, 0);
}

static void test_the_stack_wins_over_the_environment_and_that_over_the_profile(void **state)
{
    (void)state;
    write_file(config_path, "[profile a]\nregion = eu-west-1\n[profile b]\n[profile c]\n[default]\nregion = sa-east-1\n");
    struct sf_value *settings = sf_value_map(arena);
    assert_text(load(settings).region, "sa-east-1");
    setenv("AWS_DEFAULT_PROFILE", "a", 1);
    assert_text(load(settings).profile, "a");
    assert_text(load(settings).region, "eu-west-1");
    setenv("AWS_PROFILE", "b", 1);
    assert_text(load(settings).profile, "b");
    assert_true(load(settings).is_profile_explicit);
    assert_false(load(settings).is_profile_of_stack);
    setenv("AWS_DEFAULT_REGION", "us-east-2", 1);
    assert_text(load(settings).region, "us-east-2");
    setenv("AWS_REGION", "us-west-1", 1);
    assert_text(load(settings).region, "us-west-1");
    sf_map_set_str(arena, settings, "profile", SF_STR("c"));
    sf_map_set_str(arena, settings, "region", SF_STR("us-west-2"));
    assert_text(load(settings).profile, "c");
    assert_true(load(settings).is_profile_of_stack);
    assert_text(load(settings).region, "us-west-2");
}

static void test_an_empty_variable_is_one_that_is_not_set(void **state)
{
    (void)state;
    setenv("AWS_PROFILE", "", 1);
    setenv("AWS_REGION", "", 1);
    setenv("AWS_DEFAULT_REGION", "us-east-2", 1);
    setenv("AWS_ENDPOINT_URL_S3", "", 1);
    struct sf_aws_config config = load(NULL);
    assert_text(config.profile, "default");
    assert_text(config.region, "us-east-2");
    assert_null(sf_map_getz(config.overrides, "AWS_ENDPOINT_URL_S3"));
}

static void test_the_credentials_file_wins_setting_by_setting_and_both_can_be_told_apart(void **state)
{
    (void)state;
    write_file(config_path, "[default]\nregion = a\nrole_arn = b\n");
    write_file(credentials_path, "[default]\nregion = c\n[profile x]\nregion = d\n");
    struct sf_aws_config config = load(NULL);
    assert_text(sf_aws_config_get(&config, "region"), "c");
    assert_text(sf_aws_config_get(&config, "role_arn"), "b");
    assert_text(sf_map_str(sf_map_getz(config.config_profiles, "default"), "region"), "a");
    assert_text(sf_map_str(sf_map_getz(config.credentials_profiles, "default"), "region"), "c");
    /* sections of the credentials file are names of profiles as they stand */
    assert_non_null(sf_map_getz(config.profiles, "profile x"));
    assert_null(sf_map_getz(config.profiles, "x"));
}

static void test_sections_are_sorted_by_their_first_word(void **state)
{
    (void)state;
    write_file(
        config_path,
        "[profile 'north beach']\nregion = a\n[sso-session city]\nsso_region = b\n[services local]\n"
        "s3 =\n  endpoint_url = http://localhost:1\n  other=x\n[preview]\ncloudfront = true\n[profile a b]\n[profile x y z]\n");
    struct sf_aws_config config = load(NULL);
    assert_text(sf_map_str(sf_map_getz(config.profiles, "north beach"), "region"), "a");
    assert_text(sf_map_str(sf_map_getz(config.sessions, "city"), "sso_region"), "b");
    assert_text(sf_map_str(sf_map_getz(sf_map_getz(config.services, "local"), "s3"), "endpoint_url"), "http://localhost:1");
    assert_int_equal(config.profiles->map.n, 1);
}

static void test_fips_and_dual_stack_are_asked_of_the_environment_first(void **state)
{
    (void)state;
    write_file(config_path,
               "[default]\nuse_fips_endpoint = TRUE\nuse_dualstack_endpoint = true\nignore_configured_endpoint_urls = True\n");
    setenv("AWS_USE_DUALSTACK_ENDPOINT", "false", 1);
    struct sf_aws_config config = load(NULL);
    assert_true(config.use_fips && config.ignores_overrides);
    assert_false(config.use_dualstack);
}

static void test_a_profile_that_is_nowhere_is_refused_with_those_there_are(void **state)
{
    (void)state;
    struct sf_aws_config config;
    write_file(config_path, "[default]\n[profile a]\n");
    write_file(credentials_path, "[b]\n");
    setenv("AWS_PROFILE", "c", 1);
    assert_int_equal(sf_aws_config_load(arena, NULL, &config, &err), SF_E_CONFIG);
    assert_string_equal(err.message, "there is no AWS profile 'c'");
    assert_string_equal(err.hint, "profiles there are: default, a, b");
}

static void test_a_file_that_is_there_and_cannot_be_read_is_an_error(void **state)
{
    (void)state;
    struct sf_aws_config config;
    assert_int_equal(symlink(config_path, config_path), 0); /* leads to itself: root cannot read it either */
    assert_int_equal(sf_aws_config_load(arena, NULL, &config, &err), SF_E_CONFIG);
    assert_non_null(strstr(err.message, config_path));
    setenv("AWS_CONFIG_FILE", "/dev/null", 1);
    assert_int_equal(sf_aws_config_load(arena, NULL, &config, &err), SF_OK);
}

static void test_secrets_are_marked_wherever_they_stand(void **state)
{
    (void)state;
    write_file(config_path, "[default]\naws_access_key_id = a\naws_secret_access_key = b\nx =\n aws_session_token = c\n");
    struct sf_aws_config config = load(NULL);
    const struct sf_value *profile = sf_map_getz(config.profiles, "default");
    assert_false(sf_map_getz(profile, "aws_access_key_id")->is_secret);
    assert_true(sf_map_getz(profile, "aws_secret_access_key")->is_secret);
    assert_true(sf_map_getz(sf_map_getz(profile, "x"), "aws_session_token")->is_secret);
}

/* --- the file format: what Python's configparser makes of the same text --- */

static const struct {
    const char *text, *section, *key, *wanted; /* NULL: no such setting */
} readings[] = {
    {"[a]\nk = v\n", "a", "k", "v"},
    {"[a]\nk=v", "a", "k", "v"},
    {"[a]\r\nk = v\r\n", "a", "k", "v"},
    {"\xef\xbb\xbf[a]\nk = v\n", "a", "k", "v"},
    {"[a]\nk : v = w\n", "a", "k", "v = w"},
    {"[a]\nk = v # c ; d\n", "a", "k", "v # c ; d"},
    {"[a]\nKeY = V\n", "a", "key", "V"},
    {"[a]\nk =\n", "a", "k", ""},
    {"[a]\nk = v\n  w\n# c\n\tx\n", "a", "k", "v\nw\nx"},
    {"[a]\nk = v\n\n  w\nl = m\n", "a", "k", "v\n\nw"},
    {"[a]\n  k = v\n  l = m\n", "a", "l", "m"},
    {"[a]\n  k = v\nl = m\n", "a", "l", "m"},
    {"[a]\nk = v\n\n\n", "a", "k", "v"},
    {"[a]b] c\nk = v\n", "a]b", "k", "v"},
    {" [a]\nk = v\n", "a", "k", "v"},
    {"[DEFAULT]\nk = v\n[a]\nl = m\n", "a", "k", "v"},
    {"[DEFAULT]\nk = v\n[a]\nk = w\n", "a", "k", "w"},
    {"[default]\nk = v\n[a]\nl = m\n", "a", "k", NULL},
    {"[DEFAULT]\nk = v\n", "DEFAULT", "k", NULL},
    {"[a]\nk = \xc3\xa9\n", "a", "k", "\xc3\xa9"},
    {"", "a", "k", NULL},
};

static void test_files_are_read_as_configparser_reads_them(void **state)
{
    (void)state;
    for (size_t i = 0; i < SF_COUNT(readings); i++) {
        const struct sf_value *sections;
        assert_int_equal(sf_ini_parse(arena, sf_str_of(readings[i].text), "file", &sections, &err), SF_OK);
        const struct sf_value *setting = sf_map_getz(sf_map_getz(sections, readings[i].section), readings[i].key);
        if (!setting != !readings[i].wanted || (setting && !sf_str_is(setting->s, readings[i].wanted)))
            fail_msg("%zu: '%s' gave '%.*s'", i, readings[i].text, SF_ARG(setting ? setting->s : SF_STR_NONE));
    }
}

static const struct {
    const char *text;
    uint32_t line;
} faults[] = {
    {"k = v\n", 1},
    {"[a]\nk = v\n[a]\n", 3},
    {"[a]\nk = v\nK : w\n", 3},
    {"[DEFAULT]\nk = v\n[DEFAULT]\nk = w\n", 4},
    {"[a]\n\n# c\nwJalrXUtnFEMI\n", 4},
    {"[a]\n= v\n", 2},
    {"[a]\nk =\n  b = c\n  wJalrXUtnFEMI\n", 2},
    {"[]\nk = v\n", 1},
    {"[a]\nk = \xff\n", 1},
};

static void test_a_fault_is_placed_and_its_line_which_may_be_a_secret_is_not_quoted(void **state)
{
    (void)state;
    for (size_t i = 0; i < SF_COUNT(faults); i++) {
        const struct sf_value *sections;
        assert_int_equal(sf_ini_parse(arena, sf_str_of(faults[i].text), "file", &sections, &err), SF_E_CONFIG);
        if (err.where.line != faults[i].line)
            fail_msg("%zu: line %u: %s", i, err.where.line, err.message);
        assert_string_equal(err.where.file, "file");
        assert_null(strstr(err.message, "wJalrXUtnFEMI"));
    }
}

static const struct {
    const char *text;
    const char *words[5];
} commands[] = {
    {"", {NULL}},
    {"  ", {NULL}},
    {"a", {"a", NULL}},
    {" a\tb\nc ", {"a", "b", "c", NULL}},
    {"a\\ b c", {"a b", "c", NULL}},
    {"'a b' \"c d\"", {"a b", "c d", NULL}},
    {"'a\\b' \"a\\b\" \"a\\\"b\\\\\"", {"a\\b", "a\\b", "a\"b\\", NULL}},
    {"a'b 'c\"d \"e", {"ab cd e", NULL}},
    {"'' \"\"", {"", "", NULL}},
    {"a;b $HOME `x` # c", {"a;b", "$HOME", "`x`", "#", "c"}},
};

static void test_commands_are_split_as_a_shell_splits_them_and_nothing_is_expanded(void **state)
{
    (void)state;
    struct sf_str *words;
    size_t n;
    for (size_t i = 0; i < SF_COUNT(commands); i++) {
        assert_true(sf_shell_words(arena, sf_str_of(commands[i].text), &words, &n));
        for (size_t k = 0; k < SF_COUNT(commands[i].words) && (k == 0 || commands[i].words[k - 1]); k++) {
            if (k < n ? !commands[i].words[k] || !sf_str_is(words[k], commands[i].words[k]) : commands[i].words[k] != NULL)
                fail_msg("'%s', word %zu: '%.*s'", commands[i].text, k, SF_ARG(k < n ? words[k] : SF_STR_NONE));
        }
    }
    assert_false(sf_shell_words(arena, SF_STR("a 'b"), &words, &n));
    assert_false(sf_shell_words(arena, SF_STR("a \"b'"), &words, &n));
    assert_false(sf_shell_words(arena, SF_STR("a \\"), &words, &n));
}

static void test_a_tilde_is_the_home_directory(void **state)
{
    (void)state;
    setenv("HOME", "/home/city", 1);
    assert_text(sf_aws_home_path(arena, SF_STR("~/.aws/config")), "/home/city/.aws/config");
    assert_text(sf_aws_home_path(arena, SF_STR("/etc/~/x")), "/etc/~/x");
    assert_text(sf_aws_home_path(arena, SF_STR("~city/x")), "~city/x");
}

int main(void)
{
#define EACH(test) cmocka_unit_test_setup_teardown(test, setup, teardown)
    const struct CMUnitTest tests[] = {
        EACH(test_without_files_and_variables_the_profile_is_default_and_there_is_no_region),
        EACH(test_the_stack_wins_over_the_environment_and_that_over_the_profile),
        EACH(test_an_empty_variable_is_one_that_is_not_set),
        EACH(test_the_credentials_file_wins_setting_by_setting_and_both_can_be_told_apart),
        EACH(test_sections_are_sorted_by_their_first_word),
        EACH(test_fips_and_dual_stack_are_asked_of_the_environment_first),
        EACH(test_a_profile_that_is_nowhere_is_refused_with_those_there_are),
        EACH(test_a_file_that_is_there_and_cannot_be_read_is_an_error),
        EACH(test_secrets_are_marked_wherever_they_stand),
        EACH(test_files_are_read_as_configparser_reads_them),
        EACH(test_a_fault_is_placed_and_its_line_which_may_be_a_secret_is_not_quoted),
        EACH(test_commands_are_split_as_a_shell_splits_them_and_nothing_is_expanded),
        EACH(test_a_tilde_is_the_home_directory),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
