/* See delivered.h. */
#include "resources/data/delivered.h"

#include "resources/data/dataset_attrs.h"

#include <openssl/evp.h>

static enum sf_code hash_object(struct sf_op *op, const struct sf_object *bucket, struct sf_str key, struct sf_str *sha256,
                                struct sf_err *err)
{
    struct sf_reader reader;
    enum sf_code rc = op->site->world->bucket_open(op, bucket, key, &reader, err);
    if (rc)
        return rc;
    unsigned char digest[32];
    char chunk[32 * 1024];
    EVP_MD_CTX *md = EVP_MD_CTX_new();
    size_t got = 1;
    if (!md)
        sf_out_of_memory();
    EVP_DigestInit_ex(md, EVP_sha256(), NULL);
    while (!rc && got > 0) {
        rc = reader.read(&reader, chunk, sizeof(chunk), &got, err);
        if (!rc && got > 0)
            EVP_DigestUpdate(md, chunk, got);
    }
    EVP_DigestFinal_ex(md, digest, NULL);
    EVP_MD_CTX_free(md);
    reader.close(&reader);
    *sha256 = sf_str_hex(op->arena, digest, sizeof(digest));
    return rc;
}

enum sf_code sf_delivered_list(struct sf_op *op, const struct sf_object *bucket, struct sf_str prefix, struct sf_delivered *d,
                               struct sf_err *err)
{
    struct sf_bucket_entry *entries;
    size_t n;
    *d = (struct sf_delivered){.found = sf_value_map(op->arena), .etags = sf_value_map(op->arena), .keys = sf_map_new(op->arena)};
    enum sf_code rc = op->site->world->bucket_list(op, bucket, prefix, &entries, &n, err);
    for (size_t i = 0; !rc && i < n; i++)
        sf_map_put(d->keys, entries[i].key, &entries[i]);
    return rc;
}

/* One wanted object. A size that differs is reported without reading the object. SF_E_ABSENT: it went away meanwhile. */
static enum sf_code look_at(struct sf_op *op, const struct sf_object *bucket, const struct sf_pair *wanted,
                            const struct sf_bucket_entry *entry, struct sf_str etag, struct sf_delivered *d, struct sf_err *err)
{
    struct sf_value *file = sf_value_map(op->arena);
    struct sf_str planned = sf_map_str(wanted->value, FILE_SHA256), sha256 = SF_STR("(not read: the size differs)");
    if (entry->bytes == sf_map_int(wanted->value, FILE_BYTES, -1)) {
        bool is_known = etag.n && sf_str_eq(entry->etag, etag);
        enum sf_code rc = is_known ? SF_OK : hash_object(op, bucket, wanted->key, &sha256, err);
        if (rc)
            return rc;
        if (is_known)
            sha256 = planned;
    }
    sf_map_set_int(op->arena, file, FILE_BYTES, entry->bytes);
    sf_map_set_str(op->arena, file, FILE_SHA256, sha256);
    sf_map_add(op->arena, d->found, wanted->key, file);
    if (entry->etag.n && sf_str_eq(sha256, planned))
        sf_map_add(op->arena, d->etags, wanted->key, sf_value_str(op->arena, entry->etag));
    return SF_OK;
}

enum sf_code sf_delivered_look(struct sf_op *op, const struct sf_object *bucket, const struct sf_value *wanted,
                               const struct sf_value *etags, struct sf_delivered *d, struct sf_err *err)
{
    enum sf_code rc = SF_OK;
    for (size_t i = 0; !rc && wanted && i < wanted->map.n; i++) {
        const struct sf_pair *pair = &wanted->map.pairs[i];
        const struct sf_bucket_entry *entry = sf_map_find(d->keys, pair->key);
        const struct sf_value *etag = sf_map_get(etags, pair->key);
        if (!entry)
            continue;
        rc = look_at(op, bucket, pair, entry, etag && etag->type == SF_V_STRING ? etag->s : SF_STR_NONE, d, err);
        if (rc == SF_E_ABSENT)
            rc = SF_OK;
    }
    return rc;
}

const struct sf_value *sf_delivered_others(struct sf_op *op, const struct sf_delivered *d, const struct sf_value *list,
                                           const struct sf_value *more, const struct sf_value *files)
{
    size_t n_list = list && list->type == SF_V_LIST ? list->list.n : 0, n_more = more && more->type == SF_V_MAP ? more->map.n : 0;
    const struct sf_value **items = SF_NEW_ARRAY(op->arena, n_list + n_more + 1, const struct sf_value *);
    struct sf_map *seen = sf_map_new(op->arena);
    size_t n = 0;
    for (size_t i = 0; i < n_list + n_more; i++) {
        if (i < n_list && list->list.items[i]->type != SF_V_STRING)
            continue;
        struct sf_str key = i < n_list ? list->list.items[i]->s : more->map.pairs[i - n_list].key;
        if (sf_map_get(files, key) || !sf_map_find(d->keys, key) || sf_map_find(seen, key))
            continue;
        sf_map_put(seen, key, seen);
        items[n++] = sf_value_str(op->arena, key);
    }
    return sf_value_list(op->arena, items, n);
}

/* --- directories --- */

enum sf_code sf_delivered_drop_folders(struct sf_op *op, const struct sf_object *bucket, struct sf_str prefix,
                                       const struct sf_delivered *d, const struct sf_value *files, struct sf_err *err)
{
    struct sf_map *folders = sf_map_new(op->arena);
    enum sf_code rc = SF_OK;
    for (size_t i = 0; files && files->type == SF_V_MAP && i < files->map.n; i++) {
        struct sf_str key = files->map.pairs[i].key;
        for (size_t at = prefix.n; !rc && at < key.n; at++) {
            struct sf_str folder = sf_str_slice(key, 0, at + 1);
            const struct sf_bucket_entry *entry = key.p[at] == '/' ? sf_map_find(d->keys, folder) : NULL;
            if (!entry || entry->bytes || sf_map_find(folders, folder))
                continue;
            sf_map_put(folders, folder, folders);
            rc = op->site->world->bucket_delete(op, bucket, folder, err);
        }
    }
    return rc;
}
