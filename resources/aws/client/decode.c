/* Replies of calls that were done, as one map whatever the protocol. */
#include "resources/aws/client/internal.h"

#include "engine/core/json.h"
#include "engine/core/xml.h"
#include "resources/aws/client/fault.h"

/* <CreateRoleResponse><CreateRoleResult>..: what is inside; ec2 and results without members have no such wrapper. */
static bool decode_query(struct sf_arena *arena, const struct sf_aws_sent *sent, const struct sf_value **reply)
{
    struct sf_str root;
    const struct sf_value *content;
    if (sf_xml_parse(arena, sent->reply.body, &root, &content, NULL) != SF_OK || !sf_str_ends(root, SF_STR("Response")))
        return false;
    const struct sf_value *result = sf_map_get(content, sf_str_fmt(arena, "%sResult", sent->call->action));
    if (result)
        content = result;
    *reply = content->type == SF_V_MAP ? content : sf_value_map(arena);
    return true;
}

static bool decode_json(struct sf_arena *arena, const struct sf_aws_sent *sent, const struct sf_value **reply)
{
    *reply = sf_value_map(arena);
    if (!sf_str_trim(sent->reply.body).n)
        return true;
    return sf_json_parse(arena, sent->reply.body, "reply", SF_JSON_PLAIN, reply, NULL) == SF_OK && (*reply)->type == SF_V_MAP;
}

/* An object's content is handed out as it is, even when it looks like XML. */
static bool is_object_content(const struct sf_aws_call *call)
{
    return call->key.n && strcmp(call->method, "GET") == 0 && sf_map_pair(call->query, SF_STR("uploadId")) == NULL &&
           sf_map_pair(call->query, SF_STR("tagging")) == NULL;
}

static bool decode_s3(struct sf_arena *arena, const struct sf_aws_sent *sent, const struct sf_value **reply)
{
    struct sf_value *map = sf_value_map(arena);
    struct sf_str body = sent->reply.body, root;
    const struct sf_value *content;
    bool is_content = is_object_content(sent->call);
    if (!is_content && sf_aws_is_web_page(body, NULL))
        return false;
    if (!is_content && sf_str_starts(sf_str_trim(body), SF_STR("<"))) {
        if (sf_xml_parse(arena, body, &root, &content, NULL) != SF_OK)
            return false;
        if (content->type == SF_V_MAP)
            for (size_t i = 0; i < content->map.n; i++)
                sf_map_add(arena, map, content->map.pairs[i].key, content->map.pairs[i].value);
        else /* <LocationConstraint>us-west-2</LocationConstraint> */
            sf_map_add(arena, map, root, content);
    } else if (body.n || is_content) {
        sf_map_set_str(arena, map, "body", body);
    }
    for (size_t i = 0; i < sent->reply.n_headers; i++)
        sf_map_set(arena, map, sent->reply.headers[i].name, sf_value_str(arena, sent->reply.headers[i].value));
    *reply = map;
    return true;
}

bool sf_aws_decode(struct sf_arena *arena, const struct sf_aws_sent *sent, const struct sf_value **reply)
{
    switch (sent->wire->protocol) {
    case SF_AWS_QUERY:
    case SF_AWS_EC2_QUERY:
        return decode_query(arena, sent, reply);
    case SF_AWS_JSON:
        return decode_json(arena, sent, reply);
    case SF_AWS_REST_XML:
        return decode_s3(arena, sent, reply);
    }
    return false;
}
