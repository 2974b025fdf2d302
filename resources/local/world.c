/* The local world: finds its territory and the account its servers run as; the rest of the struct is in objects.c and
 * warehouse.c.
 *
 * Default territory: <state_dir>/world. Started by root, the servers run as another account; if that account cannot get to the
 * default (a 0700 directory above it), the territory is /var/lib/sfstack/<stack>-<hash of the stack's real path>, which is recorded
 * in state. Never root's servers, and never root's files in somebody's home. */
#include "resources/local/objects.h"
#include "resources/local/sweep.h"
#include "resources/local/territory.h"
#include "resources/local/warehouse.h"
#include "resources/net/pg.h"

#include "engine/core/clock.h"

#include <errno.h>
#include <limits.h>
#include <pwd.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/fsuid.h>
#include <sys/stat.h>
#include <unistd.h>

#define SYSTEM_ROOT "/var/lib/sfstack"

static const char *const default_accounts[] = {"_sfstack", "postgres"};

static const char *user_name(struct sf_arena *arena, uid_t uid)
{
    struct passwd entry, *found = NULL;
    char buf[4096];
    if (getpwuid_r(uid, &entry, buf, sizeof(buf), &found) == 0 && found)
        return sf_str_dup(arena, sf_str_of(entry.pw_name)).p;
    return sf_str_fmt(arena, "%lu", (unsigned long)uid).p;
}

static bool find_account(struct sf_arena *arena, const char *name, struct sf_territory *t)
{
    struct passwd entry, *found = NULL;
    char buf[4096];
    if (getpwnam_r(name, &entry, buf, sizeof(buf), &found) != 0 || !found)
        return false;
    t->run_user = sf_str_dup(arena, sf_str_of(name)).p;
    t->run_uid = entry.pw_uid;
    t->run_gid = entry.pw_gid;
    return true;
}

/* Which account the servers run as. */
static enum sf_code choose_account(struct sf_arena *arena, const struct sf_site *site, struct sf_territory *t, struct sf_err *err)
{
    if (geteuid() != 0) {
        t->run_uid = geteuid();
        t->run_gid = getegid();
        t->run_user = user_name(arena, t->run_uid);
        return SF_OK;
    }
    t->switches_user = true;
    struct sf_str wish = sf_map_str(site->settings, "run_as");
    if (wish.n) {
        if (!find_account(arena, sf_str_dup(arena, wish).p, t)) {
            sf_fail(err, SF_E_CONFIG, "there is no account '%.*s' on this machine", SF_ARG(wish));
            sf_hint(err, "correct `local: {run_as: ...}`, or make it: useradd --system --shell /usr/sbin/nologin %.*s",
                    SF_ARG(wish));
            return SF_E_CONFIG;
        }
    } else {
        bool found = false;
        for (size_t i = 0; !found && i < SF_COUNT(default_accounts); i++)
            found = find_account(arena, default_accounts[i], t);
        if (!found) {
            sf_fail(err, SF_E_UNAVAILABLE,
                    "started by root, but there is no account '_sfstack' or 'postgres' to run the servers as");
            sf_hint(err, "run it as an ordinary user, or name an account: `local: {run_as: NAME}`");
            return SF_E_UNAVAILABLE;
        }
    }
    if (t->run_uid == 0) {
        sf_fail(err, SF_E_CONFIG, "servers never run as root");
        sf_hint(err, "name an unprivileged account in `local: {run_as: ...}`");
        return SF_E_CONFIG;
    }
    return SF_OK;
}

/* Stops when somebody else's files are about to be mixed with ours. */
static enum sf_code check_owner_of(const char *path, bool is_ours_to_make, struct sf_arena *arena, struct sf_err *err)
{
    struct stat st;
    if (stat(path, &st) != 0 || st.st_uid == geteuid())
        return SF_OK;
    /* a directory of root's or of a group's, in which an ordinary user may write, is a fine place for his own .sf */
    if (geteuid() != 0 && !is_ours_to_make)
        return SF_OK;
    const char *owner = user_name(arena, st.st_uid);
    sf_fail(err, SF_E_DENIED, "'%s' belongs to '%s', but this runs as '%s'", path, owner, user_name(arena, geteuid()));
    if (geteuid() == 0)
        sf_hint(err, "run it without sudo, as '%s'; if it is meant to be root's: chown -R root '%s'", owner, path);
    else
        sf_hint(err, "sudo chown -R %s '%s'", user_name(arena, geteuid()), path);
    return SF_E_DENIED;
}

static enum sf_code check_directory(struct sf_arena *arena, struct sf_site *site, struct sf_err *err)
{
    enum sf_code rc = check_owner_of(sf_str_fmt(arena, "%s/.sf", site->stack_dir).p, true, arena, err);
    return rc ? rc : check_owner_of(site->stack_dir, false, arena, err);
}

/* Whether the run account gets to (not yet made) `path`: every directory above it lets it pass. */
static bool can_traverse(struct sf_arena *arena, const struct sf_territory *t, const char *path)
{
    struct stat st;
    struct sf_str dir = sf_str_of(path);
    /* what is missing would be made 0700 */
    while (dir.n > 1 && dir.p[dir.n - 1] != '/')
        dir.n--;
    const char *inside = sf_str_fmt(arena, "%.*s.", SF_ARG(dir)).p;
    setfsgid(t->run_gid);
    setfsuid(t->run_uid);
    bool can = stat(inside, &st) == 0;
    setfsuid(0);
    setfsgid(0);
    return can;
}

static enum sf_code make_dirs(struct sf_arena *arena, const char *path, mode_t mode, struct sf_err *err)
{
    struct sf_str all = sf_str_of(path);
    for (size_t i = 1; i <= all.n; i++) {
        if (i < all.n && all.p[i] != '/')
            continue;
        const char *dir = sf_str_dup(arena, sf_str_slice(all, 0, i)).p;
        if (mkdir(dir, mode) == 0) {
            if (chmod(dir, mode) != 0)
                return sf_fail_errno(err, SF_E_IO, "cannot set the mode of '%s'", dir);
        } else if (errno != EEXIST) {
            return sf_fail_errno(err, SF_E_IO, "cannot make the directory '%s'", dir);
        }
    }
    return SF_OK;
}

/* An absolute path without `.`, `..` and doubled slashes: it is compared with others, and need not exist yet. */
static struct sf_str without_dots(struct sf_arena *arena, struct sf_str path)
{
    char *out = sf_arena_alloc(arena, path.n + 2);
    size_t n = 0, end;
    for (size_t at = 0; at < path.n; at = end + 1) {
        end = at;
        while (end < path.n && path.p[end] != '/')
            end++;
        struct sf_str part = sf_str_slice(path, at, end);
        if (!part.n || sf_str_is(part, "."))
            continue;
        if (sf_str_is(part, "..")) {
            while (n > 0 && out[--n] != '/') {
            }
            continue;
        }
        out[n++] = '/';
        memcpy(out + n, part.p, part.n);
        n += part.n;
    }
    if (!n)
        out[n++] = '/';
    out[n] = 0;
    return (struct sf_str){out, n};
}

/* Where the territory is. *is_elsewhere: not the default place, so it must be recorded. */
static enum sf_code choose_dir(struct sf_arena *arena, const struct sf_site *site, const struct sf_value *recorded, bool may_write,
                               struct sf_territory *t, bool *is_elsewhere, struct sf_err *err)
{
    const char *usual = sf_str_fmt(arena, "%s/world", site->state_dir).p;
    struct sf_str earlier = sf_map_str(recorded, "dir");
    struct sf_str wish = sf_map_str(site->settings, "root");
    if (wish.n && wish.p[0] != '/')
        wish = sf_str_fmt(arena, "%s/%.*s", site->stack_dir, SF_ARG(wish));
    if (wish.n)
        wish = without_dots(arena, wish);
    if (wish.n && earlier.n && !sf_str_eq(wish, earlier)) {
        sf_fail(err, SF_E_CONFIG, "this stack's local world is in '%.*s', but `local: {root}` says '%.*s'", SF_ARG(earlier),
                SF_ARG(wish));
        sf_hint(err, "put the old `root` back; to move, run sfdestroy first");
        return SF_E_CONFIG;
    }
    *is_elsewhere = true;
    if (earlier.n || wish.n) {
        t->dir = sf_str_dup(arena, earlier.n ? earlier : wish).p;
        return SF_OK;
    }
    if (may_write) {
        enum sf_code rc = make_dirs(arena, site->state_dir, 0700, err);
        if (rc)
            return rc;
    }
    if (!t->switches_user || can_traverse(arena, t, usual)) {
        *is_elsewhere = false;
        t->dir = usual;
        return SF_OK;
    }
    char real[PATH_MAX];
    struct sf_str hash = sf_sha256_hex(arena, sf_str_of(realpath(site->stack_dir, real) ? real : site->stack_dir));
    t->dir = sf_str_fmt(arena, SYSTEM_ROOT "/%.*s-%.12s", SF_ARG(site->stack), hash.p).p;
    return SF_OK;
}

static enum sf_code chown_line(const struct sf_territory *t, struct sf_err *err, const char *owner)
{
    sf_fail(err, SF_E_DENIED, "the local world '%s' belongs to '%s', but its servers run as '%s'", t->dir, owner, t->run_user);
    sf_hint(err, "%schown -R %s '%s'", geteuid() == 0 ? "" : "sudo ", t->run_user, t->dir);
    return SF_E_DENIED;
}

/* The territory's directory, made if need be, and the right owner's. */
static enum sf_code open_dir(struct sf_arena *arena, const struct sf_site *site, bool may_write, struct sf_territory *t,
                             struct sf_err *err)
{
    struct stat st;
    if (stat(t->dir, &st) != 0 && errno == ENOENT && may_write) {
        const char *parent = sf_str_dup(arena, sf_str_slice(sf_str_of(t->dir), 0, (size_t)(strrchr(t->dir, '/') - t->dir))).p;
        enum sf_code rc = *parent ? make_dirs(arena, parent, t->switches_user ? 0755 : 0700, err) : SF_OK;
        if (rc)
            return rc;
        if (mkdir(t->dir, 0700) != 0 || (t->switches_user && chown(t->dir, t->run_uid, t->run_gid) != 0))
            return sf_fail_errno(err, SF_E_IO, "cannot make the local world's directory '%s'", t->dir);
    }
    if (stat(t->dir, &st) != 0)
        return may_write || errno != ENOENT ? sf_fail_errno(err, SF_E_IO, "cannot use the local world's directory '%s'", t->dir)
                                            : SF_OK;
    if (!S_ISDIR(st.st_mode))
        return sf_fail(err, SF_E_IO, "the local world's place '%s' is not a directory", t->dir);
    if (st.st_uid == t->run_uid)
        return SF_OK;
    const char *owner = user_name(arena, st.st_uid);
    /* made earlier for another account than today's default: its owner goes on running the servers */
    if (t->switches_user && st.st_uid != 0 && !sf_map_str(site->settings, "run_as").n && find_account(arena, owner, t))
        return SF_OK;
    return chown_line(t, err, owner);
}

static enum sf_code open_world(struct sf_arena *arena, struct sf_site *site, bool may_write, const struct sf_value *recorded,
                               void **ctx, const struct sf_value **record, struct sf_err *err)
{
    struct sf_territory *t = SF_NEW(arena, struct sf_territory);
    bool is_elsewhere = false;
    *ctx = NULL;
    *record = NULL;
    sf_pg_forget_environment();
    enum sf_code rc = check_directory(arena, site, err);
    if (rc == SF_OK)
        rc = choose_account(arena, site, t, err);
    if (rc == SF_OK)
        rc = choose_dir(arena, site, recorded, may_write, t, &is_elsewhere, err);
    if (rc == SF_OK)
        rc = open_dir(arena, site, may_write, t, err);
    if (rc)
        return rc;
    pthread_mutex_init(&t->mutex, NULL);
    if (is_elsewhere && !sf_map_str(recorded, "dir").n) {
        struct sf_value *now = sf_value_map(arena);
        sf_map_set_str(arena, now, "dir", sf_str_of(t->dir));
        *record = now;
    }
    *ctx = t;
    return SF_OK;
}

extern const struct sf_world sf_world_local;
const struct sf_world sf_world_local = {
    .name = "local",
    .dialect = &sf_dialect_postgresql,
    .account = {"000000000000", 12},
    .region = {"local", 5},
    .check = check_directory,
    .open = open_world,
    .sweep = sf_local_sweep,
    .bucket_list = sf_local_bucket_list,
    .bucket_open = sf_local_bucket_open,
    .bucket_put = sf_local_bucket_put,
    .bucket_put_many = sf_local_bucket_put_many,
    .bucket_delete = sf_local_bucket_delete,
    .warehouse_query = sf_local_warehouse_query,
    .warehouse_stage = sf_local_warehouse_stage,
    .warehouse_ask = sf_local_warehouse_ask,
    .warehouse_run = sf_local_warehouse_run,
    .warehouse_control = sf_local_warehouse_control,
};
