/* The conform engine: a source and a rule file in, conformed files and a summary out.
 *
 * Facts by fiscal year, dimensions, codes through time and crosswalk land as content-addressed objects in
 * <cache_dir>/objects; the summary says which they are, with digests, totals, rejects. The result depends on the source's content
 * and the rules alone: not on row order, header, number format, quoting, machine or threads. */
#ifndef SF_DATA_CONFORM_CONFORM_H
#define SF_DATA_CONFORM_CONFORM_H

#include "resources/data/conform/rules.h"
#include "resources/data/conform/source.h"

enum {
    SF_CONFORM_MAX_THREADS = 16,
    SF_CONFORM_SHOWN_REJECTS = 5,
    SF_CONFORM_MEMORY_BYTES = 24 * 1024 * 1024, /* of rows, before they spill */
};

struct sf_conform_options {
    const char *cache_dir; /* absolute */
    const char *name;      /* of this evaluation: conform/<name>.rejects.csv */
    unsigned threads;      /* 0: one a processor */
    size_t memory_bytes;   /* 0: SF_CONFORM_MEMORY_BYTES */
    size_t slice_bytes;    /* of a year that is sorted at a time; 0: SF_SLICE_BYTES. Of a raw file; 0: SF_RAW_FILE_BYTES */
    /* both may be NULL; called on the calling thread only */
    bool (*is_cancelled)(void *ctx);
    void (*progress)(void *ctx, const char *what, uint64_t done);
    void *ctx;
};

/* *summary is a map in `arena`: rows, rejected, rejects, rejects_file, snapshot, data_as_of, data_loaded_at, tables, years,
 * fact_columns, repeated_rows, crosswalk, unmapped_file (README.md shows it; files are relative to cache_dir). Rejected rows do not
 * fail: the load decides about them. SF_E_DATA: the file is refused, with line and column. SF_E_CANCELLED, SF_E_IO. */
enum sf_code sf_conform_run(struct sf_arena *arena, const struct sf_rules *rules, struct sf_source *source,
                            const struct sf_conform_options *options, const struct sf_value **summary,
                            struct sf_err *err) SF_MUST_CHECK;

/* Writes a small file by way of a temporary one. */
enum sf_code sf_conform_write_file(const char *path, struct sf_str text, struct sf_err *err) SF_MUST_CHECK;

#endif
