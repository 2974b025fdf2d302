/* map, clock, cidr: small modules, one program. */
#include "engine/core/cidr.h"
#include "engine/core/clock.h"
#include "engine/core/map.h"

#include <setjmp.h>
#include <stdarg.h>

#include <cmocka.h>

static void a_map_holds_what_was_put_last(void **state)
{
    (void)state;
    struct sf_arena *arena = sf_arena_new();
    struct sf_map *map = sf_map_new(arena);
    static int items[5000];
    assert_null(sf_map_find(map, SF_STR("k0")));
    for (int i = 0; i < 5000; i++)
        sf_map_put(map, sf_str_fmt(arena, "k%d", i), &items[i]);
    sf_map_put(map, SF_STR("k7"), &items[0]);
    sf_map_put(map, SF_STR_NONE, &items[1]);
    assert_int_equal(sf_map_count(map), 5001);
    for (int i = 0; i < 5000; i++)
        assert_ptr_equal(sf_map_find(map, sf_str_fmt(arena, "k%d", i)), i == 7 ? &items[0] : &items[i]);
    assert_ptr_equal(sf_map_find(map, SF_STR("")), &items[1]);
    assert_null(sf_map_find(map, SF_STR("k5000")));
    sf_arena_free(arena);
}

static void keys_that_differ_only_in_their_last_byte_or_length_are_told_apart(void **state)
{
    (void)state;
    struct sf_arena *arena = sf_arena_new();
    struct sf_map *map = sf_map_new(arena);
    static const char text[] = "aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa";
    static int items[32];
    for (size_t n = 0; n < 32; n++)
        sf_map_put(map, (struct sf_str){text, n}, &items[n]);
    for (size_t n = 0; n < 32; n++)
        assert_ptr_equal(sf_map_find(map, (struct sf_str){text, n}), &items[n]);
    assert_null(sf_map_find(map, SF_STR("aaaaaaab")));
    sf_arena_free(arena);
}

static void times_are_written_as_rfc_3339(void **state)
{
    (void)state;
    struct sf_arena *arena = sf_arena_new();
    assert_string_equal(sf_clock_rfc3339(arena, 0).p, "1970-01-01T00:00:00Z");
    assert_string_equal(sf_clock_rfc3339(arena, 1795181739999).p, "2026-11-20T13:35:39Z");
    assert_string_equal(sf_clock_rfc3339(arena, 951782400000).p, "2000-02-29T00:00:00Z");
    assert_string_equal(sf_clock_rfc3339(arena, -1).p, "1969-12-31T23:59:59Z");
    sf_arena_free(arena);
}

static void sha256_is_sha256(void **state)
{
    (void)state;
    struct sf_arena *arena = sf_arena_new();
    assert_string_equal(sf_sha256_hex(arena, SF_STR_NONE).p, "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855");
    assert_string_equal(sf_sha256_hex(arena, SF_STR("abc")).p, "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad");
    sf_arena_free(arena);
}

static void a_uuid_is_of_version_4_and_never_the_same(void **state)
{
    (void)state;
    struct sf_arena *arena = sf_arena_new();
    struct sf_str a = sf_random_uuid(arena), b = sf_random_uuid(arena);
    assert_int_equal(a.n, 36);
    assert_int_equal(a.p[14], '4');
    assert_non_null(strchr("89ab", a.p[19]));
    assert_false(sf_str_eq(a, b));
    sf_arena_free(arena);
}

static void the_virtual_clock_moves_only_when_told(void **state)
{
    (void)state;
    assert_true(sf_clock_wall_ms() > 1700000000000);
    sf_clock_use_virtual(1000);
    assert_int_equal(sf_clock_ms(), 1000);
    assert_int_equal(sf_clock_wall_ms(), 1000);
    sf_clock_advance(250);
    assert_int_equal(sf_clock_ms(), 1250);
}

static void networks_have_one_canonical_form(void **state)
{
    static const struct {
        const char *in, *out;
    } cases[] = {{"10.1.2.3/8", "10.0.0.0/8"},
                 {"0.0.0.0/0", "0.0.0.0/0"},
                 {"192.168.1.129/25", "192.168.1.128/25"},
                 {"1.2.3.4", "1.2.3.4/32"},
                 {"2001:DB8::1/32", "2001:db8::/32"},
                 {"::/0", "::/0"},
                 {"::1", "::1/128"},
                 {"::ffff:1.2.3.4/128", "::ffff:1.2.3.4/128"}};
    static const char *const bad[] = {"",
                                      "/8",
                                      "10.0.0.0/",
                                      "10.0.0.0/33",
                                      "10.0.0.0/-1",
                                      "10.0.0.0/08",
                                      "10.0.0/8",
                                      "300.0.0.0/8",
                                      "::/129",
                                      "10.0.0.0/8/8",
                                      "10.0.0.0 /8",
                                      "x",
                                      "010.0.0.0/8",
                                      "::1%lo/128",
                                      "1111111111111111111111111111111111111111111111111111111111/8"};
    (void)state;
    struct sf_arena *arena = sf_arena_new();
    struct sf_cidr cidr;
    for (size_t i = 0; i < SF_COUNT(cases); i++) {
        assert_true(sf_cidr_parse(sf_str_of(cases[i].in), true, &cidr));
        assert_string_equal(sf_cidr_text(arena, &cidr).p, cases[i].out);
    }
    for (size_t i = 0; i < SF_COUNT(bad); i++)
        if (sf_cidr_parse(sf_str_of(bad[i]), true, &cidr))
            fail_msg("accepted: %s", bad[i]);
    assert_false(sf_cidr_parse(SF_STR("1.2.3.4"), false, &cidr));
    sf_arena_free(arena);
}

static void a_network_contains_the_narrower_ones(void **state)
{
    (void)state;
    struct sf_cidr ten, inner, other, v6;
    assert_true(sf_cidr_parse(SF_STR("10.0.0.0/8"), false, &ten));
    assert_true(sf_cidr_parse(SF_STR("10.9.0.0/16"), false, &inner));
    assert_true(sf_cidr_parse(SF_STR("11.0.0.0/16"), false, &other));
    assert_true(sf_cidr_parse(SF_STR("::/0"), false, &v6));
    assert_true(sf_cidr_contains(&ten, &inner) && sf_cidr_contains(&ten, &ten));
    assert_false(sf_cidr_contains(&inner, &ten) || sf_cidr_contains(&ten, &other) || sf_cidr_contains(&v6, &ten));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_map_holds_what_was_put_last),
        cmocka_unit_test(keys_that_differ_only_in_their_last_byte_or_length_are_told_apart),
        cmocka_unit_test(times_are_written_as_rfc_3339),
        cmocka_unit_test(sha256_is_sha256),
        cmocka_unit_test(a_uuid_is_of_version_4_and_never_the_same),
        cmocka_unit_test(networks_have_one_canonical_form),
        cmocka_unit_test(a_network_contains_the_narrower_ones),
        cmocka_unit_test(the_virtual_clock_moves_only_when_told), /* last: it stays virtual */
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
