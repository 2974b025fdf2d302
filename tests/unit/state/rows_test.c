/* state/rows.c, journal.c: rows, moves, intents, history, meta. */
#include "tests/unit/state/fixture.h"

static const struct sf_value *parse(struct fixture *f, const char *json)
{
    const struct sf_value *v = NULL;
    assert_ok(f, sf_json_parse(f->arena, sf_str_of(json), "test", SF_JSON_STATE, &v, &f->err));
    return v;
}

static const char *text_of(struct fixture *f, const struct sf_value *v)
{
    return sf_json_text(f->arena, v, SF_JSON_STATE).p;
}

static void put(struct fixture *f, struct sf_store *store, const struct sf_row *row)
{
    assert_ok(f, sf_store_begin(store, &f->err));
    assert_ok(f, sf_store_put_row(store, row, &f->err));
    assert_ok(f, sf_store_commit(store, &f->err));
}

static struct sf_row *find_row(struct fixture *f, struct sf_store *store, const char *address)
{
    struct sf_row *rows;
    size_t n;
    assert_ok(f, sf_store_rows(store, f->arena, &rows, &n, &f->err));
    for (size_t i = 0; i < n; i++)
        if (sf_str_is(rows[i].address, address))
            return &rows[i];
    return NULL;
}

static void a_row_comes_back_as_it_was_put(void **state)
{
    struct fixture *f = *state;
    struct sf_store *store = open_writer(f);
    struct sf_row row = {
        .address = SF_STR("sftp_user.up"),
        .kind = SF_STR("sftp_user"),
        .generation = 2,
        .id = SF_STR("s-1/up"),
        .status = SF_ROW_DEPOSED,
        .attrs =
            parse(f, "{\"n\":-9007199254740993,\"p\":{\"$secret\":\"hmac:ab\"},\"t\":\"\\u0000 \xc3\xa9\",\"x\":[null,true,1.50]}"),
        .refs = parse(f, "{\"server\":\"sftp_server.s\"}"),
        .deps = parse(f, "[\"sftp_server.s\"]"),
        .replace_order = SF_STR("delete_first"),
        .with_container = SF_STR("forget"),
        .container = SF_STR("sftp_server.s"),
        .is_protected = true,
        .on_remove = SF_STR("destroy"),
    };
    put(f, store, &row);
    sf_store_close(store);
    store = open_reader(f);
    struct sf_row *back = find_row(f, store, "sftp_user.up");
    assert_non_null(back);
    assert_int_equal(back->generation, 2);
    assert_int_equal(back->status, SF_ROW_DEPOSED);
    assert_true(back->is_protected);
    assert_int_equal(back->revision, 1);
    assert_true(sf_str_eq(back->kind, row.kind) && sf_str_eq(back->id, row.id) && sf_str_eq(back->container, row.container));
    assert_true(sf_str_eq(back->replace_order, row.replace_order) && sf_str_eq(back->with_container, row.with_container));
    assert_true(sf_str_eq(back->on_remove, row.on_remove));
    assert_string_equal(text_of(f, back->attrs), text_of(f, row.attrs));
    assert_true(sf_value_equal(back->attrs, row.attrs));
    assert_int_equal(sf_map_getz(back->attrs, "p")->type, SF_V_FINGERPRINT);
    assert_true(sf_value_equal(back->refs, row.refs));
    assert_true(sf_value_equal(back->deps, row.deps));
    sf_store_close(store);
}

static void values_left_out_come_back_empty(void **state)
{
    struct fixture *f = *state;
    struct sf_store *store = open_writer(f);
    assert_ok(f, put_one(store, "value.a", &f->err));
    struct sf_row *back = find_row(f, store, "value.a");
    assert_int_equal(back->attrs->type, SF_V_MAP);
    assert_int_equal(back->refs->type, SF_V_MAP);
    assert_int_equal(back->deps->type, SF_V_LIST);
    assert_int_equal(back->container.n, 0);
    sf_store_close(store);
}

static void a_row_is_replaced_by_address_and_generation_only(void **state)
{
    struct fixture *f = *state;
    struct sf_store *store = open_writer(f);
    struct sf_row row = a_row("value.a");
    put(f, store, &row);
    row.id = SF_STR("id-2");
    put(f, store, &row);
    assert_int_equal(count_rows(f, store), 1);
    assert_true(sf_str_is(find_row(f, store, "value.a")->id, "id-2"));
    row.generation = 1;
    row.status = SF_ROW_DEPOSED;
    put(f, store, &row);
    assert_int_equal(count_rows(f, store), 2);
    assert_ok(f, sf_store_begin(store, &f->err));
    assert_ok(f, sf_store_delete_row(store, row.address, 0, &f->err));
    assert_ok(f, sf_store_commit(store, &f->err));
    assert_int_equal(count_rows(f, store), 1);
    assert_int_equal(find_row(f, store, "value.a")->generation, 1);
    sf_store_close(store);
}

static void a_clear_secret_handed_over_by_mistake_is_not_written(void **state)
{
    struct fixture *f = *state;
    struct sf_store *store = open_writer(f);
    struct sf_row row = a_row("value.a");
    struct sf_value *attrs = sf_value_map(f->arena);
    sf_map_set(f->arena, attrs, SF_STR("password"), sf_value_secret(f->arena, SF_STR("hunter2-canary")));
    row.attrs = attrs;
    put(f, store, &row);
    assert_false(file_holds(beside(f, "-wal"), "hunter2-canary"));
    sf_store_close(store);
    assert_false(file_holds(f->path, "hunter2-canary"));
}

static void text_that_looks_like_sql_is_only_text(void **state)
{
    struct fixture *f = *state;
    struct sf_store *store = open_writer(f);
    const char *address = "value.x'; DROP TABLE resource; --";
    assert_ok(f, put_one(store, address, &f->err));
    assert_non_null(find_row(f, store, address));
    sf_store_close(store);
}

static void a_move_renames_everywhere(void **state)
{
    struct fixture *f = *state;
    struct sf_store *store = open_writer(f);
    assert_ok(f, sf_store_load_key(store, true, &f->err));
    struct sf_row server = a_row("sftp_server.old"), deposed = a_row("sftp_server.old"), user = a_row("sftp_user.u");
    struct sf_row other = a_row("value.other");
    deposed.generation = 1;
    deposed.status = SF_ROW_DEPOSED;
    user.container = SF_STR("sftp_server.old");
    user.attrs = parse(f, "{\"note\":\"sftp_server.old\"}"); /* an attribute is not an address */
    user.refs = parse(f, "{\"server\":\"sftp_server.old\",\"keys\":[\"ssh_key.k\",\"sftp_server.old\"]}");
    user.deps = parse(f, "[\"ssh_key.k\",\"sftp_server.old\"]");
    put(f, store, &server);
    put(f, store, &deposed);
    put(f, store, &user);
    put(f, store, &other);
    struct sf_intent intent = {.id = SF_STR("i-1"),
                               .address = SF_STR("sftp_server.old"),
                               .kind = SF_STR("sftp_server"),
                               .verb = SF_STR("update"),
                               .deps = parse(f, "[\"sftp_server.old\"]")};
    assert_ok(f, sf_store_begin(store, &f->err));
    assert_ok(f, sf_store_put_intent(store, &intent, &f->err));
    assert_ok(f, sf_store_seal(store, SF_STR("sftp_server.old"), "host_key", SF_STR("s3cret"), &f->err));
    assert_ok(f, sf_store_commit(store, &f->err));

    assert_ok(f, sf_store_begin(store, &f->err));
    assert_ok(f, sf_store_move(store, SF_STR("sftp_server.old"), SF_STR("sftp_server.new"), &f->err));
    assert_ok(f, sf_store_commit(store, &f->err));

    assert_null(find_row(f, store, "sftp_server.old"));
    assert_non_null(find_row(f, store, "sftp_server.new"));
    assert_int_equal(count_rows(f, store), 4);
    struct sf_row *back = find_row(f, store, "sftp_user.u");
    assert_true(sf_str_is(back->container, "sftp_server.new"));
    assert_string_equal(text_of(f, back->refs), "{\"keys\":[\"ssh_key.k\",\"sftp_server.new\"],\"server\":\"sftp_server.new\"}");
    assert_string_equal(text_of(f, back->deps), "[\"ssh_key.k\",\"sftp_server.new\"]");
    assert_string_equal(text_of(f, back->attrs), "{\"note\":\"sftp_server.old\"}");
    assert_int_equal(find_row(f, store, "value.other")->revision, 4); /* untouched */
    struct sf_intent *intents;
    size_t n;
    assert_ok(f, sf_store_intents(store, f->arena, &intents, &n, &f->err));
    assert_true(sf_str_is(intents[0].address, "sftp_server.new"));
    assert_string_equal(text_of(f, intents[0].deps), "[\"sftp_server.new\"]");
    struct sf_str clear;
    assert_int_equal(sf_store_unseal(store, f->arena, SF_STR("sftp_server.old"), "host_key", &clear, &f->err), SF_E_ABSENT);
    assert_ok(f, sf_store_unseal(store, f->arena, SF_STR("sftp_server.new"), "host_key", &clear, &f->err));
    assert_true(sf_str_is(clear, "s3cret"));
    sf_store_close(store);
}

static void a_move_onto_something_or_from_nothing_is_refused(void **state)
{
    struct fixture *f = *state;
    struct sf_store *store = open_writer(f);
    assert_ok(f, put_one(store, "value.a", &f->err));
    assert_ok(f, put_one(store, "value.b", &f->err));
    assert_ok(f, sf_store_begin(store, &f->err));
    assert_int_equal(sf_store_move(store, SF_STR("value.a"), SF_STR("value.b"), &f->err), SF_E_CONFLICT);
    assert_int_equal(sf_store_move(store, SF_STR("value.x"), SF_STR("value.y"), &f->err), SF_E_ABSENT);
    sf_store_rollback(store);
    assert_int_equal(count_rows(f, store), 2);
    sf_store_close(store);
}

static void intents_come_back_oldest_first_and_are_replaced_by_id(void **state)
{
    struct fixture *f = *state;
    struct sf_store *store = open_writer(f);
    struct sf_intent late = {.id = SF_STR("a"), .address = SF_STR("value.late"), .verb = SF_STR("create"), .opened_ms = 20};
    struct sf_intent early = {.id = SF_STR("b"),
                              .address = SF_STR("value.early"),
                              .verb = SF_STR("destroy"),
                              .opened_ms = 10,
                              .generation = 3,
                              .kind = SF_STR("value"),
                              .run = SF_STR("r"),
                              .want = parse(f, "{\"a\":1}")};
    assert_ok(f, sf_store_begin(store, &f->err));
    assert_ok(f, sf_store_put_intent(store, &late, &f->err));
    assert_ok(f, sf_store_put_intent(store, &early, &f->err));
    early.call = SF_STR("rmdir");
    early.made_id = SF_STR("made");
    assert_ok(f, sf_store_put_intent(store, &early, &f->err));
    assert_ok(f, sf_store_commit(store, &f->err));
    struct sf_intent *intents;
    size_t n;
    assert_ok(f, sf_store_intents(store, f->arena, &intents, &n, &f->err));
    assert_int_equal(n, 2);
    assert_true(sf_str_is(intents[0].address, "value.early"));
    assert_true(sf_str_is(intents[0].call, "rmdir") && sf_str_is(intents[0].made_id, "made") && sf_str_is(intents[0].run, "r"));
    assert_int_equal(intents[0].generation, 3);
    assert_string_equal(text_of(f, intents[0].want), "{\"a\":1}");
    assert_true(sf_str_is(intents[1].address, "value.late"));
    assert_ok(f, sf_store_begin(store, &f->err));
    assert_ok(f, sf_store_close_intent(store, SF_STR("a"), &f->err));
    assert_ok(f, sf_store_close_intent(store, SF_STR("b"), &f->err));
    assert_ok(f, sf_store_commit(store, &f->err));
    assert_int_equal(count_intents(f, store), 0);
    sf_store_close(store);
}

static void add_entries(struct fixture *f, struct sf_store *store, int from, int to)
{
    assert_ok(f, sf_store_begin(store, &f->err));
    for (int i = from; i < to; i++) {
        struct sf_value *detail = sf_value_map(f->arena);
        sf_map_set_int(f->arena, detail, "i", i);
        assert_ok(f, sf_store_add_history(store, SF_STR("run-1"), i % 2 ? SF_STR("value.odd") : SF_STR("value.even"),
                                          SF_STR("update"), detail, &f->err));
    }
    assert_ok(f, sf_store_commit(store, &f->err));
}

static void history_is_newest_first_and_can_be_asked_for_one_address(void **state)
{
    struct fixture *f = *state;
    struct sf_store *store = open_writer(f);
    add_entries(f, store, 0, 6);
    const struct sf_value *list;
    assert_ok(f, sf_store_history(store, f->arena, SF_STR_NONE, 100, &list, &f->err));
    assert_int_equal(list->list.n, 6);
    const struct sf_value *newest = list->list.items[0];
    assert_int_equal(sf_map_int(sf_map_getz(newest, "detail"), "i", -1), 5);
    assert_true(sf_str_is(sf_map_str(newest, "run"), "run-1") && sf_str_is(sf_map_str(newest, "event"), "update"));
    assert_true(sf_str_ends(sf_map_str(newest, "at"), SF_STR("Z")));
    assert_ok(f, sf_store_history(store, f->arena, SF_STR("value.even"), 2, &list, &f->err));
    assert_int_equal(list->list.n, 2);
    assert_int_equal(sf_map_int(sf_map_getz(list->list.items[0], "detail"), "i", -1), 4);
    assert_int_equal(sf_map_int(sf_map_getz(list->list.items[1], "detail"), "i", -1), 2);
    assert_ok(f, sf_store_history(store, f->arena, SF_STR("value.none"), 2, &list, &f->err));
    assert_int_equal(list->list.n, 0);
    sf_store_close(store);
}

static void history_keeps_the_newest_ten_thousand(void **state)
{
    struct fixture *f = *state;
    struct sf_store *store = open_writer(f);
    add_entries(f, store, 0, 10500);
    const struct sf_value *list;
    assert_ok(f, sf_store_history(store, f->arena, SF_STR_NONE, 1000000, &list, &f->err));
    assert_int_equal(list->list.n, 10000);
    assert_int_equal(sf_map_int(sf_map_getz(list->list.items[0], "detail"), "i", -1), 10499);
    assert_int_equal(sf_map_int(sf_map_getz(list->list.items[9999], "detail"), "i", -1), 500);
    sf_store_close(store);
    edit(f, "CREATE TEMP TABLE t AS SELECT CASE WHEN count(*) < 10300 THEN 1 ELSE abs(-9223372036854775807 - 1) END FROM history");
}

static void meta_values_are_kept_by_name(void **state)
{
    struct fixture *f = *state;
    struct sf_store *store = open_writer(f);
    const struct sf_value *v = &sf_null_value;
    assert_ok(f, sf_store_get_meta(store, f->arena, "outputs", &v, &f->err));
    assert_null(v);
    assert_ok(f, sf_store_begin(store, &f->err));
    assert_ok(f, sf_store_put_meta(store, "outputs", parse(f, "{\"a\":1}"), &f->err));
    assert_ok(f, sf_store_put_meta(store, "outputs", parse(f, "{\"a\":2}"), &f->err));
    assert_ok(f, sf_store_commit(store, &f->err));
    assert_ok(f, sf_store_get_meta(store, f->arena, "outputs", &v, &f->err));
    assert_string_equal(text_of(f, v), "{\"a\":2}");
    assert_int_equal(sf_store_revision(store), 1);
    assert_ok(f, sf_store_begin(store, &f->err));
    assert_ok(f, sf_store_put_meta(store, "outputs", parse(f, "{ \"a\": 2 }"), &f->err));
    assert_ok(f, sf_store_commit(store, &f->err));
    assert_int_equal(sf_store_revision(store), 1); /* the same again is no change */
    sf_store_close(store);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        UNIT(a_row_comes_back_as_it_was_put),
        UNIT(values_left_out_come_back_empty),
        UNIT(a_row_is_replaced_by_address_and_generation_only),
        UNIT(a_clear_secret_handed_over_by_mistake_is_not_written),
        UNIT(text_that_looks_like_sql_is_only_text),
        UNIT(a_move_renames_everywhere),
        UNIT(a_move_onto_something_or_from_nothing_is_refused),
        UNIT(intents_come_back_oldest_first_and_are_replaced_by_id),
        UNIT(history_is_newest_first_and_can_be_asked_for_one_address),
        UNIT(history_keeps_the_newest_ten_thousand),
        UNIT(meta_values_are_kept_by_name),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
