/* The paged doors of a Socrata portal: see visit.h. Sources: dev.socrata.com, "Paging", "Queries using SODA3"; SoQL's $group and
 * `is null`. */
#include "resources/data/source/visit.h"

#include "engine/core/json.h"
#include "resources/data/data_file.h"

#include <inttypes.h>

enum { TIMES = 3, MAX_YEARS = 1000, MAX_URL_BYTES = 8000 };

/* Rows that are fetched and counted together. */
struct part {
    struct sf_str name;  /* "2025", "no fiscal_year"; for messages */
    struct sf_str where; /* "fiscal_year='2025'"; empty: all rows */
    uint64_t first, rows;
};

struct parts {
    struct part *list;
    size_t n;
    bool is_counted; /* rows of each are the portal's own count of now */
};

/* --- what is asked --- */

/* Percent-encoding of RFC 3986, section 2: all but unreserved bytes. */
static void add_encoded(struct sf_buf *out, struct sf_str text)
{
    static const char plain[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-._~";
    for (size_t i = 0; i < text.n; i++) {
        if (text.p[i] && strchr(plain, text.p[i]))
            sf_buf_addc(out, text.p[i]);
        else
            sf_buf_addf(out, "%%%02X", (unsigned char)text.p[i]);
    }
}

static void add_parameter(struct sf_buf *url, const char *name, struct sf_str value)
{
    sf_buf_addf(url, "%s%%24%s=", sf_str_find(sf_buf_str(url), SF_STR("?")) == SIZE_MAX ? "?" : "&", name);
    add_encoded(url, value);
}

static struct sf_str take(struct sf_arena *arena, struct sf_buf *buf)
{
    struct sf_str text = sf_str_dup(arena, sf_buf_str(buf));
    sf_buf_free(buf);
    return text;
}

/* {"query": ..., "page": {...}} for SODA 3. */
static struct sf_str soda3_body(struct sf_arena *arena, struct sf_str query, uint64_t page, uint64_t size)
{
    struct sf_buf body = SF_BUF(MAX_URL_BYTES);
    sf_buf_addz(&body, "{\"query\":");
    sf_json_write_string(&body, query);
    sf_buf_addf(&body, ",\"page\":{\"pageNumber\":%" PRIu64 ",\"pageSize\":%" PRIu64 "},\"includeSynthetic\":false}", page, size);
    return take(arena, &body);
}

static struct sf_fetch_target page_target(const struct sf_visit *v, bool is_soda3, const struct part *part, struct sf_str what)
{
    struct sf_arena *arena = v->fetch->op->arena;
    uint64_t offset = v->meter.rows - part->first, limit = v->table->page_rows;
    struct sf_fetch_target target = {.is_page = true, .may_be_packed = true, .what = what};
    if (is_soda3) {
        struct sf_str query = sf_str_fmt(arena, "SELECT *%s%.*s ORDER BY :id", part->where.n ? " WHERE " : "", SF_ARG(part->where));
        target.url = sf_str_fmt(arena, "%.*s/api/v3/views/%.*s/query.csv", SF_ARG(v->host), SF_ARG(v->table->id));
        target.body = soda3_body(arena, query, (limit ? offset / limit : 0) + 1, limit); /* live.c lets no limit of 0 through */
        return target;
    }
    struct sf_buf url = SF_BUF(MAX_URL_BYTES);
    sf_buf_addf(&url, "%.*s/resource/%.*s.csv", SF_ARG(v->host), SF_ARG(v->table->id));
    if (part->where.n)
        add_parameter(&url, "where", part->where);
    add_parameter(&url, "order", SF_STR(":id")); /* results have no order of their own */
    add_parameter(&url, "limit", sf_str_fmt(arena, "%" PRIu64, limit));
    add_parameter(&url, "offset", sf_str_fmt(arena, "%" PRIu64, offset));
    target.url = take(arena, &url);
    return target;
}

static struct sf_fetch_target count_target(const struct sf_visit *v, bool is_soda3, struct sf_str field)
{
    struct sf_arena *arena = v->fetch->op->arena;
    struct sf_fetch_target target = {.body = SF_STR_NONE};
    struct sf_str what = sf_str_fmt(arena, "%.*s,count(*)", SF_ARG(field));
    if (is_soda3) {
        struct sf_str query =
            sf_str_fmt(arena, "SELECT %.*s GROUP BY %.*s ORDER BY %.*s", SF_ARG(what), SF_ARG(field), SF_ARG(field));
        target.url = sf_str_fmt(arena, "%.*s/api/v3/views/%.*s/query.json", SF_ARG(v->host), SF_ARG(v->table->id));
        target.body = soda3_body(arena, query, 1, MAX_YEARS + 1);
        return target;
    }
    struct sf_buf url = SF_BUF(MAX_URL_BYTES);
    sf_buf_addf(&url, "%.*s/resource/%.*s.json", SF_ARG(v->host), SF_ARG(v->table->id));
    add_parameter(&url, "select", what);
    add_parameter(&url, "group", field);
    add_parameter(&url, "order", field);
    add_parameter(&url, "limit", sf_str_fmt(arena, "%d", MAX_YEARS + 1));
    target.url = take(arena, &url);
    return target;
}

/* --- years --- */

/* The table's field that is the rules' year column, if SoQL can say it and a value of it without doubt. */
static struct sf_str year_field(const struct sf_visit *v, bool *is_number)
{
    const struct sf_value *columns = v->metadata.columns;
    for (size_t i = 0; i < columns->map.n; i++) {
        struct sf_str field = columns->map.pairs[i].key, type = columns->map.pairs[i].value->s;
        bool is_plain = field.n == strspn(sf_str_dup(v->fetch->op->arena, field).p, "abcdefghijklmnopqrstuvwxyz0123456789_");
        *is_number = sf_str_is(type, "number");
        if (is_plain && (*is_number || sf_str_is(type, "text")) &&
            sf_meter_is_named(&v->rules->columns[v->rules->year_column], field))
            return field;
    }
    return SF_STR_NONE;
}

/* fiscal_year='2025', fiscal_year=2025, fiscal_year is null; empty: cannot be said. */
static struct sf_str where_of(struct sf_arena *arena, struct sf_str field, bool is_number, const struct sf_value *value)
{
    struct sf_str text = value && value->type == SF_V_INT      ? sf_str_fmt(arena, "%" PRId64, value->i)
                         : value && value->type == SF_V_STRING ? value->s
                                                               : SF_STR_NONE;
    int64_t number;
    if (!value || value->type == SF_V_NULL)
        return sf_str_fmt(arena, "%.*s is null", SF_ARG(field));
    if (value->type != SF_V_INT && value->type != SF_V_STRING)
        return SF_STR_NONE;
    if (is_number)
        return sf_str_int64(text, &number) ? sf_str_fmt(arena, "%.*s=%.*s", SF_ARG(field), SF_ARG(text)) : SF_STR_NONE;
    struct sf_buf where = SF_BUF(MAX_URL_BYTES / 4);
    sf_buf_addf(&where, "%.*s='", SF_ARG(field));
    for (size_t i = 0; i < text.n; i++)
        sf_buf_addz(&where, text.p[i] == '\'' ? "''" : (char[]){text.p[i], 0});
    sf_buf_addc(&where, '\'');
    bool is_whole = !where.overflow && !memchr(text.p ? text.p : "", 0, text.n);
    struct sf_str said = take(arena, &where);
    return is_whole ? said : SF_STR_NONE;
}

/* One group of the reply: {"fiscal_year": "2025", "count": "26672"}; a null year is left out or null. */
static bool read_part(struct sf_arena *arena, const struct sf_value *group, struct sf_str field, bool is_number, struct part *part)
{
    const struct sf_value *year = sf_map_get(group, field), *count = NULL;
    int64_t n = 0;
    if (group->type != SF_V_MAP)
        return false;
    for (size_t i = 0; i < group->map.n; i++)
        if (!sf_str_eq(group->map.pairs[i].key, field))
            count = group->map.pairs[i].value;
    if (count && count->type == SF_V_INT)
        n = count->i;
    else if (!count || count->type != SF_V_STRING || !sf_str_int64(count->s, &n))
        return false;
    bool has_year = year && year->type == SF_V_STRING && year->s.n;
    *part = (struct part){.name = has_year ? sf_str_fmt(arena, "%.*s %.*s", SF_ARG(field), SF_ARG(sf_str_slice(year->s, 0, 40)))
                                           : sf_str_fmt(arena, "no %.*s", SF_ARG(field)),
                          .where = where_of(arena, field, is_number, year),
                          .rows = n > 0 ? (uint64_t)n : 0};
    return part->where.n && n > 0;
}

static bool read_years(struct sf_arena *arena, struct sf_str body, struct sf_str field, bool is_number, struct parts *parts)
{
    const struct sf_value *groups;
    bool is_read = sf_json_parse(arena, body, "count", SF_JSON_PLAIN, &groups, NULL) == SF_OK && groups->type == SF_V_LIST &&
                   groups->list.n > 0 && groups->list.n <= MAX_YEARS;
    if (!is_read)
        return false;
    struct part *list = SF_NEW_ARRAY(arena, groups->list.n, struct part);
    uint64_t rows = 0;
    for (size_t i = 0; i < groups->list.n; i++) {
        if (!read_part(arena, groups->list.items[i], field, is_number, &list[i]))
            return false;
        list[i].first = rows;
        rows += list[i].rows;
    }
    *parts = (struct parts){list, groups->list.n, true};
    return true;
}

/* The years and how many rows each has, by one request; else the table is one part, counted as its profile says. SF_E_CANCELLED. */
static enum sf_code find_parts(struct sf_visit *v, bool is_soda3, struct parts *parts, struct sf_err *err)
{
    struct sf_arena *arena = v->fetch->op->arena;
    struct sf_http_reply reply;
    bool is_number = false;
    struct sf_str field = year_field(v, &is_number);
    struct part *all = SF_NEW(arena, struct part);
    *all = (struct part){.name = v->table->id, .rows = v->metadata.rows};
    *parts = (struct parts){all, 1, false};
    v->counted = 0;
    if (!field.n)
        return SF_OK;
    struct sf_fetch_target target = count_target(v, is_soda3, field);
    enum sf_code rc = sf_fetch_small(v->fetch, &target, &reply, err);
    if (rc == SF_E_CANCELLED)
        return rc;
    if (!rc && read_years(arena, reply.body, field, is_number, parts)) {
        const struct part *last = &parts->list[parts->n - 1];
        v->counted = v->fetch->rows = last->first + last->rows;
    }
    return SF_OK;
}

/* --- fetching them --- */

/* Pages from where the transfer is to the end of the part. */
static enum sf_code fetch_part(struct sf_visit *v, bool is_soda3, const struct part *part, bool is_counted, struct sf_str what,
                               struct sf_err *err)
{
    struct sf_str tag = SF_STR_NONE;
    bool is_date = false;
    for (;;) {
        uint64_t before = v->meter.rows, got = before - part->first;
        bool is_all = is_counted ? got >= part->rows : got > 0 && got == part->rows;
        if (is_all)
            return SF_OK;
        struct sf_fetch_target target = page_target(v, is_soda3, part, what);
        enum sf_code rc = sf_fetch_body(v->fetch, &target, v->partial, &v->meter, &tag, &is_date, err);
        if (rc == SF_E_DATA)
            sf_context(err, "'%.*s'", SF_ARG(target.url));
        if (rc || v->meter.rows - before < v->table->page_rows)
            return rc;
    }
}

static enum sf_code fetch_counted(struct sf_visit *v, bool is_soda3, const struct part *part, struct sf_str what,
                                  struct sf_err *err)
{
    struct sf_partial_mark mark = sf_partial_mark(v->partial);
    bool is_from_its_start = v->meter.rows == part->first; /* else taken up in the middle: there is no way back to it */
    for (int time = 1;; time++) {
        enum sf_code rc = fetch_part(v, is_soda3, part, true, what, err);
        uint64_t got = v->meter.rows - part->first;
        if (rc || got == part->rows)
            return rc;
        sf_fail(err, SF_E_STALE, "%" PRIu64 " rows of %.*s came, but the portal counts %" PRIu64, got, SF_ARG(part->name),
                part->rows);
        if (time == TIMES || !is_from_its_start)
            return SF_E_STALE;
        rc = sf_partial_return(v->partial, &mark, err);
        if (rc)
            return rc;
    }
}

enum sf_code sf_visit_pages(struct sf_visit *v, bool is_soda3, struct sf_err *err)
{
    struct sf_arena *arena = v->fetch->op->arena;
    struct parts parts;
    struct sf_str tag;
    enum sf_code rc = find_parts(v, is_soda3, &parts, err);
    if (rc)
        return rc;
    struct sf_buf list = SF_BUF(MAX_YEARS * MAX_URL_BYTES);
    for (size_t i = 0; i < parts.n; i++)
        sf_buf_addf(&list, "%.*s %" PRIu64 "\n", SF_ARG(parts.list[i].where), parts.is_counted ? parts.list[i].rows : 0);
    struct sf_str what =
        sf_str_fmt(arena, "%s pages of %" PRIu64 " parts %.*s %.*s", is_soda3 ? "soda3" : "soda2", v->table->page_rows,
                   SF_ARG(sf_data_digest16(arena, sf_buf_str(&list))), SF_ARG(v->metadata.identity));
    sf_buf_free(&list);
    rc = sf_visit_open_partial(v, true, what, &tag, err);
    for (size_t i = 0; !rc && i < parts.n; i++) {
        const struct part *part = &parts.list[i];
        if (!parts.is_counted)
            rc = fetch_part(v, is_soda3, part, false, what, err);
        else if (v->meter.rows < part->first + part->rows)
            rc = fetch_counted(v, is_soda3, part, what, err);
    }
    return rc;
}
