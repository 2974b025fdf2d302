/* Conformed files: gzip CSV objects of the cache, named by the hash of their bytes.
 *
 * A header line, LF, minimal quoting. The same rows in the same order give the same bytes: no time, no name, a packing of our own.
 * Written under a temporary name and renamed when complete, so an object that is there is whole. */
#ifndef SF_DATA_CONFORM_OUTPUT_H
#define SF_DATA_CONFORM_OUTPUT_H

#include "engine/core/err.h"
#include "resources/data/conform/pack.h"

struct sf_object_file {
    struct sf_str key; /* "program/<16 hex>.csv.gz" */
    uint64_t rows;
    uint64_t bytes;
    char sha256[65]; /* of the gzip bytes */
    char digest[17]; /* order-free, of the rows: see sf_output_row() */
};

struct sf_output; /* opaque */

/* `folder` is the key's part before the hash, "transaction/fy=2025". */
enum sf_code sf_output_open(const char *objects_dir, struct sf_str folder, struct sf_str header, struct sf_output **out,
                            struct sf_err *err) SF_MUST_CHECK;
/* The same with a packer that stays the caller's, for one file after the other. */
enum sf_code sf_output_open_with(struct sf_pack *pack, const char *objects_dir, struct sf_str folder, struct sf_str header,
                                 struct sf_output **out, struct sf_err *err) SF_MUST_CHECK;
/* Adds one row: its line without the line end. The digest is made of the number of rows and the sum (modulo 2^64) of the first 15
 * hex digits of each line's SHA-256: the same in any order, and sayable in SQL. */
enum sf_code sf_output_row(struct sf_output *out, struct sf_str line, struct sf_err *err) SF_MUST_CHECK;
/* The same with the row's part of that sum given, for rows that have something cheaper to say (year.h). */
enum sf_code sf_output_row_hashed(struct sf_output *out, struct sf_str line, uint64_t hash, struct sf_err *err) SF_MUST_CHECK;
/* For writers of many rows that write into the packer themselves: it, ... */
struct sf_pack *sf_output_pack(struct sf_output *out);
/* ... a text without end, ... */
enum sf_code sf_output_text(struct sf_output *out, struct sf_str text, struct sf_err *err) SF_MUST_CHECK;
/* ... what to do behind a row when it is full, ... */
enum sf_code sf_output_drain(struct sf_output *out, struct sf_err *err) SF_MUST_CHECK;
/* ... and in the end how many rows there were, with the sum of their parts of the digest. */
void sf_output_count(struct sf_output *out, uint64_t rows, uint64_t hash);
/* Completes the object and frees `out`, also on failure. key is in `arena`. */
enum sf_code sf_output_close(struct sf_output *out, struct sf_arena *arena, struct sf_object_file *object,
                             struct sf_err *err) SF_MUST_CHECK;
/* Gives up: the temporary file is removed. NULL is fine. */
void sf_output_abandon(struct sf_output *out);

/* mkdir -p. */
enum sf_code sf_output_make_dir(const char *path, struct sf_err *err) SF_MUST_CHECK;

#endif
