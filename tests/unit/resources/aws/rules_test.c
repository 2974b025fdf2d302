/* Rules of a security group between the stack file's shape and EC2's: taken apart, compared, put together again, refused. */
#include "resources/aws/rules.h"

#include "engine/core/json.h"

#include <setjmp.h>
#include <stdarg.h>

#include <cmocka.h>

#include <stdlib.h>

#define INGRESS (&sf_rules_ways[0])
#define EGRESS (&sf_rules_ways[1])

struct fixture {
    struct sf_arena *arena;
    struct sf_err err;
};

static int set_up(void **state)
{
    struct fixture *f = calloc(1, sizeof *f);
    assert_non_null(f);
    f->arena = sf_arena_new();
    *state = f;
    return 0;
}

static int tear_down(void **state)
{
    struct fixture *f = *state;
    sf_arena_free(f->arena);
    free(f);
    return 0;
}

/* JSON with ' for ". */
static const struct sf_value *json(struct fixture *f, const char *text)
{
    char *copy = sf_arena_alloc(f->arena, strlen(text) + 1);
    const struct sf_value *value = NULL;
    for (size_t i = 0; text[i]; i++)
        copy[i] = text[i] == '\'' ? '"' : text[i];
    if (sf_json_parse(f->arena, sf_str_of(copy), "test", SF_JSON_PLAIN, &value, &f->err))
        fail_msg("%s: %s", f->err.message, copy);
    return value;
}

static void assert_same(struct fixture *f, const struct sf_value *is, const char *expected)
{
    struct sf_str text = sf_json_text(f->arena, is, SF_JSON_PLAIN),
                  wanted = sf_json_text(f->arena, json(f, expected), SF_JSON_PLAIN);
    assert_string_equal(text.p, wanted.p);
}

static struct sf_rules wanted(struct fixture *f, const char *text)
{
    return sf_rules_of_attr(f->arena, json(f, text), INGRESS);
}

static void assert_params(struct fixture *f, struct sf_rules rules, const char *expected)
{
    assert_same(f, sf_rules_params(f->arena, rules, true), expected);
}

static void every_peer_of_a_rule_is_a_permission_of_its_own(void **state)
{
    struct fixture *f = *state;
    assert_params(
        f, wanted(f, "[{'protocol':'tcp','port':5439,'from':['10.0.0.0/8','2001:db8::/32'],'description':'city hall'}]"),
        "[{'IpProtocol':'tcp','FromPort':5439,'ToPort':5439,'IpRanges':[{'CidrIp':'10.0.0.0/8','Description':'city hall'}]},"
        "{'IpProtocol':'tcp','FromPort':5439,'ToPort':5439,"
        "'Ipv6Ranges':[{'CidrIpv6':'2001:db8::/32','Description':'city hall'}]}]");
}

static void ports_that_are_left_out_are_all_ports(void **state)
{
    struct fixture *f = *state;
    assert_params(f,
                  wanted(f, "[{'protocol':'udp','from':['10.0.0.0/8']},{'protocol':'all','from':['10.0.0.0/8']},"
                            "{'protocol':'icmp','from':['10.0.0.0/8','2001:db8::/32']},"
                            "{'protocol':'tcp','port':8000,'to_port':8010,'from':['10.0.0.0/8']}]"),
                  "[{'IpProtocol':'udp','FromPort':0,'ToPort':65535,'IpRanges':[{'CidrIp':'10.0.0.0/8'}]},"
                  "{'IpProtocol':'-1','IpRanges':[{'CidrIp':'10.0.0.0/8'}]},"
                  "{'IpProtocol':'icmp','FromPort':-1,'ToPort':-1,'IpRanges':[{'CidrIp':'10.0.0.0/8'}]},"
                  "{'IpProtocol':'icmpv6','FromPort':-1,'ToPort':-1,'Ipv6Ranges':[{'CidrIpv6':'2001:db8::/32'}]},"
                  "{'IpProtocol':'tcp','FromPort':8000,'ToPort':8010,'IpRanges':[{'CidrIp':'10.0.0.0/8'}]}]");
}

static void one_network_in_two_spellings_is_one_permission(void **state)
{
    struct fixture *f = *state;
    assert_int_equal(wanted(f, "[{'protocol':'tcp','port':22,'from':['10.1.2.3/8','10.0.0.0/8']},"
                               "{'protocol':'tcp','port':22,'to_port':22,'from':['10.9.9.9/8']}]")
                         .n,
                     1);
}

static void only_what_differs_is_added_removed_or_described_anew(void **state)
{
    struct fixture *f = *state;
    struct sf_rules have = wanted(f, "[{'protocol':'tcp','port':5439,'from':['10.0.0.0/8','192.0.2.0/24'],'description':'old'},"
                                     "{'protocol':'tcp','port':22,'from':['10.0.0.0/8']}]");
    struct sf_rules want = wanted(f, "[{'protocol':'tcp','port':5439,'from':['10.0.0.0/8'],'description':'new'},"
                                     "{'protocol':'tcp','port':22,'from':['10.0.0.0/8','198.51.100.0/24']}]");
    struct sf_rules_diff diff = sf_rules_compare(f->arena, have, want);
    assert_params(f, diff.add, "[{'IpProtocol':'tcp','FromPort':22,'ToPort':22,'IpRanges':[{'CidrIp':'198.51.100.0/24'}]}]");
    assert_params(f, diff.describe,
                  "[{'IpProtocol':'tcp','FromPort':5439,'ToPort':5439,'IpRanges':[{'CidrIp':'10.0.0.0/8','Description':'new'}]}]");
    assert_same(f, sf_rules_params(f->arena, diff.remove, false),
                "[{'IpProtocol':'tcp','FromPort':5439,'ToPort':5439,'IpRanges':[{'CidrIp':'192.0.2.0/24'}]}]");
}

static const char a_group[] = "{'ipPermissions':{'item':["
                              "{'ipProtocol':'tcp','fromPort':'5439','toPort':'5439','ipRanges':{'item':["
                              "{'cidrIp':'10.0.0.0/8','description':'city hall'},{'cidrIp':'192.0.2.0/24'}]},"
                              "'groups':{'item':{'groupId':'sg-77'}}},"
                              "{'ipProtocol':'-1','ipRanges':'','ipv6Ranges':{'item':{'cidrIpv6':'::/0'}}}]}}";

static struct sf_rules there(struct fixture *f)
{
    return sf_rules_of_reply(f->arena, json(f, a_group), INGRESS);
}

static void what_is_there_is_told_as_the_stack_structures_it(void **state)
{
    struct fixture *f = *state;
    const struct sf_value *shape =
        json(f, "[{'protocol':'all','from':['::/0']},"
                "{'protocol':'tcp','port':5439,'from':['10.5.5.5/8','203.0.113.0/24'],'description':'city hall'},"
                "{'protocol':'tcp','port':1234,'from':[]},"
                "{'protocol':'tcp','port':99,'from':['10.0.0.0/8']}]");
    assert_same(f, sf_rules_report(f->arena, there(f), shape, INGRESS),
                "[{'protocol':'all','from':['::/0']},"
                "{'protocol':'tcp','port':5439,'from':['10.5.5.5/8'],'description':'city hall'},"
                "{'protocol':'tcp','port':1234,'from':[]},"
                "{'protocol':'tcp','port':5439,'from':['192.0.2.0/24','sg-77']}]");
}

static void without_a_shape_rules_are_put_together_by_ports_and_description(void **state)
{
    struct fixture *f = *state;
    assert_same(f, sf_rules_report(f->arena, there(f), NULL, INGRESS),
                "[{'protocol':'tcp','port':5439,'from':['10.0.0.0/8'],'description':'city hall'},"
                "{'protocol':'tcp','port':5439,'from':['192.0.2.0/24','sg-77']},{'protocol':'all','from':['::/0']}]");
    const struct sf_value *ranges =
        json(f, "{'ipPermissionsEgress':{'item':[{'ipProtocol':'tcp','fromPort':'0','toPort':'65535',"
                "'ipRanges':{'item':{'cidrIp':'10.0.0.0/8'}}},{'ipProtocol':'udp','fromPort':'5','toPort':'9',"
                "'ipRanges':{'item':{'cidrIp':'10.0.0.0/8'}}}]}}");
    assert_same(f, sf_rules_report(f->arena, sf_rules_of_reply(f->arena, ranges, EGRESS), NULL, EGRESS),
                "[{'protocol':'tcp','to':['10.0.0.0/8']},{'protocol':'udp','port':5,'to_port':9,'to':['10.0.0.0/8']}]");
}

static void a_changed_description_is_told_as_a_rule_of_its_own(void **state)
{
    struct fixture *f = *state;
    assert_same(f,
                sf_rules_report(f->arena, wanted(f, "[{'protocol':'tcp','port':22,'from':['10.0.0.0/8'],'description':'x'}]"),
                                json(f, "[{'protocol':'tcp','port':22,'from':['10.0.0.0/8'],'description':'y'}]"), INGRESS),
                "[{'protocol':'tcp','port':22,'from':['10.0.0.0/8'],'description':'x'}]");
}

static void what_a_stack_cannot_say_can_still_be_revoked(void **state)
{
    struct fixture *f = *state;
    struct sf_rules_diff diff = sf_rules_compare(f->arena, there(f), wanted(f, "[{'protocol':'all','from':['::/0']}]"));
    assert_int_equal(diff.remove.n, 3);
    assert_same(f, sf_rules_params(f->arena, (struct sf_rules){&diff.remove.list[2], 1}, false),
                "[{'IpProtocol':'tcp','FromPort':5439,'ToPort':5439,'Groups':[{'GroupId':'sg-77'}]}]");
}

static void what_aws_would_refuse_is_named_with_what_to_do(void **state)
{
    static const struct {
        const char *rules, *message, *hint;
    } cases[] = {
        {"[{'protocol':'tcp','port':5439,'from':['127.0.0.1/32']}]", "loopback", "https://checkip.amazonaws.com"},
        {"[{'protocol':'tcp','port':5439,'from':['10.0.0.0/8','::1/128']}]", "'::1/128'", "/32"},
        {"[{'protocol':'all','port':5439,'from':['10.0.0.0/8']}]", "'all' has a port", "tcp and udp"},
        {"[{'protocol':'icmp','port':8,'from':['10.0.0.0/8']}]", "'icmp' has a port", "tcp and udp"},
        {"[{'protocol':'tcp','to_port':8,'from':['10.0.0.0/8']}]", "port 8", "`to_port`"},
        {"[{'protocol':'tcp','port':9,'to_port':8,'from':['10.0.0.0/8']}]", "port 8", "`to_port`"},
        {"[{'protocol':'tcp','port':9,'from':['10.0.0.0/8'],'description':'who?'}]", "'who?'", "a-z"},
        {"[{'protocol':'tcp','port':9,'from':['10.0.0.0/8'],'description':'a'},"
         "{'protocol':'tcp','port':9,'from':['10.1.0.0/8'],'description':'b'}]",
         "description only", "one rule with one description"},
    };
    struct fixture *f = *state;
    const char *open_to_all;
    for (size_t i = 0; i < SF_COUNT(cases); i++) {
        assert_int_equal(sf_rules_check(f->arena, json(f, cases[i].rules), INGRESS, 5439, &open_to_all, &f->err), SF_E_CONFIG);
        if (!strstr(f->err.message, cases[i].message) || !strstr(f->err.hint, cases[i].hint))
            fail_msg("%s: %s; %s", cases[i].rules, f->err.message, f->err.hint);
    }
}

static void a_door_open_to_the_whole_internet_is_noticed(void **state)
{
    static const struct {
        const char *rules, *peer;
    } cases[] = {
        {"[{'protocol':'tcp','port':5439,'from':['10.0.0.0/8','0.0.0.0/0']}]", "0.0.0.0/0"},
        {"[{'protocol':'tcp','port':5000,'to_port':6000,'from':['::/0']}]", "::/0"},
        {"[{'protocol':'all','from':['0.0.0.0/0']}]", "0.0.0.0/0"},
        {"[{'protocol':'tcp','port':443,'from':['0.0.0.0/0']}]", NULL},
        {"[{'protocol':'udp','from':['0.0.0.0/0']}]", NULL},
        {"[{'protocol':'icmp','from':['0.0.0.0/0']}]", NULL},
        {"[{'protocol':'tcp','port':5439,'from':[]}]", NULL},
    };
    struct fixture *f = *state;
    for (size_t i = 0; i < SF_COUNT(cases); i++) {
        const char *open_to_all = "?";
        assert_int_equal(sf_rules_check(f->arena, json(f, cases[i].rules), INGRESS, 5439, &open_to_all, &f->err), SF_OK);
        if (cases[i].peer)
            assert_string_equal(open_to_all, cases[i].peer);
        else
            assert_null(open_to_all);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(every_peer_of_a_rule_is_a_permission_of_its_own, set_up, tear_down),
        cmocka_unit_test_setup_teardown(ports_that_are_left_out_are_all_ports, set_up, tear_down),
        cmocka_unit_test_setup_teardown(one_network_in_two_spellings_is_one_permission, set_up, tear_down),
        cmocka_unit_test_setup_teardown(only_what_differs_is_added_removed_or_described_anew, set_up, tear_down),
        cmocka_unit_test_setup_teardown(what_is_there_is_told_as_the_stack_structures_it, set_up, tear_down),
        cmocka_unit_test_setup_teardown(without_a_shape_rules_are_put_together_by_ports_and_description, set_up, tear_down),
        cmocka_unit_test_setup_teardown(a_changed_description_is_told_as_a_rule_of_its_own, set_up, tear_down),
        cmocka_unit_test_setup_teardown(what_a_stack_cannot_say_can_still_be_revoked, set_up, tear_down),
        cmocka_unit_test_setup_teardown(what_aws_would_refuse_is_named_with_what_to_do, set_up, tear_down),
        cmocka_unit_test_setup_teardown(a_door_open_to_the_whole_internet_is_noticed, set_up, tear_down),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
