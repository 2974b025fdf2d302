/* AWS Signature Version 4: a request and credentials to a signature, every stage visible. Pure; OpenSSL's HMAC and SHA-256.
 *
 * Never signed: authorization, connection, expect, keep-alive, proxy-*, te, trailer, transfer-encoding, upgrade, user-agent and
 * x-amzn-trace-id. Every other header given is: name in lower case, value trimmed, runs of blanks as one, those of one name joined
 * by commas in their order. Requests over 16 MiB of canonical text are cut there, and so refused by AWS.
 *
 * Source: "Signature Version 4 signing process", AWS General Reference; checked against the published signing test suite, and
 * against botocore where that is silent. */
#ifndef SF_AWS_SIGV4_H
#define SF_AWS_SIGV4_H

#include "resources/net/http.h"

struct sf_aws_credentials {
    struct sf_str access_key;
    struct sf_str secret_key;
    struct sf_str session_token; /* empty: none */
    int64_t expires_ms;          /* wall clock; 0: never */
    const char *source;          /* "environment", "profile 'city'", "instance metadata": for messages */
};

struct sf_sigv4 {
    const char *method;
    struct sf_str path;  /* as in the URL, encoded once; empty counts as "/" */
    struct sf_str query; /* as in the URL without '?', may be empty; what no URL may hold is encoded, all else signed as it is */
    /* To be signed, host among them. Header form: x-amz-date, x-amz-security-token and (with add_payload_header)
     * x-amz-content-sha256 are the result's to give; if they are here too they are not signed, and not to be sent. */
    const struct sf_http_header *headers;
    size_t n_headers;
    struct sf_str body; /* hashed unless payload_hash is given */
    /* Hex SHA-256 or "UNSIGNED-PAYLOAD". Empty: a given x-amz-content-sha256, else S3's query form "UNSIGNED-PAYLOAD", else the
     * hash of body. */
    struct sf_str payload_hash;
    struct sf_str service; /* signing name, "s3" */
    struct sf_str region;
    int64_t time_ms; /* wall clock */
    /* S3's rule: the path is neither normalised nor encoded again. Everything else: both. */
    bool is_s3;
    bool keep_path;          /* encoded again but not normalised (the suite's normalize: false) */
    bool omit_session_token; /* added after signing instead of signed (some services) */
    bool add_payload_header; /* x-amz-content-sha256 is added and signed */
    int64_t expires_s;       /* query form only */
};

struct sf_sigv4_result {
    struct sf_str canonical_request;
    struct sf_str string_to_sign;
    struct sf_str signature;      /* 64 hex digits */
    struct sf_str authorization;  /* header form: value of Authorization */
    struct sf_str query;          /* query form: the whole query with X-Amz-Signature */
    struct sf_http_header *added; /* header form: headers to send besides (x-amz-date, token, payload hash, Authorization) */
    size_t n_added;
};

/* Header form: Authorization and its companions. */
void sf_sigv4_sign(struct sf_arena *arena, const struct sf_sigv4 *request, const struct sf_aws_credentials *credentials,
                   struct sf_sigv4_result *result);
/* Query form (presigned URL). */
void sf_sigv4_presign(struct sf_arena *arena, const struct sf_sigv4 *request, const struct sf_aws_credentials *credentials,
                      struct sf_sigv4_result *result);

#endif
