/* kind `upload`: the files of a data set, delivered into a bucket: over SFTP by a user who may only put, or straight (`via:
 * bucket`) with the rights of whoever runs this.
 *
 * Keys carry the hash of their content, so an object is written once, under its final name, and never changed: data first, then one
 * manifest a table, then the commit file that names the manifests. What is there is looked at through the bucket's control plane,
 * and a missing, short or altered object is written again, alone. Keys of earlier deliveries stay (`superseded`) until a load has
 * been published, which deletes them; destroy deletes the keys that state records and no other. There is no outside object but the
 * files, and no room for marks in them: an object under a wanted key with the wanted bytes is what create would have made. */
#include "attr/sftp_server.h"
#include "attr/sftp_user.h"
#include "attr/upload.h"

#include "engine/core/clock.h"
#include "resources/data/dataset_attrs.h"
#include "resources/data/delivered.h"
#include "resources/net/sftp_pool.h"

#include <openssl/evp.h>
#include <stdio.h>
#include <unistd.h>

enum { MAX_FINGERPRINTS = 16, CHUNK = 256 * 1024, RESERVE_MS = 20 * 1000 };

/* --- plan time --- */

static enum sf_code check_road(const struct sf_op *op, const struct sf_value *want, struct sf_err *err)
{
    static const char *const needed[] = {UPLOAD_AS, UPLOAD_KEY};
    for (size_t i = 0; !sf_delivery_is_direct(op) && i < SF_COUNT(needed); i++) {
        const struct sf_value *v = sf_map_getz(want, needed[i]);
        if (sf_map_getz(op->self->refs, needed[i]) || (v && v->type != SF_V_NULL))
            continue;
        sf_fail(err, SF_E_CONFIG, "'%.*s' goes over SFTP and does not say `%s`", SF_ARG(op->self->address), needed[i]);
        sf_hint(err, "name an sftp_user in `as` and its ssh_key in `key`, or write `via: bucket`");
        return SF_E_CONFIG;
    }
    return SF_OK;
}

static enum sf_code derive_upload(struct sf_op *op, struct sf_value *want, struct sf_err *err)
{
    struct sf_delivery d;
    enum sf_code rc = check_road(op, want, err);
    if (rc || !sf_delivery_compose(op, &d))
        return rc;
    sf_map_set_str(op->arena, want, UPLOAD_PREFIX, d.prefix);
    sf_map_set(op->arena, want, sf_str_of(UPLOAD_FILES), d.files);
    sf_map_set(op->arena, want, sf_str_of(UPLOAD_MANIFESTS), d.manifests);
    sf_map_set_str(op->arena, want, UPLOAD_DELIVERY, d.commit_key);
    return SF_OK;
}

/* Before anything is made: an SFTP server that this program cannot talk to is known by its settings. */
static enum sf_code preflight_upload(struct sf_op *op, const struct sf_value *want, struct sf_err *err)
{
    const struct sf_object *user = sf_op_ref(op, NULL, UPLOAD_AS, 0), *key = sf_op_ref(op, NULL, UPLOAD_KEY, 0);
    const struct sf_object *server = user ? sf_op_ref(op, user, SFTP_USER_SERVER, 0) : NULL;
    (void)want;
    if (!server || sf_delivery_is_direct(op) || !op->site->world->sftp_check)
        return SF_OK;
    return op->site->world->sftp_check(op, server, key, err);
}

/* --- what is there --- */

static struct sf_str identity(struct sf_op *op, const struct sf_object *bucket)
{
    return sf_str_fmt(op->arena, "%.*s/%.*s", SF_ARG(bucket->id), SF_ARG(op->self->name));
}

/* What is known of a delivery. */
struct account {
    const struct sf_value *files, *superseded, *etags;
};

static void report(struct sf_op *op, const struct sf_value *base, const struct account *account, struct sf_str id,
                   struct sf_outcome *out)
{
    struct sf_value *attrs = sf_value_map(op->arena);
    for (size_t i = 0; base && i < base->map.n; i++)
        sf_map_add(op->arena, attrs, base->map.pairs[i].key, base->map.pairs[i].value);
    sf_map_set(op->arena, attrs, sf_str_of(UPLOAD_FILES), account->files);
    sf_map_set(op->arena, attrs, sf_str_of(UPLOAD_SUPERSEDED), account->superseded);
    if (op->site->world->has_etags)
        sf_map_set(op->arena, attrs, sf_str_of(UPLOAD_ETAGS), account->etags);
    out->attrs = attrs;
    out->id = id;
}

static const struct sf_value *map_of(const struct sf_value *attrs, const char *name)
{
    const struct sf_value *v = sf_map_getz(attrs, name);
    return v && v->type == SF_V_MAP ? v : NULL;
}

/* `recorded` (a list, or not) and those of `wanted` that are not there: what was begun of these is ours as well. */
static const struct sf_value *with_missing(struct sf_op *op, const struct sf_value *recorded, const struct sf_value *wanted,
                                           const struct sf_value *found)
{
    size_t n_old = recorded && recorded->type == SF_V_LIST ? recorded->list.n : 0, n = 0, n_wanted = wanted ? wanted->map.n : 0;
    const struct sf_value **items = SF_NEW_ARRAY(op->arena, n_old + n_wanted + 1, const struct sf_value *);
    for (; n < n_old; n++)
        items[n] = recorded->list.items[n];
    for (size_t i = 0; op->site->world->bucket_abandon && sf_delivery_is_direct(op) && i < n_wanted; i++)
        if (!sf_map_get(found, wanted->map.pairs[i].key))
            items[n++] = sf_value_str(op->arena, wanted->map.pairs[i].key);
    return sf_value_list(op->arena, items, n);
}

/* `attrs` says which files; SF_E_ABSENT when none of them is there. */
static enum sf_code look_at(struct sf_op *op, const struct sf_value *attrs, struct sf_str id, struct sf_outcome *out,
                            struct sf_err *err)
{
    const struct sf_object *bucket = sf_op_ref(op, NULL, UPLOAD_TO, 0);
    if (!bucket)
        return sf_fail(err, SF_E_CONFIG, "'to' of an upload must name a bucket of this stack");
    const struct sf_value *wanted = map_of(attrs, UPLOAD_FILES);
    struct sf_delivered there;
    enum sf_code rc = sf_delivered_list(op, bucket, sf_map_str(attrs, UPLOAD_PREFIX), &there, err);
    if (!rc)
        rc = sf_delivered_look(op, bucket, wanted, map_of(attrs, UPLOAD_ETAGS), &there, err);
    if (rc)
        return rc;
    /* what is superseded is ours until it is deleted; the load that deletes it is no change from outside, so it is not reported */
    const struct sf_value *recorded = sf_map_getz(attrs, UPLOAD_SUPERSEDED);
    if (there.found->map.n == 0 && sf_delivered_others(op, &there, recorded, NULL, wanted)->list.n == 0)
        return sf_fail(err, SF_E_ABSENT, "no file of the delivery is in bucket '%.*s'", SF_ARG(bucket->id));
    const struct account account = {there.found, with_missing(op, recorded, wanted, there.found), there.etags};
    report(op, attrs, &account, id.n > 0 ? id : identity(op, bucket), out);
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

/* What is left of the operation's time, less some for finding out what became of a transfer that was broken off. */
static int64_t transfer_deadline_ms(const struct sf_op *op)
{
    int64_t reserve = (op->deadline_ms - sf_clock_ms()) / 4;
    return op->deadline_ms - (reserve < RESERVE_MS ? reserve : RESERVE_MS);
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
                                      .deadline_ms = transfer_deadline_ms(op),
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

/* --- bytes --- */

/* What a file or a text hashes to, in hex; md5 is empty where nobody needs it or OpenSSL has none (FIPS). */
struct digests {
    struct sf_str sha256, md5;
    int64_t bytes;
};

struct hashing {
    EVP_MD_CTX *sha256, *md5;
};

static struct hashing hash_begin(bool wants_md5)
{
    struct hashing h = {EVP_MD_CTX_new(), wants_md5 ? EVP_MD_CTX_new() : NULL};
    if (!h.sha256 || (wants_md5 && !h.md5))
        sf_out_of_memory();
    EVP_DigestInit_ex(h.sha256, EVP_sha256(), NULL);
    if (h.md5 && EVP_DigestInit_ex(h.md5, EVP_md5(), NULL) != 1) {
        EVP_MD_CTX_free(h.md5);
        h.md5 = NULL;
    }
    return h;
}

static void hash_add(const struct hashing *h, struct sf_str bytes)
{
    EVP_DigestUpdate(h->sha256, bytes.p, bytes.n);
    if (h->md5)
        EVP_DigestUpdate(h->md5, bytes.p, bytes.n);
}

static void hash_end(struct sf_op *op, struct hashing *h, struct digests *out)
{
    unsigned char digest[EVP_MAX_MD_SIZE];
    unsigned int n = 0;
    EVP_DigestFinal_ex(h->sha256, digest, &n);
    out->sha256 = sf_str_hex(op->arena, digest, n);
    if (h->md5) {
        EVP_DigestFinal_ex(h->md5, digest, &n);
        out->md5 = sf_str_hex(op->arena, digest, n);
    }
    EVP_MD_CTX_free(h->sha256);
    EVP_MD_CTX_free(h->md5);
}

/* False with errno. */
static bool hash_file(struct sf_op *op, const char *path, struct digests *out)
{
    *out = (struct digests){.bytes = 0};
    FILE *in = fopen(path, "re");
    if (!in)
        return false;
    char *chunk = sf_arena_alloc(op->arena, CHUNK);
    struct hashing h = hash_begin(op->site->world->has_etags);
    for (size_t n; (n = fread(chunk, 1, CHUNK, in)) > 0; out->bytes += (int64_t)n)
        hash_add(&h, (struct sf_str){chunk, n});
    bool is_read = !ferror(in);
    fclose(in);
    hash_end(op, &h, out);
    return is_read;
}

static struct digests hash_text(struct sf_op *op, struct sf_str text)
{
    struct digests out = {.bytes = (int64_t)text.n};
    struct hashing h = hash_begin(op->site->world->has_etags);
    hash_add(&h, text);
    hash_end(op, &h, &out);
    return out;
}

static bool are_planned(const struct digests *digests, const struct sf_value *file)
{
    return sf_str_eq(digests->sha256, sf_map_str(file, FILE_SHA256)) && digests->bytes == sf_map_int(file, FILE_BYTES, -1);
}

/* The cache's copy of a data file, proven to be the planned bytes. */
static enum sf_code check_cache(struct sf_op *op, const char *path, const struct sf_pair *file, struct digests *digests,
                                struct sf_err *err)
{
    if (!hash_file(op, path, digests)) {
        sf_fail_errno(err, SF_E_STALE, "the data set's file '%s' cannot be read in the cache", path);
        sf_hint(err, "plan again: the cache is rebuilt from the source");
        return SF_E_STALE;
    }
    if (are_planned(digests, file->value))
        return SF_OK;
    sf_fail(err, SF_E_STALE, "the cached file '%s' is not the one that was planned", path);
    (void)unlink(path); /* it is named after its contents, so it is damaged: kept, it would stop every run that is to come */
    sf_hint(err, "plan again: it was deleted and is made anew from the source");
    return SF_E_STALE;
}

/* --- putting --- */

/* A delivery under way. */
struct progress {
    struct sf_op *op;
    struct sf_outcome *out;
    struct sf_str id;
    const struct sf_value *want;
    struct account account;
    struct sf_value *etags;    /* key -> ETag that an object has when it is as wanted */
    struct sf_put_file *files; /* what is put */
    struct sf_str *keys;       /* of those */
    size_t n, total;
    bool is_new; /* the first object that is put makes the delivery exist */
};

static enum sf_code add_file(struct progress *p, const struct sf_delivery *d, const struct sf_pair *pair, struct sf_err *err)
{
    const struct sf_str *made = sf_map_find(d->made, pair->key);
    struct sf_put_file *file = &p->files[p->total];
    struct digests digests;
    bool is_direct = sf_delivery_is_direct(p->op);
    p->keys[p->total++] = pair->key;
    *file = (struct sf_put_file){.path = is_direct ? pair->key
                                                   : sf_str_dup(p->op->arena, sf_str_slice(pair->key, d->prefix.n, pair->key.n)),
                                 .local_path = made ? NULL : sf_delivery_path(p->op, d, pair->key),
                                 .bytes = made ? *made : SF_STR_NONE,
                                 .size = sf_map_int(pair->value, FILE_BYTES, -1),
                                 .sha256 = sf_map_str(pair->value, FILE_SHA256),
                                 .step = (int)sf_delivery_step_of(d, pair->key)};
    enum sf_code rc = made ? SF_OK : check_cache(p->op, file->local_path, pair, &digests, err);
    if (made)
        digests = hash_text(p->op, *made);
    if (!rc && digests.md5.n)
        sf_map_set(p->op->arena, p->etags, pair->key, sf_value_str(p->op->arena, digests.md5));
    return rc;
}

/* An update is recorded before its first file: should it end here, then old and new keys are known to be ours. */
static enum sf_code announce(void *ctx, struct sf_err *err)
{
    const struct progress *p = ctx;
    enum sf_code rc = sf_op_intent(p->op, "put", err);
    if (!rc && !p->is_new)
        report(p->op, p->want, &p->account, p->id, p->out);
    return rc || (p->is_new && p->total > 0) ? rc : sf_op_made(p->op, p->id, err);
}

static enum sf_code count_file(void *ctx, size_t i, struct sf_err *err)
{
    struct progress *p = ctx;
    if (p->files[i].etag.n)
        sf_map_set(p->op->arena, p->etags, p->keys[i], sf_value_str(p->op->arena, p->files[i].etag));
    sf_op_progress_of(p->op, "uploading", ++p->n, p->total, "files");
    if (p->n > 1 || !p->is_new)
        return SF_OK;
    p->out->id = p->id;
    return sf_op_made(p->op, p->id, err);
}

static enum sf_code put_over_sftp(const struct progress *p, const struct sf_put_calls *calls, struct sf_err *err)
{
    struct sf_sftp_target target;
    struct sf_str pinned[MAX_FINGERPRINTS];
    enum sf_code rc = find_user(p->op, &target, pinned, err);
    if (rc)
        return rc;
    rc = sf_sftp_put_many(&target, p->files, p->total, calls, err);
    if (rc && rc != SF_E_CANCELLED)
        sf_context(err, "as SFTP user '%.*s'", SF_ARG(target.user));
    /* what comes of it is found out and told by others, who do not know why */
    if (rc == SF_E_UNKNOWN && err)
        sf_op_warn(p->op, "a transfer broke off: %s", err->message);
    return rc;
}

/* Puts the files of which `found` does not show the wanted bytes. */
static enum sf_code put_files(struct progress *p, const struct sf_object *bucket, const struct sf_delivery *d,
                              const struct sf_value *found, struct sf_err *err)
{
    struct sf_op *op = p->op;
    p->files = SF_NEW_ARRAY(op->arena, d->files->map.n + 1, struct sf_put_file);
    p->keys = SF_NEW_ARRAY(op->arena, d->files->map.n + 1, struct sf_str);
    enum sf_code rc = SF_OK;
    for (size_t i = 0; !rc && i < d->files->map.n; i++) {
        const struct sf_pair *file = &d->files->map.pairs[i];
        const struct sf_value *there = sf_map_get(found, file->key);
        if (!there || !sf_value_equal(there, file->value))
            rc = add_file(p, d, file, err);
    }
    if (rc || p->total == 0)
        return rc ? rc : announce(p, err);
    const struct sf_put_calls calls = {announce, count_file, p};
    rc = sf_delivery_is_direct(op) ? op->site->world->bucket_put_many(op, bucket, p->files, p->total, &calls, err)
                                   : put_over_sftp(p, &calls, err);
    if (rc == SF_E_CANCELLED)
        return sf_fail(err, rc, "stopped after %zu of %zu files; the next run delivers the rest", p->n, p->total);
    return rc;
}

/* What is there and was not recorded, after a crash or `adopt`, is told by its MD5, if the cache has the bytes. */
static void add_md5s(struct sf_op *op, const struct sf_delivery *d, const struct sf_delivered *there, struct sf_value *etags)
{
    for (size_t i = 0; op->site->world->has_etags && i < d->files->map.n; i++) {
        const struct sf_pair *file = &d->files->map.pairs[i];
        const struct sf_bucket_entry *entry = sf_map_find(there->keys, file->key);
        const struct sf_str *made = sf_map_find(d->made, file->key);
        struct digests digests;
        if (!entry || sf_map_get(etags, file->key) || entry->bytes != sf_map_int(file->value, FILE_BYTES, -1))
            continue;
        if (made)
            digests = hash_text(op, *made);
        else if (!hash_file(op, sf_delivery_path(op, d, file->key), &digests))
            continue;
        if (are_planned(&digests, file->value) && digests.md5.n)
            sf_map_set(op->arena, etags, file->key, sf_value_str(op->arena, digests.md5));
    }
}

/* What an earlier delivery began and this one does not go on with is ended. */
static enum sf_code abandon(struct sf_op *op, const struct sf_object *bucket, struct sf_str prefix, const struct sf_value *have,
                            const struct sf_value *files, struct sf_err *err)
{
    const struct sf_value *were = map_of(have, UPLOAD_FILES), *old = sf_map_getz(have, UPLOAD_SUPERSEDED);
    struct sf_map *keys = sf_map_new(op->arena);
    if (!op->site->world->bucket_abandon || !sf_str_is(sf_map_str(have, UPLOAD_VIA), "bucket"))
        return SF_OK;
    for (size_t i = 0; were && i < were->map.n; i++)
        if (!sf_map_get(files, were->map.pairs[i].key))
            sf_map_put(keys, were->map.pairs[i].key, keys);
    for (size_t i = 0; old && old->type == SF_V_LIST && i < old->list.n; i++)
        if (old->list.items[i]->type == SF_V_STRING && !sf_map_get(files, old->list.items[i]->s))
            sf_map_put(keys, old->list.items[i]->s, keys);
    return sf_map_count(keys) ? op->site->world->bucket_abandon(op, bucket, prefix, keys, err) : SF_OK;
}

static enum sf_code look_again(const struct progress *p, const struct sf_object *bucket, const struct sf_delivery *d,
                               struct sf_delivered *there, struct sf_err *err)
{
    enum sf_code rc = sf_delivered_list(p->op, bucket, d->prefix, there, err);
    if (!rc)
        rc = sf_delivered_look(p->op, bucket, d->files, p->etags, there, err);
    if (!rc && !sf_value_equal(there->found, d->files)) {
        sf_fail(err, SF_E_REFUSED, "bucket '%.*s' does not hold what was just delivered", SF_ARG(bucket->id));
        sf_hint(err, "something else writes under the same keys, or the user's home is not this bucket");
        return SF_E_REFUSED;
    }
    if (!rc && !sf_delivery_is_direct(p->op))
        rc = sf_delivered_drop_folders(p->op, bucket, d->prefix, there, d->files, err);
    return rc;
}

/* Puts what is missing or differs, in order, and looks at the result. `have` is what state knew before, for what is superseded;
 * `is_new`: the first object that is put makes the delivery exist. */
static enum sf_code deliver(struct sf_op *op, const struct sf_value *have, const struct sf_value *want, bool is_new,
                            struct sf_str id, struct sf_outcome *out, struct sf_err *err)
{
    const struct sf_object *bucket = sf_op_ref(op, NULL, UPLOAD_TO, 0);
    const struct sf_value *wanted = sf_map_getz(want, UPLOAD_FILES), *recorded = map_of(have, UPLOAD_ETAGS);
    struct sf_delivery d;
    struct sf_delivered there;
    if (!bucket || !sf_delivery_compose(op, &d))
        return sf_fail(err, SF_E_CONFIG, "an upload needs a data set, a bucket and, over SFTP, a user of this stack");
    if (!wanted || !sf_value_equal(wanted, d.files))
        return sf_fail(err, SF_E_STALE, "the data set is not the one that was planned to be delivered");
    struct progress p = {.op = op, .out = out, .id = id, .want = want, .is_new = is_new, .etags = sf_value_map(op->arena)};
    for (size_t i = 0; recorded && i < recorded->map.n; i++)
        sf_map_add(op->arena, p.etags, recorded->map.pairs[i].key, recorded->map.pairs[i].value);
    enum sf_code rc = sf_delivered_list(op, bucket, d.prefix, &there, err);
    if (rc)
        return rc;
    add_md5s(op, &d, &there, p.etags);
    rc = sf_delivered_look(op, bucket, d.files, p.etags, &there, err);
    if (rc)
        return rc;
    p.account = (struct account){
        d.files, sf_delivered_others(op, &there, sf_map_getz(have, UPLOAD_SUPERSEDED), map_of(have, UPLOAD_FILES), d.files),
        there.etags};
    rc = put_files(&p, bucket, &d, there.found, err);
    if (!rc)
        rc = abandon(op, bucket, d.prefix, have, d.files, err);
    if (!rc)
        rc = look_again(&p, bucket, &d, &there, err);
    if (rc)
        return rc;
    p.account.files = there.found;
    p.account.etags = there.etags;
    report(op, want, &p.account, id, out);
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
    const struct sf_object *bucket = sf_op_ref(op, NULL, UPLOAD_TO, 0);
    const struct sf_value *files = map_of(op->self->attrs, UPLOAD_FILES), *old = sf_map_getz(op->self->attrs, UPLOAD_SUPERSEDED);
    size_t n_files = files ? files->map.n : 0, n_old = old && old->type == SF_V_LIST ? old->list.n : 0;
    struct sf_str delivery = sf_map_str(op->self->attrs, UPLOAD_DELIVERY), prefix = sf_map_str(op->self->attrs, UPLOAD_PREFIX);
    struct sf_delivered there;
    (void)id, (void)out;
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
    if (!rc)
        rc = abandon(op, bucket, prefix, op->self->attrs, NULL, err);
    if (!rc && !sf_delivery_is_direct(op))
        rc = sf_delivered_list(op, bucket, prefix, &there, err);
    if (!rc && !sf_delivery_is_direct(op))
        rc = sf_delivered_drop_folders(op, bucket, prefix, &there, files, err);
    return rc == SF_E_ABSENT ? SF_OK : rc;
}

/* Looking, and deleting what is superseded, are the caller's own; putting is the SFTP user's, or the caller's too. (The bucket's
 * own kind asks for lists and for deleting.) */
static const struct sf_need needs[] = {
    {"s3:ListBucket", "arn:{partition}:s3:::{to}"},
    {"s3:GetObject", "arn:{partition}:s3:::{to}/*"},
    {"s3:ListBucketMultipartUploads", "{via=bucket}arn:{partition}:s3:::{to}"},
    {"s3:PutObject s3:AbortMultipartUpload s3:ListMultipartUploadParts", "{via=bucket}arn:{partition}:s3:::{to}/*"},
    {NULL, NULL},
};

extern const struct sf_driver sf_driver_data_upload;
const struct sf_driver sf_driver_data_upload = {
    .kind = "upload",
    .read = read_upload,
    .find = find_upload,
    .create = create_upload,
    .update = update_upload,
    .destroy = destroy_upload,
    .preflight = preflight_upload,
    .derive = derive_upload,
    .needs = needs,
};
