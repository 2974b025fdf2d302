/* The CSV engine: what is accepted, what is refused and where, and that the fast scanner agrees with a plain reading. */
#include "resources/data/conform/csv.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>

#include <cmocka.h>

struct feed {
    struct sf_str rest;
    size_t step; /* bytes a read */
};

static enum sf_code feed(void *ctx, char *bytes, size_t n, size_t *got, struct sf_err *err)
{
    struct feed *f = ctx;
    (void)err;
    size_t most = f->step < n ? f->step : n;
    *got = f->rest.n < most ? f->rest.n : most;
    if (*got)
        memcpy(bytes, f->rest.p, *got);
    f->rest = sf_str_slice(f->rest, *got, f->rest.n);
    return SF_OK;
}

/* Everything the file says: values parted by |, quoted ones in (), records ended by /. Or the error's "line:column". */
static enum sf_code read_all(struct sf_str text, size_t step, struct sf_buf *out, struct sf_err *err)
{
    struct feed f = {text, step};
    struct sf_csv_reader reader;
    sf_csv_reader_open(&reader, feed, &f, "f.csv");
    const struct sf_csv_record *r;
    enum sf_code rc;
    while (!(rc = sf_csv_reader_next(&reader, &r, err)) && r) {
        for (size_t i = 0; i < r->n_fields; i++) {
            struct sf_str raw = sf_csv_raw(r, i);
            char *scratch = malloc(raw.n + 1);
            sf_buf_addz(out, i ? "|" : "");
            sf_buf_addz(out, sf_csv_is_quoted(raw) ? "(" : "");
            sf_buf_add(out, sf_csv_value(raw, scratch));
            sf_buf_addz(out, sf_csv_is_quoted(raw) ? ")" : "");
            free(scratch);
        }
        sf_buf_addc(out, '/');
    }
    sf_csv_reader_close(&reader);
    return rc;
}

static void reads(struct sf_str text, const char *want)
{
    for (size_t step = 1; step < 1000; step *= 7) {
        struct sf_buf out = SF_BUF(1 << 20);
        struct sf_err err = {.code = SF_OK};
        enum sf_code rc = read_all(text, step, &out, &err);
        if (rc)
            fail_msg("refused: %s", err.message);
        assert_string_equal(out.p ? out.p : "", want);
        sf_buf_free(&out);
    }
}

static void refuses(struct sf_str text, unsigned line, unsigned column, const char *words)
{
    struct sf_buf out = SF_BUF(1 << 20);
    struct sf_err err = {.code = SF_OK};
    assert_int_equal(read_all(text, 5, &out, &err), SF_E_DATA);
    if (!strstr(err.message, words))
        fail_msg("'%s' does not say '%s'", err.message, words);
    assert_int_equal(err.where.line, line);
    assert_int_equal(err.where.column, column);
    assert_true(err.hint[0] != '\0');
    sf_buf_free(&out);
}

static void fields_and_records_are_told_apart(void **state)
{
    (void)state;
    reads(SF_STR("a,b\n1,2\n"), "a|b/1|2/");
    reads(SF_STR("a,b\n1,2"), "a|b/1|2/");
    reads(SF_STR("a,b\n1,"), "a|b/1|/");
    reads(SF_STR(",\n,\n"), "|/|/");
    reads(SF_STR("a\n\nb\n"), "a//b/");
    reads(SF_STR(""), "");
    reads(SF_STR("\n"), "/");
}

static void quoted_empty_is_not_nothing(void **state)
{
    (void)state;
    reads(SF_STR("a,b,c\n,\"\",x\n"), "a|b|c/|()|x/");
    reads(SF_STR("\"\"\n"), "()/");
    reads(SF_STR("\"\""), "()/");
}

static void quotes_hold_separators_line_ends_and_quotes(void **state)
{
    (void)state;
    reads(SF_STR("\"a,b\",\"c\nd\"\n"), "(a,b)|(c\nd)/");
    reads(SF_STR("\"a\"\"b\",\"\"\"\"\n"), "(a\"b)|(\")/");
    reads(SF_STR("\"\"\"\"\"\",x\n"), "(\"\")|x/");
    reads(SF_STR("\"\r\n\",\"\r\"\r\n1,2\r\n"), "(\r\n)|(\r)/1|2/");
}

static void a_quote_inside_an_unquoted_field_is_a_character(void **state)
{
    (void)state;
    reads(SF_STR("37.8\"N,x\n5\",y\na\"\"b,\"q\"\n"), "37.8\"N|x/5\"|y/a\"\"b|(q)/");
}

static void every_line_end_works_if_it_is_one_throughout(void **state)
{
    (void)state;
    reads(SF_STR("a,b\r\n1,2\r\n"), "a|b/1|2/");
    reads(SF_STR("a,b\r1,2\r"), "a|b/1|2/");
    reads(SF_STR("a,b\r\n1,2"), "a|b/1|2/");
    refuses(SF_STR("a,b\n1,2\r\n"), 2, 4, "carriage return");
    refuses(SF_STR("a,b\r\n1,2\n"), 2, 4, "line feed");
    refuses(SF_STR("a,b\r1,2\n3,4\r"), 2, 4, "line feed");
    refuses(SF_STR("a,b\r\n1,2\r"), 2, 4, "carriage return");
}

static void a_byte_order_mark_is_no_data(void **state)
{
    (void)state;
    reads(SF_STR("\xef\xbb\xbf"
                 "a,b\n1,2\n"),
          "a|b/1|2/");
    reads(SF_STR("\xef\xbb\xbf\"a\"\n"), "(a)/");
    reads(SF_STR("\xef\xbb\xbf"), "");
    refuses(SF_STR("\xff\xfe\x61\x00"), 1, 1, "UTF-16");
}

static void structure_is_refused_with_line_and_column(void **state)
{
    (void)state;
    refuses(SF_STR("a,b\n1\n"), 2, 2, "a record of 1 field, the header has 2");
    refuses(SF_STR("a,b\n1,2,3\n"), 2, 5, "a record of 3 fields, the header has 2");
    refuses(SF_STR("a,b\n1,2\n\n"), 3, 1, "blank line");
    refuses(SF_STR("a,b\n1,\"2\n3,4\n"), 2, 3, "never ends");
    refuses(SF_STR("a,b\n\"1\"x,2\n"), 2, 4, "after a closing quote");
    refuses(SF_STR("a,b\n\"1\" ,2\n"), 2, 4, "after a closing quote");
    refuses(SF_STR("a,b\n\"x\ny\",\0\n"), 3, 4, "NUL");
    refuses(SF_STR("a,b\n\xc3\xa4\xc3\xa4,\xc0\x80\n"), 2, 4, "UTF-8");
    refuses(SF_STR("a,b\n1,\xed\xa0\x80\n"), 2, 3, "UTF-8");
}

static void a_file_known_to_end_with_a_line_end_is_refused_when_it_does_not(void **state)
{
    (void)state;
    struct feed f = {SF_STR("a,b\n1,2"), 100};
    struct sf_csv_splitter splitter;
    struct sf_csv_chunk chunk = {.bytes = NULL};
    struct sf_err err;
    bool end;
    sf_csv_splitter_open(&splitter, feed, &f, "f.csv");
    splitter.needs_final_newline = true;
    assert_int_equal(sf_csv_split(&splitter, &chunk, &end, &err), SF_E_DATA);
    assert_non_null(strstr(err.message, "cut off"));
    assert_int_equal(err.where.line, 2);
    sf_csv_chunk_free(&chunk);
    sf_csv_splitter_close(&splitter);
}

static void a_large_quoted_field_passes_and_one_without_end_is_bounded(void **state)
{
    (void)state;
    size_t n = 1024 * 1024;
    char *text = malloc(40 * n);
    memset(text, 'x', 40 * n);
    text[0] = '"';
    text[n + 1] = '"';
    memcpy(text + n + 2, ",2\n3,4\n", 7);
    struct sf_buf out = SF_BUF(64 * 1024 * 1024);
    struct sf_err err = {.code = SF_OK};
    assert_int_equal(read_all((struct sf_str){text, n + 9}, n, &out, &err), SF_OK);
    assert_int_equal(out.n, n + 2 + 3 + 4);
    sf_buf_clear(&out);
    text[n + 1] = 'x';
    assert_int_equal(read_all((struct sf_str){text, 40 * n}, n, &out, &err), SF_E_DATA);
    assert_non_null(strstr(err.message, "over the maximum"));
    sf_buf_free(&out);
    free(text);
}

/* The oracle: one state machine over the whole text, no chunks, no masks. */
static bool read_plainly(struct sf_str s, struct sf_buf *out)
{
    enum { START, BARE, QUOTED, CLOSED } at = START;
    bool is_quoted = false;
    struct sf_buf value = SF_BUF(8 << 20);
    bool ok = true, any = false;
    for (size_t i = 0; i < s.n && ok; i++) {
        char c = s.p[i];
        any = true;
        if (at == QUOTED) {
            if (c == '"')
                at = CLOSED;
            else
                sf_buf_addc(&value, c);
        } else if (at == CLOSED && c == '"') {
            sf_buf_addc(&value, '"');
            at = QUOTED;
        } else if (c == ',' || c == '\n') {
            sf_buf_addz(out, is_quoted ? "(" : "");
            sf_buf_add(out, sf_buf_str(&value));
            sf_buf_addz(out, is_quoted ? ")" : "");
            sf_buf_addc(out, c == ',' ? '|' : '/');
            sf_buf_clear(&value);
            at = START;
            is_quoted = false;
            any = c == ',';
        } else if (at == CLOSED || c == '\r' || c == '\0') {
            ok = false;
        } else if (c == '"' && at == START) {
            at = QUOTED;
            is_quoted = true;
        } else {
            sf_buf_addc(&value, c);
            at = BARE;
        }
    }
    ok = ok && at != QUOTED;
    if (any) {
        sf_buf_addz(out, is_quoted ? "(" : "");
        sf_buf_add(out, sf_buf_str(&value));
        sf_buf_addz(out, is_quoted ? ")/" : "/");
    }
    sf_buf_free(&value);
    return ok;
}

/* The same from the engine, with chunks and masks but any number of fields a record. */
static bool read_fast(struct sf_str text, struct sf_buf *out)
{
    struct feed f = {text, text.n / 3 + 1};
    struct sf_csv_splitter splitter;
    struct sf_csv_chunk chunk = {.bytes = NULL};
    struct sf_csv_record r;
    bool end = false, ok = true;
    sf_csv_splitter_open(&splitter, feed, &f, "f.csv");
    while (ok && !(sf_csv_split(&splitter, &chunk, &end, NULL)) && !end) {
        ok = sf_csv_index(&chunk, NULL) == SF_OK;
        for (bool more = ok && sf_csv_first(&chunk, &r); more; more = sf_csv_next(&r)) {
            for (size_t i = 0; i < r.n_fields; i++) {
                struct sf_str raw = sf_csv_raw(&r, i);
                char *scratch = malloc(raw.n + 1);
                sf_buf_addz(out, sf_csv_is_quoted(raw) ? "(" : "");
                sf_buf_add(out, sf_csv_value(raw, scratch));
                sf_buf_addz(out, sf_csv_is_quoted(raw) ? ")" : "");
                free(scratch);
                sf_buf_addc(out, i + 1 < r.n_fields ? '|' : '/');
            }
        }
    }
    sf_csv_chunk_free(&chunk);
    sf_csv_splitter_close(&splitter);
    return ok;
}

/* What a scanner makes of the text: "no", or all its separators. */
static void describe_index(struct sf_str text, enum sf_csv_scanner scanner, enum sf_csv_eol eol, struct sf_buf *out)
{
    struct sf_csv_chunk chunk = {.file = "f.csv", .first_line = 1, .eol = eol};
    struct sf_err err;
    sf_csv_chunk_reserve(&chunk, text.n);
    if (text.n)
        memcpy(chunk.bytes, text.p, text.n);
    chunk.n = text.n;
    sf_buf_clear(out);
    if (sf_csv_index_by(&chunk, scanner, &err))
        sf_buf_addf(out, "%s", err.message);
    for (size_t i = 0; i < chunk.n_ends; i++)
        sf_buf_addf(out, "%x ", chunk.ends[i]);
    sf_csv_chunk_free(&chunk);
}

/* Records that are complete in the text are found as they would be if it ended behind them. */
static void compare_whole_records(struct sf_str text, enum sf_csv_eol eol)
{
    struct sf_csv_chunk whole = {.file = "f.csv", .first_line = 1, .eol = eol}, cut = whole;
    sf_csv_chunk_reserve(&whole, text.n);
    sf_csv_chunk_reserve(&cut, text.n);
    if (text.n)
        memcpy(whole.bytes, text.p, text.n);
    whole.n = text.n;
    size_t n = sf_csv_index_whole_records(&whole);
    if (n) {
        memcpy(cut.bytes, text.p, n);
        cut.n = n;
        assert_int_equal(sf_csv_index(&cut, NULL), SF_OK);
        assert_int_equal(whole.n_ends, cut.n_ends);
        assert_memory_equal(whole.ends, cut.ends, cut.n_ends * sizeof *cut.ends);
        size_t n_records = 0;
        for (size_t i = 0; i < cut.n_ends; i++)
            n_records += cut.ends[i] >> 31;
        assert_int_equal(whole.n_records, n_records);
    }
    sf_csv_chunk_free(&whole);
    sf_csv_chunk_free(&cut);
}

static void every_scanner_finds_the_same_separators(void **state)
{
    (void)state;
    static const char alphabet[] = "aaaaaaaaaaaaaaaaaa,,,,\n\"\"\r\xc3\xa9\0";
    uint64_t seed = 20261121;
    print_message("seed %llu\n", (unsigned long long)seed);
    struct sf_buf want = SF_BUF(1 << 20), have = SF_BUF(1 << 20);
    for (size_t round = 0; round < 60000; round++) {
        char text[400];
        size_t n = round % sizeof text, kinds = round % 5 == 0 ? sizeof alphabet - 1 : round % 5 == 1 ? 25 : 23;
        for (size_t i = 0; i < n; i++) {
            seed = seed * 6364136223846793005u + 1442695040888963407u;
            text[i] = alphabet[(seed >> 33) % kinds];
            if (round % 5 > 2 && (seed >> 20) % 8 == 0 && i + 6 < n && (i == 0 || text[i - 1] == ',' || text[i - 1] == '\n')) {
                memcpy(text + i, (seed >> 40) % 2 ? "\"a\nb\"," : "\"\"\"\"\n,", 6);
                i += 5;
            }
        }
        enum sf_csv_eol eol = SF_CSV_EOL_LF + (enum sf_csv_eol)(round / 7 % 3);
        describe_index((struct sf_str){text, n}, SF_CSV_SCAN_BYTES, eol, &want);
        for (enum sf_csv_scanner scanner = SF_CSV_SCAN_SSE2; scanner <= SF_CSV_SCAN_AVX512; scanner++) {
            if (!sf_csv_has_scanner(scanner))
                continue;
            describe_index((struct sf_str){text, n}, scanner, eol, &have);
            if (!sf_str_eq(sf_buf_str(&want), sf_buf_str(&have)))
                fail_msg("round %zu, scanner %d: %s, not %s: %.*s", round, (int)scanner, have.p, want.p, (int)n, text);
        }
        compare_whole_records((struct sf_str){text, n}, eol);
    }
    sf_buf_free(&want);
    sf_buf_free(&have);
}

static void random_bytes_are_read_as_a_plain_reading_reads_them(void **state)
{
    (void)state;
    static const char alphabet[] = "aaaaaaaab,,,\n\n\"\"\"\"x\r";
    uint64_t seed = 20261120;
    print_message("seed %llu\n", (unsigned long long)seed);
    size_t accepted = 0;
    for (size_t round = 0; round < 60000; round++) {
        char text[300];
        size_t n = round % sizeof text;
        /* mostly well-formed pieces, so that many texts are accepted */
        for (size_t i = 0; i < n; i++) {
            seed = seed * 6364136223846793005u + 1442695040888963407u;
            size_t kinds = round % 3 == 0 ? sizeof alphabet - 1 : round % 3 == 1 ? 14 : 12;
            text[i] = alphabet[(seed >> 33) % kinds];
            if (round % 3 == 2 && (seed >> 20) % 8 == 0 && i + 6 < n && (i == 0 || text[i - 1] == ',' || text[i - 1] == '\n')) {
                memcpy(text + i, (seed >> 40) % 2 ? "\"a\nb\"," : "\"\"\"\"x\"", 6);
                i += 5;
            }
        }
        text[0] = n && text[0] == '\r' ? 'a' : text[0];
        bool has_lf_first = memchr(text, '\n', n) != NULL;
        struct sf_buf want = SF_BUF(1 << 20), have = SF_BUF(1 << 20);
        bool is_good = read_plainly((struct sf_str){text, n}, &want);
        bool was_read = read_fast((struct sf_str){text, n}, &have);
        bool has_cr = memchr(text, '\r', n) != NULL;
        if (has_lf_first && !has_cr) {
            if (is_good != was_read)
                fail_msg("round %zu: plain %d, fast %d: %.*s", round, is_good, was_read, (int)n, text);
            if (is_good) {
                assert_string_equal(have.p ? have.p : "", want.p ? want.p : "");
                accepted++;
            }
        }
        sf_buf_free(&want);
        sf_buf_free(&have);
    }
    assert_true(accepted > 5000);
}

/* Fields full of line ends, one odd quote, one long quoted stretch: wherever a block ends, no record may be torn. */
static void chunks_are_cut_between_records_only(void **state)
{
    (void)state;
    uint64_t seed = 7;
    struct sf_buf text = SF_BUF(8 << 20), want = SF_BUF(16 << 20), have = SF_BUF(16 << 20);
    for (size_t i = 0; text.n < 3 << 20; i++) {
        seed = seed * 6364136223846793005u + 1442695040888963407u;
        unsigned kind = (unsigned)(seed >> 40) % 6;
        if (i == 5000) {
            sf_buf_addz(&text, "37.8\"N,");
            sf_buf_addc(&text, '"');
            for (size_t k = 0; k < 150000; k++)
                sf_buf_addz(&text, "x\n");
            sf_buf_addz(&text, "\"\n");
        }
        sf_buf_addf(&text,
                    kind == 0   ? "\"%zu\n,\n\",\"\"\n"
                    : kind == 1 ? "%zu,\"\"\"\n\"\n"
                    : kind == 2 ? "5\",%zu\n"
                                : "%zu,plain\n",
                    i);
    }
    assert_true(read_plainly(sf_buf_str(&text), &want));
    assert_true(read_fast(sf_buf_str(&text), &have));
    assert_int_equal(have.n, want.n);
    assert_memory_equal(have.p, want.p, want.n);
    sf_buf_free(&text);
    sf_buf_free(&want);
    sf_buf_free(&have);
}

/* A record with more fields and one with fewer make up for each other in number only. */
static void a_chunk_is_even_if_every_record_of_it_has_as_many_fields(void **state)
{
    (void)state;
    enum { FIELDS = 3, BLOCK = 48 };
    uint64_t seed = 20261121;
    print_message("seed %llu\n", (unsigned long long)seed);
    size_t n_even = 0, n_uneven = 0;
    for (size_t round = 0; round < 3000; round++) {
        struct sf_buf text = SF_BUF(1 << 16);
        for (size_t i = 0; i < 30; i++) {
            seed = seed * 6364136223846793005u + 1442695040888963407u;
            unsigned kind = (unsigned)(seed >> 40) % 40;
            sf_buf_addz(&text, kind == 0 ? "1,2\n" : kind == 1 ? "1,2,3,4\n" : kind == 2 ? "\"a\nb\",\",\",\n" : "1,,33\n");
        }
        struct feed f = {sf_buf_str(&text), 1000};
        struct sf_csv_splitter splitter;
        struct sf_csv_chunk chunk = {.bytes = NULL};
        bool end = false;
        sf_csv_splitter_open(&splitter, feed, &f, "f.csv");
        splitter.block = BLOCK;
        while (!sf_csv_split(&splitter, &chunk, &end, NULL) && !end) {
            bool is_known = chunk.is_indexed, is_even = sf_csv_is_even(&chunk, FIELDS), want = true;
            assert_int_equal(sf_csv_index(&chunk, NULL), SF_OK);
            struct sf_csv_record r, at;
            size_t i = 0;
            for (bool more = sf_csv_first(&chunk, &r); more; more = sf_csv_next(&r), i++) {
                want = want && r.n_fields == FIELDS;
                if (!is_even)
                    continue;
                sf_csv_at(&chunk, FIELDS, i, &at);
                assert_true(at.ends == r.ends && at.start == r.start && at.next == r.next && at.n_fields == r.n_fields);
            }
            assert_int_equal(is_even, want && is_known);
            n_even += is_even;
            n_uneven += is_known && !is_even;
        }
        sf_csv_chunk_free(&chunk);
        sf_csv_splitter_close(&splitter);
        sf_buf_free(&text);
    }
    assert_true(n_even > 1000 && n_uneven > 1000);
}

static void written_fields_are_quoted_only_where_they_must_be(void **state)
{
    (void)state;
    struct sf_buf out = SF_BUF(1000);
    static const char *const values[] = {"plain", "", "a,b", "say \"x\"", "two\nlines", "r\r", "it's"};
    for (size_t i = 0; i < SF_COUNT(values); i++) {
        sf_csv_write_field(&out, sf_str_of(values[i]));
        sf_buf_addc(&out, ';');
    }
    assert_string_equal(out.p, "plain;\"\";\"a,b\";\"say \"\"x\"\"\";\"two\nlines\";\"r\r\";it's;");
    sf_buf_free(&out);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(fields_and_records_are_told_apart),
        cmocka_unit_test(quoted_empty_is_not_nothing),
        cmocka_unit_test(quotes_hold_separators_line_ends_and_quotes),
        cmocka_unit_test(a_quote_inside_an_unquoted_field_is_a_character),
        cmocka_unit_test(every_line_end_works_if_it_is_one_throughout),
        cmocka_unit_test(a_byte_order_mark_is_no_data),
        cmocka_unit_test(structure_is_refused_with_line_and_column),
        cmocka_unit_test(a_file_known_to_end_with_a_line_end_is_refused_when_it_does_not),
        cmocka_unit_test(a_large_quoted_field_passes_and_one_without_end_is_bounded),
        cmocka_unit_test(every_scanner_finds_the_same_separators),
        cmocka_unit_test(random_bytes_are_read_as_a_plain_reading_reads_them),
        cmocka_unit_test(chunks_are_cut_between_records_only),
        cmocka_unit_test(a_chunk_is_even_if_every_record_of_it_has_as_many_fields),
        cmocka_unit_test(written_fields_are_quoted_only_where_they_must_be),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
