/* The sample: a generated stand-in for the city's spending-and-revenue table, of its shape and with its quirks, not its figures.
 *
 * Row i is a pure function of (SF_SAMPLE_VERSION, spec, i): chunks can be made in any order, on any number of threads, and
 * a consumer can conform them without a file ever being written. Same version and spec, same bytes, on every machine:
 * integer arithmetic only, no libm, no locale, no clock. A generator is read-only once open and shared by threads.
 *
 *     struct sf_sample *sample;
 *     rc = sf_sample_open(&spec, &sample, err);
 *     sf_sample_header(sample, &buf);                                 // byte order mark and header line
 *     rc = sf_sample_chunk(sample, first, n, &buf, err);              // appends rows first .. first + n - 1
 *     sf_sample_close(sample);
 */
#ifndef SF_DATA_SAMPLE_SAMPLE_H
#define SF_DATA_SAMPLE_SAMPLE_H

#include "engine/core/err.h"

/* Changes whenever the bytes of any sample change. */
#define SF_SAMPLE_VERSION "1"
extern const char sf_sample_version[];

enum sf_sample_layout {
    SF_SAMPLE_2026, /* 24 columns: what the portal serves today */
    SF_SAMPLE_2022, /* 22: without data_as_of, data_loaded_at */
    SF_SAMPLE_2017, /* 22: the side second, related_gov_t_units, departments without their code, five-digit sub-objects */
};

enum {
    SF_SAMPLE_REAL_ROWS = 776841,
    SF_SAMPLE_MAX_ROWS = 100 * 1000 * 1000,
    SF_SAMPLE_MAX_WEEK = 520,
    SF_SAMPLE_FIRST_YEAR = 1999,
    SF_SAMPLE_LAST_YEAR = 2027,
    SF_SAMPLE_YEARS = SF_SAMPLE_LAST_YEAR - SF_SAMPLE_FIRST_YEAR + 1,
};

/* All zero but rows is a good spec: seed 0, week 0, the 2026 layout, API header, all quirks. */
struct sf_sample_spec {
    uint64_t rows; /* of week 0; later weeks have more, see sf_sample_rows() */
    uint64_t seed;
    uint32_t as_of; /* week: the open year grows, older years are restated */
    enum sf_sample_layout layout;
    bool display_header;   /* "Sub-object Code" instead of sub_object_code */
    bool no_quirks;        /* no nulls, spellings, mojibake, zeros, natural-key duplicates; eras and eliminations stay */
    bool crlf;             /* line ends */
    bool bom;              /* byte order mark */
    bool no_final_newline; /* after the last row */
    bool quote_all;        /* every field, as the SODA door does; else only where RFC 4180 needs it */
    bool thousands;        /* "1,234,567.80" */
    bool drop_zeros;       /* 1234567.8 and 300, as the SODA door does */
    bool shuffle;          /* rows in scattered order instead of by fiscal year */
};

struct sf_sample;

/* SF_E_CONFIG when the spec is out of bounds (rows 1 to SF_SAMPLE_MAX_ROWS, week at most SF_SAMPLE_MAX_WEEK). Takes about a
 * millisecond and a few MB. Close with sf_sample_close(). */
enum sf_code sf_sample_open(const struct sf_sample_spec *spec, struct sf_sample **out, struct sf_err *err) SF_MUST_CHECK;
/* NULL is fine. */
void sf_sample_close(struct sf_sample *sample);

/* Data rows of this week: spec.rows plus what the open year gained. */
uint64_t sf_sample_rows(const struct sf_sample *sample);
const struct sf_sample_spec *sf_sample_spec_of(const struct sf_sample *sample);
/* "2026-09-20T23:05:20.000" and the load time of the night after; later weeks later. Valid while the sample is open. */
struct sf_str sf_sample_data_as_of(const struct sf_sample *sample);
struct sf_str sf_sample_data_loaded_at(const struct sf_sample *sample);

/* Appends the byte order mark, if any, and the header line. */
void sf_sample_header(const struct sf_sample *sample, struct sf_buf *out);
/* Appends rows first .. first + n - 1 (0-based) with their line ends; rows past the end are not there. Any thread.
 * SF_E_INTERNAL when the buffer's maximum is reached: allow SF_SAMPLE_MAX_ROW_BYTES a row. */
enum sf_code sf_sample_chunk(const struct sf_sample *sample, uint64_t first, uint64_t n, struct sf_buf *out,
                             struct sf_err *err) SF_MUST_CHECK;
enum { SF_SAMPLE_MAX_ROW_BYTES = 2048 };

/* What a written file was. */
struct sf_sample_file {
    uint64_t bytes;
    char sha256[65]; /* lowercase hex */
};

/* Takes the next bytes of the file, in order, one call at a time but not always from the same thread. */
typedef enum sf_code sf_sample_write(void *ctx, const char *bytes, size_t n, struct sf_err *err);

/* The whole file, header included, on `threads` threads (0: one per processor, at most 8). `file`, if not NULL, gets size and
 * hash; `write`, if NULL, drops the bytes. Returns what `write` returned, or SF_E_INTERNAL. */
enum sf_code sf_sample_generate(const struct sf_sample *sample, unsigned threads, sf_sample_write *write, void *ctx,
                                struct sf_sample_file *file, struct sf_err *err) SF_MUST_CHECK;

/* Appends the answer key (JSON): totals, distinct counts, dimension sizes before and after conforming, injected defects by row.
 * Made from the generator's member tables and draws, not from the file and not by the conform code. `file` may be NULL.
 * A few MB of text at most. */
void sf_sample_key(const struct sf_sample *sample, const struct sf_sample_file *file, struct sf_buf *out);

#endif
