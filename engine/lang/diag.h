/* Diagnostics: every complaint about the user's text, gathered (at most SF_MAX_DIAGNOSTICS) and shown rustc-style.
 *
 *   error[SF0214]: unknown attribute 'verzioning' of kind 'bucket'
 *     --> stack.yaml:22:7
 *      |
 *   22 |       verzioning: true
 *      |       ^^^^^^^^^^
 *      = help: did you mean 'versioning'?
 */
#ifndef SF_LANG_DIAG_H
#define SF_LANG_DIAG_H

#include "engine/core/value.h"

enum sf_severity { SF_ERROR, SF_WARNING, SF_NOTE };

struct sf_diag {
    enum sf_severity severity;
    char id[8]; /* "SF0214" */
    struct sf_mark where;
    struct sf_str message; /* lower case, no full stop */
    struct sf_str help;    /* may be empty */
    bool hides_source;     /* the line may hold a secret: it is not shown */
};

struct sf_diags {
    struct sf_arena *arena;
    struct sf_diag list[SF_MAX_DIAGNOSTICS];
    size_t n;
    size_t dropped; /* beyond the cap */
    size_t errors;
    /* texts of the files read so far, for the excerpt */
    struct sf_source {
        const char *file;
        struct sf_str text;
        struct sf_source *next;
    } * sources;
};

struct sf_diags *sf_diags_new(struct sf_arena *arena);
void sf_diags_add_source(struct sf_diags *diags, const char *file, struct sf_str text);
/* Adds one error; returns SF_E_CONFIG so that it may be returned at once. The result stays valid for sf_diag_help(). */
enum sf_code sf_diag_error(struct sf_diags *diags, const char *id, struct sf_mark where, const char *fmt, ...) SF_PRINTF(4, 5);
void sf_diag_warn(struct sf_diags *diags, const char *id, struct sf_mark where, const char *fmt, ...) SF_PRINTF(4, 5);
/* Help line for the diagnostic added last (none if it was dropped). */
void sf_diag_help(struct sf_diags *diags, const char *fmt, ...) SF_PRINTF(2, 3);
/* The line that the diagnostic added last points at is not to be shown: it may hold a secret. */
void sf_diag_hide_source(struct sf_diags *diags);
/* "did you mean 'x'?" if one of the names is near enough to `word` (distance <= 1 + length/3), else lists up to 8 of them. */
void sf_diag_help_nearest(struct sf_diags *diags, struct sf_str word, const struct sf_str *names, size_t n);
/* Adds an sf_err (from JSON, YAML, drivers) as a diagnostic with its mark and hint. */
void sf_diag_add_err(struct sf_diags *diags, const struct sf_err *err);
/* Renders all of them for people. */
void sf_diags_render(const struct sf_diags *diags, struct sf_buf *out, bool color);
/* One JSON object per diagnostic, Terraform's field names (severity, summary, detail, range, snippet, code). */
const struct sf_value *sf_diag_json(struct sf_arena *arena, const struct sf_diags *diags, const struct sf_diag *diag);

#endif
