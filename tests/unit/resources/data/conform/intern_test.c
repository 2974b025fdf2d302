/* The table from bytes to numbers: many lookups at once give what one by one gives, on a machine with AVX-512 and on one without.
 */
#include "resources/data/conform/intern.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>

#include <cmocka.h>

typedef void find_fn(const struct sf_intern *table, struct sf_intern_key *keys, size_t n);

static void find(const struct sf_intern *table, struct sf_intern_key *keys, size_t n)
{
    sf_intern_hash_all(table, keys, n);
    sf_intern_expect_all(table, keys, n);
    sf_intern_find_all(table, keys, n);
}

static void find_plainly(const struct sf_intern *table, struct sf_intern_key *keys, size_t n)
{
    sf_intern_hash_all_plainly(table, keys, n);
    sf_intern_expect_all(table, keys, n);
    sf_intern_find_all_plainly(table, keys, n);
}

enum { TEXTS = 6000, MOST = 400, AT_ONCE = 16 };

/* Texts of all lengths up to MOST, a letter and its number in each, the same letters over and over: many differ in one byte. */
static struct sf_str text_of(struct sf_arena *arena, size_t i)
{
    enum { DIGITS = 4 };
    size_t n = DIGITS + i * 7 % (MOST - DIGITS), at = i * 31 % (n - DIGITS + 1);
    char *text = sf_arena_alloc(arena, n);
    memset(text, "abc"[i % 3], n);
    memcpy(text + at, sf_str_fmt(arena, "%04zu", i).p, DIGITS);
    return (struct sf_str){text, n};
}

static void finds_what_was_added(find_fn *find_many)
{
    struct sf_arena *arena = sf_arena_new();
    struct sf_intern table;
    sf_intern_open(&table, 20261121);
    struct sf_str *texts = SF_NEW_ARRAY(arena, TEXTS, struct sf_str);
    for (size_t i = 0; i < TEXTS; i++)
        texts[i] = text_of(arena, i);
    uint32_t *numbers = SF_NEW_ARRAY(arena, TEXTS, uint32_t), next = 0;
    for (size_t round = 0; round < 3; round++) {
        for (size_t i = 0; i + AT_ONCE <= TEXTS; i += AT_ONCE) {
            struct sf_intern_key keys[AT_ONCE];
            for (size_t k = 0; k < AT_ONCE; k++) {
                struct sf_str text = texts[i + k];
                /* the second time somewhere else in memory, and next to other bytes */
                keys[k].bytes = round == 1 ? sf_str_slice(sf_str_fmt(arena, "x%.*sy", SF_ARG(text)), 1, text.n + 1) : text;
            }
            find_many(&table, keys, AT_ONCE);
            for (size_t k = 0; k < AT_ONCE; k++) {
                uint32_t again = sf_intern_find(&table, keys[k].hash, keys[k].bytes);
                if (round == 0 && again == SF_INTERN_NONE) {
                    numbers[i + k] = next++;
                    sf_intern_add(&table, keys[k].hash, keys[k].bytes, numbers[i + k]);
                } else if (round == 0) {
                    numbers[i + k] = again; /* the same text as another one's */
                } else {
                    assert_int_equal(keys[k].number, numbers[i + k]);
                    assert_int_equal(again, numbers[i + k]);
                }
            }
        }
    }
    assert_int_equal(table.n, next);
    assert_true(next > TEXTS / 2);
    struct sf_intern_key near = {.bytes = sf_str_slice(texts[5], 0, texts[5].n - 1)};
    find_many(&table, &near, 1);
    assert_int_equal(near.number, SF_INTERN_NONE);
    struct sf_intern_key empty = {.bytes = {"", 0}};
    find_many(&table, &empty, 1);
    assert_int_equal(empty.number, SF_INTERN_NONE);
    sf_intern_close(&table);
    sf_arena_free(arena);
}

static void many_at_once_are_found_as_one_by_one(void **state)
{
    (void)state;
    finds_what_was_added(find);
}

static void a_machine_without_wide_vectors_finds_the_same(void **state)
{
    (void)state;
    finds_what_was_added(find_plainly);
}

/* What no file can be made to do on purpose: another text under the same hash. */
static void texts_of_one_hash_are_told_apart(void **state)
{
    (void)state;
    static find_fn *const ways[] = {find, find_plainly};
    for (size_t way = 0; way < SF_COUNT(ways); way++) {
        for (size_t n = 1; n < MOST; n++) {
            char text[MOST], other[MOST];
            memset(text, 'a', n);
            memset(other, 'a', n);
            other[n * 3 / 4] = 'b';
            struct sf_intern table;
            sf_intern_open(&table, n);
            struct sf_intern_key key = {.bytes = {text, n}};
            ways[way](&table, &key, 1);
            sf_intern_add(&table, key.hash, (struct sf_str){other, n}, 1);
            ways[way](&table, &key, 1);
            assert_int_equal(key.number, SF_INTERN_NONE);
            sf_intern_add(&table, key.hash, (struct sf_str){text, n}, 2);
            ways[way](&table, &key, 1);
            assert_int_equal(key.number, 2);
            sf_intern_close(&table);
        }
    }
}

static void an_empty_table_has_nothing(void **state)
{
    (void)state;
    struct sf_intern table;
    sf_intern_open(&table, 1);
    struct sf_intern_key keys[2] = {{.bytes = SF_STR("a")}, {.bytes = SF_STR("b")}};
    find(&table, keys, 2);
    assert_int_equal(keys[0].number, SF_INTERN_NONE);
    assert_int_equal(keys[1].number, SF_INTERN_NONE);
    assert_int_not_equal(keys[0].hash, keys[1].hash);
    sf_intern_close(&table);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(many_at_once_are_found_as_one_by_one),
        cmocka_unit_test(a_machine_without_wide_vectors_finds_the_same),
        cmocka_unit_test(texts_of_one_hash_are_told_apart),
        cmocka_unit_test(an_empty_table_has_nothing),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
