/* See report.h. */
#include "resources/data/conform/report.h"

#include "engine/core/clock.h"
#include "engine/core/json.h"
#include "resources/data/conform/aliases.h"
#include "resources/data/conform/text.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

enum { MAX_LIST_BYTES = 1024 * 1024 * 1024 };

enum sf_code sf_conform_write_file(const char *path, struct sf_str text, struct sf_err *err)
{
    char temporary[4096];
    if (snprintf(temporary, sizeof temporary, "%s.XXXXXX", path) >= (int)sizeof temporary)
        return sf_fail(err, SF_E_IO, "path '%s' is too long", path);
    int fd = mkostemp(temporary, O_CLOEXEC);
    if (fd < 0)
        return sf_fail_errno(err, SF_E_IO, "cannot make '%s'", temporary);
    enum sf_code rc = SF_OK;
    for (size_t done = 0; done < text.n && !rc;) {
        ssize_t n = write(fd, text.p + done, text.n - done);
        if (n < 0 && errno == EINTR)
            continue;
        if (n <= 0)
            rc = sf_fail_errno(err, SF_E_IO, "cannot write '%s'", temporary);
        else
            done += (size_t)n;
    }
    close(fd);
    if (!rc && rename(temporary, path) != 0)
        rc = sf_fail_errno(err, SF_E_IO, "cannot rename '%s'", temporary);
    if (rc)
        unlink(temporary);
    return rc;
}

static int order_rejects(const void *a, const void *b)
{
    const struct sf_reject *x = *(const struct sf_reject *const *)a, *y = *(const struct sf_reject *const *)b;
    return (x->line > y->line) - (x->line < y->line);
}

static const struct sf_reject **sort_rejects(struct sf_arena *arena, const struct sf_result *r, size_t *n)
{
    size_t all = 0;
    for (size_t i = 0; i < r->n_parsers; i++)
        all += r->parsers[i]->n_rejects;
    const struct sf_reject **rejects = SF_NEW_ARRAY(arena, all, const struct sf_reject *);
    *n = 0;
    for (size_t i = 0; i < r->n_parsers; i++)
        for (size_t k = 0; k < r->parsers[i]->n_rejects; k++)
            rejects[(*n)++] = &r->parsers[i]->rejects[k];
    if (all)
        qsort(rejects, all, sizeof *rejects, order_rejects);
    return rejects;
}

static enum sf_code write_rejects(const char *path, const struct sf_reject *const *rejects, size_t n, struct sf_err *err)
{
    struct sf_buf buf = SF_BUF(MAX_LIST_BYTES);
    sf_buf_addz(&buf, "line,column,reason,row\n");
    for (size_t i = 0; i < n; i++) {
        sf_buf_addf(&buf, "%llu,%.*s,%s,", (unsigned long long)rejects[i]->line, SF_ARG(rejects[i]->column), rejects[i]->reason);
        sf_csv_write_field(&buf, rejects[i]->row);
        sf_buf_addc(&buf, '\n');
    }
    enum sf_code rc = sf_conform_write_file(path, sf_buf_str(&buf), err);
    sf_buf_free(&buf);
    return rc;
}

static enum sf_code add_rejects(struct sf_arena *arena, const struct sf_conform_options *options, const struct sf_result *r,
                                struct sf_value *summary, struct sf_err *err)
{
    uint64_t rows = 0, rejected = 0, readable = 0;
    int64_t cents = 0;
    for (size_t i = 0; i < r->n_parsers; i++) {
        rows += r->parsers[i]->n_rows;
        rejected += r->parsers[i]->rejected;
        readable += r->parsers[i]->rejected_readable;
        cents = (int64_t)((uint64_t)cents + (uint64_t)r->parsers[i]->rejected_cents);
    }
    size_t n;
    const struct sf_reject **rejects = sort_rejects(arena, r, &n);
    const struct sf_value **shown = SF_NEW_ARRAY(arena, SF_CONFORM_SHOWN_REJECTS, const struct sf_value *);
    size_t n_shown = n < SF_CONFORM_SHOWN_REJECTS ? n : SF_CONFORM_SHOWN_REJECTS;
    for (size_t i = 0; i < n_shown; i++) {
        struct sf_value *one = sf_value_map(arena);
        sf_map_set_int(arena, one, "line", (int64_t)rejects[i]->line);
        sf_map_set_str(arena, one, "column", rejects[i]->column);
        sf_map_set_str(arena, one, "reason", sf_str_of(rejects[i]->reason));
        sf_map_set_str(arena, one, "value", rejects[i]->value);
        shown[i] = one;
    }
    sf_map_set_int(arena, summary, "source_rows", (int64_t)rows);
    sf_map_set_int(arena, summary, "rows", (int64_t)(rows - rejected));
    sf_map_set_int(arena, summary, "rejected", (int64_t)rejected);
    sf_map_set_int(arena, summary, "rejected_with_amount", (int64_t)readable);
    sf_map_set_int(arena, summary, "rejected_cents", cents);
    sf_map_set(arena, summary, SF_STR("rejects"), sf_value_list(arena, shown, n_shown));
    struct sf_str file = SF_STR_NONE;
    enum sf_code rc = SF_OK;
    if (rejected) {
        file = sf_str_fmt(arena, "conform/%s.rejects.csv", options->name);
        rc = write_rejects(sf_str_fmt(arena, "%s/%s", options->cache_dir, file.p).p, rejects, n, err);
    }
    sf_map_set_str(arena, summary, "rejects_file", file);
    return rc;
}

static struct sf_value *describe(struct sf_arena *arena, const struct sf_object_file *object)
{
    struct sf_value *v = sf_value_map(arena);
    sf_map_set_str(arena, v, "key", object->key);
    sf_map_set_int(arena, v, "rows", (int64_t)object->rows);
    sf_map_set_int(arena, v, "bytes", (int64_t)object->bytes);
    sf_map_set_str(arena, v, "sha256", sf_str_of(object->sha256));
    sf_map_set_str(arena, v, "digest", sf_str_of(object->digest));
    return v;
}

static const struct sf_value *split_columns(struct sf_arena *arena, struct sf_str line)
{
    const struct sf_value **items = SF_NEW_ARRAY(arena, line.n + 1, const struct sf_value *);
    size_t n = 0;
    for (;;) {
        size_t comma = sf_str_find(line, SF_STR(","));
        items[n++] = sf_value_str(arena, sf_str_slice(line, 0, comma));
        if (comma == SIZE_MAX)
            return sf_value_list(arena, items, n);
        line = sf_str_slice(line, comma + 1, line.n);
    }
}

static void add_table(struct sf_arena *arena, struct sf_value *tables, struct sf_str name, const struct sf_object_file *object,
                      struct sf_str columns, struct sf_buf *identity)
{
    struct sf_value *v = describe(arena, object);
    sf_map_set(arena, v, SF_STR("columns"), split_columns(arena, columns));
    sf_map_set(arena, tables, name, v);
    sf_buf_addf(identity, "%.*s %s\n", SF_ARG(name), object->digest);
}

/* A table with a file a fiscal year. */
static void add_aliases(struct sf_arena *arena, struct sf_value *tables, const struct sf_rules *rules, const struct sf_result *r,
                        struct sf_buf *identity)
{
    struct sf_value *v = sf_value_map(arena), *parts = sf_value_map(arena);
    uint64_t rows = 0;
    for (size_t i = 0; i < r->n_years; i++) {
        const struct sf_year *y = &r->years[i];
        if (y->rows == 0)
            continue;
        rows += y->aliases.rows;
        sf_map_set(arena, parts, sf_str_fmt(arena, "%d", y->year), describe(arena, &y->aliases));
        sf_buf_addf(identity, "%.*s %d %s\n", SF_ARG(rules->alias_table), y->year, y->aliases.digest);
    }
    sf_map_set_int(arena, v, "rows", (int64_t)rows);
    sf_map_set(arena, v, SF_STR("columns"), split_columns(arena, sf_aliases_columns()));
    sf_map_set(arena, v, SF_STR("parts"), parts);
    sf_map_set(arena, tables, rules->alias_table, v);
}

/* "<side>_<what>", or what there is without sides. */
static const char *total_name(struct sf_arena *arena, const struct sf_rules *rules, size_t side, struct sf_str what)
{
    if (rules->n_sides == 0)
        return sf_str_dup(arena, what).p;
    struct sf_str name = sf_str_fmt(arena, "%.*s_%.*s", SF_ARG(rules->sides[side].folded), SF_ARG(what));
    char *p = sf_arena_alloc(arena, name.n + 1);
    for (size_t i = 0; i < name.n; i++)
        p[i] = name.p[i] == ' ' ? '_' : name.p[i];
    return p;
}

static void add_totals(struct sf_arena *arena, const struct sf_rules *rules, const struct sf_year *y, size_t side,
                       struct sf_value *v)
{
    if (rules->n_sides)
        sf_map_set_int(arena, v, total_name(arena, rules, side, SF_STR("rows")), (int64_t)y->side_rows[side]);
    for (size_t i = 0; i < rules->n_measures; i++) {
        struct sf_str column = rules->columns[rules->measures[i].column].name;
        bool is_named = rules->n_sides == 0 || rules->n_measures > 1;
        struct sf_str what = is_named ? sf_str_fmt(arena, "%.*s_cents", SF_ARG(column)) : SF_STR("cents");
        sf_map_set_int(arena, v, total_name(arena, rules, side, what), y->side_cents[side][i]);
    }
}

void sf_report_year_totals(struct sf_arena *arena, const struct sf_rules *rules, const struct sf_year *year, struct sf_value *out)
{
    for (size_t s = 0; s < (rules->n_sides ? rules->n_sides : 1); s++)
        add_totals(arena, rules, year, s, out);
}

static struct sf_value *describe_years(struct sf_arena *arena, const struct sf_rules *rules, const struct sf_result *r,
                                       struct sf_buf *identity)
{
    struct sf_value *years = sf_value_map(arena);
    for (size_t i = 0; i < r->n_years; i++) {
        const struct sf_year *y = &r->years[i];
        if (y->rows == 0)
            continue;
        struct sf_value *v = describe(arena, &y->object);
        sf_map_set_int(arena, v, "keys", (int64_t)y->keys);
        sf_report_year_totals(arena, rules, y, v);
        sf_map_set(arena, years, sf_str_fmt(arena, "%d", y->year), v);
        sf_buf_addf(identity, "%d %s\n", y->year, y->object.digest);
    }
    return years;
}

static struct sf_value *describe_coverage(struct sf_arena *arena, const struct sf_coverage *c)
{
    struct sf_value *v = sf_value_map(arena);
    sf_map_set_int(arena, v, "legacy_members", (int64_t)c->members);
    sf_map_set_int(arena, v, "mapped_by_code", (int64_t)c->by_code);
    sf_map_set_int(arena, v, "mapped_by_name", (int64_t)c->by_name);
    sf_map_set_int(arena, v, "ambiguous", (int64_t)c->ambiguous);
    sf_map_set_int(arena, v, "unmatched", (int64_t)c->unmatched);
    sf_map_set_int(arena, v, "legacy_rows", (int64_t)c->rows);
    sf_map_set_int(arena, v, "mapped_rows", (int64_t)c->mapped_rows);
    sf_map_set_int(arena, v, "legacy_cents", c->cents);
    sf_map_set_int(arena, v, "mapped_cents", c->mapped_cents);
    sf_map_set_int(arena, v, "legacy_gross_cents", (int64_t)c->gross_cents);
    sf_map_set_int(arena, v, "mapped_gross_cents", (int64_t)c->mapped_gross_cents);
    return v;
}

enum sf_code sf_report_make(struct sf_arena *arena, const struct sf_rules *rules, const struct sf_conform_options *options,
                            const struct sf_result *r, const struct sf_value **out, struct sf_err *err)
{
    struct sf_value *summary = sf_value_map(arena);
    sf_map_set_str(arena, summary, "rules", rules->hash);
    enum sf_code rc = sf_output_make_dir(sf_str_fmt(arena, "%s/conform", options->cache_dir).p, err);
    if (!rc)
        rc = add_rejects(arena, options, r, summary, err);
    if (rc)
        return rc;
    struct sf_buf identity = SF_BUF(1024 * 1024);
    struct sf_value *tables = sf_value_map(arena);
    for (size_t d = 0; d < rules->n_dimensions; d++)
        add_table(arena, tables, rules->dimensions[d].name, &r->dimensions[d], sf_table_dimension_columns(arena, rules, d),
                  &identity);
    if (rules->n_sides)
        add_table(arena, tables, rules->side_table, &r->sides, sf_table_side_columns(arena, rules), &identity);
    if (rules->alias_table.n)
        add_aliases(arena, tables, rules, r, &identity);
    if (rules->has_crosswalk)
        add_table(arena, tables, rules->crosswalk_table, &r->crosswalk, sf_table_crosswalk_columns(arena, rules), &identity);
    struct sf_value *years = describe_years(arena, rules, r, &identity);
    uint64_t repeated = 0;
    for (size_t i = 0; i < r->n_years; i++)
        repeated += r->years[i].repeated;
    sf_map_set_str(arena, summary, "snapshot", sf_str_slice(sf_sha256_hex(arena, sf_buf_str(&identity)), 0, 16));
    sf_buf_free(&identity);
    sf_map_set_int(arena, summary, "repeated_rows", (int64_t)repeated);
    sf_map_set_str(arena, summary, "data_as_of", r->stamps[0]);
    sf_map_set_str(arena, summary, "data_loaded_at", r->stamps[1]);
    sf_map_set_bool(arena, summary, "lacks_final_newline", r->lacks_final_newline);
    sf_map_set(arena, summary, SF_STR("fact_columns"), split_columns(arena, sf_year_columns(arena, rules)));
    sf_map_set(arena, summary, SF_STR("tables"), tables);
    sf_map_set(arena, summary, SF_STR("years"), years);
    if (rules->has_crosswalk) {
        struct sf_str file = sf_str_fmt(arena, "conform/%s.unmapped.csv", options->name);
        sf_map_set(arena, summary, SF_STR("crosswalk"), describe_coverage(arena, &r->coverage));
        sf_map_set_str(arena, summary, "unmapped_file", file);
        rc = sf_conform_write_file(sf_str_fmt(arena, "%s/%s", options->cache_dir, file.p).p, sf_buf_str(&r->unmapped), err);
    }
    *out = summary;
    return rc;
}
