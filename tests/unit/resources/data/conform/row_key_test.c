/* Keys of rows, hashed side by side: the same as hash60 of each row's text, on a machine with AVX-512 and on one without. */
#include "resources/data/conform/row_key.h"

#include "resources/data/conform/text.h"
#include "resources/data/conform/year_sort.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>

#include <cmocka.h>

static uint64_t next_random(uint64_t *seed)
{
    *seed = *seed * 6364136223846793005u + 1442695040888963407u;
    return *seed >> 33;
}

static void lanes_hash_what_openssl_hashes(void **state)
{
    (void)state;
    enum { N = 5 * SF_SHA_LANES + 3, ROOM = 6 * SF_SHA_LANES };
    static unsigned char blocks[ROOM][SF_SHA_BLOCK];
    static struct sf_sha_states in[6], side_by_side[6], one_by_one[6];
    static uint32_t from[ROOM];
    uint64_t seed = 20261121;
    printf("seed %llu\n", (unsigned long long)seed);
    for (size_t i = 0; i < ROOM; i++) {
        from[i] = (uint32_t)(next_random(&seed) % ROOM);
        for (size_t k = 0; k < SF_SHA_BLOCK; k++)
            blocks[i][k] = (unsigned char)next_random(&seed);
        for (size_t k = 0; k < SF_SHA_WORDS; k++)
            in[i / SF_SHA_LANES].words[k][i % SF_SHA_LANES] = (uint32_t)(next_random(&seed) << 1 ^ next_random(&seed));
    }
    /* states of anywhere; in a row from a first lane; in a row over two elements */
    for (size_t i = 0; i < SF_SHA_LANES; i++) {
        from[SF_SHA_LANES + i] = (uint32_t)(2 * SF_SHA_LANES + i);
        from[2 * SF_SHA_LANES + i] = (uint32_t)(3 * SF_SHA_LANES + 5 + i);
        from[3 * SF_SHA_LANES + i] = (uint32_t)(SF_SHA_LANES - 1 + i);
    }
    const unsigned char *p[ROOM];
    for (size_t i = 0; i < ROOM; i++)
        p[i] = blocks[i];
    sf_sha_compress(in, from, p, N, side_by_side);
    sf_sha_compress_plainly(in, from, p, N, one_by_one);
    for (size_t i = 0; i < N; i++)
        for (size_t k = 0; k < SF_SHA_WORDS; k++)
            assert_int_equal(side_by_side[i / SF_SHA_LANES].words[k][i % SF_SHA_LANES],
                             one_by_one[i / SF_SHA_LANES].words[k][i % SF_SHA_LANES]);
}

enum { ROWS = 3000, MEMBERS = 7, DIMENSIONS = 3, DETAILS = 2, MAX_TEXT = 32 * 1024 };

/* Details of ever other lengths, some of more blocks than are hashed side by side; every fourth row repeats the one before. */
static void keys_are_the_hashes_of_the_rows_texts(void **state)
{
    (void)state;
    static struct sf_raw members[MEMBERS];
    static int64_t ids[ROWS], want[ROWS];
    static char filler[4096];
    struct sf_rules *rules = calloc(1, sizeof *rules);
    assert_non_null(rules);
    rules->sides[0].text = SF_STR("Spending");
    rules->sides[1].text = SF_STR("Revenue, and a rather long word for it");
    rules->n_sides = 2;
    memset(filler, 'x', sizeof filler);
    for (size_t i = 0; i < MEMBERS; i++) {
        memcpy(members[i].sha256_part, "64:", 3);
        sf_text_sha256_hex((struct sf_str){filler, i}, members[i].sha256_part + 3);
    }
    uint64_t seed = 7;
    struct sf_row_keys keys;
    sf_row_keys_open(&keys, rules, ids);
    struct sf_buf text = SF_BUF(MAX_TEXT), tail = SF_BUF(MAX_TEXT), occurrences = SF_BUF(64);
    size_t side = 2, place[DIMENSIONS] = {0};
    uint64_t occurrence = 0;
    for (size_t i = 0; i < ROWS; i++) {
        occurrence++;
        if (i % 4 != 3) {
            occurrence = 1;
            bool is_other_side = side != i / (ROWS / 2);
            side = i / (ROWS / 2);
            if (is_other_side)
                sf_row_keys_set_side(&keys, SF_STR("2025"), &rules->sides[side]);
            sf_buf_clear(&text);
            sf_text_part(&text, SF_STR("2025"));
            sf_text_part(&text, rules->sides[side].text);
            for (size_t d = 0; d < DIMENSIONS; d++) {
                if (is_other_side || next_random(&seed) % 3 == 0) {
                    place[d] = next_random(&seed) % MEMBERS;
                    sf_row_keys_set_dimension(&keys, d, &members[place[d]]);
                }
                sf_buf_add(&text, (struct sf_str){members[place[d]].sha256_part, 67});
            }
            sf_buf_clear(&tail);
            for (size_t k = 0; k < DETAILS; k++) {
                uint64_t kind = next_random(&seed) % 64;
                struct sf_str detail = {filler, next_random(&seed) % (kind ? 40 : sizeof filler)};
                sf_tail_detail(&tail, detail);
                sf_text_part(&text, detail);
            }
            sf_row_keys_set_details(&keys, DIMENSIONS, tail.p, DETAILS);
        }
        sf_row_keys_add(&keys, occurrence);
        struct sf_buf whole = SF_BUF(MAX_TEXT);
        sf_buf_add(&whole, sf_buf_str(&text));
        sf_buf_clear(&occurrences);
        sf_buf_addf(&occurrences, "%llu", (unsigned long long)occurrence);
        sf_text_part(&whole, sf_buf_str(&occurrences));
        want[i] = (int64_t)(1 + sf_text_hash60(sf_buf_str(&whole)));
        sf_buf_free(&whole);
    }
    sf_row_keys_flush(&keys);
    sf_row_keys_close(&keys);
    for (size_t i = 0; i < ROWS; i++)
        assert_int_equal(ids[i], want[i]);
    sf_buf_free(&text);
    sf_buf_free(&tail);
    sf_buf_free(&occurrences);
    free(rules);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(lanes_hash_what_openssl_hashes),
        cmocka_unit_test(keys_are_the_hashes_of_the_rows_texts),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
