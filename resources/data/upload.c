/* kind `upload`: the files of a data set, delivered into a bucket over SFTP by a user who may only put.
 *
 * Keys carry the hash of their content, so an object is written once, under its final name, and never changed: data first, then one
 * manifest a table, then the commit file that names the manifests. What is there is looked at through the bucket's control plane,
 * and a missing, short or altered object is written again, alone. Keys of earlier deliveries stay (`superseded`) until a load has
 * been published, which deletes them; destroy deletes the keys that state records and no other. There is no outside object but the
 * files, and no room for marks in them: an object under a wanted key with the wanted bytes is what create would have made. */
#include "attr/sftp_server.h"
#include "attr/sftp_user.h"
#include "attr/upload.h"

#include "resources/data/dataset_attrs.h"
#include "resources/data/manifest.h"
#include "resources/data/world.h"
#include "resources/net/sftp_pool.h"

#include "engine/core/clock.h"
#include "engine/core/map.h"

#include <openssl/evp.h>
#include <stdio.h>
#include <unistd.h>

enum { MAX_FINGERPRINTS = 16 };

/* --- what is wanted --- */

/* A delivery being put together: files in the order in which they are put. */
struct delivery {
    struct sf_arena *arena;
    struct sf_str bucket, prefix;
    struct sf_value *files;     /* key -> {bytes, sha256} */
    struct sf_value *manifests; /* table -> key */
    struct sf_str commit_key, commit_bytes;
    struct sf_map *made; /* key -> struct sf_str *: bytes of manifests and commit file */
};

static void add_file(struct delivery *d, struct sf_str key, int64_t bytes, struct sf_str sha256)
{
    struct sf_value *file = sf_value_map(d->arena);
    sf_map_set_int(d->arena, file, FILE_BYTES, bytes);
    sf_map_set_str(d->arena, file, FILE_SHA256, sha256);
    sf_map_add(d->arena, d->files, key, file);
}

static void keep_bytes(struct delivery *d, struct sf_str key, struct sf_str bytes)
{
    struct sf_str *kept = SF_NEW(d->arena, struct sf_str);
    *kept = bytes;
    sf_map_put(d->made, key, kept);
}

static void add_kept(struct delivery *d, struct sf_str key)
{
    const struct sf_str *bytes = sf_map_find(d->made, key);
    add_file(d, key, (int64_t)bytes->n, sf_sha256_hex(d->arena, *bytes));
}

static int by_key(const void *a, const void *b)
{
    return sf_str_cmp(((const struct sf_delivered_file *)a)->key, ((const struct sf_delivered_file *)b)->key);
}

/* Data files of one table, `n` descriptions {key, bytes, sha256}. */
static void add_table(struct delivery *d, struct sf_str table, const struct sf_value *const *described, size_t n)
{
    struct sf_delivered_file *files = SF_NEW_ARRAY(d->arena, n + 1, struct sf_delivered_file);
    for (size_t i = 0; i < n; i++) {
        files[i].key = sf_str_fmt(d->arena, "%.*s%.*s", SF_ARG(d->prefix), SF_ARG(sf_map_str(described[i], FILE_KEY)));
        files[i].bytes = sf_map_int(described[i], FILE_BYTES, -1);
        add_file(d, files[i].key, files[i].bytes, sf_map_str(described[i], FILE_SHA256));
    }
    qsort(files, n, sizeof(*files), by_key);
    struct sf_str bytes = sf_manifest_bytes(d->arena, d->bucket, files, n);
    struct sf_str key = sf_manifest_key(d->arena, d->prefix, table, bytes, "manifest");
    sf_map_set(d->arena, d->manifests, table, sf_value_str(d->arena, key));
    keep_bytes(d, key, bytes);
}

/* The folder of the parts' keys: "transaction/fy=2025/..." -> "transaction". */
static struct sf_str first_folder(struct sf_str key)
{
    size_t slash = sf_str_find(key, SF_STR("/"));
    return sf_str_slice(key, 0, slash == SIZE_MAX ? 0 : slash);
}

/* What the load is to conform in the warehouse. */
static void add_raw(struct delivery *d, const struct sf_value *raw)
{
    if (!raw || raw->type != SF_V_MAP || raw->map.n == 0)
        return;
    const struct sf_value **files = SF_NEW_ARRAY(d->arena, raw->map.n, const struct sf_value *);
    for (size_t i = 0; i < raw->map.n; i++)
        files[i] = raw->map.pairs[i].value;
    add_table(d, SF_STR(RAW_TABLE), files, raw->map.n);
}

/* False while something that it depends on is not known. */
static bool compose(struct sf_op *op, struct delivery *d)
{
    const struct sf_object *dataset = sf_op_ref(op, NULL, UPLOAD_OF, 0), *bucket = sf_op_ref(op, NULL, UPLOAD_TO, 0);
    const struct sf_object *user = sf_op_ref(op, NULL, UPLOAD_AS, 0);
    if (!dataset || !bucket || !user)
        return false;
    const struct sf_value *tables = sf_map_getz(dataset->attrs, DATASET_TABLES),
                          *years = sf_map_getz(dataset->attrs, DATASET_YEARS);
    const struct sf_value *prefix = sf_map_getz(user->attrs, SFTP_USER_PREFIX), *name = sf_map_getz(bucket->attrs, "name");
    if (!tables || tables->type != SF_V_MAP || !years || years->type != SF_V_MAP || sf_value_has_unknown(tables, NULL) ||
        sf_value_has_unknown(years, NULL) || sf_value_has_unknown(prefix, NULL) || !name || name->type != SF_V_STRING)
        return false;
    *d = (struct delivery){.arena = op->arena,
                           .bucket = name->s,
                           .files = sf_value_map(op->arena),
                           .manifests = sf_value_map(op->arena),
                           .made = sf_map_new(op->arena)};
    d->prefix = prefix && prefix->type == SF_V_STRING ? prefix->s : SF_STR_NONE;
    if (d->prefix.n > 0 && !sf_str_ends(d->prefix, SF_STR("/")))
        d->prefix = sf_str_fmt(op->arena, "%.*s/", SF_ARG(d->prefix));
    for (size_t i = 0; i < tables->map.n; i++)
        add_table(d, tables->map.pairs[i].key, &tables->map.pairs[i].value, 1);
    const struct sf_value **parts = SF_NEW_ARRAY(op->arena, years->map.n + 1, const struct sf_value *);
    for (size_t i = 0; i < years->map.n; i++)
        parts[i] = years->map.pairs[i].value;
    if (years->map.n > 0)
        add_table(d, sf_str_dup(op->arena, first_folder(sf_map_str(parts[0], FILE_KEY))), parts, years->map.n);
    add_raw(d, sf_map_getz(dataset->attrs, DATASET_RAW));
    for (size_t i = 0; i < d->manifests->map.n; i++)
        add_kept(d, d->manifests->map.pairs[i].value->s);
    d->commit_bytes =
        sf_delivery_bytes(op->arena, d->manifests, sf_map_str(dataset->attrs, DATASET_SNAPSHOT),
                          sf_map_str(dataset->attrs, DATASET_RULES), sf_map_bool(dataset->attrs, DATASET_IS_SAMPLE, false));
    d->commit_key = sf_manifest_key(op->arena, d->prefix, SF_STR("delivery"), d->commit_bytes, "json");
    keep_bytes(d, d->commit_key, d->commit_bytes);
    add_kept(d, d->commit_key);
    return true;
}

static enum sf_code derive_upload(struct sf_op *op, struct sf_value *want, struct sf_err *err)
{
    (void)err;
    struct delivery d;
    if (!compose(op, &d))
        return SF_OK;
    sf_map_set_str(op->arena, want, UPLOAD_PREFIX, d.prefix);
    sf_map_set(op->arena, want, sf_str_of(UPLOAD_FILES), d.files);
    sf_map_set(op->arena, want, sf_str_of(UPLOAD_MANIFESTS), d.manifests);
    sf_map_set_str(op->arena, want, UPLOAD_DELIVERY, d.commit_key);
    return SF_OK;
}

/* --- what is there --- */

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

/* The bucket's keys under the user's prefix, as a map key -> entry. */
static enum sf_code list_bucket(struct sf_op *op, const struct sf_object *bucket, struct sf_str prefix, struct sf_map **keys,
                                struct sf_err *err)
{
    struct sf_bucket_entry *entries;
    size_t n;
    enum sf_code rc = op->site->world->bucket_list(op, bucket, prefix, &entries, &n, err);
    if (rc)
        return rc;
    *keys = sf_map_new(op->arena);
    for (size_t i = 0; i < n; i++)
        sf_map_put(*keys, entries[i].key, &entries[i]);
    return SF_OK;
}

/* Which of `wanted` (key -> {bytes, sha256}) are there, as they are. A size that differs is reported without reading the object. */
static enum sf_code look(struct sf_op *op, const struct sf_object *bucket, struct sf_map *keys, const struct sf_value *wanted,
                         struct sf_value **found, struct sf_err *err)
{
    *found = sf_value_map(op->arena);
    for (size_t i = 0; wanted && i < wanted->map.n; i++) {
        const struct sf_pair *pair = &wanted->map.pairs[i];
        const struct sf_bucket_entry *entry = sf_map_find(keys, pair->key);
        if (!entry)
            continue;
        struct sf_value *file = sf_value_map(op->arena);
        struct sf_str sha256 = SF_STR("(not read: the size differs)");
        if (entry->bytes == sf_map_int(pair->value, FILE_BYTES, -1)) {
            enum sf_code rc = hash_object(op, bucket, pair->key, &sha256, err);
            if (rc == SF_E_ABSENT)
                continue;
            if (rc)
                return rc;
        }
        sf_map_set_int(op->arena, file, FILE_BYTES, entry->bytes);
        sf_map_set_str(op->arena, file, FILE_SHA256, sha256);
        sf_map_add(op->arena, *found, pair->key, file);
    }
    return SF_OK;
}

/* Those of `keys` that are in the bucket and no part of `files`. */
static const struct sf_value *still_there(struct sf_op *op, struct sf_map *keys, const struct sf_value *list,
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
        if (sf_map_get(files, key) || !sf_map_find(keys, key) || sf_map_find(seen, key))
            continue;
        sf_map_put(seen, key, keys);
        items[n++] = sf_value_str(op->arena, key);
    }
    return sf_value_list(op->arena, items, n);
}

static struct sf_str identity(struct sf_op *op, const struct sf_object *bucket)
{
    return sf_str_fmt(op->arena, "%.*s/%.*s", SF_ARG(bucket->id), SF_ARG(op->self->name));
}

static void report(struct sf_op *op, const struct sf_value *base, const struct sf_value *files, const struct sf_value *superseded,
                   struct sf_str id, struct sf_outcome *out)
{
    struct sf_value *attrs = sf_value_map(op->arena);
    for (size_t i = 0; base && i < base->map.n; i++)
        sf_map_add(op->arena, attrs, base->map.pairs[i].key, base->map.pairs[i].value);
    sf_map_set(op->arena, attrs, sf_str_of(UPLOAD_FILES), files);
    sf_map_set(op->arena, attrs, sf_str_of(UPLOAD_SUPERSEDED), superseded);
    out->attrs = attrs;
    out->id = id;
}

/* `attrs` says which files; SF_E_ABSENT when none of them is there. */
static enum sf_code look_at(struct sf_op *op, const struct sf_value *attrs, struct sf_str id, struct sf_outcome *out,
                            struct sf_err *err)
{
    const struct sf_object *bucket = sf_op_ref(op, NULL, UPLOAD_TO, 0);
    if (!bucket)
        return sf_fail(err, SF_E_CONFIG, "'to' of an upload must name a bucket of this stack");
    const struct sf_value *wanted = sf_map_getz(attrs, UPLOAD_FILES);
    struct sf_map *keys;
    struct sf_value *found;
    enum sf_code rc = list_bucket(op, bucket, sf_map_str(attrs, UPLOAD_PREFIX), &keys, err);
    if (!rc)
        rc = look(op, bucket, keys, wanted && wanted->type == SF_V_MAP ? wanted : NULL, &found, err);
    if (rc)
        return rc;
    /* what is superseded is ours until it is deleted; the load that deletes it is no change from outside, so it is not reported */
    const struct sf_value *recorded = sf_map_getz(attrs, UPLOAD_SUPERSEDED);
    if (found->map.n == 0 && still_there(op, keys, recorded, NULL, wanted)->list.n == 0)
        return sf_fail(err, SF_E_ABSENT, "no file of the delivery is in bucket '%.*s'", SF_ARG(bucket->id));
    report(op, attrs, found, recorded && recorded->type == SF_V_LIST ? recorded : sf_value_list(op->arena, NULL, 0),
           id.n > 0 ? id : identity(op, bucket), out);
    return SF_OK;
}

static enum sf_code read_upload(struct sf_op *op, struct sf_str id, struct sf_outcome *out, struct sf_err *err)
{
    return look_at(op, op->self->attrs, id, out, err);
}

static enum sf_code find_upload(struct sf_op *op, const struct sf_value *want, struct sf_outcome *out, struct sf_err *err)
{
    return look_at(op, want, SF_STR_NONE, out, err);
}

/* --- delivering --- */

static bool is_op_cancelled(void *op)
{
    return sf_op_is_cancelled(op);
}

/* Whom to log in as, where. `pinned` has room for MAX_FINGERPRINTS. */
static enum sf_code find_user(struct sf_op *op, struct sf_sftp_target *target, struct sf_str *pinned, struct sf_err *err)
{
    const struct sf_object *user = sf_op_ref(op, NULL, UPLOAD_AS, 0), *key = sf_op_ref(op, NULL, UPLOAD_KEY, 0);
    const struct sf_object *server = user ? sf_op_ref(op, user, SFTP_USER_SERVER, 0) : NULL;
    if (!server || !key)
        return sf_fail(err, SF_E_CONFIG, "'as' and 'key' of an upload must name an sftp_user and an ssh_key of this stack");
    const struct sf_value *prints = sf_map_getz(server->attrs, SFTP_SERVER_HOST_KEY_FINGERPRINTS);
    *target = (struct sf_sftp_target){.host = sf_map_str(server->attrs, SFTP_SERVER_HOST),
                                      .port = (int)sf_map_int(server->attrs, SFTP_SERVER_PORT, 22),
                                      .user = sf_map_str(user->attrs, SFTP_USER_NAME),
                                      .fingerprints = pinned,
                                      .deadline_ms = op->deadline_ms,
                                      .is_cancelled = is_op_cancelled,
                                      .ctx = op};
    for (size_t i = 0; prints && prints->type == SF_V_LIST && i < prints->list.n && i < MAX_FINGERPRINTS; i++)
        if (prints->list.items[i]->type == SF_V_STRING)
            pinned[target->n_fingerprints++] = prints->list.items[i]->s;
    if (target->n_fingerprints == 0)
        return sf_fail(err, SF_E_UNAVAILABLE, "the host keys of SFTP server '%.*s' are not known, so nothing is sent to it",
                       SF_ARG(server->name));
    enum sf_code rc = sf_op_unseal(op, key, "private_key", &target->private_key, err);
    if (rc == SF_E_ABSENT) {
        sf_fail(err, SF_E_AUTH, "the private half of key '%.*s' is not kept in this stack's state", SF_ARG(key->name));
        sf_hint(err, "an imported key cannot deliver: give the upload a key that the stack makes, and put it into the user's keys");
        return SF_E_AUTH;
    }
    return rc;
}

/* The cache's copy of a data file, proven to be the planned bytes. */
static enum sf_code check_cache(struct sf_op *op, const char *path, const struct sf_pair *file, struct sf_err *err)
{
    FILE *in = fopen(path, "re");
    if (!in) {
        sf_fail_errno(err, SF_E_STALE, "the data set's file '%s' is gone from the cache", path);
        sf_hint(err, "plan again: the cache is rebuilt from the source");
        return SF_E_STALE;
    }
    enum { CHUNK = 256 * 1024 };
    char *chunk = sf_arena_alloc(op->arena, CHUNK);
    unsigned char digest[32];
    int64_t bytes = 0;
    EVP_MD_CTX *md = EVP_MD_CTX_new();
    if (!md)
        sf_out_of_memory();
    EVP_DigestInit_ex(md, EVP_sha256(), NULL);
    for (size_t n; (n = fread(chunk, 1, CHUNK, in)) > 0; bytes += (int64_t)n)
        EVP_DigestUpdate(md, chunk, n);
    EVP_DigestFinal_ex(md, digest, NULL);
    EVP_MD_CTX_free(md);
    bool is_read = !ferror(in);
    fclose(in);
    if (!is_read)
        return sf_fail(err, SF_E_IO, "cannot read '%s'", path);
    if (sf_str_eq(sf_str_hex(op->arena, digest, sizeof(digest)), sf_map_str(file->value, FILE_SHA256)) &&
        bytes == sf_map_int(file->value, FILE_BYTES, -1))
        return SF_OK;
    sf_fail(err, SF_E_STALE, "the cached file '%s' is not the one that was planned", path);
    (void)unlink(path); /* it is named after its contents, so it is damaged: kept, it would stop every run that is to come */
    sf_hint(err, "plan again: it was deleted and is made anew from the source");
    return SF_E_STALE;
}

/* What is put: data, then the manifests, then the commit file. */
enum step { STEP_DATA, STEP_MANIFEST, STEP_COMMIT };

static enum sf_code describe_file(struct sf_op *op, const struct delivery *d, const struct sf_pair *file, struct sf_sftp_file *job,
                                  struct sf_err *err)
{
    const struct sf_str *made = sf_map_find(d->made, file->key);
    job->path = sf_str_dup(op->arena, sf_str_slice(file->key, d->prefix.n, file->key.n));
    job->step = !made ? STEP_DATA : sf_str_eq(file->key, d->commit_key) ? STEP_COMMIT : STEP_MANIFEST;
    if (made) {
        job->bytes = *made;
        return SF_OK;
    }
    job->local_path = sf_str_fmt(op->arena, "%s/objects/%s", op->site->cache_dir, job->path.p).p;
    return check_cache(op, job->local_path, file, err);
}

/* A delivery under way. */
struct progress {
    struct sf_op *op;
    struct sf_outcome *out;
    struct sf_str id;
    const struct sf_value *want, *files, *superseded;
    size_t n, total;
    bool is_new; /* the first object that is put makes the delivery exist */
};

/* An update is recorded before its first file: should it end here, then old and new keys are known to be ours. */
static enum sf_code announce(void *ctx, struct sf_err *err)
{
    const struct progress *p = ctx;
    enum sf_code rc = sf_op_intent(p->op, "put", err);
    if (!rc && !p->is_new)
        report(p->op, p->want, p->files, p->superseded, p->id, p->out);
    return rc || (p->is_new && p->total > 0) ? rc : sf_op_made(p->op, p->id, err);
}

static enum sf_code count_file(void *ctx, size_t i, struct sf_err *err)
{
    struct progress *p = ctx;
    (void)i;
    sf_op_progress_of(p->op, "uploading", ++p->n, p->total, "files");
    if (p->n > 1 || !p->is_new)
        return SF_OK;
    p->out->id = p->id;
    return sf_op_made(p->op, p->id, err);
}

/* Puts the files of which `found` does not show the wanted bytes. */
static enum sf_code put_files(struct sf_op *op, const struct delivery *d, const struct sf_value *found, struct progress *progress,
                              struct sf_err *err)
{
    struct sf_sftp_target target;
    struct sf_str pinned[MAX_FINGERPRINTS];
    struct sf_sftp_file *files = SF_NEW_ARRAY(op->arena, d->files->map.n + 1, struct sf_sftp_file);
    enum sf_code rc = SF_OK;
    for (size_t i = 0; !rc && i < d->files->map.n; i++) {
        const struct sf_pair *file = &d->files->map.pairs[i];
        const struct sf_value *there = sf_map_get(found, file->key);
        if (!there || !sf_value_equal(there, file->value))
            rc = describe_file(op, d, file, &files[progress->total++], err);
    }
    if (rc || progress->total == 0)
        return rc ? rc : announce(progress, err);
    rc = find_user(op, &target, pinned, err);
    if (rc)
        return rc;
    const struct sf_sftp_calls calls = {announce, count_file, progress};
    rc = sf_sftp_put_many(&target, files, progress->total, &calls, err);
    if (rc == SF_E_CANCELLED)
        return sf_fail(err, rc, "stopped after %zu of %zu files; the next run delivers the rest", progress->n, progress->total);
    if (rc)
        sf_context(err, "as SFTP user '%.*s'", SF_ARG(target.user));
    return rc;
}

/* Puts what is missing or differs, in order, and looks at the result. `have` is what state knew before, for what is superseded;
 * `is_new`: the first object that is put makes the delivery exist. */
static enum sf_code deliver(struct sf_op *op, const struct sf_value *have, const struct sf_value *want, bool is_new,
                            struct sf_str id, struct sf_outcome *out, struct sf_err *err)
{
    const struct sf_object *bucket = sf_op_ref(op, NULL, UPLOAD_TO, 0);
    const struct sf_value *wanted = sf_map_getz(want, UPLOAD_FILES);
    struct delivery d;
    if (!bucket || !compose(op, &d))
        return sf_fail(err, SF_E_CONFIG, "an upload needs a data set, a bucket and a user of this stack");
    if (!wanted || !sf_value_equal(wanted, d.files))
        return sf_fail(err, SF_E_STALE, "the data set is not the one that was planned to be delivered");
    struct sf_map *keys;
    struct sf_value *found;
    enum sf_code rc = list_bucket(op, bucket, d.prefix, &keys, err);
    if (!rc)
        rc = look(op, bucket, keys, d.files, &found, err);
    if (rc)
        return rc;
    struct progress progress = {.op = op, .out = out, .id = id, .want = want, .files = d.files, .is_new = is_new};
    progress.superseded = still_there(op, keys, sf_map_getz(have, UPLOAD_SUPERSEDED), sf_map_getz(have, UPLOAD_FILES), d.files);
    rc = put_files(op, &d, found, &progress, err);
    if (!rc)
        rc = list_bucket(op, bucket, d.prefix, &keys, err);
    if (!rc)
        rc = look(op, bucket, keys, d.files, &found, err);
    if (rc)
        return rc;
    if (!sf_value_equal(found, d.files)) {
        sf_fail(err, SF_E_REFUSED, "bucket '%.*s' does not hold what was just delivered", SF_ARG(bucket->id));
        sf_hint(err, "something else writes under the same keys, or the user's home is not this bucket");
        return SF_E_REFUSED;
    }
    report(op, want, found, progress.superseded, id, out);
    return SF_OK;
}

static enum sf_code create_upload(struct sf_op *op, const struct sf_value *want, struct sf_outcome *out, struct sf_err *err)
{
    const struct sf_object *bucket = sf_op_ref(op, NULL, UPLOAD_TO, 0);
    if (!bucket)
        return sf_fail(err, SF_E_CONFIG, "'to' of an upload must name a bucket of this stack");
    return deliver(op, NULL, want, true, identity(op, bucket), out, err);
}

static enum sf_code update_upload(struct sf_op *op, struct sf_str id, const struct sf_value *have, const struct sf_value *want,
                                  struct sf_outcome *out, struct sf_err *err)
{
    return deliver(op, have, want, false, id, out, err);
}

static enum sf_code destroy_upload(struct sf_op *op, struct sf_str id, struct sf_outcome *out, struct sf_err *err)
{
    (void)id;
    (void)out;
    const struct sf_object *bucket = sf_op_ref(op, NULL, UPLOAD_TO, 0);
    const struct sf_value *files = sf_map_getz(op->self->attrs, UPLOAD_FILES),
                          *old = sf_map_getz(op->self->attrs, UPLOAD_SUPERSEDED);
    size_t n_files = files && files->type == SF_V_MAP ? files->map.n : 0, n_old = old && old->type == SF_V_LIST ? old->list.n : 0;
    struct sf_str delivery = sf_map_str(op->self->attrs, UPLOAD_DELIVERY);
    if (!bucket || n_files + n_old == 0)
        return SF_OK;
    enum sf_code rc = sf_op_intent(op, "delete objects", err);
    /* the commit file goes first: nobody shall see it name what is gone */
    if (!rc && delivery.n > 0)
        rc = op->site->world->bucket_delete(op, bucket, delivery, err);
    for (size_t i = 0; !rc && i < n_files; i++)
        rc = op->site->world->bucket_delete(op, bucket, files->map.pairs[i].key, err);
    for (size_t i = 0; !rc && i < n_old; i++)
        if (old->list.items[i]->type == SF_V_STRING)
            rc = op->site->world->bucket_delete(op, bucket, old->list.items[i]->s, err);
    return rc == SF_E_ABSENT ? SF_OK : rc;
}

extern const struct sf_driver sf_driver_data_upload;
const struct sf_driver sf_driver_data_upload = {
    .kind = "upload",
    .read = read_upload,
    .find = find_upload,
    .create = create_upload,
    .update = update_upload,
    .destroy = destroy_upload,
    .derive = derive_upload,
};
