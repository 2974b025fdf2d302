/* See credentials.h. Here: who waits for whom, what is kept how long, and the order of the chain. */
#include "resources/aws/client/credentials_links.h"

#include "engine/core/clock.h"

#include <openssl/crypto.h>

#include <errno.h>
#include <pthread.h>
#include <stdlib.h>
#include <time.h>

enum { EARLY_MS = 15 * 60 * 1000, LAST_MINUTE_MS = 60 * 1000, TRY_AGAIN_MS = 60 * 1000 };

struct sf_aws_provider {
    const struct sf_aws_config *config;
    struct sf_http *http;
    pthread_mutex_t lock; /* over all below */
    pthread_cond_t ended; /* a fetch has */
    char *block;          /* the texts of `held` */
    size_t block_bytes;
    struct sf_aws_credentials held; /* access_key empty: none yet */
    int64_t early_ms;               /* wall clock: from then on they are fetched anew, though they still do */
    bool is_fetching;
    unsigned fetches;       /* that have ended */
    enum sf_code last_code; /* of the last one */
    struct sf_err last_err;
};

/* --- the chain --- */

static enum sf_code take_keys(const struct sf_value *settings, const char *file, struct sf_cred_walk *walk, struct sf_str profile,
                              struct sf_aws_credentials *found, struct sf_err *err)
{
    if (!sf_map_getz(settings, "aws_access_key_id"))
        return SF_E_ABSENT;
    found->access_key = sf_map_str(settings, "aws_access_key_id");
    found->secret_key = sf_map_str(settings, "aws_secret_access_key");
    found->session_token = sf_map_str(settings, "aws_security_token");
    if (!found->session_token.n)
        found->session_token = sf_map_str(settings, "aws_session_token");
    found->source = sf_str_fmt(walk->arena, "profile '%.*s'", SF_ARG(profile)).p;
    if (found->access_key.n && found->secret_key.n)
        return SF_OK;
    sf_fail(err, SF_E_AUTH, "profile '%.*s' has no %s in the %s file", SF_ARG(profile),
            found->access_key.n ? "aws_secret_access_key" : "aws_access_key_id", file);
    sf_hint(err, "run `aws configure --profile %.*s`", SF_ARG(profile));
    return SF_E_AUTH;
}

static enum sf_code shared_file(struct sf_cred_walk *walk, struct sf_str profile, struct sf_aws_credentials *found,
                                struct sf_err *err)
{
    return take_keys(sf_map_get(walk->config->credentials_profiles, profile), "credentials", walk, profile, found, err);
}

static enum sf_code config_file(struct sf_cred_walk *walk, struct sf_str profile, struct sf_aws_credentials *found,
                                struct sf_err *err)
{
    return take_keys(sf_map_get(walk->config->config_profiles, profile), "config", walk, profile, found, err);
}

/* `aws login`: its tokens are bound to a key by proofs that only its own programs make. */
static enum sf_code login(struct sf_cred_walk *walk, struct sf_str profile, struct sf_aws_credentials *found, struct sf_err *err)
{
    (void)found;
    if (!sf_cred_setting(walk, profile, "login_session").n)
        return SF_E_ABSENT;
    sf_fail(err, SF_E_AUTH, "profile '%.*s' signs in by `aws login`, which is not supported", SF_ARG(profile));
    sf_hint(err, "eval \"$(aws configure export-credentials --profile %.*s --format env)\"", SF_ARG(profile));
    return SF_E_AUTH;
}

static enum sf_code first_of(struct sf_cred_walk *walk, sf_cred_link *const *links, size_t n, struct sf_str profile,
                             struct sf_aws_credentials *found, struct sf_err *err)
{
    for (size_t i = 0; i < n; i++) {
        *found = (struct sf_aws_credentials){.expires_ms = 0};
        enum sf_code rc = links[i](walk, profile, found, err);
        if (rc != SF_E_ABSENT)
            return rc;
    }
    return SF_E_ABSENT;
}

enum sf_code sf_cred_profile(struct sf_cred_walk *walk, struct sf_str profile, struct sf_aws_credentials *found, struct sf_err *err)
{
    static sf_cred_link *const links[] = {
        sf_cred_web_identity_of_profile, sf_cred_sso, shared_file, login, sf_cred_process, config_file};
    return first_of(walk, links, SF_COUNT(links), profile, found, err);
}

static enum sf_code walk_chain(struct sf_cred_walk *walk, struct sf_aws_credentials *found, struct sf_err *err)
{
    static sf_cred_link *const anyones[] = {sf_cred_environment, sf_cred_role,      sf_cred_web_identity,
                                            sf_cred_profile,     sf_cred_container, sf_cred_instance};
    static sf_cred_link *const stacks[] = {sf_cred_role, sf_cred_profile, sf_cred_container, sf_cred_instance};
    struct sf_str profile = walk->config->profile;
    enum sf_code rc = walk->config->is_profile_of_stack ? first_of(walk, stacks, SF_COUNT(stacks), profile, found, err)
                                                        : first_of(walk, anyones, SF_COUNT(anyones), profile, found, err);
    if (rc != SF_E_ABSENT)
        return rc ? rc : sf_cred_check_fresh(walk, found, err);
    if (sf_clock_ms() >= walk->deadline_ms)
        return sf_fail(err, SF_E_UNAVAILABLE, "no time was left to look for AWS credentials");
    if (walk->config->is_profile_explicit)
        sf_fail(err, SF_E_AUTH, "profile '%.*s' leads to no AWS credentials", SF_ARG(profile));
    else
        sf_fail(err, SF_E_AUTH, "there are no AWS credentials");
    sf_hint(err,
            "set AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY, name a profile (AWS_PROFILE, or aws: {profile} in the stack), or run "
            "`aws configure` or `aws configure sso`");
    return SF_E_AUTH;
}

/* --- what is kept --- */

static void forget(struct sf_aws_provider *p)
{
    if (p->block)
        OPENSSL_cleanse(p->block, p->block_bytes);
    free(p->block);
    p->block = NULL;
    p->held = (struct sf_aws_credentials){.expires_ms = 0};
}

static struct sf_str put(char **at, struct sf_str text)
{
    char *to = *at;
    if (text.n)
        memcpy(to, text.p, text.n);
    to[text.n] = 0;
    *at += text.n + 1;
    return (struct sf_str){to, text.n};
}

static void keep(struct sf_aws_provider *p, const struct sf_aws_credentials *found)
{
    struct sf_str source = sf_str_of(found->source);
    int64_t now = sf_clock_wall_ms();
    forget(p);
    p->block_bytes = found->access_key.n + found->secret_key.n + found->session_token.n + source.n + 4;
    char *at = p->block = malloc(p->block_bytes);
    if (!at)
        sf_out_of_memory();
    p->held.access_key = put(&at, found->access_key);
    p->held.secret_key = put(&at, found->secret_key);
    p->held.session_token = put(&at, found->session_token);
    p->held.source = put(&at, source).p;
    p->held.expires_ms = found->expires_ms;
    /* those that live a quarter of an hour at all would be fetched for every call: half their life will do for them */
    int64_t halfway = now + (found->expires_ms - now) / 2, early = found->expires_ms - EARLY_MS;
    p->early_ms = early > halfway ? early : halfway;
}

static void copy(const struct sf_aws_provider *p, struct sf_arena *arena, struct sf_aws_credentials *credentials)
{
    *credentials = (struct sf_aws_credentials){
        .access_key = sf_str_dup(arena, p->held.access_key),
        .secret_key = sf_str_dup(arena, p->held.secret_key),
        .session_token = sf_str_dup(arena, p->held.session_token),
        .expires_ms = p->held.expires_ms,
        .source = sf_str_dup(arena, sf_str_of(p->held.source)).p,
    };
}

static bool is_usable(const struct sf_aws_provider *p)
{
    return p->held.access_key.n && (!p->held.expires_ms || p->held.expires_ms - sf_clock_wall_ms() > LAST_MINUTE_MS);
}

static bool is_time_for_new(const struct sf_aws_provider *p)
{
    return p->held.expires_ms && sf_clock_wall_ms() >= p->early_ms;
}

/* Called with the lock held, which is let go meanwhile. */
static void fetch(struct sf_aws_provider *p, int64_t deadline_ms)
{
    p->is_fetching = true;
    pthread_mutex_unlock(&p->lock);
    struct sf_cred_walk walk = {.config = p->config, .http = p->http, .arena = sf_arena_new(), .deadline_ms = deadline_ms};
    struct sf_aws_credentials found = {.expires_ms = 0};
    struct sf_err err = {.code = SF_OK};
    enum sf_code rc = walk_chain(&walk, &found, &err);
    pthread_mutex_lock(&p->lock);
    if (!rc)
        keep(p, &found);
    else if (is_usable(p))
        p->early_ms = sf_clock_wall_ms() + TRY_AGAIN_MS;
    sf_arena_free_wiped(walk.arena);
    p->is_fetching = false;
    p->fetches++;
    p->last_code = rc;
    p->last_err = err;
    pthread_cond_broadcast(&p->ended);
}

/* False: the deadline came first. */
static bool await_fetch(struct sf_aws_provider *p, int64_t deadline_ms)
{
    struct timespec until;
    int64_t left = deadline_ms - sf_clock_ms();
    unsigned seen = p->fetches;
    if (left <= 0)
        return false;
    clock_gettime(CLOCK_MONOTONIC, &until);
    until.tv_sec += left / 1000;
    until.tv_nsec += left % 1000 * 1000000;
    if (until.tv_nsec >= 1000000000) {
        until.tv_sec++;
        until.tv_nsec -= 1000000000;
    }
    while (p->fetches == seen) {
        if (pthread_cond_timedwait(&p->ended, &p->lock, &until) == ETIMEDOUT)
            return p->fetches != seen;
    }
    return true;
}

enum sf_code sf_aws_provider_get(struct sf_aws_provider *p, struct sf_arena *arena, int64_t deadline_ms,
                                 struct sf_aws_credentials *credentials, struct sf_err *err)
{
    enum sf_code rc = SF_OK;
    pthread_mutex_lock(&p->lock);
    if (p->is_fetching && !is_usable(p)) {
        if (!await_fetch(p, deadline_ms))
            rc = sf_fail(err, SF_E_UNAVAILABLE, "waiting for AWS credentials took too long");
    } else if (!p->is_fetching && (!is_usable(p) || is_time_for_new(p))) {
        fetch(p, deadline_ms);
    }
    if (!rc && is_usable(p)) {
        copy(p, arena, credentials);
    } else if (!rc) {
        rc = p->last_code;
        if (!rc)
            rc = sf_fail(&p->last_err, SF_E_AUTH, "AWS credentials of %s have expired", p->held.source);
        if (err)
            *err = p->last_err;
    }
    pthread_mutex_unlock(&p->lock);
    return rc;
}

struct sf_aws_provider *sf_aws_provider_new(struct sf_arena *arena, const struct sf_aws_config *config, struct sf_http *http)
{
    struct sf_aws_provider *p = SF_NEW(arena, struct sf_aws_provider);
    pthread_condattr_t monotonic;
    p->config = config;
    p->http = http;
    pthread_mutex_init(&p->lock, NULL);
    pthread_condattr_init(&monotonic);
    pthread_condattr_setclock(&monotonic, CLOCK_MONOTONIC);
    pthread_cond_init(&p->ended, &monotonic);
    pthread_condattr_destroy(&monotonic);
    return p;
}

void sf_aws_provider_free(struct sf_aws_provider *p)
{
    if (!p)
        return;
    forget(p);
    pthread_cond_destroy(&p->ended);
    pthread_mutex_destroy(&p->lock);
}

/* --- the environment, and what links share --- */

enum sf_code sf_cred_environment(struct sf_cred_walk *walk, struct sf_str profile, struct sf_aws_credentials *found,
                                 struct sf_err *err)
{
    (void)profile;
    found->access_key = sf_str_of(getenv("AWS_ACCESS_KEY_ID"));
    found->secret_key = sf_str_of(getenv("AWS_SECRET_ACCESS_KEY"));
    found->session_token = sf_str_of(getenv("AWS_SECURITY_TOKEN"));
    found->source = "environment";
    struct sf_str expiration = sf_str_of(getenv("AWS_CREDENTIAL_EXPIRATION"));
    if (!found->access_key.n)
        return SF_E_ABSENT;
    if (!found->session_token.n)
        found->session_token = sf_str_of(getenv("AWS_SESSION_TOKEN"));
    walk->renewal = "set AWS_ACCESS_KEY_ID, AWS_SECRET_ACCESS_KEY, AWS_SESSION_TOKEN and AWS_CREDENTIAL_EXPIRATION anew";
    if (!found->secret_key.n) {
        sf_fail(err, SF_E_AUTH, "AWS_ACCESS_KEY_ID is set and AWS_SECRET_ACCESS_KEY is not");
        sf_hint(err, "set both, or unset AWS_ACCESS_KEY_ID to use a profile");
        return SF_E_AUTH;
    }
    if (expiration.n && !sf_cred_time(expiration, &found->expires_ms))
        return sf_fail(err, SF_E_CONFIG, "AWS_CREDENTIAL_EXPIRATION is no time like 2026-11-20T13:35:39Z");
    return SF_OK;
}

enum sf_code sf_cred_check_fresh(struct sf_cred_walk *walk, const struct sf_aws_credentials *found, struct sf_err *err)
{
    int64_t left = found->expires_ms - sf_clock_wall_ms();
    if (!found->expires_ms || left > LAST_MINUTE_MS)
        return SF_OK;
    sf_fail(err, SF_E_AUTH, "AWS credentials of %s %s at %s", found->source, left > 0 ? "expire" : "expired",
            sf_clock_rfc3339(walk->arena, found->expires_ms).p);
    if (walk->renewal)
        sf_hint(err, "%s", walk->renewal);
    return SF_E_AUTH;
}
