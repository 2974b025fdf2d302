/* The command line: one const table for all programs. One or two dashes, `=` or a blank before the value. */
#ifndef SF_CLI_OPTIONS_H
#define SF_CLI_OPTIONS_H

#include "engine/run/session.h"

enum sf_program { SF_PLAN = 1, SF_APPLY = 2, SF_DESTROY_PROGRAM = 4, SF_STATE = 8 };

struct sf_options {
    enum sf_program program;
    const char *file; /* -f */
    const char *provider;
    const char *state;
    const char *out;       /* -out */
    const char *plan_file; /* sfapply PLANFILE */
    const char *junit;     /* -junit */
    bool is_destroy, is_refresh_only, no_refresh, detailed_exitcode, caller_policy, json, no_color, no_input, auto_approve, raw,
        is_data_skipped, wants_help, wants_version, csv;
    int parallelism;
    int64_t lock_wait_ms;
    struct sf_str *targets, *replaces, *accepted_checks;
    size_t n_targets, n_replaces, n_accepted_checks;
    struct sf_var_setting *settings;
    size_t n_settings;
    const char **words; /* what is left */
    size_t n_words;
};

/* SF_E_USAGE with a message naming the option and the nearest one. */
enum sf_code sf_options_parse(struct sf_arena *arena, enum sf_program program, int argc, char **argv, struct sf_options *out,
                              struct sf_err *err) SF_MUST_CHECK;
void sf_options_help(enum sf_program program);
/* -f, else stack.yaml, else the only *.yaml here with a `stack:` key. */
enum sf_code sf_options_find_stack(struct sf_arena *arena, struct sf_options *options, struct sf_err *err) SF_MUST_CHECK;
const char *sf_program_name(enum sf_program program);

#endif
