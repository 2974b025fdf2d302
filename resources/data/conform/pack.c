/* See pack.h. A block of input is cut into runs of literals, each with a match behind it, and written with Huffman codes. A table's
 * rows are much alike: codes are made of what the first block holds and kept for the next ones, so that these need no counting. */
#include "resources/data/conform/pack.h"

#include "resources/data/conform/crc.h"
#include "resources/data/conform/text.h"

#include <stdlib.h>
#ifdef __SSE2__
#include <emmintrin.h>
#endif

enum {
    WINDOW = SF_PACK_WINDOW,
    MAX_LENGTH = SF_PACK_MAX_LENGTH,
    MIN_LENGTH = 8, /* one load tells; shorter matches are hardly shorter than their digits */
    HASH_BITS = SF_PACK_HASH_BITS,
    FIRST_LENGTH = 257,
    END_OF_BLOCK = 256,
    BLOCKS_A_CODE = 16,
    EMPTY_LAST_BLOCK = 1 | 1 << 1, /* the last one, with fixed codes, of which the end's is 7 zeros */
    FAR_AWAY = 4 * WINDOW,         /* so that an empty slot, 0, is out of reach */
    PAIR_BITS = 24,                /* two codes of 12 */
};

struct symbol {
    uint16_t number;
    uint16_t extra;
    unsigned extra_bits;
};

/* RFC 1951, 3.2.5. */
static struct symbol length_symbol(unsigned length)
{
    unsigned above = length - 3;
    if (length == MAX_LENGTH)
        return (struct symbol){SF_HUFFMAN_LITERALS - 1, 0, 0};
    if (above < 8)
        return (struct symbol){(uint16_t)(FIRST_LENGTH + above), 0, 0};
    unsigned bits = 29 - (unsigned)__builtin_clz(above);
    return (struct symbol){(uint16_t)(FIRST_LENGTH + 4 * bits + (above >> bits)), (uint16_t)(above & ((1u << bits) - 1)), bits};
}

static struct symbol distance_symbol(unsigned less_one)
{
    if (less_one < 4)
        return (struct symbol){(uint16_t)less_one, 0, 0};
    unsigned bits = 30 - (unsigned)__builtin_clz(less_one);
    return (struct symbol){(uint16_t)(2 * bits + (less_one >> bits)), (uint16_t)(less_one & ((1u << bits) - 1)), bits};
}

struct sf_pack *sf_pack_new(void)
{
    struct sf_pack *p = malloc(sizeof *p);
    if (!p)
        sf_out_of_memory();
    sf_pack_restart(p);
    return p;
}

void sf_pack_restart(struct sf_pack *p)
{
    memset(p, 0, offsetof(struct sf_pack, lengths)); /* a tenth of it */
    p->place = FAR_AWAY;
}

void sf_pack_free(struct sf_pack *p)
{
    free(p);
}

static uint64_t load(const char *p)
{
    uint64_t word;
    memcpy(&word, p, sizeof word);
    return le64toh(word);
}

/* Behind the next separator, or `end`. Reads up to 15 bytes over it. */
static const char *next_field(const char *p, const char *end)
{
#ifdef __SSE2__
    const __m128i comma = _mm_set1_epi8(','), newline = _mm_set1_epi8('\n');
    for (; p < end; p += 16) {
        __m128i v = _mm_loadu_si128((const __m128i *)(const void *)p);
        unsigned found = (unsigned)_mm_movemask_epi8(_mm_or_si128(_mm_cmpeq_epi8(v, comma), _mm_cmpeq_epi8(v, newline)));
        if (found) {
            p += __builtin_ctz(found) + 1;
            return p < end ? p : end;
        }
    }
    return end;
#else
    while (p < end && *p != ',' && *p != '\n')
        p++;
    return p < end ? p + 1 : end;
#endif
}

/* Of two places whose first MIN_LENGTH bytes are known to be equal. */
static size_t match_length(const char *a, const char *b, const char *end)
{
    size_t most = (size_t)(end - a) < MAX_LENGTH ? (size_t)(end - a) : MAX_LENGTH, n = MIN_LENGTH;
    for (; n + 8 <= most; n += 8) {
        uint64_t differ = load(a + n) ^ load(b + n);
        if (differ)
            return n + (size_t)__builtin_ctzll(differ) / 8;
    }
    while (n < most && a[n] == b[n])
        n++;
    return n;
}

/* Returns how many. */
static size_t find_runs(struct sf_pack *p)
{
    const char *at = p->in + p->start, *end = p->in + p->end, *literals = at;
    size_t n = 0;
    while (end - at >= MIN_LENGTH) {
        uint64_t word = load(at);
        uint32_t *slot = &p->slots[word * 0x9e3779b97f4a7c15 >> (64 - HASH_BITS)];
        uint32_t here = (uint32_t)(p->place + (size_t)(at - p->in)), less_one = here - *slot - 1;
        *slot = here;
        if (less_one < WINDOW && less_one < (size_t)(at - p->in) && load(at - less_one - 1) == word) {
            size_t length = match_length(at, at - less_one - 1, end);
            p->runs[n++] = (struct sf_pack_run){(uint32_t)(at - literals), (uint16_t)length, (uint16_t)less_one};
            literals = at += length;
            if (at[-1] == ',' || at[-1] == '\n')
                continue;
        }
        at = next_field(at, end);
    }
    p->runs[n++] = (struct sf_pack_run){(uint32_t)(end - literals), 0, 0};
    return n;
}

/* Each symbol counts once more than it occurs, unless it is the last block: what is not in this one may be in the next. */
static void count_runs(struct sf_pack *p, size_t n_runs, bool is_last)
{
    struct sf_huffman *h = &p->huffman;
    for (size_t i = 0; i < SF_HUFFMAN_LITERALS; i++)
        h->literal_counts[i] = !is_last;
    for (size_t i = 0; i < SF_HUFFMAN_DISTANCES; i++)
        h->distance_counts[i] = !is_last;
    h->literal_counts[END_OF_BLOCK] = 1;
    uint32_t even[256] = {0}; /* two counters a byte: one would wait for itself wherever a digit repeats */
    const unsigned char *at = (const unsigned char *)p->in + p->start;
    for (size_t i = 0; i < n_runs; i++) {
        const unsigned char *end = at + p->runs[i].literals;
        for (; end - at >= 2; at += 2) {
            even[at[0]]++;
            h->literal_counts[at[1]]++;
        }
        if (at < end)
            h->literal_counts[*at++]++;
        if (p->runs[i].length) {
            h->literal_counts[length_symbol(p->runs[i].length).number]++;
            h->distance_counts[distance_symbol(p->runs[i].less_one).number]++;
            at += p->runs[i].length;
        }
    }
    for (size_t i = 0; i < 256; i++)
        h->literal_counts[i] += even[i];
}

/* What put_runs() looks up: these codes, ready to be written. */
static void prepare_codes(struct sf_pack *p)
{
    const struct sf_huffman_code *code = p->huffman.literals;
    for (size_t i = 0; i < SF_PACK_PAIRS; i++) {
        struct sf_huffman_code first = code[i & 63], second = code[i >> 6];
        p->pairs[i] = first.bits | (uint32_t)second.bits << first.n | (uint32_t)(first.n + second.n) << PAIR_BITS;
    }
    for (unsigned length = 3; length <= MAX_LENGTH; length++) {
        struct symbol s = length_symbol(length);
        p->lengths[length] =
            (struct sf_pack_bits){code[s.number].bits | (uint32_t)s.extra << code[s.number].n, code[s.number].n + s.extra_bits};
    }
    p->has_digits = false;
}

struct wide_bits {
    uint64_t bits;
    unsigned n;
};

static inline struct wide_bits two_pairs(const struct sf_pack *p, uint64_t pairs)
{
    const uint32_t mask = ((uint32_t)1 << PAIR_BITS) - 1;
    uint32_t first = p->pairs[pairs & (SF_PACK_PAIRS - 1)], second = p->pairs[pairs >> 16 & (SF_PACK_PAIRS - 1)];
    unsigned n = first >> PAIR_BITS;
    return (struct wide_bits){(first & mask) | (uint64_t)(second & mask) << n, n + (second >> PAIR_BITS)};
}

/* Digits and separators, which are below 64, two at a time, and joined before they are put: to put waits for what was put before.
 */
static inline const unsigned char *put_literals(const struct sf_pack *p, struct sf_bits *b, const unsigned char *at,
                                                const unsigned char *end)
{
    const uint64_t large = 0xc0c0c0c0c0c0c0c0, even = 0x003f003f003f003f;
    const struct sf_huffman_code *code = p->huffman.literals;
    for (; end - at >= 8; at += 8) {
        uint64_t word = load((const char *)at);
        if (word & large)
            break;
        uint64_t pairs = (word & even) | (word >> 2 & even << 6);
        struct wide_bits first = two_pairs(p, pairs), second = two_pairs(p, pairs >> 32);
        sf_bits_put(b, first.bits, first.n);
        sf_bits_flush(b);
        sf_bits_put(b, second.bits, second.n);
        sf_bits_flush(b);
    }
    for (; end - at >= 4; at += 4) {
        sf_bits_put(b, code[at[0]].bits, code[at[0]].n);
        sf_bits_put(b, code[at[1]].bits, code[at[1]].n);
        sf_bits_put(b, code[at[2]].bits, code[at[2]].n);
        sf_bits_put(b, code[at[3]].bits, code[at[3]].n);
        sf_bits_flush(b);
    }
    for (; at < end; at++)
        sf_bits_put(b, code[*at].bits, code[*at].n);
    sf_bits_flush(b);
    return at;
}

static inline void put_match(const struct sf_pack *p, struct sf_bits *b, size_t length, unsigned less_one)
{
    struct symbol distance = distance_symbol(less_one);
    struct sf_huffman_code code = p->huffman.distances[distance.number];
    struct sf_pack_bits first = p->lengths[length];
    uint64_t second = code.bits | (uint64_t)distance.extra << code.n; /* all joined first: to put waits for what was put */
    sf_bits_put(b, first.bits | second << first.n, first.n + code.n + distance.extra_bits);
    sf_bits_flush(b);
}

static void put_runs(const struct sf_pack *p, size_t from, size_t n_runs, struct sf_bits *bits)
{
    struct sf_bits b = *bits;
    const unsigned char *at = (const unsigned char *)p->in + from;
    for (size_t i = 0; i < n_runs; i++) {
        const struct sf_pack_run *run = &p->runs[i];
        at = put_literals(p, &b, at, at + run->literals);
        if (run->length == 0)
            break;
        put_match(p, &b, run->length, run->less_one);
        at += run->length;
    }
    *bits = b;
}

static void put_header(struct sf_pack *p, struct sf_bits *bits)
{
    static const unsigned char header[10] = {0x1f, 0x8b, 8, 0, 0, 0, 0, 0, 0, 255}; /* no name, no time, no system */
    memcpy(bits->out, header, sizeof header);
    bits->out += sizeof header;
    p->has_begun = true;
}

static struct sf_str pack_block(struct sf_pack *p, bool is_last)
{
    if (p->coded && !p->is_told && p->n_runs == 0)
        p->coded = 0; /* what is never told is searched: once more from the beginning */
    struct sf_bits bits = p->coded ? p->ahead : (struct sf_bits){p->bits, p->n_bits, p->out};
    size_t n = p->end - p->start;
    p->crc = sf_crc32(p->crc, p->in + p->start, n);
    p->n_bytes += (uint32_t)n;
    if (!p->has_begun)
        put_header(p, &bits);
    bool is_told = p->n_runs || p->coded;
    size_t n_runs = is_told ? p->n_runs + 1 : find_runs(p);
    if (is_told)
        p->runs[p->n_runs] = (struct sf_pack_run){(uint32_t)(p->end - p->literals), 0, 0};
    if (p->n_blocks == 0) {
        count_runs(p, n_runs, is_last);
        sf_bits_put(&bits, 0, 1); /* not the last one: an empty one is */
        sf_huffman_begin_block(&p->huffman, &bits);
        prepare_codes(p);
    }
    put_runs(p, p->coded ? p->coded : p->start, n_runs, &bits);
    p->n_blocks = is_last ? 0 : (p->n_blocks + 1) % BLOCKS_A_CODE;
    if (p->n_blocks == 0) {
        sf_bits_put(&bits, p->huffman.literals[END_OF_BLOCK].bits, p->huffman.literals[END_OF_BLOCK].n);
        sf_bits_flush(&bits);
    }
    if (is_last) {
        sf_bits_put(&bits, EMPTY_LAST_BLOCK, 3 + 7);
        bits.n = (bits.n + 7) & ~7u;
        sf_bits_flush(&bits);
        sf_bits_put(&bits, p->crc, 32);
        sf_bits_flush(&bits);
        sf_bits_put(&bits, p->n_bytes, 32);
        sf_bits_flush(&bits);
    }
    p->bits = bits.bits;
    p->n_bits = bits.n;
    if (p->end > WINDOW) {
        memmove(p->in, p->in + p->end - WINDOW, WINDOW);
        p->place += p->end - WINDOW;
        p->end = WINDOW;
    }
    p->start = p->literals = p->end;
    p->n_runs = p->coded = 0;
    p->is_told = false;
    return (struct sf_str){(const char *)p->out, (size_t)(bits.out - p->out)};
}

struct sf_str sf_pack_add(struct sf_pack *p, struct sf_str *bytes)
{
    size_t taken = p->end - p->start, room = taken < SF_PACK_BLOCK ? SF_PACK_BLOCK - taken : 0,
           n = bytes->n < room ? bytes->n : room;
    if (n)
        memcpy(p->in + p->end, bytes->p, n);
    p->end += n;
    bytes->p += n;
    bytes->n -= n;
    return n == room ? pack_block(p, false) : SF_STR_NONE;
}

struct sf_str sf_pack_take(struct sf_pack *p)
{
    return pack_block(p, false);
}

struct sf_str sf_pack_finish(struct sf_pack *p)
{
    return pack_block(p, true);
}

/* --- rows that are coded as they are written --- */

enum {
    GROUP = 1000,
    GROUPS = 7, /* of three digits, in 64 bits */
    CENTS = 100,
    MOST_PUT = 57,
    /* a joined text: its code, how many bits that has, how many characters it is, and these */
    CODE_BITS = 28,
    LENGTH_AT = 33,
    TEXT_AT = 40,
};

/* Codes and text of up to three characters. The code may be cut off: *widest says what would have been needed. */
static uint64_t join(const struct sf_pack *p, const char *text, size_t n, unsigned *widest)
{
    uint64_t bits = 0, characters = 0;
    unsigned n_bits = 0;
    for (size_t i = 0; i < n; i++) {
        struct sf_huffman_code code = p->huffman.literals[(unsigned char)text[i]];
        bits |= (uint64_t)code.bits << n_bits;
        n_bits += code.n;
        characters |= (uint64_t)(unsigned char)text[i] << 8 * i;
    }
    *widest = n_bits > *widest ? n_bits : *widest;
    return (bits & (((uint64_t)1 << CODE_BITS) - 1)) | (uint64_t)(n_bits & 31) << CODE_BITS | (uint64_t)n << LENGTH_AT |
           characters << TEXT_AT;
}

static void prepare_digits(struct sf_pack *p)
{
    p->widest = 0;
    for (unsigned i = 0; i < GROUP; i++) {
        const char text[3] = {(char)('0' + i / 100), (char)('0' + i / 10 % 10), (char)('0' + i % 10)};
        size_t zeros = i >= 100 ? 0 : i >= 10 ? 1 : 2;
        p->digits[i] = join(p, text, sizeof text, &p->widest);
        p->first_digits[i] = join(p, text + zeros, sizeof text - zeros, &p->widest);
        if (i < CENTS)
            p->cents[i] = join(p, (const char[]){'.', text[1], text[2]}, sizeof text, &p->widest);
    }
    p->has_digits = true;
}

static inline char *write_joined(uint64_t joined, char *out)
{
    uint32_t text = htole32((uint32_t)(joined >> TEXT_AT));
    memcpy(out, &text, sizeof text);
    return out + (joined >> LENGTH_AT & 3);
}

static inline struct wide_bits bits_of(uint64_t joined)
{
    return (struct wide_bits){joined & (((uint64_t)1 << CODE_BITS) - 1), joined >> CODE_BITS & 31};
}

static inline struct wide_bits bits_of_two(uint64_t first, uint64_t second)
{
    struct wide_bits a = bits_of(first), b = bits_of(second);
    return (struct wide_bits){a.bits | b.bits << a.n, a.n + b.n};
}

static inline void put_wide(struct sf_bits *b, struct wide_bits bits)
{
    sf_bits_put(b, bits.bits, bits.n);
    sf_bits_flush(b);
}

static inline char *put_number(const struct sf_pack *p, struct sf_bits *b, uint64_t value, char *out)
{
    const uint64_t half = 1000000000;
    if (value < GROUP) {
        put_wide(b, bits_of(p->first_digits[value]));
        return write_joined(p->first_digits[value], out);
    }
    if (value < GROUP * GROUP) {
        uint64_t first = p->first_digits[value / GROUP], second = p->digits[value % GROUP];
        put_wide(b, bits_of_two(first, second));
        return write_joined(second, write_joined(first, out));
    }
    uint64_t high = value / half;
    uint32_t low = (uint32_t)(value % half), middle = (uint32_t)(high % half);
    const uint32_t groups[GROUPS] = {(uint32_t)(high / half),
                                     middle / (GROUP * GROUP),
                                     middle / GROUP % GROUP,
                                     middle % GROUP,
                                     low / (GROUP * GROUP),
                                     low / GROUP % GROUP,
                                     low % GROUP};
    size_t i = 0;
    while (groups[i] == 0)
        i++;
    uint64_t first = p->first_digits[groups[i++]];
    out = write_joined(first, out);
    if ((GROUPS - i) % 2) {
        uint64_t second = p->digits[groups[i++]];
        put_wide(b, bits_of_two(first, second));
        out = write_joined(second, out);
    } else {
        put_wide(b, bits_of(first));
    }
    for (; i < GROUPS; i += 2) {
        uint64_t one = p->digits[groups[i]], other = p->digits[groups[i + 1]];
        put_wide(b, bits_of_two(one, other));
        out = write_joined(other, write_joined(one, out));
    }
    return out;
}

/* As sf_pack_token() does it: repeats that follow each other as they did there are one match. */
static inline char *put_told(struct sf_pack *p, struct sf_bits *b, const struct sf_pack_told *told, size_t n_told, char *out)
{
    size_t length = 0; /* of the match not put yet */
    uint64_t distance = 0;
    for (size_t i = 0; i < n_told; i++) {
        const struct sf_pack_told *t = &told[i];
        uint64_t here = p->place + (size_t)(out - p->in), less_one = here - *t->place - 1;
        *t->place = here;
        memcpy(out, t->text, SF_PACK_TOKEN);
        if (t->n > SF_PACK_TOKEN)
            memcpy(out, t->text, t->n);
        bool is_repeat = less_one < WINDOW && t->n >= SF_PACK_MIN_TOLD;
        if (is_repeat && length && distance == less_one && length + t->n <= MAX_LENGTH) {
            length += t->n;
        } else {
            if (length)
                put_match(p, b, length, (unsigned)distance);
            length = is_repeat ? t->n : 0;
            distance = less_one;
            p->is_told |= is_repeat;
            if (!is_repeat)
                put_literals(p, b, (const unsigned char *)out, (const unsigned char *)out + t->n);
        }
        out += t->n;
    }
    if (length)
        put_match(p, b, length, (unsigned)distance);
    return out;
}

static void write_row(struct sf_pack *p, uint64_t number, const struct sf_pack_told *told, size_t n_told, const int64_t *cents,
                      size_t n_cents)
{
    char *out = sf_pack_room(p);
    size_t n = sf_text_write_int((int64_t)number, out);
    out[n] = ',';
    sf_pack_wrote(p, n + 1);
    for (size_t i = 0; i < n_told; i++)
        sf_pack_token(p, told[i].text, told[i].n, told[i].place);
    for (size_t i = 0; i < n_cents; i++) {
        out = sf_pack_room(p);
        n = sf_text_write_money(cents[i], out);
        out[n] = i + 1 < n_cents ? ',' : '\n';
        sf_pack_wrote(p, n + 1);
    }
}

void sf_pack_row(struct sf_pack *p, uint64_t number, const struct sf_pack_told *told, size_t n_told, const int64_t *cents,
                 size_t n_cents)
{
    bool is_in_turn = p->end == (p->coded ? p->coded : p->start) && p->n_runs == 0;
    if (p->n_blocks && !p->has_digits)
        prepare_digits(p);
    if (p->n_blocks == 0 || !is_in_turn || 2 * p->widest > MOST_PUT) {
        write_row(p, number, told, n_told, cents, n_cents);
        return;
    }
    const struct sf_huffman_code *code = p->huffman.literals;
    struct sf_bits b = p->coded ? p->ahead : (struct sf_bits){p->bits, p->n_bits, p->out};
    char *out = put_number(p, &b, number, sf_pack_room(p));
    sf_bits_put(&b, code[','].bits, code[','].n);
    sf_bits_flush(&b);
    *out++ = ',';
    out = put_told(p, &b, told, n_told, out);
    for (size_t i = 0; i < n_cents; i++) {
        uint64_t value = cents[i] < 0 ? 0 - (uint64_t)cents[i] : (uint64_t)cents[i];
        if (cents[i] < 0) {
            sf_bits_put(&b, code['-'].bits, code['-'].n);
            sf_bits_flush(&b);
            *out++ = '-';
        }
        out = put_number(p, &b, value / CENTS, out);
        char behind = i + 1 < n_cents ? ',' : '\n';
        uint64_t last = p->cents[value % CENTS];
        struct wide_bits bits = bits_of(last);
        struct sf_huffman_code end = code[(unsigned char)behind];
        put_wide(&b, (struct wide_bits){bits.bits | (uint64_t)end.bits << bits.n, bits.n + end.n});
        out = write_joined(last, out);
        *out++ = behind;
    }
    p->end = p->coded = p->literals = (size_t)(out - p->in);
    p->ahead = b;
}
