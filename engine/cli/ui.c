/* See ui.h. */
#include "engine/cli/ui.h"

#include "engine/cli/render_value.h"
#include "engine/core/clock.h"

#include <stdio.h>
#include <fcntl.h>
#include <signal.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

enum { MAX_OUTPUT_BYTES = 512 * 1024 * 1024 };

static bool wants_color(const struct sf_options *options, int fd)
{
    const char *term = getenv("TERM");
    return !options->no_color && !options->json && isatty(fd) && !(term && strcmp(term, "dumb") == 0);
}

void sf_ui_open_streams(void)
{
    for (int fd = 0; fd <= 2; fd++)
        if (fcntl(fd, F_GETFD) < 0 && open("/dev/null", O_RDWR) != fd)
            abort(); /* the lowest free descriptor is this one */
}

void sf_ui_print(struct sf_buf *buf)
{
    fwrite(buf->p ? buf->p : "", 1, buf->n, stdout);
    fflush(stdout);
    sf_buf_free(buf);
}

/* Bytes of the colour that `text` begins with; 0: with none. */
static size_t colour_length(struct sf_str text)
{
    static const char *const colours[] = {SF_RED, SF_GREEN, SF_YELLOW, SF_BOLD, SF_RESET};
    for (size_t i = 0; i < SF_COUNT(colours); i++)
        if (sf_str_starts(text, sf_str_of(colours[i])))
            return strlen(colours[i]);
    return 0;
}

void sf_ui_show(const struct sf_ui *ui, struct sf_buf *buf)
{
    struct sf_buf out = SF_BUF(MAX_OUTPUT_BYTES);
    struct sf_str text = sf_buf_str(buf);
    for (size_t at = 0; at < text.n;) {
        struct sf_str rest = sf_str_slice(text, at, text.n);
        size_t colour = ui->out_color ? colour_length(rest) : 0;
        const char *escape = memchr(rest.p + (colour ? colour : 1), '\033', rest.n - (colour ? colour : 1));
        size_t n = escape ? (size_t)(escape - rest.p) : rest.n;
        sf_buf_add(&out, sf_str_slice(rest, 0, colour));
        sf_buf_add_shown(&out, sf_str_slice(rest, colour, n), "\n\t");
        at += n;
    }
    sf_ui_print(&out);
    sf_buf_free(buf);
}

bool sf_ui_flush(void)
{
    struct stat st;
    if (fflush(stdout) == 0 && !ferror(stdout))
        return true;
    if (fstat(fileno(stdout), &st) == 0 && (S_ISFIFO(st.st_mode) || S_ISSOCK(st.st_mode)))
        return true; /* a reader that has seen enough is no failure */
    fputs("error: stdout could not be written: what is printed there is not complete\n", stderr);
    return false;
}

void sf_ui_say(struct sf_str text)
{
    struct sf_buf out = SF_BUF(MAX_OUTPUT_BYTES);
    sf_buf_add_shown(&out, text, "\n\t");
    fwrite(out.p ? out.p : "", 1, out.n, stderr);
    sf_buf_free(&out);
}

static const char *doing(const struct sf_step *step)
{
    static const char *const words[] = {"Creating", "Updating", "Destroying", "Forgetting", "Recording"};
    return words[step->verb];
}

static const char *done_word(const struct sf_step *step)
{
    static const char *const words[] = {"Creation", "Update", "Destruction", "Forgetting", "Recording"};
    return words[step->verb];
}

/* A line about a resource; `action` is what is done to it. */
static void event_of(struct sf_ui *ui, const struct sf_node *node, const char *action, struct sf_str id, int64_t since_ms,
                     const char *level, const char *type, struct sf_str message)
{
    sf_progress_clear(&ui->progress);
    if (!ui->options->json) {
        sf_ui_say(message);
        fputc('\n', stderr);
        return;
    }
    struct sf_arena *arena = sf_arena_new();
    struct sf_value *hook = sf_value_map(arena), *fields = sf_value_map(arena), *resource = sf_value_map(arena);
    sf_map_set_str(arena, resource, "addr", node->address);
    sf_map_set_str(arena, resource, "resource_type", node->kind);
    sf_map_set_str(arena, resource, "resource_name", node->name);
    sf_map_set(arena, hook, SF_STR("resource"), resource);
    sf_map_set_str(arena, hook, "action", sf_str_of(action));
    sf_map_set_str(arena, hook, "id_value", id);
    sf_map_set_int(arena, hook, "elapsed_seconds", (sf_clock_ms() - since_ms) / 1000);
    sf_map_set(arena, fields, SF_STR("hook"), hook);
    struct sf_buf line = SF_BUF(MAX_OUTPUT_BYTES);
    sf_render_event_json(&line, arena, level, type, message, fields);
    sf_ui_print(&line);
    sf_arena_free(arena);
}

static void event(struct sf_ui *ui, const struct sf_step *step, const char *type, struct sf_str message)
{
    event_of(ui, step->node, sf_verb_name(step->verb), step->id, step->started_ms,
             step->status == SF_STATUS_FAILED ? "error" : "info", type, message);
}

static bool is_quiet(const struct sf_step *step)
{
    return step->verb == SF_VERB_RECORD;
}

static void step_started(void *ctx, const struct sf_step *step)
{
    struct sf_ui *ui = ctx;
    if (is_quiet(step))
        return;
    struct sf_arena *arena = sf_arena_new();
    event(ui, step, "apply_start", sf_str_fmt(arena, "%.*s: %s...", SF_ARG(step->node->address), doing(step)));
    sf_arena_free(arena);
}

static void step_ended(void *ctx, const struct sf_step *step)
{
    struct sf_ui *ui = ctx;
    if (is_quiet(step) || step->status == SF_STATUS_SKIPPED)
        return;
    struct sf_arena *arena = sf_arena_new();
    double seconds = (double)(step->ended_ms - step->started_ms) / 1000.0;
    if (step->status == SF_STATUS_DONE && step->was_unchanged)
        event(ui, step, "apply_complete", sf_str_fmt(arena, "%.*s: Unchanged after all", SF_ARG(step->node->address)));
    else if (step->status == SF_STATUS_DONE && step->node->goes_with && step->verb == SF_VERB_FORGET)
        event(ui, step, "apply_complete",
              sf_str_fmt(arena, "%.*s: Destroyed with %.*s", SF_ARG(step->node->address), SF_ARG(step->node->reason_detail)));
    else if (step->status == SF_STATUS_DONE)
        event(ui, step, "apply_complete",
              sf_str_fmt(arena, "%.*s: %s complete after %.1fs [id=%.*s]", SF_ARG(step->node->address), done_word(step), seconds,
                         SF_ARG(step->id)));
    else
        event(ui, step, "apply_errored",
              sf_str_fmt(arena, "%.*s: %s %s after %.1fs", SF_ARG(step->node->address), done_word(step),
                         step->status == SF_STATUS_UNKNOWN ? "has an unknown outcome" : "failed", seconds));
    sf_arena_free(arena);
}

/* Once a step has been tried for more than a moment, why it is tried again. */
static void step_retries(void *ctx, const struct sf_step *step)
{
    struct sf_ui *ui = ctx;
    struct sf_arena *arena = sf_arena_new();
    event(ui, step, "apply_progress", sf_str_fmt(arena, "%.*s: Trying again: %s", SF_ARG(step->node->address), step->err->message));
    sf_arena_free(arena);
}

/* A line about a call that takes long, where it cannot be written over. */
static void beat(struct sf_ui *ui, struct sf_run *run, const struct sf_run_ctx *call, int64_t since_ms, int64_t now)
{
    struct sf_arena *arena = sf_arena_new();
    struct sf_buf text = SF_BUF(SF_MAX_MESSAGE_BYTES);
    pthread_mutex_lock(&run->mutex);
    struct sf_progress progress = call->progress;
    pthread_mutex_unlock(&run->mutex);
    sf_progress_describe(&text, &progress, now);
    struct sf_str line = sf_str_fmt(arena, "%.*s: Still %s... [%llds elapsed]%s%.*s", SF_ARG(call->node->address),
                                    call->step ? doing(call->step) : "Reading", (long long)((now - since_ms) / 1000),
                                    text.n ? " " : "", SF_ARG(sf_buf_str(&text)));
    if (call->step)
        event(ui, call->step, "apply_progress", line);
    else
        event_of(ui, call->node, "read", SF_STR_NONE, since_ms, "info", "refresh_progress", line);
    sf_buf_free(&text);
    sf_arena_free(arena);
}

/* The last of the lines about a call of the plan: what an apply ends with is written anyway. */
static void read_ended(void *ctx, const struct sf_run_ctx *call)
{
    struct sf_ui *ui = ctx;
    if (call->told_ms < call->reading_since_ms)
        return;
    struct sf_arena *arena = sf_arena_new();
    event_of(ui, call->node, "read", SF_STR_NONE, call->reading_since_ms, "info", "refresh_complete",
             sf_str_fmt(arena, "%.*s: Reading ended after %.1fs", SF_ARG(call->node->address),
                        (double)(sf_clock_ms() - call->reading_since_ms) / 1000.0));
    sf_arena_free(arena);
}

/* After the first signal of an apply: what is waited for, which a statement without an end would be forever. */
static void say_stopping(struct sf_ui *ui, const struct sf_run *run)
{
    struct sf_arena *arena = sf_arena_new();
    struct sf_buf text = SF_BUF(MAX_OUTPUT_BYTES);
    size_t n = 0;
    for (size_t i = 0; i < run->n_steps; i++)
        if (run->steps[i]->status == SF_STATUS_RUNNING)
            sf_buf_addf(&text, "%s%.*s", n++ ? ", " : "Stopping when done: ", SF_ARG(run->steps[i]->node->address));
    ui->has_said_stopping = n > 0;
    sf_buf_addz(&text, sf_sched_cancel_signal() == SIGINT ? ". Ctrl-C once more cancels what is under way."
                                                          : ". A second signal cancels what is under way.");
    if (n > 0 && ui->options->json) {
        struct sf_buf line = SF_BUF(MAX_OUTPUT_BYTES);
        sf_render_event_json(&line, arena, "warn", "log", sf_buf_str(&text), NULL);
        sf_ui_print(&line);
    } else if (n > 0) {
        sf_progress_clear(&ui->progress);
        sf_buf_addc(&text, '\n');
        sf_ui_say(sf_buf_str(&text));
    }
    sf_buf_free(&text);
    sf_arena_free(arena);
}

static void tick(void *ctx, struct sf_run *run)
{
    struct sf_ui *ui = ctx;
    int64_t now = sf_clock_ms(), since;
    if (sf_sched_cancel_level() == 1 && run->n_steps && !ui->has_said_stopping)
        say_stopping(ui, run);
    if (ui->progress.is_terminal) {
        sf_progress_show(&ui->progress, run);
        return;
    }
    for (size_t i = 0; i < run->n_calls; i++)
        if (sf_progress_is_due(&ui->progress, run->calls[i], now, &since))
            beat(ui, run, run->calls[i], since, now);
}

void sf_ui_settle(struct sf_ui *ui)
{
    sf_progress_clear(&ui->progress);
}

void sf_ui_init(struct sf_ui *ui, const struct sf_options *options)
{
    *ui = (struct sf_ui){.options = options, .out_color = wants_color(options, 1), .err_color = wants_color(options, 2)};
    const char *term = getenv("TERM");
    sf_progress_init(&ui->progress, !options->json && isatty(2) && term && *term && strcmp(term, "dumb") != 0);
    ui->events = (struct sf_run_events){.ctx = ui,
                                        .read_ended = read_ended,
                                        .step_started = step_started,
                                        .step_ended = step_ended,
                                        .step_retries = step_retries,
                                        .tick = tick};
}

static void print_error(const struct sf_ui *ui, const struct sf_err *err)
{
    struct sf_arena *arena = sf_arena_new();
    fprintf(stderr, "%serror: %s", ui->err_color ? "\033[31m" : "", ui->err_color ? "\033[0m" : "");
    sf_ui_say(sf_str_of(err->message));
    if (err->remote_code[0])
        sf_ui_say(sf_str_fmt(arena, err->request_id[0] ? " [%s, request %s]" : " [%s]", err->remote_code, err->request_id));
    fputc('\n', stderr);
    if (err->hint[0])
        sf_ui_say(sf_str_fmt(arena, "hint: %s\n", err->hint));
    sf_arena_free(arena);
}

static void print_error_json(const struct sf_err *err)
{
    struct sf_arena *arena = sf_arena_new();
    struct sf_value *fields = sf_value_map(arena), *diagnostic = sf_value_map(arena);
    sf_map_set_str(arena, diagnostic, "severity", SF_STR("error"));
    sf_map_set_str(arena, diagnostic, "summary", sf_str_of(err->message));
    sf_map_set_str(arena, diagnostic, "detail", sf_str_of(err->hint));
    sf_map_set_str(arena, diagnostic, "remote_code", sf_str_of(err->remote_code));
    sf_map_set(arena, fields, SF_STR("diagnostic"), diagnostic);
    struct sf_buf line = SF_BUF(MAX_OUTPUT_BYTES);
    sf_render_event_json(&line, arena, "error", "diagnostic", sf_str_fmt(arena, "Error: %s", err->message), fields);
    sf_ui_print(&line);
    sf_arena_free(arena);
}

void sf_ui_error(struct sf_ui *ui, const struct sf_run *run, const struct sf_err *err)
{
    sf_ui_settle(ui);
    const struct sf_diags *diags = run ? run->diags : NULL;
    bool has_diags = diags && diags->n > 0;
    if (has_diags && ui->options->json) {
        struct sf_arena *arena = sf_arena_new();
        struct sf_buf out = SF_BUF(MAX_OUTPUT_BYTES);
        for (size_t i = 0; i < diags->n; i++) {
            struct sf_value *fields = sf_value_map(arena);
            sf_map_set(arena, fields, SF_STR("diagnostic"), sf_diag_json(arena, diags, &diags->list[i]));
            sf_render_event_json(&out, arena, diags->list[i].severity == SF_ERROR ? "error" : "warn", "diagnostic",
                                 diags->list[i].message, fields);
        }
        sf_ui_print(&out);
        sf_arena_free(arena);
    } else if (has_diags) {
        struct sf_buf out = SF_BUF(MAX_OUTPUT_BYTES);
        sf_diags_render(diags, &out, ui->err_color);
        fwrite(out.p, 1, out.n, stderr);
        sf_buf_free(&out);
    }
    if (!err || (has_diags && diags->errors > 0))
        return;
    if (ui->options->json)
        print_error_json(err);
    else
        print_error(ui, err);
}

enum sf_code sf_ui_confirm(struct sf_ui *ui, const char *question, struct sf_err *err)
{
    if (ui->options->auto_approve)
        return SF_OK;
    if (ui->options->no_input || !isatty(0)) {
        sf_fail(err, SF_E_USAGE, "nobody is there to approve this plan");
        sf_hint(err, "look at the plan above, then run the command again with -auto-approve");
        return SF_E_USAGE;
    }
    fprintf(stderr, "%s\n  Only 'yes' will be accepted: ", question);
    fflush(stderr);
    char answer[16] = "";
    if (!fgets(answer, sizeof(answer), stdin) || strcmp(answer, "yes\n") != 0)
        return sf_fail(err, SF_E_CANCELLED, "not approved; nothing was changed");
    fputc('\n', stderr);
    return SF_OK;
}

/* A replacement is two steps of one resource: it is named once, and done only if both are. */
static bool is_named_elsewhere(const struct sf_run *run, size_t i)
{
    const struct sf_step *step = run->steps[i];
    for (size_t k = 0; k < run->n_steps; k++) {
        const struct sf_step *other = run->steps[k];
        if (other->node == step->node && (other->status == step->status ? k < i : step->status == SF_STATUS_DONE))
            return true;
    }
    return false;
}

static void list_steps(const struct sf_run *run, enum sf_step_status status, const char *title)
{
    bool any = false;
    for (size_t i = 0; i < run->n_steps; i++) {
        if (run->steps[i]->status != status || is_named_elsewhere(run, i))
            continue;
        fprintf(stderr, "%s%.*s", any ? ", " : title, SF_ARG(run->steps[i]->node->address));
        any = true;
    }
    if (any)
        fputc('\n', stderr);
}

void sf_ui_notes_shown(struct sf_ui *ui, const struct sf_run *run)
{
    for (const struct sf_note *note = run->notes; note; note = note->next)
        ui->last_shown = note;
}

static void print_new_notes(const struct sf_ui *ui, const struct sf_run *run)
{
    struct sf_arena *arena = sf_arena_new();
    struct sf_buf lines = SF_BUF(MAX_OUTPUT_BYTES);
    for (const struct sf_note *note = ui->last_shown ? ui->last_shown->next : run->notes; note; note = note->next) {
        struct sf_str text = sf_str_fmt(arena, "%.*s: %.*s", SF_ARG(note->address), SF_ARG(note->text));
        if (!ui->options->json) {
            fprintf(stderr, "%snote:%s ", ui->err_color ? "\033[33m" : "", ui->err_color ? "\033[0m" : "");
            sf_ui_say(text);
            fputc('\n', stderr);
            continue;
        }
        struct sf_value *fields = sf_value_map(arena), *diagnostic = sf_value_map(arena);
        sf_map_set_str(arena, diagnostic, "severity", SF_STR("warning"));
        sf_map_set_str(arena, diagnostic, "summary", note->text);
        sf_map_set_str(arena, diagnostic, "address", note->address);
        sf_map_set(arena, fields, SF_STR("diagnostic"), diagnostic);
        sf_render_event_json(&lines, arena, "warn", "diagnostic", sf_str_fmt(arena, "Warning: %.*s", SF_ARG(text)), fields);
    }
    sf_ui_print(&lines);
    sf_arena_free(arena);
}

void sf_ui_apply_report(struct sf_ui *ui, const struct sf_run *run, const struct sf_apply_result *result)
{
    print_new_notes(ui, run);
    for (size_t i = 0; i < run->n_steps; i++) {
        const struct sf_step *step = run->steps[i];
        if (step->status != SF_STATUS_FAILED && step->status != SF_STATUS_UNKNOWN)
            continue;
        if (ui->options->json)
            print_error_json(step->err);
        else
            print_error(ui, step->err);
    }
    if (!result->code || ui->options->json)
        return;
    fputc('\n', stderr);
    list_steps(run, SF_STATUS_DONE, "done:        ");
    list_steps(run, SF_STATUS_FAILED, "failed:      ");
    list_steps(run, SF_STATUS_UNKNOWN, "unknown:     ");
    list_steps(run, SF_STATUS_SKIPPED, "not started: ");
    fprintf(stderr, "What is done is recorded; the same command goes on from here.\n");
}
