/* See expr.h. Evaluation never changes a raw tree: what holds no reference is handed on as it is. A value that came from a
 * variable or another resource is not looked into for ${} again. */
#include "engine/lang/expr.h"

#include "engine/core/json.h"
#include "engine/lang/parts.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <sys/stat.h>
#include <unistd.h>

enum { MAX_TEXT_BYTES = 4 * 1024 * 1024 };

struct evaluator {
    struct sf_arena *arena;
    const struct sf_scope *scope;
    struct sf_diags *diags;
};

/* The text under evaluation, for complaints. */
static struct sf_mark mark_of(const struct sf_value *raw, const struct sf_part *part)
{
    return sf_part_mark(raw, part->at, part->text.n);
}

static enum sf_code follow_path(const struct evaluator *e, const struct sf_value *raw, const struct sf_part *part,
                                const struct sf_value **value)
{
    struct sf_str path = part->path, key;
    bool is_index;
    while (path.n) {
        const struct sf_value *v = *value;
        if (v->type == SF_V_UNKNOWN)
            return SF_OK;
        if (!sf_path_step(&path, &key, &is_index))
            return sf_diag_error(e->diags, "SF0401", mark_of(raw, part), "'%.*s' is no reference", SF_ARG(part->text));
        int64_t i;
        if (v->type == SF_V_LIST && is_index && sf_str_int64(key, &i)) {
            if ((uint64_t)i >= v->list.n)
                return sf_diag_error(e->diags, "SF0404", mark_of(raw, part), "'%.*s': the list has %zu items, counted from 0",
                                     SF_ARG(part->text), v->list.n);
            *value = v->list.items[i];
        } else if (v->type == SF_V_MAP) {
            *value = sf_map_get(v, key);
            if (*value)
                continue;
            sf_diag_error(e->diags, "SF0404", mark_of(raw, part), "'%.*s': there is no key '%.*s'", SF_ARG(part->text),
                          SF_ARG(key));
            struct sf_str *names = SF_NEW_ARRAY(e->arena, v->map.n, struct sf_str);
            for (size_t k = 0; k < v->map.n; k++)
                names[k] = v->map.pairs[k].key;
            sf_diag_help_nearest(e->diags, key, names, v->map.n);
            return SF_E_CONFIG;
        } else {
            return sf_diag_error(e->diags, "SF0404", mark_of(raw, part), "'%.*s': a value of type %s has no part '%.*s'",
                                 SF_ARG(part->text), v->is_secret ? "secret" : sf_value_type_name(v->type), SF_ARG(key));
        }
    }
    return SF_OK;
}

static enum sf_code read_file(const struct evaluator *e, const struct sf_value *raw, const struct sf_part *part,
                              const struct sf_value **value)
{
    const char *path = part->name.p[0] == '/' ? sf_str_dup(e->arena, part->name).p
                                              : sf_str_fmt(e->arena, "%s/%.*s", e->scope->stack->dir, SF_ARG(part->name)).p;
    struct sf_buf buf = SF_BUF(SF_MAX_YAML_BYTES);
    char chunk[16 * 1024], reason[128] = "";
    ssize_t got = -1;
    struct stat st;
    int fd = open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK | O_NOCTTY);
    if (fd >= 0 && fstat(fd, &st) == 0 && !S_ISREG(st.st_mode))
        snprintf(reason, sizeof(reason), "not a regular file");
    else if (fd >= 0)
        while ((got = read(fd, chunk, sizeof(chunk))) > 0 && !buf.overflow)
            sf_buf_add(&buf, (struct sf_str){chunk, (size_t)got});
    if (got < 0 && !reason[0])
        snprintf(reason, sizeof(reason), "%s", strerror(errno));
    if (fd >= 0)
        close(fd);
    if (buf.overflow)
        snprintf(reason, sizeof(reason), "larger than %d MiB", SF_MAX_YAML_BYTES / 1024 / 1024);
    else if (!reason[0] && (!sf_str_is_utf8(sf_buf_str(&buf)) || memchr(sf_buf_str(&buf).p, 0, buf.n)))
        snprintf(reason, sizeof(reason), "not UTF-8 text");
    if (!reason[0])
        *value = sf_value_str(e->arena, sf_buf_str(&buf));
    sf_buf_free(&buf);
    if (!reason[0])
        return SF_OK;
    sf_diag_error(e->diags, "SF0405", mark_of(raw, part), "cannot read '%s': %s", path, reason);
    sf_diag_help(e->diags, "the path in file() is relative to the stack file");
    return SF_E_CONFIG;
}

static enum sf_code look_up_resource(const struct evaluator *e, const struct sf_value *raw, const struct sf_part *part,
                                     const struct sf_value **value)
{
    const struct sf_scope *scope = e->scope;
    const struct sf_resource *resource = sf_map_find(scope->stack->by_name, part->name);
    if (!scope->attribute) {
        sf_diag_error(e->diags, "SF0406", mark_of(raw, part), "'%.*s': a resource cannot be used here", SF_ARG(part->text));
        sf_diag_help(e->diags, "this is needed before any resource is looked at: only variables and ${stack.name} are known");
        return SF_E_CONFIG;
    }
    if (!resource)
        return sf_diag_error(e->diags, "SF0402", mark_of(raw, part), "there is no resource '%.*s'", SF_ARG(part->name));
    *value = scope->attribute(scope->ctx, resource, part->attr);
    if (!*value)
        *value = &sf_null_value;
    return follow_path(e, raw, part, value);
}

static enum sf_code look_up(const struct evaluator *e, const struct sf_value *raw, const struct sf_part *part,
                            const struct sf_value **value)
{
    const struct sf_scope *scope = e->scope;
    switch (part->type) {
    case SF_PART_TEXT:
        *value = sf_value_str(e->arena, part->text);
        return SF_OK;
    case SF_PART_RESOURCE:
        return look_up_resource(e, raw, part, value);
    case SF_PART_VAR: {
        const struct sf_variable *variable = sf_map_find(scope->stack->variable_by_name, part->name);
        if (!variable)
            return sf_diag_error(e->diags, "SF0403", mark_of(raw, part), "there is no variable '%.*s'", SF_ARG(part->name));
        *value =
            variable->value ? variable->value : sf_value_unknown(e->arena, sf_str_fmt(e->arena, "var.%.*s", SF_ARG(part->name)));
        return follow_path(e, raw, part, value);
    }
    case SF_PART_STACK:
        *value = sf_value_str(e->arena, scope->stack->name);
        return SF_OK;
    case SF_PART_PROVIDER: {
        struct sf_str text = sf_str_is(part->name, "region") ? scope->region : scope->account;
        if (!text.n)
            return sf_diag_error(e->diags, "SF0406", mark_of(raw, part), "'%.*s' is not known yet here", SF_ARG(part->text));
        *value = sf_value_str(e->arena, text);
        return SF_OK;
    }
    case SF_PART_EACH:
        if (!scope->self || !scope->self->each)
            return sf_diag_error(e->diags, "SF0407", mark_of(raw, part), "'%.*s' has a meaning only in a resource with for_each",
                                 SF_ARG(part->text));
        *value = sf_str_is(part->name, "key") ? sf_value_str(e->arena, scope->self->each_key) : scope->self->each;
        return follow_path(e, raw, part, value);
    case SF_PART_FILE:
        return read_file(e, raw, part, value);
    }
    return SF_OK;
}

/* Appends a value to text. False when it has no text: a list, a map, null. */
static bool join(struct sf_buf *buf, const struct sf_value *v)
{
    switch (v->type) {
    case SF_V_STRING:
    case SF_V_NUMBER:
        sf_buf_add(buf, v->s);
        return true;
    case SF_V_INT:
        sf_buf_addf(buf, "%lld", (long long)v->i);
        return true;
    case SF_V_BOOL:
        sf_buf_addz(buf, v->b ? "true" : "false");
        return true;
    case SF_V_NULL:
    case SF_V_LIST:
    case SF_V_MAP:
    case SF_V_UNKNOWN:
    case SF_V_FINGERPRINT:
        return false;
    }
    return false;
}

/* A value handed on: it stands where the reference stands, and nobody is to type it by its looks again unless it is a raw
 * scalar out of a list or map variable. */
static const struct sf_value *placed(const struct evaluator *e, const struct sf_value *raw, const struct sf_value *v)
{
    struct sf_value *copy = SF_NEW(e->arena, struct sf_value);
    *copy = *v;
    copy->mark = raw->mark;
    return copy;
}

struct joined {
    struct sf_buf buf;
    const struct sf_value *unknown; /* first one seen */
    const struct sf_value *sealed;  /* first fingerprint seen: a secret whose text nobody has */
    bool is_secret;
};

static enum sf_code join_part(const struct evaluator *e, const struct sf_value *raw, const struct sf_part *part,
                              struct joined *joined)
{
    const struct sf_value *value = &sf_null_value;
    if (part->type == SF_PART_TEXT) {
        sf_buf_add(&joined->buf, part->text);
        return SF_OK;
    }
    enum sf_code rc = look_up(e, raw, part, &value);
    if (rc)
        return rc;
    joined->is_secret = joined->is_secret || value->is_secret;
    if (value->type == SF_V_UNKNOWN) {
        joined->unknown = joined->unknown ? joined->unknown : value;
        return SF_OK;
    }
    if (value->type == SF_V_FINGERPRINT) {
        joined->sealed = value;
        return SF_OK;
    }
    if (join(&joined->buf, value))
        return SF_OK;
    sf_diag_error(e->diags, "SF0408", mark_of(raw, part), "'%.*s' is of type %s and cannot be part of a text", SF_ARG(part->text),
                  sf_value_type_name(value->type));
    if (value->type != SF_V_NULL)
        sf_diag_help(e->diags, "let it stand alone, or name a part of it");
    return SF_E_CONFIG;
}

static enum sf_code eval_text(const struct evaluator *e, const struct sf_value *raw, bool in_json, const struct sf_value **out)
{
    struct joined joined = {.buf = SF_BUF(MAX_TEXT_BYTES)};
    struct sf_part part;
    struct sf_part_error error;
    size_t at = 0;
    enum sf_code rc;
    while ((rc = sf_part_next(e->arena, raw->s, &at, in_json, &part, &error)) != SF_E_ABSENT) {
        if (rc) {
            sf_part_complain(e->diags, raw, &error);
            break;
        }
        if (sf_part_is_alone(&part, raw->s)) {
            const struct sf_value *value;
            rc = look_up(e, raw, &part, &value);
            if (!rc)
                *out = placed(e, raw, value);
            return rc;
        }
        if ((rc = join_part(e, raw, &part, &joined)))
            break;
    }
    if (rc == SF_E_ABSENT && joined.buf.overflow) {
        rc = sf_diag_error(e->diags, "SF0413", raw->mark, "the text becomes longer than %d MiB", MAX_TEXT_BYTES / 1024 / 1024);
    } else if (rc == SF_E_ABSENT) {
        struct sf_value *v;
        if (joined.unknown)
            v = sf_value_unknown(e->arena, joined.unknown->s);
        else if (joined.sealed)
            v = sf_value_unknown(e->arena, SF_STR("a secret"));
        else
            v = sf_value_str(e->arena, sf_buf_str(&joined.buf));
        v->is_secret = joined.is_secret;
        v->mark = raw->mark;
        *out = v;
        rc = SF_OK;
    }
    sf_buf_free(&joined.buf);
    return rc;
}

static enum sf_code eval_value(const struct evaluator *e, const struct sf_value *raw, bool in_json, const struct sf_value **out);

static enum sf_code eval_list(const struct evaluator *e, const struct sf_value *raw, bool in_json, const struct sf_value **out)
{
    struct sf_value *copy = NULL;
    enum sf_code rc = SF_OK;
    for (size_t i = 0; i < raw->list.n; i++) {
        const struct sf_value *item = raw->list.items[i];
        enum sf_code one = eval_value(e, item, in_json, &item);
        rc = one ? one : rc;
        if (one || item == raw->list.items[i])
            continue;
        if (!copy) {
            copy = SF_NEW(e->arena, struct sf_value);
            *copy = *raw;
            copy->list.items = SF_NEW_ARRAY(e->arena, raw->list.n, const struct sf_value *);
            memcpy(copy->list.items, raw->list.items, raw->list.n * sizeof(struct sf_value *));
        }
        copy->list.items[i] = item;
    }
    *out = copy ? copy : raw;
    return rc;
}

static enum sf_code eval_map(const struct evaluator *e, const struct sf_value *raw, bool in_json, const struct sf_value **out)
{
    struct sf_value *copy = NULL;
    enum sf_code rc = SF_OK;
    for (size_t i = 0; i < raw->map.n; i++) {
        const struct sf_value *item = raw->map.pairs[i].value;
        enum sf_code one = eval_value(e, item, in_json, &item);
        rc = one ? one : rc;
        if (one || item == raw->map.pairs[i].value)
            continue;
        if (!copy) {
            copy = SF_NEW(e->arena, struct sf_value);
            *copy = *raw;
            copy->map.cap = raw->map.n;
            copy->map.pairs = SF_NEW_ARRAY(e->arena, raw->map.n, struct sf_pair);
            memcpy(copy->map.pairs, raw->map.pairs, raw->map.n * sizeof(struct sf_pair));
        }
        copy->map.pairs[i].value = item;
    }
    *out = copy ? copy : raw;
    return rc;
}

static enum sf_code eval_value(const struct evaluator *e, const struct sf_value *raw, bool in_json, const struct sf_value **out)
{
    *out = raw;
    switch (raw->type) {
    case SF_V_STRING:
        return sf_parts_any(raw->s) && !raw->is_secret ? eval_text(e, raw, in_json, out) : SF_OK;
    case SF_V_LIST:
        return eval_list(e, raw, in_json, out);
    case SF_V_MAP:
        return eval_map(e, raw, in_json, out);
    case SF_V_NULL:
    case SF_V_BOOL:
    case SF_V_INT:
    case SF_V_NUMBER:
    case SF_V_UNKNOWN:
    case SF_V_FINGERPRINT:
        return SF_OK;
    }
    return SF_OK;
}

enum sf_code sf_expr_eval(struct sf_arena *arena, const struct sf_scope *scope, const struct sf_value *raw, bool in_json,
                          struct sf_diags *diags, const struct sf_value **out)
{
    return eval_value(&(struct evaluator){arena, scope, diags}, raw, in_json, out);
}

/* --- the attributes of a resource --- */

/* A name in a ref attribute becomes the target's identity; *target is NULL for a literal. */
static enum sf_code eval_ref(const struct evaluator *e, const struct sf_attr *attr, const struct sf_value *raw,
                             const struct sf_value **out, const struct sf_resource **target)
{
    *target = NULL;
    *out = raw;
    if (raw->type != SF_V_STRING)
        return SF_OK; /* the schema complains */
    if (sf_parts_any(raw->s))
        return eval_text(e, raw, false, out);
    struct sf_str name;
    if (!sf_parse_resource_name(e->arena, raw->s, &name))
        return SF_OK;
    *target = sf_map_find(e->scope->stack->by_name, name);
    if (!*target)
        return sf_diag_error(e->diags, "SF0402", raw->mark, "there is no resource '%.*s'", SF_ARG(name));
    const struct sf_value *identity =
        e->scope->attribute(e->scope->ctx, *target, attr->ref_attr ? sf_str_of(attr->ref_attr) : SF_STR("id"));
    *out = placed(e, raw, identity ? identity : &sf_null_value);
    return SF_OK;
}

/* By schema, for refs and json parts may be anywhere in it. *refs gets the names of what a ref or list of refs points at. */
static enum sf_code eval_attr(const struct evaluator *e, const struct sf_attr *attr, const struct sf_value *raw,
                              const struct sf_value **out, const struct sf_value **refs)
{
    const struct sf_resource *target;
    enum sf_code rc = SF_OK;
    *refs = NULL;
    if (attr->type == SF_T_REF) {
        rc = eval_ref(e, attr, raw, out, &target);
        if (!rc && target)
            *refs = sf_value_str(e->arena, target->name);
        return rc;
    }
    bool goes_down = (attr->type == SF_T_LIST && raw->type == SF_V_LIST) ||
                     ((attr->type == SF_T_MAP || attr->type == SF_T_OBJECT) && raw->type == SF_V_MAP);
    if (!goes_down || (raw->type == SF_V_LIST ? !attr->of : !attr->of && !attr->fields))
        return eval_value(e, raw, attr->type == SF_T_JSON, out);
    struct sf_value *v = SF_NEW(e->arena, struct sf_value);
    *v = *raw;
    *out = v;
    if (raw->type == SF_V_LIST) {
        const struct sf_value **names = SF_NEW_ARRAY(e->arena, raw->list.n, const struct sf_value *);
        size_t n = 0;
        v->list.items = SF_NEW_ARRAY(e->arena, raw->list.n, const struct sf_value *);
        for (size_t i = 0; i < raw->list.n; i++) {
            const struct sf_value *name;
            enum sf_code one = eval_attr(e, attr->of, raw->list.items[i], &v->list.items[i], &name);
            rc = one ? one : rc;
            if (!one && name && attr->of->type == SF_T_REF)
                names[n++] = name;
        }
        if (n)
            *refs = sf_value_list(e->arena, names, n);
        return rc;
    }
    v->map.cap = raw->map.n;
    v->map.pairs = SF_NEW_ARRAY(e->arena, raw->map.n, struct sf_pair);
    for (size_t i = 0; i < raw->map.n; i++) {
        static const struct sf_attr any = {.name = "any", .type = SF_T_ANY};
        const struct sf_attr *of = attr->of ? attr->of : &any;
        const struct sf_value *ignored;
        for (size_t f = 0; f < attr->n_fields; f++)
            if (sf_str_is(raw->map.pairs[i].key, attr->fields[f].name))
                of = &attr->fields[f];
        v->map.pairs[i] = raw->map.pairs[i];
        enum sf_code one = eval_attr(e, of, raw->map.pairs[i].value, &v->map.pairs[i].value, &ignored);
        rc = one ? one : rc;
    }
    return rc;
}

/* A secret belongs in secret attributes, and secret attributes hold nothing that is readable in the stack file. */
static enum sf_code check_secrecy(const struct evaluator *e, const struct sf_attr *attr, const struct sf_value *raw,
                                  const struct sf_value **value)
{
    const struct sf_value *v = *value;
    if (!attr->is_secret) {
        if (attr->type == SF_T_ANY || !sf_value_has_secret(v))
            return SF_OK;
        sf_diag_error(e->diags, "SF0226", raw->mark, "%s: would show a secret, for this attribute is not secret", attr->name);
        return SF_E_CONFIG;
    }
    if (v->is_secret || v->type == SF_V_UNKNOWN || v->type == SF_V_NULL)
        return SF_OK;
    if (raw->type == SF_V_STRING && sf_parts_any(raw->s) && v->type == SF_V_STRING) { /* from a file or another resource */
        *value = sf_value_secret(e->arena, v->s);
        return SF_OK;
    }
    sf_diag_error(e->diags, "SF0227", raw->mark, "%s: a secret must not stand in the stack file", attr->name);
    sf_diag_hide_source(e->diags);
    sf_diag_help(e->diags,
                 "declare a variable with 'secret: true' and write ${var.NAME}; its value comes from SF_VAR_NAME, a file, a "
                 "command, or is generated");
    return SF_E_CONFIG;
}

static enum sf_code eval_one(const struct evaluator *e, const struct sf_attr *attr, const struct sf_value *raw,
                             struct sf_value *attrs, struct sf_value *refs)
{
    const struct sf_value *value, *names, *typed;
    enum sf_code rc = eval_attr(e, attr, raw, &value, &names);
    if (rc || (rc = sf_schema_type(e->arena, attr, attr->name, value, e->diags, &typed)))
        return rc;
    if ((rc = check_secrecy(e, attr, raw, &typed)))
        return rc;
    if (typed->type == SF_V_NULL)
        return SF_OK;
    sf_map_add(e->arena, attrs, sf_str_of(attr->name), typed);
    if (names)
        sf_map_add(e->arena, refs, sf_str_of(attr->name), names);
    return SF_OK;
}

static enum sf_code fill_in(const struct evaluator *e, const struct sf_resource *resource, const struct sf_attr *attr,
                            struct sf_value *attrs)
{
    if (attr->default_json) {
        const struct sf_value *value;
        struct sf_err err = {.code = SF_OK};
        enum sf_code rc = sf_json_parse(e->arena, sf_str_of(attr->default_json), "schema", SF_JSON_PLAIN, &value, &err);
        if (rc)
            return sf_diag_error(e->diags, "SF0299", resource->mark, "schema of '%s': default of '%s': %s", resource->schema->kind,
                                 attr->name, err.message);
        if (value->type == SF_V_NULL)
            return SF_OK;
        rc = sf_schema_type(e->arena, attr, attr->name, value, e->diags, &value); /* fields have defaults of their own */
        if (rc == SF_OK)
            sf_map_add(e->arena, attrs, sf_str_of(attr->name), value);
        return rc;
    }
    if (!attr->is_required || attr->is_computed || attr->derive)
        return SF_OK;
    sf_diag_error(e->diags, "SF0215", resource->mark, "%s '%.*s': '%s' is missing", resource->schema->kind, SF_ARG(resource->name),
                  attr->name);
    if (attr->summary)
        sf_diag_help(e->diags, "%s: %s", attr->name, attr->summary);
    return SF_E_CONFIG;
}

enum sf_code sf_resource_eval(struct sf_arena *arena, const struct sf_scope *scope, const struct sf_resource *resource,
                              struct sf_diags *diags, struct sf_value **attrs, struct sf_value **refs)
{
    struct sf_scope own = *scope;
    own.self = resource;
    struct evaluator e = {arena, &own, diags};
    const struct sf_schema *schema = resource->schema;
    const struct sf_value *raw = resource->attrs;
    enum sf_code rc = SF_OK;
    *attrs = sf_value_map(arena);
    *refs = sf_value_map(arena);
    for (size_t i = 0; i < raw->map.n; i++) {
        int index = sf_schema_attr(schema, raw->map.pairs[i].key);
        if (index < 0)
            continue; /* sf_stack_load() reported it */
        enum sf_code one = eval_one(&e, &schema->attrs[index], raw->map.pairs[i].value, *attrs, *refs);
        rc = one ? one : rc;
    }
    for (size_t i = 0; i < schema->n_attrs; i++) {
        const struct sf_attr *attr = &schema->attrs[i];
        bool is_other_world = attr->world && !sf_str_is(scope->stack->provider, attr->world);
        if (is_other_world || sf_map_getz(*attrs, attr->name) || (rc && sf_map_getz(raw, attr->name)))
            continue;
        enum sf_code one = fill_in(&e, resource, attr, *attrs);
        rc = one ? one : rc;
    }
    return rc;
}
