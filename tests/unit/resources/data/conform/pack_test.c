/* Packing: what comes out is gzip that any reader unpacks to what went in, whatever that was, and the same bytes each time. */
#include "resources/data/conform/crc.h"
#include "resources/data/conform/pack.h"

#include "resources/data/conform/text.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>

#include <cmocka.h>
#include <zlib.h>

enum { MAX_TEXT = 3 * 1024 * 1024 };

/* Fed in pieces of `step` bytes. */
static struct sf_str pack(struct sf_arena *arena, struct sf_str text, size_t step)
{
    struct sf_pack *p = sf_pack_new();
    struct sf_buf out = SF_BUF(2 * MAX_TEXT);
    while (text.n) {
        struct sf_str some = sf_str_slice(text, 0, step < text.n ? step : text.n);
        text = sf_str_slice(text, some.n, text.n);
        while (some.n)
            sf_buf_add(&out, sf_pack_add(p, &some));
    }
    sf_buf_add(&out, sf_pack_finish(p));
    struct sf_str packed = sf_str_dup(arena, sf_buf_str(&out));
    sf_buf_free(&out);
    sf_pack_free(p);
    return packed;
}

static void assert_unpacks_to(struct sf_str packed, struct sf_str want)
{
    z_stream z = {.next_in = (unsigned char *)(uintptr_t)packed.p, .avail_in = (unsigned)packed.n};
    unsigned char *have = malloc(want.n + 1);
    assert_non_null(have);
    z.next_out = have;
    z.avail_out = (unsigned)want.n + 1;
    assert_int_equal(inflateInit2(&z, 15 + 16), Z_OK); /* gzip only: checks sum and length too */
    assert_int_equal(inflate(&z, Z_FINISH), Z_STREAM_END);
    assert_int_equal(z.total_out, want.n);
    assert_int_equal(z.avail_in, 0);
    if (want.n)
        assert_memory_equal(have, want.p, want.n);
    inflateEnd(&z);
    free(have);
}

static uint64_t next_random(uint64_t *seed)
{
    *seed = *seed * 6364136223846793005u + 1442695040888963407u;
    return *seed >> 33;
}

/* kind 0: rows of a table; 1: any bytes; 2: one byte; 3: few bytes with many separators; 4: bytes ever rarer, for the longest codes
 */
static void fill(char *text, size_t n, unsigned kind, uint64_t *seed)
{
    char members[20][24];
    for (size_t i = 0; i < 20; i++)
        snprintf(members[i], sizeof members[i], "%llu", (unsigned long long)next_random(seed) * next_random(seed));
    for (size_t at = 0; at < n;) {
        char line[128];
        size_t length = 1;
        if (kind == 0) {
            length = (size_t)snprintf(line, sizeof line, "%llu%llu,2025,%s,%s,1,%llu.05\n", (unsigned long long)next_random(seed),
                                      (unsigned long long)next_random(seed), members[at * 20 / n], members[next_random(seed) % 20],
                                      (unsigned long long)next_random(seed) % 10000);
        } else if (kind == 1) {
            line[0] = (char)next_random(seed);
        } else if (kind == 2) {
            line[0] = ',';
        } else if (kind == 3) {
            line[0] = "ab,\n"[next_random(seed) % 4];
        } else {
            uint64_t bits = next_random(seed);
            line[0] = (char)(bits ? __builtin_ctzll(bits) : 77);
        }
        length = length < n - at ? length : n - at;
        memcpy(text + at, line, length);
        at += length;
    }
}

static void any_text_comes_back(void **state)
{
    (void)state;
    static const size_t sizes[] = {0,
                                   1,
                                   7,
                                   8,
                                   9,
                                   100,
                                   4096,
                                   SF_PACK_BLOCK - 1,
                                   SF_PACK_BLOCK,
                                   SF_PACK_BLOCK + 1,
                                   3 * SF_PACK_BLOCK,
                                   20 * SF_PACK_BLOCK + 5,
                                   MAX_TEXT};
    uint64_t seed = 20261121;
    char *text = malloc(MAX_TEXT);
    assert_non_null(text);
    for (unsigned kind = 0; kind < 5; kind++) {
        for (size_t i = 0; i < SF_COUNT(sizes); i++) {
            struct sf_arena *arena = sf_arena_new();
            fill(text, sizes[i], kind, &seed);
            assert_unpacks_to(pack(arena, (struct sf_str){text, sizes[i]}, sizes[i] + 1), (struct sf_str){text, sizes[i]});
            sf_arena_free(arena);
        }
    }
    free(text);
}

static void a_text_that_changes_its_kind_comes_back(void **state)
{
    (void)state;
    uint64_t seed = 7;
    struct sf_arena *arena = sf_arena_new();
    size_t part = MAX_TEXT / 5;
    char *text = sf_arena_alloc(arena, MAX_TEXT);
    for (unsigned kind = 0; kind < 5; kind++)
        fill(text + kind * part, part, (kind + 4) % 5, &seed); /* codes made of the rare come before all others */
    assert_unpacks_to(pack(arena, (struct sf_str){text, 5 * part}, 5 * part), (struct sf_str){text, 5 * part});
    sf_arena_free(arena);
}

static void the_bytes_do_not_depend_on_the_pieces(void **state)
{
    (void)state;
    uint64_t seed = 11;
    struct sf_arena *arena = sf_arena_new();
    size_t n = 300000;
    char *text = sf_arena_alloc(arena, n);
    fill(text, n, 0, &seed);
    struct sf_str whole = pack(arena, (struct sf_str){text, n}, n);
    static const size_t steps[] = {1, 7, 1000, SF_PACK_BLOCK, SF_PACK_BLOCK + 1};
    for (size_t i = 0; i < SF_COUNT(steps); i++)
        assert_true(sf_str_eq(whole, pack(arena, (struct sf_str){text, n}, steps[i])));
    sf_arena_free(arena);
}

static void add_all(struct sf_pack *p, struct sf_buf *out, struct sf_str text)
{
    while (text.n)
        sf_buf_add(out, sf_pack_add(p, &text));
}

enum { ROW_TOKENS = 400, ROW_TOKEN = 40 };

/* Tokens and where they stood in one of two files. */
struct row_tokens {
    char text[ROW_TOKENS][ROW_TOKEN];
    size_t n[ROW_TOKENS];
    uint64_t places[ROW_TOKENS];
};

/* Random rows. kind 0: as of a table; 1: nothing repeats; 2: numbers of any length, amounts of any size; 3: a long text now and
 * then.
 */
static void add_row(struct sf_pack *p, bool is_whole, struct row_tokens *tokens, unsigned kind, uint64_t *seed, struct sf_buf *out)
{
    uint64_t number = (next_random(seed) << 31 ^ next_random(seed)) >> (kind == 2 ? next_random(seed) % 62 : 2);
    if (kind == 2 && next_random(seed) % 50 == 0)
        number = next_random(seed) % 2 ? UINT64_MAX >> 1 : 0;
    struct sf_pack_told told[4];
    size_t n_told = kind == 2 ? next_random(seed) % 5 : 3, n_cents = 1 + (kind == 2 ? next_random(seed) % 3 : 0);
    size_t first = next_random(seed);
    for (size_t i = 0; i < n_told; i++) {
        size_t token = (kind == 2 ? first + i : next_random(seed)) % (i ? ROW_TOKENS : 3);
        if (kind == 1)
            tokens->places[token] = 0;
        told[i] = (struct sf_pack_told){tokens->text[token], tokens->n[token], &tokens->places[token]};
    }
    int64_t cents[3];
    for (size_t i = 0; i < n_cents; i++)
        cents[i] = (int64_t)(next_random(seed) << 33 ^ next_random(seed)) >> (next_random(seed) % 64);
    if (kind == 3 && next_random(seed) % 100 == 0)
        add_all(p, out, SF_STR("a text between rows, ~~~ and what else a file may hold\n"));
    if (is_whole) {
        sf_pack_row(p, number, told, n_told, cents, n_cents);
    } else {
        sf_pack_wrote(p, (size_t)snprintf(sf_pack_room(p), SF_PACK_TOKEN, "%llu,", (unsigned long long)number));
        for (size_t i = 0; i < n_told; i++)
            sf_pack_token(p, told[i].text, told[i].n, told[i].place);
        for (size_t i = 0; i < n_cents; i++) {
            size_t n = sf_text_write_money(cents[i], sf_pack_room(p));
            sf_pack_room(p)[n] = i + 1 < n_cents ? ',' : '\n';
            sf_pack_wrote(p, n + 1);
        }
    }
    if (sf_pack_is_full(p))
        sf_buf_add(out, sf_pack_take(p));
}

static void pack_rows(bool is_whole, struct sf_str front, struct sf_buf *out)
{
    uint64_t seed = 20261121;
    struct row_tokens *tokens = calloc(1, sizeof *tokens);
    assert_non_null(tokens);
    for (size_t i = 0; i < ROW_TOKENS; i++) {
        tokens->n[i] = i ? 2 + next_random(&seed) % (ROW_TOKEN - 2) : 20;
        for (size_t k = 0; k < ROW_TOKEN; k++)
            tokens->text[i][k] = (char)((i % 9 ? '0' : 'A') + next_random(&seed) % 10);
    }
    struct sf_pack *p = sf_pack_new();
    add_all(p, out, front);
    for (size_t i = 0; i < 120000; i++)
        add_row(p, is_whole, tokens, (unsigned)(i / 7000 % 4), &seed, out);
    sf_buf_add(out, sf_pack_finish(p));
    sf_pack_free(p);
    free(tokens);
}

/* Behind a header, and behind a text without digits, whose codes are long then. */
static void a_row_is_packed_as_the_calls_it_stands_for(void **state)
{
    (void)state;
    static char letters[SF_PACK_BLOCK];
    for (size_t i = 0; i < sizeof letters; i++)
        letters[i] = "etaoinsh"[(i ^ i >> 3 ^ i >> 7) % 8];
    const struct sf_str fronts[] = {SF_STR("a,header\n"), {letters, sizeof letters}};
    for (size_t i = 0; i < SF_COUNT(fronts); i++) {
        struct sf_buf have = SF_BUF(32 << 20), want = SF_BUF(32 << 20);
        pack_rows(true, fronts[i], &have);
        pack_rows(false, fronts[i], &want);
        assert_true(want.n > 20 * SF_PACK_BLOCK);
        assert_int_equal(have.n, want.n);
        assert_memory_equal(have.p, want.p, want.n);
        sf_buf_free(&have);
        sf_buf_free(&want);
    }
}

/* Tokens of 2 to 40 bytes, some right behind those they followed before, with numbers between and blocks that end within a row. */
static void told_repeats_come_back(void **state)
{
    (void)state;
    enum { TOKENS = 300, MOST = 40 };
    static char tokens[TOKENS][MOST + SF_PACK_TOKEN];
    static uint64_t places[TOKENS];
    uint64_t seed = 13;
    struct sf_arena *arena = sf_arena_new();
    for (size_t i = 0; i < TOKENS; i++)
        for (size_t k = 0; k < MOST; k++)
            tokens[i][k] = (char)(i % 7 ? '0' + next_random(&seed) % 10 : (int)(next_random(&seed) % 256));
    struct sf_pack *p = sf_pack_new();
    struct sf_buf out = SF_BUF(2 * MAX_TEXT), text = SF_BUF(2 * MAX_TEXT);
    struct sf_str header = SF_STR("a,header\n");
    sf_buf_add(&text, header);
    while (header.n)
        sf_buf_add(&out, sf_pack_add(p, &header));
    while (text.n < MAX_TEXT) {
        int n = snprintf(sf_pack_room(p), MOST, "%llu,", (unsigned long long)next_random(&seed));
        sf_buf_add(&text, (struct sf_str){sf_pack_room(p), (size_t)n});
        sf_pack_wrote(p, (size_t)n);
        size_t first = next_random(&seed) % TOKENS / (text.n > MAX_TEXT / 2 ? 1 : 20);
        for (size_t i = 0; i < 12; i++) {
            size_t token = (first + i) % TOKENS, length = 2 + token % (MOST - 1);
            sf_buf_add(&text, (struct sf_str){tokens[token], length});
            sf_pack_token(p, tokens[token], length, &places[token]);
        }
        if (sf_pack_is_full(p))
            sf_buf_add(&out, sf_pack_take(p));
    }
    sf_buf_add(&out, sf_pack_finish(p));
    assert_unpacks_to(sf_buf_str(&out), sf_buf_str(&text));
    assert_in_range(out.n, 1, text.n / 2);
    sf_buf_free(&out);
    sf_buf_free(&text);
    sf_pack_free(p);
    sf_arena_free(arena);
}

/* Whatever a packer held before: in the middle of a block, with what could be referred to, or just finished. */
static void a_restarted_packer_is_as_a_new_one(void **state)
{
    (void)state;
    uint64_t seed = 23;
    struct sf_arena *arena = sf_arena_new();
    size_t n = 3 * SF_PACK_BLOCK + 100;
    char *bytes = sf_arena_alloc(arena, n), *others = sf_arena_alloc(arena, n);
    fill(bytes, n, 3, &seed);
    fill(others, n, 3, &seed);
    struct sf_str text = {bytes, n}, other = {others, n}, want = pack(arena, text, n);
    struct sf_pack *p = sf_pack_new();
    for (size_t i = 0; i < 3; i++) {
        struct sf_buf before = SF_BUF(2 * MAX_TEXT), out = SF_BUF(2 * MAX_TEXT);
        add_all(p, &before, sf_str_slice(other, 0, i * SF_PACK_BLOCK + 77));
        if (i == 2)
            sf_buf_add(&before, sf_pack_finish(p));
        sf_pack_restart(p);
        add_all(p, &out, text);
        sf_buf_add(&out, sf_pack_finish(p));
        assert_true(sf_str_eq(sf_buf_str(&out), want));
        sf_buf_free(&before);
        sf_buf_free(&out);
        sf_pack_restart(p);
    }
    sf_pack_free(p);
    sf_arena_free(arena);
}

static void sums_are_those_of_zlib(void **state)
{
    (void)state;
    enum { N = 3000 };
    static char bytes[N + 16];
    uint64_t seed = 17;
    for (size_t i = 0; i < sizeof bytes; i++)
        bytes[i] = (char)next_random(&seed);
    for (unsigned n = 0; n < N; n++) {
        uint32_t before = (uint32_t)next_random(&seed);
        const char *at = bytes + n % 16;
        assert_int_equal(sf_crc32(before, at, n), crc32(before, (const unsigned char *)at, n));
    }
}

static void rows_get_smaller(void **state)
{
    (void)state;
    uint64_t seed = 5;
    struct sf_arena *arena = sf_arena_new();
    size_t n = 1024 * 1024;
    char *text = sf_arena_alloc(arena, n);
    fill(text, n, 0, &seed);
    assert_in_range(pack(arena, (struct sf_str){text, n}, n).n, 1, n / 2);
    sf_arena_free(arena);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(any_text_comes_back),
        cmocka_unit_test(a_text_that_changes_its_kind_comes_back),
        cmocka_unit_test(the_bytes_do_not_depend_on_the_pieces),
        cmocka_unit_test(told_repeats_come_back),
        cmocka_unit_test(a_row_is_packed_as_the_calls_it_stands_for),
        cmocka_unit_test(a_restarted_packer_is_as_a_new_one),
        cmocka_unit_test(sums_are_those_of_zlib),
        cmocka_unit_test(rows_get_smaller),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
