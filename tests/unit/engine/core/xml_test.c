/* Replies in XML become values whatever their size, and hostile ones are refused without cost. */
#include "engine/core/json.h"
#include "engine/core/xml.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <time.h>

#include <cmocka.h>

static void assert_reads(const char *text, const char *root, const char *json)
{
    struct sf_arena *arena = sf_arena_new();
    const struct sf_value *content = NULL;
    struct sf_str name;
    struct sf_err err;
    assert_int_equal(sf_xml_parse(arena, sf_str_of(text), &name, &content, &err), SF_OK);
    assert_true(sf_str_is(name, root));
    assert_string_equal(sf_json_text(arena, content, SF_JSON_PLAIN).p, json);
    sf_arena_free(arena);
}

static void reads_elements_as_maps_lists_and_texts(void **state)
{
    (void)state;
    assert_reads("<a/>", "a", "\"\"");
    assert_reads("<a> x </a>", "a", "\" x \"");
    assert_reads("<a><b>1</b></a>", "a", "{\"b\":\"1\"}");
    assert_reads("<a>\n  <b>1</b>\n  <c/>\n</a>", "a", "{\"b\":\"1\",\"c\":\"\"}");
    assert_reads("<a><m>1</m><m>2</m><m/></a>", "a", "{\"m\":[\"1\",\"2\",\"\"]}");
    assert_reads("<a><m>1</m><k>x</k><m>2</m></a>", "a", "{\"k\":\"x\",\"m\":[\"1\",\"2\"]}");
    assert_reads("<a><m><k>1</k></m><m><k>2</k><k>3</k></m></a>", "a", "{\"m\":[{\"k\":\"1\"},{\"k\":[\"2\",\"3\"]}]}");
    assert_reads("<a><m><k>1</k><k>2</k></m><m><k>3</k></m><m><k>4</k><k>5</k></m></a>", "a",
                 "{\"m\":[{\"k\":[\"1\",\"2\"]},{\"k\":\"3\"},{\"k\":[\"4\",\"5\"]}]}");
    assert_reads("<a>dropped<b>kept</b>dropped too</a>", "a", "{\"b\":\"kept\"}");
}

static void joins_text_that_comes_in_pieces(void **state)
{
    (void)state;
    assert_reads("<a>one &amp; two&lt;&#x41;&#8364;<!-- no -->\n<![CDATA[<raw> & ]]>end</a>", "a",
                 "\"one & two<A\xe2\x82\xac\\n<raw> & end\"");
    assert_reads("<?xml version=\"1.0\" encoding=\"ISO-8859-1\"?><a>caf\xe9</a>", "a", "\"caf\xc3\xa9\"");
    assert_reads("\xef\xbb\xbf<?xml version=\"1.0\"?>\r\n<a>x\r\ny</a>\n", "a", "\"x\\ny\"");
}

static void drops_prefixes_and_attributes(void **state)
{
    (void)state;
    assert_reads("<s:Envelope xmlns:s=\"urn:x\" xmlns=\"urn:y\"><s:Body id=\"1\"><v xsi:type=\"t\">1</v></s:Body></s:Envelope>",
                 "Envelope", "{\"Body\":{\"v\":\"1\"}}");
    assert_reads("<a><x:m>1</x:m><y:m>2</y:m></a>", "a", "{\"m\":[\"1\",\"2\"]}");
}

static void keeps_the_order_in_which_names_came_first(void **state)
{
    struct sf_arena *arena = sf_arena_new();
    const struct sf_value *content = NULL;
    struct sf_str root;
    (void)state;
    assert_int_equal(sf_xml_parse(arena, SF_STR("<r><z/><a/><z/><m/><a/></r>"), &root, &content, NULL), SF_OK);
    assert_int_equal(content->map.n, 3);
    assert_string_equal(content->map.pairs[0].key.p, "z");
    assert_string_equal(content->map.pairs[1].key.p, "a");
    assert_string_equal(content->map.pairs[2].key.p, "m");
    sf_arena_free(arena);
}

static void refuses_what_is_not_well_formed_and_says_where(void **state)
{
    static const struct {
        const char *text, *message;
    } cases[] = {
        {"", "invalid XML in line 1, column 1: no element found"},
        {"   ", "invalid XML in line 1, column 4: no element found"},
        {"<a>\n  <b></a>", "invalid XML in line 2, column 8: mismatched tag"},
        {"<a>&unknown;</a>", "invalid XML in line 1, column 4: undefined entity"},
        {"<a/><b/>", "invalid XML in line 1, column 5: junk after document element"},
        {"<a>", "invalid XML in line 1, column 4: no element found"},
        {"<a>\xff</a>", "invalid XML in line 1, column 4: not well-formed (invalid token)"},
        {"<a>&#0;</a>", "invalid XML in line 1, column 4: reference to invalid character number"},
        {"{\"message\": \"not XML\"}", "invalid XML in line 1, column 1: not well-formed (invalid token)"},
        {"<!DOCTYPE html><html/>", "invalid XML in line 1, column 15: a document type is not accepted"},
        {"<!DOCTYPE a [<!ENTITY b \"x\"><!ENTITY c \"&b;&b;&b;&b;\">]><a>&c;</a>",
         "invalid XML in line 1, column 13: a document type is not accepted"},
        {"<!DOCTYPE a SYSTEM \"file:///etc/passwd\"><a/>", "invalid XML in line 1, column 40: a document type is not accepted"},
    };
    struct sf_arena *arena = sf_arena_new();
    (void)state;
    for (size_t i = 0; i < SF_COUNT(cases); i++) {
        const struct sf_value *content = NULL;
        struct sf_str root;
        struct sf_err err;
        assert_int_equal(sf_xml_parse(arena, sf_str_of(cases[i].text), &root, &content, &err), SF_E_CONFIG);
        assert_null(content);
        assert_string_equal(err.message, cases[i].message);
        assert_int_equal(sf_xml_parse(arena, sf_str_of(cases[i].text), &root, &content, NULL), SF_E_CONFIG);
    }
    sf_arena_free(arena);
}

static struct sf_str nested(struct sf_buf *buf, size_t depth, const char *middle)
{
    sf_buf_clear(buf);
    for (size_t i = 0; i < depth; i++)
        sf_buf_addz(buf, "<a>");
    sf_buf_addz(buf, middle);
    for (size_t i = 0; i < depth; i++)
        sf_buf_addz(buf, "</a>");
    return sf_buf_str(buf);
}

static void refuses_more_depth_than_is_allowed(void **state)
{
    struct sf_arena *arena = sf_arena_new();
    struct sf_buf buf = SF_BUF(16 * 1024 * 1024);
    const struct sf_value *content = NULL;
    struct sf_str root;
    struct sf_err err;
    (void)state;
    assert_int_equal(sf_xml_parse(arena, nested(&buf, SF_MAX_JSON_DEPTH, "x"), &root, &content, &err), SF_OK);
    for (int i = 1; i < SF_MAX_JSON_DEPTH; i++)
        content = sf_map_getz(content, "a");
    assert_string_equal(content->s.p, "x");
    assert_int_equal(sf_xml_parse(arena, nested(&buf, SF_MAX_JSON_DEPTH, "<b/>"), &root, &content, &err), SF_E_CONFIG);
    assert_non_null(strstr(err.message, "nested too deeply"));
    assert_int_equal(sf_xml_parse(arena, nested(&buf, 1000000, ""), &root, &content, &err), SF_E_CONFIG);
    sf_buf_free(&buf);
    sf_arena_free(arena);
}

static void reads_wide_elements_whose_names_differ_and_recur(void **state)
{
    enum { NAMES = 300, ROUNDS = 3 };
    struct sf_arena *arena = sf_arena_new();
    struct sf_buf buf = SF_BUF(1024 * 1024);
    const struct sf_value *content = NULL;
    struct sf_str root;
    (void)state;
    sf_buf_addz(&buf, "<w>");
    for (int round = 0; round < ROUNDS; round++)
        for (int i = 0; i < NAMES; i++)
            sf_buf_addf(&buf, "<n%d>%d</n%d>", i, round * NAMES + i, i);
    sf_buf_addz(&buf, "</w>");
    assert_int_equal(sf_xml_parse(arena, sf_buf_str(&buf), &root, &content, NULL), SF_OK);
    assert_int_equal(content->map.n, NAMES);
    for (int i = 0; i < NAMES; i++) {
        const struct sf_value *list = content->map.pairs[i].value;
        assert_int_equal(list->type, SF_V_LIST);
        assert_int_equal(list->list.n, ROUNDS);
        for (int round = 0; round < ROUNDS; round++)
            assert_string_equal(list->list.items[round]->s.p, sf_str_fmt(arena, "%d", round * NAMES + i).p);
    }
    sf_buf_free(&buf);
    sf_arena_free(arena);
}

static void keeps_wide_elements_beside_each_other_apart(void **state)
{
    enum { NAMES = 40 };
    struct sf_arena *arena = sf_arena_new();
    struct sf_buf buf = SF_BUF(64 * 1024);
    const struct sf_value *content = NULL;
    struct sf_str root;
    (void)state;
    sf_buf_addz(&buf, "<w>");
    for (int element = 0; element < 3; element++) {
        sf_buf_addz(&buf, "<e>");
        for (int i = 0; i < NAMES; i++)
            sf_buf_addf(&buf, "<n%d>%d</n%d>", (i * 7 + element) % NAMES, element, (i * 7 + element) % NAMES);
        sf_buf_addz(&buf, "</e>");
    }
    sf_buf_addz(&buf, "</w>");
    assert_int_equal(sf_xml_parse(arena, sf_buf_str(&buf), &root, &content, NULL), SF_OK);
    for (size_t element = 0; element < 3; element++) {
        const struct sf_value *map = sf_map_getz(content, "e")->list.items[element];
        assert_int_equal(map->map.n, NAMES);
        for (size_t i = 0; i < NAMES; i++) {
            assert_string_equal(map->map.pairs[i].key.p, sf_str_fmt(arena, "n%zu", (i * 7 + element) % NAMES).p);
            assert_string_equal(map->map.pairs[i].value->s.p, sf_str_fmt(arena, "%zu", element).p);
        }
    }
    sf_buf_free(&buf);
    sf_arena_free(arena);
}

/* Processor time for an element of n children, two after two of one name, or each of its own. */
static double seconds_for(int n, bool has_own_names)
{
    struct sf_arena *arena = sf_arena_new();
    struct sf_buf buf = SF_BUF(64 * 1024 * 1024);
    const struct sf_value *content = NULL;
    struct sf_str root;
    sf_buf_addz(&buf, "<r>");
    for (int i = 0; i < n; i++) {
        int k = has_own_names ? i : i % 2;
        sf_buf_addf(&buf, "<m%d><k>%d</k></m%d>", k, i, k);
    }
    sf_buf_addz(&buf, "</r>");
    clock_t from = clock();
    assert_int_equal(sf_xml_parse(arena, sf_buf_str(&buf), &root, &content, NULL), SF_OK);
    clock_t took = clock() - from;
    if (has_own_names)
        assert_int_equal(content->map.n, n);
    else
        assert_int_equal(sf_map_getz(content, "m0")->list.n, n / 2);
    sf_buf_free(&buf);
    sf_arena_free(arena);
    return (double)took / CLOCKS_PER_SEC;
}

/* Twenty times the children: a quadratic reader takes 400 times as long, ours twenty times and some cache misses. */
static void takes_time_in_proportion_to_the_number_of_children(void **state)
{
    (void)state;
    for (int has_own_names = 0; has_own_names < 2; has_own_names++) {
        double few = seconds_for(5000, has_own_names), many = seconds_for(100000, has_own_names);
        print_message("100,000 children %s: %.3f s\n", has_own_names ? "of 100,000 names" : "of two names", many);
        assert_true(many < 120 * (few + 0.001));
    }
}

static void writes_text_that_reads_back_as_it_was(void **state)
{
    struct sf_arena *arena = sf_arena_new();
    struct sf_buf buf = SF_BUF(1024);
    const struct sf_value *content = NULL;
    struct sf_str root;
    (void)state;
    sf_xml_write_text(&buf, SF_STR("a<b>&\"c'\r\n\t\xe2\x82\xac]]>"));
    assert_string_equal(buf.p, "a&lt;b&gt;&amp;&quot;c&apos;&#13;\n\t\xe2\x82\xac]]&gt;");
    assert_int_equal(sf_xml_parse(arena, sf_str_fmt(arena, "<a>%s</a>", buf.p), &root, &content, NULL), SF_OK);
    assert_string_equal(content->s.p, "a<b>&\"c'\r\n\t\xe2\x82\xac]]>");
    sf_buf_free(&buf);
    sf_arena_free(arena);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(reads_elements_as_maps_lists_and_texts),
        cmocka_unit_test(joins_text_that_comes_in_pieces),
        cmocka_unit_test(drops_prefixes_and_attributes),
        cmocka_unit_test(keeps_the_order_in_which_names_came_first),
        cmocka_unit_test(refuses_what_is_not_well_formed_and_says_where),
        cmocka_unit_test(refuses_more_depth_than_is_allowed),
        cmocka_unit_test(reads_wide_elements_whose_names_differ_and_recur),
        cmocka_unit_test(keeps_wide_elements_beside_each_other_apart),
        cmocka_unit_test(takes_time_in_proportion_to_the_number_of_children),
        cmocka_unit_test(writes_text_that_reads_back_as_it_was),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
