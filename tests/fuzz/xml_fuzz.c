/* libFuzzer target: XML either is refused, or reads back the same when it is written from what was read. */
#include "engine/core/xml.h"

#include <stdlib.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void write_element(struct sf_buf *buf, struct sf_str name, const struct sf_value *v)
{
    if (v->type == SF_V_LIST) {
        for (size_t i = 0; i < v->list.n; i++)
            write_element(buf, name, v->list.items[i]);
        return;
    }
    /* behind a prefix every name may stand, also what is left of "a:-b" */
    sf_buf_addf(buf, "<x:%.*s>", SF_ARG(name));
    if (v->type == SF_V_STRING)
        sf_xml_write_text(buf, v->s);
    else
        for (size_t i = 0; i < v->map.n; i++)
            write_element(buf, v->map.pairs[i].key, v->map.pairs[i].value);
    sf_buf_addf(buf, "</x:%.*s>", SF_ARG(name));
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct sf_arena *arena = sf_arena_new();
    const struct sf_value *first = NULL, *second = NULL;
    struct sf_str root, again;
    struct sf_err err;
    if (sf_xml_parse(arena, (struct sf_str){(const char *)data, size}, &root, &first, &err) == SF_OK) {
        struct sf_buf buf = SF_BUF(SF_MAX_JSON_BYTES);
        write_element(&buf, root, first);
        if (sf_xml_parse(arena, sf_buf_str(&buf), &again, &second, &err) != SF_OK || !sf_str_eq(root, again) ||
            !sf_value_equal(first, second))
            abort();
        sf_buf_free(&buf);
    }
    sf_arena_free(arena);
    return 0;
}
