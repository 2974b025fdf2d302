/* Manifests and commit files: which objects make up a delivery, as bytes that depend on nothing else.
 *
 * A manifest is what COPY ... MANIFEST of Redshift reads: {"entries":[{"mandatory":true,"meta":{"content_length":N},"url":
 * "s3://bucket/key"}]}. The commit file names the manifests and is put last: who sees it sees a complete delivery. Both are named
 * by the hash of their own bytes. */
#ifndef SF_DATA_MANIFEST_H
#define SF_DATA_MANIFEST_H

#include "engine/core/json.h"

struct sf_delivered_file {
    struct sf_str key;
    int64_t bytes;
};

struct sf_str sf_manifest_url(struct sf_arena *arena, struct sf_str bucket, struct sf_str key);
/* Bytes of a manifest, entries in the order given. */
struct sf_str sf_manifest_bytes(struct sf_arena *arena, struct sf_str bucket, const struct sf_delivered_file *files, size_t n);
/* "<prefix><folder>/<first 16 hex digits of the SHA-256>.<extension>". */
struct sf_str sf_manifest_key(struct sf_arena *arena, struct sf_str prefix, struct sf_str folder, struct sf_str bytes,
                              const char *extension);
/* Bytes of a commit file. `manifests` maps table to manifest key. */
struct sf_str sf_delivery_bytes(struct sf_arena *arena, const struct sf_value *manifests, struct sf_str snapshot,
                                struct sf_str rules, bool is_sample);
/* Reads a manifest into a map url -> content_length. SF_E_CONFIG when it is not one. */
enum sf_code sf_manifest_read(struct sf_arena *arena, struct sf_str bytes, const char *key, const struct sf_value **listed,
                              struct sf_err *err) SF_MUST_CHECK;

#endif
