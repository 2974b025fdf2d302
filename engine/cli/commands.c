/* sfplan, sfapply and sfdestroy: parse, open, plan, show, ask, apply, report. */
#include "engine/cli/commands.h"

#include "engine/cli/check_report.h"
#include "engine/core/clock.h"
#include "engine/plan/planfile.h"
#include "engine/plan/rights.h"

#include <dirent.h>
#include <fcntl.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

enum { MAX_OUTPUT_BYTES = 512 * 1024 * 1024 };

struct command {
    struct sf_arena *arena;
    struct sf_options options;
    struct sf_ui ui;
    struct sf_run run;
    bool is_open;
    const struct sf_value *saved_plan;
    struct sf_err err;
};

static int finish(struct command *command, enum sf_code rc)
{
    if (rc)
        sf_ui_error(&command->ui, command->is_open ? &command->run : NULL, &command->err);
    int code = sf_exit_code(rc);
    if (rc == SF_E_CANCELLED)
        code = sf_sched_cancel_signal() ? 128 + sf_sched_cancel_signal() : 1;
    struct sf_err err = {0};
    if (command->is_open && command->options.junit &&
        sf_junit_write(&command->run, command->options.junit, rc ? &command->err : NULL, &err)) {
        sf_ui_error(&command->ui, NULL, &err);
        code = code ? code : sf_exit_code(err.code);
    }
    if (command->is_open)
        sf_run_close(&command->run);
    sf_arena_free(command->arena);
    return sf_ui_flush() || code ? code : 1;
}

static struct sf_plan_options plan_options(const struct sf_options *options)
{
    return (struct sf_plan_options){.is_destroy = options->is_destroy || options->program == SF_DESTROY_PROGRAM,
                                    .is_refresh_only = options->is_refresh_only,
                                    .no_refresh = options->no_refresh || options->caller_policy,
                                    .no_preflight = options->caller_policy,
                                    .is_data_skipped = options->is_data_skipped,
                                    .targets = options->targets,
                                    .n_targets = options->n_targets,
                                    .replaces = options->replaces,
                                    .n_replaces = options->n_replaces};
}

/* The path as seen from here, when it is below: it stands in the plan's headlines. */
static const char *seen_from_here(const char *path)
{
    char here[PATH_MAX];
    size_t n = getcwd(here, sizeof(here)) ? strlen(here) : 0;
    return n > 1 && strncmp(path, here, n) == 0 && path[n] == '/' ? path + n + 1 : path;
}

static enum sf_code read_plan_file(struct command *command, struct sf_plan_options *options)
{
    const char *path = command->options.plan_file;
    FILE *file = fopen(path, "re");
    if (!file)
        return sf_fail_errno(&command->err, SF_E_USAGE, "cannot read the plan file '%s'", path);
    struct sf_buf text = SF_BUF(SF_MAX_JSON_BYTES);
    char chunk[65536];
    for (size_t n; (n = fread(chunk, 1, sizeof(chunk), file)) > 0;)
        sf_buf_add(&text, (struct sf_str){chunk, n});
    fclose(file);
    struct sf_str bytes = sf_str_dup(command->arena, sf_buf_str(&text));
    sf_buf_free(&text);
    enum sf_code rc = sf_json_parse(command->arena, bytes, path, SF_JSON_STATE, &command->saved_plan, &command->err);
    if (rc) {
        sf_fail(&command->err, SF_E_USAGE, "'%s' is not a plan file", path);
        sf_hint(&command->err, "a stack file is named with -f: sfapply -f %s", path);
        return SF_E_USAGE;
    }
    rc = sf_planfile_check(command->arena, command->saved_plan, &command->err);
    if (rc)
        return rc;
    struct sf_plan_request request;
    sf_planfile_request(command->arena, command->saved_plan, &request, options);
    command->options.file = seen_from_here(request.stack_file.p);
    command->options.provider = request.provider.n ? request.provider.p : NULL;
    if (request.state.n)
        command->options.state = request.state.p;
    size_t n = request.settings->list.n;
    command->options.settings = SF_NEW_ARRAY(command->arena, n, struct sf_var_setting);
    command->options.n_settings = n;
    for (size_t i = 0; i < n; i++)
        command->options.settings[i] = (struct sf_var_setting){sf_map_str(request.settings->list.items[i], "text"),
                                                               sf_map_bool(request.settings->list.items[i], "is_file", false)};
    return SF_OK;
}

static struct sf_str command_line(struct sf_arena *arena, int argc, char **argv)
{
    (void)argc;
    const char *slash = strrchr(argv[0], '/');
    return sf_str_fmt(arena, "%s", slash ? slash + 1 : argv[0]);
}

/* Who and where comes before anything is read: the first thing that a person checks. */
static void greet(struct command *command)
{
    struct sf_run *run = &command->run;
    struct sf_buf out = SF_BUF(SF_MAX_MESSAGE_BYTES * 4);
    if (!run->provider.greet)
        return;
    run->provider.greet(&run->site, &out);
    if (command->options.json) {
        struct sf_value *fields = sf_value_map(command->arena);
        struct sf_str line = sf_str_dup(command->arena, sf_str_trim(sf_buf_str(&out)));
        sf_map_set_str(command->arena, fields, "account", run->site.account);
        sf_map_set_str(command->arena, fields, "region", run->site.region);
        sf_map_set_str(command->arena, fields, "caller", run->site.caller);
        sf_buf_clear(&out);
        sf_render_event_json(&out, command->arena, "info", "identity", line, fields);
        sf_ui_print(&out);
    } else {
        sf_ui_show(&command->ui, &out);
    }
}

static enum sf_code open_command(struct command *command, enum sf_program program, int argc, char **argv, bool may_write)
{
    sf_ui_open_streams();
    *command = (struct command){.arena = sf_arena_new()};
    command->options.program = program;
    sf_ui_init(&command->ui, &command->options);
    enum sf_code rc = sf_options_parse(command->arena, program, argc, argv, &command->options, &command->err);
    if (rc)
        return rc;
    sf_ui_init(&command->ui, &command->options);
    struct sf_plan_options options = plan_options(&command->options);
    rc = command->options.plan_file ? read_plan_file(command, &options)
                                    : sf_options_find_stack(command->arena, &command->options, &command->err);
    if (rc)
        return rc;
    sf_sched_catch_signals();
    struct sf_run_params params = {.stack_file = command->options.file,
                                   .provider = sf_str_of(command->options.provider),
                                   .state_path = command->options.state,
                                   .settings = command->options.settings,
                                   .n_settings = command->options.n_settings,
                                   .options = options,
                                   .may_write = may_write,
                                   .command = command_line(command->arena, argc, argv).p,
                                   .accepted_checks = command->options.accepted_checks,
                                   .n_accepted_checks = command->options.n_accepted_checks,
                                   .lock_wait_ms = command->options.lock_wait_ms,
                                   .parallelism = command->options.parallelism,
                                   .events = &command->ui.events};
    command->is_open = true;
    rc = sf_run_open(&command->run, &params, &command->err);
    if (!rc && !command->options.caller_policy)
        greet(command);
    return rc;
}

static void show_plan(struct command *command)
{
    struct sf_buf out = SF_BUF(MAX_OUTPUT_BYTES);
    if (command->options.json) {
        sf_render_plan_json(&out, &command->run);
        sf_ui_print(&out);
    } else {
        sf_render_plan(&out, &command->run, command->ui.out_color);
        sf_ui_show(&command->ui, &out);
    }
    sf_ui_notes_shown(&command->ui, &command->run);
    if (command->run.diags->n && !command->options.json)
        sf_ui_error(&command->ui, &command->run, NULL);
}

static const char *absolute_path(struct sf_arena *arena, const char *path)
{
    char resolved[PATH_MAX];
    return path && realpath(path, resolved) ? sf_str_fmt(arena, "%s", resolved).p : path;
}

static enum sf_code save_plan(struct command *command)
{
    struct sf_arena *arena = command->arena;
    const struct sf_options *options = &command->options;
    const struct sf_value **items = SF_NEW_ARRAY(arena, options->n_settings, const struct sf_value *);
    for (size_t i = 0; i < options->n_settings; i++) {
        struct sf_value *item = sf_value_map(arena);
        struct sf_str text = options->settings[i].text;
        sf_map_set_str(arena, item, "text", options->settings[i].is_file ? sf_str_of(absolute_path(arena, text.p)) : text);
        sf_map_set_bool(arena, item, "is_file", options->settings[i].is_file);
        items[i] = item;
    }
    struct sf_plan_request request = {.stack_file = sf_str_of(absolute_path(arena, options->file)),
                                      .provider = sf_str_of(options->provider),
                                      .state = sf_str_of(options->state ? command->run.state_path : NULL),
                                      .settings = sf_value_list(arena, items, options->n_settings)};
    const struct sf_value *saved = sf_planfile_make(&command->run.graph, arena, &request);
    struct sf_buf text = SF_BUF(SF_MAX_JSON_BYTES);
    sf_json_write_pretty(&text, saved, SF_JSON_STATE);
    sf_buf_addc(&text, '\n');
    int fd = open(options->out, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0600);
    enum sf_code rc = SF_OK;
    if (fd < 0 || write(fd, text.p, text.n) != (ssize_t)text.n || fsync(fd) < 0)
        rc = sf_fail_errno(&command->err, SF_E_IO, "cannot write the plan to '%s'", options->out);
    if (fd >= 0)
        close(fd);
    sf_buf_free(&text);
    return rc;
}

static bool is_option(const char *arg, const char *name)
{
    size_t dashes = strspn(arg, "-"), n = strlen(name);
    return dashes && strncmp(arg + dashes, name, n) == 0 && (arg[dashes + n] == 0 || arg[dashes + n] == '=');
}

/* The command that does what was planned: the same options, but those that only sfplan has. */
static void print_next_command(int argc, char **argv)
{
    fputs("To do this: sfapply", stdout);
    for (int i = 1; i < argc; i++) {
        if (is_option(argv[i], "detailed-exitcode") || is_option(argv[i], "no-color"))
            continue;
        bool is_plain = argv[i][0] && strspn(argv[i], "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789-_=./:,@") ==
                                          strlen(argv[i]);
        fputs(is_plain ? " " : " '", stdout);
        for (const char *c = argv[i]; *c; c++)
            *c == '\'' ? (void)fputs("'\\''", stdout) : (void)putchar(*c);
        fputs(is_plain ? "" : "'", stdout);
    }
    putchar('\n');
}

static void print_caller_policy(struct command *command)
{
    struct sf_buf out = SF_BUF(MAX_OUTPUT_BYTES);
    sf_json_write_pretty(&out, sf_graph_rights(&command->run.graph, command->arena, false), SF_JSON_PLAIN);
    sf_buf_addc(&out, '\n');
    sf_ui_print(&out);
}

int sf_main_plan(int argc, char **argv)
{
    struct command command;
    enum sf_code rc = open_command(&command, SF_PLAN, argc, argv, false);
    if (!rc)
        rc = sf_run_plan(&command.run, false, &command.err);
    sf_ui_settle(&command.ui);
    if (rc)
        return finish(&command, rc);
    if (command.options.caller_policy) {
        print_caller_policy(&command);
        return finish(&command, SF_OK);
    }
    rc = sf_run_ask_rights(&command.run, &command.err);
    if (rc)
        return finish(&command, rc);
    show_plan(&command);
    bool has_changes = sf_graph_has_changes(&command.run.graph);
    if (command.options.out) {
        rc = save_plan(&command);
        if (rc)
            return finish(&command, rc);
        if (!command.options.json)
            printf("Saved to %s. To do exactly this:\n  sfapply %s\n", command.options.out, command.options.out);
    } else if (has_changes && !command.options.json && !getenv("SF_IN_AUTOMATION")) {
        print_next_command(argc, argv);
    }
    int code = finish(&command, SF_OK);
    return !code && command.options.detailed_exitcode && has_changes ? 2 : code;
}

/* Rows whose bookkeeping is behind although nothing is to be done: guards, dependencies, drift of what is not managed. */
static bool has_records(const struct sf_graph *graph)
{
    for (size_t i = 0; i < graph->n_nodes; i++)
        if (graph->nodes[i]->needs_record)
            return true;
    return false;
}

static void show_result(struct command *command, const struct sf_apply_result *result, bool is_destroy)
{
    if (command->options.json) {
        struct sf_arena *arena = command->arena;
        struct sf_value *fields = sf_value_map(arena), *changes = sf_value_map(arena);
        sf_map_set_int(arena, changes, "add", (int64_t)result->added);
        sf_map_set_int(arena, changes, "change", (int64_t)result->changed);
        sf_map_set_int(arena, changes, "remove", (int64_t)result->destroyed);
        sf_map_set_str(arena, changes, "operation", is_destroy ? SF_STR("destroy") : SF_STR("apply"));
        sf_map_set(arena, fields, SF_STR("changes"), changes);
        struct sf_buf out = SF_BUF(MAX_OUTPUT_BYTES);
        sf_render_event_json(&out, arena, "info", "change_summary", SF_STR("Apply complete"), fields);
        sf_ui_print(&out);
        return;
    }
    if (is_destroy) {
        printf("\nDestroy complete! Resources: %zu destroyed.\n", result->destroyed);
        return;
    }
    printf("\nApply complete! Resources: %zu added, %zu changed, %zu destroyed.\n", result->added, result->changed,
           result->destroyed);
    if (!command->run.graph.outputs || command->run.graph.outputs->map.n == 0)
        return;
    struct sf_buf out = SF_BUF(MAX_OUTPUT_BYTES);
    sf_buf_addz(&out, "\nOutputs:\n\n");
    sf_render_outputs(&out, command->run.graph.outputs);
    sf_ui_show(&command->ui, &out);
}

/* The clear files for people's own clients; whatever they opened is gone. */
static void remove_secrets(const char *path)
{
    DIR *dir = opendir(path);
    for (struct dirent *entry; dir && (entry = readdir(dir));)
        if (entry->d_type == DT_REG)
            unlinkat(dirfd(dir), entry->d_name, 0);
    if (dir)
        closedir(dir);
    rmdir(path);
}

/* After a complete destroy: nothing of this stack may be left in the world, and generated secrets go too. */
static enum sf_code prove_destroyed(struct command *command)
{
    struct sf_run *run = &command->run;
    struct sf_row *rows = NULL;
    size_t n = 0;
    enum sf_code rc = sf_store_rows(run->store, run->arena, &rows, &n, &command->err);
    if (rc)
        return rc;
    if (n > 0) {
        if (run->graph.options.n_targets == 0 && !command->options.json)
            printf("%zu resources are still recorded (see sfstate list).\n", n);
        return SF_OK;
    }
    rc = sf_run_begin(run, &command->err);
    for (size_t i = 0; !rc && i < run->stack->n_variables; i++)
        rc = sf_store_drop_secrets(run->store, sf_str_fmt(run->arena, "var.%.*s", SF_ARG(run->stack->variables[i].name)),
                                   &command->err);
    if (!rc)
        rc = sf_store_put_meta(run->store, "outputs", sf_value_map(run->arena), &command->err);
    if (!rc)
        rc = sf_run_commit(run, &command->err);
    const struct sf_value *left = NULL;
    if (!rc && run->provider.sweep)
        rc = run->provider.sweep(run->arena, &run->site, &left, &command->err);
    if (rc)
        return rc;
    remove_secrets(run->site.secrets_dir);
    if (left && left->list.n > 0) {
        sf_fail(&command->err, SF_E_CONFLICT, "%zu things of this stack are left that state did not know, first '%.*s'",
                left->list.n, SF_ARG(left->list.items[0]->s));
        sf_hint(&command->err, "remove them by hand, or run sfdestroy again");
        return SF_E_CONFLICT;
    }
    if (!command->options.json)
        puts(left ? "Nothing of this stack is left: no object, process or port."
                  : "State knows of nothing of this stack any more.");
    return SF_OK;
}

static int apply_or_destroy(enum sf_program program, int argc, char **argv)
{
    struct command command;
    enum sf_code rc = open_command(&command, program, argc, argv, true);
    bool is_destroy = program == SF_DESTROY_PROGRAM || command.options.is_destroy;
    if (!rc)
        rc = sf_run_plan(&command.run, true, &command.err);
    sf_ui_settle(&command.ui);
    if (!rc && command.saved_plan) {
        is_destroy = command.run.graph.options.is_destroy;
        rc = sf_planfile_hold(&command.run.graph, command.arena, command.saved_plan, &command.err);
        command.options.auto_approve = true; /* it was approved when it was saved */
    }
    if (!rc)
        rc = sf_checks_accepted_known(&command.run, &command.err);
    if (!rc)
        rc = sf_run_ask_rights(&command.run, &command.err);
    if (rc)
        return finish(&command, rc);
    show_plan(&command);
    bool has_changes = sf_graph_has_changes(&command.run.graph);
    if (!has_changes && !has_records(&command.run.graph)) {
        sf_checks_show(&command.ui, &command.run);
        if (is_destroy && command.run.store)
            rc = prove_destroyed(&command);
        return finish(&command, rc);
    }
    if (has_changes)
        rc = sf_ui_confirm(&command.ui,
                           is_destroy ? "Do you really want to destroy all of this?" : "Do you want to perform these actions?",
                           &command.err);
    if (rc)
        return finish(&command, rc);
    struct sf_apply_result result;
    rc = sf_run_apply(&command.run, &result, &command.err);
    sf_ui_settle(&command.ui);
    if (rc)
        return finish(&command, rc);
    sf_checks_show(&command.ui, &command.run);
    sf_ui_apply_report(&command.ui, &command.run, &result);
    if (result.code) {
        command.err = (struct sf_err){0};
        enum sf_code code = result.code;
        int exit_code = code == SF_E_CANCELLED ? 128 + sf_sched_cancel_signal() : sf_exit_code(code);
        finish(&command, SF_OK);
        return exit_code;
    }
    if (has_changes)
        show_result(&command, &result, is_destroy);
    if (is_destroy)
        rc = prove_destroyed(&command);
    return finish(&command, rc);
}

int sf_main_apply(int argc, char **argv)
{
    return apply_or_destroy(SF_APPLY, argc, argv);
}

int sf_main_destroy(int argc, char **argv)
{
    return apply_or_destroy(SF_DESTROY_PROGRAM, argc, argv);
}
