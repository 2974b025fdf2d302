/* See query.h. */
#include "engine/cli/query.h"

#include "engine/core/clock.h"

#include <stdlib.h>

enum { MAX_OUTPUT_BYTES = 512 * 1024 * 1024, QUERY_SECONDS = 600 };

static const char *column_name(const struct sf_answer *answer, size_t k)
{
    return sf_map_str(answer->columns->list.items[k], "name").p;
}

static bool is_number(const struct sf_answer *answer, size_t k)
{
    return sf_map_bool(answer->columns->list.items[k], "is_number", false);
}

static bool cell(const struct sf_answer *answer, size_t row, size_t k, struct sf_str *text)
{
    const struct sf_value *value = answer->rows->list.items[row]->list.items[k];
    *text = value->type == SF_V_STRING ? value->s : SF_STR_NONE;
    return value->type == SF_V_STRING;
}

/* --- a table --- */

static struct sf_str printable(struct sf_arena *arena, struct sf_str text)
{
    struct sf_buf out = SF_BUF(MAX_OUTPUT_BYTES);
    sf_buf_add_shown(&out, text, "");
    struct sf_str shown = sf_str_dup(arena, sf_buf_str(&out));
    sf_buf_free(&out);
    return shown;
}

static size_t width_of(struct sf_str text)
{
    size_t width = 0;
    for (size_t i = 0; i < text.n; i++)
        width += (text.p[i] & 0xc0) != 0x80; /* of UTF-8, the first byte of a character */
    return width;
}

static void pad(struct sf_buf *out, char c, size_t n)
{
    while (n-- > 0)
        sf_buf_addc(out, c);
}

/* One cell; the last of a line is not padded on its right. */
static void add_cell(struct sf_buf *out, struct sf_str text, size_t width, bool is_right, bool is_last)
{
    size_t rest = width - width_of(text);
    if (is_right && text.n > 0)
        pad(out, ' ', rest);
    sf_buf_add(out, text);
    if ((!is_right || text.n == 0) && !is_last)
        pad(out, ' ', rest);
    sf_buf_addz(out, is_last ? "\n" : " | ");
}

void sf_answer_write_table(struct sf_buf *out, struct sf_arena *arena, const struct sf_answer *answer)
{
    size_t n_columns = answer->columns->list.n, n_rows = answer->rows->list.n;
    size_t *widths = SF_NEW_ARRAY(arena, n_columns + 1, size_t);
    struct sf_str *texts = SF_NEW_ARRAY(arena, n_columns * (n_rows + 1) + 1, struct sf_str); /* the header is row 0 */
    for (size_t k = 0; k < n_columns; k++)
        texts[k] = printable(arena, sf_str_of(column_name(answer, k)));
    for (size_t i = 0; i < n_rows; i++)
        for (size_t k = 0; k < n_columns; k++) {
            struct sf_str text;
            cell(answer, i, k, &text);
            texts[(i + 1) * n_columns + k] = printable(arena, text);
        }
    for (size_t i = 0; i <= n_rows; i++)
        for (size_t k = 0; k < n_columns; k++) {
            size_t width = width_of(texts[i * n_columns + k]);
            widths[k] = width > widths[k] ? width : widths[k];
        }
    for (size_t i = 0; i <= n_rows; i++) {
        for (size_t k = 0; k < n_columns; k++)
            add_cell(out, texts[i * n_columns + k], widths[k], is_number(answer, k), k + 1 == n_columns);
        for (size_t k = 0; i == 0 && k < n_columns; k++) {
            pad(out, '-', widths[k]);
            sf_buf_addz(out, k + 1 == n_columns ? "\n" : "-+-");
        }
    }
    sf_buf_addf(out, "(%zu row%s)\n", n_rows, n_rows == 1 ? "" : "s");
}

/* --- for programs --- */

static void add_field(struct sf_buf *out, struct sf_str text, bool is_null)
{
    bool is_plain = text.n > 0 || is_null;
    for (size_t i = 0; i < text.n; i++)
        is_plain &= text.p[i] != ',' && text.p[i] != '"' && text.p[i] != '\n' && text.p[i] != '\r';
    if (is_plain) {
        sf_buf_add(out, text);
        return;
    }
    sf_buf_addc(out, '"');
    for (size_t i = 0; i < text.n; i++) {
        if (text.p[i] == '"')
            sf_buf_addc(out, '"');
        sf_buf_addc(out, text.p[i]);
    }
    sf_buf_addc(out, '"');
}

void sf_answer_write_csv(struct sf_buf *out, const struct sf_answer *answer)
{
    size_t n_columns = answer->columns->list.n;
    for (size_t k = 0; k < n_columns; k++) {
        add_field(out, sf_str_of(column_name(answer, k)), false);
        sf_buf_addz(out, k + 1 == n_columns ? "\n" : ",");
    }
    for (size_t i = 0; i < answer->rows->list.n; i++)
        for (size_t k = 0; k < n_columns; k++) {
            struct sf_str text;
            bool has_text = cell(answer, i, k, &text);
            add_field(out, text, !has_text);
            sf_buf_addz(out, k + 1 == n_columns ? "\n" : ",");
        }
}

/* NaN and Infinity are numbers in a warehouse and none in JSON. */
static bool is_json_number(struct sf_str text)
{
    return text.n > 0 && strspn(text.p, "-0123456789.e+") >= text.n && text.p[text.n - 1] >= '0' && text.p[text.n - 1] <= '9';
}

enum sf_code sf_answer_write_json(struct sf_buf *out, struct sf_arena *arena, const struct sf_answer *answer, struct sf_err *err)
{
    size_t n_columns = answer->columns->list.n;
    struct sf_map *seen = sf_map_new(arena);
    for (size_t k = 0; k < n_columns; k++) {
        struct sf_str name = sf_str_of(column_name(answer, k));
        if (sf_map_find(seen, name)) {
            sf_fail(err, SF_E_REFUSED, "two columns are named '%.*s', which JSON cannot tell apart", SF_ARG(name));
            sf_hint(err, "give one of them another name: ... as other_name");
            return SF_E_REFUSED;
        }
        sf_map_put(seen, name, seen);
    }
    for (size_t i = 0; i < answer->rows->list.n; i++) {
        for (size_t k = 0; k < n_columns; k++) {
            struct sf_str text;
            bool has_text = cell(answer, i, k, &text);
            sf_buf_addc(out, k ? ',' : '{');
            sf_json_write(out, sf_map_getz(answer->columns->list.items[k], "name"), SF_JSON_PLAIN);
            sf_buf_addc(out, ':');
            if (has_text && is_number(answer, k) && is_json_number(text))
                sf_buf_add(out, text);
            else
                sf_json_write(out, answer->rows->list.items[i]->list.items[k], SF_JSON_PLAIN);
        }
        sf_buf_addz(out, n_columns ? "}\n" : "{}\n");
    }
    return SF_OK;
}

/* --- the command --- */

/* The one that answers queries, or the one of that address or name. */
static enum sf_code find_node(struct sf_graph *graph, struct sf_str wanted, struct sf_node **found, struct sf_err *err)
{
    size_t n = 0;
    for (size_t i = 0; i < graph->n_nodes; i++) {
        struct sf_node *node = graph->nodes[i];
        bool is_meant = sf_str_eq(node->address, wanted) || sf_str_eq(node->name, wanted);
        if (wanted.n > 0 && is_meant && (!node->driver || !node->driver->query))
            return sf_fail(err, SF_E_USAGE, "'%.*s' is a %.*s, and that answers no queries", SF_ARG(node->address),
                           SF_ARG(node->kind));
        if (!node->driver || !node->driver->query || (wanted.n > 0 && !is_meant))
            continue;
        if (n++ > 0) {
            sf_fail(err, SF_E_USAGE, "'%.*s' and '%.*s' both answer queries", SF_ARG((*found)->address), SF_ARG(node->address));
            sf_hint(err, "say which: sfstate query %.*s 'select ...'", SF_ARG((*found)->name));
            return SF_E_USAGE;
        }
        *found = node;
    }
    if (n == 1)
        return SF_OK;
    if (wanted.n > 0) {
        sf_fail(err, SF_E_USAGE, "this stack has no resource '%.*s'", SF_ARG(wanted));
        sf_hint(err, "sfstate list names those that exist; a statement is one argument: put it in quotes");
        return SF_E_USAGE;
    }
    return sf_fail(err, SF_E_USAGE, "this stack has nothing that answers queries");
}

static enum sf_code ask(struct sf_run *run, struct sf_arena *arena, struct sf_str wanted, struct sf_str text,
                        struct sf_answer *answer, struct sf_err *err)
{
    struct sf_node *node = NULL;
    enum sf_code rc = find_node(&run->graph, wanted, &node, err);
    if (rc)
        return rc;
    for (size_t i = 0; i < run->graph.n_nodes; i++)
        sf_node_prepare_now(&run->graph, run->graph.nodes[i]);
    if (!node->recorded) {
        sf_fail(err, SF_E_UNAVAILABLE, "'%.*s' does not exist yet", SF_ARG(node->address));
        sf_hint(err, "sfapply makes it");
        return SF_E_UNAVAILABLE;
    }
    struct sf_run_ctx ctx = {.run = run, .node = node};
    struct sf_op op = sf_run_op(run, &ctx, arena, &node->now, QUERY_SECONDS);
    op.is_planning = true;
    return node->driver->query(&op, node->now.id, text, answer, err);
}

enum sf_code sf_query_run(struct sf_query *query, struct sf_arena *arena, const struct sf_options *options, struct sf_err *err)
{
    if (options->n_words < 2 || options->n_words > 3) {
        sf_fail(err, SF_E_USAGE, "usage: sfstate query [ADDRESS] 'select ...'");
        sf_hint(err, "a statement is one argument: put it in quotes");
        return SF_E_USAGE;
    }
    if (options->csv && options->json)
        return sf_fail(err, SF_E_USAGE, "-csv and -json cannot both be");
    struct sf_options found = *options;
    enum sf_code rc = sf_options_find_stack(arena, &found, err);
    if (rc)
        return rc;
    sf_sched_catch_signals();
    struct sf_run_params params = {.stack_file = found.file,
                                   .provider = sf_str_of(found.provider),
                                   .state_path = found.state,
                                   .settings = found.settings,
                                   .n_settings = found.n_settings,
                                   .command = "sfstate query",
                                   .parallelism = 1};
    query->is_open = true;
    rc = sf_run_open(&query->run, &params, err);
    struct sf_answer answer = {0};
    struct sf_str wanted = sf_str_of(options->n_words == 3 ? options->words[1] : NULL);
    if (!rc)
        rc = ask(&query->run, arena, wanted, sf_str_of(options->words[options->n_words - 1]), &answer, err);
    if (rc)
        return rc;
    struct sf_buf out = SF_BUF(MAX_OUTPUT_BYTES);
    if (options->json)
        rc = sf_answer_write_json(&out, arena, &answer, err);
    else if (options->csv)
        sf_answer_write_csv(&out, &answer);
    else
        sf_answer_write_table(&out, arena, &answer);
    sf_ui_print(&out);
    return rc;
}

void sf_query_close(struct sf_query *query)
{
    if (query->is_open)
        sf_run_close(&query->run);
    query->is_open = false;
}
