/* kind `value`: keeps a value in state and hands it on. There is no outside object, so there is nothing to read, find, create or
 * destroy: the engine records it and that is all. */
#include "attr/value.h"
#include "engine/kind.h"

static enum sf_code derive(struct sf_op *op, struct sf_value *want, struct sf_err *err)
{
    (void)err;
    sf_map_set(op->arena, want, sf_str_of(VALUE_OUTPUT), sf_map_getz(want, VALUE_INPUT));
    return SF_OK;
}

extern const struct sf_driver sf_driver_data_value;
const struct sf_driver sf_driver_data_value = {.kind = "value", .derive = derive};
