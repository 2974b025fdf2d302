/* How an answer is written: a table for eyes, CSV and JSON for programs, each whole and none of them able to lie. */
#include "engine/cli/query.h"

#include <setjmp.h>
#include <stdarg.h>

#include <cmocka.h>

static struct sf_arena *arena;
static struct sf_err err;

static int start(void **state)
{
    (void)state;
    arena = sf_arena_new();
    return 0;
}

static int stop(void **state)
{
    (void)state;
    sf_arena_free(arena);
    return 0;
}

static const struct sf_value *parsed(const char *json)
{
    const struct sf_value *value = NULL;
    assert_int_equal(sf_json_parse(arena, sf_str_of(json), "test", SF_JSON_PLAIN, &value, &err), SF_OK);
    return value;
}

static struct sf_answer answer_of(const char *columns, const char *rows)
{
    return (struct sf_answer){parsed(columns), parsed(rows)};
}

static const char *taken(struct sf_buf *out)
{
    const char *text = sf_str_dup(arena, sf_buf_str(out)).p;
    sf_buf_free(out);
    return text;
}

static const char columns[] = "[{\"name\":\"who\",\"is_number\":false},{\"name\":\"cents\",\"is_number\":true},"
                              "{\"name\":\"note\",\"is_number\":false}]";
static const char rows[] = "[[\"Caf\\u00e9\",\"-7.25\",null],[\"\",\"1000000.00\",\"a,\\\"b\\\"\\n\\u001b[2J\"]]";

static void a_table_lines_up_and_sends_nothing_that_a_terminal_acts_on(void **state)
{
    (void)state;
    struct sf_answer answer = answer_of(columns, rows);
    struct sf_buf out = SF_BUF(4096);
    sf_answer_write_table(&out, arena, &answer);
    assert_string_equal(taken(&out), "who  |      cents | note\n"
                                     "-----+------------+-----------------\n"
                                     "Caf\xc3\xa9 |      -7.25 | \n"
                                     "     | 1000000.00 | a,\"b\"\\x0A\\x1B[2J\n"
                                     "(2 rows)\n");
    answer = answer_of("[{\"name\":\"n\",\"is_number\":true}]", "[]");
    sf_answer_write_table(&out, arena, &answer);
    assert_string_equal(taken(&out), "n\n-\n(0 rows)\n");
    answer = answer_of("[]", "[[]]");
    sf_answer_write_table(&out, arena, &answer);
    assert_string_equal(taken(&out), "(1 row)\n");
}

static void csv_is_quoted_where_it_must_be_and_tells_null_from_an_empty_text(void **state)
{
    (void)state;
    struct sf_answer answer = answer_of(columns, rows);
    struct sf_buf out = SF_BUF(4096);
    sf_answer_write_csv(&out, &answer);
    assert_string_equal(taken(&out), "who,cents,note\nCaf\xc3\xa9,-7.25,\n\"\",1000000.00,\"a,\"\"b\"\"\n\x1b[2J\"\n");
}

static void json_has_one_object_a_line_with_numbers_as_they_stand(void **state)
{
    (void)state;
    struct sf_answer answer = answer_of(columns, rows);
    struct sf_buf out = SF_BUF(4096);
    assert_int_equal(sf_answer_write_json(&out, arena, &answer, &err), SF_OK);
    assert_string_equal(taken(&out), "{\"who\":\"Caf\xc3\xa9\",\"cents\":-7.25,\"note\":null}\n"
                                     "{\"who\":\"\",\"cents\":1000000.00,\"note\":\"a,\\\"b\\\"\\n\\u001b[2J\"}\n");
    answer = answer_of("[{\"name\":\"n\",\"is_number\":true}]", "[[\"NaN\"],[\"-Infinity\"],[null],[\"1e+20\"]]");
    assert_int_equal(sf_answer_write_json(&out, arena, &answer, &err), SF_OK);
    assert_string_equal(taken(&out), "{\"n\":\"NaN\"}\n{\"n\":\"-Infinity\"}\n{\"n\":null}\n{\"n\":1e+20}\n");
    answer = answer_of("[{\"name\":\"n\",\"is_number\":true},{\"name\":\"n\",\"is_number\":true}]", "[[\"1\",\"2\"]]");
    assert_int_equal(sf_answer_write_json(&out, arena, &answer, &err), SF_E_REFUSED);
    sf_buf_free(&out);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_table_lines_up_and_sends_nothing_that_a_terminal_acts_on),
        cmocka_unit_test(csv_is_quoted_where_it_must_be_and_tells_null_from_an_empty_text),
        cmocka_unit_test(json_has_one_object_a_line_with_numbers_as_they_stand),
    };
    return cmocka_run_group_tests(tests, start, stop);
}
