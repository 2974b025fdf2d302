/* kind `sftp_server` in the local world: a ProFTPD of the stack's own (proftpd.h has its files and processes, sftp_access.h what
 * it lets whom do).
 *
 * The identity is sftp/ID/meta.json; all that follows (host keys, configuration, start, known_hosts) is one idempotent function,
 * converge(), which create() and update() share. destroy() removes meta.json last, so that an interrupted one is seen and finished.
 * Servers outlive the program. */
#include "attr/sftp_server.h"

#include "attr/ssh_key.h"
#include "engine/core/clock.h"
#include "resources/local/proc.h"
#include "resources/local/proftpd.h"
#include "resources/local/record.h"
#include "resources/local/sftp_access.h"
#include "resources/site/key_pair.h"
#include "resources/site/known_hosts.h"

#include <arpa/inet.h>

enum { FIRST_PLAIN_PORT = 1024 };

static const char is_current[] = "current";

/* Kept in meta.json beside what the stack says, by position of the host key: its public line and the SHA-256 of its file. */
#define META_PUBLIC_KEYS "host_public_keys"
#define META_KEY_DIGESTS "host_key_digests"

static const char *what_of(struct sf_op *op, struct sf_str id)
{
    return sf_str_fmt(op->arena, "SFTP server '%.*s'", SF_ARG(id)).p;
}

static const char *key_path(struct sf_op *op, const struct sf_proftpd *p, size_t i)
{
    return sf_str_fmt(op->arena, "%s/host_key_%zu", p->dir, i).p;
}

/* Where clients on this machine connect. */
static struct sf_str client_host(const struct sf_proftpd *p)
{
    return sf_str_is(p->address, "0.0.0.0") ? SF_STR("127.0.0.1") : p->address;
}

static struct sf_str text_at(const struct sf_value *list, size_t i)
{
    const struct sf_value *v = list && list->type == SF_V_LIST && i < list->list.n ? list->list.items[i] : NULL;
    return v && v->type == SF_V_STRING ? v->s : SF_STR_NONE;
}

static size_t count_of(const struct sf_value *list)
{
    return list && list->type == SF_V_LIST ? list->list.n : 0;
}

static const struct sf_str *public_keys(struct sf_op *op, const struct sf_proftpd *p, size_t *n)
{
    const struct sf_value *list = sf_map_getz(p->attrs, META_PUBLIC_KEYS);
    struct sf_str *keys = SF_NEW_ARRAY(op->arena, count_of(list) + 1, struct sf_str);
    *n = count_of(list);
    for (size_t i = 0; i < *n; i++)
        keys[i] = text_at(list, i);
    return keys;
}

/* --- plan time --- */

static enum sf_code derive(struct sf_op *op, struct sf_value *want, struct sf_err *err)
{
    const struct sf_value *address = sf_map_getz(want, SFTP_SERVER_ADDRESS);
    const struct sf_value *keys = sf_map_getz(want, SFTP_SERVER_HOST_KEYS);
    struct in_addr ignored;
    if (!keys || (keys->type == SF_V_LIST && !keys->list.n)) {
        sf_fail(err, SF_E_CONFIG, "a local SFTP server needs a host key");
        sf_hint(err, "make one, `host_key: {kind: ssh_key}`, and name it: `host_keys: [host_key]`");
        return SF_E_CONFIG;
    }
    if (address && address->type == SF_V_STRING && inet_pton(AF_INET, sf_str_dup(op->arena, address->s).p, &ignored) != 1) {
        sf_fail(err, SF_E_CONFIG, "'%.*s' is not an IPv4 address", SF_ARG(address->s));
        sf_hint(err, "write 127.0.0.1 for this machine only, 0.0.0.0 for every network it is in");
        return SF_E_CONFIG;
    }
    if (sf_map_int(want, SFTP_SERVER_PORT, FIRST_PLAIN_PORT) < FIRST_PLAIN_PORT) {
        sf_fail(err, SF_E_CONFIG, "port %lld is the system's on this machine", (long long)sf_map_int(want, SFTP_SERVER_PORT, 0));
        sf_hint(err, "use %d or more here, or leave `port` out: 2222, or the next free one", FIRST_PLAIN_PORT);
        return SF_E_CONFIG;
    }
    sf_map_set_str(op->arena, want, SFTP_SERVER_CONFIGURATION, sf_str_of(is_current));
    return SF_OK;
}

static enum sf_code preflight(struct sf_op *op, const struct sf_value *want, struct sf_err *err)
{
    struct sf_str address = sf_map_str(want, SFTP_SERVER_ADDRESS);
    int port = (int)sf_map_int(want, SFTP_SERVER_PORT, SF_PROFTPD_DECLARED_PORT);
    if (!sf_proftpd_program(op, err))
        return SF_E_UNAVAILABLE;
    if (sf_proc_port_is_listening(sf_str_dup(op->arena, address).p, port, NULL))
        sf_op_warn(op, "port %d is taken on this machine: '%.*s' will listen on the next free one", port,
                   SF_ARG(op->self->address));
    return SF_OK;
}

/* --- read --- */

/* The fingerprints of the host keys whose files are as they were written. */
static const struct sf_value *intact_keys(struct sf_op *op, const struct sf_proftpd *p)
{
    const struct sf_value *keys = sf_map_getz(p->attrs, SFTP_SERVER_HOST_KEYS), *digests = sf_map_getz(p->attrs, META_KEY_DIGESTS);
    const struct sf_value **items = SF_NEW_ARRAY(op->arena, count_of(keys) + 1, const struct sf_value *);
    size_t n = 0;
    for (size_t i = 0; i < count_of(keys); i++) {
        struct sf_str text;
        if (sf_territory_read_file(op, key_path(op, p, i), &text, NULL) == SF_OK &&
            sf_str_eq(sf_sha256_hex(op->arena, text), text_at(digests, i)))
            items[n++] = keys->list.items[i];
    }
    return sf_value_list(op->arena, items, n);
}

static const char *defect_of(struct sf_op *op, const struct sf_proftpd *p, struct sf_err *err)
{
    const char *drift = NULL;
    size_t n;
    const struct sf_str *keys = public_keys(op, p, &n);
    if (sf_sftp_access_drift(op, p, &drift, err) != SF_OK)
        return err->message;
    if (!drift && !sf_known_hosts_has(op, client_host(p), p->port, keys, n))
        drift = "known_hosts is changed";
    return drift ? drift : is_current;
}

static void report(struct sf_op *op, struct sf_proftpd *p, struct sf_outcome *out)
{
    struct sf_value *attrs = sf_value_map(op->arena);
    struct sf_err err = {.code = SF_OK};
    int port = p->port ? p->port : p->declared_port;
    struct sf_str host = client_host(p);
    bool is_running = sf_proftpd_is_running(op, p);
    struct sf_str where = is_running ? sf_proftpd_listening(op, p) : SF_STR_NONE;
    const struct sf_value *tags = sf_map_getz(p->attrs, SFTP_SERVER_TAGS), *keys = intact_keys(op, p);
    sf_map_set(op->arena, attrs, sf_str_of(SFTP_SERVER_HOST_KEYS), keys);
    sf_map_set_int(op->arena, attrs, SFTP_SERVER_PORT, port);
    /* what the kernel says, when it says something else than the stack */
    bool is_elsewhere = where.n && !sf_str_eq(where, p->address);
    sf_map_set_str(op->arena, attrs, SFTP_SERVER_ADDRESS, is_elsewhere ? where : p->address);
    sf_map_set_bool(op->arena, attrs, SFTP_SERVER_RUNNING, is_running && where.n);
    if (tags)
        sf_map_set(op->arena, attrs, sf_str_of(SFTP_SERVER_TAGS), tags);
    sf_map_set_str(op->arena, attrs, SFTP_SERVER_HOST, host);
    sf_map_set_str(op->arena, attrs, SFTP_SERVER_ENDPOINT, sf_str_fmt(op->arena, "%.*s:%d", SF_ARG(host), port));
    sf_map_set(op->arena, attrs, sf_str_of(SFTP_SERVER_HOST_KEY_FINGERPRINTS), keys);
    sf_map_set_str(op->arena, attrs, SFTP_SERVER_CONFIGURATION,
                   sf_str_dup(op->arena, sf_str_of(p->port ? defect_of(op, p, &err) : "not made yet")));
    out->id = p->id;
    out->attrs = attrs;
}

static enum sf_code read_server(struct sf_op *op, struct sf_str id, struct sf_outcome *out, struct sf_err *err)
{
    struct sf_proftpd p;
    enum sf_code rc = sf_proftpd_load(op, id, &p, err);
    if (rc == SF_OK)
        rc = sf_territory_check_stack(op, p.meta, what_of(op, id), err);
    if (rc == SF_OK)
        report(op, &p, out);
    return rc;
}

/* The server that this very resource made, by the open intent or an earlier one. */
static enum sf_code find_own(struct sf_op *op, struct sf_proftpd *p, struct sf_err *err)
{
    struct sf_str *ids;
    size_t n;
    enum sf_code rc = sf_territory_list(op, sf_territory_path(op, "sftp"), &ids, &n, err);
    for (size_t i = 0; i < n && rc == SF_OK; i++) {
        struct sf_err ignored;
        if (sf_proftpd_load(op, ids[i], p, &ignored) == SF_OK &&
            (sf_territory_is_from_intent(op, p->meta) ||
             sf_territory_check_owner(op, p->meta, what_of(op, ids[i]), &ignored) == SF_OK))
            return SF_OK;
    }
    return rc ? rc : sf_fail(err, SF_E_ABSENT, "there is no SFTP server of '%.*s'", SF_ARG(op->self->address));
}

static enum sf_code find(struct sf_op *op, const struct sf_value *want, struct sf_outcome *out, struct sf_err *err)
{
    struct sf_proftpd p;
    (void)want;
    enum sf_code rc = find_own(op, &p, err);
    if (rc == SF_OK)
        report(op, &p, out);
    return rc;
}

/* --- create and update --- */

/* meta.json: what the stack says, and of each host key what can be compared later. */
static enum sf_code write_wishes(struct sf_op *op, struct sf_str id, const struct sf_value *want, int declared_port,
                                 struct sf_err *err)
{
    const char *const kept[] = {SFTP_SERVER_HOST_KEYS, SFTP_SERVER_ADDRESS, SFTP_SERVER_RUNNING, SFTP_SERVER_TAGS};
    struct sf_value *attrs = sf_value_map(op->arena);
    for (size_t i = 0; i < SF_COUNT(kept); i++) {
        const struct sf_value *value = sf_map_getz(want, kept[i]);
        if (value)
            sf_map_set(op->arena, attrs, sf_str_of(kept[i]), value);
    }
    sf_map_set_int(op->arena, attrs, SFTP_SERVER_PORT, declared_port);
    size_t n = count_of(sf_map_getz(want, SFTP_SERVER_HOST_KEYS));
    const struct sf_value **lines = SF_NEW_ARRAY(op->arena, n + 1, const struct sf_value *);
    const struct sf_value **digests = SF_NEW_ARRAY(op->arena, n + 1, const struct sf_value *);
    for (size_t i = 0; i < n; i++) {
        struct sf_str secret;
        const struct sf_object *key = sf_op_ref(op, NULL, SFTP_SERVER_HOST_KEYS, i);
        enum sf_code rc = key ? sf_op_unseal(op, key, SF_KEY_PAIR_SECRET, &secret, err) : SF_E_ABSENT;
        if (rc) {
            sf_fail(err, SF_E_CONFIG, "host key %zu of '%.*s' has no private half here", i + 1, SF_ARG(op->self->address));
            sf_hint(err, "name an ssh_key of this stack that is made, not imported");
            return SF_E_CONFIG;
        }
        lines[i] = sf_value_str(op->arena, sf_map_str(key->attrs, SSH_KEY_PUBLIC_KEY));
        digests[i] = sf_value_str(op->arena, sf_sha256_hex(op->arena, secret));
    }
    sf_map_set(op->arena, attrs, SF_STR(META_PUBLIC_KEYS), sf_value_list(op->arena, lines, n));
    sf_map_set(op->arena, attrs, SF_STR(META_KEY_DIGESTS), sf_value_list(op->arena, digests, n));
    return sf_territory_write_meta(op, sf_territory_path(op, "sftp/%.*s/meta.json", SF_ARG(id)), id, attrs, err);
}

static enum sf_code write_host_keys(struct sf_op *op, const struct sf_proftpd *p, bool *changed, struct sf_err *err)
{
    size_t n = count_of(sf_map_getz(p->attrs, SFTP_SERVER_HOST_KEYS));
    enum sf_code rc = SF_OK;
    *changed = false;
    for (size_t i = 0; i < n && rc == SF_OK; i++) {
        struct sf_str secret;
        bool differs;
        const struct sf_object *key = sf_op_ref(op, NULL, SFTP_SERVER_HOST_KEYS, i);
        rc = key ? sf_op_unseal(op, key, SF_KEY_PAIR_SECRET, &secret, err) : SF_E_ABSENT;
        if (rc == SF_OK)
            rc = sf_territory_write_changed(op, key_path(op, p, i), secret, 0600, &differs, err);
        *changed = *changed || (rc == SF_OK && differs);
    }
    /* keys that the stack no longer names */
    for (struct sf_str ignored; rc == SF_OK && sf_territory_read_file(op, key_path(op, p, n), &ignored, NULL) == SF_OK; n++)
        rc = sf_territory_remove_tree(op, key_path(op, p, n), err);
    return rc;
}

/* A changed host key or address is read at start only. */
static enum sf_code run_or_stop(struct sf_op *op, struct sf_proftpd *p, bool has_new_keys, bool shall_run, struct sf_err *err)
{
    enum sf_code rc = SF_OK;
    bool is_running = sf_proftpd_is_running(op, p);
    bool is_fit = is_running && !has_new_keys && sf_str_eq(sf_proftpd_listening(op, p), p->address);
    if (is_running && (!shall_run || !is_fit))
        rc = sf_proftpd_stop(op, p, err);
    if (rc == SF_OK && shall_run)
        rc = sf_proftpd_start(op, p, err);
    return rc;
}

static enum sf_code converge(struct sf_op *op, struct sf_str id, const struct sf_value *want, struct sf_err *err)
{
    struct sf_proftpd p;
    struct sf_territory *t = sf_territory_of(op);
    bool has_new_keys;
    size_t n;
    enum sf_code rc = sf_proftpd_load(op, id, &p, err);
    if (rc == SF_OK)
        rc = write_host_keys(op, &p, &has_new_keys, err);
    if (rc)
        return rc;
    pthread_mutex_lock(&t->mutex);
    rc = run_or_stop(op, &p, has_new_keys, sf_map_bool(want, SFTP_SERVER_RUNNING, true), err);
    pthread_mutex_unlock(&t->mutex);
    const struct sf_str *keys = public_keys(op, &p, &n);
    if (rc == SF_OK)
        rc = sf_known_hosts_set(op, client_host(&p), p.port ? p.port : p.declared_port, keys, n, err);
    return rc ? rc : sf_local_enforce(op, err);
}

static enum sf_code finish(struct sf_op *op, struct sf_str id, const struct sf_value *want, struct sf_outcome *out,
                           struct sf_err *err)
{
    struct sf_proftpd p;
    struct sf_err ignored;
    enum sf_code rc = converge(op, id, want, err);
    out->id = id;
    if (sf_proftpd_load(op, id, &p, &ignored) == SF_OK)
        report(op, &p, out);
    return rc;
}

static enum sf_code create(struct sf_op *op, const struct sf_value *want, struct sf_outcome *out, struct sf_err *err)
{
    struct sf_proftpd own = {.dir = NULL};
    struct sf_str id = sf_record_new_id(op, "s-");
    enum sf_code rc = find_own(op, &own, err);
    if (rc == SF_OK)
        id = own.id;
    if (rc && rc != SF_E_ABSENT)
        return rc;
    rc = sf_op_intent(op, "mkdir", err);
    if (rc == SF_OK)
        rc = write_wishes(op, id, want, (int)sf_map_int(want, SFTP_SERVER_PORT, SF_PROFTPD_DECLARED_PORT), err);
    if (rc)
        return rc;
    out->id = id;
    rc = sf_op_made(op, id, err);
    return rc ? rc : finish(op, id, want, out, err);
}

static enum sf_code update(struct sf_op *op, struct sf_str id, const struct sf_value *have, const struct sf_value *want,
                           struct sf_outcome *out, struct sf_err *err)
{
    struct sf_proftpd p;
    (void)have;
    enum sf_code rc = sf_proftpd_load(op, id, &p, err);
    if (rc == SF_OK)
        rc = sf_territory_check_stack(op, p.meta, what_of(op, id), err);
    if (rc == SF_OK)
        rc = sf_op_intent(op, "write meta.json", err);
    if (rc == SF_OK && !sf_str_eq(sf_map_str(want, SFTP_SERVER_ADDRESS), p.address) && p.port)
        rc = sf_known_hosts_set(op, client_host(&p), p.port, NULL, 0, err); /* it moves */
    if (rc == SF_OK)
        rc = write_wishes(op, id, want, p.declared_port, err);
    return rc ? rc : finish(op, id, want, out, err);
}

/* --- destroy --- */

static enum sf_code remove_files(struct sf_op *op, const struct sf_proftpd *p, struct sf_err *err)
{
    struct sf_str *names;
    size_t n;
    enum sf_code rc = sf_territory_list(op, p->dir, &names, &n, err);
    for (size_t i = 0; i < n && rc == SF_OK; i++) {
        if (!sf_str_is(names[i], "meta.json"))
            rc = sf_territory_remove_tree(op, sf_str_fmt(op->arena, "%s/%.*s", p->dir, SF_ARG(names[i])).p, err);
    }
    return rc ? rc : sf_territory_remove_tree(op, p->dir, err);
}

static enum sf_code destroy(struct sf_op *op, struct sf_str id, struct sf_outcome *out, struct sf_err *err)
{
    struct sf_proftpd p;
    struct sf_territory *t = sf_territory_of(op);
    (void)out;
    enum sf_code rc = sf_proftpd_load(op, id, &p, err);
    if (rc == SF_E_ABSENT)
        return SF_OK;
    if (rc == SF_OK)
        rc = sf_territory_check_stack(op, p.meta, what_of(op, id), err);
    if (rc == SF_OK)
        rc = sf_op_intent(op, "stop and remove", err);
    if (rc == SF_OK)
        rc = sf_known_hosts_set(op, client_host(&p), p.port ? p.port : p.declared_port, NULL, 0, err);
    if (rc)
        return rc;
    pthread_mutex_lock(&t->mutex);
    rc = sf_proftpd_stop(op, &p, err);
    if (rc == SF_OK)
        rc = remove_files(op, &p, err);
    pthread_mutex_unlock(&t->mutex);
    return rc;
}

extern const struct sf_driver sf_driver_local_sftp_server;
const struct sf_driver sf_driver_local_sftp_server = {.kind = "sftp_server",
                                                      .world = "local",
                                                      .read = read_server,
                                                      .find = find,
                                                      .create = create,
                                                      .update = update,
                                                      .destroy = destroy,
                                                      .preflight = preflight,
                                                      .derive = derive};
