/* Whose a thing on AWS is, by its tags. */
#include "engine/core/json.h"
#include "resources/aws/ownership.h"
#include "tests/unit/support/fake_run.h"

#define INTENT "99999999-2222-4333-8444-555555555555"
#define OURS "sf-finance/11111111-2222-4333-8444-555555555555"

struct fixture {
    struct sf_arena *arena;
    struct sf_site site;
    struct sf_object self;
    struct sf_op op;
    struct sf_err err;
};

static struct fixture *setup(struct fixture *f)
{
    *f = (struct fixture){.arena = sf_arena_new()};
    f->site = (struct sf_site){.stack = SF_STR("sf-finance"), .lineage = SF_STR("11111111-2222-4333-8444-555555555555")};
    f->self = (struct sf_object){.address = SF_STR("bucket.landing")};
    f->op = (struct sf_op){.arena = f->arena, .site = &f->site, .self = &f->self, .intent = SF_STR(INTENT)};
    return f;
}

static const struct sf_value *value(struct fixture *f, const char *json)
{
    const struct sf_value *v = NULL;
    assert_int_equal(sf_json_parse(f->arena, sf_str_of(json), "test", SF_JSON_PLAIN, &v, NULL), SF_OK);
    return v;
}

static const struct sf_value *marks(struct fixture *f, const char *stack, const char *address, const char *intent)
{
    struct sf_value *map = sf_value_map(f->arena);
    sf_map_set_str(f->arena, map, "sfstack:stack", sf_str_of(stack));
    sf_map_set_str(f->arena, map, "sfstack:address", sf_str_of(address));
    sf_map_set_str(f->arena, map, "sfstack:intent", sf_str_of(intent));
    return map;
}

static void assert_json(struct fixture *f, const struct sf_value *v, const char *expected)
{
    assert_string_equal(sf_json_text(f->arena, v, SF_JSON_PLAIN).p, expected);
}

static void assert_conflict(struct fixture *f, const struct sf_value *map, const char *message, const char *hint)
{
    assert_int_equal(sf_aws_check_owner(&f->op, "bucket 'x'", map, &f->err), SF_E_CONFLICT);
    assert_string_equal(f->err.message, message);
    assert_non_null(strstr(f->err.hint, hint));
}

static void a_create_carries_the_users_tags_and_three_of_ours(void **state)
{
    struct fixture here, *f = setup(&here);
    (void)state;
    const struct sf_value *want = value(f, "{\"tags\":{\"owner\":\"controller\",\"sfstack:stack\":\"forged\"}}");
    assert_json(f, sf_aws_tags_of(&f->op, want, &sf_aws_tags_upper),
                "[{\"Key\":\"owner\",\"Value\":\"controller\"},{\"Key\":\"sfstack:stack\",\"Value\":\"" OURS "\"},"
                "{\"Key\":\"sfstack:address\",\"Value\":\"bucket.landing\"},{\"Key\":\"sfstack:intent\",\"Value\":\"" INTENT
                "\"}]");
    f->self.address = SF_STR("bucket.x[\"a b\"]");
    assert_json(f, sf_aws_tags_of(&f->op, value(f, "{}"), &sf_aws_tags_lower),
                "[{\"key\":\"sfstack:stack\",\"value\":\"" OURS "\"},{\"key\":\"sfstack:address\",\"value\":"
                "\"bucket.x=5B=22a=20b=22=5D\"},{\"key\":\"sfstack:intent\",\"value\":\"" INTENT "\"}]");
    sf_arena_free(f->arena);
}

static void users_see_neither_our_tags_nor_those_of_aws(void **state)
{
    struct fixture here, *f = setup(&here);
    (void)state;
    const struct sf_value *list = value(f, "[{\"Key\":\"owner\",\"Value\":\"c\"},{\"Key\":\"aws:x\",\"Value\":\"1\"},"
                                           "{\"Key\":\"sfstack:intent\",\"Value\":\"i\"},{\"Key\":\"empty\",\"Value\":\"\"}]");
    const struct sf_value *map = sf_aws_tag_map(f->arena, list, &sf_aws_tags_upper);
    assert_json(f, map, "{\"aws:x\":\"1\",\"empty\":\"\",\"owner\":\"c\",\"sfstack:intent\":\"i\"}");
    assert_json(f, sf_aws_user_tags(f->arena, map), "{\"empty\":\"\",\"owner\":\"c\"}");
    assert_json(f, sf_aws_tag_map(f->arena, NULL, &sf_aws_tags_upper), "{}");
    sf_arena_free(f->arena);
}

static void an_update_of_tags_writes_only_what_differs_and_keeps_the_intent(void **state)
{
    struct fixture here, *f = setup(&here);
    const struct sf_value *set, *unset;
    (void)state;
    const struct sf_value *have =
        value(f, "{\"owner\":\"old\",\"same\":\"1\",\"gone\":\"x\",\"aws:y\":\"1\",\"sfstack:stack\":\"" OURS "\","
                 "\"sfstack:intent\":\"the-first\"}");
    sf_aws_tag_changes(&f->op, have, value(f, "{\"tags\":{\"owner\":\"new\",\"same\":\"1\"}}"), &sf_aws_tags_upper, &set, &unset);
    assert_json(f, set, "[{\"Key\":\"owner\",\"Value\":\"new\"},{\"Key\":\"sfstack:address\",\"Value\":\"bucket.landing\"}]");
    assert_json(f, unset, "[\"gone\"]");
    sf_aws_tag_changes(&f->op, value(f, "{}"), value(f, "{}"), &sf_aws_tags_upper, &set, &unset);
    assert_int_equal(set->list.n, 3);
    assert_int_equal(unset->list.n, 0);
    sf_arena_free(f->arena);
}

static void a_create_takes_only_what_its_own_intent_made(void **state)
{
    struct fixture here, *f = setup(&here);
    (void)state;
    assert_int_equal(sf_aws_check_owner(&f->op, "bucket 'x'", marks(f, OURS, "bucket.landing", INTENT), &f->err), SF_OK);
    assert_conflict(f, marks(f, OURS, "bucket.landing", "another"),
                    "bucket 'x' was made for 'bucket.landing' of this stack before, and state has lost sight of it", "adopt: ID");
    f->op.is_planning = true; /* find() of an open intent, while the old one is recorded */
    f->self.id = SF_STR("old");
    assert_int_equal(sf_aws_check_owner(&f->op, "bucket 'x'", marks(f, OURS, "bucket.landing", "another"), &f->err), SF_E_CONFLICT);
    sf_arena_free(f->arena);
}

static void what_state_knows_is_ours_whatever_made_it_and_whatever_it_was_called(void **state)
{
    struct fixture here, *f = setup(&here);
    (void)state;
    f->self.id = SF_STR("x");
    assert_int_equal(sf_aws_check_owner(&f->op, "bucket 'x'", marks(f, OURS, "bucket.landing", "another"), &f->err), SF_OK);
    assert_int_equal(sf_aws_check_owner(&f->op, "bucket 'x'", marks(f, OURS, "bucket.before", "another"), &f->err), SF_OK);
    f->op.is_adopting = true;
    f->op.intent = SF_STR_NONE;
    assert_conflict(f, marks(f, OURS, "bucket.before", "another"), "bucket 'x' is 'bucket.before' of this stack already",
                    "`moved`");
    sf_arena_free(f->arena);
}

static void reading_asks_whose_it_is_only_of_a_marked_thing_that_is_being_adopted(void **state)
{
    struct fixture here, *f = setup(&here);
    (void)state;
    const struct sf_value *foreign = marks(f, "payroll/other", "bucket.x", "another"), *nobodys = value(f, "{}");
    assert_int_equal(sf_aws_check_adopted(&f->op, "bucket 'x'", foreign, &f->err), SF_OK);
    f->op.is_adopting = true;
    assert_int_equal(sf_aws_check_adopted(&f->op, "bucket 'x'", nobodys, &f->err), SF_OK);
    assert_int_equal(sf_aws_check_adopted(&f->op, "bucket 'x'", foreign, &f->err), SF_E_CONFLICT);
    sf_arena_free(f->arena);
}

static void finding_takes_what_is_not_this_resources_for_absent(void **state)
{
    struct fixture here, *f = setup(&here);
    (void)state;
    assert_int_equal(sf_aws_check_found(&f->op, "bucket 'x'", marks(f, OURS, "bucket.landing", INTENT), &f->err), SF_OK);
    assert_int_equal(sf_aws_check_found(&f->op, "bucket 'x'", value(f, "{}"), &f->err), SF_E_ABSENT);
    assert_string_equal(f->err.message, "bucket 'x' was not made by this resource");
    sf_arena_free(f->arena);
}

static void a_foreign_thing_is_named_with_its_owner_and_the_way_out(void **state)
{
    struct fixture here, *f = setup(&here);
    (void)state;
    assert_conflict(f, value(f, "{\"owner\":\"me\"}"), "bucket 'x' exists already and carries no mark of a stack", "adopt: ID");
    assert_conflict(f, marks(f, "sf-finance/other", "bucket.landing", INTENT),
                    "bucket 'x' belongs to stack 'sf-finance/other' (bucket.landing)", "earlier state of this stack");
    assert_conflict(f, marks(f, "payroll/other", "bucket.a", "i"), "bucket 'x' belongs to stack 'payroll/other' (bucket.a)",
                    "sfdestroy");
    sf_arena_free(f->arena);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_create_carries_the_users_tags_and_three_of_ours),
        cmocka_unit_test(users_see_neither_our_tags_nor_those_of_aws),
        cmocka_unit_test(an_update_of_tags_writes_only_what_differs_and_keeps_the_intent),
        cmocka_unit_test(a_create_takes_only_what_its_own_intent_made),
        cmocka_unit_test(what_state_knows_is_ours_whatever_made_it_and_whatever_it_was_called),
        cmocka_unit_test(reading_asks_whose_it_is_only_of_a_marked_thing_that_is_being_adopted),
        cmocka_unit_test(finding_takes_what_is_not_this_resources_for_absent),
        cmocka_unit_test(a_foreign_thing_is_named_with_its_owner_and_the_way_out),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
