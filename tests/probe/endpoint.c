/* sfprobe endpoint FILE: {service, region, fips?, dualstack?} -> {url, signing_region, signing_name}. Nothing of the environment
 * counts.
 *
 * A file of several lines, each an object, is answered line by line, {"error": message} where there is no answer. */
#include "resources/aws/client/endpoint.h"

#include "engine/core/json.h"
#include "tests/probe/probe.h"

#include <stdio.h>

static enum sf_code answer(struct sf_arena *arena, const struct sf_value *asked, struct sf_value *reply, struct sf_err *err)
{
    struct sf_aws_config config = {.use_fips = sf_map_bool(asked, "fips", false),
                                   .use_dualstack = sf_map_bool(asked, "dualstack", false)};
    struct sf_str service = sf_map_str(asked, "service");
    struct sf_aws_endpoint endpoint;
    enum sf_code rc = sf_aws_endpoint_of(arena, &config, sf_str_dup(arena, service).p, sf_map_str(asked, "region"), &endpoint, err);
    if (rc)
        return rc;
    sf_map_set_str(arena, reply, "url", endpoint.url);
    sf_map_set_str(arena, reply, "signing_region", endpoint.signing_region);
    sf_map_set_str(arena, reply, "signing_name", endpoint.signing_name);
    return SF_OK;
}

static enum sf_code answer_text(struct sf_arena *arena, struct sf_str text, const char *file, struct sf_err *err)
{
    const struct sf_value *asked;
    struct sf_value *reply = sf_value_map(arena);
    enum sf_code rc = sf_json_parse(arena, text, file, SF_JSON_PLAIN, &asked, err);
    if (!rc)
        rc = answer(arena, asked, reply, err);
    if (!rc)
        puts(sf_json_text(arena, reply, SF_JSON_PLAIN).p);
    return rc;
}

int sf_probe_endpoint(const char *file)
{
    return sf_probe_ask(file, answer_text);
}
