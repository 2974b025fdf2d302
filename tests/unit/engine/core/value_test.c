/* engine/core/value.c: the value tree: building, asking, equality, order, copies. */
#include "engine/core/value.h"

#include <setjmp.h>
#include <stdarg.h>
#include <cmocka.h>

#include <stdio.h>
#include <stdlib.h>

static int set_up(void **state)
{
    *state = sf_arena_new();
    return 0;
}

static int tear_down(void **state)
{
    sf_arena_free(*state);
    return 0;
}

static struct sf_value *text(struct sf_arena *arena, const char *s)
{
    return sf_value_str(arena, sf_str_of(s));
}

static struct sf_value *list_of(struct sf_arena *arena, const struct sf_value *a, const struct sf_value *b)
{
    const struct sf_value **items = SF_NEW_ARRAY(arena, 2, const struct sf_value *);
    items[0] = a;
    items[1] = b;
    return sf_value_list(arena, items, 2);
}

static void text_is_copied_when_a_value_is_made(void **state)
{
    struct sf_arena *arena = *state;
    char bytes[] = "before";
    struct sf_value *v = sf_value_str(arena, sf_str_of(bytes));
    struct sf_value *map = sf_value_map(arena);
    sf_map_set(arena, map, sf_str_of(bytes), v);
    memcpy(bytes, "AFTER!", 6);
    assert_string_equal(v->s.p, "before");
    assert_string_equal(map->map.pairs[0].key.p, "before");
}

static void setting_a_key_overwrites_and_keeps_its_place_and_null_removes(void **state)
{
    struct sf_arena *arena = *state;
    struct sf_value *map = sf_value_map(arena);
    for (int i = 0; i < 20; i++) {
        char key[16];
        snprintf(key, sizeof(key), "k%d", i);
        sf_map_set_int(arena, map, key, i);
    }
    sf_map_set_str(arena, map, "k3", SF_STR("three"));
    assert_int_equal(map->map.n, 20);
    assert_true(sf_str_is(map->map.pairs[3].key, "k3"));
    assert_true(sf_str_is(sf_map_str(map, "k3"), "three"));
    sf_map_set(arena, map, SF_STR("k0"), NULL);
    sf_map_set(arena, map, SF_STR("k19"), NULL);
    sf_map_set(arena, map, SF_STR("none"), NULL);
    assert_int_equal(map->map.n, 18);
    assert_null(sf_map_getz(map, "k0"));
    assert_true(sf_str_is(map->map.pairs[0].key, "k1"));
    assert_int_equal(sf_map_int(map, "k18", -1), 18);
}

static void asking_for_what_is_not_there_or_not_that_type_has_an_answer(void **state)
{
    struct sf_arena *arena = *state;
    struct sf_value *map = sf_value_map(arena);
    sf_map_set_str(arena, map, "s", SF_STR("x"));
    sf_map_set_bool(arena, map, "b", true);
    assert_null(sf_map_getz(NULL, "s"));
    assert_null(sf_map_getz(text(arena, "s"), "s"));
    assert_null(sf_map_pair(map, SF_STR("none")));
    assert_int_equal(sf_map_str(map, "b").n, 0);
    assert_int_equal(sf_map_int(map, "s", 7), 7);
    assert_true(sf_map_bool(map, "s", true));
    assert_true(sf_map_bool(map, "b", false));
    assert_int_equal(sf_map_str(NULL, "s").n, 0);
}

static void maps_are_equal_in_any_order_and_lists_only_in_theirs(void **state)
{
    struct sf_arena *arena = *state;
    struct sf_value *a = sf_value_map(arena), *b = sf_value_map(arena);
    sf_map_set_int(arena, a, "x", 1);
    sf_map_set_int(arena, a, "y", 2);
    sf_map_set_int(arena, b, "y", 2);
    assert_false(sf_value_equal(a, b));
    sf_map_set_int(arena, b, "x", 1);
    assert_true(sf_value_equal(a, b));
    assert_int_equal(sf_value_order(a, b), 0);
    sf_map_set_int(arena, b, "x", 3);
    assert_false(sf_value_equal(a, b));
    struct sf_value *one = text(arena, "1"), *two = text(arena, "2");
    assert_true(sf_value_equal(list_of(arena, one, two), list_of(arena, text(arena, "1"), text(arena, "2"))));
    assert_false(sf_value_equal(list_of(arena, one, two), list_of(arena, two, one)));
    assert_false(sf_value_equal(list_of(arena, one, two), sf_value_list(arena, NULL, 0)));
}

static void types_never_mix_in_equality(void **state)
{
    struct sf_arena *arena = *state;
    assert_false(sf_value_equal(sf_value_int(arena, 1), text(arena, "1")));
    assert_false(sf_value_equal(sf_value_bool(arena, false), sf_value_null(arena)));
    assert_false(sf_value_equal(sf_value_fingerprint(arena, SF_STR("x")), text(arena, "x")));
    assert_true(sf_value_equal(sf_value_null(arena), &sf_null_value));
    assert_true(sf_value_equal(NULL, NULL));
    assert_false(sf_value_equal(NULL, &sf_null_value));
}

static void an_unknown_equals_nothing_not_even_itself(void **state)
{
    struct sf_arena *arena = *state;
    struct sf_value *unknown = sf_value_unknown(arena, SF_STR("sftp.id"));
    assert_false(sf_value_equal(unknown, unknown));
    struct sf_value *map = sf_value_map(arena);
    sf_map_set(arena, map, SF_STR("deep"), list_of(arena, text(arena, "x"), unknown));
    assert_false(sf_value_equal(map, map));
}

static void an_unknown_is_found_at_any_depth_and_names_its_source(void **state)
{
    struct sf_arena *arena = *state;
    struct sf_value *map = sf_value_map(arena);
    sf_map_set_int(arena, map, "n", 1);
    struct sf_str source = SF_STR_NONE;
    assert_false(sf_value_has_unknown(map, &source));
    assert_false(sf_value_has_unknown(NULL, &source));
    sf_map_set(arena, map, SF_STR("deep"), list_of(arena, text(arena, "x"), sf_value_unknown(arena, SF_STR("sftp.id"))));
    assert_true(sf_value_has_unknown(map, NULL));
    assert_true(sf_value_has_unknown(map, &source));
    assert_true(sf_str_is(source, "sftp.id"));
}

static void a_secret_is_found_at_any_depth(void **state)
{
    struct sf_arena *arena = *state;
    struct sf_value *map = sf_value_map(arena);
    sf_map_set_str(arena, map, "s", SF_STR("x"));
    assert_false(sf_value_has_secret(map));
    assert_false(sf_value_has_secret(NULL));
    sf_map_set(arena, map, SF_STR("deep"), list_of(arena, text(arena, "x"), sf_value_secret(arena, SF_STR("p"))));
    assert_true(sf_value_has_secret(map));
    assert_true(sf_value_has_secret(sf_value_fingerprint(arena, SF_STR("hmac:x"))));
}

static void order_is_total(void **state)
{
    struct sf_arena *arena = *state;
    struct sf_value *small = sf_value_map(arena), *large = sf_value_map(arena), *other = sf_value_map(arena);
    sf_map_set_int(arena, small, "b", 1);
    sf_map_set_int(arena, large, "b", 2);
    sf_map_set_int(arena, other, "c", 0);
    const struct sf_value *sorted[] = {
        sf_value_null(arena),
        sf_value_bool(arena, false),
        sf_value_bool(arena, true),
        sf_value_int(arena, INT64_MIN),
        sf_value_int(arena, 0),
        sf_value_int(arena, INT64_MAX),
        text(arena, ""),
        text(arena, "a"),
        text(arena, "ab"),
        text(arena, "b"),
        sf_value_list(arena, NULL, 0),
        list_of(arena, text(arena, "a"), text(arena, "a")),
        list_of(arena, text(arena, "a"), text(arena, "b")),
        sf_value_map(arena),
        small,
        large,
        other,
        sf_value_unknown(arena, SF_STR("x.id")),
    };
    for (size_t i = 0; i < SF_COUNT(sorted); i++)
        for (size_t j = 0; j < SF_COUNT(sorted); j++) {
            int order = sf_value_order(sorted[i], sorted[j]);
            assert_int_equal((order > 0) - (order < 0), (i > j) - (i < j));
        }
}

static void a_copy_shares_nothing_and_keeps_its_marks(void **state)
{
    struct sf_arena *arena = *state, *source = sf_arena_new();
    struct sf_value *map = sf_value_map(source), *secret = sf_value_secret(source, SF_STR("p"));
    secret->mark = (struct sf_mark){"stack.yaml", 22, 7, 3};
    secret->is_plain = true;
    sf_map_set(source, map, SF_STR("list"), list_of(source, sf_value_int(source, 4), secret));
    sf_map_set(source, map, SF_STR("empty"), sf_value_list(source, NULL, 0));
    sf_map_set(source, map, SF_STR("unknown"), sf_value_unknown(source, SF_STR("a.id")));
    map->map.pairs[0].key_mark.line = 21;
    const struct sf_value *copy = sf_value_copy(arena, map);
    sf_arena_free(source); /* what still leans on it would be read after free */
    const struct sf_value *list = sf_map_getz(copy, "list");
    assert_int_equal(list->list.items[0]->i, 4);
    assert_true(sf_str_is(list->list.items[1]->s, "p"));
    assert_true(list->list.items[1]->is_secret && list->list.items[1]->is_plain);
    assert_int_equal(list->list.items[1]->mark.line, 22);
    assert_int_equal(copy->map.pairs[0].key_mark.line, 21);
    assert_int_equal(sf_map_getz(copy, "empty")->list.n, 0);
    assert_true(sf_str_is(sf_map_getz(copy, "unknown")->s, "a.id"));
    assert_null(sf_value_copy(arena, NULL));
}

#define UNIT(test) cmocka_unit_test_setup_teardown(test, set_up, tear_down)

int main(void)
{
    const struct CMUnitTest tests[] = {
        UNIT(text_is_copied_when_a_value_is_made),
        UNIT(setting_a_key_overwrites_and_keeps_its_place_and_null_removes),
        UNIT(asking_for_what_is_not_there_or_not_that_type_has_an_answer),
        UNIT(maps_are_equal_in_any_order_and_lists_only_in_theirs),
        UNIT(types_never_mix_in_equality),
        UNIT(an_unknown_equals_nothing_not_even_itself),
        UNIT(an_unknown_is_found_at_any_depth_and_names_its_source),
        UNIT(a_secret_is_found_at_any_depth),
        UNIT(order_is_total),
        UNIT(a_copy_shares_nothing_and_keeps_its_marks),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
