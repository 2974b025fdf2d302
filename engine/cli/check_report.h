/* What became of the checks of data in a run: for people, as JSON lines, and as a JUnit file for CI. */
#ifndef SF_CLI_CHECK_REPORT_H
#define SF_CLI_CHECK_REPORT_H

#include "engine/cli/ui.h"

/* After planning: every name that -accept-check gives is that of a check. SF_E_USAGE names the nearest one. */
enum sf_code sf_checks_accepted_known(const struct sf_run *run, struct sf_err *err) SF_MUST_CHECK;
/* Warnings and what was accepted, with their first rows, on stderr; all outcomes as JSON lines on stdout with -json. */
void sf_checks_show(const struct sf_ui *ui, const struct sf_run *run);

/* "failed for 3 rows; published, since its severity is warn", of a check that failed. */
struct sf_str sf_checks_say(struct sf_arena *arena, const struct sf_run *run, const struct sf_run_check *check);

/* Writes the JUnit file, whole or not at all (what a link leads to, a device or a pipe is written into): a test suite for each
 * resource with checks, a test case for each check and one, `published`, for the rest of what can go wrong. A check that did not
 * run is skipped, with the reason: `failure` is the error that ended the run before, or NULL. SF_E_IO. */
enum sf_code sf_junit_write(const struct sf_run *run, const char *path, const struct sf_err *failure,
                            struct sf_err *err) SF_MUST_CHECK;

#endif
