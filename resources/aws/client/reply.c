/* Reading replies: paths, lists that XML cannot tell from single elements, and text that should be numbers. */
#include "resources/aws/client/client.h"

/* One step down: by name in a map; a list stands for its first item, as one `<member>` and three read alike. */
static const struct sf_value *step_into(const struct sf_value *v, struct sf_str name)
{
    while (v && v->type == SF_V_LIST)
        v = v->list.n ? v->list.items[0] : NULL;
    return sf_map_get(v, name);
}

const struct sf_value *sf_aws_at(const struct sf_value *reply, const char *path)
{
    while (reply && *path) {
        const char *dot = strchr(path, '.');
        size_t n = dot ? (size_t)(dot - path) : strlen(path);
        reply = step_into(reply, (struct sf_str){path, n});
        path += dot ? n + 1 : n;
    }
    return reply && reply->type != SF_V_NULL ? reply : NULL;
}

struct sf_str sf_aws_text(const struct sf_value *reply, const char *path)
{
    const struct sf_value *v = sf_aws_at(reply, path);
    return v && (v->type == SF_V_STRING || v->type == SF_V_NUMBER) ? v->s : SF_STR_NONE;
}

int64_t sf_aws_int(const struct sf_value *reply, const char *path, int64_t otherwise)
{
    const struct sf_value *v = sf_aws_at(reply, path);
    int64_t n;
    if (v && v->type == SF_V_INT)
        return v->i;
    return v && v->type == SF_V_STRING && sf_str_int64(sf_str_trim(v->s), &n) ? n : otherwise;
}

bool sf_aws_bool(const struct sf_value *reply, const char *path, bool otherwise)
{
    const struct sf_value *v = sf_aws_at(reply, path);
    if (v && v->type == SF_V_BOOL)
        return v->b;
    struct sf_str text = v && v->type == SF_V_STRING ? sf_str_trim(v->s) : SF_STR_NONE;
    if (sf_str_is(text, "true"))
        return true;
    return sf_str_is(text, "false") ? false : otherwise;
}

const struct sf_value *sf_aws_items(struct sf_arena *arena, const struct sf_value *reply, const char *path)
{
    const struct sf_value *v = sf_aws_at(reply, path);
    if (v && v->type == SF_V_LIST)
        return v;
    bool is_blank = !v || (v->type == SF_V_STRING && sf_str_trim(v->s).n == 0); /* "<Tags/>" is an empty text to the parser */
    const struct sf_value **items = SF_NEW_ARRAY(arena, 1, const struct sf_value *);
    items[0] = v;
    return sf_value_list(arena, items, is_blank ? 0 : 1);
}

bool sf_aws_is_error(const struct sf_err *err, const char *code, const char *text)
{
    return err && strcmp(err->remote_code, code) == 0 && (!text || strstr(err->message, text));
}
