/* A source cut into files as they are to be conformed elsewhere: by SQL, in the warehouse (conform_sql.h).
 *
 * What can refuse a file is looked at here, and only that: the header against the rules, the structure of every record, that all
 * rows are of one snapshot. No value is read. Each file is gzip CSV of whole records with a header: the row's line in the source,
 * then the rules' columns under the rules' names, in their order; of those that the source lacks there is nothing. Cut by size, so
 * that a cluster can copy several at once; named by their content. */
#ifndef SF_DATA_CONFORM_RAW_H
#define SF_DATA_CONFORM_RAW_H

#include "resources/data/conform/conform.h"

/* Columns beside the rules': the line in the source; under discard_row, the unknown column in which the row has a value. */
#define SF_RAW_LINE "conform_line"
#define SF_RAW_UNKNOWN "conform_unknown"

enum {
    SF_RAW_FILE_BYTES = 32 * 1024 * 1024, /* of text: a few MB packed. COPY wants files of 1 MB and more, and many of them */
    SF_RAW_MAX_FIELD = 65535,             /* no column of a warehouse holds more: what is wider is cut, and rejected there */
};

/* Which of the rules' columns the files have: indices, in the rules' order. */
size_t sf_raw_columns(const struct sf_rules *rules, size_t columns[SF_RULES_MAX_COLUMNS]);

/* *summary is a map in `arena`: rules, snapshot (over the files' content), source_rows, data_as_of, data_loaded_at, raw (a map of
 * files: key, rows, bytes, sha256), and tables and years, which are empty. Fails as sf_conform_run() does. */
enum sf_code sf_raw_run(struct sf_arena *arena, const struct sf_rules *rules, struct sf_source *source,
                        const struct sf_conform_options *options, const struct sf_value **summary,
                        struct sf_err *err) SF_MUST_CHECK;

#endif
