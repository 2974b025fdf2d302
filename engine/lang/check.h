/* Named validators: what a schema's `check: NAME` refers to. Each knows the grammar of one sort of text, none knows a kind. */
#ifndef SF_LANG_CHECK_H
#define SF_LANG_CHECK_H

#include "engine/lang/diag.h"

/* Checks a typed value that holds no secret; parts that are unknown are passed over. `what` names it in the diagnostics. A name
 * that no validator has is an error too: the schema is wrong then. */
enum sf_code sf_check_run(const char *name, const char *what, const struct sf_value *v, struct sf_diags *diags) SF_MUST_CHECK;
bool sf_check_exists(const char *name);

#endif
