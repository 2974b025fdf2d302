/* What is in the bucket of what an upload delivers, looked at through the bucket's control plane.
 *
 * An object is as it should be when its size is and its bytes hash to what was planned. They are read for that only where the
 * bucket has no better word: an ETag that is the one recorded when the object was last read or put, or that is the MD5 of the
 * wanted bytes, is such a word. */
#ifndef SF_DATA_DELIVERED_H
#define SF_DATA_DELIVERED_H

#include "resources/data/delivery.h"
#include "resources/data/world.h"

struct sf_delivered {
    struct sf_map *keys;    /* key -> struct sf_bucket_entry *, of all objects below the prefix */
    struct sf_value *found; /* key -> {bytes, sha256}, of the wanted ones that are there */
    struct sf_value *etags; /* key -> ETag, of those whose bytes were proven; empty where the bucket has none */
};

/* Lists the bucket below `prefix`. */
enum sf_code sf_delivered_list(struct sf_op *op, const struct sf_object *bucket, struct sf_str prefix, struct sf_delivered *d,
                               struct sf_err *err) SF_MUST_CHECK;
/* Looks at each of `wanted` (key -> {bytes, sha256}; NULL: none) that is in the list. An object that has its ETag of `etags` (key
 * -> text, or NULL) is taken for what is wanted. */
enum sf_code sf_delivered_look(struct sf_op *op, const struct sf_object *bucket, const struct sf_value *wanted,
                               const struct sf_value *etags, struct sf_delivered *d, struct sf_err *err) SF_MUST_CHECK;

/* Those of `list` (texts) and of the keys of map `more` that are in the bucket and no part of `files`. Either may be NULL. */
const struct sf_value *sf_delivered_others(struct sf_op *op, const struct sf_delivered *d, const struct sf_value *list,
                                           const struct sf_value *more, const struct sf_value *files);

/* Deletes the empty objects that stand for the directories of `files` below `prefix` ("transaction/"): an SFTP server before a
 * bucket leaves them where it wants directories to be made. */
enum sf_code sf_delivered_drop_folders(struct sf_op *op, const struct sf_object *bucket, struct sf_str prefix,
                                       const struct sf_delivered *d, const struct sf_value *files,
                                       struct sf_err *err) SF_MUST_CHECK;

#endif
