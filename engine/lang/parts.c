/* See parts.h. */
#include "engine/lang/parts.h"

#include <stdio.h>

static const struct {
    const char *name;
    enum sf_part_type type;
    const char *keys[3]; /* what may follow; NULL: anything */
} roots[] = {
    {"var", SF_PART_VAR, {NULL}},
    {"stack", SF_PART_STACK, {"name"}},
    {"provider", SF_PART_PROVIDER, {"account", "region"}},
    {"each", SF_PART_EACH, {"key", "value"}},
};

bool sf_parts_any(struct sf_str text)
{
    return sf_str_find(text, SF_STR("${")) != SIZE_MAX;
}

bool sf_parts_any_in(const struct sf_value *v)
{
    if (v->type == SF_V_STRING)
        return sf_parts_any(v->s);
    for (size_t i = 0; v->type == SF_V_LIST && i < v->list.n; i++)
        if (sf_parts_any_in(v->list.items[i]))
            return true;
    for (size_t i = 0; v->type == SF_V_MAP && i < v->map.n; i++)
        if (sf_parts_any_in(v->map.pairs[i].value))
            return true;
    return false;
}

static enum sf_code fail(struct sf_part_error *error, size_t at, size_t n, const char *message, const char *help)
{
    error->at = at;
    error->n = n;
    snprintf(error->message, sizeof(error->message), "%s", message);
    snprintf(error->help, sizeof(error->help), "%s", help ? help : "");
    return SF_E_CONFIG;
}

static bool is_name_char(char c)
{
    return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') || c == '_' || c == '-';
}

static struct sf_str take_name(struct sf_str *rest)
{
    size_t n = 0;
    while (n < rest->n && is_name_char(rest->p[n]))
        n++;
    struct sf_str name = sf_str_slice(*rest, 0, n);
    *rest = sf_str_slice(*rest, n, rest->n);
    return name;
}

static bool take_char(struct sf_str *rest, char c)
{
    if (!rest->n || rest->p[0] != c)
        return false;
    *rest = sf_str_slice(*rest, 1, rest->n);
    return true;
}

/* A text in single or double quotes; nothing in it is special. */
static bool take_quoted(struct sf_str *rest, struct sf_str *text)
{
    char quote = rest->n ? rest->p[0] : 0;
    if (quote != '"' && quote != '\'')
        return false;
    const char *end = memchr(rest->p + 1, quote, rest->n - 1);
    if (!end)
        return false;
    size_t n = (size_t)(end - rest->p) - 1;
    *text = sf_str_slice(*rest, 1, 1 + n);
    *rest = sf_str_slice(*rest, n + 2, rest->n);
    return true;
}

/* ["key"] after a resource's name; leaves *rest alone when there is none. */
static bool take_instance(struct sf_arena *arena, struct sf_str *rest, struct sf_str *name)
{
    struct sf_str after = *rest, key;
    if (!take_char(&after, '[') || !take_quoted(&after, &key) || !take_char(&after, ']'))
        return false;
    *name = sf_str_fmt(arena, "%.*s[\"%.*s\"]", SF_ARG(*name), SF_ARG(key));
    *rest = after;
    return true;
}

bool sf_parse_resource_name(struct sf_arena *arena, struct sf_str text, struct sf_str *name)
{
    struct sf_str rest = text;
    *name = take_name(&rest);
    if (!name->n || name->p[0] < 'a' || name->p[0] > 'z')
        return false;
    for (size_t i = 0; i < name->n; i++)
        if (name->p[i] == '-' || (name->p[i] >= 'A' && name->p[i] <= 'Z'))
            return false;
    if (rest.n)
        take_instance(arena, &rest, name);
    return rest.n == 0;
}

bool sf_path_step(struct sf_str *path, struct sf_str *key, bool *is_index)
{
    *is_index = false;
    if (take_char(path, '.')) {
        *key = take_name(path);
        return key->n > 0;
    }
    if (!take_char(path, '['))
        return false;
    if (take_quoted(path, key))
        return take_char(path, ']');
    *is_index = true;
    *key = take_name(path);
    int64_t i;
    return sf_str_int64(*key, &i) && i >= 0 && take_char(path, ']');
}

static bool is_path(struct sf_str path)
{
    struct sf_str key;
    bool is_index;
    while (path.n)
        if (!sf_path_step(&path, &key, &is_index))
            return false;
    return true;
}

/* The end of the reference that starts at `at` ("${"): behind its "}". Quotes hide a brace. SIZE_MAX when it has no end. */
static size_t end_of(struct sf_str text, size_t at)
{
    char quote = 0;
    for (size_t i = at + 2; i < text.n; i++) {
        char c = text.p[i];
        if (quote) {
            quote = c == quote ? 0 : quote;
        } else if (c == '"' || c == '\'') {
            quote = c;
        } else if (c == '}') {
            return i + 1;
        }
    }
    return SIZE_MAX;
}

static bool is_iams_own(struct sf_str inner)
{
    return (inner.n && memchr(inner.p, ':', inner.n)) || sf_str_is(inner, "*") || sf_str_is(inner, "?") || sf_str_is(inner, "$");
}

static enum sf_code parse_file(struct sf_str rest, struct sf_part *part, struct sf_part_error *error)
{
    part->type = SF_PART_FILE;
    if (take_char(&rest, '(') && take_quoted(&rest, &part->name) && part->name.n && take_char(&rest, ')') && !rest.n)
        return SF_OK;
    return fail(error, part->at, part->text.n, "file() takes one path in quotes",
                "write ${file('path')}, relative to the stack file");
}

static enum sf_code parse_root(size_t root, struct sf_str rest, struct sf_part *part, struct sf_part_error *error)
{
    part->type = roots[root].type;
    if (take_char(&rest, '.'))
        part->name = take_name(&rest);
    bool fits = part->name.n > 0;
    if (roots[root].keys[0]) {
        fits = false;
        for (size_t i = 0; i < SF_COUNT(roots[root].keys) && roots[root].keys[i]; i++)
            fits = fits || sf_str_is(part->name, roots[root].keys[i]);
    }
    bool may_have_path = part->type == SF_PART_VAR || (part->type == SF_PART_EACH && sf_str_is(part->name, "value"));
    part->path = rest;
    if (fits && (may_have_path ? is_path(rest) : !rest.n))
        return SF_OK;
    static const char *const helps[] = {"write ${var.NAME}", "there is ${stack.name}",
                                        "there are ${provider.account} and ${provider.region}",
                                        "there are ${each.key} and ${each.value}"};
    char message[128];
    snprintf(message, sizeof(message), "unknown reference '%.*s'", SF_ARG(sf_str_slice(part->text, 0, 96)));
    return fail(error, part->at, part->text.n, message, helps[root]);
}

static enum sf_code parse_inner(struct sf_arena *arena, struct sf_str inner, struct sf_part *part, struct sf_part_error *error)
{
    struct sf_str rest = inner, name = take_name(&rest);
    if (sf_str_is(name, "file") && rest.n && rest.p[0] == '(')
        return parse_file(rest, part, error);
    for (size_t i = 0; i < SF_COUNT(roots); i++)
        if (sf_str_is(name, roots[i].name))
            return parse_root(i, rest, part, error);
    part->type = SF_PART_RESOURCE;
    part->name = name;
    if (rest.n && rest.p[0] == '[')
        take_instance(arena, &rest, &part->name);
    bool has_dot = take_char(&rest, '.');
    part->attr = has_dot ? take_name(&rest) : SF_STR_NONE;
    part->path = rest;
    if (name.n && part->attr.n && is_path(rest))
        return SF_OK;
    if (name.n && !rest.n && !has_dot)
        return fail(error, part->at, part->text.n, "a reference needs an attribute",
                    "write ${name.attribute}; ${name.id} is always there");
    char message[128];
    snprintf(message, sizeof(message), "'%.*s' is no reference", SF_ARG(sf_str_slice(part->text, 0, 96)));
    return fail(error, part->at, part->text.n, message,
                "${name.attribute}, ${var.x}, ${stack.name}, ${provider.account} or ${file('path')}; $${ is a literal ${");
}

enum sf_code sf_part_next(struct sf_arena *arena, struct sf_str text, size_t *at, bool in_json, struct sf_part *part,
                          struct sf_part_error *error)
{
    if (*at >= text.n)
        return SF_E_ABSENT;
    struct sf_str rest = sf_str_slice(text, *at, text.n);
    *part = (struct sf_part){.type = SF_PART_TEXT, .at = *at};
    if (sf_str_starts(rest, SF_STR("$${"))) {
        part->text = sf_str_slice(rest, 1, 3);
        *at += 3;
        return SF_OK;
    }
    if (!sf_str_starts(rest, SF_STR("${"))) { /* up to the next reference or escape */
        size_t n = sf_str_find(rest, SF_STR("${"));
        n = n == SIZE_MAX ? rest.n : n;
        if (n < rest.n && n > 0 && rest.p[n - 1] == '$')
            n--;
        part->text = sf_str_slice(rest, 0, n);
        *at += n;
        return SF_OK;
    }
    size_t end = end_of(text, *at);
    if (end == SIZE_MAX)
        return fail(error, *at, text.n - *at, "this '${' has no '}'", "$${ is a literal ${");
    part->text = sf_str_slice(text, *at, end);
    struct sf_str inner = sf_str_trim(sf_str_slice(text, *at + 2, end - 1));
    *at = end;
    if (in_json && is_iams_own(inner))
        return SF_OK;
    return parse_inner(arena, inner, part, error);
}

bool sf_part_is_alone(const struct sf_part *part, struct sf_str text)
{
    return part->type != SF_PART_TEXT && part->at == 0 && part->text.n == text.n;
}

static uint32_t count_chars(struct sf_str s)
{
    uint32_t n = 0;
    for (size_t i = 0; i < s.n; i++)
        n += ((unsigned char)s.p[i] & 0xc0) != 0x80;
    return n;
}

struct sf_mark sf_part_mark(const struct sf_value *v, size_t at, size_t n)
{
    struct sf_mark mark = v->mark;
    uint32_t all = count_chars(v->s), quotes = v->is_plain ? 0 : 2;
    if (mark.length != all + quotes) /* on several lines, or with escapes: its own place must do */
        return mark;
    mark.column += count_chars(sf_str_slice(v->s, 0, at)) + quotes / 2;
    mark.length = count_chars(sf_str_slice(v->s, at, at + n));
    return mark;
}

enum sf_code sf_part_complain(struct sf_diags *diags, const struct sf_value *v, const struct sf_part_error *error)
{
    sf_diag_error(diags, "SF0401", sf_part_mark(v, error->at, error->n), "%s", error->message);
    if (error->help[0])
        sf_diag_help(diags, "%s", error->help);
    return SF_E_CONFIG;
}
