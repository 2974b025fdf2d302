/* See yaml.h. One pass over libyaml's events; cost is linear in the text. */
#include "engine/lang/yaml.h"

#include "engine/core/map.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <unistd.h>
#include <yaml.h>

enum { FEW_KEYS = 12 }; /* up to here a linear walk finds a duplicate faster than a map */

struct reader {
    struct sf_arena *arena;
    struct sf_diags *diags;
    const char *file;
    struct sf_str text;
    yaml_parser_t parser;
    size_t depth;
};

static struct sf_mark mark_of(const struct reader *r, const yaml_mark_t *start, const yaml_mark_t *end)
{
    size_t length = end && end->line == start->line && end->column > start->column ? end->column - start->column : 1;
    return (struct sf_mark){r->file, (uint32_t)start->line + 1, (uint32_t)start->column + 1, (uint32_t)length};
}

/* Whether a line of the text holds a ${: unquoted in a flow map, YAML takes its brace for one of its own. */
static bool has_reference(const struct reader *r, uint32_t line)
{
    struct sf_str rest = r->text;
    for (; line > 1; line--) {
        size_t end = sf_str_find(rest, SF_STR("\n"));
        rest = end == SIZE_MAX ? SF_STR_NONE : sf_str_slice(rest, end + 1, rest.n);
    }
    return sf_str_find(sf_str_slice(rest, 0, sf_str_find(rest, SF_STR("\n"))), SF_STR("${")) != SIZE_MAX;
}

/* libyaml's complaint in our form. Its texts end up in front of people as they are; the commonest get a help line. */
static enum sf_code fail_parser(struct reader *r)
{
    const yaml_parser_t *p = &r->parser;
    if (p->error == YAML_MEMORY_ERROR)
        sf_out_of_memory();
    struct sf_mark where = mark_of(r, &p->problem_mark, NULL);
    const char *problem = p->problem ? p->problem : "unreadable";
    if (p->error == YAML_READER_ERROR) { /* has an offset in bytes only */
        where = (struct sf_mark){r->file, (uint32_t)p->mark.line + 1, (uint32_t)p->mark.column + 1, 1};
        return sf_diag_error(r->diags, "SF0102", where, "invalid YAML: %s (0x%02x)", problem, (unsigned)p->problem_value);
    }
    if (p->context)
        sf_diag_error(r->diags, "SF0102", where, "invalid YAML: %s %s (which starts at line %zu)", problem, p->context,
                      p->context_mark.line + 1);
    else
        sf_diag_error(r->diags, "SF0102", where, "invalid YAML: %s", problem);
    if (strstr(problem, "mapping values are not allowed"))
        sf_diag_help(r->diags, "put text that holds ': ' in quotes, and indent the keys of one map alike");
    else if (strstr(problem, "cannot start any token"))
        sf_diag_help(r->diags, "indent with blanks, not tabs; put text that starts with '@', '`' or '%%' in quotes");
    else if (strstr(problem, "did not find expected") && has_reference(r, where.line))
        sf_diag_help(r->diags, "between { } and [ ] write ${...} in quotes: \"${name.attribute}\"");
    else if (strstr(problem, "did not find expected"))
        sf_diag_help(r->diags, "check the indentation and the closing bracket or quote");
    return SF_E_CONFIG;
}

static enum sf_code next_event(struct reader *r, yaml_event_t *event)
{
    return yaml_parser_parse(&r->parser, event) ? SF_OK : fail_parser(r);
}

static enum sf_code refuse_extras(struct reader *r, struct sf_mark where, const yaml_char_t *anchor, const yaml_char_t *tag)
{
    if (anchor) {
        sf_diag_error(r->diags, "SF0104", where, "anchors are not supported: '&%.64s'", (const char *)anchor);
        sf_diag_help(r->diags, "write the value again, or make it a variable and use ${var.NAME}");
        return SF_E_CONFIG;
    }
    if (tag) {
        sf_diag_error(r->diags, "SF0105", where, "tags are not supported: '%.64s'", (const char *)tag);
        sf_diag_help(r->diags, "leave the tag out: the schema says which type an attribute has");
        return SF_E_CONFIG;
    }
    return SF_OK;
}

static enum sf_code read_node(struct reader *r, yaml_event_t *event, const struct sf_value **out);

static enum sf_code read_list(struct reader *r, struct sf_value *v)
{
    size_t n = 0, cap = 0;
    const struct sf_value **items = NULL;
    for (;;) {
        yaml_event_t event;
        enum sf_code rc = next_event(r, &event);
        if (rc)
            return rc;
        if (event.type == YAML_SEQUENCE_END_EVENT) {
            yaml_event_delete(&event);
            break;
        }
        const struct sf_value *item;
        if ((rc = read_node(r, &event, &item)))
            return rc;
        items = sf_arena_grow(r->arena, items, n, &cap, sizeof(*items));
        items[n++] = item;
    }
    v->list.items = items;
    v->list.n = n;
    return SF_OK;
}

/* Reports a key that was there before. `seen` is made when the map gets large. */
static enum sf_code note_key(struct reader *r, const struct sf_value *map, struct sf_map **seen, const struct sf_value *key)
{
    const struct sf_mark *before = NULL;
    if (map->map.n < FEW_KEYS) {
        const struct sf_pair *pair = sf_map_pair(map, key->s);
        before = pair ? &pair->key_mark : NULL;
    } else {
        if (!*seen) {
            *seen = sf_map_new(r->arena);
            for (size_t i = 0; i < map->map.n; i++) {
                struct sf_mark *mark = SF_NEW(r->arena, struct sf_mark);
                *mark = map->map.pairs[i].key_mark;
                sf_map_put(*seen, map->map.pairs[i].key, mark);
            }
        }
        before = sf_map_find(*seen, key->s);
        if (!before)
            sf_map_put(*seen, key->s, (void *)&key->mark);
    }
    if (!before)
        return SF_OK;
    sf_diag_error(r->diags, "SF0103", key->mark, "duplicate key '%.*s'", SF_ARG(sf_str_slice(key->s, 0, 128)));
    sf_diag_help(r->diags, "it is already at line %u, column %u; keep one of them", before->line, before->column);
    return SF_E_CONFIG;
}

static enum sf_code read_key(struct reader *r, yaml_event_t *event, const struct sf_value *map, struct sf_map **seen,
                             const struct sf_value **key)
{
    if (event->type == YAML_MAPPING_START_EVENT || event->type == YAML_SEQUENCE_START_EVENT) {
        struct sf_mark where = mark_of(r, &event->start_mark, &event->end_mark);
        yaml_event_delete(event);
        sf_diag_error(r->diags, "SF0106", where, "a key must be plain text");
        sf_diag_help(r->diags, "if this was meant as text, put it in quotes");
        return SF_E_CONFIG;
    }
    enum sf_code rc = read_node(r, event, key);
    if (rc)
        return rc;
    if ((*key)->is_plain && sf_str_is((*key)->s, "<<")) {
        sf_diag_error(r->diags, "SF0107", (*key)->mark, "merge keys are not supported: '<<'");
        sf_diag_help(r->diags, "write the keys out, or use for_each");
        return SF_E_CONFIG;
    }
    return note_key(r, map, seen, *key);
}

static enum sf_code read_map(struct reader *r, struct sf_value *v)
{
    struct sf_map *seen = NULL;
    for (;;) {
        yaml_event_t event;
        enum sf_code rc = next_event(r, &event);
        if (rc)
            return rc;
        if (event.type == YAML_MAPPING_END_EVENT) {
            yaml_event_delete(&event);
            return SF_OK;
        }
        const struct sf_value *key, *value;
        if ((rc = read_key(r, &event, v, &seen, &key)))
            return rc;
        if ((rc = next_event(r, &event)))
            return rc;
        if ((rc = read_node(r, &event, &value)))
            return rc;
        v->map.pairs = sf_arena_grow(r->arena, v->map.pairs, v->map.n, &v->map.cap, sizeof(*v->map.pairs));
        v->map.pairs[v->map.n++] = (struct sf_pair){key->s, value, key->mark};
    }
}

/* Takes the event over. */
static enum sf_code read_node(struct reader *r, yaml_event_t *event, const struct sf_value **out)
{
    struct sf_value *v = SF_NEW(r->arena, struct sf_value);
    yaml_event_type_t type = event->type;
    v->mark = mark_of(r, &event->start_mark, &event->end_mark);
    *out = v;
    enum sf_code rc = SF_OK;
    if (type == YAML_SCALAR_EVENT) {
        rc = refuse_extras(r, v->mark, event->data.scalar.anchor, event->data.scalar.tag);
        v->type = SF_V_STRING;
        v->is_plain = event->data.scalar.style == YAML_PLAIN_SCALAR_STYLE;
        v->s = sf_str_dup(r->arena, (struct sf_str){(const char *)event->data.scalar.value, event->data.scalar.length});
        if (!rc && memchr(v->s.p, 0, v->s.n))
            rc = sf_diag_error(r->diags, "SF0108", v->mark, "text must not hold a NUL character");
    } else if (type == YAML_SEQUENCE_START_EVENT) {
        rc = refuse_extras(r, v->mark, event->data.sequence_start.anchor, event->data.sequence_start.tag);
        v->type = SF_V_LIST;
    } else if (type == YAML_MAPPING_START_EVENT) {
        rc = refuse_extras(r, v->mark, event->data.mapping_start.anchor, event->data.mapping_start.tag);
        v->type = SF_V_MAP;
    } else if (type == YAML_ALIAS_EVENT) {
        rc = sf_diag_error(r->diags, "SF0104", v->mark, "aliases are not supported: '*%.64s'",
                           (const char *)event->data.alias.anchor);
        sf_diag_help(r->diags, "put text that starts with '*' in quotes; for a shared value use ${var.NAME}");
    } else {
        rc = sf_diag_error(r->diags, "SF0102", v->mark, "invalid YAML: a value expected");
    }
    yaml_event_delete(event);
    if (rc || type == YAML_SCALAR_EVENT)
        return rc;
    if (++r->depth > SF_MAX_YAML_DEPTH)
        return sf_diag_error(r->diags, "SF0109", v->mark, "nested deeper than %d levels", SF_MAX_YAML_DEPTH);
    rc = type == YAML_MAPPING_START_EVENT ? read_map(r, v) : read_list(r, v);
    r->depth--;
    return rc;
}

static enum sf_code read_stream(struct reader *r, const struct sf_value **out)
{
    yaml_event_t event;
    enum sf_code rc = next_event(r, &event);
    if (rc)
        return rc;
    yaml_event_delete(&event); /* stream start */
    if ((rc = next_event(r, &event)))
        return rc;
    bool is_empty = event.type == YAML_STREAM_END_EVENT;
    yaml_event_delete(&event); /* document start */
    if (is_empty) {
        sf_diag_error(r->diags, "SF0111", (struct sf_mark){r->file, 1, 1, 1}, "the file holds nothing");
        return SF_E_CONFIG;
    }
    if ((rc = next_event(r, &event)))
        return rc;
    if ((rc = read_node(r, &event, out)))
        return rc;
    if ((rc = next_event(r, &event)))
        return rc;
    yaml_event_delete(&event); /* document end */
    if ((rc = next_event(r, &event)))
        return rc;
    if (event.type == YAML_DOCUMENT_START_EVENT) {
        rc = sf_diag_error(r->diags, "SF0112", mark_of(r, &event.start_mark, &event.end_mark), "a second document starts here");
        sf_diag_help(r->diags, "a file holds one document: remove the line '---'");
    }
    yaml_event_delete(&event);
    return rc;
}

/* Where the first byte stands that is not UTF-8. */
static struct sf_mark first_bad_byte(const char *file, struct sf_str text)
{
    struct sf_mark where = {file, 1, 1, 1};
    size_t good = 0;
    const char *line = text.p;
    while (good < text.n) {
        const char *stop = memchr(line, '\n', text.n - good);
        size_t n = stop ? (size_t)(stop - line) + 1 : text.n - good;
        if (!sf_str_is_utf8((struct sf_str){line, n}))
            break;
        good += n;
        line += n;
        where.line++;
    }
    for (size_t bad = 0; good + bad < text.n;) {
        size_t n = 1;
        while (n < 4 && good + bad + n <= text.n && !sf_str_is_utf8((struct sf_str){line + bad, n}))
            n++;
        if (good + bad + n > text.n || !sf_str_is_utf8((struct sf_str){line + bad, n}))
            break;
        bad += n;
        where.column++;
    }
    return where;
}

enum sf_code sf_yaml_parse(struct sf_arena *arena, struct sf_str text, const char *file, struct sf_diags *diags,
                           const struct sf_value **out)
{
    struct reader r = {.arena = arena, .diags = diags, .file = file, .text = text};
    *out = NULL;
    if (text.n > SF_MAX_YAML_BYTES)
        return sf_diag_error(diags, "SF0101", (struct sf_mark){file, 0, 0, 0}, "larger than %d MiB",
                             SF_MAX_YAML_BYTES / 1024 / 1024);
    if (!text.p)
        text.p = "";
    sf_diags_add_source(diags, file, text);
    if (!sf_str_is_utf8(text)) {
        sf_diag_error(diags, "SF0113", first_bad_byte(file, text), "the file is not UTF-8");
        sf_diag_help(diags, "save it as UTF-8");
        return SF_E_CONFIG;
    }
    if (!yaml_parser_initialize(&r.parser))
        sf_out_of_memory();
    yaml_parser_set_encoding(&r.parser, YAML_UTF8_ENCODING); /* else a byte order mark would choose */
    yaml_parser_set_input_string(&r.parser, (const unsigned char *)text.p, text.n);
    const struct sf_value *root = NULL;
    enum sf_code rc = read_stream(&r, &root);
    yaml_parser_delete(&r.parser);
    if (!rc)
        *out = root;
    return rc;
}

enum sf_code sf_yaml_load(struct sf_arena *arena, const char *path, struct sf_diags *diags, const struct sf_value **out)
{
    struct sf_mark where = {.file = sf_str_dup(arena, sf_str_of(path)).p};
    *out = NULL;
    int fd = open(path, O_RDONLY | O_CLOEXEC | O_NOCTTY);
    struct sf_buf buf = SF_BUF(SF_MAX_YAML_BYTES + 1);
    ssize_t got = -1;
    char chunk[16 * 1024];
    if (fd >= 0)
        while ((got = read(fd, chunk, sizeof(chunk))) > 0 && !buf.overflow)
            sf_buf_add(&buf, (struct sf_str){chunk, (size_t)got});
    int cause = errno;
    if (fd >= 0)
        close(fd);
    struct sf_str text = sf_buf_str(&buf);
    enum sf_code rc;
    if (buf.overflow || text.n > SF_MAX_YAML_BYTES) {
        rc = sf_diag_error(diags, "SF0101", where, "'%s' is larger than %d MiB", path, SF_MAX_YAML_BYTES / 1024 / 1024);
        sf_diag_help(diags, "split it with include:");
    } else if (got < 0) {
        char reason[128];
        rc = sf_diag_error(diags, "SF0100", where, "cannot read '%s': %s", path, strerror_r(cause, reason, sizeof(reason)));
        if (cause == ENOENT)
            sf_diag_help(diags, "check the path; -f names the stack file");
    } else {
        rc = sf_yaml_parse(arena, sf_str_dup(arena, text), where.file, diags, out);
    }
    sf_buf_free(&buf);
    return rc;
}
