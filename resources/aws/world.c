/* The AWS world: who calls, in which account and region, asked once at the start of a run; S3 as the bucket of the data kinds. */
#include "resources/aws/world.h"

#include "resources/aws/client/client.h"
#include "resources/aws/rights.h"
#include "resources/aws/direct.h"
#include "resources/aws/query.h"
#include "resources/aws/s3_objects.h"
#include "resources/aws/warehouse.h"
#include "resources/aws/s3_put.h"
#include "resources/aws/sftp_policy.h"
#include "resources/net/pg.h"

#include "engine/core/clock.h"

#include <time.h>

enum { IDENTITY_SECONDS = 30, IDENTITY_ATTEMPTS = 4, FIRST_WAIT_MS = 100 };

static enum sf_code check_region(const struct sf_aws_config *config, struct sf_err *err)
{
    if (!config->region.n) {
        sf_fail(err, SF_E_CONFIG, "no AWS region is set");
        sf_hint(err, "write it in the stack file, `aws: {region: us-west-2}`, or set AWS_REGION");
        return SF_E_CONFIG;
    }
    if (!sf_aws_is_region(config->region)) {
        sf_fail(err, SF_E_CONFIG, "'%.*s' is not the name of an AWS region", SF_ARG(config->region));
        sf_hint(err, "names are like us-west-2; see `aws: {region: ...}` in the stack file and AWS_REGION");
        return SF_E_CONFIG;
    }
    return SF_OK;
}

/* Before there is a scheduler that could park: a few tries on the main thread. */
static enum sf_code ask_identity(struct sf_arena *arena, const struct sf_site *site, const struct sf_value **reply,
                                 struct sf_err *err)
{
    static const struct sf_object nobody;
    const struct sf_aws_call call = {.service = SF_AWS_STS, .action = "GetCallerIdentity", .effect = SF_AWS_READ};
    struct sf_op op = {.arena = arena,
                       .site = site,
                       .self = &nobody,
                       .deadline_ms = sf_clock_ms() + 1000LL * IDENTITY_SECONDS,
                       .is_planning = true};
    enum sf_code rc = SF_OK;
    for (int attempt = 0; attempt < IDENTITY_ATTEMPTS; attempt++) {
        rc = sf_aws_call(&op, &call, reply, err);
        if (rc != SF_E_THROTTLED && rc != SF_E_UNAVAILABLE)
            return rc;
        int64_t wait_ms = err->retry_after_ms ? err->retry_after_ms : (int64_t)FIRST_WAIT_MS << attempt;
        if (attempt + 1 < IDENTITY_ATTEMPTS && sf_clock_ms() + wait_ms < op.deadline_ms)
            nanosleep(&(struct timespec){.tv_sec = wait_ms / 1000, .tv_nsec = wait_ms % 1000 * 1000000}, NULL);
    }
    return rc;
}

static enum sf_code identify(struct sf_arena *arena, struct sf_site *site, struct sf_err *err)
{
    const struct sf_value *reply = NULL;
    enum sf_code rc = ask_identity(arena, site, &reply, err);
    if (rc) {
        sf_context(err, "asking AWS who we are");
        return rc;
    }
    site->account = sf_str_dup(arena, sf_aws_text(reply, "Account"));
    site->caller = sf_str_dup(arena, sf_aws_text(reply, "Arn"));
    if (site->account.n != 12)
        return sf_fail(err, SF_E_REFUSED, "STS answered without an account");
    struct sf_str asserted = sf_map_str(site->settings, "account");
    if (!asserted.n || sf_str_eq(asserted, site->account))
        return SF_OK;
    sf_fail(err, SF_E_AUTH, "these credentials are for account '%.*s', but the stack file says '%.*s'", SF_ARG(site->account),
            SF_ARG(asserted));
    sf_hint(err, "they are those of '%.*s'; use others (AWS_PROFILE, or `aws: {profile: ...}`), or correct `aws: {account}`",
            SF_ARG(site->caller));
    return SF_E_AUTH;
}

static enum sf_code check(struct sf_arena *arena, struct sf_site *site, struct sf_err *err)
{
    struct sf_aws_config *config = SF_NEW(arena, struct sf_aws_config);
    struct sf_aws *aws = NULL;
    sf_pg_forget_environment(); /* for direct connections, before other threads run */
    enum sf_code rc = sf_aws_config_load(arena, site->settings, config, err);
    if (rc == SF_OK)
        rc = check_region(config, err);
    if (rc == SF_OK)
        rc = sf_aws_new(arena, config, &aws, err);
    if (rc)
        return rc;
    site->world_ctx = aws;
    site->region = config->region;
    return identify(arena, site, err);
}

static enum sf_code open_world(struct sf_arena *arena, struct sf_site *site, bool may_write, const struct sf_value *recorded,
                               void **ctx, const struct sf_value **record, struct sf_err *err)
{
    (void)arena, (void)may_write, (void)recorded, (void)err;
    *ctx = site->world_ctx;
    *record = NULL;
    return SF_OK;
}

static void greet(const struct sf_site *site, struct sf_buf *out)
{
    sf_buf_addf(out, "AWS account %.*s, region %.*s, as %.*s\n", SF_ARG(site->account), SF_ARG(site->region), SF_ARG(site->caller));
}

static void close_world(struct sf_site *site)
{
    sf_aws_free(site->world_ctx);
    site->world_ctx = NULL;
}

const struct sf_world sf_world_aws = {
    .name = "aws",
    .has_etags = true,
    .dialect = &sf_dialect_redshift,
    .check = check,
    .greet = greet,
    .close = close_world,
    .ask_rights = sf_aws_ask_rights,
    .open = open_world,
    .bucket_list = sf_aws_bucket_list,
    .bucket_open = sf_aws_bucket_open,
    .bucket_put = sf_aws_bucket_put,
    .bucket_put_many = sf_aws_bucket_put_many,
    .bucket_abandon = sf_aws_bucket_abandon,
    .bucket_delete = sf_aws_bucket_delete,
    .sftp_check = sf_aws_sftp_check,
    .warehouse_query = sf_aws_warehouse_query,
    .warehouse_takes = sf_aws_warehouse_takes,
    .warehouse_stage = sf_aws_warehouse_stage,
    .warehouse_ask = sf_aws_warehouse_ask,
    .warehouse_client = sf_aws_warehouse_client,
    .warehouse_run = sf_aws_warehouse_run,
    .warehouse_control = sf_aws_warehouse_run,
};
