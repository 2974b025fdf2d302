/* Overrides of endpoints and names of regions. Where services are by themselves is compared with botocore in tests/aws. */
#include "resources/aws/client/endpoint.h"

#include <setjmp.h>
#include <stdarg.h>

#include <cmocka.h>

static struct sf_arena *arena;
static struct sf_err err;
static struct sf_aws_config config;
static struct sf_value *variables, *profile, *section;

/* A profile 'city' whose services section is 'local'; nothing is overridden yet. */
static int setup(void **state)
{
    (void)state;
    arena = sf_arena_new();
    err = (struct sf_err){.code = SF_OK};
    struct sf_value *profiles = sf_value_map(arena), *services = sf_value_map(arena);
    variables = sf_value_map(arena);
    profile = sf_value_map(arena);
    section = sf_value_map(arena);
    sf_map_set(arena, profiles, SF_STR("city"), profile);
    sf_map_set(arena, services, SF_STR("local"), section);
    config = (struct sf_aws_config){.profile = SF_STR("city"), .profiles = profiles, .services = services, .overrides = variables};
    return 0;
}

static int teardown(void **state)
{
    (void)state;
    sf_arena_free(arena);
    return 0;
}

static struct sf_aws_endpoint endpoint_of(const char *service, const char *region)
{
    struct sf_aws_endpoint endpoint;
    if (sf_aws_endpoint_of(arena, &config, service, sf_str_of(region), &endpoint, &err))
        fail_msg("%s", err.message);
    return endpoint;
}

static void assert_url(const char *service, const char *wanted)
{
    struct sf_str url = endpoint_of(service, "us-west-2").url;
    if (!sf_str_is(url, wanted))
        fail_msg("wanted %s, got %.*s", wanted, SF_ARG(url));
}

static void assert_refused(const char *service, const char *region, const char *text)
{
    struct sf_aws_endpoint endpoint;
    assert_int_equal(sf_aws_endpoint_of(arena, &config, service, sf_str_of(region), &endpoint, &err), SF_E_CONFIG);
    if (!strstr(err.message, text))
        fail_msg("%s", err.message);
}

static void test_overrides_are_asked_in_botocores_order(void **state)
{
    (void)state;
    struct sf_value *secrets = sf_value_map(arena);
    assert_url("secretsmanager", "https://secretsmanager.us-west-2.amazonaws.com");
    sf_map_set_str(arena, profile, "endpoint_url", SF_STR("https://four.example/"));
    assert_url("secretsmanager", "https://four.example");
    sf_map_set_str(arena, profile, "services", SF_STR("local"));
    assert_url("secretsmanager", "https://four.example");
    sf_map_set_str(arena, secrets, "endpoint_url", SF_STR("https://three.example"));
    sf_map_set(arena, section, SF_STR("secrets_manager"), secrets);
    assert_url("secretsmanager", "https://three.example");
    sf_map_set_str(arena, variables, "AWS_ENDPOINT_URL", SF_STR("https://two.example"));
    assert_url("secretsmanager", "https://two.example");
    sf_map_set_str(arena, variables, "AWS_ENDPOINT_URL_SECRETS_MANAGER", SF_STR("https://one.example:8443/path//"));
    assert_url("secretsmanager", "https://one.example:8443/path");
    assert_url("redshift-data", "https://two.example");
    config.ignores_overrides = true;
    assert_url("secretsmanager", "https://secretsmanager.us-west-2.amazonaws.com");
}

static void test_an_override_says_where_but_not_how_to_sign(void **state)
{
    (void)state;
    sf_map_set_str(arena, variables, "AWS_ENDPOINT_URL", SF_STR("http://localhost:5000"));
    config.use_fips = config.use_dualstack = true;
    struct sf_aws_endpoint iam = endpoint_of("iam", "us-west-2"), s3 = endpoint_of("s3", "cn-north-1");
    assert_true(iam.is_custom && s3.is_custom);
    assert_true(sf_str_is(iam.signing_region, "us-east-1") && sf_str_is(iam.signing_name, "iam"));
    assert_true(sf_str_is(s3.signing_region, "cn-north-1") && sf_str_is(s3.url, "http://localhost:5000"));
    config.ignores_overrides = true;
    assert_false(endpoint_of("iam", "us-west-2").is_custom);
}

static const char *const good_urls[] = {"http://localhost:5000", "HTTP://LOCALHOST:1",        "http://127.0.0.1",
                                        "http://127.9.9.9:80/x", "http://[::1]:5000",         "https://10.0.0.7:443",
                                        "https://[fd00::1]/x",   "https://vpce-1.example.org"};
static const char *const bad_urls[] = {"localhost:5000",
                                       "ftp://localhost",
                                       "http:",
                                       "https://",
                                       "https:///path",
                                       "https://:443",
                                       "http://10.0.0.7",
                                       "http://example.org",
                                       "http://localhost.example.org",
                                       "http://127.0.0.1.example.org",
                                       "http://[::2]",
                                       "https://user@example.org",
                                       "https://example.org?x=1",
                                       "https://example.org#x",
                                       "https://exa mple.org",
                                       "https://example.org\r\nHost: x",
                                       "http://localhost@example.org",
                                       "https://[::1",
                                       "https://example.org\\x"};

static void test_what_is_no_server_or_not_safe_is_refused_as_an_override(void **state)
{
    (void)state;
    struct sf_aws_endpoint endpoint;
    for (size_t i = 0; i < SF_COUNT(good_urls); i++) {
        sf_map_set_str(arena, variables, "AWS_ENDPOINT_URL", sf_str_of(good_urls[i]));
        assert_url("s3", good_urls[i]);
    }
    for (size_t i = 0; i < SF_COUNT(bad_urls); i++) {
        sf_map_set_str(arena, variables, "AWS_ENDPOINT_URL", sf_str_of(bad_urls[i]));
        if (sf_aws_endpoint_of(arena, &config, "s3", SF_STR("us-west-2"), &endpoint, &err) != SF_E_CONFIG)
            fail_msg("%s was taken", bad_urls[i]);
        assert_non_null(strstr(err.message, "AWS_ENDPOINT_URL is "));
        assert_int_not_equal(err.hint[0], 0);
    }
}

static void test_a_services_section_that_is_nowhere_is_refused(void **state)
{
    (void)state;
    sf_map_set_str(arena, profile, "services", SF_STR("remote"));
    assert_refused("s3", "us-west-2", "profile 'city' names services section 'remote', which does not exist");
}

static void test_only_global_services_do_without_a_region(void **state)
{
    (void)state;
    assert_true(sf_str_is(endpoint_of("iam", "").url, "https://iam.amazonaws.com"));
    assert_true(sf_str_is(endpoint_of("sts", "").url, "https://sts.amazonaws.com"));
    assert_true(sf_str_is(endpoint_of("sts", "").signing_region, "us-east-1"));
    assert_refused("s3", "", "no AWS region is set");
    assert_non_null(strstr(err.hint, "AWS_REGION"));
}

static void test_a_region_cannot_name_another_host(void **state)
{
    (void)state;
    static const char *const regions[] = {"us-west-2.evil.example/", "us west", "-us", "us_west", "x/y", "a@b", "us-west-2#"};
    for (size_t i = 0; i < SF_COUNT(regions); i++)
        assert_refused("s3", regions[i], "is not the name of a region");
    assert_refused("s4", "us-west-2", "there is no service 's4'");
}

static const struct {
    const char *region, *partition;
    bool is_region;
} regions[] = {
    {"us-west-2", "aws", true},
    {"eu-central-17", "aws", true},
    {"mx-central-1", "aws", true},
    {"cn-north-1", "aws-cn", true},
    {"us-gov-west-1", "aws-us-gov", true},
    {"us-iso-east-1", "aws-iso", true},
    {"us-isob-east-1", "aws-iso-b", true},
    {"eu-isoe-west-1", "aws-iso-e", true},
    {"us-isof-south-1", "aws-iso-f", true},
    {"eusc-de-east-1", "aws-eusc", true},
    {"aws-cn-global", "aws-cn", false},
    {"aws-iso-b-global", "aws-iso-b", false},
    {"zz-north-1", "aws", true},
    {"us-west", "aws", false},
    {"us-west-2a", "aws", false},
    {"US-WEST-2", "aws", false},
    {"", "aws", false},
    {"us--2", "aws", false},
    {"-us-west-2", "aws", false},
    {"us-west-", "aws", false},
    {"2", "aws", false},
};

static void test_regions_are_told_by_the_shape_of_their_names(void **state)
{
    (void)state;
    for (size_t i = 0; i < SF_COUNT(regions); i++) {
        struct sf_str region = sf_str_of(regions[i].region);
        if (strcmp(sf_aws_partition_of(region)->name, regions[i].partition) != 0 ||
            sf_aws_is_region(region) != regions[i].is_region)
            fail_msg("'%s': partition %s, %d", regions[i].region, sf_aws_partition_of(region)->name, sf_aws_is_region(region));
    }
}

int main(void)
{
#define EACH(test) cmocka_unit_test_setup_teardown(test, setup, teardown)
    const struct CMUnitTest tests[] = {
        EACH(test_overrides_are_asked_in_botocores_order),
        EACH(test_an_override_says_where_but_not_how_to_sign),
        EACH(test_what_is_no_server_or_not_safe_is_refused_as_an_override),
        EACH(test_a_services_section_that_is_nowhere_is_refused),
        EACH(test_only_global_services_do_without_a_region),
        EACH(test_a_region_cannot_name_another_host),
        EACH(test_regions_are_told_by_the_shape_of_their_names),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
