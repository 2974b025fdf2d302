/* See render.h. */
#include "engine/cli/render.h"

#include "engine/cli/render_value.h"

#include <stdio.h>

static int widest(const struct sf_change *changes, size_t n, int least)
{
    int width = least;
    for (size_t i = 0; i < n; i++)
        if ((int)strlen(changes[i].attr->name) > width)
            width = (int)strlen(changes[i].attr->name);
    return width;
}

static void headline(struct sf_pen *pen, const struct sf_node *node)
{
    static const char *const texts[] = {
        [SF_NOOP] = "is unchanged",
        [SF_CREATE] = "will be created",
        [SF_UPDATE] = "will be updated in-place",
        [SF_REPLACE] = "must be replaced",
        [SF_DELETE] = "will be destroyed",
        [SF_FORGET] = "will be forgotten (the object itself stays)",
    };
    sf_pen_paint(pen, SF_BOLD);
    const char *text = texts[node->action];
    if (node->action == SF_FORGET && node->reason == SF_REASON_GONE)
        text = "is gone and will be forgotten";
    if (node->reason == SF_REASON_ADOPTED)
        text = "will be adopted";
    sf_buf_addf(pen->out, "  # %.*s %s", SF_ARG(node->address), text);
    sf_pen_paint(pen, SF_RESET);
    if (node->resource && node->resource->mark.line)
        sf_buf_addf(pen->out, "   (%s:%u)", node->resource->mark.file, node->resource->mark.line);
    sf_buf_addc(pen->out, '\n');
    bool is_obvious = node->reason == SF_REASON_NONE || node->reason == SF_REASON_NOT_IN_STATE ||
                      node->reason == SF_REASON_DESTROY || (node->reason == SF_REASON_CHANGED);
    if (!is_obvious)
        sf_buf_addf(pen->out, "  # (%s%s%.*s)\n", sf_reason_text(node->reason), node->reason_detail.n ? ": " : "",
                    SF_ARG(node->reason_detail));
    if (node->moved_from.n)
        sf_buf_addf(pen->out, "  # (moved from %.*s)\n", SF_ARG(node->moved_from));
}

static bool is_changed(const struct sf_node *node, struct sf_str attr)
{
    for (size_t i = 0; i < node->n_changes; i++)
        if (sf_str_is(attr, node->changes[i].attr->name))
            return true;
    return false;
}

/* What the object is known by is shown even when it stays as it is. Returns whether it was. */
static bool identity_line(struct sf_pen *pen, const struct sf_node *node, int width)
{
    const char *identity = node->schema->identity;
    const struct sf_value *v = identity && node->recorded ? sf_map_getz(node->recorded->attrs, identity) : NULL;
    if (!v || v->type == SF_V_LIST || v->type == SF_V_MAP || is_changed(node, sf_str_of(identity)))
        return false;
    sf_pen_change(pen, NULL, sf_str_of(identity), width, v, v, 6, "");
    return true;
}

static size_t count_unchanged(const struct sf_node *node)
{
    const struct sf_value *attrs = node->recorded ? node->recorded->attrs : NULL;
    size_t n = 0;
    for (size_t i = 0; attrs && i < attrs->map.n; i++)
        n += !is_changed(node, attrs->map.pairs[i].key);
    return n;
}

/* What the resource itself will choose is not said to wait for itself. */
static const struct sf_value *shown(const struct sf_node *node, const struct sf_change *c)
{
    static const struct sf_value own = {.type = SF_V_UNKNOWN};
    const struct sf_value *after = c->after;
    if (!after || after->type != SF_V_UNKNOWN || after->s.n != node->name.n + 1 + strlen(c->attr->name))
        return after;
    return sf_str_starts(after->s, node->name) && sf_str_ends(after->s, sf_str_of(c->attr->name)) ? &own : after;
}

static void guard_lines(struct sf_pen *pen, const struct sf_node *node, int width)
{
    static const struct sf_value off = {.type = SF_V_BOOL}, on = {.type = SF_V_BOOL, .b = true};
    static const struct sf_value destroy = {.type = SF_V_STRING, .s = {"destroy", 7}},
                                 forget = {.type = SF_V_STRING, .s = {"forget", 6}};
    if (!sf_node_changes_guard(node))
        return;
    bool was = node->recorded->is_protected, is = node->resource->is_protected;
    if (was != is)
        sf_pen_change(pen, NULL, SF_STR("protect"), width, was ? &on : &off, is ? &on : &off, 6, "");
    bool forgot = node->recorded->on_remove == SF_ON_REMOVE_FORGET, forgets = node->resource->on_remove == SF_ON_REMOVE_FORGET;
    if (forgot != forgets)
        sf_pen_change(pen, NULL, SF_STR("on_remove"), width, forgot ? &forget : &destroy, forgets ? &forget : &destroy, 6, "");
}

static void body(struct sf_pen *pen, const struct sf_node *node)
{
    int identity = node->schema->identity && node->action != SF_CREATE ? (int)strlen(node->schema->identity) : 0;
    int width = widest(node->changes, node->n_changes, identity);
    bool is_new = node->action == SF_CREATE;
    size_t n_shown = !is_new && identity_line(pen, node, width);
    for (size_t i = 0; i < node->n_changes; i++) {
        const struct sf_change *c = &node->changes[i];
        const char *suffix = c->forces_replacement ? " # forces replacement" : "";
        sf_pen_change(pen, c->attr, sf_str_of(c->attr->name), width, c->before, shown(node, c), 6, suffix);
    }
    if (!is_new)
        guard_lines(pen, node, width);
    if (!is_new)
        sf_pen_hidden(pen, 4, count_unchanged(node) - n_shown, "attribute", "attributes");
}

/* The object stays as it is; what state says of it changes. */
static void render_record(struct sf_pen *pen, const struct sf_node *node)
{
    bool has_moved = node->moved_from.n > 0;
    sf_pen_paint(pen, SF_BOLD);
    sf_buf_addf(pen->out, "  # %.*s ", SF_ARG(has_moved ? node->moved_from : node->address));
    sf_buf_addf(pen->out, has_moved ? "has moved to %.*s" : "will be guarded otherwise", SF_ARG(node->address));
    sf_pen_paint(pen, SF_RESET);
    sf_buf_addf(pen->out, "   (%s:%u)\n    %.*s \"%.*s\" {\n", node->resource->mark.file, node->resource->mark.line,
                SF_ARG(node->kind), SF_ARG(node->name));
    size_t n_shown = identity_line(pen, node, 0);
    guard_lines(pen, node, 0);
    sf_pen_hidden(pen, 4, count_unchanged(node) - n_shown, "attribute", "attributes");
    sf_buf_addz(pen->out, "    }\n\n");
}

void sf_render_node(struct sf_buf *out, const struct sf_run *run, const struct sf_node *node, bool color)
{
    (void)run;
    static const char *const symbols[] = {"  ", "+ ", "~ ", "-/+ ", "- ", ". "};
    struct sf_pen pen = {out, color};
    if (node->action == SF_NOOP) {
        render_record(&pen, node);
        return;
    }
    headline(&pen, node);
    bool is_create_first = node->action == SF_REPLACE && sf_node_is_create_first(node);
    const char *text = is_create_first ? "+/- " : symbols[node->action];
    sf_buf_addf(out, "%*s", node->action == SF_REPLACE ? 0 : 2, "");
    sf_pen_paint(&pen, node->action == SF_CREATE ? SF_GREEN : node->action == SF_UPDATE ? SF_YELLOW : SF_RED);
    sf_buf_addz(out, text);
    sf_pen_paint(&pen, SF_RESET);
    sf_buf_addf(out, "%.*s \"%.*s\" {", SF_ARG(node->kind), SF_ARG(node->name));
    if (node->action == SF_DELETE || node->action == SF_FORGET) {
        sf_buf_addf(out, " id = %.*s }\n\n", SF_ARG(node->recorded->id));
        return;
    }
    sf_buf_addc(out, '\n');
    body(&pen, node);
    sf_buf_addz(out, "    }\n\n");
}

static void render_drift(struct sf_pen *pen, const struct sf_run *run)
{
    bool any = false, any_put_back = false;
    for (size_t i = 0; i < run->graph.n_nodes; i++) {
        const struct sf_node *node = run->graph.nodes[i];
        bool is_gone = node->seen == SF_SEEN_ABSENT && node->recorded && node->reason == SF_REASON_GONE;
        if (!node->n_drift && !is_gone)
            continue;
        if (!any)
            sf_buf_addz(pen->out, "Note: objects have changed outside of sfstack since the last apply:\n\n");
        any = true;
        any_put_back |= is_gone && node->action == SF_CREATE;
        sf_pen_paint(pen, SF_BOLD);
        sf_buf_addf(pen->out, "  # %.*s %s\n", SF_ARG(node->address), is_gone ? "has been deleted" : "has changed");
        sf_pen_paint(pen, SF_RESET);
        int width = widest(node->drift, node->n_drift, 0);
        for (size_t k = 0; k < node->n_drift; k++) {
            const struct sf_change *c = &node->drift[k];
            bool is_put_back = false;
            for (size_t m = 0; m < node->n_changes; m++)
                is_put_back |= node->changes[m].attr == c->attr;
            any_put_back |= is_put_back;
            sf_pen_change(pen, c->attr, sf_str_of(c->attr->name), width, c->before, c->after, 6,
                          is_put_back || run->graph.options.is_refresh_only ? "" : " # recorded, not changed back");
        }
        sf_buf_addc(pen->out, '\n');
    }
    if (any && run->graph.options.is_refresh_only)
        sf_buf_addz(pen->out, "This would be recorded in state; nothing outside would be changed.\n\n");
    else if (any_put_back)
        sf_buf_addz(pen->out, "What the stack file manages is put back by the actions below.\n\n");
}

static void render_unreadable(struct sf_pen *pen, const struct sf_run *run)
{
    for (size_t i = 0; i < run->graph.n_nodes; i++) {
        const struct sf_node *node = run->graph.nodes[i];
        if (node->seen == SF_SEEN_UNREADABLE)
            sf_buf_addf(pen->out, "  # %.*s was not checked: %s\n", SF_ARG(node->address), node->read_err->message);
    }
}

static void render_output_changes(struct sf_pen *pen, const struct sf_run *run)
{
    const struct sf_value *is = run->graph.recorded_outputs, *want = run->graph.outputs;
    bool any = false;
    for (size_t i = 0; want && i < want->map.n; i++) {
        const struct sf_value *was = sf_map_get(is, want->map.pairs[i].key);
        if (was && sf_value_equal(was, want->map.pairs[i].value))
            continue;
        sf_buf_addz(pen->out, any ? "" : "Changes to Outputs:\n");
        any = true;
        sf_pen_change(pen, NULL, want->map.pairs[i].key, 0, was, want->map.pairs[i].value, 2, "");
    }
    for (size_t i = 0; is && i < is->map.n; i++) {
        if (sf_map_get(want, is->map.pairs[i].key) || run->graph.options.is_destroy)
            continue;
        sf_buf_addz(pen->out, any ? "" : "Changes to Outputs:\n");
        any = true;
        sf_pen_change(pen, NULL, is->map.pairs[i].key, 0, is->map.pairs[i].value, NULL, 2, "");
    }
    if (any)
        sf_buf_addc(pen->out, '\n');
}

static void render_notes(struct sf_pen *pen, const struct sf_run *run)
{
    for (const struct sf_note *note = run->notes; note; note = note->next) {
        sf_pen_paint(pen, SF_YELLOW);
        sf_buf_addz(pen->out, "note: ");
        sf_pen_paint(pen, SF_RESET);
        sf_buf_addf(pen->out, "%.*s%s%.*s\n", SF_ARG(note->address), note->address.n ? ": " : "", SF_ARG(note->text));
    }
    if (run->notes)
        sf_buf_addc(pen->out, '\n');
}

static struct sf_review_item *review_items(struct sf_arena *arena, const struct sf_run *run)
{
    struct sf_review_item *items = SF_NEW_ARRAY(arena, run->graph.n_nodes, struct sf_review_item);
    for (size_t i = 0; i < run->graph.n_nodes; i++) {
        const struct sf_node *node = run->graph.nodes[i];
        items[i] = (struct sf_review_item){.address = node->address,
                                           .kind = node->kind,
                                           .action = sf_action_name(node->action),
                                           .before = node->recorded ? node->now.attrs : NULL,
                                           .after = node->action == SF_DELETE ? NULL : node->planned.attrs};
    }
    return items;
}

static void render_heads(struct sf_pen *pen, const struct sf_run *run)
{
    struct sf_arena *arena = sf_arena_new();
    const struct sf_review_item *items = review_items(arena, run);
    size_t before = pen->out->n;
    for (size_t i = 0; sf_reviews[i]; i++)
        if (sf_reviews[i]->head)
            sf_reviews[i]->head(&run->site, items, run->graph.n_nodes, pen->out);
    if (pen->out->n > before || run->site.caller.n)
        sf_buf_addc(pen->out, '\n');
    sf_arena_free(arena);
}

const struct sf_value *sf_render_reviews(struct sf_arena *arena, const struct sf_run *run)
{
    struct sf_value *sections = sf_value_map(arena);
    const struct sf_review_item *items = review_items(arena, run);
    for (size_t i = 0; sf_reviews[i]; i++) {
        struct sf_buf section = SF_BUF(SF_MAX_JSON_BYTES);
        sf_reviews[i]->write(&run->site, items, run->graph.n_nodes, &section);
        if (section.n)
            sf_map_set_str(arena, sections, sf_reviews[i]->title, sf_str_dup(arena, sf_buf_str(&section)));
        sf_buf_free(&section);
    }
    return sections;
}

static void render_reviews(struct sf_pen *pen, const struct sf_run *run)
{
    struct sf_arena *arena = sf_arena_new();
    const struct sf_value *sections = sf_render_reviews(arena, run);
    for (size_t i = 0; i < sections->map.n; i++) {
        sf_pen_paint(pen, SF_BOLD);
        sf_buf_addf(pen->out, "%.*s:\n", SF_ARG(sections->map.pairs[i].key));
        sf_pen_paint(pen, SF_RESET);
        sf_buf_addf(pen->out, "%.*s\n", SF_ARG(sections->map.pairs[i].value->s));
    }
    sf_arena_free(arena);
}

static void summary(struct sf_buf *out, const struct sf_run *run)
{
    struct sf_counts counts = sf_graph_count(&run->graph);
    sf_buf_addf(out, "Plan: %zu to add, %zu to change, %zu to destroy", counts.add, counts.change, counts.destroy);
    if (counts.forget)
        sf_buf_addf(out, ", %zu to forget", counts.forget);
    if (counts.record)
        sf_buf_addf(out, ", %zu only in state", counts.record);
    sf_buf_addz(out, ".\n");
}

static void render_target_note(struct sf_pen *pen, const struct sf_run *run)
{
    if (!run->graph.options.n_targets)
        return;
    sf_pen_paint(pen, SF_YELLOW);
    sf_buf_addz(pen->out, "note: ");
    sf_pen_paint(pen, SF_RESET);
    sf_buf_addz(pen->out, "-target leaves out the rest of the stack; sfplan without it shows what is left to do\n\n");
}

static void render_nothing_to_do(struct sf_pen *pen, const struct sf_run *run)
{
    const struct sf_plan_options *options = &run->graph.options;
    size_t n = 0;
    for (size_t i = 0; i < run->graph.n_nodes; i++)
        n += run->graph.nodes[i]->is_targeted;
    const char *how = options->no_refresh                      ? ", as far as state knows (nothing was read)"
                      : sf_graph_count(&run->graph).unreadable ? ", as far as they could be read"
                      : n == 1                                 ? "; it was read"
                                                               : "; each was read";
    render_target_note(pen, run);
    sf_pen_paint(pen, SF_GREEN);
    sf_buf_addz(pen->out, "No changes.");
    sf_pen_paint(pen, SF_RESET);
    if (options->is_destroy)
        sf_buf_addz(pen->out, " There is nothing to destroy.\n");
    else if (options->is_refresh_only)
        sf_buf_addz(pen->out, " Everything outside is as state says.\n");
    else if (n == 0)
        sf_buf_addz(pen->out, " The stack has no resources.\n");
    else if (n == 1)
        sf_buf_addf(pen->out, " The resource is as the stack file says%s.\n", how);
    else
        sf_buf_addf(pen->out, " All %zu resources are as the stack file says%s.\n", n, how);
}

void sf_render_plan(struct sf_buf *out, const struct sf_run *run, bool color)
{
    struct sf_pen pen = {out, color};
    struct sf_counts counts = sf_graph_count(&run->graph);
    render_heads(&pen, run);
    render_drift(&pen, run);
    render_unreadable(&pen, run);
    if (!sf_graph_has_changes(&run->graph)) {
        render_notes(&pen, run);
        render_nothing_to_do(&pen, run);
        return;
    }
    if (counts.add + counts.change + counts.destroy + counts.forget + counts.record)
        sf_buf_addz(out, "sfstack will do the following:\n\n");
    for (size_t i = 0; i < run->graph.n_nodes; i++) {
        const struct sf_node *node = run->graph.nodes[i];
        if (node->deposed)
            sf_buf_addf(out, "  # %.*s (deposed) will be destroyed\n  - %.*s\n\n", SF_ARG(node->address),
                        SF_ARG(node->deposed->id));
        if (node->action != SF_NOOP || sf_node_changes_record(node))
            sf_render_node(out, run, node, color);
    }
    render_notes(&pen, run);
    render_reviews(&pen, run);
    render_target_note(&pen, run);
    summary(out, run);
    sf_buf_addc(out, '\n');
    render_output_changes(&pen, run);
}

void sf_render_outputs(struct sf_buf *out, const struct sf_value *outputs)
{
    for (size_t i = 0; outputs && i < outputs->map.n; i++) {
        sf_buf_addf(out, "%.*s = ", SF_ARG(outputs->map.pairs[i].key));
        sf_render_value(out, outputs->map.pairs[i].value, 0);
        sf_buf_addc(out, '\n');
    }
}
