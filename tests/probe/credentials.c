/* sfprobe credentials [PROFILE]: which credentials the chain finds, for tests that compare it with another's. Never a secret.
 *
 * PROFILE is what a stack's `aws: {profile}` would say. Prints {access_key, source, expires_ms, has_token}. */
#include "resources/aws/client/credentials.h"

#include "engine/core/clock.h"
#include "engine/core/json.h"
#include "tests/probe/probe.h"

#include <stdio.h>

enum { WITHIN_MS = 60000 };

static enum sf_code find(struct sf_arena *arena, const char *profile, struct sf_http *http, struct sf_err *err)
{
    struct sf_value *settings = sf_value_map(arena), *found = sf_value_map(arena);
    struct sf_aws_config config;
    struct sf_aws_credentials credentials;
    if (profile)
        sf_map_set_str(arena, settings, "profile", sf_str_of(profile));
    enum sf_code rc = sf_aws_config_load(arena, settings, &config, err);
    if (rc)
        return rc;
    struct sf_aws_provider *provider = sf_aws_provider_new(arena, &config, http);
    rc = sf_aws_provider_get(provider, arena, sf_clock_ms() + WITHIN_MS, &credentials, err);
    sf_aws_provider_free(provider);
    if (rc)
        return rc;
    sf_map_set_str(arena, found, "access_key", credentials.access_key);
    sf_map_set_str(arena, found, "source", sf_str_of(credentials.source));
    sf_map_set_int(arena, found, "expires_ms", credentials.expires_ms);
    sf_map_set_bool(arena, found, "has_token", credentials.session_token.n > 0);
    puts(sf_json_text(arena, found, SF_JSON_PLAIN).p);
    return SF_OK;
}

int sf_probe_credentials(int argc, char **argv)
{
    if (argc > 1) {
        fputs("usage: sfprobe credentials [PROFILE]\n", stderr);
        return 64;
    }
    struct sf_arena *arena = sf_arena_new();
    struct sf_http *http = sf_http_new();
    struct sf_err err = {.code = SF_OK};
    enum sf_code rc = find(arena, argc ? argv[0] : NULL, http, &err);
    if (rc)
        fprintf(stderr, "%s\n%s%s%s", err.message, err.hint[0] ? "hint: " : "", err.hint, err.hint[0] ? "\n" : "");
    sf_http_free(http);
    sf_arena_free(arena);
    return rc ? 1 : 0;
}
