/* The three-way diff: wanted, recorded and actual make an action, a reason and changes. Kinds of its own, no driver is called:
 * what a read or a derive would bring is put into the nodes. */
#include "engine/plan/graph.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#include <cmocka.h>

/* --- kinds: a server, a user in it, a share in it that destroys its own, and a note that cannot be updated --- */

static const char *const to_server[] = {"server", NULL};
static const char *const host_changes[] = {"address", NULL};
static const struct sf_attr text_of = {.name = "of", .type = SF_T_STRING};
static const struct sf_attr server_attrs[] = {
    {.name = "name", .type = SF_T_STRING, .is_required = true, .on_change = SF_CHANGE_REPLACE},
    {.name = "address", .type = SF_T_STRING},
    {.name = "comment", .type = SF_T_STRING},
    {.name = "motd", .type = SF_T_STRING, .unset_json = "\"\""},
    {.name = "labels", .type = SF_T_LIST, .of = &text_of, .equal = SF_EQUAL_UNORDERED},
    {.name = "port", .type = SF_T_INT, .is_preferred = true},
    {.name = "size", .type = SF_T_STRING, .is_assigned = true},
    {.name = "password", .type = SF_T_STRING, .is_secret = true, .is_write_only = true},
    {.name = "host", .type = SF_T_STRING, .is_computed = true, .changes_with = host_changes},
    {.name = "made", .type = SF_T_STRING, .is_computed = true},
};
static const struct sf_attr user_attrs[] = {
    {.name = "server", .type = SF_T_REF, .to = to_server, .is_inside = true, .is_required = true, .on_change = SF_CHANGE_REPLACE},
    {.name = "shell", .type = SF_T_STRING},
};
static const struct sf_attr note_attrs[] = {
    {.name = "text", .type = SF_T_ANY},
    {.name = "because", .type = SF_T_ANY, .on_change = SF_CHANGE_REPLACE},
};
static const struct sf_schema note_schema = {.kind = "note", .attrs = note_attrs, .n_attrs = SF_COUNT(note_attrs)};
static const struct sf_schema server_schema = {.kind = "server", .attrs = server_attrs, .n_attrs = SF_COUNT(server_attrs)};
static const struct sf_schema share_schema = {.kind = "share",
                                              .attrs = user_attrs,
                                              .n_attrs = SF_COUNT(user_attrs),
                                              .with_container = SF_DESTROY_OWN};
static const struct sf_schema user_schema = {.kind = "user", .attrs = user_attrs, .n_attrs = SF_COUNT(user_attrs)};
const struct sf_schema *const sf_schemas[] = {&note_schema, &server_schema, &share_schema, &user_schema, NULL};
const size_t sf_schemas_count = 4;

/* Never called: that they are there is what the diff looks at. */
static enum sf_code create(struct sf_op *op, const struct sf_value *want, struct sf_outcome *out, struct sf_err *err)
{
    (void)op;
    (void)want;
    (void)out;
    return sf_fail(err, SF_E_INTERNAL, "a diff creates nothing");
}
static enum sf_code update(struct sf_op *op, struct sf_str id, const struct sf_value *have, const struct sf_value *want,
                           struct sf_outcome *out, struct sf_err *err)
{
    (void)id;
    (void)have;
    return create(op, want, out, err);
}
static const struct sf_driver note_driver = {.kind = "note", .create = create};
static const struct sf_driver server_driver = {.kind = "server", .create = create, .update = update};
static const struct sf_driver share_driver = {.kind = "share", .create = create, .update = update};
static const struct sf_driver user_driver = {.kind = "user", .create = create, .update = update};
const struct sf_driver *const sf_drivers[] = {&note_driver, &server_driver, &share_driver, &user_driver, NULL};

/* --- a plan: a stack, rows of state, what was read --- */

enum { MAX_ROWS = 8 };

struct row {
    const char *address, *attrs, *container; /* attrs: JSON; container: address or NULL */
    const char *read;                        /* JSON, "absent", "unreadable", or NULL: as recorded */
    bool is_protected, is_incomplete;
};

static struct sf_arena *arena;
static struct sf_diags *diags;
static struct sf_graph *graph;
static struct sf_plan_options options;
static char path[64];

static int setup(void **state)
{
    (void)state;
    arena = sf_arena_new();
    options = (struct sf_plan_options){0};
    strcpy(path, "/tmp/sf-diff-XXXXXX");
    int fd = mkstemp(path);
    assert_true(fd >= 0);
    close(fd);
    return 0;
}

static int teardown(void **state)
{
    (void)state;
    unlink(path);
    sf_arena_free(arena);
    return 0;
}

static struct sf_str fingerprint(void *key, struct sf_arena *into, struct sf_str clear)
{
    (void)key;
    return sf_str_fmt(into, "fp-%zu-%c", clear.n, clear.p[0]);
}

static const char *secret_from_environment(const char *name)
{
    return strcmp(name, "SF_VAR_password") == 0 ? "secret" : NULL;
}

static const struct sf_value *json(const char *text)
{
    const struct sf_value *v = NULL;
    struct sf_err err = {0};
    if (sf_json_parse(arena, sf_str_of(text), "case", SF_JSON_STATE, &v, &err))
        fail_msg("bad test case %s: %s", text, err.message);
    return v;
}

static const struct sf_value *deps_of(const struct row *row)
{
    const struct sf_value **one = SF_NEW_ARRAY(arena, 1, const struct sf_value *);
    one[0] = row->container ? sf_value_str(arena, sf_str_of(row->container)) : NULL;
    return sf_value_list(arena, one, row->container ? 1 : 0);
}

static void see(struct sf_node *node, const struct row *row)
{
    node->seen = SF_SEEN_PRESENT;
    if (!row->read)
        node->actual = node->recorded->attrs;
    else if (strcmp(row->read, "absent") == 0)
        node->seen = SF_SEEN_ABSENT;
    else if (strcmp(row->read, "unreadable") == 0)
        node->seen = SF_SEEN_UNREADABLE;
    else
        node->actual = json(row->read);
}

static void visit(struct sf_node *node, const struct row *rows, size_t n)
{
    if (node->is_decided)
        return;
    for (size_t i = 0; i < node->n_deps; i++)
        visit(node->deps[i], rows, n);
    sf_node_prepare_now(graph, node);
    if (node->resource && node->is_targeted) {
        assert_int_equal(sf_node_evaluate(graph, node), SF_OK);
        sf_node_prepare_planned(graph, node);
    }
    for (size_t i = 0; i < n; i++)
        if (sf_str_is(node->address, rows[i].address) && node->recorded && !graph->options.no_refresh)
            see(node, &rows[i]);
    sf_node_decide(graph, node);
}

/* Plans `yaml` over `rows`; returns what sf_graph_settle() says. */
static enum sf_code plan(const char *yaml, const struct row *rows, size_t n)
{
    struct sf_recorded *recorded = SF_NEW_ARRAY(arena, MAX_ROWS, struct sf_recorded);
    struct sf_site *site = SF_NEW(arena, struct sf_site);
    struct sf_err err = {0};
    FILE *file = fopen(path, "w");
    assert_non_null(file);
    fprintf(file, "stack: diff\n%s", yaml);
    fclose(file);
    graph = SF_NEW(arena, struct sf_graph);
    diags = sf_diags_new(arena);
    struct sf_stack *stack = NULL;
    if (sf_stack_load(arena, path, SF_STR_NONE, NULL, 0, secret_from_environment, diags, &stack))
        fail_msg("bad test case: %.*s", SF_ARG(diags->list[0].message));
    *site = (struct sf_site){.stack = SF_STR("diff"), .provider = SF_STR("local")};
    for (size_t i = 0; i < n; i++) {
        struct sf_str address = sf_str_of(rows[i].address);
        recorded[i] = (struct sf_recorded){.address = address,
                                           .kind = sf_str_slice(address, 0, sf_str_find(address, SF_STR("."))),
                                           .id = SF_STR("id-1"),
                                           .is_protected = rows[i].is_protected,
                                           .is_incomplete = rows[i].is_incomplete,
                                           .attrs = json(rows[i].attrs),
                                           .container = sf_str_of(rows[i].container),
                                           .deps = deps_of(&rows[i])};
    }
    *graph = (struct sf_graph){
        .arena = arena, .stack = stack, .site = site, .options = options, .diags = diags, .fingerprint = fingerprint};
    assert_int_equal(sf_graph_build(graph, recorded, n, NULL, 0, &err), SF_OK);
    for (size_t i = 0; i < graph->n_nodes; i++)
        visit(graph->nodes[i], rows, n);
    return sf_graph_settle(graph);
}

static struct sf_node *node_of(const char *address)
{
    struct sf_node *node = sf_map_find(graph->by_address, sf_str_of(address));
    if (!node)
        fail_msg("there is no %s", address);
    return node;
}

static const struct sf_change *change_of(const char *address, const char *attr)
{
    struct sf_node *node = node_of(address);
    for (size_t i = 0; i < node->n_changes; i++)
        if (strcmp(node->changes[i].attr->name, attr) == 0)
            return &node->changes[i];
    return NULL;
}

static void assert_action(const char *address, enum sf_action action, enum sf_reason reason)
{
    assert_string_equal(sf_action_name(node_of(address)->action), sf_action_name(action));
    assert_string_equal(sf_reason_text(node_of(address)->reason), sf_reason_text(reason));
}

static bool is_unknown(const char *address, const char *attr)
{
    const struct sf_value *v = sf_map_getz(node_of(address)->planned.attrs, attr);
    return v && v->type == SF_V_UNKNOWN;
}

/* --- one resource --- */

static void a_new_resource_is_created_and_what_the_world_chooses_is_unknown(void **state)
{
    (void)state;
    plan("resources: {s: {kind: server, name: a}}\n", NULL, 0);
    assert_action("server.s", SF_CREATE, SF_REASON_NOT_IN_STATE);
    assert_true(is_unknown("server.s", "host") && is_unknown("server.s", "size"));
    assert_non_null(change_of("server.s", "name"));
    assert_null(change_of("server.s", "comment")); /* left out, no default: not managed */
}

static void nothing_differs_nothing_is_done(void **state)
{
    (void)state;
    struct row rows[] = {{.address = "server.s", .attrs = "{\"name\":\"a\",\"labels\":[\"x\",\"y\"],\"size\":\"big\"}"}};
    plan("resources: {s: {kind: server, name: a, labels: [y, x]}}\n", rows, 1);
    assert_action("server.s", SF_NOOP, SF_REASON_NONE);
    assert_int_equal(node_of("server.s")->n_changes, 0);
    assert_false(sf_graph_has_changes(graph));
}

static void a_difference_updates_and_in_a_replace_attribute_replaces(void **state)
{
    (void)state;
    struct row rows[] = {{.address = "server.s", .attrs = "{\"name\":\"a\",\"address\":\"1\",\"host\":\"h\",\"made\":\"m\"}"}};
    plan("resources: {s: {kind: server, name: a, address: '2'}}\n", rows, 1);
    assert_action("server.s", SF_UPDATE, SF_REASON_CHANGED);
    assert_false(change_of("server.s", "address")->forces_replacement);
    assert_true(is_unknown("server.s", "host"));  /* changes_with: [address] */
    assert_false(is_unknown("server.s", "made")); /* stays known through an update */

    plan("resources: {s: {kind: server, name: b, address: '1'}}\n", rows, 1);
    assert_action("server.s", SF_REPLACE, SF_REASON_CHANGED);
    assert_true(change_of("server.s", "name")->forces_replacement);
    assert_true(is_unknown("server.s", "made"));
    assert_int_equal(node_of("server.s")->planned.id.n, 0);
}

static void a_kind_without_update_is_replaced_for_every_change(void **state)
{
    (void)state;
    struct row rows[] = {{.address = "note.n", .attrs = "{\"text\":1}"}};
    plan("resources: {n: {kind: note, text: 2}}\n", rows, 1);
    assert_action("note.n", SF_REPLACE, SF_REASON_CANNOT_UPDATE);
}

static void an_unknown_in_a_replace_attribute_plans_a_replacement(void **state)
{
    (void)state;
    struct row rows[] = {{.address = "note.n", .attrs = "{\"because\":\"h\"}"}};
    plan("resources:\n  s: {kind: server, name: a}\n  n: {kind: note, because: \"${s.host}\"}\n", rows, 1);
    assert_action("note.n", SF_REPLACE, SF_REASON_CHANGED);
    assert_true(change_of("note.n", "because")->forces_replacement);
    assert_true(sf_str_is(change_of("note.n", "because")->after->s, "s.host"));
}

static void a_preferred_wish_counts_at_create_only_and_an_assigned_value_is_right_as_recorded(void **state)
{
    (void)state;
    struct row rows[] = {{.address = "server.s", .attrs = "{\"name\":\"a\",\"port\":2223,\"size\":\"big\"}"}};
    plan("resources: {s: {kind: server, name: a, port: 2222}}\n", rows, 1);
    assert_action("server.s", SF_NOOP, SF_REASON_NONE);
    plan("resources: {s: {kind: server, name: a, port: 2222, size: small}}\n", rows, 1);
    assert_action("server.s", SF_UPDATE, SF_REASON_CHANGED);
    assert_non_null(change_of("server.s", "size"));
}

static void a_removed_attribute_is_unset_if_its_schema_says_so_and_left_alone_otherwise(void **state)
{
    (void)state;
    struct row rows[] = {{.address = "server.s", .attrs = "{\"name\":\"a\",\"comment\":\"kept\",\"motd\":\"hello\"}"}};
    plan("resources: {s: {kind: server, name: a}}\n", rows, 1);
    assert_action("server.s", SF_UPDATE, SF_REASON_CHANGED);
    assert_null(change_of("server.s", "comment"));
    assert_int_equal(change_of("server.s", "motd")->after->s.n, 0);
    assert_true(sf_str_is(sf_map_str(node_of("server.s")->planned.attrs, "comment"), "kept"));
    assert_non_null(sf_map_getz(node_of("server.s")->want, "motd")); /* the driver is told */
}

static void an_ignored_attribute_keeps_its_value_in_what_is_wanted(void **state)
{
    (void)state;
    struct row rows[] = {{.address = "server.s", .attrs = "{\"name\":\"a\",\"comment\":\"old\"}"}};
    plan("resources: {s: {kind: server, name: a, comment: new, address: '2', ignore_changes: [comment]}}\n", rows, 1);
    assert_action("server.s", SF_UPDATE, SF_REASON_CHANGED);
    assert_null(change_of("server.s", "comment"));
    assert_true(sf_str_is(sf_map_str(node_of("server.s")->want, "comment"), "old"));
}

static void secrets_are_compared_by_fingerprint(void **state)
{
    (void)state;
    const char *yaml = "variables: {password: {type: string, secret: true}}\n"
                       "resources: {s: {kind: server, name: a, password: \"${var.password}\"}}\n";
    struct row rows[] = {{.address = "server.s", .attrs = "{\"name\":\"a\",\"password\":{\"$secret\":\"fp-6-s\"}}"}};
    plan(yaml, rows, 1);
    assert_action("server.s", SF_NOOP, SF_REASON_NONE);
    rows[0].attrs = "{\"name\":\"a\",\"password\":{\"$secret\":\"fp-5-x\"}}";
    plan(yaml, rows, 1);
    assert_action("server.s", SF_UPDATE, SF_REASON_CHANGED);
    assert_int_equal(change_of("server.s", "password")->after->type, SF_V_FINGERPRINT); /* what is shown holds no clear text */
}

static void what_was_made_and_not_finished_is_finished_by_update(void **state)
{
    (void)state;
    struct row rows[] = {{.address = "server.s", .attrs = "{\"name\":\"a\"}", .is_incomplete = true},
                         {.address = "note.n", .attrs = "{\"text\":1}", .is_incomplete = true}};
    plan("resources: {s: {kind: server, name: a}, n: {kind: note, text: 1}}\n", rows, 2);
    assert_action("server.s", SF_UPDATE, SF_REASON_INCOMPLETE);
    assert_action("note.n", SF_REPLACE, SF_REASON_INCOMPLETE); /* it has no update */
}

/* --- drift --- */

static void drift_of_what_is_managed_is_put_back_and_of_the_rest_only_recorded(void **state)
{
    (void)state;
    struct row rows[] = {{.address = "server.s",
                          .attrs = "{\"name\":\"a\",\"address\":\"1\",\"comment\":\"x\"}",
                          .read = "{\"name\":\"a\",\"address\":\"9\",\"comment\":\"y\"}"}};
    plan("resources: {s: {kind: server, name: a, address: '1'}}\n", rows, 1);
    assert_action("server.s", SF_UPDATE, SF_REASON_CHANGED);
    assert_int_equal(node_of("server.s")->n_drift, 2);
    assert_int_equal(node_of("server.s")->n_changes, 1);
    assert_true(sf_str_is(change_of("server.s", "address")->before->s, "9"));

    rows[0].read = "{\"name\":\"a\",\"address\":\"1\",\"comment\":\"y\"}";
    plan("resources: {s: {kind: server, name: a, address: '1'}}\n", rows, 1);
    assert_action("server.s", SF_NOOP, SF_REASON_NONE);
    assert_true(node_of("server.s")->needs_record);
    assert_false(sf_graph_has_changes(graph));
}

static void what_was_deleted_outside_is_created_again_or_forgotten(void **state)
{
    (void)state;
    struct row rows[] = {{.address = "server.s", .attrs = "{\"name\":\"a\"}", .read = "absent"}};
    plan("resources: {s: {kind: server, name: a}}\n", rows, 1);
    assert_action("server.s", SF_CREATE, SF_REASON_GONE);
    plan("resources: {}\n", rows, 1);
    assert_action("server.s", SF_FORGET, SF_REASON_GONE);
}

static void a_refresh_only_plan_has_drift_as_its_change_and_no_action(void **state)
{
    (void)state;
    struct row rows[] = {
        {.address = "server.s", .attrs = "{\"name\":\"a\",\"address\":\"1\"}", .read = "{\"name\":\"a\",\"address\":\"9\"}"}};
    options.is_refresh_only = true;
    plan("resources: {s: {kind: server, name: a, address: '1'}}\n", rows, 1);
    assert_action("server.s", SF_NOOP, SF_REASON_NONE);
    assert_true(sf_graph_has_changes(graph));
}

/* --- containers --- */

static const char *const inside =
    "resources:\n  s: {kind: server, name: b}\n  u: {kind: user, server: s}\n  d: {kind: share, server: s}\n";

static void what_lives_in_a_replaced_container_is_replaced_with_it(void **state)
{
    (void)state;
    struct row rows[] = {{.address = "server.s", .attrs = "{\"name\":\"a\"}"},
                         {.address = "user.u", .attrs = "{\"server\":\"id-1\"}", .container = "server.s"},
                         {.address = "share.d", .attrs = "{\"server\":\"id-1\"}", .container = "server.s"}};
    plan(inside, rows, 3);
    assert_action("user.u", SF_REPLACE, SF_REASON_CONTAINER_NEW);
    assert_true(sf_str_is(node_of("user.u")->reason_detail, "server.s"));
    assert_non_null(node_of("user.u")->goes_with);
    assert_null(node_of("share.d")->goes_with); /* it destroys its own first */
}

static void what_lived_in_a_container_that_is_gone_is_created(void **state)
{
    (void)state;
    struct row rows[] = {{.address = "server.s", .attrs = "{\"name\":\"b\"}", .read = "absent"},
                         {.address = "user.u", .attrs = "{\"server\":\"id-1\"}", .container = "server.s", .read = "absent"}};
    plan(inside, rows, 2);
    assert_action("server.s", SF_CREATE, SF_REASON_GONE);
    assert_int_equal(node_of("user.u")->action, SF_CREATE);
}

static void what_lives_in_a_destroyed_container_goes_along_unless_it_destroys_its_own(void **state)
{
    (void)state;
    struct row rows[] = {{.address = "server.s", .attrs = "{\"name\":\"a\"}"},
                         {.address = "user.u", .attrs = "{\"server\":\"id-1\"}", .container = "server.s"},
                         {.address = "share.d", .attrs = "{\"server\":\"id-1\"}", .container = "server.s"}};
    plan("resources: {}\n", rows, 3);
    assert_action("user.u", SF_DELETE, SF_REASON_WITH_CONTAINER);
    assert_non_null(node_of("user.u")->goes_with);
    assert_action("share.d", SF_DELETE, SF_REASON_NOT_IN_CONFIG);
    assert_null(node_of("share.d")->goes_with);
}

static void what_moves_goes_with_where_it_was_not_with_where_it_will_be(void **state)
{
    (void)state;
    struct row rows[] = {{.address = "server.s", .attrs = "{\"name\":\"a\"}"},
                         {.address = "server.t", .attrs = "{\"name\":\"t\"}"},
                         {.address = "user.u", .attrs = "{\"server\":\"id-1\"}", .container = "server.t"}};
    plan("resources:\n  s: {kind: server, name: b}\n  t: {kind: server, name: t}\n  u: {kind: user, server: s}\n", rows, 3);
    assert_int_equal(node_of("server.s")->action, SF_REPLACE);
    assert_int_equal(node_of("user.u")->action, SF_REPLACE);
    assert_null(node_of("user.u")->goes_with); /* 't' stays, and what it holds is deleted there */
    rows[2].attrs = "{\"server\":\"id-2\"}";
    plan("resources:\n  s: {kind: server, name: a}\n  u: {kind: user, server: s}\n", rows, 3);
    assert_int_equal(node_of("user.u")->action, SF_REPLACE);
    assert_ptr_equal(node_of("user.u")->goes_with, node_of("server.t"));
}

static void what_cannot_be_read_is_assumed_as_recorded(void **state)
{
    (void)state;
    struct row rows[] = {
        {.address = "server.s", .attrs = "{\"name\":\"b\"}"},
        {.address = "user.u", .attrs = "{\"server\":\"id-1\",\"shell\":\"sh\"}", .container = "server.s", .read = "unreadable"},
        {.address = "share.d", .attrs = "{\"server\":\"id-1\"}", .container = "server.s"}};
    plan(inside, rows, 3);
    assert_action("user.u", SF_NOOP, SF_REASON_NONE);
    assert_int_equal(sf_graph_count(graph).unreadable, 1);
}

/* --- guards, targets, moves --- */

static void what_is_protected_in_state_cannot_be_destroyed_with_or_without_its_block(void **state)
{
    (void)state;
    struct row rows[] = {{.address = "server.s", .attrs = "{\"name\":\"a\"}", .is_protected = true}};
    assert_int_equal(plan("resources: {}\n", rows, 1), SF_E_REFUSED);
    assert_int_equal(plan("resources: {s: {kind: server, name: b, protect: false}}\n", rows, 1), SF_E_REFUSED);
    assert_int_equal(plan("resources: {s: {kind: server, name: a, protect: false}}\n", rows, 1), SF_OK);
    assert_action("server.s", SF_NOOP, SF_REASON_NONE);
    assert_true(sf_node_changes_guard(node_of("server.s")) && sf_graph_has_changes(graph));
}

static void a_target_takes_along_what_it_needs_and_in_a_destroy_what_needs_it(void **state)
{
    (void)state;
    struct row rows[] = {{.address = "server.s", .attrs = "{\"name\":\"b\"}"},
                         {.address = "user.u", .attrs = "{\"server\":\"id-1\"}", .container = "server.s"},
                         {.address = "share.d", .attrs = "{\"server\":\"id-1\"}", .container = "server.s"}};
    struct sf_str targets[] = {SF_STR("user.u")};
    options = (struct sf_plan_options){.targets = targets, .n_targets = 1};
    plan(inside, NULL, 0);
    assert_int_equal(sf_graph_count(graph).add, 2);
    assert_int_equal(node_of("share.d")->action, SF_NOOP);

    targets[0] = SF_STR("server.s");
    options.is_destroy = true;
    plan(inside, rows, 3);
    assert_int_equal(sf_graph_count(graph).destroy, 3);
}

static void a_moved_row_is_the_resource_under_its_new_name(void **state)
{
    (void)state;
    struct row rows[] = {{.address = "server.old", .attrs = "{\"name\":\"a\"}"}};
    plan("moved: [{from: old, to: s}]\nresources: {s: {kind: server, name: a}}\n", rows, 1);
    assert_action("server.s", SF_NOOP, SF_REASON_NONE);
    assert_true(sf_str_is(node_of("server.s")->moved_from, "server.old"));
    assert_true(sf_node_changes_record(node_of("server.s")) && sf_graph_has_changes(graph));
    assert_int_equal(graph->n_nodes, 1);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, setup, teardown)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(a_new_resource_is_created_and_what_the_world_chooses_is_unknown),
        TEST(nothing_differs_nothing_is_done),
        TEST(a_difference_updates_and_in_a_replace_attribute_replaces),
        TEST(a_kind_without_update_is_replaced_for_every_change),
        TEST(an_unknown_in_a_replace_attribute_plans_a_replacement),
        TEST(a_preferred_wish_counts_at_create_only_and_an_assigned_value_is_right_as_recorded),
        TEST(a_removed_attribute_is_unset_if_its_schema_says_so_and_left_alone_otherwise),
        TEST(an_ignored_attribute_keeps_its_value_in_what_is_wanted),
        TEST(secrets_are_compared_by_fingerprint),
        TEST(what_was_made_and_not_finished_is_finished_by_update),
        TEST(drift_of_what_is_managed_is_put_back_and_of_the_rest_only_recorded),
        TEST(what_was_deleted_outside_is_created_again_or_forgotten),
        TEST(a_refresh_only_plan_has_drift_as_its_change_and_no_action),
        TEST(what_lives_in_a_replaced_container_is_replaced_with_it),
        TEST(what_lived_in_a_container_that_is_gone_is_created),
        TEST(what_lives_in_a_destroyed_container_goes_along_unless_it_destroys_its_own),
        TEST(what_moves_goes_with_where_it_was_not_with_where_it_will_be),
        TEST(what_cannot_be_read_is_assumed_as_recorded),
        TEST(what_is_protected_in_state_cannot_be_destroyed_with_or_without_its_block),
        TEST(a_target_takes_along_what_it_needs_and_in_a_destroy_what_needs_it),
        TEST(a_moved_row_is_the_resource_under_its_new_name),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
