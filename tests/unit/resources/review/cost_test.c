/* What a plan on AWS says of money: known prices are added up, unknown ones are said to be. */
#include "engine/core/json.h"
#include "resources/review/reviews.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

static struct sf_arena *arena;
static const struct sf_site aws = {.provider = {"aws", 3}}, local = {.provider = {"local", 5}};

static const struct sf_value *attrs(const char *json)
{
    const struct sf_value *v = NULL;
    assert_int_equal(sf_json_parse(arena, sf_str_of(json), "test", SF_JSON_PLAIN, &v, NULL), SF_OK);
    return v;
}

static void assert_head(const struct sf_site *site, const char *cluster, const char *want)
{
    struct sf_buf out = SF_BUF(4096);
    const struct sf_review_item items[] = {
        {.address = SF_STR("sftp_server.sftp"), .kind = SF_STR("sftp_server"), .action = "create", .after = attrs("{}")},
        {.address = SF_STR("cluster.dw"), .kind = SF_STR("cluster"), .action = "create", .after = attrs(cluster)},
    };
    sf_review_cost.head(site, items, SF_COUNT(items), &out);
    assert_string_equal(out.p ? out.p : "", want);
    sf_buf_free(&out);
}

static int set_up(void **state)
{
    (void)state;
    arena = sf_arena_new();
    return 0;
}

static int tear_down(void **state)
{
    (void)state;
    sf_arena_free(arena);
    return 0;
}

static void servers_and_nodes_are_added_up_by_the_hour_and_the_month(void **state)
{
    (void)state;
    assert_head(&aws, "{\"node_type\": \"ra3.large\", \"number_of_nodes\": 2}",
                "Cost $1.3860 an hour, $1011.78 in a month if it is forgotten (now $0.00 an hour)\n");
    assert_head(&aws, "{\"node_type\": \"ra3.large\", \"running\": false}",
                "Cost $0.30 an hour, $219.00 in a month if it is forgotten (now $0.00 an hour)\n");
}

static void what_is_not_known_is_said_and_not_counted_as_nothing(void **state)
{
    (void)state;
    assert_head(&aws, "{\"node_type\": \"ra3.4xlarge\", \"number_of_nodes\": 2}",
                "Cost $0.30 an hour, $219.00 in a month if it is forgotten (now $0.00 an hour); and nodes whose price is not known "
                "here\n");
    assert_head(
        &aws, "{\"serverless\": {\"base_rpus\": 8}}",
        "Cost $0.30 an hour, $219.00 in a month if it is forgotten (now $0.00 an hour); and the serverless warehouse while it "
        "is queried\n");
}

static void this_machine_costs_nothing(void **state)
{
    (void)state;
    assert_head(&local, "{\"node_type\": \"ra3.large\"}", "");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(servers_and_nodes_are_added_up_by_the_hour_and_the_month),
        cmocka_unit_test(what_is_not_known_is_said_and_not_counted_as_nothing),
        cmocka_unit_test(this_machine_costs_nothing),
    };
    return cmocka_run_group_tests(tests, set_up, tear_down);
}
