/* See xml.h. Expat does the reading; here a stack of open elements becomes values. */
#include "engine/core/xml.h"

#include <expat.h>
#include <limits.h>
#include <stdlib.h>

struct child {
    struct sf_str name;
    const struct sf_value *value;
    struct child *next;
};

struct element {
    struct sf_str name;
    struct sf_buf text;
    struct child *first, *last;
    size_t n_children;
};

struct reading {
    struct sf_arena *arena;
    XML_Parser parser;
    struct element open[SF_MAX_JSON_DEPTH];
    size_t depth;
    struct sf_str root;
    const struct sf_value *content;
    const char *defect;
};

static void refuse(struct reading *r, const char *defect)
{
    if (!r->defect)
        r->defect = defect;
    XML_StopParser(r->parser, XML_FALSE);
}

static void XMLCALL start_doctype(void *user, const XML_Char *name, const XML_Char *system_id, const XML_Char *public_id,
                                  int has_subset)
{
    (void)name, (void)system_id, (void)public_id, (void)has_subset;
    refuse(user, "a document type declaration is not accepted");
}

static void XMLCALL start_element(void *user, const XML_Char *name, const XML_Char **attributes)
{
    struct reading *r = user;
    (void)attributes;
    if (r->depth == SF_COUNT(r->open)) {
        refuse(r, "elements are nested too deep");
        return;
    }
    const char *colon = strrchr(name, ':');
    struct element *element = &r->open[r->depth++];
    element->name = sf_str_dup(r->arena, sf_str_of(colon ? colon + 1 : name));
    element->text = SF_BUF(SF_MAX_JSON_BYTES);
    element->first = element->last = NULL;
    element->n_children = 0;
}

static void XMLCALL add_text(void *user, const XML_Char *text, int n)
{
    struct reading *r = user;
    if (r->depth)
        sf_buf_add(&r->open[r->depth - 1].text, (struct sf_str){text, (size_t)n});
}

static int by_name(const void *a, const void *b)
{
    const struct child *x = *(struct child *const *)a, *y = *(struct child *const *)b;
    return sf_str_cmp(x->name, y->name);
}

/* Children of one name are a list in the place of the first. Sorting finds them, so that neither many children nor many names are
 * quadratic; qsort() need not be stable, so a run is put back in order by walking the children once more. */
static const struct sf_value *map_of(struct reading *r, const struct element *element)
{
    size_t n = element->n_children, n_names = 0;
    struct child **sorted = SF_NEW_ARRAY(r->arena, n, struct child *);
    struct group {
        struct sf_str name;
        const struct sf_value **items;
        size_t n;
        bool is_placed;
    } *groups = SF_NEW_ARRAY(r->arena, n, struct group);
    size_t k = 0;
    for (struct child *c = element->first; c; c = c->next)
        sorted[k++] = c;
    qsort(sorted, n, sizeof(*sorted), by_name);
    for (size_t i = 0; i < n; i++) {
        if (!i || !sf_str_eq(sorted[i]->name, groups[n_names - 1].name))
            groups[n_names++] = (struct group){.name = sorted[i]->name};
        groups[n_names - 1].n++;
    }
    for (size_t i = 0; i < n_names; i++) {
        groups[i].items = SF_NEW_ARRAY(r->arena, groups[i].n, const struct sf_value *);
        groups[i].n = 0;
    }
    struct sf_value *map = sf_value_map(r->arena);
    struct group **group_of = SF_NEW_ARRAY(r->arena, n, struct group *);
    k = 0;
    for (struct child *c = element->first; c; c = c->next) {
        size_t low = 0, high = n_names;
        while (high - low > 1) {
            size_t middle = (low + high) / 2;
            if (sf_str_cmp(groups[middle].name, c->name) <= 0)
                low = middle;
            else
                high = middle;
        }
        group_of[k++] = &groups[low];
        groups[low].items[groups[low].n++] = c->value;
    }
    for (size_t i = 0; i < n; i++) {
        struct group *group = group_of[i];
        if (group->is_placed)
            continue;
        group->is_placed = true;
        sf_map_add(r->arena, map, group->name, group->n == 1 ? group->items[0] : sf_value_list(r->arena, group->items, group->n));
    }
    return map;
}

static void XMLCALL end_element(void *user, const XML_Char *name)
{
    struct reading *r = user;
    (void)name;
    struct element *element = &r->open[--r->depth];
    const struct sf_value *value = element->n_children ? map_of(r, element) : sf_value_str(r->arena, sf_buf_str(&element->text));
    sf_buf_free(&element->text);
    if (!r->depth) {
        r->root = element->name;
        r->content = value;
        return;
    }
    struct element *parent = &r->open[r->depth - 1];
    struct child *child = SF_NEW(r->arena, struct child);
    *child = (struct child){.name = element->name, .value = value};
    if (parent->last)
        parent->last->next = child;
    else
        parent->first = child;
    parent->last = child;
    parent->n_children++;
}

enum sf_code sf_xml_parse(struct sf_arena *arena, struct sf_str text, struct sf_str *root, const struct sf_value **out,
                          struct sf_err *err)
{
    if (text.n > INT_MAX)
        return sf_fail(err, SF_E_CONFIG, "XML of %zu bytes is too long", text.n);
    struct reading r = {.arena = arena, .parser = XML_ParserCreate(NULL)};
    if (!r.parser)
        sf_out_of_memory();
    XML_SetUserData(r.parser, &r);
    XML_SetElementHandler(r.parser, start_element, end_element);
    XML_SetCharacterDataHandler(r.parser, add_text);
    XML_SetStartDoctypeDeclHandler(r.parser, start_doctype);
    enum sf_code rc = SF_OK;
    if (XML_Parse(r.parser, text.p ? text.p : "", (int)text.n, XML_TRUE) != XML_STATUS_OK) {
        const char *defect = r.defect ? r.defect : XML_ErrorString(XML_GetErrorCode(r.parser));
        unsigned long line = XML_GetCurrentLineNumber(r.parser), column = XML_GetCurrentColumnNumber(r.parser) + 1;
        rc = sf_fail(err, SF_E_CONFIG, "line %lu, column %lu of the XML: %s", line, column, defect);
    }
    for (size_t i = 0; i < r.depth; i++)
        sf_buf_free(&r.open[i].text);
    XML_ParserFree(r.parser);
    if (rc == SF_OK) {
        *root = r.root;
        *out = r.content;
    }
    return rc;
}

void sf_xml_write_text(struct sf_buf *buf, struct sf_str text)
{
    for (size_t i = 0; i < text.n; i++) {
        switch (text.p[i]) {
        case '&':
            sf_buf_addz(buf, "&amp;");
            break;
        case '<':
            sf_buf_addz(buf, "&lt;");
            break;
        case '>':
            sf_buf_addz(buf, "&gt;");
            break;
        case '"':
            sf_buf_addz(buf, "&quot;");
            break;
        case '\'':
            sf_buf_addz(buf, "&apos;");
            break;
        default:
            sf_buf_addc(buf, text.p[i]);
        }
    }
}
