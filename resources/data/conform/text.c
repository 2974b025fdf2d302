/* See text.h. */
#define OPENSSL_SUPPRESS_DEPRECATED /* the plain context costs a tenth of EVP's for short texts */
#include "resources/data/conform/text.h"

#include <openssl/sha.h>

static bool is_blank(char c)
{
    return c == ' ' || c == '\t';
}

struct sf_str sf_text_trim(struct sf_str s)
{
    while (s.n && is_blank(s.p[0])) {
        s.p++;
        s.n--;
    }
    while (s.n && is_blank(s.p[s.n - 1]))
        s.n--;
    return s;
}

size_t sf_text_fold(struct sf_str s, char *out)
{
    size_t n = 0;
    bool gap = false;
    for (size_t i = 0; i < s.n; i++) {
        char c = s.p[i];
        if (is_blank(c)) {
            gap = n > 0;
            continue;
        }
        if (gap)
            out[n++] = ' ';
        gap = false;
        out[n++] = c >= 'A' && c <= 'Z' ? (char)(c - 'A' + 'a') : c;
    }
    return n;
}

void sf_text_part(struct sf_buf *out, struct sf_str s)
{
    char length[SF_TEXT_INT_MAX + 1];
    size_t n = sf_text_write_int((int64_t)s.n, length);
    length[n++] = ':';
    sf_buf_add(out, (struct sf_str){length, n});
    sf_buf_add(out, s);
}

void sf_text_part_folded(struct sf_buf *out, struct sf_str s)
{
    char few[256];
    if (s.n <= sizeof few) {
        sf_text_part(out, (struct sf_str){few, sf_text_fold(s, few)});
        return;
    }
    struct sf_arena *arena = sf_arena_new();
    char *many = sf_arena_alloc(arena, s.n);
    sf_text_part(out, (struct sf_str){many, sf_text_fold(s, many)});
    sf_arena_free(arena);
}

void sf_text_hex(const unsigned char *bytes, size_t n, char *out)
{
    static const char digits[] = "0123456789abcdef";
    for (size_t i = 0; i < n; i++) {
        out[2 * i] = digits[bytes[i] >> 4];
        out[2 * i + 1] = digits[bytes[i] & 15];
    }
}

static void sha256(struct sf_str bytes, unsigned char sum[SHA256_DIGEST_LENGTH])
{
    SHA256_CTX ctx;
    SHA256_Init(&ctx);
    SHA256_Update(&ctx, bytes.n ? bytes.p : "", bytes.n);
    SHA256_Final(sum, &ctx);
}

uint64_t sf_text_hash60(struct sf_str bytes)
{
    unsigned char sum[SHA256_DIGEST_LENGTH];
    sha256(bytes, sum);
    uint64_t value = 0;
    for (size_t i = 0; i < 8; i++)
        value = value << 8 | sum[i];
    return value >> 4;
}

int64_t sf_text_key(struct sf_str parts)
{
    return (int64_t)(1 + sf_text_hash60(parts) % (((uint64_t)1 << 53) - 1));
}

void sf_text_sha256_hex(struct sf_str bytes, char hex[64])
{
    unsigned char sum[SHA256_DIGEST_LENGTH];
    sha256(bytes, sum);
    sf_text_hex(sum, sizeof sum, hex);
}

const char *sf_text_money(struct sf_str s, int64_t *cents)
{
    s = sf_text_trim(s);
    if (s.n == 0)
        return "is empty";
    bool is_negative = s.p[0] == '-';
    size_t i = s.p[0] == '-' || s.p[0] == '+';
    size_t group = 0, digits = 0, decimals = 0;
    bool has_groups = false, has_point = false;
    uint64_t value = 0;
    for (; i < s.n; i++) {
        char c = s.p[i];
        if (c >= '0' && c <= '9') {
            if (value > (INT64_MAX - 9) / 10)
                return "is too large";
            value = value * 10 + (uint64_t)(c - '0');
            digits++;
            if (has_point && ++decimals > 2)
                return "has more than two decimals";
            group += !has_point;
        } else if (c == ',' && !has_point) {
            if (has_groups ? group != 3 : group < 1 || group > 3)
                return "has a thousands separator in the wrong place";
            has_groups = true;
            group = 0;
        } else if (c == '.' && !has_point) {
            if (has_groups && group != 3)
                return "has a thousands separator in the wrong place";
            has_point = true;
        } else {
            return c == '(' ? "is in parentheses" : "is not a number";
        }
    }
    if (digits == 0 || (has_point && decimals == 0))
        return "is not a number";
    if (has_groups && !has_point && group != 3)
        return "has a thousands separator in the wrong place";
    for (; decimals < 2; decimals++) {
        if (value > INT64_MAX / 10)
            return "is too large";
        value *= 10;
    }
    *cents = is_negative ? -(int64_t)value : (int64_t)value;
    return NULL;
}

static size_t write_digits(uint64_t value, char *out)
{
    static const char pairs[] =
        "00010203040506070809101112131415161718192021222324252627282930313233343536373839404142434445464748495051"
        "525354555657585960616263646566676869707172737475767778798081828384858687888990919293949596979899";
    char digits[SF_TEXT_INT_MAX];
    size_t at = sizeof digits;
    for (; value >= 100000000; value /= 100000000) { /* divisions of 32 bits cost a fraction of those of 64 */
        uint32_t eight = (uint32_t)(value % 100000000), high = eight / 10000, low = eight % 10000;
        memcpy(digits + (at -= 2), pairs + 2 * (low % 100), 2);
        memcpy(digits + (at -= 2), pairs + 2 * (low / 100), 2);
        memcpy(digits + (at -= 2), pairs + 2 * (high % 100), 2);
        memcpy(digits + (at -= 2), pairs + 2 * (high / 100), 2);
    }
    for (; value >= 100; value /= 100)
        memcpy(digits + (at -= 2), pairs + 2 * (value % 100), 2);
    if (value >= 10)
        memcpy(digits + (at -= 2), pairs + 2 * value, 2);
    else
        digits[--at] = (char)('0' + value);
    memcpy(out, digits + at, sizeof digits - at);
    return sizeof digits - at;
}

size_t sf_text_write_int(int64_t value, char *out)
{
    size_t sign = value < 0;
    out[0] = '-';
    return sign + write_digits(value < 0 ? 0 - (uint64_t)value : (uint64_t)value, out + sign);
}

size_t sf_text_write_money(int64_t cents, char *out)
{
    uint64_t value = cents < 0 ? 0 - (uint64_t)cents : (uint64_t)cents;
    size_t n = cents < 0;
    out[0] = '-';
    n += write_digits(value / 100, out + n);
    out[n++] = '.';
    out[n++] = (char)('0' + value / 10 % 10);
    out[n++] = (char)('0' + value % 10);
    return n;
}
