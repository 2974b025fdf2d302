/* Files that attributes name: `builtin:sf/star` is what is installed with the program, all else lies beside the stack file. */
#ifndef SF_DATA_FILE_H
#define SF_DATA_FILE_H

#include "engine/kind.h"

/* Path of what `name` means, in op->arena, and its whole text (at most SF_MAX_YAML_BYTES). SF_E_CONFIG when the name is malformed
 * or there is no such file; the hint lists where it was looked for. `what` names it in errors ("star file"). */
enum sf_code sf_data_file_read(struct sf_op *op, const char *what, struct sf_str name, const char **path, struct sf_str *text,
                               struct sf_err *err) SF_MUST_CHECK;

/* Parses such a file as YAML and gives its first diagnostic as the error, with its place. */
enum sf_code sf_data_file_parse(struct sf_op *op, const char *what, const char *path, struct sf_str text,
                                const struct sf_value **root, struct sf_err *err) SF_MUST_CHECK;

/* First 16 hex digits of the SHA-256 of the bytes: how files and rules are named throughout. */
struct sf_str sf_data_digest16(struct sf_arena *arena, struct sf_str bytes);

#endif
