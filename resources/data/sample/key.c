/* The answer key: what a right reading of the sample must find. Counted from the draws and the member tables, not from the text and
 * not by the conform code, whose rules (nulls, folding, paths) are written here a second time on purpose. */
#include "resources/data/sample/render.h"

#include <inttypes.h>
#include <stdlib.h>

enum { LISTED_ROWS = 10000 };

static const char *const trait_names[SF_TRAITS] = {
    [SF_TRAIT_NULL_DEPARTMENT] = "null_department",
    [SF_TRAIT_NULL_PROGRAM] = "null_program",
    [SF_TRAIT_NULL_TYPE] = "null_type",
    [SF_TRAIT_NULL_FUND] = "null_fund",
    [SF_TRAIT_NULL_FUND_CATEGORY] = "null_fund_category",
    [SF_TRAIT_ZERO_AMOUNT] = "zero_amount",
    [SF_TRAIT_ROUND_AMOUNT] = "round_amount",
    [SF_TRAIT_NEGATIVE_AMOUNT] = "negative_amount",
    [SF_TRAIT_DUPLICATE_KEY] = "duplicate_key",
    [SF_TRAIT_DUPLICATE_ROW] = "duplicate_row",
    [SF_TRAIT_ELIMINATION_SOURCE] = "elimination_source",
    [SF_TRAIT_ELIMINATION_USE] = "elimination_use",
    [SF_TRAIT_RELATED_UNIT] = "related_unit",
    [SF_TRAIT_DOUBLE_SPACE] = "double_space",
    [SF_TRAIT_CASE_VARIANT] = "spelling_variant",
    [SF_TRAIT_RENAMED] = "renamed",
    [SF_TRAIT_RECODED] = "recoded",
    [SF_TRAIT_PLACEHOLDER_CODE] = "placeholder_code",
    [SF_TRAIT_MOJIBAKE] = "mojibake",
    [SF_TRAIT_EN_DASH] = "en_dash",
    [SF_TRAIT_COMMA] = "comma",
    [SF_TRAIT_APOSTROPHE] = "apostrophe",
    [SF_TRAIT_AMPERSAND] = "ampersand",
    [SF_TRAIT_LEADING_ZERO] = "leading_zero",
    [SF_TRAIT_TILDE] = "tilde",
    [SF_TRAIT_RESTATED] = "restated",
    [SF_TRAIT_RECLASSIFIED] = "reclassified",
    [SF_TRAIT_NEW_FUND] = "new_fund",
    [SF_TRAIT_CODE_RENAMED] = "code_renamed",
};

/* A level's columns within its member, code and name; `none` is what a null name becomes. */
struct level {
    const char *name, *none;
    uint8_t code_column, name_column;
};
struct dimension {
    const char *name;
    uint32_t first_column; /* place in the 2026 file */
    struct level level[3];
    bool has_related; /* column 0 is the related flag, part of the key */
};
static const struct dimension dimensions[3] = {
    {"program",
     1,
     {{"organization_group", "No Organization Group", 1, 2},
      {"department", "No Department", 3, 4},
      {"program", "No Program", 5, 6}},
     true},
    {"type", 8, {{"character", "No Character", 0, 1}, {"object", "No Object", 2, 3}, {"sub_object", "No Sub Object", 4, 5}}, false},
    {"fund",
     14,
     {{"fund_type", "No Fund Type", 0, 1}, {"fund", "No Fund", 2, 3}, {"fund_category", "No Fund Category", 4, 5}},
     false},
};

struct fact {
    uint64_t key;
    int64_t cents;
};
struct cell {
    uint64_t rows;
    int64_t cents;
};
struct counts {
    struct cell total[SF_SAMPLE_YEARS][SF_SAMPLE_SIDES][2];
    uint64_t *used[3]; /* rows by member */
    uint64_t traits[SF_TRAITS];
    uint64_t *listed[SF_TRAITS];
    uint64_t excess_keys, excess_rows;
    uint64_t distinct_amounts;
};

/* --- counting rows --- */

static int by_key(const void *a, const void *b)
{
    const struct fact *x = a, *y = b;
    if (x->key != y->key)
        return x->key < y->key ? -1 : 1;
    return (x->cents > y->cents) - (x->cents < y->cents);
}

static int by_cents(const void *a, const void *b)
{
    int64_t x = *(const int64_t *)a, y = *(const int64_t *)b;
    return (x > y) - (x < y);
}

static void close_year(struct counts *counts, struct fact *fact, uint64_t n)
{
    qsort(fact, n, sizeof *fact, by_key);
    for (uint64_t i = 1; i < n; i++) {
        counts->excess_keys += fact[i].key == fact[i - 1].key;
        counts->excess_rows += fact[i].key == fact[i - 1].key && fact[i].cents == fact[i - 1].cents;
    }
}

/* The file's row at which row b of the order by year stands: the inverse of the shuffle. */
static uint64_t file_row(const struct sf_sample_draw *draw, uint64_t inverse, uint64_t b)
{
    if (draw->stride == 0)
        return b;
    return (b + draw->n_rows - draw->offset) % draw->n_rows * inverse % draw->n_rows;
}

/* x with stride * x = 1 modulo n, by Euclid's algorithm. */
static uint64_t inverse_of(uint64_t stride, uint64_t n)
{
    int64_t a = (int64_t)stride, b = (int64_t)n, x = 1, y = 0;
    while (b) {
        int64_t q = a / b, rest = a % b, next = x - q * y;
        a = b;
        b = rest;
        x = y;
        y = next;
    }
    return (uint64_t)(x < 0 ? x + (int64_t)n : x);
}

static void count_rows(struct sf_arena *arena, const struct sf_sample *sample, struct counts *counts)
{
    const struct sf_sample_draw *draw = &sample->draw;
    uint64_t inverse = draw->stride ? inverse_of(draw->stride, draw->n_rows) : 0;
    struct fact *fact = SF_NEW_ARRAY(arena, draw->n_rows, struct fact); /* of one year; years differ, all fit */
    int64_t *cents = SF_NEW_ARRAY(arena, draw->n_rows, int64_t);
    for (uint32_t t = 0; t < SF_TRAITS; t++)
        counts->listed[t] = SF_NEW_ARRAY(arena, LISTED_ROWS, uint64_t);
    uint64_t in_year = 0;
    for (uint64_t b = 0; b < draw->n_rows; b++) {
        struct sf_sample_row row;
        uint64_t i = file_row(draw, inverse, b);
        sf_sample_draw_row(draw, i, &row);
        uint32_t traits = row.traits | sample->members.program.member[row.program].traits |
                          sample->members.type.member[row.type].traits | sample->members.fund.member[row.fund].traits;
        counts->used[0][row.program]++;
        counts->used[1][row.type]++;
        counts->used[2][row.fund]++;
        struct cell *cell = &counts->total[row.year][row.side][(traits & SF_TRAIT(RELATED_UNIT)) != 0];
        cell->rows++;
        cell->cents += row.cents;
        for (uint32_t left = traits; left; left &= left - 1) {
            uint32_t t = (uint32_t)__builtin_ctz(left);
            if (counts->traits[t] < LISTED_ROWS)
                counts->listed[t][counts->traits[t]] = i + 1;
            counts->traits[t]++;
        }
        cents[b] = row.cents;
        fact[in_year++] =
            (struct fact){(uint64_t)row.side << 60 | (uint64_t)row.program << 40 | (uint64_t)row.type << 20 | row.fund, row.cents};
        if (b + 1 == draw->first_row[row.year + 1]) {
            close_year(counts, fact, in_year);
            in_year = 0;
        }
    }
    qsort(cents, draw->n_rows, sizeof *cents, by_cents);
    for (uint64_t b = 0; b < draw->n_rows; b++)
        counts->distinct_amounts += b == 0 || cents[b] != cents[b - 1];
}

/* --- counting texts --- */

static int by_text(const void *a, const void *b)
{
    return sf_str_cmp(*(const struct sf_str *)a, *(const struct sf_str *)b);
}

/* Sorts and returns how many differ. */
static uint64_t distinct(struct sf_str *text, uint64_t n)
{
    uint64_t found = 0;
    qsort(text, n, sizeof *text, by_text);
    for (uint64_t i = 0; i < n; i++)
        found += i == 0 || !sf_str_eq(text[i], text[i - 1]);
    return found;
}

/* One part of a path: its length, ':', its bytes; folded: blanks collapsed and trimmed, A-Z to a-z. */
static void add_part(struct sf_buf *buf, struct sf_str text, bool is_folded)
{
    char plain[256];
    size_t n = 0;
    for (size_t i = 0; i < text.n && n < sizeof plain; i++) {
        char c = text.p[i] == '\t' ? ' ' : text.p[i];
        if (!is_folded)
            plain[n++] = text.p[i];
        else if (c != ' ')
            plain[n++] = c >= 'A' && c <= 'Z' ? (char)(c - 'A' + 'a') : c;
        else if (n && plain[n - 1] != ' ')
            plain[n++] = ' ';
    }
    while (is_folded && n && plain[n - 1] == ' ')
        n--;
    sf_buf_addf(buf, "%zu:", n);
    sf_buf_add(buf, (struct sf_str){plain, n});
}

/* The path of a member's names down to `depth` levels, and with_code the code of the last one. */
static struct sf_str path_of(struct sf_arena *arena, const struct dimension *dim, const struct sf_sample_member *m, uint32_t depth,
                             bool is_folded, bool with_related, bool with_code)
{
    struct sf_buf buf = SF_BUF(4096);
    for (uint32_t l = 0; l < depth; l++) {
        struct sf_str name = m->column[dim->level[l].name_column];
        add_part(&buf, name.p ? name : sf_str_of(dim->level[l].none), is_folded);
    }
    if (with_related)
        add_part(&buf, m->column[0], is_folded);
    if (with_code)
        add_part(&buf, m->column[dim->level[depth - 1].code_column], false);
    struct sf_str path = sf_str_dup(arena, sf_buf_str(&buf));
    sf_buf_free(&buf);
    return path;
}

/* How many paths occur with more than one code: sorted (path, code) pairs begin with equal paths side by side. */
static uint64_t several_codes(struct sf_arena *arena, const struct dimension *dim, const struct sf_sample_member *const *member,
                              uint64_t n, uint32_t depth)
{
    struct sf_str *path = SF_NEW_ARRAY(arena, n, struct sf_str), *pair = SF_NEW_ARRAY(arena, n, struct sf_str);
    struct sf_str *path_of_pair = SF_NEW_ARRAY(arena, n, struct sf_str);
    for (uint64_t i = 0; i < n; i++)
        pair[i] = path_of(arena, dim, member[i], depth, false, false, true);
    uint64_t n_pairs = distinct(pair, n), kept = 0;
    for (uint64_t i = 0; i < n; i++)
        if (i == 0 || !sf_str_eq(pair[i], pair[i - 1]))
            pair[kept++] = pair[i];
    /* the path is the pair without its last part; paths are prefix-free, so equal prefixes are equal paths */
    for (uint64_t i = 0; i < n_pairs; i++) {
        size_t at = 0;
        for (uint32_t l = 0; l < depth; l++) {
            size_t length = 0;
            while (pair[i].p[at] != ':')
                length = length * 10 + (size_t)(pair[i].p[at++] - '0');
            at += 1 + length;
        }
        path_of_pair[i] = sf_str_slice(pair[i], 0, at);
    }
    memcpy(path, path_of_pair, n_pairs * sizeof *path);
    (void)distinct(path, n_pairs);
    uint64_t found = 0;
    for (uint64_t i = 1; i < n_pairs; i++)
        found += sf_str_eq(path[i], path[i - 1]) && (i == 1 || !sf_str_eq(path[i - 1], path[i - 2]));
    return found;
}

/* --- writing --- */

static void write_spec(const struct sf_sample *sample, struct sf_buf *out)
{
    static const char *const layouts[] = {"2026", "2022", "2017"};
    static const char *const bools[] = {"false", "true"};
    const struct sf_sample_spec *s = &sample->spec;
    sf_buf_addf(out, "  \"spec\": {\"rows\": %" PRIu64 ", \"seed\": %" PRIu64 ", \"as_of\": %u, \"layout\": \"%s\", ", s->rows,
                s->seed, s->as_of, layouts[s->layout]);
    sf_buf_addf(out, "\"header\": \"%s\", \"quirks\": \"%s\", \"crlf\": %s, \"bom\": %s, ", s->display_header ? "display" : "api",
                s->no_quirks ? "none" : "all", bools[s->crlf], bools[s->bom]);
    sf_buf_addf(out, "\"no_final_newline\": %s, \"quote_all\": %s, \"thousands\": %s, \"drop_zeros\": %s, \"shuffle\": %s},\n",
                bools[s->no_final_newline], bools[s->quote_all], bools[s->thousands], bools[s->drop_zeros], bools[s->shuffle]);
}

static void write_totals(const struct counts *counts, struct sf_buf *out)
{
    static const char *const sides[] = {"Spending", "Revenue"}, *const flags[] = {"No", "Yes"};
    const char *comma = "";
    sf_buf_addz(out, "  \"totals\": [");
    for (uint32_t y = 0; y < SF_SAMPLE_YEARS; y++)
        for (uint32_t s = 0; s < SF_SAMPLE_SIDES; s++)
            for (uint32_t r = 0; r < 2; r++) {
                const struct cell *cell = &counts->total[y][s][r];
                if (cell->rows == 0)
                    continue;
                sf_buf_addf(out,
                            "%s\n    {\"fiscal_year\": %u, \"revenue_or_spending\": \"%s\", \"related_govt_units\": \"%s\", "
                            "\"rows\": %" PRIu64 ", \"cents\": %" PRId64 "}",
                            comma, y + SF_SAMPLE_FIRST_YEAR, sides[s], flags[r], cell->rows, cell->cents);
                comma = ",";
            }
    sf_buf_addz(out, "\n  ],\n");
}

static void write_column(struct sf_buf *out, const char *name, uint64_t n_distinct, uint64_t nulls)
{
    sf_buf_addf(out, "    \"%s\": {\"distinct\": %" PRIu64 ", \"nulls\": %" PRIu64 "},\n", name, n_distinct, nulls);
}

static void write_columns(struct sf_arena *arena, const struct sf_sample *sample, const struct sf_sample_table *const *tables,
                          const struct counts *counts, struct sf_buf *out)
{
    uint64_t years = 0, sides[2] = {0, 0};
    for (uint32_t y = 0; y < SF_SAMPLE_YEARS; y++) {
        uint64_t in_year = 0;
        for (uint32_t s = 0; s < 2; s++) {
            uint64_t n = counts->total[y][s][0].rows + counts->total[y][s][1].rows;
            sides[s] += n;
            in_year += n;
        }
        years += in_year > 0;
    }
    sf_buf_addz(out, "  \"columns\": {\n");
    write_column(out, "fiscal_year", years, 0);
    for (uint32_t t = 0; t < 3; t++) {
        struct sf_str *text = SF_NEW_ARRAY(arena, tables[t]->n, struct sf_str);
        for (uint32_t c = 0; c < tables[t]->n_columns; c++) {
            uint64_t n = 0, nulls = 0;
            for (uint32_t i = 0; i < tables[t]->n; i++) {
                struct sf_str s = tables[t]->member[i].column[c];
                if (counts->used[t][i] && s.p)
                    text[n++] = s;
                else
                    nulls += counts->used[t][i];
            }
            write_column(out, sf_sample_api_names[dimensions[t].first_column + c], distinct(text, n), nulls);
        }
    }
    write_column(out, "revenue_or_spending", sides[0] && sides[1] ? 2 : 1, 0);
    sf_buf_addf(out, "    \"amount\": {\"distinct\": %" PRIu64 ", \"nulls\": 0}", counts->distinct_amounts);
    if (sample->spec.layout == SF_SAMPLE_2026)
        sf_buf_addz(out, ",\n    \"data_as_of\": {\"distinct\": 1, \"nulls\": 0},\n"
                         "    \"data_loaded_at\": {\"distinct\": 1, \"nulls\": 0}");
    sf_buf_addz(out, "\n  },\n");
}

static void write_dimension(struct sf_arena *arena, const struct dimension *dim, const struct sf_sample_table *table,
                            const struct sf_str *rendered, const uint64_t *used, struct sf_buf *out)
{
    const struct sf_sample_member **member = SF_NEW_ARRAY(arena, table->n, const struct sf_sample_member *);
    struct sf_str *text = SF_NEW_ARRAY(arena, table->n, struct sf_str);
    uint64_t n = 0;
    for (uint32_t i = 0; i < table->n; i++) {
        if (used[i] == 0)
            continue;
        text[n] = rendered[i];
        member[n++] = &table->member[i];
    }
    sf_buf_addf(out, "    \"%s\": {\"members_before\": %" PRIu64, dim->name, distinct(text, n));
    for (uint64_t i = 0; i < n; i++)
        text[i] = path_of(arena, dim, member[i], 3, true, dim->has_related, false);
    sf_buf_addf(out, ", \"members_after\": %" PRIu64 ", \"levels\": [", distinct(text, n));
    for (uint32_t depth = 1; depth <= 3; depth++) {
        uint64_t paths[2];
        for (uint32_t is_folded = 0; is_folded < 2; is_folded++) {
            for (uint64_t i = 0; i < n; i++)
                text[i] = path_of(arena, dim, member[i], depth, is_folded, false, false);
            paths[is_folded] = distinct(text, n);
        }
        sf_buf_addf(out,
                    "%s\n      {\"level\": \"%s\", \"name_paths\": %" PRIu64 ", \"name_paths_folded\": %" PRIu64
                    ", \"name_paths_with_several_codes\": %" PRIu64 "}",
                    depth > 1 ? "," : "", dim->level[depth - 1].name, paths[0], paths[1],
                    several_codes(arena, dim, member, n, depth));
    }
    sf_buf_addz(out, "\n    ]}");
}

static void write_defects(const struct counts *counts, struct sf_buf *out)
{
    sf_buf_addz(out, "  \"defects\": {");
    for (uint32_t t = 0; t < SF_TRAITS; t++) {
        sf_buf_addf(out, "%s\n    \"%s\": {\"count\": %" PRIu64 ", \"rows\": [", t ? "," : "", trait_names[t], counts->traits[t]);
        for (uint64_t i = 0; i < counts->traits[t] && i < LISTED_ROWS; i++)
            sf_buf_addf(out, "%s%" PRIu64, i ? "," : "", counts->listed[t][i]);
        sf_buf_addz(out, "]}");
    }
    sf_buf_addz(out, "\n  }\n");
}

void sf_sample_key(const struct sf_sample *sample, const struct sf_sample_file *file, struct sf_buf *out)
{
    const struct sf_sample_table *const tables[3] = {&sample->members.program, &sample->members.type, &sample->members.fund};
    struct sf_str *const rendered[3] = {sample->program, sample->type, sample->fund};
    struct sf_arena *arena = sf_arena_new();
    struct counts *counts = SF_NEW(arena, struct counts);
    for (uint32_t t = 0; t < 3; t++)
        counts->used[t] = SF_NEW_ARRAY(arena, tables[t]->n, uint64_t);
    count_rows(arena, sample, counts);

    sf_buf_addz(
        out,
        "{\n  \"note\": \"GENERATED SAMPLE, NOT THE CITY'S FIGURES; rows are counted from 1 after the header, lists are cut at "
        "10000\",\n");
    sf_buf_addf(out, "  \"generator\": \"sfsample\",\n  \"version\": \"%s\",\n", sf_sample_version);
    write_spec(sample, out);
    sf_buf_addf(out, "  \"rows\": %" PRIu64 ",\n", sf_sample_rows(sample));
    if (file)
        sf_buf_addf(out, "  \"file\": {\"bytes\": %" PRIu64 ", \"sha256\": \"%s\"},\n", file->bytes, file->sha256);
    sf_buf_addf(out, "  \"data_as_of\": \"%s\",\n  \"data_loaded_at\": \"%s\",\n", sample->as_of.p, sample->loaded_at.p);
    write_totals(counts, out);
    write_columns(arena, sample, tables, counts, out);
    sf_buf_addz(out, "  \"dimensions\": {\n");
    for (uint32_t t = 0; t < 3; t++) {
        write_dimension(arena, &dimensions[t], tables[t], rendered[t], counts->used[t], out);
        sf_buf_addz(out, t < 2 ? ",\n" : "\n  },\n");
    }
    sf_buf_addf(out, "  \"natural_key\": {\"excess_rows\": %" PRIu64 ", \"excess_identical_rows\": %" PRIu64 "},\n",
                counts->excess_keys, counts->excess_rows);
    write_defects(counts, out);
    sf_buf_addz(out, "}\n");
    sf_arena_free(arena);
}
