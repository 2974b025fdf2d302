/* See endpoint.h. Nearly every endpoint is SERVICE[-fips].REGION.SUFFIX; what is not stands in the tables below. */
#include "resources/aws/client/endpoint.h"

#include <ctype.h>
#include <strings.h>

enum { MAX_REGION_BYTES = 63 };

enum variant { PLAIN, DUAL, FIPS, FIPS_DUAL, VARIANTS };

static const struct {
    struct sf_aws_partition of;
    const char *fips_region;   /* the region IAM's FIPS endpoints are signed for */
    const char *prefixes;      /* of its regions, between blanks: PREFIX-word-number */
    const char *iam[VARIANTS]; /* IAM is one host for the whole partition */
} partitions[] = {
    {{"aws", "amazonaws.com", "api.aws", "us-east-1"},
     "us-east-1",
     " us eu ap sa ca me af il mx ",
     {"iam.amazonaws.com", "iam.global.api.aws", "iam-fips.amazonaws.com", "iam-fips.global.api.aws"}},
    {{"aws-cn", "amazonaws.com.cn", "api.amazonwebservices.com.cn", "cn-north-1"},
     "cn-northwest-1",
     " cn ",
     {"iam.cn-north-1.amazonaws.com.cn", "iam.global.api.amazonwebservices.com.cn", "iam-fips.amazonaws.com.cn",
      "iam-fips.api.amazonwebservices.com.cn"}},
    {{"aws-us-gov", "amazonaws.com", "api.aws", "us-gov-west-1"},
     "us-gov-west-1",
     " us-gov ",
     {"iam.us-gov.amazonaws.com", "iam.us-gov.api.aws", "iam.us-gov.amazonaws.com", "iam.us-gov.api.aws"}},
    {{"aws-iso", "c2s.ic.gov", "api.aws.ic.gov", "us-iso-east-1"},
     "us-iso-east-1",
     " us-iso ",
     {"iam.us-iso-east-1.c2s.ic.gov", "iam.api.aws.ic.gov", "iam-fips.us-iso-east-1.c2s.ic.gov", "iam-fips.api.aws.ic.gov"}},
    {{"aws-iso-b", "sc2s.sgov.gov", "api.aws.scloud", "us-isob-east-1"},
     "us-isob-east-1",
     " us-isob ",
     {"iam.us-isob-east-1.sc2s.sgov.gov", "iam.api.aws.scloud", "iam-fips.us-isob-east-1.sc2s.sgov.gov",
      "iam-fips.api.aws.scloud"}},
    {{"aws-iso-e", "cloud.adc-e.uk", "api.cloud-aws.adc-e.uk", "eu-isoe-west-1"},
     "eu-isoe-west-1",
     " eu-isoe ",
     {"iam.eu-isoe-west-1.cloud.adc-e.uk", "iam.api.cloud-aws.adc-e.uk", "iam-fips.cloud.adc-e.uk",
      "iam-fips.api.cloud-aws.adc-e.uk"}},
    {{"aws-iso-f", "csp.hci.ic.gov", "api.aws.hci.ic.gov", "us-isof-south-1"},
     "us-isof-south-1",
     " us-isof ",
     {"iam.us-isof-south-1.csp.hci.ic.gov", "iam.api.aws.hci.ic.gov", "iam-fips.csp.hci.ic.gov", "iam-fips.api.aws.hci.ic.gov"}},
    {{"aws-eusc", "amazonaws.eu", "api.amazonwebservices.eu", "eusc-de-east-1"},
     "eusc-de-east-1",
     " eusc-de ",
     {"iam.eusc-de-east-1.amazonaws.eu", "iam.api.amazonwebservices.eu", "iam-fips.amazonaws.eu",
      "iam-fips.api.amazonwebservices.eu"}},
};

static const struct service {
    const char *name;
    const char *host;
    const char *signing_name;
    const char *id; /* in AWS_ENDPOINT_URL_<ID> and, in lower case, in a services section */
} services[] = {
    {"s3", "s3", "s3", "S3"},
    {"iam", "iam", "iam", "IAM"},
    {"sts", "sts", "sts", "STS"},
    {"ec2", "ec2", "ec2", "EC2"},
    {"redshift", "redshift", "redshift", "REDSHIFT"},
    {"redshift-serverless", "redshift-serverless", "redshift-serverless", "REDSHIFT_SERVERLESS"},
    {"redshift-data", "redshift-data", "redshift-data", "REDSHIFT_DATA"},
    {"transfer", "transfer", "transfer", "TRANSFER"},
    {"secretsmanager", "secretsmanager", "secretsmanager", "SECRETS_MANAGER"},
    {"glue", "glue", "glue", "GLUE"},
    {"kms", "kms", "kms", "KMS"},
    {"sso", "portal.sso", "awsssoportal", "SSO"},
};

/* Regional endpoints that are not as the rule says. */
static const struct {
    const char *service, *partition;
    enum variant variant;
    bool has_fips_mark, has_dual_suffix;
} exceptions[] = {
    {"sts", "aws-us-gov", FIPS, false, false},
    {"ec2", "aws-us-gov", FIPS, false, false},
    {"redshift", "aws-us-gov", FIPS, false, false},
    {"sso", "aws-us-gov", FIPS, false, false},
    {"secretsmanager", "aws", DUAL, false, false},
    {"secretsmanager", "aws", FIPS_DUAL, true, false},
    {"secretsmanager", "aws-cn", DUAL, false, false},
    {"secretsmanager", "aws-us-gov", DUAL, false, false},
    {"secretsmanager", "aws-us-gov", FIPS_DUAL, true, false},
};

/* Whether `region` is `prefix`, a word and a number, joined by hyphens. */
static bool is_region_of(struct sf_str region, struct sf_str prefix)
{
    if (!sf_str_starts(region, prefix) || region.n <= prefix.n || region.p[prefix.n] != '-')
        return false;
    size_t at = prefix.n + 1, word = at;
    while (at < region.n && (isalnum((unsigned char)region.p[at]) || region.p[at] == '_'))
        at++;
    if (at == word || at == region.n || region.p[at] != '-')
        return false;
    size_t number = ++at;
    while (at < region.n && isdigit((unsigned char)region.p[at]))
        at++;
    return at > number && at == region.n;
}

/* Place in partitions[]. */
static size_t find_partition(struct sf_str region)
{
    for (size_t i = 0; i < SF_COUNT(partitions); i++) {
        struct sf_str rest = sf_str_of(partitions[i].prefixes), name = sf_str_of(partitions[i].of.name);
        if (sf_str_starts(region, name) && sf_str_is(sf_str_slice(region, name.n, region.n), "-global"))
            return i;
        for (rest = sf_str_trim(rest); rest.n;) {
            size_t end = sf_str_find(rest, SF_STR(" "));
            if (is_region_of(region, sf_str_slice(rest, 0, end)))
                return i;
            rest = end == SIZE_MAX ? SF_STR_NONE : sf_str_slice(rest, end + 1, rest.n);
        }
    }
    return 0;
}

const struct sf_aws_partition *sf_aws_partition_of(struct sf_str region)
{
    return &partitions[find_partition(region)].of;
}

bool sf_aws_is_region(struct sf_str region)
{
    size_t hyphens = 0, digits = 0;
    if (region.n > MAX_REGION_BYTES || !region.n || !islower((unsigned char)region.p[0]))
        return false;
    for (size_t i = 0; i < region.n; i++) {
        unsigned char c = (unsigned char)region.p[i];
        if (c == '-' && (i + 1 == region.n || region.p[i - 1] == '-'))
            return false;
        if (c != '-' && !islower(c) && !isdigit(c))
            return false;
        hyphens += c == '-';
        digits = isdigit(c) ? digits + 1 : 0;
    }
    return hyphens >= 2 && digits > 0 && region.p[region.n - digits - 1] == '-';
}

static bool is_host_label(struct sf_str region)
{
    if (!region.n || region.n > MAX_REGION_BYTES || region.p[0] == '-')
        return false;
    for (size_t i = 0; i < region.n; i++) {
        if (!isalnum((unsigned char)region.p[i]) && region.p[i] != '-')
            return false;
    }
    return true;
}

/* --- overrides --- */

static bool is_loopback(struct sf_str host)
{
    static const char *const names[] = {"localhost", "[::1]"};
    for (size_t i = 0; i < SF_COUNT(names); i++) {
        if (host.n == strlen(names[i]) && strncasecmp(host.p, names[i], host.n) == 0)
            return true;
    }
    if (!sf_str_starts(host, SF_STR("127.")))
        return false;
    for (size_t i = 0; i < host.n; i++) {
        if (!isdigit((unsigned char)host.p[i]) && host.p[i] != '.')
            return false; /* 127.0.0.1.example.org is a name like any other */
    }
    return true;
}

/* Checks an override and takes off its trailing slashes; `where` says who set it. */
static enum sf_code take_override(struct sf_arena *arena, struct sf_str url, const char *where, struct sf_str *taken,
                                  struct sf_err *err)
{
    bool is_plain = url.n > 7 && strncasecmp(url.p, "http://", 7) == 0;
    bool is_tls = url.n > 8 && strncasecmp(url.p, "https://", 8) == 0;
    struct sf_str rest = sf_str_slice(url, is_plain ? 7 : 8, url.n);
    size_t end = 0;
    bool is_clean = true;
    for (size_t i = 0; i < url.n; i++)
        is_clean = is_clean && (unsigned char)url.p[i] > ' ' && (unsigned char)url.p[i] < 0x7f && !strchr("?#@\\\"<>", url.p[i]);
    while (end < rest.n && rest.p[end] != '/')
        end++;
    struct sf_str host = sf_str_slice(rest, 0, end);
    if (host.n && host.p[0] == '[') {
        size_t bracket = sf_str_find(host, SF_STR("]"));
        host = sf_str_slice(host, 0, bracket == SIZE_MAX ? 0 : bracket + 1);
    } else {
        host = sf_str_slice(host, 0, sf_str_find(host, SF_STR(":")));
    }
    if ((!is_plain && !is_tls) || !is_clean || !host.n) {
        sf_fail(err, SF_E_CONFIG, "%s is not the URL of a server", where);
        sf_hint(err, "give scheme, host and port: https://host:port");
        return SF_E_CONFIG;
    }
    if (is_plain && !is_loopback(host)) {
        sf_fail(err, SF_E_CONFIG, "%s is plain http to '%.*s'", where, SF_ARG(host));
        sf_hint(err, "use https; plain http is for loopback only");
        return SF_E_CONFIG;
    }
    while (url.p[url.n - 1] == '/')
        url.n--;
    *taken = sf_str_dup(arena, url);
    return SF_OK;
}

/* *url stays empty when nothing is said about the service. */
static enum sf_code find_override(struct sf_arena *arena, const struct sf_aws_config *config, const struct service *service,
                                  struct sf_str *url, struct sf_err *err)
{
    if (config->ignores_overrides)
        return SF_OK;
    const char *variables[] = {sf_str_fmt(arena, "AWS_ENDPOINT_URL_%s", service->id).p, "AWS_ENDPOINT_URL"};
    for (size_t i = 0; i < SF_COUNT(variables); i++) {
        struct sf_str set = sf_map_str(config->overrides, variables[i]);
        if (set.n)
            return take_override(arena, set, variables[i], url, err);
    }
    struct sf_str section = sf_aws_config_get(config, "services");
    if (section.n) {
        const struct sf_value *of = sf_map_get(config->services, section);
        if (!of)
            return sf_fail(err, SF_E_CONFIG, "profile '%.*s' names services section '%.*s', which does not exist",
                           SF_ARG(config->profile), SF_ARG(section));
        char id[32];
        size_t n = strlen(service->id);
        for (size_t i = 0; i <= n; i++)
            id[i] = (char)tolower((unsigned char)service->id[i]);
        struct sf_str set = sf_map_str(sf_map_getz(of, id), "endpoint_url");
        if (set.n)
            return take_override(
                arena, set, sf_str_fmt(arena, "endpoint_url of '%s' in services section '%.*s'", id, SF_ARG(section)).p, url, err);
    }
    struct sf_str set = sf_aws_config_get(config, "endpoint_url");
    if (set.n)
        return take_override(arena, set, sf_str_fmt(arena, "endpoint_url of profile '%.*s'", SF_ARG(config->profile)).p, url, err);
    return SF_OK;
}

/* --- the rule --- */

static struct sf_str regional_host(struct sf_arena *arena, const struct service *service, const struct sf_aws_partition *partition,
                                   struct sf_str region, enum variant variant)
{
    bool is_s3 = strcmp(service->name, "s3") == 0;
    bool is_dual = variant == DUAL || variant == FIPS_DUAL;
    bool has_fips_mark = variant == FIPS || variant == FIPS_DUAL, has_dual_suffix = is_dual && !is_s3;
    for (size_t i = 0; i < SF_COUNT(exceptions); i++) {
        if (exceptions[i].variant == variant && strcmp(exceptions[i].service, service->name) == 0 &&
            strcmp(exceptions[i].partition, partition->name) == 0) {
            has_fips_mark = exceptions[i].has_fips_mark;
            has_dual_suffix = exceptions[i].has_dual_suffix;
        }
    }
    return sf_str_fmt(arena, "https://%s%s%s.%.*s.%s", service->host, has_fips_mark ? "-fips" : "",
                      is_s3 && is_dual ? ".dualstack" : "", SF_ARG(region),
                      has_dual_suffix ? partition->dual_suffix : partition->suffix);
}

static enum sf_code resolve(struct sf_arena *arena, const struct service *service, struct sf_str region, enum variant variant,
                            struct sf_aws_endpoint *endpoint, struct sf_err *err)
{
    size_t at = find_partition(region);
    const struct sf_aws_partition *partition = &partitions[at].of;
    bool is_fips = variant == FIPS || variant == FIPS_DUAL;
    endpoint->signing_region = sf_str_dup(arena, region);
    if (strcmp(service->name, "iam") == 0) {
        endpoint->url = sf_str_fmt(arena, "https://%s", partitions[at].iam[variant]);
        endpoint->signing_region = sf_str_of(is_fips ? partitions[at].fips_region : partition->global_region);
        return SF_OK;
    }
    if (strcmp(service->name, "s3") == 0 && is_fips && strcmp(partition->name, "aws-cn") == 0)
        return sf_fail(err, SF_E_CONFIG, "S3 has no FIPS endpoint in region '%.*s'", SF_ARG(region));
    if (sf_str_is(region, "aws-global") && (strcmp(service->name, "s3") == 0 || strcmp(service->name, "sts") == 0)) {
        if (variant == PLAIN)
            endpoint->url = sf_str_fmt(arena, "https://%s.%s", service->host, partition->suffix);
        if (variant == PLAIN || strcmp(service->name, "s3") == 0)
            region = endpoint->signing_region = sf_str_of(partition->global_region);
    }
    if (!endpoint->url.n)
        endpoint->url = regional_host(arena, service, partition, region, variant);
    return SF_OK;
}

static const struct service *find_service(const char *name)
{
    for (size_t i = 0; i < SF_COUNT(services); i++) {
        if (strcmp(services[i].name, name) == 0)
            return &services[i];
    }
    return NULL;
}

enum sf_code sf_aws_endpoint_of(struct sf_arena *arena, const struct sf_aws_config *config, const char *name, struct sf_str region,
                                struct sf_aws_endpoint *endpoint, struct sf_err *err)
{
    static const enum variant variants[2][2] = {{PLAIN, DUAL}, {FIPS, FIPS_DUAL}};
    const struct service *service = find_service(name);
    if (!service)
        return sf_fail(err, SF_E_CONFIG, "there is no service '%s'", name);
    *endpoint = (struct sf_aws_endpoint){.signing_name = sf_str_of(service->signing_name)};
    if (!region.n && (strcmp(name, "iam") == 0 || strcmp(name, "sts") == 0))
        region = SF_STR("aws-global");
    if (!region.n) {
        sf_fail(err, SF_E_CONFIG, "no AWS region is set");
        sf_hint(err, "name it in the stack (aws: {region: us-west-2}), in AWS_REGION or in the profile");
        return SF_E_CONFIG;
    }
    if (!is_host_label(region))
        return sf_fail(err, SF_E_CONFIG, "'%.*s' is not the name of a region", SF_ARG(region));
    struct sf_str custom = SF_STR_NONE;
    enum sf_code rc = find_override(arena, config, service, &custom, err);
    if (!rc)
        rc = resolve(arena, service, region, variants[config->use_fips && !custom.n][config->use_dualstack && !custom.n], endpoint,
                     err);
    if (rc || !custom.n)
        return rc;
    endpoint->url = custom;
    endpoint->is_custom = true;
    return SF_OK;
}
