/* The local world's territory: the directory in which its objects are, and the account its servers run as.
 *
 * <dir>/buckets/NAME/data/...      the bucket's objects, keys as paths      <dir>/buckets/NAME/meta.json
 * <dir>/iam/{policies,roles}/NAME.json                                       (meta inside the file)
 * <dir>/ssh_keys/ID/meta.json      <dir>/security_groups/ID.json
 * <dir>/sftp/ID/                   meta.json, proftpd.conf, host keys, users/, pid, log
 * <dir>/clusters/ID/               meta.json, data/, pid, log
 *
 * What is on disk and listening IS the actual state that read() reports. Every object carries its ownership:
 * {"stack": "<stack>/<lineage>", "address": ..., "intent": ...}. Files are replaced atomically (write, fsync, rename, fsync
 * of the directory). Called from worker threads; the mutex guards what is derived from several objects. */
#ifndef SF_LOCAL_TERRITORY_H
#define SF_LOCAL_TERRITORY_H

#include "engine/core/json.h"
#include "engine/kind.h"
#include "resources/site/file.h"

#include <pthread.h>
#include <sys/types.h>

struct sf_territory {
    const char *dir;      /* absolute, no final slash */
    const char *run_user; /* account of the servers: ourselves, or run_as when started by root */
    uid_t run_uid;
    gid_t run_gid;
    bool switches_user; /* we are root and servers run as run_user */
    pthread_mutex_t mutex;
};

/* The territory of this operation's world. */
struct sf_territory *sf_territory_of(const struct sf_op *op);
/* "<dir>/<formatted>" in op->arena. */
const char *sf_territory_path(const struct sf_op *op, const char *fmt, ...) SF_PRINTF(2, 3);

/* Between these two, the file system calls of this thread are made as the run account, so that root is never led
 * through a link which that account planted. Nothing happens when we do not switch user. No nesting. */
void sf_territory_enter(const struct sf_op *op);
void sf_territory_leave(const struct sf_op *op);

/* In the functions below a path inside the territory is worked on as the run account, any other path (secrets_dir, cache_dir) as
 * ourselves. */

/* Makes a directory (parents too) with `mode`, owned by the run account. Present is success. */
enum sf_code sf_territory_mkdir(struct sf_op *op, const char *path, mode_t mode, struct sf_err *err) SF_MUST_CHECK;
/* Whole file into the arena. SF_E_ABSENT when there is none. */
enum sf_code sf_territory_read_file(struct sf_op *op, const char *path, struct sf_str *bytes, struct sf_err *err) SF_MUST_CHECK;
/* Replaces the file atomically and durably, owned by the run account, with `mode`. */
enum sf_code sf_territory_write_file(struct sf_op *op, const char *path, struct sf_str bytes, mode_t mode,
                                     struct sf_err *err) SF_MUST_CHECK;
/* The same, only if the contents differ; *changed tells. */
enum sf_code sf_territory_write_changed(struct sf_op *op, const char *path, struct sf_str bytes, mode_t mode, bool *changed,
                                        struct sf_err *err) SF_MUST_CHECK;
/* Removes a tree; absent is success. Never follows a symbolic link out of it. */
enum sf_code sf_territory_remove_tree(struct sf_op *op, const char *path, struct sf_err *err) SF_MUST_CHECK;

/* meta.json: {"owner": {stack, address, intent}, "id": ..., "attrs": {...}}. read: SF_E_ABSENT when there is none. */
enum sf_code sf_territory_read_meta(struct sf_op *op, const char *path, const struct sf_value **meta,
                                    struct sf_err *err) SF_MUST_CHECK;
/* Writes it with this operation's ownership (the intent of an earlier writer is kept). */
enum sf_code sf_territory_write_meta(struct sf_op *op, const char *path, struct sf_str id, const struct sf_value *attrs,
                                     struct sf_err *err) SF_MUST_CHECK;
/* Whether the meta belongs to this stack, lineage and address. SF_E_CONFLICT names the owner and says what to do. */
enum sf_code sf_territory_check_owner(struct sf_op *op, const struct sf_value *meta, const char *what,
                                      struct sf_err *err) SF_MUST_CHECK;
/* The same without the address: for what is already recorded as ours (an address may have been renamed since). */
enum sf_code sf_territory_check_stack(struct sf_op *op, const struct sf_value *meta, const char *what,
                                      struct sf_err *err) SF_MUST_CHECK;
/* Whether the meta was made by the open intent op->intent. */
bool sf_territory_is_from_intent(const struct sf_op *op, const struct sf_value *meta);

/* The object {"owner", "id", "attrs"} that write_meta() writes, for kinds whose meta is inside a larger file. `earlier` (or NULL)
 * keeps its intent. */
struct sf_value *sf_territory_meta(struct sf_op *op, struct sf_str id, const struct sf_value *attrs,
                                   const struct sf_value *earlier);

/* Names of the entries of a directory (no dot files), sorted; none when it is absent. */
enum sf_code sf_territory_list(struct sf_op *op, const char *path, struct sf_str **names, size_t *n,
                               struct sf_err *err) SF_MUST_CHECK;

/* Rewrites every server configuration derived from the territory (ProFTPD's from users, roles, policies and buckets;
 * PostgreSQL's from security groups) and reloads only what changed. Idempotent; takes the mutex. Every mutating local driver ends
 * with it. */
enum sf_code sf_local_enforce(struct sf_op *op, struct sf_err *err) SF_MUST_CHECK;

#endif
