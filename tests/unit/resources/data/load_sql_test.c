/* The pure parts of the data kinds: star and checks files with their errors, manifests byte for byte, and the SQL of stars, loads
 * and verification as golden files under tests/data/golden (SF_GOLDEN=write rewrites them). Run from the root of the source tree.
 */
#include "tests/unit/support/fake_run.h"

#include "resources/data/check_run.h"
#include "resources/data/ledger.h"
#include "resources/data/manifest.h"
#include "resources/data/reader.h"

#include <stdlib.h>
#include <unistd.h>

static struct sf_arena *arena;
static struct sf_site site;
static struct sf_op op;
static struct sf_err err;

static int start(void **state)
{
    static char cwd[4096];
    (void)state;
    arena = sf_arena_new();
    assert_non_null(getcwd(cwd, sizeof cwd));
    site = (struct sf_site){.share_dir = cwd, .stack_dir = cwd};
    op = (struct sf_op){.arena = arena, .site = &site, .is_planning = true};
    return 0;
}

static int stop(void **state)
{
    (void)state;
    sf_arena_free(arena);
    return 0;
}

#define assert_says(text)                                                                                                          \
    do {                                                                                                                           \
        if (!strstr(err.message, (text)))                                                                                          \
            print_error("'%s' is not in: %s\n", (text), err.message);                                                              \
        assert_non_null(strstr(err.message, (text)));                                                                              \
    } while (0)

static const char small_star[] = "star: 1\n"
                                 "sample_note: SAMPLE\n"
                                 "tables:\n"
                                 "  d:\n"
                                 "    role: dimension\n"
                                 "    key: d_id\n"
                                 "    comment: A dimension, it's small\n"
                                 "    columns:\n"
                                 "      d_id: {type: bigint, comment: Key}\n"
                                 "      label: {type: text, bytes: 10, nullable: true, comment: Label}\n"
                                 "  f:\n"
                                 "    role: fact\n"
                                 "    key: f_id\n"
                                 "    partition_by: year\n"
                                 "    measure: amount\n"
                                 "    comment: The fact\n"
                                 "    columns:\n"
                                 "      f_id: {type: bigint, comment: Key}\n"
                                 "      year: {type: integer, comment: Year}\n"
                                 "      d_id: {type: bigint, references: d, comment: Key of d}\n"
                                 "      amount: {type: numeric, digits: 20, scale: 2, comment: Money}\n"
                                 "views:\n"
                                 "  v:\n"
                                 "    comment: A view\n"
                                 "    sql: select f_id from f\n"
                                 "    columns: {f_id: Key}\n";

static const char small_checks[] =
    "checks: 1\n"
    "list:\n"
    "  filled: {check: not_null, table: f}\n"
    "  keys: {check: unique, table: f, columns: [year, f_id]}\n"
    "  labels: {check: unique, table: d, columns: [label], severity: warn}\n"
    "  refs: {check: relationships, table: f}\n"
    "  counts: {check: row_count}\n"
    "  totals: {check: reconcile, table: f, by: d_id, sides: {\"1\": in, \"2\": out}}\n"
    "  parts: {check: reconcile}\n"
    "  words: {check: accepted_values, table: d, column: label, values: [a, it's]}\n"
    "  numbers: {check: accepted_values, table: f, column: d_id, values: [\"1\"], severity: warn}\n"
    "  years: {check: accepted_range, table: f, column: year, min: 1999, max: current_year+1}\n"
    "  recent: {check: accepted_range, table: f, column: amount, max: 9.5, where: year > 2020 or d_id = 1}\n"
    "  codes: {check: functional_dependency, table: d, columns: [label], determines: [d_id]}\n"
    "  pairs: {check: elimination_pairs, via: d_id, column: label, values: [in, out]}\n"
    "  pairs_by: {check: elimination_pairs, via: d_id, column: label, values: [in, out], by: year, totals: true}\n"
    "  fresh: {check: freshness, max_days: 14}\n"
    "  volume: {check: volume, shrink_percent: 50, growth_percent: 100}\n"
    "  own: {check: sql, query: 'select f_id from f where d_id not in (select d_id from published_d)', columns: [f_id]}\n";

static const char bridge[] = "  b:\n"
                             "    role: bridge\n"
                             "    partition_by: year\n"
                             "    comment: A bridge\n"
                             "    columns:\n"
                             "      d_id: {type: bigint, references: d, comment: Key of d}\n"
                             "      year: {type: integer, comment: Year}\n"
                             "      amount: {type: numeric, digits: 20, scale: 2, comment: Money}\n"
                             "views:\n";

/* `text` with the first `from` made `to`. */
static struct sf_str replaced(const char *text, const char *from, const char *to)
{
    const char *at = strstr(text, from);
    assert_non_null(at);
    return sf_str_fmt(arena, "%.*s%s%s", (int)(at - text), text, to, at + strlen(from));
}

static void a_star_file_with_a_mistake_is_refused_by_line_and_word(void **state)
{
    static const struct {
        const char *from, *to, *says;
    } cases[] = {
        {"star: 1", "star: 2", "needs 'star: 1'"},
        {"sample_note", "sampel_note", "line 2: a star file has no field 'sampel_note'"},
        {"role: dimension", "role: dimensoin", "table 'd' has no known role"},
        {"key: d_id", "key: id", "key 'id' is no column of table 'd'"},
        {"type: bigint", "type: int8", "line 9: column 'd_id' has no known type"},
        {"bytes: 10, ", "", "a text, and nothing else, needs 'bytes'"},
        {"bytes: 10", "bytes: 70000", "'bytes' must be a whole number from 1 to 65535"},
        {"bytes: 10", "bytes: 010x", "'bytes' must be a whole number"},
        {"scale: 2", "scale: 3", "measure: a numeric column of scale 2"},
        {"digits: 20, scale: 2", "digits: 2, scale: 3", "within them"},
        {"comment: Label", "comment: ' '", "column 'label' has no comment"},
        {"comment: Label", "comment: 'La\\bel'", "a comment must have no backslash"},
        {"references: d,", "references: e,", "refers to 'e', which is no dimension"},
        {"references: d,", "references: f,", "refers to 'f', which is no dimension"},
        {"partition_by: year", "partition_by: amount", "needs partition_by: an integer column"},
        {"role: fact\n    key: f_id\n    partition_by: year\n", "role: bridge\n", "no table has role 'fact'"},
        {"role: fact", "role: bridge", "line 11: table 'f' has partition_by, which is for a fact and for a bridge without a key"},
        {"role: dimension", "role: fact", "needs partition_by"},
        {"key: d_id\n", "key: d_id\n    partition_by: d_id\n", "needs partition_by: an integer column that is never null"},
        {"  d:\n", "  D:\n", "table 'D' must be a-z"},
        {"  d:\n", "  d34567890123456789012345678901234567890_1:\n", "at most 40 characters"},
        {"  d:\n", "  load_ledger:\n", "table 'load_ledger' is one of our own"},
        {"  v:\n", "  f:\n", "'f' is a table and a view"},
        {"sql: select f_id from f", "sql: ''", "view 'v' needs comment and sql"},
        {"columns: {f_id: Key}", "columns: {f_id: ''}", "must be a plain name with a comment"},
        {"      label:", "      d_id:", "d_id"},
        {"      label:", "      a\"; drop table x; --:", "must be a-z"},
    };
    (void)state;
    struct sf_star *star;
    assert_int_equal(sf_star_parse(&op, "star.yaml", SF_STR(small_star), &star, &err), SF_OK);
    for (size_t i = 0; i < SF_COUNT(cases); i++) {
        err = (struct sf_err){0};
        assert_int_equal(sf_star_parse(&op, "star.yaml", replaced(small_star, cases[i].from, cases[i].to), &star, &err),
                         SF_E_CONFIG);
        assert_says(cases[i].says);
        assert_says("star.yaml");
    }
}

static void a_checks_file_with_a_mistake_is_refused_by_line_and_word(void **state)
{
    static const struct {
        const char *from, *to, *says;
    } cases[] = {
        {"checks: 1", "checks: 2", "needs 'checks: 1'"},
        {"check: not_null", "check: notnull", "check 'filled' is of no known kind"},
        {"table: f}", "table: g}", "check 'filled' needs 'table', one of the star's"},
        {"table: f}", "table: load_ledger}", "one of the star's"},
        {"[year, f_id]", "[year, id]", "names a column that table 'f' does not have"},
        {", columns: [year, f_id]", "", "check 'keys' needs 'columns'"},
        {"severity: warn", "severity: info", "severity is error or warn"},
        {"severity: warn", "severty: warn", "line 5: a check has no field 'severty'"},
        {"relationships, table: f", "relationships, table: f, columns: [year]", "column 'year' refers to nothing"},
        {"by: d_id", "by: side", "needs a column 'by' and a map 'sides', or neither"},
        {"reconcile, table: f", "reconcile, table: d", "is about the fact: 'table' is 'f' or left out"},
        {"not_null, table: f", "not_null, table: f, values: [a]", "a check not_null has no field 'values'"},
        {"values: [a, it's]", "values: []", "check 'words' needs 'values', a list"},
        {"column: label, values: [a", "column: lable, values: [a", "names a column that table 'd' does not have"},
        {"values: [\"1\"]", "values: [one]", "column 'd_id' holds numbers, 'one' is none"},
        {"min: 1999, max: current_year+1", "", "check 'years' needs 'min' or 'max'"},
        {"current_year+1", "current_year+x", "has a bound 'current_year+x' that is no number"},
        {"current_year+1", "2027; drop table f", "that is no number"},
        {"max: 9.5", "max: 9.5.1", "that is no number"},
        {"where: year > 2020 or d_id = 1", "where: year > 2020) or (true",
         "has a 'where' that closes a bracket that it did not open"},
        {"determines: [d_id]", "", "check 'codes' needs 'determines', a list"},
        {"via: d_id, column: label, values: [in, out]}", "via: amount, column: label, values: [in, out]}", "needs 'via'"},
        {"values: [in, out]}", "values: [in]}", "check 'pairs' needs 'values', a list of two"},
        {"values: [in, out]}", "values: [in, in]}", "check 'pairs' needs 'values' that differ"},
        {"totals: true", "totals: maybe", "neither true nor false"},
        {"max_days: 14", "max_days: 0", "'max_days' is a whole number from 1 to 36500"},
        {", max_days: 14", "", "check 'fresh' needs 'max_days'"},
        {"shrink_percent: 50, growth_percent: 100", "", "needs 'shrink_percent' or 'growth_percent'"},
        {"shrink_percent: 50", "shrink_percent: 101", "'shrink_percent' is a whole number from 1 to 100"},
        {"query: 'select", "query: 'delete", "this one must begin with select or with"},
        {"from published_d)'", "from published_d); select 1'", "is one statement: no ';'"},
        {"from published_d)'", "from published_d'", "has a bracket that is not closed"},
        {"from published_d)'", "from published_d) /*'", "has a quote or comment that is not closed"},
        {", columns: [f_id]}", "}", "check 'own' needs 'columns', a list"},
        {"  words:", "  keys:", "keys"},
        {"\"1\": in", "\"x\": in", "a side is a number with a name"},
        {"  filled:", "  fil'led:", "must be a name of a-z"},
    };
    (void)state;
    struct sf_star *star;
    struct sf_checks checks = {0};
    assert_int_equal(sf_star_parse(&op, "star.yaml", SF_STR(small_star), &star, &err), SF_OK);
    assert_int_equal(sf_checks_parse(&op, "checks.yaml", SF_STR(small_checks), star, &checks, &err), SF_OK);
    assert_int_equal(checks.n, 17);
    for (size_t i = 0; i < SF_COUNT(cases); i++) {
        err = (struct sf_err){0};
        assert_int_equal(
            sf_checks_parse(&op, "checks.yaml", replaced(small_checks, cases[i].from, cases[i].to), star, &checks, &err),
            SF_E_CONFIG);
        assert_says(cases[i].says);
        assert_says("checks.yaml");
    }
}

static void a_time_of_the_source_is_read_in_both_its_forms(void **state)
{
    static const struct {
        const char *text;
        int64_t ms; /* 0: not a time */
    } cases[] = {
        {"2026-09-20T23:05:20.000", 1789945520000},
        {"2026 Sep 20 11:05:20 PM", 1789945520000},
        {"2026-09-20", 1789862400000},
        {"2026 Sep 20 12:00:00 AM", 1789862400000},
        {"2024-02-29T12:00:00", 1709208000000},
        {"2026 Sep 20 12:00:00 PM", 1789905600000},
        {"2026-09-20T23:05", 0},
        {"2026 Sep 20 13:00:00 PM", 0},
        {"2026 Sep 20", 0},
        {"20 Sep 2026", 0},
        {"2026-13-01T00:00:00", 0},
        {"2026-09-20T23:05:20.000Z", 0},
        {"", 0},
        {"2026", 0},
    };
    (void)state;
    for (size_t i = 0; i < SF_COUNT(cases); i++) {
        int64_t ms = 0;
        bool is_time = sf_as_of_ms(sf_str_of(cases[i].text), &ms);
        if (is_time != (cases[i].ms != 0))
            print_error("'%s'\n", cases[i].text);
        assert_int_equal(is_time, cases[i].ms != 0);
        assert_true(!is_time || ms == cases[i].ms);
    }
}

static void a_query_that_could_do_more_than_read_is_refused(void **state)
{
    static const struct {
        const char *sql, *says; /* NULL: it is fine */
    } cases[] = {
        {"select 1", NULL},
        {"WITH x AS (SELECT 1 a) SELECT a FROM x -- done; really", NULL},
        {"select 'delete; from' as \"update\", f_id from f /* insert ; */", NULL},
        {"select 'it''s' from f where updated = 1", NULL},
        {"", "is empty"},
        {"-- nothing", "is empty"},
        {"update f set a = 1", "must begin with select or with"},
        {"table f", "must begin with select or with"},
        {"(select 1)", "must begin with select or with"},
        {"with x as (delete from f returning *) select * from x", "may only read: 'delete'"},
        {"select 1 INTO x", "may only read: 'into'"},
        {"select 1; commit", "no ';'"},
        {"select 1) u) q; --", "closes a bracket"},
        {"select (1", "a bracket that is not closed"},
        {"select 'a", "a quote or comment that is not closed"},
        {"select \"a", "a quote or comment that is not closed"},
        {"select 1 /* a", "a quote or comment that is not closed"},
        {"select $$a$$", "holds a character that has no place in it"},
        {"select E'\\' ; drop table f'", "holds a character that has no place in it"},
        {"select \\x", "holds a character that has no place in it"},
    };
    (void)state;
    for (size_t i = 0; i < SF_COUNT(cases); i++) {
        const char *why = NULL;
        bool is_fine = sf_check_is_readonly(arena, sf_str_of(cases[i].sql), true, &why);
        if (is_fine != (cases[i].says == NULL) || (why && !strstr(why, cases[i].says ? cases[i].says : "")))
            print_error("%s: %s\n", cases[i].sql, why ? why : "fine");
        assert_int_equal(is_fine, cases[i].says == NULL);
        assert_true(is_fine || strstr(why, cases[i].says));
    }
    assert_true(sf_check_mentions(SF_STR("select * from Type t"), SF_STR("type")));
    assert_true(sf_check_mentions(SF_STR("select * from \"type\""), SF_STR("type")));
    assert_false(sf_check_mentions(SF_STR("select 'type', type_id -- type\nfrom x"), SF_STR("type")));
}

static void checks_come_from_files_maps_and_lists_of_both(void **state)
{
    (void)state;
    struct sf_star *star;
    struct sf_checks checks, same;
    const struct sf_value *map, *list;
    assert_int_equal(sf_star_load(&op, SF_STR("builtin:sf/star"), &star, &err), SF_OK);
    assert_int_equal(sf_checks_load(&op, NULL, star, &checks, &err), SF_OK);
    assert_int_equal(checks.n, 0);
    assert_int_equal(checks.digest.n, 0);
    struct sf_str text = SF_STR("{\"a\":{\"check\":\"freshness\",\"max_days\":3},\"b\":{\"check\":\"row_count\"}}");
    assert_int_equal(sf_json_parse(arena, text, "x", SF_JSON_PLAIN, &map, &err), SF_OK);
    assert_int_equal(sf_checks_load(&op, map, star, &checks, &err), SF_OK);
    assert_int_equal(checks.n, 2);
    assert_int_equal(checks.list[0].max_days, 3);
    const struct sf_value *both[] = {sf_value_str(arena, SF_STR("builtin:sf/checks")), map};
    list = sf_value_list(arena, both, 2);
    assert_int_equal(sf_checks_load(&op, list, star, &same, &err), SF_OK);
    assert_true(same.n > 30 && sf_str_is(same.list[same.n - 1].name, "b"));
    assert_false(sf_str_eq(same.digest, checks.digest));
    const struct sf_value *twice[] = {map, map};
    assert_int_equal(sf_checks_load(&op, sf_value_list(arena, twice, 2), star, &same, &err), SF_E_CONFIG);
    assert_says("check 'a' is declared twice");
    assert_int_equal(sf_checks_load(&op, sf_value_int(arena, 3), star, &same, &err), SF_E_CONFIG);
    assert_says("a file's name, a map of checks, or a list of those");
}

static void names_of_files_cannot_leave_where_they_belong(void **state)
{
    static const char *const names[] = {"builtin:../secrets", "builtin:sf/star.yaml", "builtin:", "builtin:/etc/passwd", "",
                                        "no-such.yaml"};
    (void)state;
    struct sf_star *star;
    for (size_t i = 0; i < SF_COUNT(names); i++)
        assert_int_equal(sf_star_load(&op, sf_str_of(names[i]), &star, &err), SF_E_CONFIG);
    assert_int_equal(sf_star_load(&op, SF_STR("builtin:sf/star"), &star, &err), SF_OK);
    struct sf_checks checks;
    assert_int_equal(sf_checks_load(&op, sf_value_str(arena, SF_STR("builtin:sf/checks")), star, &checks, &err), SF_OK);
    assert_int_equal(star->n_tables, 9);
    assert_int_equal(star->n_views, 13);
}

static void manifests_are_these_bytes(void **state)
{
    (void)state;
    struct sf_delivered_file files[] = {{SF_STR("t/a.csv.gz"), 10}, {SF_STR("t/b\"c.csv.gz"), 20}};
    struct sf_str bytes = sf_manifest_bytes(arena, SF_STR("landing"), files, 2);
    assert_string_equal(bytes.p,
                        "{\"entries\":[{\"mandatory\":true,\"meta\":{\"content_length\":10},\"url\":\"s3://landing/t/a.csv.gz\"},"
                        "{\"mandatory\":true,\"meta\":{\"content_length\":20},\"url\":\"s3://landing/t/b\\\"c.csv.gz\"}]}");
    assert_string_equal(sf_manifest_key(arena, SF_STR("in/"), SF_STR("t"), bytes, "manifest").p,
                        sf_str_fmt(arena, "in/t/%.16s.manifest", sf_sha256_hex(arena, bytes).p).p);
    const struct sf_value *listed;
    assert_int_equal(sf_manifest_read(arena, bytes, "m", &listed, &err), SF_OK);
    assert_int_equal(sf_map_int(listed, "s3://landing/t/b\"c.csv.gz", 0), 20);
    assert_int_equal(sf_manifest_read(arena, SF_STR("{\"entries\":[{}]}"), "m", &listed, &err), SF_E_CONFIG);
    struct sf_value *manifests = sf_value_map(arena);
    sf_map_set_str(arena, manifests, "t", SF_STR("t/x.manifest"));
    assert_string_equal(sf_delivery_bytes(arena, manifests, SF_STR("s"), SF_STR("r"), true).p,
                        "{\"is_sample\":true,\"manifests\":{\"t\":\"t/x.manifest\"},\"rules\":\"r\",\"snapshot\":\"s\"}");
}

/* RFC 7677's example: user "user", password "pencil"; the stored and server keys are those that its messages prove. */
static void scram_verifiers_are_as_postgresql_makes_them(void **state)
{
    static const unsigned char salt[16] = {0x5b, 0x6d, 0x99, 0x68, 0x9d, 0x12, 0x35, 0x8e,
                                           0xec, 0xa0, 0x4b, 0x14, 0x12, 0x36, 0xfa, 0x81};
    (void)state;
    assert_string_equal(sf_reader_scram(arena, SF_STR("pencil"), salt, 4096).p,
                        "SCRAM-SHA-256$4096:W22ZaJ0SNY7soEsUEjb6gQ==$WG5d8oPm3OtcPnkdi4Uo7BkeZkBFzpcXkuLmtbsT4qY=:"
                        "wfPLwcE6nTWhTAmQ7tl2KeoiWGPlZqQxSrmfPwDl2dU=");
}

static void money_is_written_exactly(void **state)
{
    static const struct {
        int64_t cents;
        const char *text;
    } cases[] = {{0, "0.00"},
                 {5, "0.05"},
                 {-5, "-0.05"},
                 {123456, "1234.56"},
                 {-447786110715, "-4477861107.15"},
                 {INT64_MIN, "-92233720368547758.08"}};
    (void)state;
    for (size_t i = 0; i < SF_COUNT(cases); i++)
        assert_string_equal(sf_sql_cents(arena, cases[i].cents).p, cases[i].text);
    assert_string_equal(sf_sql_grouped(arena, -1234567).p, "-1,234,567");
    assert_string_equal(sf_sql_grouped(arena, 999).p, "999");
    assert_string_equal(sf_sql_name(arena, SF_STR("a\"b")).p, "\"a\"\"b\"");
    assert_string_equal(sf_sql_text(arena, SF_STR("it's")).p, "'it''s'");
    assert_string_equal(sf_sql_text(arena, SF_STR("")).p, "''");
    assert_string_equal(sf_sql_text(arena, SF_STR("a\\'b\\")).p, "('a' || chr(92) || '''b' || chr(92) || '')");
}

/* --- golden files --- */

static void compare(const char *name, const struct sf_script *script)
{
    struct sf_buf buf = SF_BUF(1 << 24);
    for (size_t i = 0; i < script->n; i++) {
        const struct sf_statement *s = &script->list[i];
        sf_buf_addf(&buf, "-- %s\n", s->what);
        for (size_t k = 0; k < s->n_prepare; k++)
            sf_buf_addf(&buf, "%.*s;\n", SF_ARG(s->prepare[k]));
        if (s->sql.n > 0)
            sf_buf_addf(&buf, "%.*s;\n", SF_ARG(s->sql));
        else
            sf_buf_addf(&buf, "-- copy %.*s (%.*s) from %.*s\n", SF_ARG(s->table), SF_ARG(s->columns), SF_ARG(s->keys[0]));
    }
    const char *path = sf_str_fmt(arena, "tests/data/golden/%s.sql", name).p;
    const char *mode = getenv("SF_GOLDEN");
    if (mode && strcmp(mode, "write") == 0) {
        FILE *out = fopen(path, "w");
        assert_non_null(out);
        fwrite(buf.p, 1, buf.n, out);
        fclose(out);
    }
    FILE *in = fopen(path, "r");
    assert_non_null(in);
    char *bytes = sf_arena_alloc(arena, buf.n + 2);
    size_t n = fread(bytes, 1, buf.n + 1, in);
    fclose(in);
    if (n != buf.n || memcmp(bytes, buf.p, n) != 0)
        print_error("the SQL is not that of %s; SF_GOLDEN=write rewrites it. It is:\n%s\n", path, buf.p);
    assert_int_equal(n, buf.n);
    assert_memory_equal(bytes, buf.p, n);
    sf_buf_free(&buf);
}

static void put_ledger(struct sf_script *script, const char *what, const struct sf_dialect *dialect, const struct sf_star *star,
                       bool is_measuring)
{
    struct sf_str queries[SF_LEDGER_QUERIES];
    size_t n = dialect->ledger(arena, star, SF_STR("s"), is_measuring, queries);
    for (size_t i = 0; i < n; i++)
        sf_script_put(script, what, queries[i]);
}

/* `suffix` is part of the files' names. */
static void compare_all(const struct sf_dialect *dialect, const char *suffix)
{
    sf_clock_use_virtual(INT64_C(1795564800000)); /* 2026-11-25 */
    struct sf_star *star;
    struct sf_checks checks = {0};
    assert_int_equal(sf_star_parse(&op, "star.yaml", SF_STR(small_star), &star, &err), SF_OK);
    assert_int_equal(sf_checks_parse(&op, "checks.yaml", SF_STR(small_checks), star, &checks, &err), SF_OK);
    star->digest = SF_STR("<star>"); /* of the text above, and so no business of the golden files */
    struct sf_star_site where = {SF_STR("s"), SF_STR("s_partitions"), SF_STR("owner"), SF_STR("reader"), SF_STR("<marks>"), false,
                                 dialect};
    struct sf_star_catalog catalog;
    sf_star_compare(arena, star, &where, sf_value_list(arena, NULL, 0), NULL, &catalog);
    struct sf_script script = {.arena = arena};
    sf_star_make(&script, star, &where, &catalog);
    sf_star_describe(&script, star, &where);
    compare(sf_str_fmt(arena, "star_make%s", suffix).p, &script);

    script = (struct sf_script){.arena = arena};
    sf_script_put(&script, "what the catalog shows", sf_star_catalog_sql(arena, &where));
    put_ledger(&script, "the ledger against the tables", dialect, star, true);
    put_ledger(&script, "the ledger against the number of rows", dialect, star, false);
    compare(sf_str_fmt(arena, "read%s", suffix).p, &script);

    struct sf_value *facts = sf_value_map(arena);
    sf_map_set_int(arena, facts, "in_rows", 2);
    sf_map_set_int(arena, facts, "in_cents", -1050);
    sf_map_set_int(arena, facts, "amount_cents", -1050);
    struct sf_value *with_keys = sf_value_map(arena);
    for (size_t i = 0; i < facts->map.n; i++)
        sf_map_add(arena, with_keys, facts->map.pairs[i].key, facts->map.pairs[i].value);
    sf_map_set_int(arena, with_keys, "keys", 2010);
    struct sf_load_table tables[] = {{sf_star_table(star, SF_STR("d")), SF_STR("d/1.csv.gz"), SF_STR("\"<d>\""),
                                      SF_STR("\"d_id\", \"label\""), 3, true, NULL, 0}};
    struct sf_load_part parts[] = {
        {star->fact, 2024, SF_STR("f/year=2024/1.csv.gz"), SF_STR("{}"), with_keys, 2, true, false, false},
        {star->fact, 2025, SF_STR("f/year=2025/1.csv.gz"), SF_STR("{}"), facts, 2, true, false, true},
        {star->fact, 2026, SF_STR("f/year=2026/1.csv.gz"), SF_STR("{}"), facts, 2, false, false, true},
        {star->fact, 1999, SF_STR_NONE, SF_STR_NONE, NULL, 0, true, true, true},
    };
    struct sf_load_plan plan = {.dialect = dialect,
                                .star = star,
                                .schema = SF_STR("s"),
                                .partitions = SF_STR("s_partitions"),
                                .tables = tables,
                                .n_tables = 1,
                                .parts = parts,
                                .n_parts = 4,
                                .fact_columns = SF_STR("\"f_id\", \"year\", \"d_id\", \"amount\""),
                                .load_id = SF_STR("<load>"),
                                .loaded_by = SF_STR("<by>"),
                                .rules = SF_STR("<rules>"),
                                .n_checks = 5,
                                .is_sample = true};
    script = (struct sf_script){.arena = arena};
    struct sf_check_run run;
    checks.list[0].is_accepted = true;
    plan.accepted_sql = sf_check_run_noted_sql(arena, &checks, true);
    plan.warned_sql = sf_check_run_noted_sql(arena, &checks, false);
    plan.side = sf_checks_side(&checks);
    plan.also_joined = sf_checks_joined_sql(arena, &checks, &plan);
    plan.also_measured = sf_checks_measured_sql(arena, &checks, &plan);
    sf_publish_stage(&script, &plan);
    sf_publish_begin(&script, &plan);
    sf_check_run_add(&script, &checks, &plan, &run);
    sf_publish_commit(&script, &plan);
    sf_publish_tidy(&script, &plan);
    compare(sf_str_fmt(arena, "load%s", suffix).p, &script);

    /* the same when what does not change was published under the same checks */
    script = (struct sf_script){.arena = arena};
    plan.is_rest_proven = true;
    sf_publish_begin(&script, &plan);
    sf_check_run_add(&script, &checks, &plan, &run);
    compare(sf_str_fmt(arena, "check_what_changes%s", suffix).p, &script);
    plan.is_rest_proven = false;
    plan.side = sf_checks_side(&checks);

    script = (struct sf_script){.arena = arena};
    plan.is_rehearsal = true;
    plan.data_as_of = SF_STR("2026-09-20T23:05:20.000"); /* two months and more before the clock of this test */
    plan.is_sample = false;
    sf_publish_stage(&script, &plan);
    sf_publish_begin(&script, &plan);
    sf_check_run_add(&script, &checks, &plan, &run);
    compare(sf_str_fmt(arena, "record_rejects%s", suffix).p, &script);

    script = (struct sf_script){.arena = arena};
    sf_publish_withdraw(&script, &plan);
    for (size_t i = 0; i < star->n_tables; i++)
        catalog.table_exists[i] = true;
    catalog.view_exists[0] = true;
    sf_star_drop(&script, star, &where, &catalog);
    compare(sf_str_fmt(arena, "withdraw_and_drop%s", suffix).p, &script);
}

static void the_sql_is_that_of_the_golden_files(void **state)
{
    (void)state;
    compare_all(&sf_dialect_postgresql, "");
    compare_all(&sf_dialect_redshift, ".redshift");
}

/* The largest load of the flagship, and the record of all that could fail in it, fit the transaction that the Data API takes. */
static void the_flagship_fits_a_batch_of_the_data_api(void **state)
{
    (void)state;
    struct sf_star *star;
    struct sf_checks checks = {0};
    assert_int_equal(sf_star_load(&op, SF_STR("builtin:sf/star"), &star, &err), SF_OK);
    assert_int_equal(sf_checks_load(&op, sf_value_str(arena, SF_STR("builtin:sf/checks")), star, &checks, &err), SF_OK);
    struct sf_load_plan plan = {.dialect = &sf_dialect_redshift,
                                .star = star,
                                .schema = SF_STR("report"),
                                .partitions = SF_STR("report_partitions"),
                                .load_id = SF_STR("<load>"),
                                .loaded_by = SF_STR("<by>"),
                                .rules = SF_STR("<rules>")};
    enum { YEARS = 40 };
    struct sf_load_part *parts = SF_NEW_ARRAY(arena, 2 * YEARS, struct sf_load_part);
    plan.tables = SF_NEW_ARRAY(arena, star->n_tables, struct sf_load_table);
    struct sf_value *facts = sf_value_map(arena);
    static const char *const numbers[] = {"spending_rows", "revenue_rows", "spending_cents", "revenue_cents", "amount_cents"};
    for (size_t i = 0; i < SF_COUNT(numbers); i++)
        sf_map_set_int(arena, facts, numbers[i], INT64_C(123456789012345));
    for (size_t i = 0; i < 2 * YEARS; i++)
        parts[i] = (struct sf_load_part){
            star->fact, 1999 + (int64_t)(i % YEARS), SF_STR("key"), SF_STR("{}"), facts, 1000000, true, false, true};
    plan.parts = parts;
    plan.n_parts = YEARS;
    for (size_t i = 0; i < star->n_tables; i++) {
        if (star->tables[i].role != SF_STAR_DIMENSION && star->tables[i].role != SF_STAR_BRIDGE)
            continue;
        struct sf_load_table *t = &plan.tables[plan.n_tables++];
        *t = (struct sf_load_table){.table = &star->tables[i], .rows = 1000, .changes = true};
        if (t->table->partition_by.n > 0) {
            t->parts = parts + YEARS;
            t->n_parts = YEARS;
            for (size_t k = 0; k < YEARS; k++)
                t->parts[k].table = t->table;
        }
    }
    plan.accepted_sql = sf_check_run_noted_sql(arena, &checks, true);
    plan.warned_sql = sf_check_run_noted_sql(arena, &checks, false);
    plan.side = sf_checks_side(&checks);
    plan.also_joined = sf_checks_joined_sql(arena, &checks, &plan);
    plan.also_measured = sf_checks_measured_sql(arena, &checks, &plan);
    for (int is_rehearsal = 0; is_rehearsal < 2; is_rehearsal++) {
        struct sf_script script = {.arena = arena};
        struct sf_check_run run;
        plan.is_rehearsal = is_rehearsal;
        sf_publish_begin(&script, &plan);
        sf_check_run_add(&script, &checks, &plan, &run);
        if (is_rehearsal)
            sf_publish_sweep(&script, &plan);
        else
            sf_publish_commit(&script, &plan);
        assert_true(script.n <= sf_dialect_redshift.max_statements);
        for (size_t i = 0; i < script.n; i++) {
            if (script.list[i].sql.n >= 100 * 1000)
                print_error("%s: %zu bytes\n", script.list[i].what, script.list[i].sql.n);
            assert_true(script.list[i].sql.n < 100 * 1000);
        }
    }
}

/* Another table that the star partitions is replaced part by part, as the fact is. */
static void a_table_in_parts_is_published_part_by_part(void **state)
{
    (void)state;
    struct sf_star *star;
    assert_int_equal(sf_star_parse(&op, "star.yaml", replaced(small_star, "views:\n", bridge), &star, &err), SF_OK);
    star->digest = SF_STR("<star>");
    const struct sf_star_table *b = sf_star_table(star, SF_STR("b"));
    struct sf_load_part parts[] = {
        {b, 2024, SF_STR("b/year=2024/1.csv.gz"), SF_STR("\"<2024>\""), NULL, 7, true, false, false},
        {b, 2025, SF_STR("b/year=2025/1.csv.gz"), SF_STR("\"<2025>\""), NULL, 9, true, false, true},
        {b, 2026, SF_STR("b/year=2026/1.csv.gz"), SF_STR("\"<2026>\""), NULL, 3, false, false, true},
        {b, 1999, SF_STR_NONE, SF_STR_NONE, NULL, 0, true, true, true},
    };
    struct sf_load_table tables[] = {{.table = sf_star_table(star, SF_STR("d"))},
                                     {.table = b,
                                      .columns = SF_STR("\"d_id\", \"year\", \"amount\""),
                                      .rows = 19,
                                      .changes = true,
                                      .parts = parts,
                                      .n_parts = SF_COUNT(parts)}};
    struct sf_load_plan plan = {.dialect = &sf_dialect_postgresql,
                                .star = star,
                                .schema = SF_STR("s"),
                                .partitions = SF_STR("s_partitions"),
                                .tables = tables,
                                .n_tables = SF_COUNT(tables),
                                .load_id = SF_STR("<load>"),
                                .loaded_by = SF_STR("<by>"),
                                .rules = SF_STR("<rules>"),
                                .is_rest_proven = true};
    static const char text[] = "checks: 1\nlist:\n  filled: {check: not_null, table: b}\n  counts: {check: row_count, table: b}\n";
    struct sf_checks checks;
    struct sf_check_run run;
    assert_int_equal(sf_checks_parse(&op, "checks.yaml", SF_STR(text), star, &checks, &err), SF_OK);
    struct sf_script script = {.arena = arena};
    sf_publish_stage(&script, &plan);
    sf_publish_begin(&script, &plan);
    sf_check_run_add(&script, &checks, &plan, &run);
    sf_publish_commit(&script, &plan);
    compare("load_a_table_in_parts", &script);
    script = (struct sf_script){.arena = arena};
    plan.dialect = &sf_dialect_redshift;
    sf_publish_stage(&script, &plan);
    sf_publish_begin(&script, &plan);
    sf_publish_commit(&script, &plan);
    compare("load_a_table_in_parts.redshift", &script);
    script = (struct sf_script){.arena = arena};
    struct sf_str queries[SF_LEDGER_QUERIES];
    assert_int_equal(sf_ledger_by_postgresql(arena, star, SF_STR("s"), true, queries), 1);
    sf_script_put(&script, "the ledger against the tables", queries[0]);
    compare("read_a_table_in_parts", &script);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_star_file_with_a_mistake_is_refused_by_line_and_word),
        cmocka_unit_test(a_checks_file_with_a_mistake_is_refused_by_line_and_word),
        cmocka_unit_test(a_time_of_the_source_is_read_in_both_its_forms),
        cmocka_unit_test(a_query_that_could_do_more_than_read_is_refused),
        cmocka_unit_test(checks_come_from_files_maps_and_lists_of_both),
        cmocka_unit_test(names_of_files_cannot_leave_where_they_belong),
        cmocka_unit_test(manifests_are_these_bytes),
        cmocka_unit_test(scram_verifiers_are_as_postgresql_makes_them),
        cmocka_unit_test(money_is_written_exactly),
        cmocka_unit_test(the_sql_is_that_of_the_golden_files),
        cmocka_unit_test(the_flagship_fits_a_batch_of_the_data_api),
        cmocka_unit_test(a_table_in_parts_is_published_part_by_part),
    };
    return cmocka_run_group_tests(tests, start, stop);
}
