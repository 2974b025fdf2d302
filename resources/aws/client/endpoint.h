/* Where a service is and how to sign for it: partitions, regional and global endpoints, overrides. Pure: asks the config, not the
 * environment.
 *
 * Overrides in botocore's order: AWS_ENDPOINT_URL_<SERVICE>, AWS_ENDPOINT_URL, the profile's services section, the profile's
 * endpoint_url; none of them when AWS_IGNORE_CONFIGURED_ENDPOINT_URLS=true. Source of partitions, patterns and exceptions:
 * botocore's partitions.json and the services' endpoint-rule-set-1.json. */
#ifndef SF_AWS_ENDPOINT_H
#define SF_AWS_ENDPOINT_H

#include "resources/aws/client/config.h"

struct sf_aws_partition {
    const char *name;          /* "aws", "aws-cn", "aws-us-gov", "aws-iso", "aws-iso-b", "aws-iso-e", "aws-iso-f", "aws-eusc" */
    const char *suffix;        /* "amazonaws.com" */
    const char *dual_suffix;   /* "api.aws" */
    const char *global_region; /* the region IAM is signed for: "us-east-1" */
};

/* The partition of a region, known or by the shape of its name; aws when nothing fits. Never NULL. */
const struct sf_aws_partition *sf_aws_partition_of(struct sf_str region);
/* Whether it has the shape of a region's name ("us-west-2"). */
bool sf_aws_is_region(struct sf_str region);

struct sf_aws_endpoint {
    struct sf_str url;            /* "https://transfer.us-west-2.amazonaws.com", no trailing slash */
    struct sf_str signing_region; /* "us-east-1" for iam in aws */
    struct sf_str signing_name;   /* "transfer" */
    bool is_custom;               /* from an override */
};

/* `service` is one of "s3 iam sts ec2 redshift redshift-serverless redshift-data transfer secretsmanager glue kms sso", also
 * sfprobe's words ("sso" is IAM Identity Center's portal, whose calls are not signed). S3 is path-style only for custom endpoints;
 * the caller puts the bucket before the host otherwise. An empty region will do for iam and sts (the global endpoints).
 * SF_E_CONFIG: an unknown service, no region or none that can be a name of a host, an override that is no http(s) URL, or plain
 * http to another host than loopback, FIPS where there is none. */
enum sf_code sf_aws_endpoint_of(struct sf_arena *arena, const struct sf_aws_config *config, const char *service,
                                struct sf_str region, struct sf_aws_endpoint *endpoint, struct sf_err *err) SF_MUST_CHECK;

#endif
