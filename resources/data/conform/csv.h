/* The CSV engine: RFC 4180, streaming, in bounded memory.
 *
 * Three steps, so that the slow part can run on all cores. A splitter cuts a byte stream into chunks of whole records (one
 * caller at a time; quoted line ends are no cut): it finds every separator by the way, unless something is odd. Then
 * sf_csv_index() looks again and refuses what is malformed (any number of chunks at once). A record is a row of views into its
 * chunk: nothing is copied.
 *
 * What is accepted means what PostgreSQL's COPY ... CSV makes of it, but for one thing: a quote inside an unquoted field is a
 * character like any other (37.8"N), where COPY drops it. Accepted: LF, CRLF or CR, the same throughout the file; a UTF-8 byte
 * order mark; a last record without a line end. A field tells "" from nothing at all. Refused, with line and column: text after a
 * closing quote (COPY would join it), an unterminated quote, mixed line ends, NUL, bad UTF-8, a field or record over its maximum.
 */
#ifndef SF_DATA_CONFORM_CSV_H
#define SF_DATA_CONFORM_CSV_H

#include "engine/core/err.h"

enum {
    SF_CSV_MAX_FIELD = 4 * 1024 * 1024,
    SF_CSV_MAX_RECORD = 16 * 1024 * 1024,
    SF_CSV_BLOCK = 256 * 1024, /* read at a time: chunk and index stay in the second-level cache */
    SF_CSV_PADDING = 64,       /* bytes past the end of a chunk that the scanner may read */
};

enum sf_csv_eol { SF_CSV_EOL_UNKNOWN, SF_CSV_EOL_LF, SF_CSV_EOL_CRLF, SF_CSV_EOL_CR };

/* Fills at most `n` bytes; *got is 0 only at the end. */
typedef enum sf_code sf_csv_read_fn(void *ctx, char *bytes, size_t n, size_t *got, struct sf_err *err);

/* Whole records in one piece of memory. Zero it, use it again and again, release it with sf_csv_chunk_free(). */
struct sf_csv_chunk {
    char *bytes; /* n bytes, and SF_CSV_PADDING more */
    size_t n;
    size_t cap;
    const char *file;    /* for messages */
    uint64_t first_line; /* line of bytes[0] in the file, from 1 */
    uint64_t number;     /* of this chunk in the file, from 0 */
    enum sf_csv_eol eol;
    uint32_t *ends; /* place of each separator; the top bit marks the last one of a record */
    size_t n_ends;
    size_t cap_ends;
    size_t n_records;     /* that end in it: known if is_indexed */
    bool is_indexed;      /* by the splitter already */
    bool has_inner_lines; /* a line end within quotes */
    bool ends_inside;     /* of quotes, or of a line end */
};

struct sf_csv_splitter {
    sf_csv_read_fn *read;
    void *ctx;
    const char *file;         /* for messages */
    size_t max_record;        /* SF_CSV_MAX_RECORD or less */
    size_t block;             /* SF_CSV_BLOCK; tests take less, but more than the 3 bytes of a mark */
    bool needs_final_newline; /* the source ends each record with a line end: a last one without is a cut-off file */
    /* inner state */
    enum sf_csv_eol eol;
    char *carry;
    size_t n_carry, cap_carry;
    uint64_t next_line, next_number;
    bool is_started, is_at_end, lacks_final_newline;
};

/* One record: views into its chunk, valid as long as the chunk's bytes are. */
struct sf_csv_record {
    const struct sf_csv_chunk *chunk;
    const uint32_t *ends; /* n_fields of them */
    size_t n_fields;
    size_t start; /* of the first field */
    size_t next;  /* index into chunk->ends where the following record begins */
};

void sf_csv_splitter_open(struct sf_csv_splitter *splitter, sf_csv_read_fn *read, void *ctx, const char *file);
void sf_csv_splitter_close(struct sf_csv_splitter *splitter);
/* Reads the next chunk; *end instead when there is none. SF_E_DATA: refused; or what read() returned. */
enum sf_code sf_csv_split(struct sf_csv_splitter *splitter, struct sf_csv_chunk *chunk, bool *end,
                          struct sf_err *err) SF_MUST_CHECK;

/* Makes room for `n` bytes (keeping none) for callers that fill a chunk themselves. */
void sf_csv_chunk_reserve(struct sf_csv_chunk *chunk, size_t n);
void sf_csv_chunk_free(struct sf_csv_chunk *chunk);
/* Finds the separators of the records that end in the chunk. Returns the bytes they take, or 0: none does, or something is odd. */
size_t sf_csv_index_whole_records(struct sf_csv_chunk *chunk);
/* Finds the separators, unless they are known. SF_E_DATA with err->where when the chunk is not RFC 4180. */
enum sf_code sf_csv_index(struct sf_csv_chunk *chunk, struct sf_err *err) SF_MUST_CHECK;
/* The same by one of the ways that it may take on this machine or another, each faster than the one before: for tests, which hold
 * them against each other. The caller sees to it that the machine has it. */
enum sf_csv_scanner { SF_CSV_SCAN_BYTES, SF_CSV_SCAN_SSE2, SF_CSV_SCAN_AVX2, SF_CSV_SCAN_AVX512 };
bool sf_csv_has_scanner(enum sf_csv_scanner scanner);
enum sf_code sf_csv_index_by(struct sf_csv_chunk *chunk, enum sf_csv_scanner scanner, struct sf_err *err) SF_MUST_CHECK;

/* The first record of an indexed chunk, then the following ones: false after the last. */
bool sf_csv_first(const struct sf_csv_chunk *chunk, struct sf_csv_record *record);
bool sf_csv_next(struct sf_csv_record *record);
/* Whether all records of an indexed chunk are known to have that many fields: then sf_csv_at() gives each without a search. */
bool sf_csv_is_even(const struct sf_csv_chunk *chunk, size_t n_fields);
static inline void sf_csv_at(const struct sf_csv_chunk *chunk, size_t n_fields, size_t i, struct sf_csv_record *record)
{
    record->chunk = chunk;
    record->ends = chunk->ends + i * n_fields;
    record->n_fields = n_fields;
    record->start = i ? (record->ends[-1] & 0x7fffffff) + 1 : 0;
    record->next = (i + 1) * n_fields;
}

/* A field as it stands in the file, quotes included. */
static inline struct sf_str sf_csv_raw(const struct sf_csv_record *record, size_t i)
{
    size_t from = i ? (record->ends[i - 1] & 0x7fffffff) + 1 : record->start;
    size_t to = record->ends[i] & 0x7fffffff;
    if (i + 1 == record->n_fields && record->chunk->eol == SF_CSV_EOL_CRLF && to < record->chunk->n)
        to--;
    return (struct sf_str){record->chunk->bytes + from, to - from};
}

static inline bool sf_csv_is_quoted(struct sf_str raw)
{
    return raw.n && raw.p[0] == '"';
}

/* The value of a raw field: a view into it, or `scratch` (at least raw.n bytes) when "" had to be made ". */
struct sf_str sf_csv_value(struct sf_str raw, char *scratch);
/* Line in the file where the record begins, from 1, counting line ends inside quotes too. */
uint64_t sf_csv_line(const struct sf_csv_record *record);
/* The record's bytes without its line end. */
struct sf_str sf_csv_record_text(const struct sf_csv_record *record);
/* Fails with SF_E_DATA: this record has not `expected` fields. */
enum sf_code sf_csv_fail_ragged(const struct sf_csv_record *record, size_t expected, struct sf_err *err);
/* Fails with SF_E_DATA at the beginning of a field. */
enum sf_code sf_csv_fail_field(const struct sf_csv_record *record, size_t field, struct sf_err *err, const char *fmt, ...)
    SF_PRINTF(4, 5);
/* Appends the value as a field, quoted only where it must be (an empty text as ""). */
void sf_csv_write_field(struct sf_buf *out, struct sf_str value);

/* The plain way to read a file: one record after the other on one thread, all with the same number of fields. */
struct sf_csv_reader {
    struct sf_csv_splitter splitter;
    struct sf_csv_chunk chunk;
    struct sf_csv_record record;
    size_t columns; /* of the first record */
    bool is_in_chunk;
};

void sf_csv_reader_open(struct sf_csv_reader *reader, sf_csv_read_fn *read, void *ctx, const char *file);
void sf_csv_reader_close(struct sf_csv_reader *reader);
/* *record is valid until the next call; NULL at the end. */
enum sf_code sf_csv_reader_next(struct sf_csv_reader *reader, const struct sf_csv_record **record,
                                struct sf_err *err) SF_MUST_CHECK;

#endif
