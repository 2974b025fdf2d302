/* See sshkey.h. */
#include "resources/net/sshkey.h"

#include <openssl/bio.h>
#include <openssl/bn.h>
#include <openssl/core_names.h>
#include <openssl/crypto.h>
#include <openssl/err.h>
#include <openssl/evp.h>
#include <openssl/pem.h>
#include <openssl/rand.h>
#include <openssl/sha.h>
#include <stdio.h>

enum { MAX_KEY_BYTES = 64 * 1024, LINE_CHARS = 70, BLOCK_BYTES = 8, ED25519_BYTES = 32 };

/* --- SSH's wire forms (RFC 4251 section 5) --- */

static void put_u32(struct sf_buf *b, size_t n)
{
    const char bytes[4] = {(char)(n >> 24 & 0xff), (char)(n >> 16 & 0xff), (char)(n >> 8 & 0xff), (char)(n & 0xff)};
    sf_buf_add(b, (struct sf_str){bytes, 4});
}

static void put_string(struct sf_buf *b, struct sf_str s)
{
    put_u32(b, s.n);
    sf_buf_add(b, s);
}

/* An mpint; false when OpenSSL does not have it. */
static bool put_number(struct sf_buf *b, const EVP_PKEY *pkey, const char *name)
{
    BIGNUM *number = NULL;
    unsigned char bytes[4096];
    if (!EVP_PKEY_get_bn_param(pkey, name, &number))
        return false;
    int n = BN_num_bytes(number);
    bool ok = n > 0 && (size_t)n < sizeof(bytes);
    if (ok) {
        bytes[0] = 0; /* a set top bit would make it negative */
        BN_bn2bin(number, bytes + 1);
        bool is_padded = (bytes[1] & 0x80) != 0;
        put_string(b, (struct sf_str){(const char *)bytes + !is_padded, (size_t)n + is_padded});
    }
    OPENSSL_cleanse(bytes, sizeof(bytes));
    BN_clear_free(number);
    return ok;
}

struct cursor {
    struct sf_str rest;
    bool failed;
};

static struct sf_str take_string(struct cursor *c)
{
    if (c->failed || c->rest.n < 4) {
        c->failed = true;
        return SF_STR_NONE;
    }
    const unsigned char *p = (const unsigned char *)c->rest.p;
    size_t n = (size_t)p[0] << 24 | (size_t)p[1] << 16 | (size_t)p[2] << 8 | p[3];
    if (n > c->rest.n - 4) {
        c->failed = true;
        return SF_STR_NONE;
    }
    struct sf_str s = sf_str_slice(c->rest, 4, 4 + n);
    c->rest = sf_str_slice(c->rest, 4 + n, c->rest.n);
    return s;
}

/* --- base64 --- */

static struct sf_str to_base64(struct sf_arena *arena, struct sf_str bytes)
{
    char *text = sf_arena_alloc(arena, (bytes.n + 2) / 3 * 4 + 1);
    int n = EVP_EncodeBlock((unsigned char *)text, (const unsigned char *)bytes.p, (int)bytes.n);
    return (struct sf_str){text, (size_t)n};
}

static bool from_base64(struct sf_arena *arena, struct sf_str text, struct sf_str *bytes)
{
    if (text.n == 0 || text.n % 4 || text.n > MAX_KEY_BYTES)
        return false;
    unsigned char *out = sf_arena_alloc(arena, text.n / 4 * 3 + 1);
    int n = EVP_DecodeBlock(out, (const unsigned char *)text.p, (int)text.n);
    if (n < 0)
        return false;
    size_t padding = (size_t)(text.p[text.n - 1] == '=') + (size_t)(text.p[text.n - 2] == '=');
    *bytes = (struct sf_str){(const char *)out, (size_t)n - padding};
    return true;
}

/* --- public half --- */

static void describe(struct sf_arena *arena, struct sf_str blob, struct sf_str comment, struct sf_sshkey *key)
{
    unsigned char digest[SHA256_DIGEST_LENGTH];
    struct cursor c = {.rest = blob};
    struct sf_str type = take_string(&c), text = to_base64(arena, blob);
    SHA256((const unsigned char *)blob.p, blob.n, digest);
    struct sf_str print = to_base64(arena, (struct sf_str){(const char *)digest, sizeof(digest)});
    key->comment = sf_str_dup(arena, comment);
    key->public_key = sf_str_fmt(arena, "%.*s %.*s%s%.*s", SF_ARG(type), SF_ARG(text), comment.n ? " " : "", SF_ARG(comment));
    key->fingerprint = sf_str_fmt(arena, "SHA256:%.*s", (int)print.n - 1, print.p); /* without the padding */
}

static int bits_of(struct sf_str number)
{
    while (number.n && number.p[0] == 0)
        number = sf_str_slice(number, 1, number.n);
    int bits = (int)number.n * 8;
    for (unsigned char top = number.n ? (unsigned char)number.p[0] : 0x80; !(top & 0x80); top = (unsigned char)(top << 1))
        bits--;
    return bits;
}

static bool recognize(struct sf_str blob, struct sf_sshkey *key)
{
    struct cursor c = {.rest = blob};
    struct sf_str type = take_string(&c);
    if (sf_str_is(type, "ssh-ed25519")) {
        *key = (struct sf_sshkey){.algorithm = "ed25519", .bits = 256};
        return take_string(&c).n == ED25519_BYTES && !c.failed && !c.rest.n;
    }
    if (sf_str_is(type, "ssh-rsa")) {
        struct sf_str exponent = take_string(&c), modulus = take_string(&c);
        *key = (struct sf_sshkey){.algorithm = "rsa", .bits = bits_of(modulus)};
        return exponent.n > 0 && modulus.n > 0 && modulus.n <= 16384 / 8 + 1 && !c.failed && !c.rest.n;
    }
    if (sf_str_starts(type, SF_STR("ecdsa-sha2-nistp"))) {
        struct sf_str curve = take_string(&c), point = take_string(&c);
        *key = (struct sf_sshkey){.algorithm = "ecdsa",
                                  .bits = sf_str_is(curve, "nistp256")   ? 256
                                          : sf_str_is(curve, "nistp384") ? 384
                                                                         : 521};
        return sf_str_starts(curve, SF_STR("nistp")) && sf_str_ends(type, curve) && point.n > 64 && !c.failed && !c.rest.n;
    }
    return false;
}

enum sf_code sf_sshkey_parse_public(struct sf_arena *arena, struct sf_str line, struct sf_sshkey *key, struct sf_err *err)
{
    static const struct sf_str blank = {" ", 1};
    *key = (struct sf_sshkey){0};
    line = sf_str_trim(line);
    if (sf_str_find(line, SF_STR("PRIVATE KEY")) != SIZE_MAX) {
        sf_fail(err, SF_E_CONFIG, "this is a private key where a public key belongs");
        sf_hint(err, "give the line of the .pub file; the private key that was pasted should be replaced");
        return SF_E_CONFIG;
    }
    size_t cut = sf_str_find(line, blank);
    struct sf_str type = sf_str_slice(line, 0, cut),
                  rest = cut == SIZE_MAX ? SF_STR_NONE : sf_str_trim(sf_str_slice(line, cut, line.n));
    size_t end = sf_str_find(rest, blank);
    struct sf_str text = sf_str_slice(rest, 0, end),
                  comment = end == SIZE_MAX ? SF_STR_NONE : sf_str_trim(sf_str_slice(rest, end, rest.n));
    struct sf_str blob;
    bool ok = line.n > 0 && !memchr(line.p, '\n', line.n) && sf_str_is_utf8(line) && from_base64(arena, text, &blob);
    struct cursor c = {.rest = ok ? blob : SF_STR_NONE};
    if (!ok || !sf_str_eq(take_string(&c), type) || !recognize(blob, key)) {
        sf_fail(err, SF_E_CONFIG, "this is not a public key that can be used here");
        sf_hint(err, "give one line as ssh-keygen writes it to a .pub file: ssh-ed25519, ssh-rsa or ecdsa-sha2-nistp256");
        return SF_E_CONFIG;
    }
    if (strcmp(key->algorithm, "rsa") == 0 && key->bits < 2048) {
        sf_fail(err, SF_E_CONFIG, "an rsa key of %d bits is too short", key->bits);
        sf_hint(err, "use an ed25519 key, or rsa with 2048 bits or more");
        return SF_E_CONFIG;
    }
    describe(arena, blob, comment, key);
    return SF_OK;
}

/* --- private half --- */

/* What one kind of key adds to the container: its public blob and its private fields (PROTOCOL.key). */
static bool put_ed25519(const EVP_PKEY *pkey, struct sf_buf *public_blob, struct sf_buf *private_fields)
{
    unsigned char pub[ED25519_BYTES], both[2 * ED25519_BYTES];
    size_t n_pub = sizeof(pub), n_seed = ED25519_BYTES;
    bool ok = EVP_PKEY_get_raw_public_key(pkey, pub, &n_pub) == 1 && EVP_PKEY_get_raw_private_key(pkey, both, &n_seed) == 1 &&
              n_pub == ED25519_BYTES && n_seed == ED25519_BYTES;
    if (ok) {
        struct sf_str public_text = {(const char *)pub, sizeof(pub)};
        memcpy(both + ED25519_BYTES, pub, sizeof(pub));
        put_string(public_blob, SF_STR("ssh-ed25519"));
        put_string(public_blob, public_text);
        put_string(private_fields, SF_STR("ssh-ed25519"));
        put_string(private_fields, public_text);
        put_string(private_fields, (struct sf_str){(const char *)both, sizeof(both)});
    }
    OPENSSL_cleanse(both, sizeof(both));
    return ok;
}

static bool put_rsa(const EVP_PKEY *pkey, struct sf_buf *public_blob, struct sf_buf *private_fields)
{
    static const char *const private_numbers[] = {OSSL_PKEY_PARAM_RSA_N,       OSSL_PKEY_PARAM_RSA_E,
                                                  OSSL_PKEY_PARAM_RSA_D,       OSSL_PKEY_PARAM_RSA_COEFFICIENT1,
                                                  OSSL_PKEY_PARAM_RSA_FACTOR1, OSSL_PKEY_PARAM_RSA_FACTOR2};
    put_string(public_blob, SF_STR("ssh-rsa"));
    bool ok = put_number(public_blob, pkey, OSSL_PKEY_PARAM_RSA_E) && put_number(public_blob, pkey, OSSL_PKEY_PARAM_RSA_N);
    put_string(private_fields, SF_STR("ssh-rsa"));
    for (size_t i = 0; ok && i < SF_COUNT(private_numbers); i++)
        ok = put_number(private_fields, pkey, private_numbers[i]);
    return ok;
}

static void wipe(struct sf_buf *buf)
{
    if (buf->p)
        OPENSSL_cleanse(buf->p, buf->cap);
    sf_buf_free(buf);
}

/* The whole file in openssh-key-v1. */
static bool openssh_text(struct sf_arena *arena, struct sf_str public_blob, struct sf_str private_fields, struct sf_str comment,
                         struct sf_str *text)
{
    struct sf_buf secret = SF_BUF(MAX_KEY_BYTES), all = SF_BUF(MAX_KEY_BYTES), out = SF_BUF(2 * MAX_KEY_BYTES);
    unsigned char check[4];
    bool ok = RAND_bytes(check, sizeof(check)) == 1;
    for (int i = 0; i < 2; i++) /* twice the same: tells a right passphrase from a wrong one */
        sf_buf_add(&secret, (struct sf_str){(const char *)check, sizeof(check)});
    sf_buf_add(&secret, private_fields);
    put_string(&secret, comment);
    for (char i = 1; secret.n % BLOCK_BYTES; i++)
        sf_buf_addc(&secret, i);
    sf_buf_add(&all, (struct sf_str){"openssh-key-v1", sizeof("openssh-key-v1")}); /* with its NUL */
    put_string(&all, SF_STR("none"));
    put_string(&all, SF_STR("none"));
    put_string(&all, SF_STR_NONE);
    put_u32(&all, 1);
    put_string(&all, public_blob);
    put_string(&all, sf_buf_str(&secret));
    struct sf_str base64 = to_base64(arena, sf_buf_str(&all));
    sf_buf_addz(&out, "-----BEGIN OPENSSH PRIVATE KEY-----\n");
    for (size_t i = 0; i < base64.n; i += LINE_CHARS)
        sf_buf_addf(&out, "%.*s\n", SF_ARG(sf_str_slice(base64, i, i + LINE_CHARS)));
    sf_buf_addz(&out, "-----END OPENSSH PRIVATE KEY-----\n");
    ok = ok && !secret.overflow && !all.overflow && !out.overflow;
    *text = sf_str_dup(arena, sf_buf_str(&out));
    wipe(&secret);
    wipe(&all);
    wipe(&out);
    return ok;
}

/* PKCS#1, what `ssh-keygen -m PEM` writes. */
static bool pem_text(struct sf_arena *arena, const EVP_PKEY *pkey, struct sf_str *text)
{
    BIO *bio = BIO_new(BIO_s_secmem());
    char *bytes;
    bool ok = bio && PEM_write_bio_PrivateKey_traditional(bio, pkey, NULL, NULL, 0, NULL, NULL) == 1;
    long n = ok ? BIO_get_mem_data(bio, &bytes) : 0;
    if (ok)
        *text = sf_str_dup(arena, (struct sf_str){bytes, (size_t)n});
    BIO_free(bio);
    return ok && n > 0;
}

enum sf_code sf_sshkey_check(struct sf_str algorithm, int bits, enum sf_sshkey_format format, struct sf_str comment,
                             struct sf_err *err)
{
    bool is_rsa = sf_str_is(algorithm, "rsa");
    if (!is_rsa && !sf_str_is(algorithm, "ed25519")) {
        sf_fail(err, SF_E_CONFIG, "a key of algorithm '%.*s' cannot be made here", SF_ARG(algorithm));
        sf_hint(err, "use ed25519 or rsa, or give the public_key of one made elsewhere");
        return SF_E_CONFIG;
    }
    if (is_rsa && (bits < 2048 || bits > 16384))
        return sf_fail(err, SF_E_CONFIG, "an rsa key has 2048 to 16384 bits, not %d", bits);
    if (!is_rsa && format == SF_SSHKEY_PEM) {
        sf_fail(err, SF_E_CONFIG, "an ed25519 key has no PEM form that every OpenSSH reads");
        sf_hint(err, "use `format: openssh`, or `algorithm: rsa`");
        return SF_E_CONFIG;
    }
    for (size_t i = 0; i < comment.n; i++) {
        if ((unsigned char)comment.p[i] < 0x20)
            return sf_fail(err, SF_E_CONFIG, "the comment of a key must be one line of text");
    }
    return SF_OK;
}

enum sf_code sf_sshkey_generate(struct sf_arena *arena, struct sf_str algorithm, int bits, enum sf_sshkey_format format,
                                struct sf_str comment, struct sf_sshkey *key, struct sf_err *err)
{
    enum sf_code rc = sf_sshkey_check(algorithm, bits, format, comment, err);
    if (rc)
        return rc;
    bool is_rsa = sf_str_is(algorithm, "rsa");
    struct sf_buf public_blob = SF_BUF(MAX_KEY_BYTES), private_fields = SF_BUF(MAX_KEY_BYTES);
    EVP_PKEY *pkey = is_rsa ? EVP_PKEY_Q_keygen(NULL, NULL, "RSA", (size_t)bits) : EVP_PKEY_Q_keygen(NULL, NULL, "ED25519");
    *key = (struct sf_sshkey){.algorithm = is_rsa ? "rsa" : "ed25519", .bits = is_rsa ? bits : 256};
    bool ok = pkey && (is_rsa ? put_rsa(pkey, &public_blob, &private_fields) : put_ed25519(pkey, &public_blob, &private_fields));
    if (ok && format == SF_SSHKEY_PEM)
        ok = pem_text(arena, pkey, &key->private_key);
    else if (ok)
        ok = openssh_text(arena, sf_buf_str(&public_blob), sf_buf_str(&private_fields), comment, &key->private_key);
    if (ok)
        describe(arena, sf_buf_str(&public_blob), comment, key);
    else
        rc =
            sf_fail(err, SF_E_INTERNAL, "cannot make an %.*s key: %s", SF_ARG(algorithm), ERR_reason_error_string(ERR_get_error()));
    EVP_PKEY_free(pkey);
    wipe(&public_blob);
    wipe(&private_fields);
    return rc;
}
