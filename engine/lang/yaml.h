/* YAML (libyaml events) to values that carry line and column.
 *
 * Every scalar becomes a string with is_plain telling whether it was unquoted; an empty or `~`/`null` plain scalar
 * stays a plain string too: typing is the schema's business (schema.h). Refused, with the place shown: duplicate keys
 * (both places), anchors and aliases, tags, merge keys, several documents, non-scalar keys, depth over
 * SF_MAX_YAML_DEPTH, over SF_MAX_YAML_BYTES, bad UTF-8, NUL. */
#ifndef SF_LANG_YAML_H
#define SF_LANG_YAML_H

#include "engine/lang/diag.h"

/* Parses one document. `file` is NUL-terminated and is registered with its text in `diags`. NULL root for an empty document
 * is reported as an error. Returns SF_OK, or SF_E_CONFIG with at least one diagnostic. */
enum sf_code sf_yaml_parse(struct sf_arena *arena, struct sf_str text, const char *file, struct sf_diags *diags,
                           const struct sf_value **out) SF_MUST_CHECK;
/* Reads a whole file (at most SF_MAX_YAML_BYTES) and parses it. */
enum sf_code sf_yaml_load(struct sf_arena *arena, const char *path, struct sf_diags *diags,
                          const struct sf_value **out) SF_MUST_CHECK;

#endif
