/* The JSON Schema (draft-07) of a stack file, for completion and checks in editors. It is kinder than sfplan: editors read YAML
 * with types of their own (`no` is false to some of them), so a scalar is taken as any scalar, and ${...} may stand anywhere. */
#include "engine/tools/schemac.h"

#include "engine/core/json.h"

struct maker {
    struct sf_arena *arena;
};

static struct sf_value *map_of(const struct maker *m, const char *key, const struct sf_value *v)
{
    struct sf_value *map = sf_value_map(m->arena);
    sf_map_set(m->arena, map, sf_str_of(key), v);
    return map;
}

static void set(const struct maker *m, struct sf_value *map, const char *key, const struct sf_value *v)
{
    sf_map_set(m->arena, map, sf_str_of(key), v);
}

static struct sf_value *text(const struct maker *m, const char *s)
{
    return sf_value_str(m->arena, sf_str_of(s));
}

static struct sf_value *texts(const struct maker *m, const char *const *list, size_t n)
{
    const struct sf_value **items = SF_NEW_ARRAY(m->arena, n, const struct sf_value *);
    for (size_t i = 0; i < n; i++)
        items[i] = text(m, list[i]);
    return sf_value_list(m->arena, items, n);
}

static struct sf_value *typed(const struct maker *m, const char *type)
{
    return map_of(m, "type", text(m, type));
}

static struct sf_value *ref(const struct maker *m, const char *name)
{
    return map_of(m, "$ref", sf_value_str(m->arena, sf_str_fmt(m->arena, "#/definitions/%s", name)));
}

/* {anyOf: [v, an expression]} */
static struct sf_value *or_expression(const struct maker *m, const struct sf_value *v)
{
    const struct sf_value **items = SF_NEW_ARRAY(m->arena, 2, const struct sf_value *);
    items[0] = v;
    items[1] = ref(m, "expression");
    return map_of(m, "anyOf", sf_value_list(m->arena, items, 2));
}

static struct sf_value *list_of(const struct maker *m, const struct sf_value *items)
{
    struct sf_value *v = typed(m, "array");
    set(m, v, "items", items);
    return v;
}

static struct sf_value *object_of(const struct maker *m, const struct sf_value *properties)
{
    struct sf_value *v = typed(m, "object");
    set(m, v, "properties", properties);
    set(m, v, "additionalProperties", sf_value_bool(m->arena, false));
    return v;
}

static struct sf_value *attr_schema(const struct maker *m, const struct sf_attr *attr);

static struct sf_value *object_schema(const struct maker *m, const struct sf_attr *attr)
{
    struct sf_value *properties = sf_value_map(m->arena);
    const char **required = SF_NEW_ARRAY(m->arena, attr->n_fields, const char *);
    size_t n = 0;
    for (size_t i = 0; i < attr->n_fields; i++) {
        set(m, properties, attr->fields[i].name, attr_schema(m, &attr->fields[i]));
        if (attr->fields[i].is_required)
            required[n++] = attr->fields[i].name;
    }
    struct sf_value *v = object_of(m, properties);
    if (n)
        set(m, v, "required", texts(m, required, n));
    return v;
}

static struct sf_value *string_schema(const struct maker *m, const struct sf_attr *attr)
{
    if (!attr->enums)
        return ref(m, "scalar");
    size_t n = 0;
    while (attr->enums[n])
        n++;
    return or_expression(m, map_of(m, "enum", texts(m, attr->enums, n)));
}

static struct sf_value *int_schema(const struct maker *m, const struct sf_attr *attr)
{
    struct sf_value *v = typed(m, "integer");
    if (attr->has_min)
        sf_map_set_int(m->arena, v, "minimum", attr->min);
    if (attr->has_max)
        sf_map_set_int(m->arena, v, "maximum", attr->max);
    return or_expression(m, v);
}

static struct sf_value *type_schema(const struct maker *m, const struct sf_attr *attr)
{
    struct sf_value *v;
    switch (attr->type) {
    case SF_T_STRING:
        return string_schema(m, attr);
    case SF_T_BOOL:
        return or_expression(m, typed(m, "boolean"));
    case SF_T_INT:
        return int_schema(m, attr);
    case SF_T_LIST:
        v = list_of(m, attr->of ? attr_schema(m, attr->of) : sf_value_map(m->arena));
        if (attr->max_items)
            sf_map_set_int(m->arena, v, "maxItems", (int64_t)attr->max_items);
        return or_expression(m, v);
    case SF_T_MAP:
        v = typed(m, "object");
        set(m, v, "additionalProperties", attr->of ? attr_schema(m, attr->of) : sf_value_map(m->arena));
        return or_expression(m, v);
    case SF_T_OBJECT:
        return or_expression(m, object_schema(m, attr));
    case SF_T_REF:
        return typed(m, "string");
    case SF_T_JSON:
    case SF_T_ANY:
        return sf_value_map(m->arena);
    }
    return sf_value_map(m->arena);
}

static struct sf_value *attr_schema(const struct maker *m, const struct sf_attr *attr)
{
    struct sf_value *v = type_schema(m, attr);
    if (!attr->summary && !attr->default_json)
        return v;
    if (sf_map_getz(v, "$ref")) { /* draft-07 ignores what stands beside a $ref */
        const struct sf_value **items = SF_NEW_ARRAY(m->arena, 1, const struct sf_value *);
        items[0] = v;
        v = map_of(m, "allOf", sf_value_list(m->arena, items, 1));
    }
    if (attr->summary)
        set(m, v, "description", text(m, attr->summary));
    const struct sf_value *value;
    if (attr->default_json &&
        sf_json_parse(m->arena, sf_str_of(attr->default_json), "default", SF_JSON_PLAIN, &value, NULL) == SF_OK)
        set(m, v, "default", value);
    return v;
}

/* Keys that every resource may have. */
static void add_lifecycle(const struct maker *m, struct sf_value *properties)
{
    static const char *const on_remove[] = {"destroy", "forget"};
    static const char *const timeouts[] = {"create", "update", "destroy"};
    struct sf_value *times = sf_value_map(m->arena), *each = sf_value_map(m->arena);
    for (size_t i = 0; i < SF_COUNT(timeouts); i++)
        set(m, times, timeouts[i], ref(m, "scalar"));
    set(m, each, "type", texts(m, (const char *const[]){"array", "object", "string"}, 3));
    set(m, properties, "after", ref(m, "names"));
    set(m, properties, "protect", typed(m, "boolean"));
    set(m, properties, "on_remove", map_of(m, "enum", texts(m, on_remove, SF_COUNT(on_remove))));
    set(m, properties, "ignore_changes", list_of(m, typed(m, "string")));
    set(m, properties, "timeouts", object_of(m, times));
    set(m, properties, "adopt", typed(m, "string"));
    set(m, properties, "for_each", each);
    struct sf_value *skip = typed(m, "object");
    set(m, skip, "additionalProperties", typed(m, "string"));
    set(m, properties, "skip", skip);
}

static struct sf_value *kind_schema(const struct maker *m, const struct sf_schema *schema)
{
    struct sf_value *properties = sf_value_map(m->arena), *local = sf_value_map(m->arena), *aws = sf_value_map(m->arena);
    set(m, properties, "kind", map_of(m, "const", text(m, schema->kind)));
    for (size_t i = 0; i < schema->n_attrs; i++) {
        const struct sf_attr *attr = &schema->attrs[i];
        if ((attr->is_computed || attr->derive) && !attr->is_assigned)
            continue;
        struct sf_value *v = attr_schema(m, attr);
        if (!attr->world)
            set(m, properties, attr->name, v);
        if (!attr->world || strcmp(attr->world, "local") == 0)
            set(m, local, attr->name, v);
        if (!attr->world || strcmp(attr->world, "aws") == 0)
            set(m, aws, attr->name, v);
    }
    add_lifecycle(m, properties);
    set(m, properties, "local", object_of(m, local));
    set(m, properties, "aws", object_of(m, aws));
    struct sf_value *v = object_of(m, properties);
    set(m, v, "description", text(m, schema->summary));
    return v;
}

/* A resource is what its kind says. */
static struct sf_value *resource_schema(const struct maker *m, const struct sf_schema *schemas, size_t n)
{
    const char **kinds = SF_NEW_ARRAY(m->arena, n, const char *);
    const struct sf_value **cases = SF_NEW_ARRAY(m->arena, n, const struct sf_value *);
    for (size_t i = 0; i < n; i++) {
        kinds[i] = schemas[i].kind;
        struct sf_value *is_kind = map_of(m, "kind", map_of(m, "const", text(m, schemas[i].kind)));
        struct sf_value *branch = map_of(m, "if", map_of(m, "properties", is_kind));
        set(m, branch, "then", ref(m, sf_str_fmt(m->arena, "kind_%s", schemas[i].kind).p));
        cases[i] = branch;
    }
    struct sf_value *v = typed(m, "object");
    set(m, v, "required", texts(m, (const char *const[]){"kind"}, 1));
    set(m, v, "properties", map_of(m, "kind", map_of(m, "enum", texts(m, kinds, n))));
    set(m, v, "allOf", sf_value_list(m->arena, cases, n));
    return v;
}

static struct sf_value *variable_schema(const struct maker *m)
{
    static const char *const types[] = {"string", "int", "bool", "list", "map"};
    struct sf_value *properties = sf_value_map(m->arena);
    set(m, properties, "type", map_of(m, "enum", texts(m, types, SF_COUNT(types))));
    set(m, properties, "description", typed(m, "string"));
    set(m, properties, "default", sf_value_map(m->arena));
    set(m, properties, "enum", typed(m, "array"));
    set(m, properties, "pattern", typed(m, "string"));
    set(m, properties, "min", typed(m, "integer"));
    set(m, properties, "max", typed(m, "integer"));
    set(m, properties, "secret", typed(m, "boolean"));
    struct sf_value *length = typed(m, "integer");
    sf_map_set_int(m->arena, length, "minimum", 8);
    sf_map_set_int(m->arena, length, "maximum", 128);
    set(m, properties, "generate", object_of(m, map_of(m, "length", length)));
    set(m, properties, "file", typed(m, "string"));
    set(m, properties, "command", ref(m, "names"));
    return object_of(m, properties);
}

static struct sf_value *settings_schema(const struct maker *m, const char *const *keys, size_t n)
{
    struct sf_value *properties = sf_value_map(m->arena);
    for (size_t i = 0; i < n; i++)
        set(m, properties, keys[i], ref(m, "scalar"));
    return object_of(m, properties);
}

static struct sf_value *map_schema(const struct maker *m, const struct sf_value *of)
{
    struct sf_value *v = typed(m, "object");
    set(m, v, "additionalProperties", of);
    return v;
}

static struct sf_value *top_level(const struct maker *m)
{
    struct sf_value *properties = sf_value_map(m->arena), *moved = sf_value_map(m->arena);
    struct sf_value *name = typed(m, "string"), *names = typed(m, "object");
    set(m, name, "pattern", text(m, "^[a-z][a-z0-9-]{0,39}$"));
    set(m, names, "propertyNames", map_of(m, "pattern", text(m, "^[a-z][a-z0-9_]{0,63}$")));
    set(m, names, "additionalProperties", ref(m, "resource"));
    set(m, moved, "from", typed(m, "string"));
    set(m, moved, "to", typed(m, "string"));
    set(m, properties, "stack", name);
    set(m, properties, "provider", map_of(m, "enum", texts(m, (const char *const[]){"local", "aws"}, 2)));
    set(m, properties, "aws", settings_schema(m, (const char *const[]){"region", "profile", "account"}, 3));
    set(m, properties, "local", settings_schema(m, (const char *const[]){"root", "run_as"}, 2));
    set(m, properties, "tags", map_schema(m, ref(m, "scalar")));
    set(m, properties, "variables", map_schema(m, variable_schema(m)));
    set(m, properties, "include", ref(m, "names"));
    set(m, properties, "lookup", typed(m, "object"));
    set(m, properties, "resources", names);
    set(m, properties, "moved", list_of(m, object_of(m, moved)));
    set(m, properties, "outputs", typed(m, "object"));
    return properties;
}

static struct sf_value *definitions(const struct maker *m, const struct sf_schema *schemas, size_t n)
{
    struct sf_value *all = sf_value_map(m->arena), *expression = typed(m, "string"), *scalar = sf_value_map(m->arena);
    struct sf_value *names = sf_value_map(m->arena);
    set(m, expression, "pattern", text(m, "\\$\\{"));
    set(m, scalar, "type", texts(m, (const char *const[]){"string", "number", "boolean", "null"}, 4));
    set(m, names, "type", texts(m, (const char *const[]){"string", "array"}, 2));
    set(m, names, "items", typed(m, "string"));
    set(m, all, "expression", expression);
    set(m, all, "scalar", scalar);
    set(m, all, "names", names);
    set(m, all, "resource", resource_schema(m, schemas, n));
    for (size_t i = 0; i < n; i++)
        set(m, all, sf_str_fmt(m->arena, "kind_%s", schemas[i].kind).p, kind_schema(m, &schemas[i]));
    return all;
}

const struct sf_value *sf_schemac_json(struct sf_arena *arena, const struct sf_schema *schemas, size_t n)
{
    const struct maker m = {arena};
    struct sf_value *root = map_of(&m, "$schema", text(&m, "http://json-schema.org/draft-07/schema#"));
    set(&m, root, "title", text(&m, "sfstack stack file"));
    set(&m, root, "$comment", text(&m, "generated from schemas/kinds by schemac; do not edit"));
    set(&m, root, "type", text(&m, "object"));
    set(&m, root, "properties", top_level(&m));
    set(&m, root, "additionalProperties", sf_value_bool(arena, false));
    set(&m, root, "definitions", definitions(&m, schemas, n));
    return root;
}
