/* Evaluations kept by what went into them: the source's identity and the hash of the rules.
 *
 * A sample is identified by its spec and the generator's version; a file by path, size, mtime and inode, and when those are new by
 * its content. A cached evaluation counts only while all of its objects are there; whatever is missing is made again. */
#ifndef SF_DATA_CONFORM_CACHE_H
#define SF_DATA_CONFORM_CACHE_H

#include "resources/data/conform/conform.h"

struct sf_conform_source {
    const struct sf_sample_spec *sample; /* NULL: a file */
    const char *path;
    struct sf_str id; /* 16 hex digits, of the content, where they are known; else empty */
    bool needs_final_newline;
    bool is_raw;   /* only cut into files, to be conformed in the warehouse: raw.h */
    uint64_t rows; /* that are to be expected, for the progress line; 0: not known */
};

/* Evaluates the source, from the cache if it can. options->name is chosen here. The summary gets `source` (16 hex digits: which
 * bytes). SF_E_STALE: the file changed while it was read. Else as sf_conform_run(). */
enum sf_code sf_conform_cached(struct sf_arena *arena, const struct sf_rules *rules, const struct sf_conform_source *source,
                               const struct sf_conform_options *options, const struct sf_value **summary,
                               struct sf_err *err) SF_MUST_CHECK;

/* What the evaluation of the source with these 16 hex digits is called: conform/<name>.json. */
struct sf_str sf_conform_evaluation(struct sf_arena *arena, struct sf_str id, const struct sf_rules *rules,
                                    const struct sf_conform_source *source);
/* The first object of the map (the summary's `tables` or `years`) that is not in the cache, or has another size; empty: none. */
struct sf_str sf_conform_missing(struct sf_arena *arena, const char *cache_dir, const struct sf_value *objects);

#endif
