/* See rules.h. Reads the tree top-down; every complaint carries the place in the file. */
#include "resources/data/conform/rules.h"

#include "engine/core/clock.h"
#include "engine/core/json.h"
#include "resources/data/conform/text.h"

struct reader {
    struct sf_arena *arena;
    struct sf_rules *rules;
    struct sf_err *err;
};

static enum sf_code fail(const struct reader *r, const struct sf_value *at, const char *fmt, ...) SF_PRINTF(3, 4);
static enum sf_code fail(const struct reader *r, const struct sf_value *at, const char *fmt, ...)
{
    va_list ap;
    va_start(ap, fmt);
    struct sf_str text = sf_str_vfmt(r->arena, fmt, ap);
    va_end(ap);
    if (at && at->mark.line)
        sf_fail(r->err, SF_E_CONFIG, "rule file '%s' line %u: %.*s", at->mark.file, at->mark.line, SF_ARG(text));
    else
        sf_fail(r->err, SF_E_CONFIG, "rule file: %.*s", SF_ARG(text));
    sf_hint(r->err, "schemas/data/sf/spending_revenue.yaml shows every key, with comments");
    if (r->err && at)
        r->err->where = at->mark;
    return SF_E_CONFIG;
}

/* No keys but those in `known` (blank-separated). */
static enum sf_code check_keys(const struct reader *r, const struct sf_value *map, const char *what, const char *known)
{
    for (size_t i = 0; i < map->map.n; i++) {
        struct sf_str rest = sf_str_of(known), name = map->map.pairs[i].key;
        bool found = false;
        while (rest.n && !found) {
            size_t blank = sf_str_find(rest, SF_STR(" "));
            found = sf_str_eq(sf_str_slice(rest, 0, blank), name);
            rest = blank == SIZE_MAX ? SF_STR_NONE : sf_str_slice(rest, blank + 1, rest.n);
        }
        if (!found)
            return fail(r, map->map.pairs[i].value, "unknown key '%.*s' in '%s'; known: %s", SF_ARG(name), what, known);
    }
    return SF_OK;
}

/* A map with no keys but those in `known`, or with any if that is NULL. */
static enum sf_code need_map(const struct reader *r, const struct sf_value *parent, const char *key, const char *known,
                             const struct sf_value **out)
{
    const struct sf_value *v = sf_map_getz(parent, key);
    *out = v;
    if (!v || v->type != SF_V_MAP || v->map.n == 0)
        return fail(r, v ? v : parent, "'%s' must be a map", key);
    return known ? check_keys(r, v, key, known) : SF_OK;
}

static bool is_identifier(struct sf_str s)
{
    for (size_t i = 0; i < s.n; i++)
        if (!((s.p[i] >= 'a' && s.p[i] <= 'z') || s.p[i] == '_' || (i && s.p[i] >= '0' && s.p[i] <= '9')))
            return false;
    return s.n > 0 && s.n <= 63;
}

static enum sf_code need_identifier(const struct reader *r, const struct sf_value *map, const char *key, struct sf_str *out)
{
    *out = sf_map_str(map, key);
    if (!is_identifier(*out)) {
        const struct sf_value *v = sf_map_getz(map, key);
        return fail(r, v ? v : map, "'%s' must be a name of a-z, 0-9 and _", key);
    }
    return SF_OK;
}

static enum sf_code need_int(const struct reader *r, const struct sf_value *map, const char *key, int64_t min, int64_t max,
                             int64_t *out)
{
    const struct sf_value *v = sf_map_getz(map, key);
    if (!v || v->type != SF_V_STRING || !sf_str_int64(v->s, out) || *out < min || *out > max)
        return fail(r, v ? v : map, "'%s' must be a number from %lld to %lld", key, (long long)min, (long long)max);
    return SF_OK;
}

static int find_column(const struct sf_rules *rules, struct sf_str name)
{
    for (size_t i = 0; i < rules->n_columns; i++)
        if (sf_str_eq(rules->columns[i].name, name))
            return (int)i;
    return -1;
}

static enum sf_code need_column(const struct reader *r, const struct sf_value *map, const char *key, size_t *out)
{
    struct sf_str name = sf_map_str(map, key);
    int i = find_column(r->rules, name);
    if (i < 0) {
        const struct sf_value *v = sf_map_getz(map, key);
        return fail(r, v ? v : map, "'%s' names no column: '%.*s'", key, SF_ARG(name));
    }
    *out = (size_t)i;
    return SF_OK;
}

static enum sf_code read_column(const struct reader *r, const struct sf_pair *pair)
{
    struct sf_rules *rules = r->rules;
    const struct sf_value *v = pair->value;
    if (rules->n_columns == SF_RULES_MAX_COLUMNS)
        return fail(r, v, "more than %d columns", SF_RULES_MAX_COLUMNS);
    if (v->type != SF_V_MAP || !is_identifier(pair->key))
        return fail(r, v, "column '%.*s' must be a map, and its name one of a-z, 0-9 and _", SF_ARG(pair->key));
    enum sf_code rc = check_keys(r, v, sf_str_dup(r->arena, pair->key).p, "names bytes optional ignored");
    if (rc)
        return rc;
    struct sf_rule_column *column = &rules->columns[rules->n_columns++];
    column->name = pair->key;
    column->names[column->n_names++] = pair->key;
    const struct sf_value *names = sf_map_getz(v, "names");
    for (size_t i = 0; names && names->type == SF_V_LIST && i < names->list.n; i++) {
        if (column->n_names == SF_RULES_MAX_NAMES || names->list.items[i]->type != SF_V_STRING)
            return fail(r, names, "at most %d names a column, each a text", SF_RULES_MAX_NAMES - 1);
        column->names[column->n_names++] = names->list.items[i]->s;
    }
    column->is_optional = sf_str_is(sf_map_str(v, "optional"), "true");
    column->is_ignored = sf_str_is(sf_map_str(v, "ignored"), "true");
    if (sf_map_getz(v, "bytes")) {
        int64_t bytes = 0;
        rc = need_int(r, v, "bytes", 1, SF_RULES_MAX_WIDTH, &bytes);
        if (rc)
            return rc;
        column->max_bytes = (size_t)bytes;
    }
    return SF_OK;
}

static enum sf_code read_measure(const struct reader *r, const struct sf_value *v)
{
    struct sf_rules *rules = r->rules;
    if (rules->n_measures == SF_RULES_MAX_MEASURES)
        return fail(r, v, "more than %d amounts", SF_RULES_MAX_MEASURES);
    struct sf_rule_measure *measure = &rules->measures[rules->n_measures++];
    enum sf_code rc = need_column(r, v, "column", &measure->column);
    const struct sf_value *empty = rc ? NULL : sf_map_getz(v, "empty");
    measure->is_zero_if_empty = empty && empty->type == SF_V_STRING && sf_str_is(empty->s, "0");
    if (empty && !measure->is_zero_if_empty)
        return fail(r, empty, "'empty' can only be 0: what an empty amount counts as");
    if (!rc && rules->columns[measure->column].is_optional && !measure->is_zero_if_empty)
        return fail(r, v, "amount '%.*s' is optional, so it needs 'empty: 0'", SF_ARG(rules->columns[measure->column].name));
    return rc;
}

/* `amount` is one of them, `amounts` a list. */
static enum sf_code read_measures(const struct reader *r, const struct sf_value *facts)
{
    const struct sf_value *one = sf_map_getz(facts, "amount"), *list = sf_map_getz(facts, "amounts");
    if (!one == !list)
        return fail(r, facts, "'facts' needs either 'amount' or 'amounts'");
    if (one && one->type != SF_V_MAP)
        return fail(r, one, "'amount' must be a map");
    if (one)
        return read_measure(r, one);
    if (list->type != SF_V_LIST || list->list.n == 0)
        return fail(r, list, "'amounts' must be a list");
    enum sf_code rc = SF_OK;
    for (size_t i = 0; !rc && i < list->list.n; i++)
        rc = read_measure(r, list->list.items[i]);
    return rc;
}

static enum sf_code read_details(const struct reader *r, const struct sf_value *facts)
{
    struct sf_rules *rules = r->rules;
    const struct sf_value *list = sf_map_getz(facts, "details");
    if (list && (list->type != SF_V_LIST || list->list.n > SF_RULES_MAX_DETAILS))
        return fail(r, list, "'details' must be a list of at most %d columns", SF_RULES_MAX_DETAILS);
    for (size_t i = 0; list && i < list->list.n; i++) {
        const struct sf_value *item = list->list.items[i];
        int column = item->type == SF_V_STRING ? find_column(rules, item->s) : -1;
        if (column < 0 || rules->columns[column].max_bytes == 0)
            return fail(r, item, "'details' names columns that have a width (bytes)");
        rules->details[rules->n_details++] = (size_t)column;
    }
    return SF_OK;
}

static enum sf_code read_facts(const struct reader *r, const struct sf_value *root)
{
    struct sf_rules *rules = r->rules;
    const struct sf_value *facts = NULL, *year = NULL;
    enum sf_code rc = need_map(r, root, "facts", "table key partition year amount amounts details", &facts);
    if (!rc)
        rc = need_identifier(r, facts, "table", &rules->fact_table);
    if (!rc)
        rc = need_identifier(r, facts, "key", &rules->fact_key);
    if (!rc)
        rc = need_identifier(r, facts, "partition", &rules->partition);
    if (!rc)
        rc = need_map(r, facts, "year", "column min max", &year);
    if (!rc)
        rc = need_column(r, year, "column", &rules->year_column);
    int64_t min = 0, max = 0;
    if (!rc)
        rc = need_int(r, year, "min", 1000, 9999, &min);
    if (!rc)
        rc = need_int(r, year, "max", min, min + 199 < 9999 ? min + 199 : 9999, &max);
    if (!rc)
        rc = read_measures(r, facts);
    if (!rc)
        rc = read_details(r, facts);
    rules->min_year = (int)min;
    rules->max_year = (int)max;
    return rc;
}

static enum sf_code read_stamp(const struct reader *r, const struct sf_value *snapshot, const char *key, int *out)
{
    size_t column = 0;
    if (!sf_map_getz(snapshot, key))
        return SF_OK;
    enum sf_code rc = need_column(r, snapshot, key, &column);
    *out = (int)column;
    return rc;
}

/* Of as_of and loaded_at either, both, or neither. */
static enum sf_code read_snapshot(const struct reader *r, const struct sf_value *root)
{
    const struct sf_value *snapshot = NULL;
    r->rules->as_of_column = r->rules->loaded_at_column = -1;
    if (!sf_map_getz(root, "snapshot"))
        return SF_OK;
    enum sf_code rc = need_map(r, root, "snapshot", "as_of loaded_at", &snapshot);
    if (!rc)
        rc = read_stamp(r, snapshot, "as_of", &r->rules->as_of_column);
    if (!rc)
        rc = read_stamp(r, snapshot, "loaded_at", &r->rules->loaded_at_column);
    return rc;
}

static struct sf_str fold(struct sf_arena *arena, struct sf_str s)
{
    char *folded = sf_arena_alloc(arena, s.n + 1);
    return (struct sf_str){folded, sf_text_fold(s, folded)};
}

static enum sf_code read_flag(const struct reader *r, struct sf_rule_dimension *d, const struct sf_value *v)
{
    const struct sf_value *values = NULL;
    enum sf_code rc = need_column(r, v, "column", &d->flag.column);
    if (!rc)
        rc = need_map(r, v, "values", NULL, &values);
    if (rc)
        return rc;
    if (values->map.n > SF_RULES_MAX_FLAG_VALUES)
        return fail(r, values, "at most %d values", SF_RULES_MAX_FLAG_VALUES);
    for (size_t i = 0; i < values->map.n; i++) {
        struct sf_rule_flag_value *value = &d->flag.values[d->flag.n_values++];
        const struct sf_value *accepts = values->map.pairs[i].value;
        value->text = values->map.pairs[i].key;
        value->accepts[value->n_accepts++] = fold(r->arena, value->text);
        for (size_t k = 0; accepts->type == SF_V_LIST && k < accepts->list.n && value->n_accepts < SF_RULES_MAX_NAMES; k++)
            if (accepts->list.items[k]->type == SF_V_STRING)
                value->accepts[value->n_accepts++] = fold(r->arena, accepts->list.items[k]->s);
    }
    d->has_flag = true;
    return SF_OK;
}

static enum sf_code read_level(const struct reader *r, struct sf_rule_dimension *d, const struct sf_value *v)
{
    if (d->n_levels == SF_RULES_MAX_LEVELS)
        return fail(r, v, "more than %d levels", SF_RULES_MAX_LEVELS);
    struct sf_rule_level *level = &d->levels[d->n_levels++];
    enum sf_code rc = need_column(r, v, "name", &level->name);
    level->has_code = sf_map_getz(v, "code") != NULL;
    if (!rc && level->has_code)
        rc = need_column(r, v, "code", &level->code);
    struct sf_str label = sf_map_str(v, "label");
    if (!rc && label.n == 0)
        rc = fail(r, v, "a level needs a label: what an empty name becomes");
    level->no_name = sf_str_fmt(r->arena, "No %.*s", SF_ARG(label));
    level->no_code = sf_str_fmt(r->arena, "No %.*s Code", SF_ARG(label));
    return rc;
}

static enum sf_code read_dimension(const struct reader *r, const struct sf_pair *pair)
{
    struct sf_rules *rules = r->rules;
    const struct sf_value *v = pair->value;
    if (rules->n_dimensions == SF_RULES_MAX_DIMENSIONS)
        return fail(r, v, "more than %d dimensions", SF_RULES_MAX_DIMENSIONS);
    struct sf_rule_dimension *d = &rules->dimensions[rules->n_dimensions++];
    d->name = pair->key;
    const struct sf_value *levels = sf_map_getz(v, "levels"), *flag = sf_map_getz(v, "flag");
    if (!is_identifier(d->name) || !levels || levels->type != SF_V_LIST || levels->list.n == 0)
        return fail(r, v, "dimension '%.*s' needs a name of a-z, 0-9 and _, and a list of levels", SF_ARG(pair->key));
    enum sf_code rc = need_identifier(r, v, "key", &d->key);
    for (size_t i = 0; !rc && i < levels->list.n; i++)
        rc = read_level(r, d, levels->list.items[i]);
    if (!rc && flag)
        rc = read_flag(r, d, flag);
    if (rc)
        return rc;
    for (size_t c = 0; c < rules->n_columns; c++) {
        bool is_used = d->has_flag && d->flag.column == c;
        for (size_t i = 0; i < d->n_levels; i++)
            is_used |= d->levels[i].name == c || (d->levels[i].has_code && d->levels[i].code == c);
        if (is_used)
            d->columns[d->n_columns++] = c;
        if (is_used && rules->columns[c].max_bytes == 0)
            return fail(r, v, "column '%.*s' of dimension '%.*s' needs a width (bytes)", SF_ARG(rules->columns[c].name),
                        SF_ARG(d->name));
    }
    size_t n_columns = d->n_levels + d->has_flag;
    for (size_t i = 0; i < d->n_levels; i++)
        n_columns += d->levels[i].has_code;
    if (d->n_columns != n_columns)
        return fail(r, v, "dimension '%.*s' uses a column twice", SF_ARG(d->name));
    return SF_OK;
}

static enum sf_code read_sides(const struct reader *r, const struct sf_value *root)
{
    struct sf_rules *rules = r->rules;
    const struct sf_value *sides = NULL, *values = NULL;
    if (!sf_map_getz(root, "sides"))
        return SF_OK;
    enum sf_code rc = need_map(r, root, "sides", "table key column values", &sides);
    if (!rc)
        rc = need_identifier(r, sides, "table", &rules->side_table);
    if (!rc)
        rc = need_identifier(r, sides, "key", &rules->side_key);
    if (!rc)
        rc = need_column(r, sides, "column", &rules->side_column);
    if (!rc)
        rc = need_map(r, sides, "values", NULL, &values);
    if (rc)
        return rc;
    if (values->map.n > SF_RULES_MAX_SIDES)
        return fail(r, values, "at most %d sides", SF_RULES_MAX_SIDES);
    for (size_t i = 0; i < values->map.n; i++) {
        const struct sf_value *text = values->map.pairs[i].value;
        struct sf_rule_side *side = &rules->sides[rules->n_sides++];
        if (text->type != SF_V_STRING || !sf_str_int64(values->map.pairs[i].key, &side->id) || side->id < 1)
            return fail(r, text, "a side is a key from 1 and a text");
        side->text = text->s;
        side->folded = fold(r->arena, text->s);
    }
    return SF_OK;
}

static enum sf_code read_eras(const struct reader *r, const struct sf_value *root)
{
    struct sf_rules *rules = r->rules;
    rules->current_from = rules->min_year;
    const struct sf_value *eras = sf_map_getz(root, "eras");
    if (!eras)
        return SF_OK;
    if (eras->type != SF_V_LIST)
        return fail(r, eras, "'eras' must be a list");
    int64_t through = 0;
    for (size_t i = 0; i < eras->list.n; i++) {
        const struct sf_value *era = eras->list.items[i];
        int64_t from = rules->min_year;
        enum sf_code rc = i ? need_int(r, era, "from", rules->min_year, rules->max_year, &from) : SF_OK;
        if (!rc && i && from != through + 1)
            rc = fail(r, era, "an era begins in the year after the one before it ends");
        if (!rc && i + 1 < eras->list.n)
            rc = need_int(r, era, "through", from, rules->max_year, &through);
        if (rc)
            return rc;
        rules->current_from = (int)from;
    }
    return SF_OK;
}

static enum sf_code read_crosswalk(const struct reader *r, const struct sf_value *root)
{
    struct sf_rules *rules = r->rules;
    if (!sf_map_getz(root, "crosswalk"))
        return SF_OK;
    const struct sf_value *v = NULL;
    enum sf_code rc = need_map(r, root, "crosswalk", "table dimension legacy_key current_key", &v);
    if (!rc)
        rc = need_identifier(r, v, "table", &rules->crosswalk_table);
    if (!rc)
        rc = need_identifier(r, v, "legacy_key", &rules->legacy_key);
    if (!rc)
        rc = need_identifier(r, v, "current_key", &rules->current_key);
    if (rc)
        return rc;
    rules->has_crosswalk = true;
    size_t i = 0;
    while (i < rules->n_dimensions && !sf_str_eq(rules->dimensions[i].name, sf_map_str(v, "dimension")))
        i++;
    if (i == rules->n_dimensions)
        return fail(r, v, "'dimension' names no dimension");
    if (!rules->dimensions[i].levels[rules->dimensions[i].n_levels - 1].has_code)
        return fail(r, v, "'dimension' must name one whose lowest level has a code");
    rules->crosswalk_dimension = i;
    return SF_OK;
}

static enum sf_code read_aliases(const struct reader *r, const struct sf_value *root)
{
    const struct sf_value *aliases = NULL;
    if (!sf_map_getz(root, "aliases"))
        return SF_OK;
    enum sf_code rc = need_map(r, root, "aliases", "table", &aliases);
    return rc ? rc : need_identifier(r, aliases, "table", &r->rules->alias_table);
}

static bool is_used(const struct sf_rules *rules, size_t column)
{
    bool used = column == rules->year_column || (rules->n_sides && column == rules->side_column) ||
                (int)column == rules->as_of_column || (int)column == rules->loaded_at_column;
    for (size_t i = 0; i < rules->n_measures; i++)
        used |= rules->measures[i].column == column;
    for (size_t i = 0; i < rules->n_details; i++)
        used |= rules->details[i] == column;
    for (size_t d = 0; d < rules->n_dimensions; d++)
        for (size_t i = 0; i < rules->dimensions[d].n_columns; i++)
            used |= rules->dimensions[d].columns[i] == column;
    return used;
}

/* What is not said to be left out is not left out by mistake. */
static enum sf_code check_columns(const struct reader *r, const struct sf_value *columns)
{
    for (size_t i = 0; i < r->rules->n_columns; i++) {
        const struct sf_rule_column *column = &r->rules->columns[i];
        bool used = is_used(r->rules, i);
        if (used == column->is_ignored)
            return fail(r, columns->map.pairs[i].value,
                        used ? "column '%.*s' is used, so it cannot be 'ignored: true'"
                             : "column '%.*s' is used nowhere: use it, or say 'ignored: true'",
                        SF_ARG(column->name));
    }
    return SF_OK;
}

static enum sf_code read_all(const struct reader *r, const struct sf_value *root)
{
    static const char keys[] = "rules columns facts snapshot dimensions sides eras aliases crosswalk";
    const struct sf_value *columns = NULL, *dimensions = NULL;
    if (root->type != SF_V_MAP || !sf_str_is(sf_map_str(root, "rules"), "1"))
        return fail(r, root, "this program reads rules of version 1: it must begin with 'rules: 1'");
    enum sf_code rc = check_keys(r, root, "rules", keys);
    if (!rc)
        rc = need_map(r, root, "columns", NULL, &columns);
    for (size_t i = 0; !rc && i < columns->map.n; i++)
        rc = read_column(r, &columns->map.pairs[i]);
    if (!rc)
        rc = read_facts(r, root);
    if (!rc)
        rc = read_snapshot(r, root);
    if (!rc)
        rc = need_map(r, root, "dimensions", NULL, &dimensions);
    for (size_t i = 0; !rc && i < dimensions->map.n; i++)
        rc = read_dimension(r, &dimensions->map.pairs[i]);
    if (!rc)
        rc = read_sides(r, root);
    if (!rc)
        rc = read_eras(r, root);
    if (!rc)
        rc = read_aliases(r, root);
    if (!rc)
        rc = read_crosswalk(r, root);
    return rc ? rc : check_columns(r, columns);
}

enum sf_code sf_rules_read(struct sf_arena *arena, const struct sf_value *root, const struct sf_rules **out, struct sf_err *err)
{
    struct reader r = {arena, SF_NEW(arena, struct sf_rules), err};
    enum sf_code rc = read_all(&r, root);
    if (rc)
        return rc;
    struct sf_str text = sf_json_text(arena, root, SF_JSON_PLAIN);
    struct sf_str both = sf_str_fmt(arena, "conform %s\n%.*s", SF_CONFORM_VERSION, SF_ARG(text));
    r.rules->hash = sf_str_slice(sf_sha256_hex(arena, both), 0, 16);
    *out = r.rules;
    return SF_OK;
}

const struct sf_rules *sf_rules_under(struct sf_arena *arena, const struct sf_rules *rules, enum sf_contract contract)
{
    if (contract == rules->contract)
        return rules;
    struct sf_rules *other = SF_NEW(arena, struct sf_rules);
    *other = *rules;
    other->contract = contract;
    struct sf_str both = sf_str_fmt(arena, "contract %d\n%.*s", (int)contract, SF_ARG(rules->hash));
    other->hash = sf_str_slice(sf_sha256_hex(arena, both), 0, 16);
    return other;
}
