/* The sample generator: same bytes however it is asked, exact counts, members without doubles, weeks that keep what they do not
 * touch. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <cmocka.h>

#include "resources/data/sample/render.h"

enum { MEGABYTE = 1024 * 1024 };

/* SHA-256 of the file of 1,000 rows, seed 1, all else default. Another one needs another SF_SAMPLE_VERSION. */
static const char golden[] = "e529fc084acdd375fa87bf35e4835552124d9993fa298375dd510a0e05a32455";

static struct sf_sample *opened(struct sf_sample_spec spec)
{
    struct sf_sample *sample = NULL;
    struct sf_err err = {0};
    assert_int_equal(sf_sample_open(&spec, &sample, &err), SF_OK);
    return sample;
}

static enum sf_code append(void *ctx, const char *bytes, size_t n, struct sf_err *err)
{
    (void)err;
    sf_buf_add(ctx, (struct sf_str){bytes, n});
    return SF_OK;
}

static struct sf_sample_file whole(struct sf_sample_spec spec, unsigned threads, struct sf_buf *out)
{
    struct sf_sample *sample = opened(spec);
    struct sf_sample_file file;
    struct sf_err err = {0};
    assert_int_equal(sf_sample_generate(sample, threads, out ? append : NULL, out, &file, &err), SF_OK);
    sf_sample_close(sample);
    return file;
}

static void thousand_rows_of_seed_one_are_the_golden_bytes(void **state)
{
    (void)state;
    struct sf_sample_file file = whole((struct sf_sample_spec){.rows = 1000, .seed = 1}, 1, NULL);
    assert_string_equal(file.sha256, golden);
}

static void the_number_of_threads_does_not_change_the_bytes(void **state)
{
    (void)state;
    struct sf_sample_spec spec = {.rows = 30011, .seed = 7, .as_of = 3};
    struct sf_sample_file one = whole(spec, 1, NULL);
    for (unsigned threads = 2; threads <= 8; threads++)
        assert_string_equal(whole(spec, threads, NULL).sha256, one.sha256);
}

static void any_chunking_in_any_order_gives_the_same_bytes(void **state)
{
    (void)state;
    static const uint64_t sizes[] = {1, 7, 100, 4095, 4096, 4097};
    struct sf_sample_spec spec = {.rows = 9001, .seed = 3, .no_final_newline = true, .bom = true};
    struct sf_buf file = SF_BUF(64 * MEGABYTE);
    whole(spec, 2, &file);
    struct sf_sample *sample = opened(spec);
    struct sf_err err = {0};
    for (size_t s = 0; s < SF_COUNT(sizes); s++) {
        struct sf_buf all = SF_BUF(64 * MEGABYTE), chunk = SF_BUF(64 * MEGABYTE), last = SF_BUF(64 * MEGABYTE);
        /* the last one first: nothing may depend on what was made before */
        assert_int_equal(sf_sample_chunk(sample, spec.rows - sizes[s], sizes[s] + 5, &last, &err), SF_OK);
        sf_sample_header(sample, &all);
        for (uint64_t first = 0; first < spec.rows; first += sizes[s]) {
            sf_buf_clear(&chunk);
            assert_int_equal(sf_sample_chunk(sample, first, sizes[s], &chunk, &err), SF_OK);
            sf_buf_add(&all, sf_buf_str(&chunk));
        }
        assert_int_equal(all.n, file.n);
        assert_memory_equal(all.p, file.p, file.n);
        assert_memory_equal(last.p, file.p + file.n - last.n, last.n);
        sf_buf_free(&all);
        sf_buf_free(&chunk);
        sf_buf_free(&last);
    }
    sf_sample_close(sample);
    sf_buf_free(&file);
}

static void a_chunk_past_the_end_is_empty(void **state)
{
    (void)state;
    struct sf_sample *sample = opened((struct sf_sample_spec){.rows = 10});
    struct sf_buf buf = SF_BUF(MEGABYTE);
    struct sf_err err = {0};
    assert_int_equal(sf_sample_chunk(sample, 10, 5, &buf, &err), SF_OK);
    assert_int_equal(sf_sample_chunk(sample, UINT64_MAX, UINT64_MAX, &buf, &err), SF_OK);
    assert_int_equal(buf.n, 0);
    sf_buf_free(&buf);
    sf_sample_close(sample);
}

static void a_buffer_that_is_too_small_is_an_error_not_a_short_file(void **state)
{
    (void)state;
    struct sf_sample *sample = opened((struct sf_sample_spec){.rows = 1000});
    struct sf_buf buf = SF_BUF(1000);
    struct sf_err err = {0};
    assert_int_equal(sf_sample_chunk(sample, 0, 1000, &buf, &err), SF_E_INTERNAL);
    sf_buf_free(&buf);
    sf_sample_close(sample);
}

static enum sf_code refuse(void *ctx, const char *bytes, size_t n, struct sf_err *err)
{
    (void)bytes;
    (void)n;
    int *calls = ctx;
    return ++*calls == 3 ? sf_fail(err, SF_E_IO, "disk full") : SF_OK;
}

static void a_failing_writer_ends_the_run_with_its_error(void **state)
{
    (void)state;
    struct sf_sample *sample = opened((struct sf_sample_spec){.rows = 100000});
    for (unsigned threads = 1; threads <= 4; threads++) {
        struct sf_err err = {0};
        int calls = 0;
        assert_int_equal(sf_sample_generate(sample, threads, refuse, &calls, NULL, &err), SF_E_IO);
        assert_string_equal(err.message, "disk full");
        assert_int_equal(calls, 3);
    }
    sf_sample_close(sample);
}

static void specs_out_of_bounds_are_refused(void **state)
{
    (void)state;
    static const struct sf_sample_spec bad[] = {
        {.rows = 0}, {.rows = SF_SAMPLE_MAX_ROWS + 1ull}, {.rows = 10, .as_of = SF_SAMPLE_MAX_WEEK + 1}};
    for (size_t i = 0; i < SF_COUNT(bad); i++) {
        struct sf_sample *sample;
        struct sf_err err = {0};
        assert_int_equal(sf_sample_open(&bad[i], &sample, &err), SF_E_CONFIG);
        assert_null(sample);
        assert_true(err.hint[0] != '\0');
    }
}

static void every_size_has_exactly_its_rows(void **state)
{
    (void)state;
    static const uint64_t sizes[] = {1, 2, 3, 10, 29, 58, 99, 999, 1000, 1001, 12345, 776841};
    for (size_t i = 0; i < SF_COUNT(sizes); i++) {
        struct sf_sample *sample = opened((struct sf_sample_spec){.rows = sizes[i], .seed = i});
        assert_int_equal(sf_sample_rows(sample), sizes[i]);
        sf_sample_close(sample);
        struct sf_buf buf = SF_BUF(64 * MEGABYTE);
        if (sizes[i] > 20000)
            continue;
        whole((struct sf_sample_spec){.rows = sizes[i], .seed = i}, 2, &buf);
        uint64_t lines = 0;
        for (size_t b = 0; b < buf.n; b++)
            lines += buf.p[b] == '\n';
        assert_int_equal(lines, sizes[i] + 1);
        sf_buf_free(&buf);
    }
}

static int by_text(const void *a, const void *b)
{
    return sf_str_cmp(*(const struct sf_str *)a, *(const struct sf_str *)b);
}

static void no_two_members_have_the_same_columns(void **state)
{
    (void)state;
    for (unsigned layout = 0; layout < 3; layout++) {
        for (unsigned quirks = 0; quirks < 2; quirks++) {
            struct sf_sample *sample =
                opened((struct sf_sample_spec){.rows = 1000, .layout = layout, .no_quirks = !quirks, .as_of = quirks * 520});
            const struct sf_sample_table *tables[] = {&sample->members.program, &sample->members.type, &sample->members.fund};
            struct sf_str *texts[] = {sample->program, sample->type, sample->fund};
            for (size_t t = 0; t < 3; t++) {
                qsort(texts[t], tables[t]->n, sizeof *texts[t], by_text);
                for (uint32_t i = 1; i < tables[t]->n; i++)
                    if (sf_str_eq(texts[t][i], texts[t][i - 1]))
                        fail_msg("layout %u: %.*s", layout, SF_ARG(texts[t][i]));
            }
            sf_sample_close(sample);
        }
    }
}

static void names_and_codes_fit_their_columns(void **state)
{
    (void)state;
    struct sf_sample *sample = opened((struct sf_sample_spec){.rows = 1000, .as_of = 520});
    const struct sf_sample_table *tables[] = {&sample->members.program, &sample->members.type, &sample->members.fund};
    for (size_t t = 0; t < 3; t++)
        for (uint32_t i = 0; i < tables[t]->n; i++)
            for (uint32_t c = 0; c < tables[t]->n_columns; c++) {
                struct sf_str s = tables[t]->member[i].column[c];
                assert_true(s.n <= 50);
                assert_true(s.p == NULL || s.n > 0);
                assert_true(sf_str_is_utf8(s));
                assert_true(sf_str_find(s, SF_STR("\"")) == SIZE_MAX && sf_str_find(s, SF_STR("\n")) == SIZE_MAX);
            }
    sf_sample_close(sample);
}

static void eliminations_stand_in_exact_opposite_pairs(void **state)
{
    (void)state;
    struct sf_sample *sample = opened((struct sf_sample_spec){.rows = 200001, .seed = 5, .as_of = 40});
    uint64_t pairs = 0;
    for (uint64_t i = 0; i < sf_sample_rows(sample); i++) {
        struct sf_sample_row row, next;
        sf_sample_draw_row(&sample->draw, i, &row);
        if (row.type != sample->members.elimination[SF_SAMPLE_REVENUE])
            continue;
        sf_sample_draw_row(&sample->draw, ++i, &next);
        assert_int_equal(next.type, sample->members.elimination[SF_SAMPLE_SPENDING]);
        assert_int_equal(next.year, row.year);
        assert_int_equal(next.cents, -row.cents);
        pairs++;
    }
    assert_in_range(pairs, 2088, 2160);
    sf_sample_close(sample);
}

/* Compares week 0 and week n row by row, by year and place in it. */
static void a_later_week_keeps_the_rows_it_does_not_touch(void **state)
{
    (void)state;
    struct sf_sample *before = opened((struct sf_sample_spec){.rows = 100000, .seed = 9});
    struct sf_sample *after = opened((struct sf_sample_spec){.rows = 100000, .seed = 9, .as_of = 5});
    uint64_t changed[SF_SAMPLE_YEARS] = {0}, years = 0;
    for (uint32_t y = 0; y < SF_SAMPLE_YEARS; y++) {
        uint64_t n = before->draw.first_row[y + 1] - before->draw.first_row[y];
        for (uint64_t slot = 0; slot < n; slot++) {
            struct sf_sample_row a, b;
            sf_sample_draw_row(&before->draw, before->draw.first_row[y] + slot, &a);
            sf_sample_draw_row(&after->draw, after->draw.first_row[y] + slot, &b);
            bool is_same = a.cents == b.cents && a.fund == b.fund && a.program == b.program && a.type == b.type && a.side == b.side;
            changed[y] += !is_same;
            assert_true(is_same == !(b.traits & SF_TRAIT(RESTATED)));
        }
        assert_true(changed[y] * 20 <= n);
        years += changed[y] > 0;
    }
    assert_in_range(years, 2, 4); /* the open one, the one just closed, one or two older */
    assert_true(sf_sample_rows(after) > sf_sample_rows(before));
    assert_true(sf_str_is(sf_sample_data_as_of(before), "2026-09-20T23:05:20.000"));
    assert_true(sf_str_is(sf_sample_data_as_of(after), "2026-10-25T23:05:20.000"));
    assert_true(sf_str_is(sf_sample_data_loaded_at(after), "2026-10-26T03:03:01.000"));
    sf_sample_close(before);
    sf_sample_close(after);
}

static void amounts_grow_with_their_quantile_and_stay_within_the_caps(void **state)
{
    (void)state;
    for (uint32_t side = 0; side < SF_SAMPLE_SIDES; side++) {
        uint64_t last = 0;
        for (uint64_t u = 0; u < UINT64_C(1) << 31; u += 65537) {
            uint64_t cents = sf_sample_amount(side, 26, (uint32_t)u, 0);
            assert_true(cents >= 1 && cents <= UINT64_C(267307023217));
            assert_true(cents >= last);
            last = cents;
        }
        /* the median of FY2025: e^8.2 and e^11.5 dollars at their level */
        uint64_t median = sf_sample_amount(side, 26, UINT32_C(1) << 30, 0);
        assert_in_range(median, side ? 20000000 : 800000, side ? 23000000 : 900000);
    }
}

static void other_seeds_have_other_rows(void **state)
{
    (void)state;
    struct sf_sample_file one = whole((struct sf_sample_spec){.rows = 1000, .seed = 1}, 1, NULL);
    struct sf_sample_file two = whole((struct sf_sample_spec){.rows = 1000, .seed = 2}, 1, NULL);
    assert_string_not_equal(one.sha256, two.sha256);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(thousand_rows_of_seed_one_are_the_golden_bytes),
        cmocka_unit_test(the_number_of_threads_does_not_change_the_bytes),
        cmocka_unit_test(any_chunking_in_any_order_gives_the_same_bytes),
        cmocka_unit_test(a_chunk_past_the_end_is_empty),
        cmocka_unit_test(a_buffer_that_is_too_small_is_an_error_not_a_short_file),
        cmocka_unit_test(a_failing_writer_ends_the_run_with_its_error),
        cmocka_unit_test(specs_out_of_bounds_are_refused),
        cmocka_unit_test(every_size_has_exactly_its_rows),
        cmocka_unit_test(no_two_members_have_the_same_columns),
        cmocka_unit_test(names_and_codes_fit_their_columns),
        cmocka_unit_test(eliminations_stand_in_exact_opposite_pairs),
        cmocka_unit_test(a_later_week_keeps_the_rows_it_does_not_touch),
        cmocka_unit_test(amounts_grow_with_their_quantile_and_stay_within_the_caps),
        cmocka_unit_test(other_seeds_have_other_rows),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
