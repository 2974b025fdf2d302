/* The CSV scanner: separators of a chunk by bit masks, 64 bytes at a time.
 *
 * For each block of 64 bytes one mask a character class is made; the running parity of quotes gives the mask of bytes
 * inside quotes, and separators outside of it are the field ends. The same masks show whether something is wrong anywhere in
 * the block; only then a plain state machine goes over the chunk, which decides, and finds place and reason. The two must agree: a
 * test feeds both with random bytes. */
#include "resources/data/conform/csv.h"

#include <stdlib.h>
#ifdef __SSE2__
#include <immintrin.h>
#endif

/* A bit a byte of a block. */
struct masks {
    uint64_t quote, comma, lf;
    uint64_t rare; /* no less than what the rare masks have, which are asked for only if there is any */
};

struct rare_masks {
    uint64_t cr, nul, high;
};

#ifdef __SSE2__
static inline uint64_t equal64(const __m128i *v, char c)
{
    const __m128i want = _mm_set1_epi8(c);
    uint64_t a = (uint32_t)_mm_movemask_epi8(_mm_cmpeq_epi8(v[0], want));
    uint64_t b = (uint32_t)_mm_movemask_epi8(_mm_cmpeq_epi8(v[1], want));
    uint64_t d = (uint32_t)_mm_movemask_epi8(_mm_cmpeq_epi8(v[2], want));
    uint64_t e = (uint32_t)_mm_movemask_epi8(_mm_cmpeq_epi8(v[3], want));
    return a | b << 16 | d << 32 | e << 48;
}

static inline struct masks classify_narrow(const char *p)
{
    const __m128i quote = _mm_set1_epi8('"'), blank = _mm_set1_epi8(' '), lf = _mm_set1_epi8('\n');
    __m128i v[4], any_quote = _mm_setzero_si128(), any_rare = _mm_setzero_si128();
    for (size_t i = 0; i < 4; i++) {
        v[i] = _mm_loadu_si128((const __m128i *)(const void *)(p + 16 * i));
        any_quote = _mm_or_si128(any_quote, _mm_cmpeq_epi8(v[i], quote));
        any_rare = _mm_or_si128(any_rare, _mm_andnot_si128(_mm_cmpeq_epi8(v[i], lf), _mm_cmplt_epi8(v[i], blank)));
    }
    return (struct masks){
        .quote = _mm_movemask_epi8(any_quote) ? equal64(v, '"') : 0,
        .comma = equal64(v, ','),
        .lf = equal64(v, '\n'),
        .rare = (uint64_t)_mm_movemask_epi8(any_rare),
    };
}

static inline struct rare_masks classify_rare_narrow(const char *p)
{
    __m128i v[4];
    struct rare_masks m = {.high = 0};
    for (size_t i = 0; i < 4; i++) {
        v[i] = _mm_loadu_si128((const __m128i *)(const void *)(p + 16 * i));
        m.high |= (uint64_t)(uint32_t)_mm_movemask_epi8(v[i]) << (16 * i);
    }
    m.cr = equal64(v, '\r');
    m.nul = equal64(v, '\0');
    return m;
}

/* The same with vectors twice as wide. */
__attribute__((target("avx2"))) static inline uint64_t equal64_wide(__m256i low, __m256i high, char c)
{
    const __m256i want = _mm256_set1_epi8(c);
    return (uint32_t)_mm256_movemask_epi8(_mm256_cmpeq_epi8(low, want)) |
           (uint64_t)(uint32_t)_mm256_movemask_epi8(_mm256_cmpeq_epi8(high, want)) << 32;
}

__attribute__((target("avx2"))) static inline struct masks classify_wide(const char *p)
{
    __m256i low = _mm256_loadu_si256((const __m256i *)(const void *)p);
    __m256i high = _mm256_loadu_si256((const __m256i *)(const void *)(p + 32));
    const __m256i blank = _mm256_set1_epi8(' ');
    uint64_t lf = equal64_wide(low, high, '\n');
    return (struct masks){
        .quote = equal64_wide(low, high, '"'),
        .comma = equal64_wide(low, high, ','),
        .lf = lf,
        .rare = lf ^ ((uint32_t)_mm256_movemask_epi8(_mm256_cmpgt_epi8(blank, low)) |
                      (uint64_t)(uint32_t)_mm256_movemask_epi8(_mm256_cmpgt_epi8(blank, high)) << 32),
    };
}
#endif

#ifdef __SSE2__
#define WIDEST "avx512f,avx512bw,avx512vl,avx512vbmi,avx512vbmi2,bmi,bmi2,popcnt,pclmul"

/* The same, a block at once. */
__attribute__((target(WIDEST))) static inline struct masks classify_widest(const char *p)
{
    __m512i v = _mm512_loadu_si512(p);
    uint64_t lf = _mm512_cmpeq_epi8_mask(v, _mm512_set1_epi8('\n'));
    return (struct masks){
        .quote = _mm512_cmpeq_epi8_mask(v, _mm512_set1_epi8('"')),
        .comma = _mm512_cmpeq_epi8_mask(v, _mm512_set1_epi8(',')),
        .lf = lf,
        .rare = lf ^ _mm512_cmplt_epi8_mask(v, _mm512_set1_epi8(' ')), /* as signed bytes: above 0x7f too */
    };
}

/* See put_ends(). No branch depends on the text unless there are more than sixteen: half the cost of a block. */
__attribute__((target(WIDEST))) static inline void put_ends_widest(uint32_t *out, uint32_t base, uint64_t ends, uint64_t stops)
{
    static const unsigned char places[64] = {0,  1,  2,  3,  4,  5,  6,  7,  8,  9,  10, 11, 12, 13, 14, 15, 16, 17, 18, 19, 20, 21,
                                             22, 23, 24, 25, 26, 27, 28, 29, 30, 31, 32, 33, 34, 35, 36, 37, 38, 39, 40, 41, 42, 43,
                                             44, 45, 46, 47, 48, 49, 50, 51, 52, 53, 54, 55, 56, 57, 58, 59, 60, 61, 62, 63};
    unsigned char packed[64];
    _mm512_storeu_si512(packed, _mm512_maskz_compress_epi8(ends, _mm512_loadu_si512(places)));
    uint64_t last = _pext_u64(stops, ends);
    size_t n = (size_t)__builtin_popcountll(ends), i = 0;
    do {
        __m512i v = _mm512_cvtepu8_epi32(_mm_loadu_si128((const __m128i *)(const void *)(packed + i)));
        v = _mm512_add_epi32(v, _mm512_set1_epi32((int)base));
        v = _mm512_mask_or_epi32(v, (__mmask16)(last >> i), v, _mm512_set1_epi32(INT32_MIN));
        _mm512_storeu_si512(out + i, v);
        i += 16;
    } while (i < n);
}

__attribute__((target(WIDEST))) static inline uint64_t running_parity_widest(uint64_t x)
{
    return (uint64_t)_mm_cvtsi128_si64(_mm_clmulepi64_si128(_mm_cvtsi64_si128((long long)x), _mm_set1_epi8(-1), 0));
}
#endif

/* The definition of the others. */
static inline struct masks classify_plainly(const char *p)
{
    struct masks m = {0, 0, 0, 0};
    for (unsigned i = 0; i < 64; i++) {
        uint64_t bit = (uint64_t)1 << i;
        m.quote |= p[i] == '"' ? bit : 0;
        m.comma |= p[i] == ',' ? bit : 0;
        m.lf |= p[i] == '\n' ? bit : 0;
        m.rare |= p[i] != '\n' && ((unsigned char)p[i] < ' ' || (unsigned char)p[i] >= 0x80) ? bit : 0;
    }
    return m;
}

static inline struct rare_masks classify_rare_plainly(const char *p)
{
    struct rare_masks m = {0, 0, 0};
    for (unsigned i = 0; i < 64; i++) {
        uint64_t bit = (uint64_t)1 << i;
        m.cr |= p[i] == '\r' ? bit : 0;
        m.nul |= p[i] == '\0' ? bit : 0;
        m.high |= (unsigned char)p[i] >= 0x80 ? bit : 0;
    }
    return m;
}

/* Bit i of the result: whether an odd number of bits is set in bits 0..i. */
static inline uint64_t running_parity(uint64_t x)
{
    x ^= x << 1;
    x ^= x << 2;
    x ^= x << 4;
    x ^= x << 8;
    x ^= x << 16;
    x ^= x << 32;
    return x;
}

/* Bytes of the well-formed UTF-8 sequence at p (Unicode, table 3-7), or 0. */
static size_t utf8_length(const unsigned char *p, size_t n)
{
    if (p[0] < 0x80)
        return 1;
    if (p[0] < 0xc2 || p[0] > 0xf4)
        return 0;
    size_t length = p[0] < 0xe0 ? 2 : p[0] < 0xf0 ? 3 : 4;
    if (length > n)
        return 0;
    unsigned low = p[0] == 0xe0 ? 0xa0 : p[0] == 0xf0 ? 0x90 : 0x80;
    unsigned top = p[0] == 0xed ? 0x9f : p[0] == 0xf4 ? 0x8f : 0xbf;
    if (p[1] < low || p[1] > top)
        return 0;
    for (size_t i = 2; i < length; i++)
        if (p[i] < 0x80 || p[i] > 0xbf)
            return 0;
    return length;
}

/* Fails at byte `at` of the chunk. */
static enum sf_code refuse(const struct sf_csv_chunk *c, size_t at, const char *what, const char *hint, struct sf_err *err)
{
    char newline = c->eol == SF_CSV_EOL_CR ? '\r' : '\n';
    uint64_t line = c->first_line;
    size_t start = 0;
    for (size_t i = 0; i < at; i++) {
        if (c->bytes[i] == newline) {
            line++;
            start = i + 1;
        }
    }
    uint32_t column = 1;
    for (size_t i = start; i < at; i++)
        column += ((unsigned char)c->bytes[i] & 0xc0) != 0x80;
    sf_fail(err, SF_E_DATA, "'%s' line %llu, column %u: %s", c->file, (unsigned long long)line, column, what);
    if (hint)
        sf_hint(err, "%s", hint);
    if (err)
        err->where = (struct sf_mark){c->file, line > UINT32_MAX ? UINT32_MAX : (uint32_t)line, column, 1};
    return SF_E_DATA;
}

static const char *const fix_quotes = "RFC 4180: a field that holds a quote is quoted as a whole, and the quote is doubled";
static const char *const fix_eol = "export the file again with one kind of line end throughout";

static void reserve_ends(struct sf_csv_chunk *c, size_t n)
{
    if (n <= c->cap_ends)
        return;
    size_t cap = c->cap_ends ? c->cap_ends * 2 : 32768;
    while (cap < n)
        cap *= 2;
    uint32_t *ends = realloc(c->ends, cap * sizeof *ends);
    if (!ends)
        sf_out_of_memory();
    c->ends = ends;
    c->cap_ends = cap;
}

static void add_end(struct sf_csv_chunk *c, size_t at, bool is_last)
{
    reserve_ends(c, c->n_ends + 1);
    c->ends[c->n_ends++] = (uint32_t)at | (uint32_t)is_last << 31;
}

/* The definition, one byte after the other: what the masks do faster for a chunk in which nothing is odd. */
static enum sf_code index_plainly(struct sf_csv_chunk *c, struct sf_err *err)
{
    enum { FIELD_START, UNQUOTED, QUOTED, AFTER_QUOTE } state = FIELD_START;
    size_t opened = 0;
    c->n_ends = 0;
    for (size_t i = 0; i < c->n;) {
        char ch = c->bytes[i];
        size_t length = utf8_length((const unsigned char *)c->bytes + i, c->n - i);
        if (ch == '\0')
            return refuse(c, i, "a NUL byte", "the file is not text; UTF-16 must be converted to UTF-8 first", err);
        if (length == 0)
            return refuse(c, i, "not valid UTF-8", "convert the file to UTF-8, for example with iconv -f WINDOWS-1252 -t UTF-8",
                          err);
        if (state == QUOTED) {
            state = ch == '"' ? AFTER_QUOTE : QUOTED;
        } else if (ch == '"' && state != UNQUOTED) {
            opened = state == FIELD_START ? i : opened;
            state = QUOTED;
        } else if (ch == ',') {
            add_end(c, i, false);
            state = FIELD_START;
        } else if (ch == '\r' || ch == '\n') {
            bool is_pair = ch == '\r' && i + 1 < c->n && c->bytes[i + 1] == '\n';
            bool is_right = c->eol == SF_CSV_EOL_LF ? ch == '\n' : c->eol == SF_CSV_EOL_CRLF ? is_pair : ch == '\r';
            if (!is_right)
                return refuse(c, i,
                              ch == '\n' ? "a lone line feed in a file with other line ends"
                                         : "a carriage return outside quotes in a file with other line ends",
                              fix_eol, err);
            length = is_pair && c->eol == SF_CSV_EOL_CRLF ? 2 : 1;
            add_end(c, i + length - 1, true);
            state = FIELD_START;
        } else if (state == AFTER_QUOTE) {
            return refuse(c, i, "text after a closing quote", fix_quotes, err);
        } else {
            state = UNQUOTED;
        }
        i += length;
    }
    if (state == QUOTED)
        return refuse(c, opened, "this quoted field never ends", "the file is cut off, or a quote is not doubled; see RFC 4180",
                      err);
    return SF_OK;
}

static enum sf_code check_fields(const struct sf_csv_chunk *c, struct sf_err *err)
{
    size_t start = 0;
    for (size_t i = 0; i < c->n_ends; i++) {
        size_t end = c->ends[i] & 0x7fffffff;
        if (end - start > SF_CSV_MAX_FIELD)
            return refuse(c, start, "a field of over 4 MiB", "a quote that is not doubled may swallow the lines after it", err);
        start = end + 1;
    }
    return SF_OK;
}

/* Writes the places of a block's ends, those that are stops with the top bit. May write 72 where there are fewer. */
static inline void put_ends(uint32_t *out, uint32_t base, uint64_t ends, uint64_t stops)
{
    /* a fixed number a step, mostly more than there are: a loop that ends with the bits is mispredicted in every block */
    uint32_t *at = out;
    for (uint64_t rest = ends; rest; at += 6)
        for (size_t i = 0; i < 6; i++, rest &= rest - 1)
            at[i] = base + (uint32_t)__builtin_ctzll(rest | (uint64_t)1 << 63);
    for (uint64_t rest = stops; rest; rest &= rest - 1)
        out[(size_t)__builtin_popcountll(ends & (rest ^ (rest - 1)) >> 1)] |= (uint32_t)1 << 31;
}

/* What a processor has its own way for. */
struct ways {
    struct masks (*classify)(const char *);
    struct rare_masks (*classify_rare)(const char *);
    uint64_t (*running_parity)(uint64_t);
    void (*put_ends)(uint32_t *out, uint32_t base, uint64_t ends, uint64_t stops);
    bool is_steady; /* asks for no quote before looking at quotes: that many steps cost less than a wrong guess */
};

/* By masks. False: something is odd, and index_plainly() must see to it. Built once for each way to classify and kind of line end.
 */
__attribute__((always_inline)) static inline bool index_by_eol(struct sf_csv_chunk *c, struct ways ways, enum sf_csv_eol eol)
{
    const char *bytes = c->bytes;
    const size_t n = c->n;
    uint64_t inner_lines = 0, inside = 0, after_end = 1, after_closing = 0, after_cr = 0, odd = 0;
    size_t utf8_checked = 0, n_records = 0, n_ends = c->n_ends;
    for (size_t base = 0; base < n; base += 64) {
        struct masks m = ways.classify(bytes + base);
        size_t left = n - base;
        uint64_t valid = left >= 64 ? ~(uint64_t)0 : ((uint64_t)1 << left) - 1;
        uint64_t quoted = inside;
        if (ways.is_steady || m.quote)
            quoted ^= ways.running_parity(m.quote);
        uint64_t outside = ~quoted & valid;
        uint64_t lf = m.lf & outside, cr = 0;
        if (m.rare & valid) {
            struct rare_masks rare = ways.classify_rare(bytes + base);
            cr = rare.cr & outside;
            odd |= rare.nul & valid;
            inner_lines |= eol == SF_CSV_EOL_CR ? rare.cr & quoted : 0;
            for (uint64_t high = rare.high & valid; high && !odd; high &= high - 1) {
                size_t at = base + (size_t)__builtin_ctzll(high);
                if (at < utf8_checked)
                    continue;
                size_t length = utf8_length((const unsigned char *)bytes + at, n - at);
                odd |= length == 0;
                utf8_checked = at + length;
            }
        }
        uint64_t stops = eol == SF_CSV_EOL_CR ? cr : lf;
        uint64_t ends = (m.comma & outside) | stops;

        inner_lines |= eol == SF_CSV_EOL_CR ? 0 : m.lf & quoted;
        if (eol == SF_CSV_EOL_CRLF)
            odd |= (cr << 1 | after_cr) ^ stops;
        else
            odd |= eol == SF_CSV_EOL_CR ? lf : cr;
        if (ways.is_steady || (m.quote | after_closing)) {
            uint64_t opening = m.quote & quoted, closing = m.quote & outside;
            uint64_t past_end = ends << 1 | after_end, past_closing = closing << 1 | after_closing;
            uint64_t may_follow = ends | opening | (eol == SF_CSV_EOL_CRLF ? cr : 0) | ~valid;
            odd |= opening & ~(past_end | past_closing);
            odd |= past_closing & ~may_follow;
            after_closing = closing >> 63;
        }
        if (odd)
            return false;
        after_end = ends >> 63;
        after_cr = cr >> 63;
        inside = 0 - (quoted >> 63);

        reserve_ends(c, n_ends + 64 + 8);
        ways.put_ends(c->ends + n_ends, (uint32_t)base, ends, stops);
        n_records += (size_t)__builtin_popcountll(stops);
        n_ends += (size_t)__builtin_popcountll(ends);
    }
    c->n_ends = n_ends;
    c->n_records = n_records;
    c->has_inner_lines = inner_lines != 0;
    c->ends_inside = inside || after_cr;
    return true;
}

__attribute__((always_inline)) static inline bool index_by_masks(struct sf_csv_chunk *c, struct ways ways)
{
    switch (c->eol) {
    case SF_CSV_EOL_UNKNOWN:
    case SF_CSV_EOL_LF:
        break;
    case SF_CSV_EOL_CRLF:
        return index_by_eol(c, ways, SF_CSV_EOL_CRLF);
    case SF_CSV_EOL_CR:
        return index_by_eol(c, ways, SF_CSV_EOL_CR);
    }
    return index_by_eol(c, ways, SF_CSV_EOL_LF);
}

static bool index_by_bytes(struct sf_csv_chunk *c)
{
    return index_by_masks(c, (struct ways){classify_plainly, classify_rare_plainly, running_parity, put_ends, false});
}

#ifdef __SSE2__
static bool index_by_sse2(struct sf_csv_chunk *c)
{
    return index_by_masks(c, (struct ways){classify_narrow, classify_rare_narrow, running_parity, put_ends, false});
}

__attribute__((target("avx2,bmi,bmi2,popcnt"))) static bool index_by_avx2(struct sf_csv_chunk *c)
{
    return index_by_masks(c, (struct ways){classify_wide, classify_rare_narrow, running_parity, put_ends, false});
}

__attribute__((target(WIDEST))) static bool index_by_avx512(struct sf_csv_chunk *c)
{
    return index_by_masks(c, (struct ways){classify_widest, classify_rare_narrow, running_parity_widest, put_ends_widest, true});
}
#endif

bool sf_csv_has_scanner(enum sf_csv_scanner scanner)
{
#ifdef __SSE2__
    bool has_avx2 = __builtin_cpu_supports("avx2") && __builtin_cpu_supports("bmi") && __builtin_cpu_supports("bmi2") &&
                    __builtin_cpu_supports("popcnt");
    bool has_avx512 = has_avx2 && __builtin_cpu_supports("avx512bw") && __builtin_cpu_supports("avx512vl") &&
                      __builtin_cpu_supports("avx512vbmi") && __builtin_cpu_supports("avx512vbmi2") &&
                      __builtin_cpu_supports("pclmul");
    return scanner < SF_CSV_SCAN_AVX2 || (scanner == SF_CSV_SCAN_AVX2 ? has_avx2 : has_avx512);
#else
    return scanner == SF_CSV_SCAN_BYTES;
#endif
}

static bool index_by(struct sf_csv_chunk *c, enum sf_csv_scanner scanner)
{
    switch (scanner) {
    case SF_CSV_SCAN_BYTES:
        break;
#ifdef __SSE2__
    case SF_CSV_SCAN_SSE2:
        return index_by_sse2(c);
    case SF_CSV_SCAN_AVX2:
        return index_by_avx2(c);
    case SF_CSV_SCAN_AVX512:
        return index_by_avx512(c);
#else
    case SF_CSV_SCAN_SSE2:
    case SF_CSV_SCAN_AVX2:
    case SF_CSV_SCAN_AVX512:
        break;
#endif
    }
    return index_by_bytes(c);
}

static enum sf_csv_scanner best_scanner(void)
{
    enum sf_csv_scanner scanner = SF_CSV_SCAN_AVX512;
    while (!sf_csv_has_scanner(scanner))
        scanner--;
    return scanner;
}

size_t sf_csv_index_whole_records(struct sf_csv_chunk *c)
{
    c->n_ends = 0;
    memset(c->bytes + c->n, ' ', SF_CSV_PADDING);
    if (c->n > SF_CSV_MAX_FIELD || !index_by(c, best_scanner()))
        return 0;
    while (c->n_ends && !(c->ends[c->n_ends - 1] >> 31))
        c->n_ends--;
    c->is_indexed = c->n_ends > 0;
    return c->is_indexed ? (c->ends[c->n_ends - 1] & 0x7fffffff) + (size_t)1 : 0;
}

enum sf_code sf_csv_index(struct sf_csv_chunk *c, struct sf_err *err)
{
    return c->is_indexed ? SF_OK : sf_csv_index_by(c, best_scanner(), err);
}

enum sf_code sf_csv_index_by(struct sf_csv_chunk *c, enum sf_csv_scanner scanner, struct sf_err *err)
{
    c->n_ends = 0;
    if (c->n == 0)
        return SF_OK;
    memset(c->bytes + c->n, ' ', SF_CSV_PADDING);
    if (!index_by(c, scanner) || c->ends_inside) {
        enum sf_code rc = index_plainly(c, err);
        if (rc)
            return rc;
    }
    bool has_last_end = c->n_ends && c->ends[c->n_ends - 1] >> 31 && (c->ends[c->n_ends - 1] & 0x7fffffff) + 1 == c->n;
    if (!has_last_end)
        add_end(c, c->n, true);
    return c->n > SF_CSV_MAX_FIELD ? check_fields(c, err) : SF_OK;
}
