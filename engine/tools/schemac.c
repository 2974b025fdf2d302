/* Schema compiler, run by the build: schemas/kinds/<kind>.yaml to const tables, attribute names and the editors' JSON Schema.
 *
 *   schemac OUTDIR kind.yaml...             writes OUTDIR/schemas.c and OUTDIR/attr/<kind>.h
 *   schemac --json-schema OUT kind.yaml...  writes the draft-07 schema of the stack file
 *
 * Files are written only when their text changes, so that nothing is recompiled for nothing. A wrong schema is reported with
 * its place. Links core, diag.c and yaml.c alone: the tables do not exist yet when it runs. */
#include "engine/tools/schemac.h"

#include "engine/core/json.h"
#include "engine/lang/yaml.h"

#include <ctype.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

enum { MAX_OUTPUT = 16 * 1024 * 1024, DEFAULT_TIMEOUT_S = 600, MAX_TIMEOUT_S = 24 * 3600 };

static const char *const type_names[] = {
    [SF_T_STRING] = "string", [SF_T_BOOL] = "bool", [SF_T_INT] = "int", [SF_T_LIST] = "list", [SF_T_MAP] = "map",
    [SF_T_OBJECT] = "object", [SF_T_JSON] = "json", [SF_T_REF] = "ref", [SF_T_ANY] = "any"};
static const char *const type_symbols[] = {[SF_T_STRING] = "SF_T_STRING", [SF_T_BOOL] = "SF_T_BOOL", [SF_T_INT] = "SF_T_INT",
                                           [SF_T_LIST] = "SF_T_LIST",     [SF_T_MAP] = "SF_T_MAP",   [SF_T_OBJECT] = "SF_T_OBJECT",
                                           [SF_T_JSON] = "SF_T_JSON",     [SF_T_REF] = "SF_T_REF",   [SF_T_ANY] = "SF_T_ANY"};
static const char *const change_names[] = {"update", "replace", "ignore"};
static const char *const change_symbols[] = {"SF_CHANGE_UPDATE", "SF_CHANGE_REPLACE", "SF_CHANGE_IGNORE"};
static const char *const equal_names[] = {"exact", "unordered", "case_folded", "cidr_set", "iam_policy", "json"};
static const char *const equal_symbols[] = {"SF_EQUAL_EXACT",    "SF_EQUAL_UNORDERED",  "SF_EQUAL_CASE_FOLDED",
                                            "SF_EQUAL_CIDR_SET", "SF_EQUAL_IAM_POLICY", "SF_EQUAL_JSON"};
static const char *const order_names[] = {"delete_first", "create_first", "attachment"};
static const char *const order_symbols[] = {"SF_DELETE_FIRST", "SF_CREATE_FIRST", "SF_ATTACHMENT"};
static const char *const container_names[] = {"forget", "destroy_own"};
static const char *const container_symbols[] = {"SF_FORGET_WITH_CONTAINER", "SF_DESTROY_OWN"};
static const char *const world_names[] = {"local", "aws"};

static const char *const kind_keys[] = {"kind",     "summary", "identity", "replace_order", "with_container",
                                        "timeouts", "pool",    "pool_max", "cost",          "attributes"};
static const char *const attr_keys[] = {"type",   "of",       "fields",   "enum",       "min",         "max",    "max_items",
                                        "check",  "required", "default",  "unset",      "summary",     "world",  "on_change",
                                        "equal",  "computed", "derive",   "assigned",   "prefer",      "inside", "severed",
                                        "secret", "to",       "ref_attr", "write_only", "changes_with"};
/* what a resource may hold beside its attributes */
static const char *const reserved_names[] = {
    "kind", "after", "protect", "on_remove", "ignore_changes", "timeouts", "adopt", "for_each", "skip", "local", "aws", "id"};

struct compiler {
    struct sf_arena *arena;
    struct sf_diags *diags;
    struct sf_schema *schemas; /* sorted by kind */
    size_t n;
};

static int name_index(struct sf_str name, const char *const *names, size_t n)
{
    for (size_t i = 0; i < n; i++)
        if (sf_str_is(name, names[i]))
            return (int)i;
    return -1;
}

static void help_nearest(struct compiler *c, struct sf_str word, const char *const *names, size_t n)
{
    struct sf_str *list = SF_NEW_ARRAY(c->arena, n, struct sf_str);
    for (size_t i = 0; i < n; i++)
        list[i] = sf_str_of(names[i]);
    sf_diag_help_nearest(c->diags, word, list, n);
}

static void check_keys(struct compiler *c, const struct sf_value *map, const char *what, const char *const *names, size_t n)
{
    for (size_t i = 0; i < map->map.n; i++) {
        const struct sf_pair *pair = &map->map.pairs[i];
        if (name_index(pair->key, names, n) >= 0)
            continue;
        sf_diag_error(c->diags, "SF0602", pair->key_mark, "unknown key '%s' of %s", pair->key.p, what);
        help_nearest(c, pair->key, names, n);
    }
}

/* --- typed access to the keys of one map --- */

static const char *get_text(struct compiler *c, const struct sf_value *map, const char *key)
{
    const struct sf_value *v = sf_map_getz(map, key);
    if (!v)
        return NULL;
    if (v->type == SF_V_STRING && v->s.n)
        return v->s.p;
    sf_diag_error(c->diags, "SF0603", v->mark, "'%s' must be text", key);
    return NULL;
}

static bool get_bool(struct compiler *c, const struct sf_value *map, const char *key)
{
    const struct sf_value *v = sf_map_getz(map, key);
    if (!v)
        return false;
    bool is_true = v->type == SF_V_STRING && sf_str_is(v->s, "true");
    if (!is_true && !(v->type == SF_V_STRING && sf_str_is(v->s, "false")))
        sf_diag_error(c->diags, "SF0603", v->mark, "'%s' must be true or false", key);
    return is_true;
}

static bool get_int(struct compiler *c, const struct sf_value *map, const char *key, int64_t *out)
{
    const struct sf_value *v = sf_map_getz(map, key);
    if (!v)
        return false;
    if (v->type == SF_V_STRING && sf_str_int64(v->s, out))
        return true;
    sf_diag_error(c->diags, "SF0603", v->mark, "'%s' must be a whole number", key);
    return false;
}

static int get_choice(struct compiler *c, const struct sf_value *map, const char *key, const char *const *names, size_t n)
{
    const char *text = get_text(c, map, key);
    if (!text)
        return 0;
    int index = name_index(sf_str_of(text), names, n);
    if (index >= 0)
        return index;
    sf_diag_error(c->diags, "SF0604", sf_map_getz(map, key)->mark, "'%s' cannot be '%s'", key, text);
    help_nearest(c, sf_str_of(text), names, n);
    return 0;
}

/* A list of texts as a NULL-terminated array, or NULL. */
static const char *const *get_texts(struct compiler *c, const struct sf_value *map, const char *key)
{
    const struct sf_value *v = sf_map_getz(map, key);
    if (!v)
        return NULL;
    if (v->type != SF_V_LIST || !v->list.n) {
        sf_diag_error(c->diags, "SF0603", v->mark, "'%s' must be a list", key);
        return NULL;
    }
    const char **texts = SF_NEW_ARRAY(c->arena, v->list.n + 1, const char *);
    for (size_t i = 0; i < v->list.n; i++) {
        if (v->list.items[i]->type != SF_V_STRING) {
            sf_diag_error(c->diags, "SF0603", v->list.items[i]->mark, "'%s' must be a list of texts", key);
            return NULL;
        }
        texts[i] = v->list.items[i]->s.p;
    }
    return texts;
}

/* --- defaults: scalars typed by the attribute, as the stack file's are --- */

static const struct sf_value *type_value(struct compiler *c, const struct sf_attr *attr, const struct sf_value *raw)
{
    static const struct sf_attr any = {.type = SF_T_ANY};
    if (raw->type == SF_V_STRING && raw->is_plain && sf_str_is(raw->s, "null"))
        return &sf_null_value;
    if (raw->type == SF_V_LIST || raw->type == SF_V_MAP) {
        struct sf_value *typed = SF_NEW(c->arena, struct sf_value);
        *typed = *raw;
        if (raw->type == SF_V_LIST) {
            typed->list.items = SF_NEW_ARRAY(c->arena, raw->list.n, const struct sf_value *);
            for (size_t i = 0; i < raw->list.n; i++)
                typed->list.items[i] = type_value(c, attr->of ? attr->of : &any, raw->list.items[i]);
            return typed;
        }
        typed->map.pairs = SF_NEW_ARRAY(c->arena, raw->map.n, struct sf_pair);
        for (size_t i = 0; i < raw->map.n; i++) {
            const struct sf_attr *of = attr->of ? attr->of : &any;
            for (size_t f = 0; f < attr->n_fields; f++)
                if (sf_str_is(raw->map.pairs[i].key, attr->fields[f].name))
                    of = &attr->fields[f];
            typed->map.pairs[i] = raw->map.pairs[i];
            typed->map.pairs[i].value = type_value(c, of, raw->map.pairs[i].value);
        }
        return typed;
    }
    int64_t i;
    bool is_free = (attr->type == SF_T_ANY || attr->type == SF_T_JSON) && raw->is_plain;
    if ((attr->type == SF_T_INT || is_free) && sf_str_int64(raw->s, &i))
        return sf_value_int(c->arena, i);
    if ((attr->type == SF_T_BOOL || is_free) && (sf_str_is(raw->s, "true") || sf_str_is(raw->s, "false")))
        return sf_value_bool(c->arena, raw->s.p[0] == 't');
    if (attr->type == SF_T_INT || attr->type == SF_T_BOOL || attr->type == SF_T_LIST || attr->type == SF_T_MAP ||
        attr->type == SF_T_OBJECT)
        sf_diag_error(c->diags, "SF0605", raw->mark, "this is no value of type %s", type_names[attr->type]);
    return raw;
}

static const char *get_json(struct compiler *c, const struct sf_attr *attr, const struct sf_value *map, const char *key)
{
    const struct sf_value *v = sf_map_getz(map, key);
    return v ? sf_json_text(c->arena, type_value(c, attr, v), SF_JSON_PLAIN).p : NULL;
}

/* --- attributes --- */

static void read_attr(struct compiler *c, struct sf_str name, const struct sf_value *spec, struct sf_attr *attr);

static struct sf_attr *read_attrs(struct compiler *c, const struct sf_value *map, size_t *n)
{
    *n = 0;
    if (map->type != SF_V_MAP || !map->map.n) {
        sf_diag_error(c->diags, "SF0603", map->mark, "a map of attributes expected");
        return NULL;
    }
    struct sf_attr *attrs = SF_NEW_ARRAY(c->arena, map->map.n, struct sf_attr);
    *n = map->map.n;
    for (size_t i = 0; i < map->map.n; i++)
        read_attr(c, map->map.pairs[i].key, map->map.pairs[i].value, &attrs[i]);
    return attrs;
}

static void read_type(struct compiler *c, struct sf_str type, struct sf_mark where, struct sf_attr *attr)
{
    int index = name_index(type, type_names, SF_COUNT(type_names));
    if (index >= 0) {
        attr->type = (enum sf_attr_type)index;
        return;
    }
    sf_diag_error(c->diags, "SF0604", where, "unknown type '%.*s'", SF_ARG(type));
    help_nearest(c, type, type_names, SF_COUNT(type_names));
}

static void check_attr(struct compiler *c, const struct sf_value *spec, const struct sf_attr *attr)
{
    struct sf_mark at = spec->mark;
    if (attr->of && attr->type != SF_T_LIST && attr->type != SF_T_MAP)
        sf_diag_error(c->diags, "SF0606", at, "'of' belongs to a list or a map, and '%s' is neither", attr->name);
    if (!attr->fields != (attr->type != SF_T_OBJECT))
        sf_diag_error(c->diags, "SF0606", at, "an object has 'fields', and nothing else has: '%s'", attr->name);
    if ((attr->to || attr->ref_attr || attr->is_inside) && attr->type != SF_T_REF)
        sf_diag_error(c->diags, "SF0606", at, "'to', 'ref_attr' and 'inside' belong to a ref, and '%s' is none", attr->name);
    if (attr->enums && attr->type != SF_T_STRING)
        sf_diag_error(c->diags, "SF0606", at, "'enum' belongs to a string, and '%s' is none", attr->name);
    if (attr->default_json && (attr->is_computed || attr->derive || attr->is_required))
        sf_diag_error(c->diags, "SF0606", at, "'%s' has a default, so it is neither required nor computed", attr->name);
    if (attr->is_required && (attr->is_computed || attr->derive))
        sf_diag_error(c->diags, "SF0606", at, "'%s' is computed, so it cannot be required", attr->name);
    if (attr->changes_with && !attr->is_computed)
        sf_diag_error(c->diags, "SF0606", at, "'changes_with' belongs to a computed attribute, and '%s' is none", attr->name);
    if (attr->has_min && attr->has_max && attr->min > attr->max)
        sf_diag_error(c->diags, "SF0606", at, "min of '%s' is above its max", attr->name);
}

static void read_attr(struct compiler *c, struct sf_str name, const struct sf_value *spec, struct sf_attr *attr)
{
    attr->name = name.p;
    for (size_t i = 0; i < name.n; i++)
        if (!islower((unsigned char)name.p[i]) && !(i && (isdigit((unsigned char)name.p[i]) || name.p[i] == '_'))) {
            sf_diag_error(c->diags, "SF0607", spec->mark, "the name '%s' must be of a-z, 0-9 and '_', a letter first", name.p);
            return;
        }
    if (spec->type == SF_V_STRING) { /* a bare type name */
        read_type(c, spec->s, spec->mark, attr);
        return;
    }
    if (spec->type != SF_V_MAP) {
        sf_diag_error(c->diags, "SF0603", spec->mark, "attribute '%s' must be a map or the name of a type", name.p);
        return;
    }
    check_keys(c, spec, "an attribute", attr_keys, SF_COUNT(attr_keys));
    const char *type = get_text(c, spec, "type");
    if (type)
        read_type(c, sf_str_of(type), sf_map_getz(spec, "type")->mark, attr);
    else
        sf_diag_error(c->diags, "SF0608", spec->mark, "attribute '%s' has no type", name.p);
    const struct sf_value *of = sf_map_getz(spec, "of"), *fields = sf_map_getz(spec, "fields");
    if (of) {
        struct sf_attr *element = SF_NEW(c->arena, struct sf_attr);
        read_attr(c, SF_STR("of"), of, element);
        attr->of = element;
    }
    if (fields)
        attr->fields = read_attrs(c, fields, &attr->n_fields);
    attr->summary = get_text(c, spec, "summary");
    attr->enums = get_texts(c, spec, "enum");
    attr->to = get_texts(c, spec, "to");
    attr->ref_attr = get_text(c, spec, "ref_attr");
    attr->check = get_text(c, spec, "check");
    attr->derive = get_text(c, spec, "derive");
    attr->changes_with = get_texts(c, spec, "changes_with");
    if (sf_map_getz(spec, "world"))
        attr->world = world_names[get_choice(c, spec, "world", world_names, SF_COUNT(world_names))];
    attr->has_min = get_int(c, spec, "min", &attr->min);
    attr->has_max = get_int(c, spec, "max", &attr->max);
    int64_t max_items;
    if (get_int(c, spec, "max_items", &max_items) && max_items > 0)
        attr->max_items = (size_t)max_items;
    attr->on_change = (enum sf_on_change)get_choice(c, spec, "on_change", change_names, SF_COUNT(change_names));
    attr->equal = (enum sf_equal)get_choice(c, spec, "equal", equal_names, SF_COUNT(equal_names));
    attr->is_required = get_bool(c, spec, "required");
    attr->is_computed = get_bool(c, spec, "computed");
    attr->is_preferred = get_bool(c, spec, "prefer");
    attr->is_assigned = get_bool(c, spec, "assigned") || attr->is_preferred;
    attr->is_inside = get_bool(c, spec, "inside");
    attr->is_severed = get_bool(c, spec, "severed");
    attr->is_secret = get_bool(c, spec, "secret");
    attr->is_write_only = get_bool(c, spec, "write_only");
    attr->default_json = get_json(c, attr, spec, "default");
    attr->unset_json = get_json(c, attr, spec, "unset");
    check_attr(c, spec, attr);
}

static const struct sf_attr *find_attr(const struct sf_schema *schema, const char *name)
{
    for (size_t i = 0; i < schema->n_attrs; i++)
        if (strcmp(schema->attrs[i].name, name) == 0)
            return &schema->attrs[i];
    return NULL;
}

static void read_deadlines(struct compiler *c, const struct sf_value *block, struct sf_timeouts *out)
{
    static const char *const keys[] = {"create_s", "update_s", "destroy_s"};
    int *const places[] = {&out->create_s, &out->update_s, &out->destroy_s};
    for (size_t i = 0; i < SF_COUNT(places); i++) {
        int64_t seconds;
        if (!block || !get_int(c, block, keys[i], &seconds))
            continue;
        if (seconds < 1 || seconds > MAX_TIMEOUT_S)
            sf_diag_error(c->diags, "SF0606", block->mark, "'%s' must be 1 to %d", keys[i], MAX_TIMEOUT_S);
        else
            *places[i] = (int)seconds;
    }
}

/* `timeouts: {create_s: 60, aws: {create_s: 2400}}`: AWS takes longer for most things. */
static void read_timeouts(struct compiler *c, const struct sf_value *block, struct sf_schema *schema)
{
    static const char *const keys[] = {"create_s", "update_s", "destroy_s", "aws"}, *const own_keys[] = {"create_s", "update_s",
                                                                                                         "destroy_s"};
    schema->timeouts[0] = (struct sf_timeouts){NULL, DEFAULT_TIMEOUT_S, DEFAULT_TIMEOUT_S, DEFAULT_TIMEOUT_S};
    if (!block || block->type != SF_V_MAP)
        return;
    const struct sf_value *own = sf_map_getz(block, "aws");
    check_keys(c, block, "timeouts", keys, SF_COUNT(keys));
    read_deadlines(c, block, &schema->timeouts[0]);
    if (!own || own->type != SF_V_MAP)
        return;
    schema->timeouts[1] = schema->timeouts[0];
    schema->timeouts[1].world = "aws";
    check_keys(c, own, "timeouts", own_keys, SF_COUNT(own_keys));
    read_deadlines(c, own, &schema->timeouts[1]);
}

static void read_kind(struct compiler *c, const char *path, const struct sf_value *root, struct sf_schema *schema)
{
    if (root->type != SF_V_MAP) {
        sf_diag_error(c->diags, "SF0603", root->mark, "a map expected");
        return;
    }
    check_keys(c, root, "a kind", kind_keys, SF_COUNT(kind_keys));
    schema->kind = get_text(c, root, "kind");
    const char *base = strrchr(path, '/');
    struct sf_str expected = sf_str_of(base ? base + 1 : path);
    if (sf_str_ends(expected, SF_STR(".yaml")))
        expected.n -= 5;
    if (!schema->kind || !sf_str_is(expected, schema->kind)) {
        sf_diag_error(c->diags, "SF0609", root->mark, "a file '%.*s.yaml' must say 'kind: %.*s'", SF_ARG(expected),
                      SF_ARG(expected));
        schema->kind = sf_str_dup(c->arena, expected).p;
    }
    schema->summary = get_text(c, root, "summary");
    schema->identity = get_text(c, root, "identity");
    schema->pool = get_text(c, root, "pool");
    int64_t pool_max = 0;
    if (get_int(c, root, "pool_max", &pool_max))
        schema->pool_max = (int)pool_max;
    schema->replace_order = (enum sf_replace_order)get_choice(c, root, "replace_order", order_names, SF_COUNT(order_names));
    schema->with_container =
        (enum sf_with_container)get_choice(c, root, "with_container", container_names, SF_COUNT(container_names));
    read_timeouts(c, sf_map_getz(root, "timeouts"), schema);
    const struct sf_value *attrs = sf_map_getz(root, "attributes");
    if (!schema->summary || !schema->identity || !attrs) {
        sf_diag_error(c->diags, "SF0608", root->mark, "a kind needs summary, identity and attributes");
        return;
    }
    schema->attrs = read_attrs(c, attrs, &schema->n_attrs);
    for (size_t i = 0; i < schema->n_attrs; i++)
        if (name_index(sf_str_of(schema->attrs[i].name), reserved_names, SF_COUNT(reserved_names)) >= 0)
            sf_diag_error(c->diags, "SF0607", attrs->map.pairs[i].key_mark,
                          "'%s' is a key of every resource, so no attribute can have this name", schema->attrs[i].name);
    if (!find_attr(schema, schema->identity))
        sf_diag_error(c->diags, "SF0610", sf_map_getz(root, "identity")->mark, "'%s' is not an attribute", schema->identity);
}

/* Names that point at other attributes and kinds; the place is the kind's attribute map, for the specs are gone by now. */
static void check_links(struct compiler *c, const struct sf_schema *schema, const struct sf_attr *attr, struct sf_mark where)
{
    for (size_t i = 0; attr->changes_with && attr->changes_with[i]; i++)
        if (!find_attr(schema, attr->changes_with[i]))
            sf_diag_error(c->diags, "SF0610", where, "changes_with: '%s' is not an attribute", attr->changes_with[i]);
    for (size_t i = 0; attr->to && attr->to[i]; i++) {
        const struct sf_schema *target = NULL;
        for (size_t k = 0; k < c->n; k++)
            if (strcmp(c->schemas[k].kind, attr->to[i]) == 0)
                target = &c->schemas[k];
        /* a kind that is yet to be written is no error; the stack file cannot name it anyway */
        if (target && attr->ref_attr && !find_attr(target, attr->ref_attr))
            sf_diag_error(c->diags, "SF0610", where, "ref_attr: kind '%s' has no attribute '%s'", target->kind, attr->ref_attr);
    }
    if (attr->of)
        check_links(c, schema, attr->of, where);
    for (size_t i = 0; i < attr->n_fields; i++)
        check_links(c, schema, &attr->fields[i], where);
}

/* --- C output --- */

static void put_string(struct sf_buf *out, const char *text)
{
    if (!text) {
        sf_buf_addz(out, "NULL");
        return;
    }
    sf_buf_addc(out, '"');
    for (const unsigned char *p = (const unsigned char *)text; *p; p++) {
        if (*p == '"' || *p == '\\')
            sf_buf_addf(out, "\\%c", *p);
        else if (*p < 0x20 || *p >= 0x7f || *p == '?') /* ? for trigraphs */
            sf_buf_addf(out, "\\%03o", *p);
        else
            sf_buf_addc(out, (char)*p);
    }
    sf_buf_addc(out, '"');
}

static void put_texts(struct sf_buf *out, const char *prefix, const char *suffix, const char *const *texts)
{
    if (!texts)
        return;
    sf_buf_addf(out, "static const char *const %s_%s[] = {", prefix, suffix);
    for (size_t i = 0; texts[i]; i++) {
        put_string(out, texts[i]);
        sf_buf_addz(out, ", ");
    }
    sf_buf_addz(out, "NULL};\n");
}

static void put_attr_parts(struct compiler *c, struct sf_buf *out, const char *prefix, const struct sf_attr *attr);
static void put_attr(struct sf_buf *out, const char *prefix, const struct sf_attr *attr);

static void put_attr_array(struct compiler *c, struct sf_buf *out, const char *name, const struct sf_attr *attrs, size_t n)
{
    for (size_t i = 0; i < n; i++)
        put_attr_parts(c, out, sf_str_fmt(c->arena, "%s__%s", name, attrs[i].name).p, &attrs[i]);
    sf_buf_addf(out, "static const struct sf_attr %s[] = {\n", name);
    for (size_t i = 0; i < n; i++) {
        sf_buf_addz(out, "    ");
        put_attr(out, sf_str_fmt(c->arena, "%s__%s", name, attrs[i].name).p, &attrs[i]);
        sf_buf_addz(out, ",\n");
    }
    sf_buf_addz(out, "};\n");
}

/* What the initializer of an attribute points at. */
static void put_attr_parts(struct compiler *c, struct sf_buf *out, const char *prefix, const struct sf_attr *attr)
{
    put_texts(out, prefix, "enums", attr->enums);
    put_texts(out, prefix, "to", attr->to);
    put_texts(out, prefix, "with", attr->changes_with);
    if (attr->of) {
        const char *of = sf_str_fmt(c->arena, "%s_of", prefix).p;
        put_attr_parts(c, out, of, attr->of);
        sf_buf_addf(out, "static const struct sf_attr %s = ", of);
        put_attr(out, of, attr->of);
        sf_buf_addz(out, ";\n");
    }
    if (attr->n_fields)
        put_attr_array(c, out, sf_str_fmt(c->arena, "%s_fields", prefix).p, attr->fields, attr->n_fields);
}

static void put_text_member(struct sf_buf *out, const char *member, const char *text)
{
    if (!text)
        return;
    sf_buf_addf(out, ", .%s = ", member);
    put_string(out, text);
}

static void put_attr(struct sf_buf *out, const char *prefix, const struct sf_attr *attr)
{
    const struct {
        const char *member;
        bool is_set;
    } flags[] = {{"has_min", attr->has_min},         {"has_max", attr->has_max},
                 {"is_required", attr->is_required}, {"is_computed", attr->is_computed},
                 {"is_assigned", attr->is_assigned}, {"is_preferred", attr->is_preferred},
                 {"is_inside", attr->is_inside},     {"is_severed", attr->is_severed},
                 {"is_secret", attr->is_secret},     {"is_write_only", attr->is_write_only}};
    sf_buf_addz(out, "{.name = ");
    put_string(out, attr->name);
    sf_buf_addf(out, ", .type = %s", type_symbols[attr->type]);
    put_text_member(out, "summary", attr->summary);
    if (attr->of)
        sf_buf_addf(out, ", .of = &%s_of", prefix);
    if (attr->n_fields)
        sf_buf_addf(out, ", .fields = %s_fields, .n_fields = %zu", prefix, attr->n_fields);
    if (attr->enums)
        sf_buf_addf(out, ", .enums = %s_enums", prefix);
    if (attr->to)
        sf_buf_addf(out, ", .to = %s_to", prefix);
    if (attr->changes_with)
        sf_buf_addf(out, ", .changes_with = %s_with", prefix);
    put_text_member(out, "ref_attr", attr->ref_attr);
    put_text_member(out, "check", attr->check);
    put_text_member(out, "default_json", attr->default_json);
    put_text_member(out, "unset_json", attr->unset_json);
    put_text_member(out, "derive", attr->derive);
    put_text_member(out, "world", attr->world);
    if (attr->has_min)
        sf_buf_addf(out, ", .min = %lld", (long long)attr->min);
    if (attr->has_max)
        sf_buf_addf(out, ", .max = %lld", (long long)attr->max);
    if (attr->max_items)
        sf_buf_addf(out, ", .max_items = %zu", attr->max_items);
    sf_buf_addf(out, ", .on_change = %s, .equal = %s", change_symbols[attr->on_change], equal_symbols[attr->equal]);
    for (size_t i = 0; i < SF_COUNT(flags); i++)
        if (flags[i].is_set)
            sf_buf_addf(out, ", .%s = true", flags[i].member);
    sf_buf_addc(out, '}');
}

static void put_schema(struct compiler *c, struct sf_buf *out, const struct sf_schema *schema)
{
    const char *attrs = sf_str_fmt(c->arena, "%s_attrs", schema->kind).p;
    put_attr_array(c, out, attrs, schema->attrs, schema->n_attrs);
    sf_buf_addf(out, "static const struct sf_schema %s_schema = {.kind = ", schema->kind);
    put_string(out, schema->kind);
    put_text_member(out, "summary", schema->summary);
    put_text_member(out, "identity", schema->identity);
    sf_buf_addf(out, ", .attrs = %s, .n_attrs = %zu, .replace_order = %s, .with_container = %s", attrs, schema->n_attrs,
                order_symbols[schema->replace_order], container_symbols[schema->with_container]);
    put_text_member(out, "pool", schema->pool);
    sf_buf_addf(out, ", .pool_max = %d, .timeouts = {", schema->pool_max);
    for (size_t i = 0; i < SF_COUNT(schema->timeouts); i++) {
        const struct sf_timeouts *t = &schema->timeouts[i];
        sf_buf_addz(out, i ? ", {" : "{");
        put_string(out, t->world);
        sf_buf_addf(out, ", %d, %d, %d}", t->create_s, t->update_s, t->destroy_s);
    }
    sf_buf_addz(out, "}};\n\n");
}

static void put_macro(struct sf_buf *out, const char *prefix, const char *name)
{
    sf_buf_addz(out, "#define ");
    for (const char *p = prefix; *p; p++)
        sf_buf_addc(out, (char)toupper((unsigned char)*p));
    sf_buf_addf(out, " \"%s\"\n", name);
}

static void put_macros(struct compiler *c, struct sf_buf *out, const char *prefix, const struct sf_attr *attrs, size_t n)
{
    for (size_t i = 0; i < n; i++) {
        const char *name = sf_str_fmt(c->arena, "%s_%s", prefix, attrs[i].name).p;
        const struct sf_attr *inner = &attrs[i];
        put_macro(out, name, attrs[i].name);
        while (inner->of)
            inner = inner->of;
        if (inner->n_fields)
            put_macros(c, out, name, inner->fields, inner->n_fields);
    }
}

static bool write_if_changed(const char *path, struct sf_buf *out)
{
    struct sf_str text = sf_buf_str(out);
    bool is_same = false, ok = !out->overflow;
    FILE *old = fopen(path, "rb");
    if (old) {
        is_same = true;
        for (size_t i = 0; i <= text.n && is_same; i++)
            is_same = getc(old) == (i < text.n ? (unsigned char)text.p[i] : EOF);
        fclose(old);
    }
    if (ok && !is_same) {
        FILE *file = fopen(path, "wb");
        ok = file && fwrite(text.p, 1, text.n, file) == text.n;
        if (file)
            ok = fclose(file) == 0 && ok;
    }
    if (!ok)
        fprintf(stderr, "error: cannot write '%s'\n", path);
    sf_buf_free(out);
    return ok;
}

static bool write_tables(struct compiler *c, const char *dir)
{
    struct sf_buf out = SF_BUF(MAX_OUTPUT);
    sf_buf_addz(&out, "/* Generated by schemac from schemas/kinds; do not edit. */\n#include \"engine/lang/schema.h\"\n\n");
    for (size_t i = 0; i < c->n; i++)
        put_schema(c, &out, &c->schemas[i]);
    sf_buf_addz(&out, "const struct sf_schema *const sf_schemas[] = {");
    for (size_t i = 0; i < c->n; i++)
        sf_buf_addf(&out, "&%s_schema, ", c->schemas[i].kind);
    sf_buf_addf(&out, "NULL};\nconst size_t sf_schemas_count = %zu;\n", c->n);
    bool ok = write_if_changed(sf_str_fmt(c->arena, "%s/schemas.c", dir).p, &out);
    for (size_t i = 0; i < c->n; i++) {
        const struct sf_schema *schema = &c->schemas[i];
        struct sf_buf header = SF_BUF(MAX_OUTPUT);
        sf_buf_addf(&header, "/* Generated by schemac from schemas/kinds/%s.yaml; do not edit. */\n#pragma once\n", schema->kind);
        put_macros(c, &header, schema->kind, schema->attrs, schema->n_attrs);
        ok = write_if_changed(sf_str_fmt(c->arena, "%s/attr/%s.h", dir, schema->kind).p, &header) && ok;
    }
    return ok;
}

static int by_kind(const void *a, const void *b)
{
    return strcmp((*(const char *const *)a), (*(const char *const *)b));
}

static bool read_all(struct compiler *c, char **paths, size_t n)
{
    qsort(paths, n, sizeof(*paths), by_kind); /* one folder, so the order of paths is the order of kinds */
    c->schemas = SF_NEW_ARRAY(c->arena, n, struct sf_schema);
    c->n = n;
    for (size_t i = 0; i < n; i++) {
        const struct sf_value *root;
        if (sf_yaml_load(c->arena, paths[i], c->diags, &root))
            return false;
        read_kind(c, paths[i], root, &c->schemas[i]);
    }
    if (c->diags->errors)
        return false;
    for (size_t i = 0; i < n; i++)
        for (size_t a = 0; a < c->schemas[i].n_attrs; a++)
            check_links(c, &c->schemas[i], &c->schemas[i].attrs[a], (struct sf_mark){.file = paths[i]});
    return !c->diags->errors;
}

int main(int argc, char **argv)
{
    bool wants_json = argc > 1 && strcmp(argv[1], "--json-schema") == 0;
    int first = wants_json ? 3 : 2;
    if (argc <= first) {
        fputs("usage: schemac OUTDIR kind.yaml...\n       schemac --json-schema OUT kind.yaml...\n", stderr);
        return 64;
    }
    struct compiler c = {.arena = sf_arena_new()};
    c.diags = sf_diags_new(c.arena);
    bool ok = read_all(&c, argv + first, (size_t)(argc - first));
    struct sf_buf text = SF_BUF(MAX_OUTPUT);
    sf_diags_render(c.diags, &text, isatty(STDERR_FILENO));
    fputs(sf_buf_str(&text).p, stderr);
    sf_buf_free(&text);
    if (ok && wants_json) {
        struct sf_buf json = SF_BUF(MAX_OUTPUT);
        sf_json_write_pretty(&json, sf_schemac_json(c.arena, c.schemas, c.n), SF_JSON_PLAIN);
        sf_buf_addc(&json, '\n');
        ok = write_if_changed(argv[2], &json);
    } else if (ok) {
        ok = write_tables(&c, argv[1]);
    }
    sf_arena_free(c.arena);
    return ok ? 0 : 1;
}
