/* See iam_document.h. */
#include "resources/aws/iam_document.h"

#include "engine/core/json.h"
#include "resources/aws/client/uri.h"
#include "resources/aws/ownership.h"
#include "resources/aws/params.h"

enum { MAX_ROLES = 32 };

struct sf_str sf_aws_document_text(struct sf_arena *arena, const struct sf_value *document)
{
    return sf_json_text(arena, document, SF_JSON_PLAIN);
}

const struct sf_value *sf_aws_document_of(struct sf_arena *arena, struct sf_str encoded)
{
    struct sf_str text = sf_uri_decode(arena, encoded);
    const struct sf_value *document = NULL;
    if (sf_json_parse(arena, text, "document", SF_JSON_PLAIN, &document, NULL) == SF_OK)
        return document;
    return sf_value_str(arena, text);
}

size_t sf_aws_document_size(struct sf_arena *arena, const struct sf_value *document)
{
    struct sf_str text = sf_aws_document_text(arena, document);
    size_t n = 0;
    for (size_t i = 0; i < text.n; i++)
        n += (unsigned char)text.p[i] > ' ' && ((unsigned char)text.p[i] & 0xc0) != 0x80;
    return n;
}

static void collect_roles(const struct sf_value *v, const struct sf_value **roles, size_t *n)
{
    if (v->type == SF_V_STRING && *n < MAX_ROLES && sf_str_find(v->s, SF_STR(":role/")) != SIZE_MAX)
        roles[(*n)++] = v;
    for (size_t i = 0; v->type == SF_V_LIST && i < v->list.n; i++)
        collect_roles(v->list.items[i], roles, n);
    for (size_t i = 0; v->type == SF_V_MAP && i < v->map.n; i++)
        collect_roles(v->map.pairs[i].value, roles, n);
}

const struct sf_value *sf_aws_roles_named(struct sf_arena *arena, const struct sf_value *document)
{
    const struct sf_value **roles = SF_NEW_ARRAY(arena, MAX_ROLES, const struct sf_value *);
    size_t n = 0;
    if (document)
        collect_roles(document, roles, &n);
    return sf_value_list(arena, roles, n);
}

const struct sf_value *sf_aws_text_or_unset(const struct sf_op *op, const char *attr, struct sf_str text)
{
    const struct sf_value *has = sf_map_getz(op->self->attrs, attr);
    return text.n || op->is_adopting || (has && has->type == SF_V_STRING) ? sf_value_str(op->arena, text) : &sf_null_value;
}

struct sf_value *sf_aws_iam_params(struct sf_op *op, const char *name, struct sf_str value)
{
    struct sf_value *params = sf_value_map(op->arena);
    sf_map_set_str(op->arena, params, name, value);
    return params;
}

enum sf_code sf_aws_iam_put(struct sf_op *op, const char *action, const struct sf_value *params, struct sf_str arn,
                            struct sf_err *err)
{
    struct sf_aws_call call = {.service = SF_AWS_IAM, .action = action, .effect = SF_AWS_PUT, .params = params, .resource = arn};
    return sf_aws_call(op, &call, NULL, err);
}

/* --- tags --- */

static const char *action_of(struct sf_op *op, const char *verb, const struct sf_aws_iam_tagged *object, const char *more)
{
    return sf_str_fmt(op->arena, "%s%s%s", verb, object->kind, more).p;
}

enum sf_code sf_aws_iam_tags(struct sf_op *op, const struct sf_aws_iam_tagged *object, const struct sf_value **map,
                             struct sf_err *err)
{
    static const struct sf_aws_pages pages = {"Tags.member", "Marker", "Marker"};
    struct sf_aws_call call = {.service = SF_AWS_IAM,
                               .action = action_of(op, "List", object, "Tags"),
                               .effect = SF_AWS_READ,
                               .params = sf_aws_iam_params(op, object->key, object->id),
                               .resource = object->arn};
    const struct sf_value *list = NULL;
    enum sf_code rc = sf_aws_list(op, &call, &pages, &list, err);
    if (!rc)
        *map = sf_aws_tag_map(op->arena, list, &sf_aws_tags_upper);
    return rc;
}

static enum sf_code put_list(struct sf_op *op, const struct sf_aws_iam_tagged *object, const char *verb, const char *name,
                             const struct sf_value *list, struct sf_err *err)
{
    if (list->list.n == 0)
        return SF_OK;
    struct sf_value *params = sf_aws_iam_params(op, object->key, object->id);
    sf_map_add(op->arena, params, sf_str_of(name), sf_params_members(op->arena, "member", list));
    return sf_aws_iam_put(op, action_of(op, verb, object, ""), params, object->arn, err);
}

enum sf_code sf_aws_iam_put_tags(struct sf_op *op, const struct sf_aws_iam_tagged *object, const struct sf_value *have,
                                 const struct sf_value *want, struct sf_err *err)
{
    const struct sf_value *set = NULL, *unset = NULL;
    sf_aws_tag_changes(op, have, want, &sf_aws_tags_upper, &set, &unset);
    enum sf_code rc = put_list(op, object, "Tag", "Tags", set, err);
    return rc ? rc : put_list(op, object, "Untag", "TagKeys", unset, err);
}
