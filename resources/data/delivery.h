/* What an upload delivers: files in the order in which they are put, made of a data set's description and of nothing else.
 *
 * Data first, then one manifest a table, then the commit file that names the manifests. */
#ifndef SF_DATA_DELIVERY_H
#define SF_DATA_DELIVERY_H

#include "engine/core/map.h"
#include "engine/kind.h"

/* The order of putting: files of a step are begun when all of the steps before are there. */
enum sf_delivery_step { SF_PUT_DATA, SF_PUT_MANIFEST, SF_PUT_COMMIT };

struct sf_delivery {
    struct sf_arena *arena;
    struct sf_str bucket, prefix;
    struct sf_value *files;     /* key -> {bytes, sha256} */
    struct sf_value *manifests; /* table -> key */
    struct sf_str commit_key, commit_bytes;
    struct sf_map *made; /* key -> struct sf_str *: bytes of manifests and commit file */
};

/* Whether the upload goes straight into the bucket and not over SFTP. */
bool sf_delivery_is_direct(const struct sf_op *op);
/* Composes the delivery of op->self, an upload. False while something that it depends on is not known. */
bool sf_delivery_compose(struct sf_op *op, struct sf_delivery *d) SF_MUST_CHECK;
/* Which step puts a key of the delivery. */
enum sf_delivery_step sf_delivery_step_of(const struct sf_delivery *d, struct sf_str key);
/* The cache's copy of a data file: a path in the arena. */
const char *sf_delivery_path(const struct sf_op *op, const struct sf_delivery *d, struct sf_str key);

#endif
