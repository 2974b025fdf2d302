/* See diag.h. What is shown comes from the user's file or from the other side of a wire, so control characters are
 * replaced before a terminal sees them, and long lines are cut around the place. */
#include "engine/lang/diag.h"

#include "engine/core/json.h"

#include <stdio.h>

enum { EXCERPT_CHARS = 120, NEAREST_LISTED = 8 };

struct sf_diags *sf_diags_new(struct sf_arena *arena)
{
    struct sf_diags *diags = SF_NEW(arena, struct sf_diags);
    diags->arena = arena;
    return diags;
}

void sf_diags_add_source(struct sf_diags *diags, const char *file, struct sf_str text)
{
    struct sf_source *source = SF_NEW(diags->arena, struct sf_source);
    source->file = file;
    source->text = text;
    source->next = diags->sources;
    diags->sources = source;
}

static struct sf_diag *add(struct sf_diags *diags, enum sf_severity severity, const char *id, struct sf_mark where)
{
    if (severity == SF_ERROR)
        diags->errors++;
    if (diags->n == SF_MAX_DIAGNOSTICS) {
        diags->dropped++;
        return NULL;
    }
    struct sf_diag *diag = &diags->list[diags->n++];
    *diag = (struct sf_diag){.severity = severity, .where = where};
    snprintf(diag->id, sizeof(diag->id), "%s", id ? id : "");
    return diag;
}

enum sf_code sf_diag_error(struct sf_diags *diags, const char *id, struct sf_mark where, const char *fmt, ...)
{
    struct sf_diag *diag = add(diags, SF_ERROR, id, where);
    va_list ap;
    va_start(ap, fmt);
    if (diag)
        diag->message = sf_str_vfmt(diags->arena, fmt, ap);
    va_end(ap);
    return SF_E_CONFIG;
}

void sf_diag_warn(struct sf_diags *diags, const char *id, struct sf_mark where, const char *fmt, ...)
{
    struct sf_diag *diag = add(diags, SF_WARNING, id, where);
    va_list ap;
    va_start(ap, fmt);
    if (diag)
        diag->message = sf_str_vfmt(diags->arena, fmt, ap);
    va_end(ap);
}

/* The diagnostic that a help line belongs to; once one was dropped, all later ones were. */
static struct sf_diag *last(struct sf_diags *diags)
{
    return diags->n && !diags->dropped ? &diags->list[diags->n - 1] : NULL;
}

void sf_diag_help(struct sf_diags *diags, const char *fmt, ...)
{
    struct sf_diag *diag = last(diags);
    if (!diag)
        return;
    va_list ap;
    va_start(ap, fmt);
    diag->help = sf_str_vfmt(diags->arena, fmt, ap);
    va_end(ap);
}

void sf_diag_hide_source(struct sf_diags *diags)
{
    struct sf_diag *diag = last(diags);
    if (diag)
        diag->hides_source = true;
}

void sf_diag_help_nearest(struct sf_diags *diags, struct sf_str word, const struct sf_str *names, size_t n)
{
    if (!last(diags) || !n)
        return;
    size_t best = 0, best_distance = SIZE_MAX;
    for (size_t i = 0; i < n; i++) {
        size_t distance = sf_str_distance(word, names[i]);
        if (distance < best_distance) {
            best = i;
            best_distance = distance;
        }
    }
    if (best_distance <= 1 + word.n / 3) {
        sf_diag_help(diags, "did you mean '%.*s'?", SF_ARG(names[best]));
        return;
    }
    struct sf_buf list = SF_BUF(SF_MAX_MESSAGE_BYTES);
    for (size_t i = 0; i < n && i < NEAREST_LISTED; i++)
        sf_buf_addf(&list, "%s'%.*s'", i ? ", " : "", SF_ARG(names[i]));
    if (n > NEAREST_LISTED)
        sf_buf_addf(&list, " and %zu more", n - NEAREST_LISTED);
    sf_diag_help(diags, "one of %.*s", SF_ARG(sf_buf_str(&list)));
    sf_buf_free(&list);
}

void sf_diag_add_err(struct sf_diags *diags, const struct sf_err *err)
{
    struct sf_diag *diag = add(diags, SF_ERROR, err->id, err->where);
    if (!diag)
        return;
    diag->message = sf_str_dup(diags->arena, sf_str_of(err->message));
    diag->help = sf_str_dup(diags->arena, sf_str_of(err->hint));
}

/* --- rendering --- */

/* The source line, without its line end; false when there is none to show. */
static bool line_of(const struct sf_diags *diags, const struct sf_diag *diag, struct sf_str *line)
{
    struct sf_mark where = diag->where;
    if (!where.file || !where.line || diag->hides_source)
        return false;
    for (const struct sf_source *source = diags->sources; source; source = source->next) {
        if (strcmp(source->file, where.file) != 0)
            continue;
        const char *p = source->text.p, *end = p + source->text.n;
        for (uint32_t i = 1; i < where.line && p; i++) {
            p = p < end ? memchr(p, '\n', (size_t)(end - p)) : NULL;
            p = p ? p + 1 : NULL;
        }
        if (!p || p > end)
            return false;
        const char *stop = p < end ? memchr(p, '\n', (size_t)(end - p)) : NULL;
        *line = (struct sf_str){p, (size_t)((stop ? stop : end) - p)};
        if (line->n && line->p[line->n - 1] == '\r')
            line->n--;
        return true;
    }
    return false;
}

static bool is_continuation(char c)
{
    return ((unsigned char)c & 0xc0) == 0x80;
}

static size_t count_chars(struct sf_str s)
{
    size_t n = 0;
    for (size_t i = 0; i < s.n; i++)
        n += !is_continuation(s.p[i]);
    return n;
}

static struct sf_str slice_chars(struct sf_str s, size_t from, size_t count)
{
    size_t i = 0;
    for (; i < s.n && from; from--)
        for (i++; i < s.n && is_continuation(s.p[i]); i++) {
        }
    size_t start = i;
    for (; i < s.n && count; count--)
        for (i++; i < s.n && is_continuation(s.p[i]); i++) {
        }
    return sf_str_slice(s, start, i);
}

/* Text that a terminal may see, one column a character so that carets fit: a tab is one blank, what would steer it is '?'. */
static void add_clean(struct sf_buf *out, struct sf_str s, bool keep_lines)
{
    for (size_t i = 0, n; i < s.n; i += n) {
        bool steers;
        n = sf_str_character(sf_str_slice(s, i, s.n), &steers);
        if (s.p[i] == '\n' && keep_lines)
            sf_buf_addz(out, "\n          ");
        else if (steers)
            sf_buf_addc(out, s.p[i] == '\t' ? ' ' : '?');
        else
            sf_buf_add(out, sf_str_slice(s, i, i + n));
    }
}

/* The line cut to EXCERPT_CHARS around the column; *column is moved to fit what is left. */
static struct sf_str excerpt(struct sf_str line, size_t *column)
{
    size_t at = *column ? *column - 1 : 0, from = 0;
    if (at > EXCERPT_CHARS * 2 / 3)
        from = at - EXCERPT_CHARS / 2;
    *column = at - from + 1;
    return slice_chars(line, from, EXCERPT_CHARS);
}

static const char *severity_name(enum sf_severity severity)
{
    switch (severity) {
    case SF_ERROR:
        return "error";
    case SF_WARNING:
        return "warning";
    case SF_NOTE:
        return "note";
    }
    return "";
}

static void render(const struct sf_diags *diags, const struct sf_diag *diag, struct sf_buf *out, bool color)
{
    const char *strong = color ? "\x1b[1m" : "", *dim = color ? "\x1b[34m" : "", *off = color ? "\x1b[0m" : "";
    const char *tint = !color                         ? ""
                       : diag->severity == SF_ERROR   ? "\x1b[1;31m"
                       : diag->severity == SF_WARNING ? "\x1b[1;33m"
                                                      : "\x1b[1;36m";
    sf_buf_addf(out, "%s%s", tint, severity_name(diag->severity));
    if (diag->id[0])
        sf_buf_addf(out, "[%s]", diag->id);
    sf_buf_addf(out, "%s%s: ", off, strong);
    add_clean(out, diag->message, true);
    sf_buf_addf(out, "%s\n", off);

    int width = snprintf(NULL, 0, "%u", diag->where.line);
    struct sf_str line;
    if (diag->where.file && diag->where.line) {
        sf_buf_addf(out, "%*s%s-->%s ", width, "", dim, off);
        add_clean(out, sf_str_of(diag->where.file), false);
        sf_buf_addf(out, ":%u:%u\n", diag->where.line, diag->where.column);
    } else if (diag->where.file) {
        sf_buf_addf(out, "%*s%s-->%s ", width, "", dim, off);
        add_clean(out, sf_str_of(diag->where.file), false);
        sf_buf_addc(out, '\n');
    }
    bool has_line = line_of(diags, diag, &line);
    if (has_line) {
        size_t column = diag->where.column;
        struct sf_str shown = excerpt(line, &column);
        size_t room = count_chars(shown), carets = diag->where.length ? diag->where.length : 1;
        if (column - 1 + carets > room)
            carets = room >= column ? room - column + 1 : 1;
        sf_buf_addf(out, "%*s %s|%s\n", width, "", dim, off);
        sf_buf_addf(out, "%s%u |%s ", dim, diag->where.line, off);
        add_clean(out, shown, false);
        sf_buf_addf(out, "\n%*s %s|%s %*s%s", width, "", dim, off, (int)(column - 1), "", tint);
        for (size_t i = 0; i < carets; i++)
            sf_buf_addc(out, '^');
        sf_buf_addf(out, "%s\n", off);
    }
    if (diag->help.n) {
        sf_buf_addf(out, "%*s %s=%s help: ", has_line ? width : 1, "", dim, off);
        add_clean(out, diag->help, true);
        sf_buf_addc(out, '\n');
    }
}

void sf_diags_render(const struct sf_diags *diags, struct sf_buf *out, bool color)
{
    for (size_t i = 0; i < diags->n; i++) {
        if (i)
            sf_buf_addc(out, '\n');
        render(diags, &diags->list[i], out, color);
    }
    if (diags->dropped)
        sf_buf_addf(out, "\nand %zu more; the first %d are shown\n", diags->dropped, SF_MAX_DIAGNOSTICS);
}

static const struct sf_value *position(struct sf_arena *arena, uint32_t line, uint32_t column)
{
    struct sf_value *at = sf_value_map(arena);
    sf_map_set_int(arena, at, "line", line);
    sf_map_set_int(arena, at, "column", column);
    return at;
}

const struct sf_value *sf_diag_json(struct sf_arena *arena, const struct sf_diags *diags, const struct sf_diag *diag)
{
    struct sf_value *v = sf_value_map(arena);
    sf_map_set_str(arena, v, "severity", sf_str_of(severity_name(diag->severity)));
    sf_map_set_str(arena, v, "summary", diag->message);
    sf_map_set_str(arena, v, "detail", diag->help);
    sf_map_set_str(arena, v, "code", sf_str_of(diag->id));
    if (!diag->where.file)
        return v;
    uint32_t length = diag->where.length ? diag->where.length : 1;
    struct sf_value *range = sf_value_map(arena);
    sf_map_set_str(arena, range, "filename", sf_str_of(diag->where.file));
    sf_map_set(arena, range, SF_STR("start"), position(arena, diag->where.line, diag->where.column));
    sf_map_set(arena, range, SF_STR("end"), position(arena, diag->where.line, diag->where.column + length));
    sf_map_set(arena, v, SF_STR("range"), range);
    struct sf_str line;
    if (!line_of(diags, diag, &line))
        return v;
    size_t column = diag->where.column;
    struct sf_str shown = excerpt(line, &column);
    struct sf_value *snippet = sf_value_map(arena);
    sf_map_set_str(arena, snippet, "code", shown);
    sf_map_set_int(arena, snippet, "start_line", diag->where.line);
    sf_map_set_int(arena, snippet, "highlight_start_offset", (int64_t)column - 1);
    sf_map_set_int(arena, snippet, "highlight_end_offset", (int64_t)column - 1 + length);
    sf_map_set(arena, v, SF_STR("snippet"), snippet);
    return v;
}
