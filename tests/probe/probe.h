/* sfprobe: the pure parts of sfstack for other people's test suites. One function a command: result on stdout and 0; refused or
 * invalid: one line on stderr and 1. */
#ifndef SF_TESTS_PROBE_PROBE_H
#define SF_TESTS_PROBE_PROBE_H

#include "engine/core/err.h"

int sf_probe_json(const char *file);
int sf_probe_yaml(const char *file);
int sf_probe_csv(const char *file);
int sf_probe_iam(const char *file);
int sf_probe_endpoint(const char *file);
int sf_probe_sign(const char *file);
int sf_probe_warehouse(const char *file);
/* A folder with context.json and request.txt. */
int sf_probe_sigv4(const char *directory, bool is_query);
/* FILE [BLOCK [THREADS]], after the command. */
int sf_probe_copy(int argc, char **argv);
/* The three arguments after the command. */
int sf_probe_conform(int argc, char **argv);
int sf_probe_conform_raw(int argc, char **argv);
int sf_probe_conform_sql(int argc, char **argv);

/* At most one argument after the command. */
int sf_probe_credentials(int argc, char **argv);

/* Whole file, at most `max` bytes. */
enum sf_code sf_probe_read(struct sf_arena *arena, const char *file, size_t max, struct sf_str *text,
                           struct sf_err *err) SF_MUST_CHECK;
/* Asks `answer`, which prints a line, about the whole file; or about each line of it, when it holds several JSON objects: then what
 * is refused is printed as {"error": ...}. The exit code. */
typedef enum sf_code sf_probe_answer(struct sf_arena *arena, struct sf_str text, const char *file, struct sf_err *err);
int sf_probe_ask(const char *file, sf_probe_answer *answer);
/* "file:line:column: message" on stderr; returns 1. */
int sf_probe_refuse(const struct sf_err *err);

#endif
