/* See parse.h. */
#include "resources/data/conform/parse.h"

#include "resources/data/conform/plain.h"
#include "resources/data/conform/text.h"

#include <stdlib.h>

/* The city's table has some ten thousand members. Far beyond that a column is not what the rules take it for. */
enum {
    HAS_PROBLEM = 1 << 30 /* in the number of a raw: a row asks for what is in its cache already */,
    MAX_RAWS = 1024 * 1024,
    MAX_RAW_BYTES = 512 * 1024 * 1024,
    SHOWN_VALUE = 100,
    ROWS_AHEAD = 32
};

static char *scratch(struct sf_parser *p, size_t n)
{
    if (n > p->cap_scratch) {
        free(p->scratch);
        p->cap_scratch = 2 * n;
        p->scratch = malloc(p->cap_scratch);
        if (!p->scratch)
            sf_out_of_memory();
    }
    return p->scratch;
}

void sf_parser_open(struct sf_parser *p, const struct sf_layout *layout, struct sf_rows_pool *pool, uint64_t seed)
{
    *p = (struct sf_parser){.layout = layout, .arena = sf_arena_new()};
    const struct sf_rules *rules = layout->rules;
    for (size_t i = 0; i < rules->n_dimensions; i++) {
        sf_intern_open(&p->found[i].spans, seed);
        sf_intern_open(&p->found[i].quoted, seed);
        p->found[i].arena = sf_arena_new();
    }
    sf_rows_open(&p->rows, pool, (size_t)(rules->max_year - rules->min_year) + 1, rules->n_dimensions);
    p->tail = p->parts = SF_BUF(2 * (size_t)SF_CSV_MAX_RECORD);
    scratch(p, 4096);
    sf_plain_open(p);
}

void sf_parser_finish(struct sf_parser *p)
{
    for (size_t i = 0; i < SF_RULES_MAX_DIMENSIONS; i++) {
        sf_intern_close(&p->found[i].spans);
        sf_intern_close(&p->found[i].quoted);
    }
}

void sf_parser_forget(struct sf_parser *p, size_t dimension)
{
    struct sf_found *found = &p->found[dimension];
    sf_intern_close(&found->spans);
    sf_intern_close(&found->quoted);
    free(found->raws);
    if (found->arena)
        sf_arena_free(found->arena);
    *found = (struct sf_found){.arena = NULL};
}

void sf_parser_close(struct sf_parser *p)
{
    for (size_t i = 0; i < SF_RULES_MAX_DIMENSIONS; i++)
        sf_parser_forget(p, i);
    sf_rows_close(&p->rows);
    sf_buf_free(&p->tail);
    sf_buf_free(&p->parts);
    free(p->rejects);
    free(p->scratch);
    sf_arena_free(p->arena);
    *p = (struct sf_parser){.arena = NULL};
}

/* A field as it stands in the file; nothing for an optional column that the file does not have. */
static struct sf_str raw_of(const struct sf_parser *p, const struct sf_csv_record *r, size_t column)
{
    int place = p->layout->place[column];
    return place < 0 ? SF_STR_NONE : sf_csv_raw(r, (size_t)place);
}

static inline struct sf_str unquoted(struct sf_parser *p, struct sf_str raw)
{
    return sf_csv_is_quoted(raw) ? sf_csv_value(raw, scratch(p, raw.n)) : raw;
}

static struct sf_str value_of(struct sf_parser *p, const struct sf_csv_record *r, size_t column)
{
    return unquoted(p, raw_of(p, r, column));
}

/* A raw not met under these bytes yet: unquote, check, and see whether its values are known in another writing. */
static enum sf_code add_raw(struct sf_parser *p, const struct sf_csv_record *r, size_t dim, struct sf_str span, uint64_t hash,
                            uint32_t *number, struct sf_err *err)
{
    const struct sf_rules *rules = p->layout->rules;
    const struct sf_rule_dimension *d = &rules->dimensions[dim];
    struct sf_found *found = &p->found[dim];
    p->raw_bytes += 4 * span.n;
    if (found->n == MAX_RAWS || p->raw_bytes > MAX_RAW_BYTES) {
        sf_fail(err, SF_E_DATA, "'%s' line %llu: more different members of '%.*s' than fit (%zu so far)", r->chunk->file,
                (unsigned long long)sf_csv_line(r), SF_ARG(d->name), found->n);
        sf_hint(err, "a column of this dimension probably holds a number that differs in each row");
        return SF_E_DATA;
    }
    struct sf_str kept = sf_str_dup(found->arena, span);
    bool is_quoted = memchr(kept.p, '"', kept.n) != NULL;
    sf_buf_clear(&p->parts);
    for (size_t i = 0; i < d->n_columns; i++)
        sf_text_part(&p->parts, value_of(p, r, d->columns[i]));
    struct sf_str parts = sf_buf_str(&p->parts);
    uint64_t parts_hash = is_quoted ? sf_intern_hash(found->quoted.seed, parts) : 0;
    *number = is_quoted ? sf_intern_find(&found->quoted, parts_hash, parts) : SF_INTERN_NONE;
    if (*number == SF_INTERN_NONE) {
        if (found->n == found->cap) {
            found->cap = found->cap ? 2 * found->cap : 1024;
            struct sf_found_raw *raws = realloc(found->raws, found->cap * sizeof *raws);
            if (!raws)
                sf_out_of_memory();
            found->raws = raws;
        }
        *number = (uint32_t)found->n;
        struct sf_found_raw *raw = &found->raws[found->n++];
        raw->parts = sf_str_dup(found->arena, parts);
        raw->problem = sf_raw_problem(rules, d, raw->parts, &raw->problem_column);
        if (is_quoted)
            sf_intern_add(&found->quoted, parts_hash, raw->parts, *number);
    }
    if (found->raws[*number].problem)
        *number |= HAS_PROBLEM;
    sf_intern_add(&found->spans, hash, kept, *number);
    return SF_OK;
}

/* The bytes of a dimension's columns that do not stand side by side, joined. */
static struct sf_str span_of(struct sf_parser *p, const struct sf_csv_record *r, size_t dim)
{
    const struct sf_rule_dimension *d = &p->layout->rules->dimensions[dim];
    size_t need = 0, n = 0;
    for (size_t i = 0; i < d->n_columns; i++)
        need += raw_of(p, r, d->columns[i]).n + 1;
    char *out = scratch(p, need);
    for (size_t i = 0; i < d->n_columns; i++) {
        struct sf_str raw = raw_of(p, r, d->columns[i]);
        if (raw.n)
            memcpy(out + n, raw.p, raw.n);
        n += raw.n;
        out[n++] = ',';
    }
    return (struct sf_str){out, n};
}

/* Of a member that was not known when its row was looked at: the rows between may have brought it. */
static enum sf_code find_or_add_raw(struct sf_parser *p, const struct sf_csv_record *r, size_t dim, const struct sf_intern_key *key,
                                    uint32_t *number, struct sf_err *err)
{
    const struct sf_intern *spans = &p->found[dim].spans;
    struct sf_intern_key late = *key;
    if (p->layout->is_contiguous[dim]) {
        late.number = sf_intern_find(spans, late.hash, late.bytes);
    } else {
        late.bytes = span_of(p, r, dim);
        sf_intern_hash_all(spans, &late, 1);
        sf_intern_find_all(spans, &late, 1);
    }
    *number = late.number;
    return *number == SF_INTERN_NONE ? add_raw(p, r, dim, late.bytes, late.hash, number, err) : SF_OK;
}

static int read_year(struct sf_str s)
{
    s = sf_text_trim(s);
    int year = 0;
    for (size_t i = 0; i < s.n && s.n == 4; i++)
        year = s.p[i] >= '0' && s.p[i] <= '9' ? year * 10 + (s.p[i] - '0') : -100000;
    return year;
}

/* Index of the side, or -1. */
static int read_side(const struct sf_rules *rules, struct sf_str s)
{
    for (size_t i = 0; i < rules->n_sides; i++)
        if (sf_str_eq(s, rules->sides[i].text))
            return (int)i;
    char folded[256];
    if (s.n > sizeof folded)
        return -1;
    struct sf_str have = {folded, sf_text_fold(s, folded)};
    for (size_t i = 0; i < rules->n_sides; i++)
        if (sf_str_eq(have, rules->sides[i].folded))
            return (int)i;
    return -1;
}

static void reject(struct sf_parser *p, const struct sf_csv_record *r, struct sf_str column, struct sf_str value,
                   const char *reason)
{
    p->rejected++;
    struct sf_str text = sf_csv_record_text(r);
    if (p->reject_bytes + text.n + sizeof(struct sf_reject) > SF_REJECTS_MAX_BYTES)
        return;
    p->reject_bytes += text.n + sizeof(struct sf_reject);
    if (p->n_rejects == p->cap_rejects) {
        p->cap_rejects = p->cap_rejects ? 2 * p->cap_rejects : 64;
        struct sf_reject *rejects = realloc(p->rejects, p->cap_rejects * sizeof *rejects);
        if (!rejects)
            sf_out_of_memory();
        p->rejects = rejects;
    }
    size_t shown = value.n < SHOWN_VALUE ? value.n : SHOWN_VALUE;
    while (shown < value.n && shown > 0 && ((unsigned char)value.p[shown] & 0xc0) == 0x80)
        shown--; /* not in the middle of a character */
    p->rejects[p->n_rejects++] = (struct sf_reject){
        sf_csv_line(r), column, reason, sf_str_dup(p->arena, (struct sf_str){value.p, shown}), sf_str_dup(p->arena, text)};
}

/* Whether a stamp is written as in the first row. */
static inline bool has_stamp(const struct sf_parser *p, const struct sf_csv_record *r, int column, size_t which)
{
    return column < 0 || p->layout->place[column] < 0 ||
           (p->has_stamps && sf_str_eq(raw_of(p, r, (size_t)column), p->raw_stamps[which]));
}

static enum sf_code check_stamp(struct sf_parser *p, const struct sf_csv_record *r, int column, size_t which, struct sf_err *err)
{
    struct sf_str raw = raw_of(p, r, (size_t)column), *stamp = &p->stamps[which];
    struct sf_str value = unquoted(p, raw);
    if (!p->has_stamps) {
        char *kept = sf_arena_alloc(p->arena, raw.n + SF_CSV_PADDING); /* readable like the chunks it is compared with */
        memcpy(kept, raw.p, raw.n);
        p->raw_stamps[which] = (struct sf_str){kept, raw.n};
        *stamp = sf_str_dup(p->arena, value);
    }
    if (sf_str_eq(value, *stamp))
        return SF_OK;
    sf_fail(err, SF_E_DATA, "'%s' line %llu: %.*s is '%.*s', in other rows '%.*s': two snapshots in one file", r->chunk->file,
            (unsigned long long)sf_csv_line(r), SF_ARG(p->layout->rules->columns[column].name), SF_ARG(sf_str_slice(value, 0, 100)),
            SF_ARG(sf_str_slice(*stamp, 0, 100)));
    sf_hint(err, "the table was replaced while it was being fetched: fetch it again");
    return SF_E_DATA;
}

enum sf_code sf_parser_stamps(struct sf_parser *p, const struct sf_csv_record *r, struct sf_err *err)
{
    const struct sf_rules *rules = p->layout->rules;
    enum sf_code rc = SF_OK;
    if (!has_stamp(p, r, rules->as_of_column, 0))
        rc = check_stamp(p, r, rules->as_of_column, 0, err);
    if (!rc && !has_stamp(p, r, rules->loaded_at_column, 1))
        rc = check_stamp(p, r, rules->loaded_at_column, 1, err);
    p->has_stamps = true;
    return rc;
}

/* Which of the unknown columns has a value; as many as there are: none. */
static size_t find_unknown_value(const struct sf_parser *p, const struct sf_csv_record *r)
{
    for (size_t i = 0; i < p->layout->n_unknown; i++) {
        struct sf_str raw = sf_csv_raw(r, p->layout->unknown[i]);
        struct sf_str value = sf_csv_is_quoted(raw) ? sf_str_slice(raw, 1, raw.n - 1) : raw;
        if (sf_text_trim(value).n > 0)
            return i;
    }
    return p->layout->n_unknown;
}

struct sf_str sf_parser_unknown(const struct sf_parser *p, const struct sf_csv_record *r)
{
    size_t unknown = find_unknown_value(p, r);
    return unknown < p->layout->n_unknown ? p->layout->unknown_names[unknown] : SF_STR_NONE;
}

/* NULL, or why it is none. */
static const char *read_measure(struct sf_parser *p, const struct sf_csv_record *r, const struct sf_rule_measure *measure,
                                int64_t *cents)
{
    struct sf_str value = value_of(p, r, measure->column);
    if (measure->is_zero_if_empty && sf_text_trim(value).n == 0) {
        *cents = 0;
        return NULL;
    }
    return sf_text_money(value, cents);
}

/* Details and measures but the first, into p->tail; or why not, and which column. */
static const char *read_tail(struct sf_parser *p, const struct sf_csv_record *r, size_t *bad_column)
{
    const struct sf_rules *rules = p->layout->rules;
    sf_buf_clear(&p->tail);
    for (size_t i = 0; i < rules->n_details; i++) {
        *bad_column = rules->details[i];
        struct sf_str raw = value_of(p, r, *bad_column);
        if (sf_text_trim(raw).n > rules->columns[*bad_column].max_bytes)
            return "is wider than its column";
        sf_tail_detail(&p->tail, raw);
    }
    for (size_t i = 1; i < rules->n_measures; i++) {
        *bad_column = rules->measures[i].column;
        int64_t cents = 0;
        const char *problem = read_measure(p, r, &rules->measures[i], &cents);
        if (problem)
            return problem;
        sf_tail_measure(&p->tail, cents);
    }
    return NULL;
}

/* Rows to be taken soon, of the right number of fields. */
struct rows_ahead {
    struct sf_csv_record records[ROWS_AHEAD];
    struct sf_intern_key members[SF_RULES_MAX_DIMENSIONS][ROWS_AHEAD];
    size_t n;
};

static enum sf_code take_row(struct sf_parser *p, const struct rows_ahead *ahead, size_t at, struct sf_err *err)
{
    const struct sf_csv_record *r = &ahead->records[at];
    const struct sf_rules *rules = p->layout->rules;
    enum sf_code rc = sf_parser_stamps(p, r, err);
    if (rc)
        return rc;
    p->n_rows++;

    size_t bad_column = 0;
    const char *problem = NULL;
    size_t n_unknown = rules->contract == SF_CONTRACT_DISCARD_ROW ? p->layout->n_unknown : 0;
    size_t unknown = n_unknown ? find_unknown_value(p, r) : 0;
    bool is_unknown = unknown < n_unknown;
    if (is_unknown)
        problem = "is a value in a column that the rules do not know";
    int year = read_year(value_of(p, r, rules->year_column));
    if (!problem && (year < rules->min_year || year > rules->max_year)) {
        bad_column = rules->year_column;
        problem = "is not a fiscal year in range";
    }
    uint32_t raws[SF_RULES_MAX_DIMENSIONS] = {0};
    for (size_t i = 0; i < rules->n_dimensions && !problem; i++) {
        const struct sf_intern_key *member = &ahead->members[i][at];
        raws[i] = member->number;
        if (raws[i] == SF_INTERN_NONE && (rc = find_or_add_raw(p, r, i, member, &raws[i], err)))
            return rc;
        if (raws[i] & HAS_PROBLEM) {
            const struct sf_found_raw *raw = &p->found[i].raws[raws[i] & ~(uint32_t)HAS_PROBLEM];
            problem = raw->problem;
            bad_column = raw->problem_column;
        }
    }
    int side = rules->n_sides ? read_side(rules, value_of(p, r, rules->side_column)) : 0;
    if (!problem && side < 0) {
        bad_column = rules->side_column;
        problem = "is none of the known values";
    }
    int64_t cents = 0;
    const char *no_amount = read_measure(p, r, &rules->measures[0], &cents);
    if (!problem && no_amount) {
        bad_column = rules->measures[0].column;
        problem = no_amount;
    }
    if (!problem && rules->n_details + rules->n_measures > 1)
        problem = read_tail(p, r, &bad_column);
    if (problem) {
        if (!no_amount && !__builtin_add_overflow(p->rejected_cents, cents, &p->rejected_cents))
            p->rejected_readable++;
        if (is_unknown)
            reject(p, r, p->layout->unknown_names[unknown], unquoted(p, sf_csv_raw(r, p->layout->unknown[unknown])), problem);
        else
            reject(p, r, rules->columns[bad_column].name, value_of(p, r, bad_column), problem);
        return SF_OK;
    }
    struct sf_row *row = sf_rows_add(&p->rows, (size_t)(year - rules->min_year), sf_buf_str(&p->tail), err);
    if (!row)
        return err ? err->code : SF_E_IO;
    row->cents = cents;
    row->words[0] = (uint32_t)side;
    memcpy(row->words + 1, raws, rules->n_dimensions * sizeof *raws);
    return SF_OK;
}

/* Asks for a dimension of all rows ahead; where its columns do not stand side by side that waits for find_or_add_raw(). */
static void hash_members(const struct sf_parser *p, size_t dim, struct rows_ahead *ahead)
{
    const struct sf_layout *l = p->layout;
    struct sf_intern_key *keys = ahead->members[dim];
    for (size_t i = 0; i < ahead->n; i++) {
        keys[i].number = SF_INTERN_NONE;
        if (!l->is_contiguous[dim])
            continue;
        struct sf_str first = sf_csv_raw(&ahead->records[i], l->first[dim]), last = sf_csv_raw(&ahead->records[i], l->last[dim]);
        keys[i].bytes = (struct sf_str){first.p, (size_t)(last.p + last.n - first.p)};
    }
    if (l->is_contiguous[dim])
        sf_intern_hash_all(&p->found[dim].spans, keys, ahead->n);
}

/* A row whose values are all in order, if its members are too. */
static inline bool take_plain_row(struct sf_parser *p, const struct rows_ahead *ahead, size_t at, const struct sf_plain_row *plain,
                                  enum sf_code *rc, struct sf_err *err)
{
    size_t n = p->layout->rules->n_dimensions;
    uint32_t all = 0;
    for (size_t d = 0; d < n; d++)
        all |= ahead->members[d][at].number;
    if (all & HAS_PROBLEM) /* or not known: SF_INTERN_NONE has all bits */
        return false;
    struct sf_row *row = sf_rows_add(&p->rows, plain->year, SF_STR_NONE, err);
    if (!row) {
        *rc = err ? err->code : SF_E_IO;
        return true;
    }
    p->n_rows++;
    row->cents = plain->cents;
    row->words[0] = plain->side;
    for (size_t d = 0; d < n; d++)
        row->words[1 + d] = ahead->members[d][at].number;
    return true;
}

static enum sf_code take_rows(struct sf_parser *p, struct rows_ahead *ahead, struct sf_err *err)
{
    const struct sf_layout *l = p->layout;
    size_t n_dimensions = l->rules->n_dimensions;
    for (size_t d = 0; d < n_dimensions; d++)
        hash_members(p, d, ahead);
    struct sf_plain_row plain[ROWS_AHEAD];
    uint32_t is_plain = sf_plain_read(p, ahead->records, ahead->n, plain);
    for (size_t d = 0; d < n_dimensions; d++)
        if (l->is_contiguous[d])
            sf_intern_expect_all(&p->found[d].spans, ahead->members[d], ahead->n);
    for (size_t d = 0; d < n_dimensions; d++)
        if (l->is_contiguous[d])
            sf_intern_find_all(&p->found[d].spans, ahead->members[d], ahead->n);
    enum sf_code rc = SF_OK;
    for (size_t i = 0; i < ahead->n && !rc; i++)
        if (!(is_plain >> i & 1) || !take_plain_row(p, ahead, i, &plain[i], &rc, err))
            rc = take_row(p, ahead, i, err);
    ahead->n = 0;
    return rc;
}

enum sf_code sf_parser_chunk(struct sf_parser *p, const struct sf_csv_chunk *chunk, bool skip_first, struct sf_err *err)
{
    size_t n_fields = p->layout->n_fields;
    struct rows_ahead ahead;
    ahead.n = 0;
    enum sf_code rc = SF_OK;
    if (sf_csv_is_even(chunk, n_fields)) {
        for (size_t i = skip_first; i < chunk->n_records && !rc; i++) {
            sf_csv_at(chunk, n_fields, i, &ahead.records[ahead.n++]);
            if (ahead.n == ROWS_AHEAD)
                rc = take_rows(p, &ahead, err);
        }
        return rc ? rc : take_rows(p, &ahead, err);
    }
    struct sf_csv_record next;
    bool more = sf_csv_first(chunk, &next);
    if (skip_first && more)
        more = sf_csv_next(&next);
    for (; more && !rc && next.n_fields == n_fields; more = sf_csv_next(&next)) {
        ahead.records[ahead.n++] = next;
        if (ahead.n == ROWS_AHEAD)
            rc = take_rows(p, &ahead, err);
    }
    if (!rc)
        rc = take_rows(p, &ahead, err);
    return more && !rc ? sf_csv_fail_ragged(&next, n_fields, err) : rc;
}
