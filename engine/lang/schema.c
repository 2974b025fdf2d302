/* See schema.h. Typing and checking of values by the schema; what two values have in common is in equal.c, the named
 * validators are in check.c. Every complaint is reported, so a file is mended in one go. */
#include "engine/lang/schema.h"

#include "engine/core/json.h"
#include "engine/lang/check.h"

#include <stdlib.h>

/* What one attribute may hold. References to known values can nest and multiply what is written (each resource holding its
 * predecessor three times over), so a small file must not become a value that no memory and no state row can take. */
enum { MAX_VALUE_PARTS = 200000, MAX_VALUE_BYTES = 16 * 1024 * 1024, MAX_VALUE_DEPTH = SF_MAX_JSON_DEPTH - 16 };

static int compare_kind(const void *key, const void *item)
{
    return sf_str_cmp(*(const struct sf_str *)key, sf_str_of((*(const struct sf_schema *const *)item)->kind));
}

const struct sf_schema *sf_schema_find(struct sf_str kind)
{
    const struct sf_schema *const *hit = bsearch(&kind, sf_schemas, sf_schemas_count, sizeof(struct sf_schema *), compare_kind);
    return hit ? *hit : NULL;
}

const struct sf_timeouts *sf_schema_timeouts(const struct sf_schema *schema, struct sf_str world)
{
    const struct sf_timeouts *own = &schema->timeouts[1];
    return own->world && sf_str_is(world, own->world) ? own : &schema->timeouts[0];
}

int sf_schema_attr(const struct sf_schema *schema, struct sf_str name)
{
    for (size_t i = 0; i < schema->n_attrs; i++)
        if (sf_str_is(name, schema->attrs[i].name))
            return (int)i;
    return -1;
}

/* --- typing --- */

/* Where a value stands, made into text only for a complaint. */
struct place {
    const struct place *up;
    const char *name; /* of an attribute, field or key; NULL: an index */
    size_t index;
};

struct typer {
    struct sf_arena *arena;
    struct sf_diags *diags;
};

static enum sf_code type_value(const struct typer *t, const struct sf_attr *attr, const struct place *place,
                               const struct sf_value *raw, const struct sf_value **out);

static void put_place(struct sf_buf *buf, const struct place *place)
{
    if (place->up)
        put_place(buf, place->up);
    if (place->name)
        sf_buf_addf(buf, "%s%s", place->up ? "." : "", place->name);
    else
        sf_buf_addf(buf, "[%zu]", place->index);
}

static const char *place_text(const struct typer *t, const struct place *place)
{
    if (!place->up && place->name)
        return place->name;
    struct sf_buf buf = SF_BUF(512);
    put_place(&buf, place);
    const char *text = sf_str_dup(t->arena, sf_buf_str(&buf)).p;
    sf_buf_free(&buf);
    return text;
}

static const char *article_type(enum sf_attr_type type)
{
    switch (type) {
    case SF_T_STRING:
        return "text";
    case SF_T_BOOL:
        return "true or false";
    case SF_T_INT:
        return "a whole number";
    case SF_T_LIST:
        return "a list";
    case SF_T_MAP:
    case SF_T_OBJECT:
        return "a map";
    case SF_T_JSON:
    case SF_T_ANY:
        return "a value";
    case SF_T_REF:
        return "the name of a resource";
    }
    return "";
}

static enum sf_code wrong_type(const struct typer *t, const struct sf_attr *attr, const struct place *place,
                               const struct sf_value *raw)
{
    const char *what = place_text(t, place);
    if (raw->type == SF_V_STRING)
        sf_diag_error(t->diags, "SF0220", raw->mark, "%s: must be %s, not '%.*s'", what, article_type(attr->type),
                      SF_ARG(sf_str_slice(raw->s, 0, 64)));
    else
        sf_diag_error(t->diags, "SF0220", raw->mark, "%s: must be %s, not %s %s", what, article_type(attr->type),
                      raw->type == SF_V_INT ? "an" : "a", sf_value_type_name(raw->type));
    if (attr->type == SF_T_LIST && raw->type == SF_V_STRING)
        sf_diag_help(t->diags, "a list is written [a, b]");
    return SF_E_CONFIG;
}

static struct sf_value *typed_like(const struct typer *t, const struct sf_value *raw, enum sf_value_type type)
{
    struct sf_value *v = SF_NEW(t->arena, struct sf_value);
    v->type = type;
    v->mark = raw->mark;
    return v;
}

static const struct sf_value *typed_text(const struct typer *t, const struct sf_value *raw, struct sf_str text)
{
    if (raw->type == SF_V_STRING && !raw->is_plain)
        return raw;
    struct sf_value *v = typed_like(t, raw, SF_V_STRING); /* no longer plain: nobody may type it again */
    v->s = text;
    return v;
}

/* Says nothing of the text, which may be a secret. */
static enum sf_code check_length(const struct typer *t, const struct sf_attr *attr, const struct place *place,
                                 const struct sf_value *raw, struct sf_str s)
{
    int64_t n = 0;
    for (size_t i = 0; i < s.n && (attr->has_min || attr->has_max); i++)
        n += ((unsigned char)s.p[i] & 0xc0) != 0x80;
    if (attr->has_min && n < attr->min)
        return sf_diag_error(t->diags, "SF0223", raw->mark, "%s: shorter than %lld characters", place_text(t, place),
                             (long long)attr->min);
    if (attr->has_max && n > attr->max)
        return sf_diag_error(t->diags, "SF0223", raw->mark, "%s: longer than %lld characters", place_text(t, place),
                             (long long)attr->max);
    return SF_OK;
}

static enum sf_code type_string(const struct typer *t, const struct sf_attr *attr, const struct place *place,
                                const struct sf_value *raw, const struct sf_value **out)
{
    if (raw->type == SF_V_STRING || raw->type == SF_V_NUMBER)
        *out = typed_text(t, raw, raw->s);
    else if (raw->type == SF_V_INT)
        *out = typed_text(t, raw, sf_str_fmt(t->arena, "%lld", (long long)raw->i));
    else if (raw->type == SF_V_BOOL)
        *out = typed_text(t, raw, raw->b ? SF_STR("true") : SF_STR("false"));
    else
        return wrong_type(t, attr, place, raw);
    struct sf_str s = (*out)->s;
    enum sf_code rc = check_length(t, attr, place, raw, s);
    if (rc)
        return rc;
    if (!attr->enums)
        return SF_OK;
    struct sf_str names[64];
    size_t n = 0;
    for (; n < SF_COUNT(names) && attr->enums[n]; n++) {
        names[n] = sf_str_of(attr->enums[n]);
        if (sf_str_eq(names[n], s))
            return SF_OK;
    }
    sf_diag_error(t->diags, "SF0224", raw->mark, "%s: cannot be '%.*s'", place_text(t, place), SF_ARG(sf_str_slice(s, 0, 64)));
    sf_diag_help_nearest(t->diags, s, names, n);
    return SF_E_CONFIG;
}

static enum sf_code type_int(const struct typer *t, const struct sf_attr *attr, const struct place *place,
                             const struct sf_value *raw, const struct sf_value **out)
{
    int64_t i;
    if (raw->type == SF_V_INT) {
        i = raw->i;
        *out = raw;
    } else {
        if (raw->type != SF_V_STRING || !sf_str_int64(raw->s, &i))
            return wrong_type(t, attr, place, raw);
        struct sf_str digits = raw->s.p[0] == '-' ? sf_str_slice(raw->s, 1, raw->s.n) : raw->s;
        if (digits.n > 1 && digits.p[0] == '0') {
            wrong_type(t, attr, place, raw);
            sf_diag_help(t->diags, "is it octal or not? write %lld without the 0 in front", (long long)i);
            return SF_E_CONFIG;
        }
        struct sf_value *v = typed_like(t, raw, SF_V_INT);
        v->i = i;
        *out = v;
    }
    if (attr->has_min && i < attr->min)
        return sf_diag_error(t->diags, "SF0223", raw->mark, "%s: %lld is below %lld", place_text(t, place), (long long)i,
                             (long long)attr->min);
    if (attr->has_max && i > attr->max)
        return sf_diag_error(t->diags, "SF0223", raw->mark, "%s: %lld is above %lld", place_text(t, place), (long long)i,
                             (long long)attr->max);
    return SF_OK;
}

static enum sf_code type_bool(const struct typer *t, const struct sf_attr *attr, const struct place *place,
                              const struct sf_value *raw, const struct sf_value **out)
{
    *out = raw;
    if (raw->type == SF_V_BOOL)
        return SF_OK;
    bool is_true = raw->type == SF_V_STRING && sf_str_is(raw->s, "true");
    if (is_true || (raw->type == SF_V_STRING && sf_str_is(raw->s, "false"))) {
        struct sf_value *v = typed_like(t, raw, SF_V_BOOL);
        v->b = is_true;
        *out = v;
        return SF_OK;
    }
    return wrong_type(t, attr, place, raw);
}

static bool is_json_number(struct sf_str s)
{
    size_t i = s.n && s.p[0] == '-', from = i;
    while (i < s.n && s.p[i] >= '0' && s.p[i] <= '9')
        i++;
    if (i == from || (i - from > 1 && s.p[from] == '0'))
        return false;
    if (i < s.n && s.p[i] == '.') {
        from = ++i;
        while (i < s.n && s.p[i] >= '0' && s.p[i] <= '9')
            i++;
        if (i == from)
            return false;
    }
    if (i < s.n && (s.p[i] == 'e' || s.p[i] == 'E')) {
        i++;
        i += i < s.n && (s.p[i] == '+' || s.p[i] == '-');
        from = i;
        while (i < s.n && s.p[i] >= '0' && s.p[i] <= '9')
            i++;
        if (i == from)
            return false;
    }
    return i == s.n;
}

/* A plain scalar of a json attribute: true, false, null and JSON's numbers are typed, all else is text. */
static const struct sf_value *type_free_scalar(const struct typer *t, const struct sf_value *raw)
{
    if (raw->type != SF_V_STRING || !raw->is_plain)
        return raw;
    struct sf_value *v;
    int64_t i;
    if (sf_str_is(raw->s, "null"))
        return typed_like(t, raw, SF_V_NULL);
    if (sf_str_is(raw->s, "true") || sf_str_is(raw->s, "false")) {
        v = typed_like(t, raw, SF_V_BOOL);
        v->b = raw->s.p[0] == 't';
        return v;
    }
    if (!is_json_number(raw->s))
        return typed_text(t, raw, raw->s);
    if (!sf_str_is(raw->s, "-0") && sf_str_int64(raw->s, &i)) {
        v = typed_like(t, raw, SF_V_INT);
        v->i = i;
        return v;
    }
    v = typed_like(t, raw, SF_V_NUMBER);
    v->s = raw->s;
    return v;
}

static struct sf_value *copy_items(const struct typer *t, const struct sf_value *raw)
{
    struct sf_value *v = typed_like(t, raw, raw->type);
    v->is_secret = raw->is_secret;
    if (raw->type == SF_V_LIST) {
        v->list.n = raw->list.n;
        v->list.items = SF_NEW_ARRAY(t->arena, raw->list.n, const struct sf_value *);
        if (raw->list.n)
            memcpy(v->list.items, raw->list.items, raw->list.n * sizeof(struct sf_value *));
    } else {
        v->map.n = v->map.cap = raw->map.n;
        v->map.pairs = SF_NEW_ARRAY(t->arena, raw->map.n, struct sf_pair);
        if (raw->map.n)
            memcpy(v->map.pairs, raw->map.pairs, raw->map.n * sizeof(struct sf_pair));
    }
    return v;
}

/* What is typed already (it came from another resource) is handed on, not copied. */
static const struct sf_value *type_free(const struct typer *t, const struct sf_value *raw)
{
    if (raw->type != SF_V_LIST && raw->type != SF_V_MAP)
        return type_free_scalar(t, raw);
    struct sf_value *v = NULL;
    size_t n = raw->type == SF_V_LIST ? raw->list.n : raw->map.n;
    for (size_t i = 0; i < n; i++) {
        const struct sf_value *item = raw->type == SF_V_LIST ? raw->list.items[i] : raw->map.pairs[i].value;
        const struct sf_value *typed = type_free(t, item);
        if (typed == item)
            continue;
        if (!v)
            v = copy_items(t, raw);
        if (raw->type == SF_V_LIST)
            v->list.items[i] = typed;
        else
            v->map.pairs[i].value = typed;
    }
    return v ? v : raw;
}

/* A json attribute may be given as JSON text: ${file('policy.json')}. */
static enum sf_code type_json(const struct typer *t, const struct place *place, const struct sf_value *raw,
                              const struct sf_value **out)
{
    struct sf_str text = raw->type == SF_V_STRING ? sf_str_trim(raw->s) : SF_STR_NONE;
    *out = raw;
    if (!text.n || (text.p[0] != '{' && text.p[0] != '[')) {
        *out = type_free(t, raw);
        return SF_OK;
    }
    struct sf_err err = {.code = SF_OK};
    enum sf_code rc = sf_json_parse(t->arena, text, "JSON text", SF_JSON_PLAIN, out, &err);
    if (rc) {
        sf_diag_error(t->diags, "SF0225", raw->mark, "%s: %s (line %u, column %u of the text)", place_text(t, place), err.message,
                      err.where.line, err.where.column);
        return rc;
    }
    struct sf_value *v = SF_NEW(t->arena, struct sf_value);
    *v = **out;
    v->mark = raw->mark;
    *out = v;
    return SF_OK;
}

/* What is written to say "not set". */
static bool is_nothing(const struct sf_attr *attr, const struct sf_value *raw)
{
    if (raw->type == SF_V_NULL)
        return true;
    if (raw->type != SF_V_STRING || !raw->is_plain)
        return false;
    if (sf_str_is(raw->s, "null"))
        return true;
    return attr->type != SF_T_JSON && attr->type != SF_T_ANY && (!raw->s.n || sf_str_is(raw->s, "~"));
}

static enum sf_code type_list(const struct typer *t, const struct sf_attr *attr, const struct place *place,
                              const struct sf_value *raw, const struct sf_value **out)
{
    static const struct sf_attr any = {.name = "of", .type = SF_T_ANY};
    if (raw->type != SF_V_LIST)
        return wrong_type(t, attr, place, raw);
    if (attr->max_items && raw->list.n > attr->max_items)
        return sf_diag_error(t->diags, "SF0223", raw->mark, "%s: more than %zu items", place_text(t, place), attr->max_items);
    const struct sf_attr *of = attr->of ? attr->of : &any;
    struct sf_value *v = copy_items(t, raw);
    enum sf_code rc = SF_OK;
    for (size_t i = 0; i < raw->list.n; i++) {
        struct place here = {.up = place, .index = i};
        if (of->type != SF_T_ANY && is_nothing(of, raw->list.items[i])) {
            rc = sf_diag_error(t->diags, "SF0220", raw->list.items[i]->mark, "%s: must not be empty", place_text(t, &here));
            continue;
        }
        enum sf_code one = type_value(t, of, &here, raw->list.items[i], &v->list.items[i]);
        rc = one ? one : rc;
    }
    *out = v;
    return rc;
}

static enum sf_code type_map(const struct typer *t, const struct sf_attr *attr, const struct place *place,
                             const struct sf_value *raw, const struct sf_value **out)
{
    static const struct sf_attr any = {.name = "of", .type = SF_T_ANY};
    if (raw->type != SF_V_MAP)
        return wrong_type(t, attr, place, raw);
    if (attr->max_items && raw->map.n > attr->max_items)
        return sf_diag_error(t->diags, "SF0223", raw->mark, "%s: more than %zu keys", place_text(t, place), attr->max_items);
    const struct sf_attr *of = attr->of ? attr->of : &any;
    struct sf_value *v = copy_items(t, raw);
    enum sf_code rc = SF_OK;
    v->map.n = 0;
    for (size_t i = 0; i < raw->map.n; i++) {
        struct place here = {.up = place, .name = raw->map.pairs[i].key.p};
        struct sf_pair *pair = &v->map.pairs[v->map.n];
        *pair = raw->map.pairs[i];
        enum sf_code one = type_value(t, of, &here, raw->map.pairs[i].value, &pair->value);
        rc = one ? one : rc;
        v->map.n += of->type != SF_T_STRING || pair->value->type != SF_V_NULL; /* null: as if it were not there */
    }
    *out = v;
    return rc;
}

static const struct sf_attr *find_field(const struct sf_attr *attr, struct sf_str name)
{
    for (size_t i = 0; i < attr->n_fields; i++)
        if (sf_str_is(name, attr->fields[i].name))
            return &attr->fields[i];
    return NULL;
}

static enum sf_code unknown_field(const struct typer *t, const struct sf_attr *attr, const struct place *place,
                                  const struct sf_pair *pair)
{
    struct sf_str *names = SF_NEW_ARRAY(t->arena, attr->n_fields, struct sf_str);
    for (size_t i = 0; i < attr->n_fields; i++)
        names[i] = sf_str_of(attr->fields[i].name);
    sf_diag_error(t->diags, "SF0214", pair->key_mark, "%s: unknown field '%s'", place_text(t, place), pair->key.p);
    sf_diag_help_nearest(t->diags, pair->key, names, attr->n_fields);
    return SF_E_CONFIG;
}

static enum sf_code type_object(const struct typer *t, const struct sf_attr *attr, const struct place *place,
                                const struct sf_value *raw, const struct sf_value **out)
{
    if (raw->type != SF_V_MAP)
        return wrong_type(t, attr, place, raw);
    enum sf_code rc = SF_OK;
    struct sf_value *v = typed_like(t, raw, SF_V_MAP);
    for (size_t i = 0; i < raw->map.n; i++) {
        const struct sf_pair *pair = &raw->map.pairs[i];
        const struct sf_attr *field = find_field(attr, pair->key);
        if (!field) {
            rc = unknown_field(t, attr, place, pair);
            continue;
        }
        if (is_nothing(field, pair->value))
            continue;
        struct place here = {.up = place, .name = pair->key.p};
        const struct sf_value *typed = pair->value;
        enum sf_code one = type_value(t, field, &here, pair->value, &typed);
        rc = one ? one : rc;
        sf_map_add(t->arena, v, pair->key, typed);
        v->map.pairs[v->map.n - 1].key_mark = pair->key_mark;
    }
    for (size_t i = 0; i < attr->n_fields; i++) {
        const struct sf_attr *field = &attr->fields[i];
        const struct sf_value *written = sf_map_getz(raw, field->name);
        if (written && !is_nothing(field, written))
            continue;
        if (field->is_required)
            rc = sf_diag_error(t->diags, "SF0215", raw->mark, "%s: '%s' is missing", place_text(t, place), field->name);
        if (!field->default_json)
            continue;
        const struct sf_value *value;
        if (sf_json_parse(t->arena, sf_str_of(field->default_json), "schema", SF_JSON_PLAIN, &value, NULL) == SF_OK)
            sf_map_add(t->arena, v, sf_str_of(field->name), value);
    }
    *out = v;
    return rc;
}

static enum sf_code type_by_schema(const struct typer *t, const struct sf_attr *attr, const struct place *place,
                                   const struct sf_value *raw, const struct sf_value **out)
{
    switch (attr->type) {
    case SF_T_STRING:
        return type_string(t, attr, place, raw, out);
    case SF_T_BOOL:
        return type_bool(t, attr, place, raw, out);
    case SF_T_INT:
        return type_int(t, attr, place, raw, out);
    case SF_T_LIST:
        return type_list(t, attr, place, raw, out);
    case SF_T_MAP:
        return type_map(t, attr, place, raw, out);
    case SF_T_OBJECT:
        return type_object(t, attr, place, raw, out);
    case SF_T_JSON:
        return type_json(t, place, raw, out);
    case SF_T_REF:
        if (raw->type != SF_V_STRING || !raw->s.n)
            return wrong_type(t, attr, place, raw);
        *out = typed_text(t, raw, raw->s);
        return SF_OK;
    case SF_T_ANY:
        *out = type_free(t, raw);
        return SF_OK;
    }
    return SF_OK;
}

static enum sf_code type_value(const struct typer *t, const struct sf_attr *attr, const struct place *place,
                               const struct sf_value *raw, const struct sf_value **out)
{
    *out = raw;
    if (raw->is_secret && raw->type == SF_V_STRING && attr->type == SF_T_STRING)
        return check_length(t, attr, place, raw, raw->s);
    if (raw->type == SF_V_UNKNOWN || raw->type == SF_V_FINGERPRINT || raw->is_secret)
        return SF_OK;
    if (is_nothing(attr, raw)) {
        *out = &sf_null_value;
        return SF_OK;
    }
    enum sf_code rc = type_by_schema(t, attr, place, raw, out);
    if (rc || !attr->check)
        return rc;
    return sf_check_run(attr->check, place_text(t, place), *out, t->diags);
}

struct measure {
    size_t parts, bytes;
};

/* Stops at the first limit that is passed. */
static const char *measure(const struct sf_value *v, size_t depth, struct measure *m)
{
    bool has_text = v->type == SF_V_STRING || v->type == SF_V_NUMBER;
    const char *excess = NULL;
    m->bytes += has_text ? v->s.n : 0;
    if (++m->parts > MAX_VALUE_PARTS)
        return "has too many parts";
    if (m->bytes > MAX_VALUE_BYTES)
        return "is too large";
    if (depth > MAX_VALUE_DEPTH)
        return "is nested too deeply";
    for (size_t i = 0; v->type == SF_V_LIST && i < v->list.n && !excess; i++)
        excess = measure(v->list.items[i], depth + 1, m);
    for (size_t i = 0; v->type == SF_V_MAP && i < v->map.n && !excess; i++)
        excess = measure(v->map.pairs[i].value, depth + 1, m);
    return excess;
}

enum sf_code sf_schema_type(struct sf_arena *arena, const struct sf_attr *attr, const char *what, const struct sf_value *raw,
                            struct sf_diags *diags, const struct sf_value **out)
{
    struct place place = {.name = what};
    struct measure size = {0, 0};
    const char *excess = measure(raw, 0, &size);
    if (excess) {
        sf_diag_error(diags, "SF0228", raw->mark, "%s: the value %s", what, excess);
        sf_diag_help(diags, "at most %d parts, %d MiB of text and %d levels; do the references to other resources multiply it?",
                     MAX_VALUE_PARTS, MAX_VALUE_BYTES / 1024 / 1024, MAX_VALUE_DEPTH);
        return SF_E_CONFIG;
    }
    return type_value(&(struct typer){arena, diags}, attr, &place, raw, out);
}
