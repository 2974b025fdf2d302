/* See xml.h. expat calls back; a frame per open element, on a stack whose depth is capped. Cost is linear in the text: a repeated
 * child is appended to a growing array, and the children of an element with many names are found through a keyed hash map. */
#include "engine/core/xml.h"

#include "engine/core/map.h"

#include <expat.h>

enum { FEW_NAMES = 12 }; /* up to here a linear walk finds a name faster than a map */

/* A name among the children of an element: pairs[i] of the map belongs to children[i] of the frame. */
struct child {
    struct sf_value *list; /* NULL until it occurs a second time */
    size_t cap;
};

struct frame {
    struct sf_str name;
    struct sf_value *map;   /* NULL until the first child: the element is its text */
    struct child *children; /* kept for the next element of this depth */
    size_t cap;
    struct sf_map *index; /* from name to its struct child, once there are more than a few */
    size_t last;          /* position of the child that was added last: the next one often has its name */
};

struct reader {
    struct sf_arena *arena;
    XML_Parser parser;
    struct sf_buf text; /* of the innermost element; dropped as soon as that has a child */
    struct frame frames[SF_MAX_JSON_DEPTH];
    size_t depth;
    struct sf_str root;
    const struct sf_value *content;
    const char *refusal; /* why we stopped; NULL: as long as expat is content we are */
};

static void refuse(struct reader *r, const char *why)
{
    r->refusal = why;
    XML_StopParser(r->parser, XML_FALSE);
}

static struct sf_str without_prefix(const char *name)
{
    const char *colon = strchr(name, ':');
    return sf_str_of(colon ? colon + 1 : name);
}

/* Position of the name among the children, or their number. */
static size_t position_of(const struct frame *f, struct sf_str name)
{
    size_t n = f->map->map.n;
    if (n && sf_str_eq(f->map->map.pairs[f->last].key, name))
        return f->last;
    if (f->index) {
        const struct child *found = sf_map_find(f->index, name);
        return found ? (size_t)(found - f->children) : n;
    }
    size_t i = 0;
    while (i < n && !sf_str_eq(f->map->map.pairs[i].key, name))
        i++;
    return i;
}

static void index_children(struct reader *r, struct frame *f)
{
    f->index = sf_map_new(r->arena);
    for (size_t i = 0; i < f->map->map.n; i++)
        sf_map_put(f->index, f->map->map.pairs[i].key, &f->children[i]);
}

static void add_name(struct reader *r, struct frame *f, struct sf_str name, const struct sf_value *value)
{
    size_t n = f->map->map.n;
    bool has_moved = n == f->cap;
    f->children = sf_arena_grow(r->arena, f->children, n, &f->cap, sizeof(*f->children));
    f->children[n] = (struct child){NULL, 0};
    sf_map_add(r->arena, f->map, name, value);
    if (n + 1 > FEW_NAMES && (has_moved || !f->index))
        index_children(r, f);
    else if (f->index)
        sf_map_put(f->index, f->map->map.pairs[n].key, &f->children[n]);
}

static void append(struct reader *r, struct sf_pair *pair, struct child *child, const struct sf_value *value)
{
    if (!child->list) {
        child->cap = 4;
        child->list = sf_value_list(r->arena, SF_NEW_ARRAY(r->arena, child->cap, const struct sf_value *), 1);
        child->list->list.items[0] = pair->value;
        pair->value = child->list;
    }
    struct sf_value *list = child->list;
    list->list.items = sf_arena_grow(r->arena, list->list.items, list->list.n, &child->cap, sizeof(*list->list.items));
    list->list.items[list->list.n++] = value;
}

static void XMLCALL on_start(void *ctx, const char *name, const char **attributes)
{
    struct reader *r = ctx;
    (void)attributes;
    if (r->refusal)
        return;
    if (r->depth == SF_MAX_JSON_DEPTH) {
        refuse(r, "nested too deeply");
        return;
    }
    if (r->depth && !r->frames[r->depth - 1].map)
        r->frames[r->depth - 1].map = sf_value_map(r->arena);
    struct frame *f = &r->frames[r->depth++];
    f->name = sf_str_dup(r->arena, without_prefix(name));
    f->map = NULL;
    f->index = NULL;
    f->last = 0;
    sf_buf_clear(&r->text);
}

static void XMLCALL on_end(void *ctx, const char *name)
{
    struct reader *r = ctx;
    (void)name;
    if (r->refusal)
        return;
    struct frame *ended = &r->frames[--r->depth];
    const struct sf_value *value = ended->map ? ended->map : sf_value_str(r->arena, sf_buf_str(&r->text));
    if (!r->depth) {
        r->root = ended->name;
        r->content = value;
        return;
    }
    struct frame *f = &r->frames[r->depth - 1];
    size_t at = position_of(f, ended->name);
    if (at == f->map->map.n)
        add_name(r, f, ended->name, value);
    else
        append(r, &f->map->map.pairs[at], &f->children[at], value);
    f->last = at;
}

static void XMLCALL on_text(void *ctx, const char *text, int n)
{
    struct reader *r = ctx;
    if (!r->refusal && !r->frames[r->depth - 1].map)
        sf_buf_add(&r->text, (struct sf_str){text, (size_t)n});
}

static void XMLCALL on_doctype(void *ctx, const char *name, const char *system_id, const char *public_id, int has_subset)
{
    (void)name;
    (void)system_id;
    (void)public_id;
    (void)has_subset;
    refuse(ctx, "a document type is not accepted");
}

static enum sf_code defect(const struct reader *r, struct sf_err *err)
{
    enum XML_Error code = XML_GetErrorCode(r->parser);
    if (code == XML_ERROR_NO_MEMORY)
        sf_out_of_memory();
    unsigned long line = XML_GetCurrentLineNumber(r->parser), column = XML_GetCurrentColumnNumber(r->parser) + 1;
    return sf_fail(err, SF_E_CONFIG, "invalid XML in line %lu, column %lu: %s", line, column,
                   r->refusal ? r->refusal : XML_ErrorString(code));
}

enum sf_code sf_xml_parse(struct sf_arena *arena, struct sf_str text, struct sf_str *root, const struct sf_value **out,
                          struct sf_err *err)
{
    if (text.n > SF_MAX_JSON_BYTES)
        return sf_fail(err, SF_E_CONFIG, "the XML is larger than %d bytes", SF_MAX_JSON_BYTES);
    /* whatever its encoding, text in UTF-8 is at most twice as long */
    struct reader r = {.arena = arena, .parser = XML_ParserCreate(NULL), .text = SF_BUF(2 * text.n + 1)};
    if (!r.parser)
        sf_out_of_memory();
    XML_SetUserData(r.parser, &r);
    XML_SetElementHandler(r.parser, on_start, on_end);
    XML_SetCharacterDataHandler(r.parser, on_text);
    XML_SetStartDoctypeDeclHandler(r.parser, on_doctype);
    enum sf_code rc = SF_OK;
    if (XML_Parse(r.parser, text.n ? text.p : "", (int)text.n, XML_TRUE) != XML_STATUS_OK) {
        rc = defect(&r, err);
    } else {
        *root = r.root;
        *out = r.content;
    }
    XML_ParserFree(r.parser);
    sf_buf_free(&r.text);
    return rc;
}

void sf_xml_write_text(struct sf_buf *buf, struct sf_str text)
{
    static const struct {
        char c;
        const char *escape;
    } escapes[] = {{'&', "&amp;"}, {'<', "&lt;"}, {'>', "&gt;"}, {'"', "&quot;"}, {'\'', "&apos;"}, {'\r', "&#13;"}};
    for (size_t i = 0; i < text.n; i++) {
        const char *escape = NULL;
        for (size_t k = 0; k < SF_COUNT(escapes); k++)
            if (text.p[i] == escapes[k].c)
                escape = escapes[k].escape;
        if (escape)
            sf_buf_addz(buf, escape);
        else
            sf_buf_addc(buf, text.p[i]);
    }
}
