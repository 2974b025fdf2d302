/* See ini.h. */
#include "resources/aws/client/ini.h"

#include <ctype.h>

static const char SPACES[] = " \t\r\n\f\v";
static const char *const secret_keys[] = {"aws_secret_access_key", "aws_session_token", "aws_security_token"};

struct parser {
    struct sf_arena *arena;
    const char *file;
    uint32_t line;
    struct sf_value *sections; /* name -> map */
    struct sf_value *defaults; /* of [DEFAULT]; NULL: none */
    struct sf_value *section;  /* that the line is in; NULL before the first */
    struct sf_str key;         /* of the setting that may go on; empty: none */
    uint32_t key_line;
    struct sf_buf text; /* its lines so far */
    size_t indent;      /* of its first line */
    struct sf_err *err;
};

static enum sf_code refuse(struct parser *p, uint32_t line, const char *what, struct sf_str name)
{
    sf_fail(p->err, SF_E_CONFIG, "'%s', line %u: %s%s%.*s%s", p->file, line, what, name.n ? " '" : "", SF_ARG(name),
            name.n ? "'" : "");
    if (p->err)
        p->err->where = (struct sf_mark){.file = p->file, .line = line, .column = 1};
    return SF_E_CONFIG;
}

/* Without any of the blanks that Python's strip() takes away. */
static struct sf_str strip(struct sf_str s)
{
    while (s.n && strchr(SPACES, s.p[0]) && s.p[0])
        s = (struct sf_str){s.p + 1, s.n - 1};
    while (s.n && strchr(SPACES, s.p[s.n - 1]) && s.p[s.n - 1])
        s.n--;
    return s;
}

static struct sf_str fold(struct sf_arena *arena, struct sf_str s)
{
    char *text = sf_arena_alloc(arena, s.n + 1);
    for (size_t i = 0; i < s.n; i++)
        text[i] = (char)tolower((unsigned char)s.p[i]);
    return (struct sf_str){text, s.n};
}

static const struct sf_value *value_of(struct sf_arena *arena, struct sf_str key, struct sf_str text)
{
    for (size_t i = 0; i < SF_COUNT(secret_keys); i++) {
        if (sf_str_is(key, secret_keys[i]))
            return sf_value_secret(arena, text);
    }
    return sf_value_str(arena, text);
}

/* Indented "key = value" lines below a setting without a value. */
static enum sf_code nested(struct parser *p, struct sf_str text, const struct sf_value **out)
{
    struct sf_value *map = sf_value_map(p->arena);
    for (uint32_t line = p->key_line; text.n; line++) {
        size_t end = sf_str_find(text, SF_STR("\n"));
        struct sf_str one = strip(sf_str_slice(text, 0, end));
        text = end == SIZE_MAX ? SF_STR_NONE : sf_str_slice(text, end + 1, text.n);
        if (!one.n)
            continue;
        size_t equals = sf_str_find(one, SF_STR("="));
        if (equals == SIZE_MAX)
            return refuse(p, p->key_line, "a line without '=' below", p->key);
        struct sf_str key = strip(sf_str_slice(one, 0, equals));
        sf_map_set(p->arena, map, sf_str_dup(p->arena, key), value_of(p->arena, key, strip(sf_str_slice(one, equals + 1, one.n))));
    }
    *out = map;
    return SF_OK;
}

/* The setting being read is complete. */
static enum sf_code end_setting(struct parser *p)
{
    if (!p->key.n)
        return SF_OK;
    struct sf_str text = sf_buf_str(&p->text);
    while (text.n && strchr(SPACES, text.p[text.n - 1]))
        text.n--;
    const struct sf_value *value = NULL;
    enum sf_code rc = SF_OK;
    if (text.n && text.p[0] == '\n')
        rc = nested(p, text, &value);
    else
        value = value_of(p->arena, p->key, text);
    if (!rc)
        sf_map_set(p->arena, p->section, p->key, value);
    sf_buf_clear(&p->text);
    p->key = SF_STR_NONE;
    return rc;
}

static enum sf_code begin_section(struct parser *p, struct sf_str name)
{
    if (sf_str_is(name, "DEFAULT")) {
        p->defaults = p->defaults ? p->defaults : sf_value_map(p->arena);
        p->section = p->defaults;
        return SF_OK;
    }
    if (sf_map_get(p->sections, name))
        return refuse(p, p->line, "there already is a section", name);
    p->section = sf_value_map(p->arena);
    sf_map_add(p->arena, p->sections, sf_str_dup(p->arena, name), p->section);
    return SF_OK;
}

static enum sf_code begin_setting(struct parser *p, struct sf_str line)
{
    size_t sign = 0;
    while (sign < line.n && line.p[sign] != '=' && line.p[sign] != ':')
        sign++;
    struct sf_str key = fold(p->arena, strip(sf_str_slice(line, 0, sign)));
    if (sign == line.n || !key.n)
        return refuse(p, p->line, "this is no setting (key = value) and no section", SF_STR_NONE);
    if (sf_map_get(p->section, key))
        return refuse(p, p->line, "the section already has a setting", key);
    p->key = key;
    p->key_line = p->line;
    sf_buf_add(&p->text, strip(sf_str_slice(line, sign + 1, line.n)));
    return SF_OK;
}

static enum sf_code read_line(struct parser *p, struct sf_str whole)
{
    struct sf_str line = strip(whole);
    if (line.n && (line.p[0] == '#' || line.p[0] == ';'))
        return SF_OK;
    if (!line.n) {
        if (p->key.n)
            sf_buf_addc(&p->text, '\n');
        return SF_OK;
    }
    size_t indent = (size_t)(line.p - whole.p);
    if (p->key.n && indent > p->indent) {
        sf_buf_addc(&p->text, '\n');
        sf_buf_add(&p->text, line);
        return SF_OK;
    }
    enum sf_code rc = end_setting(p);
    if (rc)
        return rc;
    p->indent = indent;
    size_t close = line.n;
    while (close && line.p[close - 1] != ']')
        close--;
    if (line.p[0] == '[' && close > 2)
        return begin_section(p, sf_str_slice(line, 1, close - 1));
    if (!p->section)
        return refuse(p, p->line, "a setting before the first [section]", SF_STR_NONE);
    return begin_setting(p, line);
}

static void inherit(struct sf_arena *arena, const struct sf_value *defaults, const struct sf_value *sections)
{
    for (size_t i = 0; i < sections->map.n; i++) {
        struct sf_value *section = (struct sf_value *)(uintptr_t)sections->map.pairs[i].value;
        for (size_t k = 0; k < defaults->map.n; k++) {
            if (!sf_map_get(section, defaults->map.pairs[k].key))
                sf_map_add(arena, section, defaults->map.pairs[k].key, defaults->map.pairs[k].value);
        }
    }
}

enum sf_code sf_ini_parse(struct sf_arena *arena, struct sf_str text, const char *file, const struct sf_value **sections,
                          struct sf_err *err)
{
    struct parser p = {.arena = arena, .file = file, .sections = sf_value_map(arena), .text = SF_BUF(text.n + 1), .err = err};
    if (sf_str_starts(text, SF_STR("\xef\xbb\xbf")))
        text = sf_str_slice(text, 3, text.n);
    enum sf_code rc = SF_OK;
    if (!sf_str_is_utf8(text))
        rc = refuse(&p, 1, "the file is not UTF-8", SF_STR_NONE);
    while (!rc && text.n) {
        size_t end = sf_str_find(text, SF_STR("\n"));
        p.line++;
        rc = read_line(&p, sf_str_slice(text, 0, end));
        text = end == SIZE_MAX ? SF_STR_NONE : sf_str_slice(text, end + 1, text.n);
    }
    if (!rc)
        rc = end_setting(&p);
    if (!rc && p.defaults)
        inherit(arena, p.defaults, p.sections);
    sf_buf_free(&p.text);
    *sections = p.sections;
    return rc;
}

bool sf_shell_words(struct sf_arena *arena, struct sf_str text, struct sf_str **words, size_t *n)
{
    /* never more words than every other byte, never longer together than the text */
    struct sf_str *list = SF_NEW_ARRAY(arena, text.n / 2 + 2, struct sf_str);
    char *out = sf_arena_alloc(arena, 2 * text.n + 2), *word = out;
    char quote = 0;
    bool is_word = false;
    *n = 0;
    for (size_t i = 0; i < text.n; i++) {
        char c = text.p[i];
        bool is_escape = c == '\\' && quote != '\'';
        if (is_escape && quote == '"')
            is_escape = i + 1 < text.n && (text.p[i + 1] == '"' || text.p[i + 1] == '\\');
        if (is_escape) {
            if (++i == text.n)
                return false;
            is_word = true;
            *out++ = text.p[i];
        } else if (quote ? c == quote : c == '"' || c == '\'') {
            quote = quote ? 0 : c;
            is_word = true;
        } else if (!quote && strchr(SPACES, c) && c) {
            if (is_word) {
                list[(*n)++] = (struct sf_str){word, (size_t)(out - word)};
                *out++ = 0;
            }
            is_word = false;
            word = out;
        } else {
            is_word = true;
            *out++ = c;
        }
    }
    if (is_word)
        list[(*n)++] = (struct sf_str){word, (size_t)(out - word)};
    *words = list;
    return quote == 0;
}
