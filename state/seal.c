/* Secrets: sealed for the state, and known by fingerprint.
 *
 * Two keys are derived from the state key and the lineage (HMAC-SHA-256 as the expansion step of RFC 5869 uses it), one for
 * sealing, one for fingerprints: neither tells the other. Sealing is AES-256-GCM (NIST SP 800-38D) with a random 96-bit nonce;
 * bound to it are lineage, address, name and revision, so a sealed value that was copied to another place does not open there. */
#include "state/internal.h"

#include "engine/core/clock.h"

#include <openssl/crypto.h>
#include <openssl/evp.h>
#include <openssl/hmac.h>
#include <stdio.h>

enum { NONCE_BYTES = 12, TAG_BYTES = 16, MAX_SECRET_BYTES = 1024 * 1024, MAX_BOUND_BYTES = 64 * 1024 };

/* --- keys --- */

static void mac(const unsigned char *key, struct sf_str text, unsigned char out[SF_KEY_BYTES])
{
    unsigned n = SF_KEY_BYTES;
    if (!HMAC(EVP_sha256(), key, SF_KEY_BYTES, (const unsigned char *)text.p, text.n, out, &n))
        sf_out_of_memory(); /* the only way it can fail */
}

static void derive(const unsigned char *key, struct sf_str lineage, const char *purpose, unsigned char out[SF_KEY_BYTES])
{
    char info[128];
    int n = snprintf(info, sizeof(info), "sfstack %s v1 %.*s%c", purpose, SF_ARG(lineage), 1);
    mac(key, (struct sf_str){info, (size_t)n}, out);
}

static void hex16(const unsigned char *bytes, char out[33])
{
    for (size_t i = 0; i < 16; i++)
        snprintf(out + 2 * i, 3, "%02x", bytes[i]);
}

void sf_seal_forget(struct sf_store *store)
{
    OPENSSL_cleanse(store->seal_key, sizeof(store->seal_key));
    OPENSSL_cleanse(store->print_key, sizeof(store->print_key));
    store->has_key = false;
}

static enum sf_code fail_wrong_key(const struct sf_store *store, struct sf_err *err)
{
    sf_fail(err, SF_E_AUTH, "the key from %s is not the one that the secrets of state '%s' are sealed with", store->key_source,
            store->path);
    sf_hint(err, "give that key in SF_STATE_KEY_FILE or SF_STATE_KEY");
    return SF_E_AUTH;
}

enum sf_code sf_store_load_key(struct sf_store *store, bool may_make_key, struct sf_err *err)
{
    if (store->has_key)
        return SF_OK;
    unsigned char key[SF_KEY_BYTES], check[SF_KEY_BYTES];
    bool needs_old_key = store->key_check.n > 0;
    enum sf_code rc = sf_key_find(may_make_key && !needs_old_key, key, store->key_source, sizeof(store->key_source), err);
    if (rc == SF_E_ABSENT && needs_old_key) {
        sf_fail(err, SF_E_AUTH, "the key that the secrets of state '%s' are sealed with is not here", store->path);
        sf_hint(err, "give it in SF_STATE_KEY_FILE or SF_STATE_KEY, or restore ~/.config/sfstack/key");
        return SF_E_AUTH;
    }
    if (rc)
        return rc;
    derive(key, store->lineage, "check", check);
    derive(key, store->lineage, "seal", store->seal_key);
    derive(key, store->lineage, "fingerprint", store->print_key);
    OPENSSL_cleanse(key, sizeof(key));
    hex16(check, store->own_key_check);
    if (needs_old_key && !sf_str_is(store->key_check, store->own_key_check)) {
        sf_seal_forget(store);
        return fail_wrong_key(store, err);
    }
    store->has_key = true;
    return SF_OK;
}

struct sf_str sf_store_fingerprint(struct sf_store *store, struct sf_arena *arena, struct sf_str clear)
{
    if (!store->has_key)
        return SF_STR_NONE;
    atomic_store(&store->is_key_used, true);
    unsigned char digest[SF_KEY_BYTES];
    char text[33];
    mac(store->print_key, clear, digest);
    hex16(digest, text);
    return sf_str_fmt(arena, "hmac:%s", text);
}

/* --- sealing --- */

/* What a sealed value is bound to, each part with its length so that no two places read the same. */
static enum sf_code bound_to(const struct sf_store *store, struct sf_str address, const char *name, int64_t revision,
                             struct sf_buf *out, struct sf_err *err)
{
    sf_buf_addf(out, "sfstack-sealed-1|%zu|%.*s|%zu|%.*s|%zu|%s|%lld", store->lineage.n, SF_ARG(store->lineage), address.n,
                SF_ARG(address), strlen(name), name, (long long)revision);
    return out->overflow ? sf_fail(err, SF_E_INTERNAL, "the name of a secret is over %d bytes", MAX_BOUND_BYTES) : SF_OK;
}

/* `out` holds clear.n + TAG_BYTES. */
static bool encrypt(const unsigned char *key, const unsigned char *nonce, struct sf_str bound, struct sf_str clear,
                    unsigned char *out)
{
    int n = 0, last = 0;
    EVP_CIPHER_CTX *ctx = EVP_CIPHER_CTX_new();
    bool is_done = ctx && EVP_EncryptInit_ex2(ctx, EVP_aes_256_gcm(), key, nonce, NULL) == 1 &&
                   EVP_EncryptUpdate(ctx, NULL, &n, (const unsigned char *)bound.p, (int)bound.n) == 1 &&
                   EVP_EncryptUpdate(ctx, out, &n, (const unsigned char *)(clear.n ? clear.p : ""), (int)clear.n) == 1 &&
                   EVP_EncryptFinal_ex(ctx, out + n, &last) == 1 &&
                   EVP_CIPHER_CTX_ctrl(ctx, EVP_CTRL_AEAD_GET_TAG, TAG_BYTES, out + clear.n) == 1;
    EVP_CIPHER_CTX_free(ctx);
    return is_done;
}

/* `out` holds sealed.n - TAG_BYTES. */
static bool decrypt(const unsigned char *key, const unsigned char *nonce, struct sf_str bound, struct sf_str sealed,
                    unsigned char *out)
{
    int n = 0, last = 0;
    unsigned char tag[TAG_BYTES];
    size_t size = sealed.n - TAG_BYTES;
    memcpy(tag, sealed.p + size, TAG_BYTES);
    EVP_CIPHER_CTX *ctx = EVP_CIPHER_CTX_new();
    bool is_done = ctx && EVP_DecryptInit_ex2(ctx, EVP_aes_256_gcm(), key, nonce, NULL) == 1 &&
                   EVP_DecryptUpdate(ctx, NULL, &n, (const unsigned char *)bound.p, (int)bound.n) == 1 &&
                   EVP_DecryptUpdate(ctx, out, &n, (const unsigned char *)sealed.p, (int)size) == 1 &&
                   EVP_CIPHER_CTX_ctrl(ctx, EVP_CTRL_AEAD_SET_TAG, TAG_BYTES, tag) == 1 &&
                   EVP_DecryptFinal_ex(ctx, out + n, &last) == 1;
    EVP_CIPHER_CTX_free(ctx);
    return is_done;
}

static enum sf_code need_key(const struct sf_store *store, struct sf_err *err)
{
    if (store->has_key)
        return SF_OK;
    sf_fail(err, SF_E_AUTH, "the secrets of state '%s' need its key, and there is none here", store->path);
    sf_hint(err, "give it in SF_STATE_KEY_FILE or SF_STATE_KEY");
    return SF_E_AUTH;
}

enum sf_code sf_store_seal(struct sf_store *store, struct sf_str address, const char *name, struct sf_str clear, struct sf_err *err)
{
    enum sf_code rc = need_key(store, err);
    if (!rc)
        rc = sf_store_will_change(store, err);
    if (!rc && clear.n > MAX_SECRET_BYTES)
        rc = sf_fail(err, SF_E_DATA, "secret '%s' of '%.*s' is over %d bytes", name, SF_ARG(address), MAX_SECRET_BYTES);
    sqlite3_stmt *query = rc ? NULL : sf_store_sql_query(store, SF_Q_PUT_SECRET, err);
    if (!query)
        return rc ? rc : SF_E_IO;
    atomic_store(&store->is_key_used, true);
    int64_t revision = store->revision + 1;
    unsigned char nonce[NONCE_BYTES];
    sf_random_bytes(nonce, sizeof(nonce));
    struct sf_arena *arena = sf_arena_new();
    unsigned char *sealed = sf_arena_alloc(arena, clear.n + TAG_BYTES);
    struct sf_buf bound = SF_BUF(MAX_BOUND_BYTES);
    rc = bound_to(store, address, name, revision, &bound, err);
    if (!rc && !encrypt(store->seal_key, nonce, sf_buf_str(&bound), clear, sealed))
        rc = sf_fail(err, SF_E_INTERNAL, "secret '%s' of '%.*s' could not be sealed", name, SF_ARG(address));
    if (!rc) {
        sf_store_sql_bind(query, 1, address);
        sf_store_sql_bind(query, 2, sf_str_of(name));
        sqlite3_bind_int64(query, 3, revision);
        sqlite3_bind_blob(query, 4, nonce, NONCE_BYTES, SQLITE_STATIC);
        sqlite3_bind_blob(query, 5, sealed, (int)(clear.n + TAG_BYTES), SQLITE_STATIC);
        rc = sf_store_sql_run(store, query, err);
    }
    sf_buf_free(&bound);
    sf_arena_free(arena);
    return rc;
}

static enum sf_code open_sealed(struct sf_store *store, struct sf_arena *arena, struct sf_str address, const char *name,
                                sqlite3_stmt *query, struct sf_str *clear, struct sf_err *err)
{
    const unsigned char *nonce = sqlite3_column_blob(query, 1);
    struct sf_str sealed = {sqlite3_column_blob(query, 2), (size_t)sqlite3_column_bytes(query, 2)};
    bool is_whole = sqlite3_column_bytes(query, 1) == NONCE_BYTES && sealed.n >= TAG_BYTES;
    struct sf_buf bound = SF_BUF(MAX_BOUND_BYTES);
    enum sf_code rc = bound_to(store, address, name, sqlite3_column_int64(query, 0), &bound, err);
    unsigned char *out = is_whole ? sf_arena_alloc(arena, sealed.n - TAG_BYTES + 1) : NULL;
    if (!rc && (!is_whole || !decrypt(store->seal_key, nonce, sf_buf_str(&bound), sealed, out))) {
        if (out)
            OPENSSL_cleanse(out, sealed.n - TAG_BYTES); /* GCM decrypts before it verifies */
        rc = sf_fail(err, SF_E_IO, "the sealed secret '%s' of '%.*s' was altered, or belongs to another place or state", name,
                     SF_ARG(address));
        sf_hint(err, "restore the state from '%s.backup', or let the secret be generated again with -replace", store->path);
    }
    if (!rc)
        *clear = (struct sf_str){(const char *)out, sealed.n - TAG_BYTES};
    sf_buf_free(&bound);
    return rc;
}

enum sf_code sf_store_unseal(struct sf_store *store, struct sf_arena *arena, struct sf_str address, const char *name,
                             struct sf_str *clear, struct sf_err *err)
{
    *clear = SF_STR_NONE;
    sqlite3_stmt *query = sf_store_sql_query(store, SF_Q_GET_SECRET, err);
    if (!query)
        return SF_E_IO;
    sf_store_sql_bind(query, 1, address);
    sf_store_sql_bind(query, 2, sf_str_of(name));
    enum sf_code rc;
    int step = sqlite3_step(query);
    if (step == SQLITE_ROW) {
        rc = need_key(store, err);
        if (!rc)
            rc = open_sealed(store, arena, address, name, query, clear, err);
    } else if (step == SQLITE_DONE) {
        rc = sf_fail(err, SF_E_ABSENT, "there is no secret '%s' of '%.*s' in the state", name, SF_ARG(address));
    } else {
        rc = sf_store_sql_fail(store->db, store->path, err);
    }
    sqlite3_reset(query);
    return rc;
}

enum sf_code sf_store_drop_secrets(struct sf_store *store, struct sf_str address, struct sf_err *err)
{
    enum sf_code rc = sf_store_will_change(store, err);
    sqlite3_stmt *query = rc ? NULL : sf_store_sql_query(store, SF_Q_DROP_SECRETS, err);
    if (!query)
        return rc ? rc : SF_E_IO;
    sf_store_sql_bind(query, 1, address);
    return sf_store_sql_run(store, query, err);
}

/* Names of the secrets of an address: read out first, since sealing writes the table that is read. */
static enum sf_code secret_names(struct sf_store *store, struct sf_arena *arena, struct sf_str address, struct sf_str **names,
                                 size_t *n, struct sf_err *err)
{
    sqlite3_stmt *query = sf_store_sql_query(store, SF_Q_SECRETS, err);
    if (!query)
        return SF_E_IO;
    sf_store_sql_bind(query, 1, address);
    size_t cap = 0;
    int step;
    while ((step = sqlite3_step(query)) == SQLITE_ROW) {
        *names = sf_arena_grow(arena, *names, *n, &cap, sizeof(**names));
        (*names)[(*n)++] = sf_store_sql_text(query, 0, arena);
    }
    enum sf_code rc = step == SQLITE_DONE ? SF_OK : sf_store_sql_fail(store->db, store->path, err);
    sqlite3_reset(query);
    return rc;
}

enum sf_code sf_seal_move(struct sf_store *store, struct sf_str from, struct sf_str to, struct sf_err *err)
{
    struct sf_arena *arena = sf_arena_new();
    struct sf_str *names = NULL;
    size_t n = 0;
    enum sf_code rc = secret_names(store, arena, from, &names, &n, err);
    if (!rc && n && !store->has_key)
        rc = sf_store_load_key(store, false, err);
    for (size_t i = 0; !rc && i < n; i++) {
        struct sf_str clear;
        rc = sf_store_unseal(store, arena, from, names[i].p, &clear, err);
        if (!rc)
            rc = sf_store_seal(store, to, names[i].p, clear, err);
        if (clear.n)
            OPENSSL_cleanse((char *)(uintptr_t)clear.p, clear.n);
    }
    if (!rc && n)
        rc = sf_store_drop_secrets(store, from, err);
    sf_arena_free(arena);
    return rc;
}
