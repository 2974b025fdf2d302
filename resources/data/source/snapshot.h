/* Snapshots: what came from a source, packed, by content hash, in <cache>/source/.
 *
 * A transfer grows `partial/<name>.part`, in zstd frames of its own: after a kill all whole frames are there and are gone on from.
 * finish() reads the file back, names it `snapshots/<first 16 hex digits of the SHA-256 of the unpacked bytes>.csv.zst` and makes
 * it durable; only then may a pointer name it. Nothing reads a partial file but this module. */
#ifndef SF_DATA_SOURCE_SNAPSHOT_H
#define SF_DATA_SOURCE_SNAPSHOT_H

#include "resources/data/source/meter.h"

struct sf_partial;

/* A kept snapshot, as the pointer `<name>.json` records it. */
struct sf_snapshot {
    const char *path; /* absolute */
    struct sf_str id; /* 16 hex digits: of the content, not of how it is packed */
    uint64_t bytes;   /* unpacked; of a file that came packed: as it came */
    uint64_t packed_bytes;
    uint64_t rows;                /* 0 when it came packed */
    const struct sf_value *about; /* what else the source recorded: identity, ETag, columns */
};

/* Makes the folders. One process or thread at a time works on a name: the others wait here, asking is_cancelled() now and then.
 * *lock goes to sf_snapshot_unlock(). SF_E_CANCELLED, SF_E_IO. */
enum sf_code sf_snapshot_lock(struct sf_arena *arena, const char *cache_dir, struct sf_str name, bool (*is_cancelled)(void *ctx),
                              void *ctx, int *lock, struct sf_err *err) SF_MUST_CHECK;
void sf_snapshot_unlock(int lock);

/* The snapshot that the pointer names. False when there is none or its file is gone or has another size. */
bool sf_snapshot_find(struct sf_arena *arena, const char *cache_dir, struct sf_str name, struct sf_snapshot *out) SF_MUST_CHECK;
/* Makes the pointer say so from now on. */
enum sf_code sf_snapshot_point(struct sf_arena *arena, const char *cache_dir, struct sf_str name,
                               const struct sf_snapshot *snapshot, struct sf_err *err) SF_MUST_CHECK;
/* Drops the pointer: the next run fetches again. */
void sf_snapshot_forget(struct sf_arena *arena, const char *cache_dir, struct sf_str name);

/* Opens what an earlier transfer of the name left, or an empty file; the meter is fed what is there. is_paged: frames end with
 * pages and each page ends with a line end; else frames end at will. The caller holds the lock, looks at sf_partial_what() and
 * begins again when that is not what it wants. Not thread-safe. */
enum sf_code sf_partial_open(struct sf_arena *arena, const char *cache_dir, struct sf_str name, bool is_paged,
                             struct sf_meter *meter, struct sf_partial **out, struct sf_err *err) SF_MUST_CHECK;
/* Keeps the whole frames for the next time. */
void sf_partial_close(struct sf_partial *partial);
/* Bytes that are safe. */
uint64_t sf_partial_bytes(const struct sf_partial *partial);
/* What the transfer is of, as it was begun with; empty when there was none. */
struct sf_str sf_partial_what(const struct sf_partial *partial);
/* Drops everything; the meter starts over. */
enum sf_code sf_partial_begin(struct sf_partial *partial, struct sf_str what, struct sf_err *err) SF_MUST_CHECK;
/* Goes back to the last end of a frame: what came after it is asked for again. */
enum sf_code sf_partial_rewind(struct sf_partial *partial, struct sf_err *err) SF_MUST_CHECK;
/* The last end of a frame, to come back to: all that came after it is dropped then. */
struct sf_partial_mark {
    uint64_t bytes, written, rows;
    bool has_stamp;
};
struct sf_partial_mark sf_partial_mark(const struct sf_partial *partial);
enum sf_code sf_partial_return(struct sf_partial *partial, const struct sf_partial_mark *mark, struct sf_err *err) SF_MUST_CHECK;
/* Bytes that came. The first ones tell whether they are packed already; those are kept as they are and not metered. */
enum sf_code sf_partial_add(struct sf_partial *partial, struct sf_str bytes, struct sf_err *err) SF_MUST_CHECK;
/* More cannot come now, and all that came is good: ends a frame. */
enum sf_code sf_partial_keep(struct sf_partial *partial, struct sf_err *err) SF_MUST_CHECK;
/* A page, or all, is whole: ends a frame. SF_E_UNKNOWN: it is cut off. */
enum sf_code sf_partial_end_part(struct sf_partial *partial, struct sf_err *err) SF_MUST_CHECK;
/* Everything is there: reads it back, hashes, renames. SF_E_UNKNOWN: what is on disk is not what was written. */
enum sf_code sf_partial_finish(struct sf_partial *partial, struct sf_arena *arena, struct sf_snapshot *out,
                               struct sf_err *err) SF_MUST_CHECK;

#endif
