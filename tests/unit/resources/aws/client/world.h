/* An AWS of one scripted server for tests of the client and of drivers: include it from the one file of a test program. */
#ifndef SF_TESTS_AWS_WORLD_H
#define SF_TESTS_AWS_WORLD_H

#include "engine/core/json.h"
#include "resources/aws/client/client.h"
#include "tests/unit/resources/net/http_server.h"
#include "tests/unit/support/fake_run.h"

#define WORLD_INTENT "99999999-2222-4333-8444-555555555555"

struct world {
    struct sf_arena *arena;
    struct server *server;
    struct sf_aws_config config;
    struct sf_aws *aws;
    struct sf_site site;
    struct sf_object self;
    struct sf_op op;
    struct sf_err err;
    const struct sf_value *reply;
};

static inline int world_setup(void **state)
{
    struct world *w = calloc(1, sizeof(*w));
    char url[64];
    assert_non_null(w);
    w->arena = sf_arena_new();
    w->server = server_start();
    snprintf(url, sizeof(url), "http://127.0.0.1:%d", w->server->port);
    setenv("HOME", "/nonexistent", 1);
    setenv("AWS_ENDPOINT_URL", url, 1);
    setenv("AWS_REGION", "us-west-2", 1);
    setenv("AWS_ACCESS_KEY_ID", "AKIDEXAMPLE", 1);
    setenv("AWS_SECRET_ACCESS_KEY", "wJalrXUtnFEMI/K7MDENG+bPxRfiCYEXAMPLEKEY", 1);
    unsetenv("AWS_SESSION_TOKEN");
    unsetenv("AWS_PROFILE");
    assert_int_equal(sf_aws_config_load(w->arena, NULL, &w->config, &w->err), SF_OK);
    assert_int_equal(sf_aws_new(w->arena, &w->config, &w->aws, &w->err), SF_OK);
    w->site = (struct sf_site){.stack = SF_STR("test"),
                               .lineage = SF_STR("11111111-2222-4333-8444-555555555555"),
                               .provider = SF_STR("aws"),
                               .account = SF_STR("123456789012"),
                               .region = SF_STR("us-west-2"),
                               .world_ctx = w->aws};
    w->self = (struct sf_object){.address = SF_STR("bucket.landing"), .attrs = sf_value_map(w->arena)};
    w->op = (struct sf_op){.arena = w->arena,
                           .site = &w->site,
                           .self = &w->self,
                           .intent = SF_STR(WORLD_INTENT),
                           .deadline_ms = sf_clock_ms() + 20000,
                           .run = (struct sf_run_ctx *)w};
    fake_forget();
    *state = w;
    return 0;
}

static inline int world_teardown(void **state)
{
    struct world *w = *state;
    sf_aws_free(w->aws);
    server_stop(w->server);
    sf_arena_free(w->arena);
    free(w);
    return 0;
}

/* A value from JSON. */
static inline const struct sf_value *world_value(struct world *w, const char *json)
{
    const struct sf_value *v = NULL;
    assert_int_equal(sf_json_parse(w->arena, sf_str_of(json), "test", SF_JSON_PLAIN, &v, NULL), SF_OK);
    return v;
}

/* Whether the i-th request holds `text`; prints it if not. */
static inline void world_assert_sent(struct world *w, size_t i, const char *text)
{
    if (!strstr(server_request(w->server, i), text))
        print_error("'%s' is not in: %s\n", text, server_request(w->server, i));
    assert_non_null(strstr(server_request(w->server, i), text));
}

#endif
