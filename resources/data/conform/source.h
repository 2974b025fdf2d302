/* Where chunks of CSV come from: a file (plain, gzip or zstd), the sample generator, or bytes in memory.
 *
 * sf_source_next() may be called by many threads: chunks are handed out in order, each once. Errors point at the name that was
 * given at open, so it must outlive them. */
#ifndef SF_DATA_CONFORM_SOURCE_H
#define SF_DATA_CONFORM_SOURCE_H

#include "resources/data/conform/csv.h"
#include "resources/data/sample/sample.h"

struct sf_source;

/* SF_E_IO when it cannot be read, SF_E_DATA when it is a directory or packed in an unknown way. */
enum sf_code sf_source_open_file(const char *path, bool needs_final_newline, struct sf_source **out,
                                 struct sf_err *err) SF_MUST_CHECK;
enum sf_code sf_source_open_sample(const struct sf_sample_spec *spec, struct sf_source **out, struct sf_err *err) SF_MUST_CHECK;
/* `bytes` must live as long as the source; `name` stands for it in messages. */
void sf_source_open_bytes(const char *name, struct sf_str bytes, struct sf_source **out);
void sf_source_close(struct sf_source *source);

enum sf_code sf_source_next(struct sf_source *source, struct sf_csv_chunk *chunk, bool *end, struct sf_err *err) SF_MUST_CHECK;
/* Known when all chunks were read: the last line had no line end (legal, but what a cut-off file looks like too). */
bool sf_source_lacks_final_newline(const struct sf_source *source);

#endif
