/* What a stack file means and which ones are refused: top level, resources, lifecycle, references, for_each. */
#include "tests/unit/engine/lang/load.h"

#define HEAD "stack: s\nresources:\n"

static void reads_the_top_level(void **state)
{
    struct fixture *f = *state;
    load_good(
        f,
        "stack: sf-finance\nprovider: local\naws: {region: us-west-2}\nlocal: {root: /tmp/x}\ntags: {owner: controller, n: 012}\n"
        "lookup: {}\nresources:\n  a: {kind: bucket, name: abc}\noutputs:\n  x: \"${a.id}\"\n");
    assert_string_equal(f->stack->name.p, "sf-finance");
    assert_string_equal(f->stack->provider.p, "local");
    assert_string_equal(sf_map_str(f->stack->settings, "root").p, "/tmp/x");
    assert_string_equal(sf_map_str(f->stack->tags, "n").p, "012");
    assert_int_equal(f->stack->n_outputs, 1);
    assert_string_equal(f->stack->resources[0].address.p, "bucket.a");
    assert_string_equal(f->stack->dir, f->dir);
}

static void provider_on_the_command_line_wins(void **state)
{
    struct fixture *f = *state;
    assert_int_equal(load_with(f, "stack: s\naws: {region: eu-west-1}\n", "aws", NULL, 0), SF_OK);
    assert_string_equal(sf_map_str(f->stack->settings, "region").p, "eu-west-1");
    assert_int_equal(load_with(f, "stack: s\n", "asw", NULL, 0), SF_E_CONFIG);
    assert_non_null(strstr(f->shown.p, "did you mean 'aws'?"));
}

static void refuses_a_wrong_top_level(void **state)
{
    struct fixture *f = *state;
    load_bad(f, "- a\n", 1, 1, "map that starts with 'stack: NAME'", NULL);
    load_bad(f, "provider: local\n", 0, 0, "no 'stack:'", "name the stack");
    load_bad(f, "stack: Sf\n", 1, 8, "cannot be the name of a stack", "a letter first");
    load_bad(f, "stack: a--b\n", 1, 8, "cannot be the name of a stack", NULL);
    load_bad(f, "stack: s\nresorces: {}\n", 2, 1, "unknown key 'resorces'", "did you mean 'resources'?");
    load_bad(f, "stack: s\nprovider: azure\n", 2, 11, "no provider 'azure'", "local");
    load_bad(f, "stack: s\naws: {regoin: x}\n", 2, 7, "unknown key 'regoin'", "did you mean 'region'?");
    load_bad(f, "stack: s\nlookup: {vpc: {}}\n", 2, 9, "not supported yet", "id or ARN");
    load_bad(f, "stack: s\nresources: [a]\n", 2, 12, "'resources' must be a map", NULL);
    load_bad(f, "stack: s\ntags: {\"sfstack:x\": y}\n", 2, 8, "reserved", NULL);
    load_bad(f, "stack: s\ntags: {a: [b]}\n", 2, 11, "tags.a: must be text", NULL);
    load_bad(f, "stack: s\nresources:\n  a: {kind: bucket, name: abc}\noutputs: {X: 1}\n", 4, 11, "be the name of an output", NULL);
}

static void refuses_wrong_resources(void **state)
{
    struct fixture *f = *state;
    load_bad(f, HEAD "  a: {kind: bukcet, name: x}\n", 3, 13, "no kind 'bukcet'", "did you mean 'bucket'?");
    load_bad(f, HEAD "  a: {name: x}\n", 3, 3, "has no kind", "kind: bucket");
    load_bad(f, HEAD "  a: bucket\n", 3, 6, "must be a map", NULL);
    load_bad(f, HEAD "  a: {kind: bucket, name: abc, verzioning: true}\n", 3, 32, "unknown attribute 'verzioning' of kind 'bucket'",
             "did you mean 'versioning'?");
    load_bad(f, HEAD "  A-b: {kind: bucket}\n", 3, 3, "be the name of a resource", NULL);
    load_bad(f, HEAD "  var: {kind: bucket}\n", 3, 3, "means something else", NULL);
    load_bad(f, HEAD "  a: {kind: bucket, name: abc, arn: x}\n", 3, 32, "cannot be set: it is derived", NULL);
    load_bad(f, HEAD "  a: {kind: bucket, name: abc, made_at: x}\n", 3, 32, "cannot be set: it is chosen by the provider", NULL);
    load_bad(f, HEAD "  a: {kind: bucket, name: abc}\n  a: {kind: bucket, name: abd}\n", 4, 3, "duplicate key 'a'",
             "line 3, column 3");
}

static void gathers_all_errors_up_to_the_cap(void **state)
{
    struct fixture *f = *state;
    struct sf_buf text = SF_BUF(100000);
    sf_buf_addz(&text, HEAD);
    for (int i = 0; i < 30; i++)
        sf_buf_addf(&text, "  r%d: {kind: bucket, name: abc, nope%d: 1}\n", i, i);
    assert_int_equal(load(f, text.p), SF_E_CONFIG);
    assert_int_equal(f->diags->errors, 30);
    assert_int_equal(f->diags->n, SF_MAX_DIAGNOSTICS);
    assert_non_null(strstr(f->shown.p, "and 10 more"));
    sf_buf_free(&text);
}

static void reads_lifecycle_keys(void **state)
{
    struct fixture *f = *state;
    load_good(f,
              HEAD "  a:\n    kind: bucket\n    name: abc\n    protect: true\n    on_remove: forget\n    ignore_changes: [tags]\n"
                   "    timeouts: {create: 30m, destroy: 90}\n    adopt: old-bucket\n    skip: {no-tags: scratch space}\n"
                   "  b: {kind: value, after: a}\n  c: {kind: value, after: [a, b]}\n");
    const struct sf_resource *a = resource(f, "a"), *c = resource(f, "c");
    assert_true(a->is_protected);
    assert_int_equal(a->on_remove, SF_ON_REMOVE_FORGET);
    assert_int_equal(a->create_s, 1800);
    assert_int_equal(a->update_s, 0);
    assert_int_equal(a->destroy_s, 90);
    assert_string_equal(a->adopt.p, "old-bucket");
    assert_int_equal(a->ignore_changes->list.n, 1);
    assert_int_equal(c->n_deps, 2);
}

static void refuses_wrong_lifecycle_keys(void **state)
{
    struct fixture *f = *state;
    load_bad(f, HEAD "  a: {kind: value, protect: yes}\n", 3, 29, "'protect' must be true or false", NULL);
    load_bad(f, HEAD "  a: {kind: value, on_remove: keep}\n", 3, 31, "destroy or forget", NULL);
    load_bad(f, HEAD "  a: {kind: value, timeouts: {create: 30d}}\n", 3, 39, "30m", NULL);
    load_bad(f, HEAD "  a: {kind: value, timeouts: {created: 30}}\n", 3, 31, "unknown key 'created'", "create");
    load_bad(f, HEAD "  a: {kind: value, ignore_changes: [inputs]}\n", 3, 37, "unknown attribute 'inputs'",
             "did you mean 'input'?");
    load_bad(f, HEAD "  a: {kind: value, after: [b]}\n", 3, 28, "no resource 'b'", NULL);
    load_bad(f, HEAD "  a: {kind: value, after: {b: c}}\n", 3, 27, "a list of names", NULL);
    load_bad(f, HEAD "  a: {kind: value, skip: [x]}\n", 3, 26, "reason why", NULL);
}

static void a_world_block_counts_only_in_its_world(void **state)
{
    struct fixture *f = *state;
    static const char text[] = HEAD "  a:\n    kind: bucket\n    name: abc\n    local: {fast: true, name: local-name}\n"
                                    "    aws: {class: cold, not_known_here: 1}\n";
    load_good(f, text);
    assert_string_equal(attrs_of(f, "a"), "{\"fast\":true,\"name\":\"local-name\",\"versioning\":false}");
    assert_int_equal(load_with(f, text, "aws", NULL, 0), SF_E_CONFIG);
    assert_non_null(strstr(f->shown.p, "unknown attribute 'not_known_here'"));
    load_good(f, HEAD "  a: {kind: bucket, local: {name: local-name}, name: abc}\n"); /* wherever the block stands */
    assert_string_equal(attrs_of(f, "a"), "{\"name\":\"local-name\",\"versioning\":false}");
}

static void an_attribute_of_one_world_belongs_in_its_block(void **state)
{
    struct fixture *f = *state;
    load_bad(f, HEAD "  a: {kind: bucket, name: abc, class: cold}\n", 3, 32, "exists only on provider 'aws'", "aws: {class: ...}");
    load_bad(f, HEAD "  a: {kind: bucket, name: abc, local: {class: cold}}\n", 3, 40, "exists only under 'aws:'", NULL);
    load_bad(f, HEAD "  a: {kind: bucket, name: abc, aws: {size: big}}\n", 3, 44, "size: must be a whole number", NULL);
}

static void finds_who_needs_whom(void **state)
{
    struct fixture *f = *state;
    load_good(f, HEAD
              "  u: {kind: user, name: \"${b.id}-${b.arn}\", home: a, more: [a, b, \"arn:aws:s3:::x\", \"${c.output}\"]}\n"
              "  a: {kind: bucket, name: abc}\n  b: {kind: bucket, name: abd}\n  c: {kind: value, input: {x: [\"${a.id}\"]}}\n");
    const struct sf_resource *u = resource(f, "u");
    assert_int_equal(u->n_deps, 3); /* each once */
    assert_ptr_equal(u->deps[0], resource(f, "b"));
    assert_ptr_equal(u->deps[1], resource(f, "a"));
    assert_ptr_equal(u->deps[2], resource(f, "c"));
    assert_int_equal(resource(f, "c")->n_deps, 1);
}

static void refuses_references_to_nothing(void **state)
{
    struct fixture *f = *state;
    load_bad(f, HEAD "  landing: {kind: bucket, name: abc}\n  u: {kind: user, name: x, home: landin}\n", 4, 34,
             "no resource 'landin'", "did you mean 'landing'?");
    load_bad(f, HEAD "  landing: {kind: bucket, name: abc}\n  v: {kind: value, input: \"x ${landing.anr}\"}\n", 4, 30,
             "bucket 'landing' has no attribute 'anr'", "did you mean 'arn'?");
    load_bad(f, HEAD "  v: {kind: value, input: \"${landing}\"}\n", 3, 28, "needs an attribute", NULL);
    load_bad(f, HEAD "  v: {kind: value, input: \"a ${x.y\"}\n", 3, 30, "has no '}'", "$${");
    load_bad(f, HEAD "  v: {kind: value, input: \"${1+1}\"}\n", 3, 28, "is no reference", NULL);
    load_bad(f, HEAD "  v: {kind: value, input: \"${var.x}\"}\n", 3, 28, "no variable 'x'", NULL);
    load_bad(f, HEAD "  v: {kind: value, input: \"${stack.nam}\"}\n", 3, 28, "unknown reference", "${stack.name}");
    load_bad(f, HEAD "  v: {kind: value, input: \"${each.key}\"}\n", 3, 28, "only in a resource with for_each", NULL);
    load_bad(f, HEAD "  v: {kind: value}\noutputs: {o: \"${w.id}\"}\n", 4, 15, "no resource 'w'", NULL);
}

static void a_ref_names_a_resource_of_the_right_kind(void **state)
{
    struct fixture *f = *state;
    load_bad(f, HEAD "  v: {kind: value}\n  u: {kind: user, name: x, home: v}\n", 4, 34, "home: 'v' is a value", "'bucket'");
    load_bad(f, HEAD "  landing_zone: {kind: bucket, name: abc}\n  u: {kind: user, name: x, home: landing-zone}\n", 4, 34,
             "neither the name of a resource nor an id", "did you mean 'landing_zone'?");
    load_bad(f, HEAD "  u: {kind: user, name: x, home: Landing}\n", 3, 34, "neither the name", NULL);
    load_good(f, HEAD "  u: {kind: user, name: x, home: sg-0123456789abcdef0}\n");
}

static void reports_a_cycle_by_its_names_and_places(void **state)
{
    struct fixture *f = *state;
    load_bad(f,
             HEAD
             "  a: {kind: value, input: \"${b.output}\"}\n  b: {kind: value, after: c}\n  c: {kind: value, input: \"${a.id}\"}\n",
             3, 3, "in a circle: a -> b -> c -> a", "'b' at ");
    assert_non_null(strstr(f->diags->list[0].help.p, "stack.yaml:5"));
    load_bad(f, HEAD "  a: {kind: value, input: \"${a.output}\"}\n", 3, 28, "'a' refers to itself", NULL);
}

static void a_chain_of_a_hundred_thousand_is_no_recursion(void **state)
{
    struct fixture *f = *state;
    struct sf_buf text = SF_BUF(SF_MAX_YAML_BYTES);
    sf_buf_addz(&text, HEAD "  n0: {kind: value}\n");
    for (int i = 1; i < 90000; i++)
        sf_buf_addf(&text, "  n%d: {kind: value, after: n%d}\n", i, i - 1);
    assert_false(text.overflow);
    load_good(f, text.p);
    assert_int_equal(f->stack->n_resources, 90000);
    sf_buf_free(&text);
}

static void for_each_makes_one_resource_a_key(void **state)
{
    struct fixture *f = *state;
    load_good(f, "stack: s\nvariables: {sizes: {type: map, default: {a: 1, b: 2}}}\nresources:\n"
                 "  data: {kind: bucket, for_each: \"${var.sizes}\", name: \"s-${each.key}\", size: \"${each.value}\"}\n"
                 "  user: {kind: user, for_each: [a, b], name: \"${each.value}\", home: \"data['${each.key}']\"}\n"
                 "  one: {kind: user, name: x, home: \"data['b']\", more: [\"data[\\\"a\\\"]\"]}\n"
                 "  val: {kind: value, input: \"${data['a'].id} ${data[\\\"b\\\"].name}\"}\n");
    assert_int_equal(f->stack->n_resources, 6);
    assert_string_equal(f->stack->resources[0].address.p, "bucket.data[\"a\"]");
    assert_string_equal(attrs_of(f, "data[\"b\"]"), "{\"name\":\"s-b\",\"size\":2,\"versioning\":false}");
    assert_string_equal(attrs_of(f, "user[\"b\"]"), "{\"home\":\"id-of-data[\\\"b\\\"]\",\"name\":\"b\"}");
    assert_ptr_equal(resource(f, "user[\"a\"]")->deps[0], resource(f, "data[\"a\"]"));
    assert_ptr_equal(resource(f, "user[\"b\"]")->deps[0], resource(f, "data[\"b\"]"));
    assert_int_equal(resource(f, "one")->n_deps, 2);
    assert_int_equal(resource(f, "val")->n_deps, 2);
}

static void for_each_takes_only_what_is_known_at_load(void **state)
{
    struct fixture *f = *state;
    load_bad(f, HEAD "  a: {kind: bucket, name: abc}\n  b: {kind: value, for_each: \"${a.tags}\"}\n", 4, 31, "cannot be used here",
             "variables");
    load_bad(f, HEAD "  b: {kind: value, for_each: x}\n", 3, 30, "'for_each' must be a list or a map", NULL);
    load_bad(f, HEAD "  b: {kind: value, for_each: [x, x]}\n", 3, 34, "'x' is there twice", NULL);
    load_bad(f, HEAD "  b: {kind: value, for_each: [\"a'b\"]}\n", 3, 31, "cannot be a key", NULL);
    load_bad(f, HEAD "  b: {kind: value, for_each: [a]}\n  c: {kind: value, after: b}\n", 4, 27, "'b' has for_each", "b['KEY']");
    load_bad(f, HEAD "  b: {kind: value, for_each: [a]}\n  c: {kind: value, input: \"${b['x'].id}\"}\n", 4, 28, "makes no b[\"x\"]",
             NULL);
    load_good(f, HEAD "  b: {kind: value, for_each: []}\n");
    assert_int_equal(f->stack->n_resources, 0);
}

static void includes_one_level_of_files(void **state)
{
    struct fixture *f = *state;
    write_file(f, "more.yaml",
               "variables: {v: {type: string, default: d}}\nresources:\n  b: {kind: value, input: \"${a.id} ${var.v}\"}\n", 0644);
    load_good(f, "stack: s\ninclude: [more.yaml]\nresources:\n  a: {kind: bucket, name: abc}\n");
    assert_ptr_equal(resource(f, "b")->deps[0], resource(f, "a"));
    load_bad(f, "stack: s\ninclude: more.yaml\nresources:\n  b: {kind: value}\n", 3, 3, "resource 'b' is already at ", NULL);
    write_file(f, "more.yaml", "include: [x]\n", 0644);
    load_bad(f, "stack: s\ninclude: more.yaml\n", 1, 1, "includes nothing", NULL);
    write_file(f, "more.yaml", "stack: x\n", 0644);
    load_bad(f, "stack: s\ninclude: more.yaml\n", 1, 1, "unknown key 'stack' of an included file", NULL);
    load_bad(f, "stack: s\ninclude: none.yaml\n", 0, 0, "No such file", NULL);
}

static void moved_names_something_gone_and_something_there(void **state)
{
    struct fixture *f = *state;
    load_good(f, "stack: s\nmoved: [{from: old, to: a}]\nresources: {a: {kind: value}}\n");
    assert_string_equal(f->stack->moved[0].from.p, "old");
    load_bad(f, "stack: s\nmoved: [{from: a, to: b}]\nresources: {a: {kind: value}}\n", 2, 8, "'a' is still in the stack", NULL);
    load_bad(f, "stack: s\nmoved: [{from: a}]\nresources: {b: {kind: value}}\n", 2, 9, "needs 'from' and 'to'", NULL);
}

static void the_real_kinds_are_not_here(void **state)
{
    (void)state;
    assert_null(sf_schema_find(SF_STR("cluster")));
    assert_ptr_equal(sf_schema_find(SF_STR("value")), &value_schema);
    assert_null(sf_schema_find(SF_STR("")));
    assert_null(sf_schema_find(SF_STR("zzz")));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(reads_the_top_level),
        TEST(provider_on_the_command_line_wins),
        TEST(refuses_a_wrong_top_level),
        TEST(refuses_wrong_resources),
        TEST(gathers_all_errors_up_to_the_cap),
        TEST(reads_lifecycle_keys),
        TEST(refuses_wrong_lifecycle_keys),
        TEST(a_world_block_counts_only_in_its_world),
        TEST(an_attribute_of_one_world_belongs_in_its_block),
        TEST(finds_who_needs_whom),
        TEST(refuses_references_to_nothing),
        TEST(a_ref_names_a_resource_of_the_right_kind),
        TEST(reports_a_cycle_by_its_names_and_places),
        TEST(a_chain_of_a_hundred_thousand_is_no_recursion),
        TEST(for_each_makes_one_resource_a_key),
        TEST(for_each_takes_only_what_is_known_at_load),
        TEST(includes_one_level_of_files),
        TEST(moved_names_something_gone_and_something_there),
        TEST(the_real_kinds_are_not_here),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
