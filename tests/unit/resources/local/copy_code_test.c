/* What a client codes for COPY: byte for byte, however the text comes in, and what it refuses. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include <cmocka.h>

#include "resources/local/copy_code.h"

#include <stdlib.h>
#include <string.h>

struct feed {
    const char *text;
    size_t n, at, piece;
};

static enum sf_code next(void *from, void *bytes, size_t n, size_t *got, struct sf_err *err)
{
    struct feed *f = from;
    (void)err;
    *got = f->n - f->at < f->piece ? f->n - f->at : f->piece;
    *got = *got < n ? *got : n;
    memcpy(bytes, f->text + f->at, *got);
    f->at += *got;
    return SF_OK;
}

static enum sf_code code(const char *types, const char *text, size_t piece, char *out, size_t cap, size_t *n, struct sf_err *err)
{
    struct feed feed = {text, strlen(text), 0, piece};
    struct sf_copy_coder coder = {.source = next, .from = &feed, .types = types};
    size_t got = 1;
    enum sf_code rc = SF_OK;
    for (*n = 0; !rc && got > 0; *n += got)
        rc = sf_copy_code(&coder, out + *n, piece < cap - *n ? piece : cap - *n, &got, err);
    sf_copy_coder_free(&coder);
    return rc;
}

#define HEAD "PGCOPY\n\377\r\n\0\0\0\0\0\0\0\0\0"
#define TAIL "\377\377"
#define NUL4 "\377\377\377\377"

static void rows_are_coded_alike_however_the_text_comes_in(void **state)
{
    static const struct {
        const char *types, *text, *rows;
        size_t n;
    } cases[] = {
#define CASE(types, text, rows) {types, text, rows, sizeof(rows) - 1}
        CASE("b", "k\n", ""),
        CASE("bi", "a,b\n1152921504606846976,-2\n", "\0\2\0\0\0\10\20\0\0\0\0\0\0\0\0\0\0\4\377\377\377\376"),
        CASE("t", "a\nx\n", "\0\1\0\0\0\1x"),
        CASE("tt", "a,b\n,\"\"\n", "\0\2" NUL4 "\0\0\0\0"),
        CASE("tt", "\"a\nb\",c\n\"say \"\"no\"\",\nor\",x", "\0\2\0\0\0\14say \"no\",\nor\0\0\0\1x"),
        CASE("n", "a\n12345.60\n", "\0\1\0\0\0\16\0\3\0\1\0\0\0\2\0\1\11\51\27\160"),
        CASE("n", "a\n-0.05\n", "\0\1\0\0\0\14\0\2\0\0\100\0\0\2\0\0\1\364"),
        CASE("n", "a\n123456789.123456\n", "\0\1\0\0\0\22\0\5\0\2\0\0\0\6\0\1\11\51\32\205\4\322\25\340"),
        CASE("t", "a\n\"x\"\"\n\n\"\ny\n", "\0\1\0\0\0\4x\"\n\n\0\1\0\0\0\1y"),
        CASE("n", "a\n7\n", "\0\1\0\0\0\12\0\1\0\0\0\0\0\0\0\7"),
        CASE("nb", "a,b\n,5\n,6\n", "\0\2" NUL4 "\0\0\0\10\0\0\0\0\0\0\0\5\0\2" NUL4 "\0\0\0\10\0\0\0\0\0\0\0\6"),
    };
    (void)state;
    for (size_t i = 0; i < SF_COUNT(cases); i++)
        for (size_t piece = 1; piece < 40; piece++) {
            char want[256], have[1024];
            size_t n = sizeof(HEAD) - 1, got;
            struct sf_err err = {0};
            memcpy(want, HEAD, n);
            memcpy(want + n, cases[i].rows, cases[i].n);
            memcpy(want + n + cases[i].n, TAIL, 2);
            n += cases[i].n + 2;
            assert_int_equal(code(cases[i].types, cases[i].text, piece, have, sizeof have, &got, &err), SF_OK);
            assert_int_equal(got, n);
            assert_memory_equal(have, want, n);
        }
}

static void what_fits_no_column_is_refused_with_its_line_and_sqlstate(void **state)
{
    static const struct {
        const char *types, *text, *sqlstate, *says;
    } cases[] = {
        {"b", "a\n1\nx\n", "22P02", "line 3: is no number of its column's type: 'x'"},
        {"i", "a\n2147483648\n", "22P02", "line 2: is no number"},
        {"n", "a\n1.2.3\n", "22P02", "'1.2.3'"},
        {"n", "a\n-\n", "22P02", "'-'"},
        {"n", "a\nx234.5678\n", "22P02", "'x234.5678'"},
        {"n", "a\n1234567:\n", "22P02", "'1234567:'"},
        {"n", "a\n1.2345678/\n", "22P02", "'1.2345678/'"},
        {"n", "a\n1.\n", "22P02", "'1.'"},
        {"n", "a\n1e5\n", "22P02", "'1e5'"},
        {"bb", "a,b\n1\n", "22P04", "line 2: does not have the columns of its table"},
        {"bb", "a,b\n1,2,3\n", "22P04", "does not have the columns"},
        {"t", "a\n\"x\n", "22P04", "quote that does not end"},
    };
    (void)state;
    for (size_t i = 0; i < SF_COUNT(cases); i++) {
        char have[1024];
        size_t n;
        struct sf_err err = {0};
        assert_int_equal(code(cases[i].types, cases[i].text, 64, have, sizeof have, &n, &err), SF_E_REFUSED);
        assert_string_equal(err.remote_code, cases[i].sqlstate);
        assert_non_null(strstr(err.message, cases[i].says));
    }
}

static void a_row_longer_than_any_buffer_goes_through(void **state)
{
    enum { LONG = 700 * 1000 };
    (void)state;
    char *text = malloc(LONG + 8), *have = malloc(LONG + 64);
    size_t n;
    struct sf_err err = {0};
    memcpy(text, "a\n", 2);
    memset(text + 2, 'x', LONG);
    memcpy(text + 2 + LONG, "\n", 2);
    assert_int_equal(code("t", text, 100000, have, LONG + 64, &n, &err), SF_OK);
    assert_int_equal(n, sizeof(HEAD) - 1 + 2 + 4 + LONG + 2);
    assert_int_equal(have[sizeof(HEAD) - 1 + 6 + LONG - 1], 'x');
    free(text);
    free(have);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(rows_are_coded_alike_however_the_text_comes_in),
        cmocka_unit_test(what_fits_no_column_is_refused_with_its_line_and_sqlstate),
        cmocka_unit_test(a_row_longer_than_any_buffer_goes_through),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
