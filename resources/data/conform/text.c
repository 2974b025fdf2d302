/* See text.h. */
#define OPENSSL_SUPPRESS_DEPRECATED /* the plain context costs a tenth of EVP's for short texts */
#include "resources/data/conform/text.h"

#include <endian.h>
#include <openssl/sha.h>

__extension__ typedef unsigned __int128 u128;

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

/* Eight digits, each a byte below ten, the first one lowest: joined to pairs, fours and eights by multiplications. */
static inline uint64_t join_digits(uint64_t digits)
{
    const uint64_t pairs = 0x000000ff000000ff;
    digits = digits * 10 + (digits >> 8);
    return ((digits & pairs) * 0x000f424000000064 + (digits >> 16 & pairs) * 0x0000271000000001) >> 32;
}

static inline uint64_t load_word(const char *p)
{
    uint64_t word;
    memcpy(&word, p, sizeof word);
    return le64toh(word);
}

bool sf_text_plain_money(const char *p, size_t n, int64_t *cents)
{
    enum { LEAST = 4, MOST = 16, BYTE = 8, WORD_BITS = 64, POINT = 5 * BYTE /* in the last word */ };
    const uint64_t zeros = 0x3030303030303030, beyond_nine = 0x7676767676767676, tops = 0x8080808080808080;
    bool is_negative = p[0] == '-';
    p += is_negative;
    n -= is_negative;
    if (n - LEAST > MOST - LEAST)
        return false;
    /* the sixteen characters up to the last one, with zeros in front: the first eight in `high`, the last eight in `low` */
    unsigned missing = BYTE * (unsigned)(MOST - n);
    u128 all = ((u128)load_word(p + 8) << WORD_BITS | load_word(p)) << missing;
    all |= ((u128)zeros << WORD_BITS | zeros) & (((u128)1 << missing) - 1);
    uint64_t high = (uint64_t)all, low = (uint64_t)(all >> WORD_BITS);
    bool has_point = (low >> POINT & 0xff) == '.';
    /* the point goes, and what is before it moves up */
    low = low >> (POINT + BYTE) << (POINT + BYTE) | (low << BYTE & (((uint64_t)1 << (POINT + BYTE)) - 1)) |
          high >> (WORD_BITS - BYTE);
    high = high << BYTE | '0';
    low ^= zeros;
    high ^= zeros;
    if (!has_point || ((low | high | (low + beyond_nine) | (high + beyond_nine)) & tops))
        return false;
    int64_t value = (int64_t)(join_digits(high) * 100000000 + join_digits(low));
    *cents = is_negative ? -value : value;
    return true;
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
            if (value > (uint64_t)(INT64_MAX - (c - '0')) / 10)
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

/* The eight digits of a number below 10^8, each a byte, the first one lowest: halved three times by multiplications, all parts at
 * once (P. Khuong, "How to print integers really fast", 2017). A table of pairs took a third longer. */
static inline uint64_t eight_digits(uint32_t value)
{
    uint64_t fours = value / 10000 | (uint64_t)(value % 10000) << 32;
    uint64_t high = fours * 10486 >> 20 & 0x0000007f0000007f, twos = high + ((fours - 100 * high) << 16);
    uint64_t tens = twos * 103 >> 10 & 0x000f000f000f000f;
    return tens + ((twos - 10 * tens) << 8);
}

static inline void store(uint64_t digits, char *out)
{
    digits = htole64(digits + 0x3030303030303030);
    memcpy(out, &digits, sizeof digits);
}

static inline size_t write_first_digits(uint32_t value, char *out)
{
    uint64_t digits = eight_digits(value);
    unsigned zeros = value ? (unsigned)__builtin_ctzll(digits) / 8 : 7;
    store(digits >> 8 * zeros, out);
    return 8 - zeros;
}

/* May write up to 8 bytes, and up to 20, where there are fewer digits. */
static size_t write_digits(uint64_t value, char *out)
{
    enum { EIGHT = 100000000 };
    size_t n = 0;
    if (value >= EIGHT) {
        uint64_t high = value / EIGHT;
        if (high >= EIGHT) {
            n = write_first_digits((uint32_t)(high / EIGHT), out);
            store(eight_digits((uint32_t)(high % EIGHT)), out + n);
            n += 8;
        } else {
            n = write_first_digits((uint32_t)high, out);
        }
        store(eight_digits((uint32_t)(value % EIGHT)), out + n);
        return n + 8;
    }
    return write_first_digits((uint32_t)value, out);
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
