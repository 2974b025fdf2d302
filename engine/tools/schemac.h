/* What the two files of the schema compiler share. */
#ifndef SF_TOOLS_SCHEMAC_H
#define SF_TOOLS_SCHEMAC_H

#include "engine/lang/schema.h"

/* The draft-07 JSON Schema of a stack file, for editors. */
const struct sf_value *sf_schemac_json(struct sf_arena *arena, const struct sf_schema *schemas, size_t n);

#endif
