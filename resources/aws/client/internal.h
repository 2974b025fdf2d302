/* What the files of the client share and nobody else sees. */
#ifndef SF_AWS_INTERNAL_H
#define SF_AWS_INTERNAL_H

#include "resources/aws/client/protocol.h"

#include <pthread.h>
#include <stdatomic.h>

/* A role that this run made or changed, and when. */
struct sf_aws_noted_role {
    struct sf_aws_noted_role *next;
    int64_t at_ms; /* sf_clock_ms() */
    char arn[];
};

struct sf_aws {
    const struct sf_aws_config *config;
    const struct sf_aws_partition *partition;
    struct sf_aws_endpoint endpoints[SF_AWS_SERVICES]; /* never change: read without the mutex */
    struct sf_http *http;
    struct sf_aws_provider *provider;
    _Atomic int64_t skew_ms; /* what is added to this machine's clock to have AWS's */
    atomic_bool has_told_skew;
    pthread_mutex_t mutex; /* of what follows */
    struct sf_aws_noted_role *roles;
};

/* One call as it was sent, for whoever reads the answer. */
struct sf_aws_sent {
    const struct sf_aws_call *call;
    const struct sf_aws_wire *wire;
    const struct sf_aws_endpoint *endpoint;
    struct sf_aws_credentials credentials;
    struct sf_str host; /* with the bucket before it, if so */
    int64_t time_ms;    /* wall clock as signed */
    struct sf_http_reply reply;
};

/* s3.c: where an S3 call goes, and the headers that only S3 wants. Host, path and query are encoded as they are sent and signed. */
struct sf_aws_target {
    struct sf_str scheme, host; /* "https", "b.s3.us-west-2.amazonaws.com" */
    struct sf_str path, query;
};
void sf_aws_s3_address(struct sf_arena *arena, const struct sf_aws_endpoint *endpoint, const struct sf_aws_call *call,
                       struct sf_aws_target *target);
struct sf_str sf_aws_base64(struct sf_arena *arena, struct sf_str bytes);
/* Base64 of the body's MD5, as Content-MD5 wants it. */
struct sf_str sf_aws_content_md5(struct sf_arena *arena, struct sf_str body);

/* decode.c: the reply of a call that was done, as sf_aws_call() hands it out. False: it is not the service's. */
bool sf_aws_decode(struct sf_arena *arena, const struct sf_aws_sent *sent, const struct sf_value **reply);

#endif
