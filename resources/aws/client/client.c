/* The context of a run on AWS: made once, shared by every worker. */
#include "resources/aws/client/errors.h"

#include "engine/core/clock.h"

#include <stdlib.h>

enum { NOTED_MS = 2 * 60 * 1000 };

struct sf_aws *sf_aws_of(const struct sf_op *op)
{
    return op->site->world_ctx;
}

enum sf_code sf_aws_new(struct sf_arena *arena, const struct sf_aws_config *config, struct sf_aws **out, struct sf_err *err)
{
    struct sf_aws *aws = SF_NEW(arena, struct sf_aws);
    aws->config = config;
    aws->partition = sf_aws_partition_of(config->region);
    for (int i = 0; i < SF_AWS_SERVICES; i++) {
        const char *name = sf_aws_wire_of((enum sf_aws_service)i)->name;
        enum sf_code rc = sf_aws_endpoint_of(arena, config, name, config->region, &aws->endpoints[i], err);
        if (rc)
            return rc;
    }
    pthread_mutex_init(&aws->mutex, NULL);
    aws->http = sf_http_new();
    aws->provider = sf_aws_provider_new(arena, config, aws->http);
    *out = aws;
    return SF_OK;
}

void sf_aws_free(struct sf_aws *aws)
{
    if (!aws)
        return;
    sf_aws_provider_free(aws->provider);
    sf_http_free(aws->http);
    while (aws->roles) {
        struct sf_aws_noted_role *role = aws->roles;
        aws->roles = role->next;
        free(role);
    }
    pthread_mutex_destroy(&aws->mutex);
}

const struct sf_aws_config *sf_aws_config_of(const struct sf_aws *aws)
{
    return aws->config;
}

const struct sf_aws_partition *sf_aws_partition(const struct sf_aws *aws)
{
    return aws->partition;
}

struct sf_str sf_aws_arn(const struct sf_op *op, const char *service, bool has_region, const char *fmt, ...)
{
    const struct sf_site *site = op->site;
    bool is_s3 = strcmp(service, "s3") == 0; /* bucket names are unique in a partition: neither region nor account */
    va_list ap;
    va_start(ap, fmt);
    struct sf_str resource = sf_str_vfmt(op->arena, fmt, ap);
    va_end(ap);
    return sf_str_fmt(op->arena, "arn:%s:%s:%.*s:%.*s:%.*s", sf_aws_of(op)->partition->name, service,
                      SF_ARG(has_region && !is_s3 ? site->region : SF_STR_NONE), SF_ARG(is_s3 ? SF_STR_NONE : site->account),
                      SF_ARG(resource));
}

/* --- roles that this run made or changed --- */

void sf_aws_note_role(struct sf_op *op, struct sf_str arn)
{
    struct sf_aws *aws = sf_aws_of(op);
    struct sf_aws_noted_role *role = malloc(sizeof(*role) + arn.n + 1);
    if (!role)
        sf_out_of_memory();
    role->at_ms = sf_clock_ms();
    if (arn.n)
        memcpy(role->arn, arn.p, arn.n);
    role->arn[arn.n] = 0;
    pthread_mutex_lock(&aws->mutex);
    role->next = aws->roles;
    aws->roles = role;
    pthread_mutex_unlock(&aws->mutex);
}

static bool is_noted(struct sf_aws *aws, struct sf_str arn)
{
    bool is_found = false;
    int64_t since = sf_clock_ms() - NOTED_MS;
    pthread_mutex_lock(&aws->mutex);
    for (const struct sf_aws_noted_role *role = aws->roles; role && !is_found; role = role->next)
        is_found = role->at_ms > since && sf_str_is(arn, role->arn);
    pthread_mutex_unlock(&aws->mutex);
    return is_found;
}

bool sf_aws_is_role_new(struct sf_op *op, struct sf_str arn)
{
    return is_noted(sf_aws_of(op), arn);
}

bool sf_aws_awaits_role(struct sf_op *op, const struct sf_value *arns, const struct sf_err *err)
{
    struct sf_aws *aws = sf_aws_of(op);
    if (!arns || !sf_aws_is_not_yet(err))
        return false;
    if (arns->type == SF_V_STRING)
        return is_noted(aws, arns->s);
    for (size_t i = 0; arns->type == SF_V_LIST && i < arns->list.n; i++)
        if (arns->list.items[i]->type == SF_V_STRING && is_noted(aws, arns->list.items[i]->s))
            return true;
    return false;
}
