/* libFuzzer target: a YAML document is refused with a diagnostic, or is a value that can be written as JSON. */
#include "engine/core/json.h"
#include "engine/lang/yaml.h"

#include <stdlib.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct sf_arena *arena = sf_arena_new();
    struct sf_diags *diags = sf_diags_new(arena);
    const struct sf_value *v = NULL;
    if (sf_yaml_parse(arena, (struct sf_str){(const char *)data, size}, "fuzz.yaml", diags, &v) == SF_OK) {
        (void)sf_json_text(arena, v, SF_JSON_STATE);
    } else if (diags->errors == 0) {
        abort();
    }
    struct sf_buf out = SF_BUF(SF_MAX_JSON_BYTES);
    sf_diags_render(diags, &out, false);
    sf_buf_free(&out);
    sf_arena_free(arena);
    return 0;
}
