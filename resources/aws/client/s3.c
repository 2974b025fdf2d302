/* What only S3 has: the bucket in the host or in the path, keys that are encoded once, the body's MD5. */
#include "resources/aws/client/internal.h"

#include "resources/aws/client/uri.h"

#include <openssl/evp.h>

/* Buckets go before the host on AWS itself; a name with dots would break the certificate's wildcard, and other servers want the
 * path. */
static bool is_before_host(const struct sf_aws_endpoint *endpoint, struct sf_str bucket)
{
    return bucket.n && !endpoint->is_custom && !memchr(bucket.p, '.', bucket.n);
}

static struct sf_str encode_query(struct sf_arena *arena, const struct sf_value *query)
{
    struct sf_buf text = SF_BUF(64 * 1024);
    for (size_t i = 0; query && i < query->map.n; i++) {
        const struct sf_pair *pair = &query->map.pairs[i];
        if (i)
            sf_buf_addc(&text, '&');
        sf_uri_encode(&text, pair->key, false);
        if (pair->value->type != SF_V_STRING)
            continue;
        sf_buf_addc(&text, '=');
        sf_uri_encode(&text, pair->value->s, false);
    }
    struct sf_str encoded = sf_str_dup(arena, sf_buf_str(&text));
    sf_buf_free(&text);
    return encoded;
}

void sf_aws_s3_address(struct sf_arena *arena, const struct sf_aws_endpoint *endpoint, const struct sf_aws_call *call,
                       struct sf_aws_target *target)
{
    struct sf_buf path = SF_BUF(16 * 1024);
    sf_buf_add(&path, target->path);
    if (is_before_host(endpoint, call->bucket)) {
        target->host = sf_str_fmt(arena, "%.*s.%.*s", SF_ARG(call->bucket), SF_ARG(target->host));
    } else if (call->bucket.n) {
        sf_buf_addc(&path, '/');
        sf_uri_encode(&path, call->bucket, false);
    }
    if (call->key.n || !path.n) {
        sf_buf_addc(&path, '/');
        sf_uri_encode(&path, call->key, true);
    }
    target->path = sf_str_dup(arena, sf_buf_str(&path));
    target->query = encode_query(arena, call->query);
    sf_buf_free(&path);
}

struct sf_str sf_aws_base64(struct sf_arena *arena, struct sf_str bytes)
{
    char *text = sf_arena_alloc(arena, bytes.n / 3 * 4 + 5);
    int n = EVP_EncodeBlock((unsigned char *)text, (const unsigned char *)bytes.p, (int)bytes.n);
    return (struct sf_str){text, (size_t)n};
}

struct sf_str sf_aws_content_md5(struct sf_arena *arena, struct sf_str body)
{
    unsigned char digest[EVP_MAX_MD_SIZE];
    unsigned int n = 0;
    if (EVP_Digest(body.p ? body.p : "", body.n, digest, &n, EVP_md5(), NULL) != 1)
        return SF_STR_NONE; /* an OpenSSL without MD5 (FIPS); the payload's SHA-256 is signed in any case */
    return sf_aws_base64(arena, (struct sf_str){(const char *)digest, n});
}
