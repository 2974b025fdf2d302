/* See ownership.h. */
#include "resources/aws/ownership.h"

const struct sf_aws_tag_names sf_aws_tags_upper = {"Key", "Value"}, sf_aws_tags_lower = {"key", "value"};

#define STACK_TAG "sfstack:stack"
#define ADDRESS_TAG "sfstack:address"
#define INTENT_TAG "sfstack:intent"

static bool is_ours(struct sf_str key)
{
    return sf_str_starts(key, SF_STR("sfstack:"));
}

static bool is_users(struct sf_str key)
{
    return !is_ours(key) && !sf_str_starts(key, SF_STR("aws:"));
}

/* As a tag may hold it: letters, digits, blanks and _ . : / = + - @ (IAM, Tag pattern); the rest, like the quotes of
 * `bucket.x["a"]`, as =5B. */
static struct sf_str mark_text(struct sf_arena *arena, struct sf_str text)
{
    struct sf_buf mark = SF_BUF(1024);
    for (size_t i = 0; i < text.n; i++) {
        unsigned char c = (unsigned char)text.p[i];
        bool is_plain = (c >= '0' && c <= '9') || ((c | 0x20) >= 'a' && (c | 0x20) <= 'z') || strchr("_.:/+-@", c);
        if (is_plain && c)
            sf_buf_addc(&mark, (char)c);
        else
            sf_buf_addf(&mark, "=%02X", c);
    }
    struct sf_str copy = sf_str_dup(arena, sf_buf_str(&mark));
    sf_buf_free(&mark);
    return copy;
}

/* A mark for people to read: what mark_text() made of `bucket.x["a"]`. Only what prints is put back: anybody may write tags. */
static struct sf_str text_of_mark(struct sf_arena *arena, struct sf_str mark)
{
    struct sf_buf text = SF_BUF(1024);
    for (size_t i = 0; i < mark.n; i++) {
        bool is_coded = mark.p[i] == '=' && mark.n - i > 2 && sf_hex_digit(mark.p[i + 1]) >= 0 && sf_hex_digit(mark.p[i + 2]) >= 0;
        int c = is_coded ? sf_hex_digit(mark.p[i + 1]) * 16 + sf_hex_digit(mark.p[i + 2]) : mark.p[i];
        is_coded = is_coded && c >= ' ' && c < 127;
        sf_buf_addc(&text, is_coded ? (char)c : mark.p[i]);
        i += is_coded ? 2 : 0;
    }
    struct sf_str copy = sf_str_dup(arena, sf_buf_str(&text));
    sf_buf_free(&text);
    return copy;
}

static struct sf_str stack_mark(const struct sf_op *op)
{
    return mark_text(op->arena, sf_str_fmt(op->arena, "%.*s/%.*s", SF_ARG(op->site->stack), SF_ARG(op->site->lineage)));
}

/* The map of tags that the resource has when all is well; an intent that is recorded there already stays. */
static const struct sf_value *wanted_tags(struct sf_op *op, const struct sf_value *want, struct sf_str intent)
{
    const struct sf_value *tags = sf_map_getz(want, "tags");
    struct sf_value *map = sf_value_map(op->arena);
    for (size_t i = 0; tags && tags->type == SF_V_MAP && i < tags->map.n; i++)
        if (tags->map.pairs[i].value->type == SF_V_STRING && is_users(tags->map.pairs[i].key))
            sf_map_add(op->arena, map, tags->map.pairs[i].key, tags->map.pairs[i].value);
    sf_map_set_str(op->arena, map, STACK_TAG, stack_mark(op));
    sf_map_set_str(op->arena, map, ADDRESS_TAG, mark_text(op->arena, op->self->address));
    sf_map_set_str(op->arena, map, INTENT_TAG, intent);
    return map;
}

static const struct sf_value *pair_of(struct sf_arena *arena, const struct sf_pair *tag, const struct sf_aws_tag_names *names)
{
    struct sf_value *pair = sf_value_map(arena);
    sf_map_set_str(arena, pair, names->key, tag->key);
    sf_map_set(arena, pair, sf_str_of(names->value), tag->value);
    return pair;
}

const struct sf_value *sf_aws_tags_of(struct sf_op *op, const struct sf_value *want, const struct sf_aws_tag_names *names)
{
    const struct sf_value *map = wanted_tags(op, want, op->intent);
    const struct sf_value **items = SF_NEW_ARRAY(op->arena, map->map.n, const struct sf_value *);
    for (size_t i = 0; i < map->map.n; i++)
        items[i] = pair_of(op->arena, &map->map.pairs[i], names);
    return sf_value_list(op->arena, items, map->map.n);
}

const struct sf_value *sf_aws_tag_map(struct sf_arena *arena, const struct sf_value *list, const struct sf_aws_tag_names *names)
{
    struct sf_value *map = sf_value_map(arena);
    for (size_t i = 0; list && list->type == SF_V_LIST && i < list->list.n; i++) {
        struct sf_str key = sf_map_str(list->list.items[i], names->key);
        if (key.n)
            sf_map_set(arena, map, key, sf_value_str(arena, sf_map_str(list->list.items[i], names->value)));
    }
    return map;
}

const struct sf_value *sf_aws_user_tags(struct sf_arena *arena, const struct sf_value *map)
{
    struct sf_value *users = sf_value_map(arena);
    for (size_t i = 0; map && i < map->map.n; i++)
        if (is_users(map->map.pairs[i].key))
            sf_map_add(arena, users, map->map.pairs[i].key, map->map.pairs[i].value);
    return users;
}

void sf_aws_tag_changes(struct sf_op *op, const struct sf_value *have, const struct sf_value *want,
                        const struct sf_aws_tag_names *names, const struct sf_value **set, const struct sf_value **unset)
{
    struct sf_str intent = sf_map_str(have, INTENT_TAG);
    const struct sf_value *wanted = wanted_tags(op, want, intent.n ? intent : op->intent);
    size_t n_have = have ? have->map.n : 0, n_set = 0, n_unset = 0;
    const struct sf_value **to_set = SF_NEW_ARRAY(op->arena, wanted->map.n, const struct sf_value *);
    const struct sf_value **to_unset = SF_NEW_ARRAY(op->arena, n_have + 1, const struct sf_value *);
    for (size_t i = 0; i < wanted->map.n; i++) {
        const struct sf_pair *tag = &wanted->map.pairs[i];
        const struct sf_value *now = sf_map_get(have, tag->key);
        if (!now || !sf_value_equal(now, tag->value))
            to_set[n_set++] = pair_of(op->arena, tag, names);
    }
    for (size_t i = 0; i < n_have; i++) {
        struct sf_str key = have->map.pairs[i].key;
        if (is_users(key) && !sf_map_get(wanted, key))
            to_unset[n_unset++] = sf_value_str(op->arena, key);
    }
    *set = sf_value_list(op->arena, to_set, n_set);
    *unset = sf_value_list(op->arena, to_unset, n_unset);
}

/* --- whose it is --- */

static enum sf_code fail_foreign(struct sf_op *op, const char *what, const struct sf_value *map, struct sf_err *err)
{
    struct sf_str stack = sf_map_str(map, STACK_TAG), address = sf_map_str(map, ADDRESS_TAG);
    if (!stack.n) {
        sf_fail(err, SF_E_CONFLICT, "%s exists already and carries no mark of a stack", what);
        sf_hint(err, "choose another name, or take it over as it is with `adopt: ID`");
        return SF_E_CONFLICT;
    }
    sf_fail(err, SF_E_CONFLICT, "%s belongs to stack '%.*s' (%.*s)", what, SF_ARG(stack), SF_ARG(text_of_mark(op->arena, address)));
    if (sf_str_starts(stack, mark_text(op->arena, sf_str_fmt(op->arena, "%.*s/", SF_ARG(op->site->stack)))))
        sf_hint(
            err,
            "it was made under an earlier state of this stack: put that state.db back (state.db.backup lies beside it); if it is "
            "lost, take the tag 'sfstack:stack' off by hand and write `adopt: ID`, or choose another name");
    else
        sf_hint(err, "choose another name, or let that stack give it up with `sfdestroy`");
    return SF_E_CONFLICT;
}

enum sf_code sf_aws_check_owner(struct sf_op *op, const char *what, const struct sf_value *map, struct sf_err *err)
{
    struct sf_str address = sf_map_str(map, ADDRESS_TAG), intent = sf_map_str(map, INTENT_TAG);
    /* only find() and create() have an intent and no identity yet, or an intent while planning: what another create made is not
     * theirs */
    bool is_making = op->intent.n && (op->is_planning || !op->self->id.n);
    if (!sf_str_eq(sf_map_str(map, STACK_TAG), stack_mark(op)))
        return fail_foreign(op, what, map, err);
    if (op->intent.n && sf_str_eq(intent, op->intent))
        return SF_OK;
    if (op->self->id.n && !is_making && !op->is_adopting) /* state knows it: another address is what it was called before `moved` */
        return SF_OK;
    if (!sf_str_eq(address, mark_text(op->arena, op->self->address))) {
        sf_fail(err, SF_E_CONFLICT, "%s is '%.*s' of this stack already", what, SF_ARG(text_of_mark(op->arena, address)));
        sf_hint(err, "give the two different names, or rename the resource with `moved`");
        return SF_E_CONFLICT;
    }
    if (!is_making)
        return SF_OK;
    sf_fail(err, SF_E_CONFLICT, "%s was made for '%.*s' of this stack before, and state has lost sight of it", what,
            SF_ARG(op->self->address));
    sf_hint(err, "take it back with `adopt: ID`, or remove it");
    return SF_E_CONFLICT;
}

enum sf_code sf_aws_check_adopted(struct sf_op *op, const char *what, const struct sf_value *map, struct sf_err *err)
{
    return op->is_adopting && sf_map_getz(map, STACK_TAG) ? sf_aws_check_owner(op, what, map, err) : SF_OK;
}

enum sf_code sf_aws_check_found(struct sf_op *op, const char *what, const struct sf_value *map, struct sf_err *err)
{
    return sf_aws_check_owner(op, what, map, err) ? sf_fail(err, SF_E_ABSENT, "%s was not made by this resource", what) : SF_OK;
}
