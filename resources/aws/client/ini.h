/* INI files as Python's RawConfigParser reads them, which is what ~/.aws was written for; and shell-like word splitting. Pure.
 *
 * Comments stand on lines of their own (# or ;): what follows a value on its line belongs to the value. A line indented deeper than
 * its setting continues it. Keys are folded to lower case, values are kept as written. Twice the same section or key is an error.
 * Source: botocore's configloader.py, Python's configparser and shlex. */
#ifndef SF_AWS_INI_H
#define SF_AWS_INI_H

#include "engine/core/value.h"

/* *sections: map of section name -> map of settings. A setting with nothing on its own line and indented lines below is a map
 * itself. A [DEFAULT] section gives every other one what it lacks. A byte order mark is skipped. Keys and tokens are marked secret.
 * SF_E_CONFIG with file and line on any defect; the message never quotes a line, which may hold a secret. */
enum sf_code sf_ini_parse(struct sf_arena *arena, struct sf_str text, const char *file, const struct sf_value **sections,
                          struct sf_err *err) SF_MUST_CHECK;

/* Words of `text` by the rules of a POSIX shell: blanks, quotes and backslashes; nothing is expanded. False: a quote is left open.
 */
bool sf_shell_words(struct sf_arena *arena, struct sf_str text, struct sf_str **words, size_t *n) SF_MUST_CHECK;

#endif
