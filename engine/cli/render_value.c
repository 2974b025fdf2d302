/* See render_value.h. */
#include "engine/cli/render_value.h"

enum { COMPACT_LEAVES = 16, MAX_PAIRS = 1000000 };

void sf_pen_paint(struct sf_pen *pen, const char *code)
{
    if (pen->color)
        sf_buf_addz(pen->out, code);
}

static void symbol(struct sf_pen *pen, int indent, char c)
{
    sf_buf_addf(pen->out, "%*s", indent, "");
    sf_pen_paint(pen, c == '+' ? SF_GREEN : c == '-' ? SF_RED : c == '~' ? SF_YELLOW : "");
    sf_buf_addc(pen->out, c);
    sf_pen_paint(pen, c == ' ' ? "" : SF_RESET);
    sf_buf_addc(pen->out, ' ');
}

static bool is_scalar(const struct sf_value *v)
{
    return v->type != SF_V_LIST && v->type != SF_V_MAP;
}

static void scalar(struct sf_buf *out, const struct sf_value *v)
{
    /* an unknown without a source is the resource's own: there is nothing more to say */
    if (v->is_secret)
        sf_buf_addz(out, "(secret)");
    else if (v->type == SF_V_UNKNOWN)
        sf_buf_addf(out, v->s.n ? "(known after apply: %.*s)" : "(known after apply)", SF_ARG(v->s));
    else
        sf_json_write(out, v, SF_JSON_PLAIN);
}

static bool is_flat(const struct sf_value *v)
{
    if (v->type != SF_V_LIST || v->list.n > 6)
        return false;
    for (size_t i = 0; i < v->list.n; i++)
        if (!is_scalar(v->list.items[i]))
            return false;
    return true;
}

static void tree(struct sf_buf *out, const struct sf_value *v, int indent, const char *lead)
{
    if (is_scalar(v)) {
        scalar(out, v);
        return;
    }
    if (is_flat(v)) {
        sf_buf_addc(out, '[');
        for (size_t i = 0; i < v->list.n; i++) {
            sf_buf_addz(out, i ? ", " : "");
            scalar(out, v->list.items[i]);
        }
        sf_buf_addc(out, ']');
        return;
    }
    size_t n = v->type == SF_V_LIST ? v->list.n : v->map.n;
    if (n == 0) {
        sf_buf_addz(out, v->type == SF_V_LIST ? "[]" : "{}");
        return;
    }
    sf_buf_addc(out, v->type == SF_V_LIST ? '[' : '{');
    sf_buf_addc(out, '\n');
    for (size_t i = 0; i < n; i++) {
        sf_buf_addf(out, "%*s%s", indent + 4, "", lead);
        if (v->type == SF_V_MAP)
            sf_buf_addf(out, "%.*s = ", SF_ARG(v->map.pairs[i].key));
        tree(out, v->type == SF_V_LIST ? v->list.items[i] : v->map.pairs[i].value, indent + 4, lead);
        sf_buf_addc(out, '\n');
    }
    sf_buf_addf(out, "%*s%s%c", indent, "", *lead ? "  " : "", v->type == SF_V_LIST ? ']' : '}');
}

void sf_render_value(struct sf_buf *out, const struct sf_value *v, int indent)
{
    tree(out, v, indent, "");
}

static size_t count_leaves(const struct sf_value *v)
{
    size_t n = is_scalar(v);
    for (size_t i = 0; v->type == SF_V_LIST && i < v->list.n; i++)
        n += count_leaves(v->list.items[i]);
    for (size_t i = 0; v->type == SF_V_MAP && i < v->map.n; i++)
        n += count_leaves(v->map.pairs[i].value);
    return n;
}

/* Derived tables of many entries are counted, not listed, where much of them is new or another: the Data section says what is in
 * them, and -json has it all. */
static bool is_compacted(const struct sf_attr *attr, size_t n_leaves)
{
    return attr && attr->derive && n_leaves > COMPACT_LEAVES;
}

/* Leaves that a change of one value into the other would list. */
static size_t count_changed(const struct sf_value *before, const struct sf_value *after)
{
    if (sf_value_equal(before, after))
        return 0;
    if (is_scalar(before) && is_scalar(after))
        return 1;
    if (before->type != SF_V_MAP || after->type != SF_V_MAP)
        return count_leaves(before) + count_leaves(after);
    size_t n = 0;
    for (size_t i = 0; i < after->map.n; i++) {
        const struct sf_value *was = sf_map_get(before, after->map.pairs[i].key);
        n += was ? count_changed(was, after->map.pairs[i].value) : count_leaves(after->map.pairs[i].value);
    }
    for (size_t i = 0; i < before->map.n; i++)
        if (!sf_map_get(after, before->map.pairs[i].key))
            n += count_leaves(before->map.pairs[i].value);
    return n;
}

static void count_line(struct sf_buf *out, const struct sf_value *v)
{
    size_t n = v->type == SF_V_LIST ? v->list.n : v->map.n;
    sf_buf_addf(out, "(%zu %s", n, n == 1 ? "entry" : "entries");
}

static void whole(struct sf_pen *pen, const struct sf_attr *attr, const struct sf_value *v, int indent, const char *lead)
{
    if (!is_compacted(attr, count_leaves(v))) {
        tree(pen->out, v, indent, lead);
        return;
    }
    count_line(pen->out, v);
    sf_buf_addc(pen->out, ')');
}

/* "(29 entries: 1 new, 2 changed)" */
static void counted_change(struct sf_pen *pen, const struct sf_value *before, const struct sf_value *after)
{
    count_line(pen->out, after);
    size_t n_new = 0, n_gone = 0, n_changed = 0;
    for (size_t i = 0; after->type == SF_V_MAP && i < after->map.n; i++) {
        const struct sf_value *was = sf_map_get(before, after->map.pairs[i].key);
        n_new += !was;
        n_changed += was && !sf_value_equal(was, after->map.pairs[i].value);
    }
    for (size_t i = 0; before->type == SF_V_MAP && i < before->map.n; i++)
        n_gone += !sf_map_get(after, before->map.pairs[i].key);
    const struct {
        size_t n;
        const char *what;
    } parts[] = {{n_new, "new"}, {n_changed, "changed"}, {n_gone, "gone"}};
    const char *between = ": ";
    for (size_t i = 0; i < SF_COUNT(parts); i++) {
        if (parts[i].n == 0)
            continue;
        sf_buf_addf(pen->out, "%s%zu %s", between, parts[i].n, parts[i].what);
        between = ", ";
    }
    sf_buf_addz(pen->out, after->type == SF_V_LIST ? ", not as before)" : ")");
}

void sf_pen_hidden(struct sf_pen *pen, int indent, size_t n, const char *one, const char *many)
{
    if (n)
        sf_buf_addf(pen->out, "%*s# (%zu unchanged %s hidden)\n", indent + 2, "", n, n == 1 ? one : many);
}

static bool identifies(struct sf_str key)
{
    return sf_str_is(key, "Sid") || sf_str_is(key, "name") || sf_str_is(key, "id") || sf_str_is(key, "port");
}

static void map_change(struct sf_pen *pen, const struct sf_value *before, const struct sf_value *after, int indent)
{
    size_t same = 0;
    int width = 0;
    for (size_t i = 0; i < after->map.n; i++)
        if ((int)after->map.pairs[i].key.n > width)
            width = (int)after->map.pairs[i].key.n;
    for (size_t i = 0; i < before->map.n; i++) {
        struct sf_str key = before->map.pairs[i].key;
        if (!sf_map_get(after, key))
            sf_pen_change(pen, NULL, key, width, before->map.pairs[i].value, NULL, indent, "");
    }
    for (size_t i = 0; i < after->map.n; i++) {
        const struct sf_pair *pair = &after->map.pairs[i];
        const struct sf_value *was = sf_map_get(before, pair->key);
        if (was && sf_value_equal(was, pair->value)) {
            if (identifies(pair->key))
                sf_pen_change(pen, NULL, pair->key, width, was, was, indent, "");
            else
                same++;
            continue;
        }
        sf_pen_change(pen, NULL, pair->key, width, was, pair->value, indent, "");
    }
    sf_pen_hidden(pen, indent, same, "entry", "entries");
}

static struct sf_str key_of_item(const struct sf_value *item)
{
    struct sf_str key = sf_map_str(item, "Sid");
    return key.n ? key : sf_map_str(item, "name");
}

/* How sure it is that two items are the same thing, before and after: 0 is not at all. Rules of another port are never. */
static int likeness(const struct sf_value *a, const struct sf_value *b)
{
    if (sf_value_equal(a, b))
        return 3;
    if (a->type != SF_V_MAP || b->type != SF_V_MAP)
        return 0;
    struct sf_str key = key_of_item(a), other = key_of_item(b);
    const struct sf_value *port = sf_map_getz(a, "port"), *other_port = sf_map_getz(b, "port");
    if (key.n || other.n)
        return sf_str_eq(key, other) ? 2 : 0;
    if (port || other_port)
        return port && other_port && sf_value_equal(port, other_port) ? 2 : 0;
    return 1;
}

/* Pairs the items of two lists, the surest first; was_of[i] is the index + 1 of what after's item i was, 0 for none. */
static void pair_items(const struct sf_value *before, const struct sf_value *after, size_t *was_of, bool *is_taken)
{
    if (after->list.n && before->list.n > MAX_PAIRS / after->list.n) { /* too many to try: by their places */
        for (size_t i = 0; i < after->list.n && i < before->list.n; i++)
            was_of[i] = likeness(before->list.items[i], after->list.items[i]) ? i + 1 : 0;
        for (size_t i = 0; i < after->list.n; i++)
            if (was_of[i])
                is_taken[i] = true;
        return;
    }
    for (int level = 3; level > 0; level--)
        for (size_t i = 0; i < after->list.n; i++)
            for (size_t k = 0; k < before->list.n && !was_of[i]; k++)
                if (!is_taken[k] && likeness(before->list.items[k], after->list.items[i]) >= level) {
                    is_taken[k] = true;
                    was_of[i] = k + 1;
                }
}

static void list_item(struct sf_pen *pen, char c, const struct sf_value *item, int indent)
{
    symbol(pen, indent, c);
    tree(pen->out, item, indent, "  ");
    sf_buf_addc(pen->out, '\n');
}

static void list_change(struct sf_pen *pen, const struct sf_value *before, const struct sf_value *after, int indent)
{
    struct sf_arena *arena = sf_arena_new();
    size_t *was_of = SF_NEW_ARRAY(arena, after->list.n, size_t), same = 0;
    bool *is_taken = SF_NEW_ARRAY(arena, before->list.n, bool);
    pair_items(before, after, was_of, is_taken);
    for (size_t i = 0; i < before->list.n; i++)
        if (!is_taken[i])
            list_item(pen, '-', before->list.items[i], indent);
    for (size_t i = 0; i < after->list.n; i++) {
        const struct sf_value *item = after->list.items[i], *was = was_of[i] ? before->list.items[was_of[i] - 1] : NULL;
        if (!was) {
            list_item(pen, '+', item, indent);
        } else if (sf_value_equal(was, item)) {
            same++;
        } else {
            symbol(pen, indent, '~');
            sf_buf_addz(pen->out, "{\n");
            map_change(pen, was, item, indent + 4);
            sf_buf_addf(pen->out, "%*s}\n", indent + 2, "");
        }
    }
    sf_pen_hidden(pen, indent, same, "element", "elements");
    sf_arena_free(arena);
}

void sf_pen_change(struct sf_pen *pen, const struct sf_attr *attr, struct sf_str key, int width, const struct sf_value *before,
                   const struct sf_value *after, int indent, const char *suffix)
{
    struct sf_buf *out = pen->out;
    char c = !before ? '+' : !after ? '-' : before == after ? ' ' : '~';
    symbol(pen, indent, c);
    sf_buf_addf(out, "%-*.*s = ", width, SF_ARG(key));
    if (c == '+' || c == ' ') {
        whole(pen, attr, after, indent, c == '+' ? "+ " : "  ");
    } else if (c == '-') {
        whole(pen, attr, before, indent, "- ");
        if (is_scalar(before))
            sf_buf_addz(out, " -> null");
    } else if (before->is_secret || after->is_secret) {
        sf_buf_addz(out, "(secret, changed)");
    } else if (before->type == after->type && !is_scalar(after) && is_compacted(attr, count_changed(before, after))) {
        counted_change(pen, before, after);
    } else if (before->type == after->type && !is_scalar(after)) {
        bool is_list = after->type == SF_V_LIST;
        sf_buf_addf(out, "%c%s\n", is_list ? '[' : '{', suffix);
        if (is_list)
            list_change(pen, before, after, indent + 4);
        else
            map_change(pen, before, after, indent + 4);
        sf_buf_addf(out, "%*s%c\n", indent + 2, "", is_list ? ']' : '}');
        return;
    } else {
        if (attr && attr->is_computed && !is_scalar(before)) { /* what it was is of no more use */
            count_line(out, before);
            sf_buf_addc(out, ')');
        } else {
            tree(out, before, indent, "");
        }
        sf_buf_addz(out, " -> ");
        tree(out, after, indent, "");
    }
    sf_buf_addf(out, "%s\n", suffix);
}
