/* libFuzzer target: JSON either is refused, or reads back the same from its canonical text. */
#include "engine/core/json.h"

#include <stdlib.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct sf_arena *arena = sf_arena_new();
    const struct sf_value *first = NULL, *second = NULL;
    struct sf_err err;
    if (sf_json_parse(arena, (struct sf_str){(const char *)data, size}, "fuzz", SF_JSON_STATE, &first, &err) == SF_OK) {
        struct sf_str text = sf_json_text(arena, first, SF_JSON_STATE);
        if (sf_json_parse(arena, text, "again", SF_JSON_STATE, &second, &err) != SF_OK ||
            !sf_str_eq(text, sf_json_text(arena, second, SF_JSON_STATE)))
            abort();
    }
    sf_arena_free(arena);
    return 0;
}
