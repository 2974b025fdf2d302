/* sfstate: looks inside state without opening the world; `query` alone opens it (query.h). Changes nothing. */
#include "engine/cli/commands.h"

#include "engine/cli/query.h"
#include "engine/core/clock.h"

#include <stdio.h>
#include <stdlib.h>

enum { MAX_OUTPUT_BYTES = 512 * 1024 * 1024, HISTORY_LINES = 200 };

struct inspect {
    struct sf_arena *arena;
    struct sf_options options;
    struct sf_ui ui;
    struct sf_diags *diags;
    struct sf_store *store;
    struct sf_query query;
    struct sf_err err;
};

static const char *environment(const char *name)
{
    return getenv(name);
}

static enum sf_code open_store(struct inspect *inspect)
{
    enum sf_code rc = sf_options_find_stack(inspect->arena, &inspect->options, &inspect->err);
    if (rc)
        return rc;
    struct sf_stack *stack = NULL;
    rc = sf_stack_load(inspect->arena, inspect->options.file, sf_str_of(inspect->options.provider), inspect->options.settings,
                       inspect->options.n_settings, environment, inspect->diags, &stack);
    if (rc)
        return sf_fail(&inspect->err, rc, "the stack file is not valid");
    struct sf_provider provider;
    if (!sf_provider_find(stack->provider, &provider))
        return sf_fail(&inspect->err, SF_E_CONFIG, "this program has no world '%.*s'", SF_ARG(stack->provider));
    struct sf_store_identity identity = {stack->name, stack->provider, provider.account, provider.region};
    const char *path = inspect->options.state;
    if (!path)
        path = sf_str_fmt(inspect->arena, "%s/.sf/%.*s/%s/state.db", stack->dir, SF_ARG(stack->name), stack->provider.p).p;
    rc = sf_store_open(path, &identity, false, true, &inspect->store, &inspect->err);
    if (rc == SF_E_ABSENT) {
        sf_fail(&inspect->err, SF_E_IO, "there is no state yet at '%s'", path);
        sf_hint(&inspect->err, "sfapply makes it; another place is named with -state");
        return SF_E_IO;
    }
    return rc;
}

static enum sf_code list(struct inspect *inspect, struct sf_buf *out)
{
    struct sf_row *rows = NULL;
    size_t n = 0;
    enum sf_code rc = sf_store_rows(inspect->store, inspect->arena, &rows, &n, &inspect->err);
    for (size_t i = 0; !rc && i < n; i++) {
        const char *note = rows[i].status == SF_ROW_INCOMPLETE ? " (incomplete)"
                           : rows[i].status == SF_ROW_DEPOSED  ? " (deposed)"
                                                               : "";
        if (inspect->options.json) {
            struct sf_value *line = sf_value_map(inspect->arena);
            sf_map_set_str(inspect->arena, line, "address", rows[i].address);
            sf_map_set_str(inspect->arena, line, "kind", rows[i].kind);
            sf_map_set_str(inspect->arena, line, "id", rows[i].id);
            sf_map_set_bool(inspect->arena, line, "incomplete", rows[i].status == SF_ROW_INCOMPLETE);
            sf_json_write(out, line, SF_JSON_PLAIN);
            sf_buf_addc(out, '\n');
        } else {
            sf_buf_addf(out, "%.*s%s\n", SF_ARG(rows[i].address), note);
        }
    }
    return rc;
}

static enum sf_code show(struct inspect *inspect, struct sf_buf *out)
{
    if (inspect->options.n_words != 2)
        return sf_fail(&inspect->err, SF_E_USAGE, "usage: sfstate show ADDRESS");
    struct sf_str wanted = sf_str_of(inspect->options.words[1]);
    struct sf_row *rows = NULL;
    size_t n = 0;
    enum sf_code rc = sf_store_rows(inspect->store, inspect->arena, &rows, &n, &inspect->err);
    for (size_t i = 0; !rc && i < n; i++) {
        struct sf_str name = sf_str_slice(rows[i].address, rows[i].kind.n + 1, rows[i].address.n);
        if (!sf_str_eq(rows[i].address, wanted) && !sf_str_eq(name, wanted))
            continue;
        if (inspect->options.json) {
            sf_json_write(out, rows[i].attrs, SF_JSON_PLAIN);
            sf_buf_addc(out, '\n');
            return SF_OK;
        }
        sf_buf_addf(out, "# %.*s\n%.*s \"%.*s\" ", SF_ARG(rows[i].address), SF_ARG(rows[i].kind), SF_ARG(name));
        sf_render_value(out, rows[i].attrs, 0);
        sf_buf_addc(out, '\n');
        return SF_OK;
    }
    if (!rc) {
        rc = sf_fail(&inspect->err, SF_E_USAGE, "state has no resource '%.*s'", SF_ARG(wanted));
        sf_hint(&inspect->err, "sfstate list names them");
    }
    return rc;
}

static enum sf_code outputs(struct inspect *inspect, struct sf_buf *out)
{
    const struct sf_value *all = NULL;
    enum sf_code rc = sf_store_get_meta(inspect->store, inspect->arena, "outputs", &all, &inspect->err);
    if (rc && rc != SF_E_ABSENT)
        return rc;
    if (!all)
        all = sf_value_map(inspect->arena);
    if (inspect->options.n_words == 1) {
        if (inspect->options.raw)
            return sf_fail(&inspect->err, SF_E_USAGE, "-raw needs the name of one output");
        if (inspect->options.json) {
            sf_json_write(out, all, SF_JSON_PLAIN);
            sf_buf_addc(out, '\n');
        } else {
            sf_render_outputs(out, all);
        }
        return SF_OK;
    }
    const struct sf_value *one = sf_map_getz(all, inspect->options.words[1]);
    if (!one) {
        sf_fail(&inspect->err, SF_E_USAGE, "there is no output '%s'", inspect->options.words[1]);
        sf_hint(&inspect->err, "sfstate outputs names them");
        return SF_E_USAGE;
    }
    if (inspect->options.raw && one->type == SF_V_STRING)
        sf_buf_add(out, one->s);
    else
        sf_json_write(out, one, SF_JSON_PLAIN);
    sf_buf_addc(out, '\n');
    return SF_OK;
}

static enum sf_code history(struct inspect *inspect, struct sf_buf *out)
{
    const struct sf_value *lines = NULL;
    struct sf_str address = inspect->options.n_words > 1 ? sf_str_of(inspect->options.words[1]) : SF_STR_NONE;
    enum sf_code rc = sf_store_history(inspect->store, inspect->arena, address, HISTORY_LINES, &lines, &inspect->err);
    for (size_t i = 0; !rc && i < lines->list.n; i++) {
        const struct sf_value *line = lines->list.items[i];
        if (inspect->options.json) {
            sf_json_write(out, line, SF_JSON_PLAIN);
        } else {
            const struct sf_value *at = sf_map_getz(line, "at");
            struct sf_str when = at && at->type == SF_V_INT ? sf_clock_rfc3339(inspect->arena, at->i) : sf_map_str(line, "at");
            sf_buf_addf(out, "%.*s  %-9.*s %.*s", SF_ARG(when), SF_ARG(sf_map_str(line, "event")),
                        SF_ARG(sf_map_str(line, "address")));
        }
        sf_buf_addc(out, '\n');
    }
    return rc;
}

static const struct {
    const char *name;
    enum sf_code (*run)(struct inspect *inspect, struct sf_buf *out);
} commands[] = {{"list", list}, {"show", show}, {"outputs", outputs}, {"output", outputs}, {"history", history}};

static enum sf_code run_command(struct inspect *inspect)
{
    if (inspect->options.n_words == 0) {
        sf_fail(&inspect->err, SF_E_USAGE, "sfstate needs a word: list, show, outputs, history or query");
        sf_hint(&inspect->err, "sfstate -help");
        return SF_E_USAGE;
    }
    if (strcmp(inspect->options.words[0], "query") == 0)
        return sf_query_run(&inspect->query, inspect->arena, &inspect->options, &inspect->err);
    for (size_t i = 0; i < SF_COUNT(commands); i++) {
        if (strcmp(commands[i].name, inspect->options.words[0]) != 0)
            continue;
        enum sf_code rc = open_store(inspect);
        struct sf_buf out = SF_BUF(MAX_OUTPUT_BYTES);
        if (!rc)
            rc = commands[i].run(inspect, &out);
        if (inspect->options.json || inspect->options.raw)
            sf_ui_print(&out);
        else
            sf_ui_show(&inspect->ui, &out);
        return rc;
    }
    sf_fail(&inspect->err, SF_E_USAGE, "sfstate does not know '%s'", inspect->options.words[0]);
    sf_hint(&inspect->err, "it knows list, show, outputs, history and query");
    return SF_E_USAGE;
}

int sf_main_state(int argc, char **argv)
{
    sf_ui_open_streams();
    struct inspect inspect = {.arena = sf_arena_new()};
    inspect.diags = sf_diags_new(inspect.arena);
    inspect.options.program = SF_STATE;
    sf_ui_init(&inspect.ui, &inspect.options);
    enum sf_code rc = sf_options_parse(inspect.arena, SF_STATE, argc, argv, &inspect.options, &inspect.err);
    sf_ui_init(&inspect.ui, &inspect.options);
    if (!rc)
        rc = run_command(&inspect);
    if (rc) {
        struct sf_run shown = {.diags = inspect.diags};
        sf_ui_error(&inspect.ui, inspect.query.is_open ? &inspect.query.run : &shown, &inspect.err);
    }
    sf_query_close(&inspect.query);
    sf_store_close(inspect.store);
    sf_arena_free(inspect.arena);
    return sf_ui_flush() || rc ? sf_exit_code(rc) : 1;
}
