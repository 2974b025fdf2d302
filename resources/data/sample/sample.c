/* See sample.h. Members are rendered to text once; a row is then four or five copies and a number. */
#include "resources/data/sample/sample.h"

#include "resources/data/sample/render.h"

#include <openssl/evp.h>
#include <pthread.h>
#include <unistd.h>

const char sf_sample_version[] = SF_SAMPLE_VERSION;

enum {
    CHUNK_ROWS = 4096,
    MAX_THREADS = 8,
    BLOCK_BYTES = 32 * 1024,
    AS_OF_DAY = 20716, /* 2026-09-20, days since 1970-01-01 */
};

const char *const sf_sample_api_names[] = {
    "fiscal_year",
    "related_govt_units",
    "organization_group_code",
    "organization_group",
    "department_code",
    "department",
    "program_code",
    "program",
    "character_code",
    "character",
    "object_code",
    "object",
    "sub_object_code",
    "sub_object",
    "fund_type_code",
    "fund_type",
    "fund_code",
    "fund",
    "fund_category_code",
    "fund_category",
    "revenue_or_spending",
    "amount",
    "data_as_of",
    "data_loaded_at",
};
static const char *const display_names[] = {
    "Fiscal Year",
    "Related Govt Units",
    "Organization Group Code",
    "Organization Group",
    "Department Code",
    "Department",
    "Program Code",
    "Program",
    "Character Code",
    "Character",
    "Object Code",
    "Object",
    "Sub-object Code",
    "Sub-object",
    "Fund Type Code",
    "Fund Type",
    "Fund Code",
    "Fund",
    "Fund Category Code",
    "Fund Category",
    "Revenue or Spending",
    "Amount",
    "data_as_of",
    "data_loaded_at",
};
enum { RELATED_COLUMN = 1, SIDE_COLUMN = 20, AS_OF_COLUMN = 22, ALL_COLUMNS = 24 };

/* --- text of members --- */

static void add_field(struct sf_buf *buf, struct sf_str field, bool quote_all)
{
    bool is_quoted = quote_all || (field.n && memchr(field.p, ',', field.n)); /* no member has a quote or a line end */
    if (is_quoted)
        sf_buf_addc(buf, '"');
    sf_buf_add(buf, field);
    if (is_quoted)
        sf_buf_addc(buf, '"');
}

static struct sf_str *render_table(struct sf_arena *arena, const struct sf_sample_table *table, bool quote_all, size_t *longest)
{
    struct sf_str *text = SF_NEW_ARRAY(arena, table->n, struct sf_str);
    struct sf_buf buf = SF_BUF(SF_SAMPLE_MAX_ROW_BYTES);
    size_t most = 0;
    for (uint32_t i = 0; i < table->n; i++) {
        sf_buf_clear(&buf);
        for (uint32_t c = 0; c < table->n_columns; c++) {
            add_field(&buf, table->member[i].column[c], quote_all);
            sf_buf_addc(&buf, ',');
        }
        text[i] = sf_str_dup(arena, sf_buf_str(&buf));
        most = buf.n > most ? buf.n : most;
    }
    sf_buf_free(&buf);
    *longest += most;
    return text;
}

/* Day number to year, month and day (proleptic Gregorian, days since 1970-01-01, after 2000). */
static struct sf_str stamp(struct sf_arena *arena, uint32_t days, const char *time)
{
    static const uint8_t month_days[12] = {31, 28, 31, 30, 31, 30, 31, 31, 30, 31, 30, 31};
    uint32_t year = 1970, month = 0;
    for (;; year++) {
        bool is_leap = (year % 4 == 0 && year % 100 != 0) || year % 400 == 0;
        uint32_t length = is_leap ? 366 : 365;
        if (days >= length) {
            days -= length;
            continue;
        }
        for (; days >= month_days[month] + (month == 1 && is_leap ? 1u : 0u); month++)
            days -= month_days[month] + (month == 1 && is_leap ? 1u : 0u);
        return sf_str_fmt(arena, "%04u-%02u-%02uT%s", year, month + 1, days + 1, time);
    }
}

enum sf_code sf_sample_open(const struct sf_sample_spec *spec, struct sf_sample **out, struct sf_err *err)
{
    *out = NULL;
    if (spec->rows < 1 || spec->rows > SF_SAMPLE_MAX_ROWS) {
        sf_fail(err, SF_E_CONFIG, "a sample cannot have %llu rows", (unsigned long long)spec->rows);
        sf_hint(err, "ask for 1 to %d rows; the real table has %d", SF_SAMPLE_MAX_ROWS, SF_SAMPLE_REAL_ROWS);
        return SF_E_CONFIG;
    }
    if (spec->as_of > SF_SAMPLE_MAX_WEEK) {
        sf_fail(err, SF_E_CONFIG, "a sample has no week %u", spec->as_of);
        sf_hint(err, "weeks go from 0 to %d", SF_SAMPLE_MAX_WEEK);
        return SF_E_CONFIG;
    }
    struct sf_arena *arena = sf_arena_new();
    struct sf_sample *sample = SF_NEW(arena, struct sf_sample);
    sample->arena = arena;
    sample->spec = *spec;
    sf_sample_members_build(arena, &sample->spec, &sample->members);
    sf_sample_draw_init(arena, &sample->spec, &sample->members, &sample->draw);
    size_t longest = 0;
    sample->program = render_table(arena, &sample->members.program, spec->quote_all, &longest);
    sample->type = render_table(arena, &sample->members.type, spec->quote_all, &longest);
    sample->fund = render_table(arena, &sample->members.fund, spec->quote_all, &longest);
    sample->as_of = stamp(arena, AS_OF_DAY + spec->as_of * 7, "23:05:20.000");
    sample->loaded_at = stamp(arena, AS_OF_DAY + spec->as_of * 7 + 1, "03:03:01.000");
    const char *q = spec->quote_all ? "\"" : "";
    const char *eol = spec->crlf ? "\r\n" : "\n";
    sample->tail = spec->layout == SF_SAMPLE_2026
                       ? sf_str_fmt(arena, ",%s%s%s,%s%s%s%s", q, sample->as_of.p, q, q, sample->loaded_at.p, q, eol)
                       : sf_str_of(eol);
    sample->eol_bytes = strlen(eol);
    if (longest + 200 > SF_SAMPLE_MAX_ROW_BYTES) {
        sf_sample_close(sample);
        return sf_fail(err, SF_E_INTERNAL, "sample members are %zu bytes long together", longest);
    }
    *out = sample;
    return SF_OK;
}

void sf_sample_close(struct sf_sample *sample)
{
    if (sample)
        sf_arena_free(sample->arena);
}

uint64_t sf_sample_rows(const struct sf_sample *sample)
{
    return sample->draw.n_rows;
}

const struct sf_sample_spec *sf_sample_spec_of(const struct sf_sample *sample)
{
    return &sample->spec;
}

struct sf_str sf_sample_data_as_of(const struct sf_sample *sample)
{
    return sample->as_of;
}

struct sf_str sf_sample_data_loaded_at(const struct sf_sample *sample)
{
    return sample->loaded_at;
}

/* --- header and rows --- */

uint32_t sf_sample_columns(const struct sf_sample *sample, const char **names)
{
    const struct sf_sample_spec *spec = &sample->spec;
    const char *const *from = spec->display_header ? display_names : sf_sample_api_names;
    uint32_t n = 0;
    for (uint32_t c = 0; c < ALL_COLUMNS; c++) {
        if (c >= AS_OF_COLUMN && spec->layout != SF_SAMPLE_2026)
            continue;
        if (spec->layout != SF_SAMPLE_2017) {
            names[n++] = from[c];
            continue;
        }
        if (c == SIDE_COLUMN)
            continue;
        if (c == RELATED_COLUMN) {
            names[n++] = from[SIDE_COLUMN];
            names[n++] = spec->display_header ? "Related Gov\xe2\x80\x99t Units" : "related_gov_t_units";
            continue;
        }
        names[n++] = from[c];
    }
    return n;
}

void sf_sample_header(const struct sf_sample *sample, struct sf_buf *out)
{
    const char *names[ALL_COLUMNS];
    uint32_t n = sf_sample_columns(sample, names);
    if (sample->spec.bom)
        sf_buf_addz(out, "\xef\xbb\xbf");
    for (uint32_t i = 0; i < n; i++) {
        if (i)
            sf_buf_addc(out, ',');
        add_field(out, sf_str_of(names[i]), sample->spec.quote_all);
    }
    sf_buf_addz(out, sample->spec.crlf ? "\r\n" : "\n");
}

static char *put(char *at, struct sf_str s)
{
    memcpy(at, s.p, s.n);
    return at + s.n;
}

static char *put_amount(char *at, int64_t cents, const struct sf_sample_spec *spec)
{
    char digits[32];
    uint64_t left = cents < 0 ? 0 - (uint64_t)cents : (uint64_t)cents;
    uint64_t whole = left / 100;
    uint32_t part = (uint32_t)(left % 100), n = sizeof digits, in_group = 0;
    bool drops_one = spec->drop_zeros && part % 10 == 0, drops_both = spec->drop_zeros && part == 0;
    bool is_quoted = spec->quote_all || (spec->thousands && whole >= 1000);
    if (!drops_both) {
        if (!drops_one)
            digits[--n] = (char)('0' + part % 10);
        digits[--n] = (char)('0' + part / 10);
        digits[--n] = '.';
    }
    do {
        if (spec->thousands && in_group == 3) {
            digits[--n] = ',';
            in_group = 0;
        }
        digits[--n] = (char)('0' + whole % 10);
        whole /= 10;
        in_group++;
    } while (whole);
    if (cents < 0)
        digits[--n] = '-';
    if (is_quoted)
        *at++ = '"';
    at = put(at, (struct sf_str){digits + n, sizeof digits - n});
    if (is_quoted)
        *at++ = '"';
    return at;
}

static char *put_row(const struct sf_sample *sample, uint64_t i, char *at)
{
    static const struct sf_str sides[SF_SAMPLE_SIDES][2] = {{{"Spending,", 9}, {"\"Spending\",", 11}},
                                                            {{"Revenue,", 8}, {"\"Revenue\",", 10}}};
    const struct sf_sample_spec *spec = &sample->spec;
    struct sf_sample_row row;
    sf_sample_draw_row(&sample->draw, i, &row);

    uint32_t year = row.year + SF_SAMPLE_FIRST_YEAR;
    if (spec->quote_all)
        *at++ = '"';
    *at++ = (char)('0' + year / 1000);
    *at++ = (char)('0' + year / 100 % 10);
    *at++ = (char)('0' + year / 10 % 10);
    *at++ = (char)('0' + year % 10);
    if (spec->quote_all)
        *at++ = '"';
    *at++ = ',';
    struct sf_str side = sides[row.side][spec->quote_all];
    if (spec->layout == SF_SAMPLE_2017)
        at = put(at, side);
    at = put(at, sample->program[row.program]);
    at = put(at, sample->type[row.type]);
    at = put(at, sample->fund[row.fund]);
    if (spec->layout != SF_SAMPLE_2017)
        at = put(at, side);
    at = put_amount(at, row.cents, spec);
    return put(at, sample->tail);
}

enum sf_code sf_sample_chunk(const struct sf_sample *sample, uint64_t first, uint64_t n, struct sf_buf *out, struct sf_err *err)
{
    char block[BLOCK_BYTES];
    uint64_t rows = sf_sample_rows(sample);
    uint64_t last = first > rows ? rows : n > rows - first ? rows : first + n;
    char *at = block;
    for (uint64_t i = first; i < last; i++) {
        at = put_row(sample, i, at);
        if (i + 1 == rows && sample->spec.no_final_newline)
            at -= sample->eol_bytes;
        if ((size_t)(at - block) > sizeof block - SF_SAMPLE_MAX_ROW_BYTES || i + 1 == last) {
            sf_buf_add(out, (struct sf_str){block, (size_t)(at - block)});
            at = block;
        }
    }
    if (out->overflow)
        return sf_fail(err, SF_E_INTERNAL, "buffer of %zu bytes is too small for %llu sample rows", out->max,
                       (unsigned long long)n);
    return SF_OK;
}

/* --- the whole file --- */

/* Workers make chunks side by side and hand them over in turn. */
struct run {
    const struct sf_sample *sample;
    sf_sample_write *write;
    void *ctx;
    EVP_MD_CTX *digest;
    uint64_t bytes;
    uint64_t n_chunks;
    uint64_t n_threads;
    pthread_mutex_t lock;
    pthread_cond_t turned;
    uint64_t turn; /* chunk to hand over next */
    enum sf_code rc;
    struct sf_err err;
};

static enum sf_code hand_over(struct run *run, const struct sf_buf *buf, struct sf_err *err)
{
    run->bytes += buf->n;
    if (run->digest && !EVP_DigestUpdate(run->digest, buf->p, buf->n))
        return sf_fail(err, SF_E_INTERNAL, "cannot hash the sample");
    return run->write ? run->write(run->ctx, buf->p, buf->n, err) : SF_OK;
}

static void make_chunks(struct run *run, uint64_t worker)
{
    struct sf_buf buf = SF_BUF((size_t)(CHUNK_ROWS + 2) * SF_SAMPLE_MAX_ROW_BYTES);
    for (uint64_t chunk = worker; chunk < run->n_chunks; chunk += run->n_threads) {
        struct sf_err err = {0};
        sf_buf_clear(&buf);
        if (chunk == 0)
            sf_sample_header(run->sample, &buf);
        enum sf_code rc = sf_sample_chunk(run->sample, chunk * CHUNK_ROWS, CHUNK_ROWS, &buf, &err);
        pthread_mutex_lock(&run->lock);
        while (run->turn != chunk && !run->rc)
            pthread_cond_wait(&run->turned, &run->lock);
        bool is_over = run->rc != SF_OK;
        pthread_mutex_unlock(&run->lock);
        if (is_over)
            break;
        /* this thread alone has the turn: the file is written outside the lock */
        if (!rc)
            rc = hand_over(run, &buf, &err);
        pthread_mutex_lock(&run->lock);
        run->turn++;
        if (rc) {
            run->rc = rc;
            run->err = err;
        }
        pthread_cond_broadcast(&run->turned);
        pthread_mutex_unlock(&run->lock);
        if (rc)
            break;
    }
    sf_buf_free(&buf);
}

struct worker {
    struct run *run;
    uint64_t number;
    pthread_t thread;
};

static void *worker_main(void *arg)
{
    struct worker *worker = arg;
    make_chunks(worker->run, worker->number);
    return NULL;
}

static unsigned thread_count(unsigned wanted)
{
    long processors = sysconf(_SC_NPROCESSORS_ONLN);
    unsigned n = wanted ? wanted : processors > 0 ? (unsigned)processors : 1;
    return n > MAX_THREADS ? MAX_THREADS : n;
}

enum sf_code sf_sample_generate(const struct sf_sample *sample, unsigned threads, sf_sample_write *write, void *ctx,
                                struct sf_sample_file *file, struct sf_err *err)
{
    struct run run = {.sample = sample, .write = write, .ctx = ctx};
    struct worker worker[MAX_THREADS];
    uint64_t rows = sf_sample_rows(sample);
    unsigned started = 0;
    run.n_threads = thread_count(threads);
    run.n_chunks = (rows + CHUNK_ROWS - 1) / CHUNK_ROWS;
    if (file) {
        run.digest = EVP_MD_CTX_new();
        if (!run.digest || !EVP_DigestInit_ex(run.digest, EVP_sha256(), NULL)) {
            EVP_MD_CTX_free(run.digest);
            return sf_fail(err, SF_E_INTERNAL, "cannot start SHA-256");
        }
    }
    pthread_mutex_init(&run.lock, NULL);
    pthread_cond_init(&run.turned, NULL);
    for (; started < run.n_threads; started++) {
        worker[started] = (struct worker){.run = &run, .number = started};
        if (pthread_create(&worker[started].thread, NULL, worker_main, &worker[started])) {
            pthread_mutex_lock(&run.lock);
            run.rc = sf_fail(&run.err, SF_E_INTERNAL, "cannot start a thread");
            sf_hint(&run.err, "ask for fewer threads, or raise the limit on processes (ulimit -u)");
            pthread_cond_broadcast(&run.turned);
            pthread_mutex_unlock(&run.lock);
            break;
        }
    }
    for (unsigned i = 0; i < started; i++)
        pthread_join(worker[i].thread, NULL);
    pthread_cond_destroy(&run.turned);
    pthread_mutex_destroy(&run.lock);
    if (file) {
        unsigned char sum[32];
        EVP_DigestFinal_ex(run.digest, sum, NULL);
        EVP_MD_CTX_free(run.digest);
        static const char hex[] = "0123456789abcdef";
        for (size_t i = 0; i < sizeof sum; i++) {
            file->sha256[2 * i] = hex[sum[i] >> 4];
            file->sha256[2 * i + 1] = hex[sum[i] & 15];
        }
        file->sha256[64] = '\0';
        file->bytes = run.bytes;
    }
    if (run.rc && err)
        *err = run.err;
    return run.rc;
}
