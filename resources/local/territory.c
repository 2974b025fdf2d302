/* See territory.h: files of the local world, replaced atomically, and the ownership marks in them. Nothing here knows a
 * kind. When we are root and servers run as another account, everything inside the territory is touched with that
 * account's file system identity: that account owns the directories and could otherwise lead root through a link. */
#include "resources/local/territory.h"

#include "engine/core/clock.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/fsuid.h>
#include <sys/stat.h>
#include <unistd.h>

enum { MAX_FILE_BYTES = SF_MAX_JSON_BYTES, MAX_TREE_DEPTH = 700 };

struct sf_territory *sf_territory_of(const struct sf_op *op)
{
    return op->site->world_ctx;
}

const char *sf_territory_path(const struct sf_op *op, const char *fmt, ...)
{
    va_list ap;
    va_start(ap, fmt);
    struct sf_str tail = sf_str_vfmt(op->arena, fmt, ap);
    va_end(ap);
    return sf_str_fmt(op->arena, "%s/%.*s", sf_territory_of(op)->dir, SF_ARG(tail)).p;
}

void sf_territory_enter(const struct sf_op *op)
{
    const struct sf_territory *t = sf_territory_of(op);
    if (!t->switches_user)
        return;
    /* both calls are per thread; group first, while we still may */
    setfsgid(t->run_gid);
    setfsuid(t->run_uid);
}

void sf_territory_leave(const struct sf_op *op)
{
    if (!sf_territory_of(op)->switches_user)
        return;
    int kept = errno;
    setfsuid(0);
    setfsgid(0);
    errno = kept;
}

static bool is_below(const char *path, const char *dir)
{
    size_t n = dir ? strlen(dir) : 0;
    return n && strncmp(path, dir, n) == 0 && path[n] == '/' && path[n + 1];
}

/* Enters when the path is the territory's; the answer goes to end(). */
static bool begin(const struct sf_op *op, const char *path)
{
    bool inside = is_below(path, sf_territory_of(op)->dir);
    if (inside)
        sf_territory_enter(op);
    return inside;
}

static void end(const struct sf_op *op, bool inside)
{
    if (inside)
        sf_territory_leave(op);
}

static enum sf_code mkdir_all(struct sf_op *op, const char *path, mode_t mode, struct sf_err *err)
{
    if (mkdir(path, mode) == 0) {
        /* the umask may have taken bits away */
        if (chmod(path, mode) != 0)
            return sf_fail_errno(err, SF_E_IO, "cannot set the mode of '%s'", path);
        return SF_OK;
    }
    if (errno == EEXIST) {
        struct stat st;
        if (lstat(path, &st) == 0 && S_ISDIR(st.st_mode))
            return SF_OK;
        sf_fail(err, SF_E_IO, "'%s' exists and is not a directory", path);
        sf_hint(err, "move it away, then run again");
        return SF_E_IO;
    }
    const char *slash = strrchr(path, '/');
    if (errno != ENOENT || !slash || slash == path)
        return sf_fail_errno(err, SF_E_IO, "cannot make the directory '%s'", path);
    struct sf_str parent = sf_str_dup(op->arena, (struct sf_str){path, (size_t)(slash - path)});
    enum sf_code rc = mkdir_all(op, parent.p, mode, err);
    if (rc)
        return rc;
    if (mkdir(path, mode) != 0 && errno != EEXIST)
        return sf_fail_errno(err, SF_E_IO, "cannot make the directory '%s'", path);
    return SF_OK;
}

enum sf_code sf_territory_mkdir(struct sf_op *op, const char *path, mode_t mode, struct sf_err *err)
{
    bool inside = begin(op, path);
    enum sf_code rc = mkdir_all(op, path, mode, err);
    end(op, inside);
    return rc;
}

static enum sf_code read_all(struct sf_op *op, int fd, const char *path, struct sf_str *bytes, struct sf_err *err)
{
    struct stat st;
    if (fstat(fd, &st) != 0)
        return sf_fail_errno(err, SF_E_IO, "cannot read '%s'", path);
    if (!S_ISREG(st.st_mode))
        return sf_fail(err, SF_E_IO, "'%s' is not a regular file", path);
    if (st.st_size > MAX_FILE_BYTES)
        return sf_fail(err, SF_E_IO, "'%s' is larger than %d bytes", path, MAX_FILE_BYTES);
    size_t size = (size_t)st.st_size, n = 0;
    char *p = sf_arena_alloc(op->arena, size + 1);
    while (n < size) {
        ssize_t got = read(fd, p + n, size - n);
        if (got < 0 && errno == EINTR)
            continue;
        if (got < 0)
            return sf_fail_errno(err, SF_E_IO, "cannot read '%s'", path);
        if (got == 0)
            break;
        n += (size_t)got;
    }
    *bytes = (struct sf_str){p, n};
    return SF_OK;
}

enum sf_code sf_territory_read_file(struct sf_op *op, const char *path, struct sf_str *bytes, struct sf_err *err)
{
    *bytes = SF_STR_NONE;
    bool inside = begin(op, path);
    int fd = open(path, O_RDONLY | O_CLOEXEC | O_NOFOLLOW | O_NONBLOCK);
    end(op, inside);
    if (fd < 0) {
        if (errno == ENOENT || errno == ENOTDIR)
            return sf_fail(err, SF_E_ABSENT, "there is no file '%s'", path);
        bool foreign = errno == EACCES;
        sf_fail_errno(err, SF_E_IO, "cannot open '%s'", path);
        if (foreign)
            sf_hint(err, "give it back to the account the servers run as: chown -R %s %s", sf_territory_of(op)->run_user,
                    sf_territory_of(op)->dir);
        return SF_E_IO;
    }
    enum sf_code rc = read_all(op, fd, path, bytes, err);
    close(fd);
    return rc;
}

static bool write_all(int fd, struct sf_str bytes)
{
    while (bytes.n) {
        ssize_t put = write(fd, bytes.p, bytes.n);
        if (put < 0 && errno == EINTR)
            continue;
        if (put < 0)
            return false;
        bytes.p += put;
        bytes.n -= (size_t)put;
    }
    return true;
}

/* Removes what runs that were killed while writing left in this directory; their process is in the name. The file they were about
 * is still the old one, so a run that makes good comes by here. */
static void remove_stale_temps(int dir_fd)
{
    int copy = openat(dir_fd, ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    DIR *dir = copy >= 0 ? fdopendir(copy) : NULL;
    struct dirent *entry;
    while (dir && (entry = readdir(dir)) != NULL) {
        long pid = 0;
        char dot = 0;
        if (sscanf(entry->d_name, SF_TEMP_PREFIX "%ld%c", &pid, &dot) == 2 && dot == '.' && pid > 0 && pid <= INT32_MAX &&
            kill((pid_t)pid, 0) != 0 && errno == ESRCH)
            unlinkat(dir_fd, entry->d_name, 0);
    }
    if (dir)
        closedir(dir);
    else if (copy >= 0)
        close(copy);
}

/* Write, fsync, rename, fsync of the directory: after a crash the old file or the new one is there, whole. */
static enum sf_code replace_file(struct sf_op *op, const char *path, struct sf_str bytes, mode_t mode, struct sf_err *err)
{
    const char *slash = strrchr(path, '/');
    if (!slash)
        return sf_fail(err, SF_E_INTERNAL, "'%s' is not an absolute path", path);
    struct sf_str dir = sf_str_dup(op->arena, (struct sf_str){path, (size_t)(slash - path)});
    unsigned char random[8];
    sf_random_bytes(random, sizeof(random));
    const char *temp =
        sf_str_fmt(op->arena, SF_TEMP_PREFIX "%ld.%.*s", (long)getpid(), SF_ARG(sf_str_hex(op->arena, random, sizeof(random)))).p;
    enum sf_code rc = SF_OK;
    int fd = -1;
    int dir_fd = open(dir.p, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    if (dir_fd < 0)
        return sf_fail_errno(err, SF_E_IO, "cannot open the directory '%s'", dir.p);
    remove_stale_temps(dir_fd);
    fd = openat(dir_fd, temp, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC | O_NOFOLLOW, 0600);
    if (fd < 0) {
        rc = sf_fail_errno(err, SF_E_IO, "cannot write in '%s'", dir.p);
        goto out;
    }
    if (!write_all(fd, bytes) || fchmod(fd, mode) != 0 || fsync(fd) != 0 || renameat(dir_fd, temp, dir_fd, slash + 1) != 0) {
        rc = sf_fail_errno(err, SF_E_IO, "cannot write '%s'", path);
        unlinkat(dir_fd, temp, 0);
        goto out;
    }
    if (fsync(dir_fd) != 0)
        rc = sf_fail_errno(err, SF_E_IO, "cannot make '%s' durable", path);
out:
    if (fd >= 0)
        close(fd);
    close(dir_fd);
    return rc;
}

enum sf_code sf_territory_write_file(struct sf_op *op, const char *path, struct sf_str bytes, mode_t mode, struct sf_err *err)
{
    bool inside = begin(op, path);
    enum sf_code rc = replace_file(op, path, bytes, mode, err);
    end(op, inside);
    return rc;
}

enum sf_code sf_territory_write_changed(struct sf_op *op, const char *path, struct sf_str bytes, mode_t mode, bool *changed,
                                        struct sf_err *err)
{
    struct sf_str now;
    struct stat st;
    *changed = false;
    enum sf_code rc = sf_territory_read_file(op, path, &now, NULL);
    if (rc == SF_OK && sf_str_eq(now, bytes) && lstat(path, &st) == 0 && (st.st_mode & 07777) == mode)
        return SF_OK;
    *changed = true;
    return sf_territory_write_file(op, path, bytes, mode, err);
}

/* Empties the directory behind `fd`, which it closes. */
static bool remove_children(int fd, int depth)
{
    DIR *dir = depth < MAX_TREE_DEPTH ? fdopendir(fd) : NULL;
    if (!dir) {
        close(fd);
        return false;
    }
    bool ok = true;
    struct dirent *entry;
    while (ok && (errno = 0, entry = readdir(dir)) != NULL) {
        if (strcmp(entry->d_name, ".") == 0 || strcmp(entry->d_name, "..") == 0)
            continue;
        if (unlinkat(fd, entry->d_name, 0) == 0 || errno == ENOENT)
            continue;
        if (errno != EISDIR && errno != EPERM) {
            ok = false;
            break;
        }
        int child = openat(fd, entry->d_name, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
        ok = child >= 0 && remove_children(child, depth + 1);
        if (ok)
            ok = unlinkat(fd, entry->d_name, AT_REMOVEDIR) == 0 || errno == ENOENT;
    }
    if (ok && errno && errno != ENOENT)
        ok = false;
    int kept = errno;
    closedir(dir);
    errno = kept;
    return ok;
}

static enum sf_code remove_tree(const char *path, struct sf_err *err)
{
    if (unlink(path) == 0 || errno == ENOENT || errno == ENOTDIR)
        return SF_OK;
    if (errno != EISDIR && errno != EPERM)
        return sf_fail_errno(err, SF_E_IO, "cannot remove '%s'", path);
    int fd = open(path, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
    if (fd < 0)
        return sf_fail_errno(err, SF_E_IO, "cannot remove '%s'", path);
    if (!remove_children(fd, 0) || (rmdir(path) != 0 && errno != ENOENT))
        return sf_fail_errno(err, SF_E_IO, "cannot remove all of '%s'", path);
    return SF_OK;
}

enum sf_code sf_territory_remove_tree(struct sf_op *op, const char *path, struct sf_err *err)
{
    /* a wrong path here would cost somebody his files */
    if (strstr(path, "/../") ||
        (!is_below(path, sf_territory_of(op)->dir) && !is_below(path, op->site->state_dir) && !is_below(path, op->site->cache_dir)))
        return sf_fail(err, SF_E_INTERNAL, "'%s' is not inside this stack's directories, so it is not removed", path);
    bool inside = begin(op, path);
    enum sf_code rc = remove_tree(path, err);
    end(op, inside);
    return rc;
}

static struct sf_str owner_of(struct sf_op *op)
{
    return sf_str_fmt(op->arena, "%.*s/%.*s", SF_ARG(op->site->stack), SF_ARG(op->site->lineage));
}

enum sf_code sf_territory_read_meta(struct sf_op *op, const char *path, const struct sf_value **meta, struct sf_err *err)
{
    struct sf_str bytes;
    *meta = NULL;
    enum sf_code rc = sf_territory_read_file(op, path, &bytes, err);
    if (rc)
        return rc;
    rc = sf_json_parse(op->arena, bytes, path, SF_JSON_STATE, meta, err);
    if (rc || (*meta)->type != SF_V_MAP) {
        if (!rc)
            sf_fail(err, SF_E_IO, "'%s' holds no JSON object", path);
        sf_hint(err, "the file was damaged or edited by hand; remove it and run sfapply, which makes the object anew");
        return SF_E_IO;
    }
    return SF_OK;
}

struct sf_value *sf_territory_meta(struct sf_op *op, struct sf_str id, const struct sf_value *attrs, const struct sf_value *earlier)
{
    struct sf_str intent = sf_map_str(sf_map_getz(earlier, "owner"), "intent");
    struct sf_value *owner = sf_value_map(op->arena);
    sf_map_set_str(op->arena, owner, "stack", owner_of(op));
    sf_map_set_str(op->arena, owner, "address", op->self->address);
    sf_map_set_str(op->arena, owner, "intent", intent.n ? intent : op->intent);
    struct sf_value *meta = sf_value_map(op->arena);
    sf_map_add(op->arena, meta, SF_STR("owner"), owner);
    sf_map_set_str(op->arena, meta, "id", id);
    sf_map_add(op->arena, meta, SF_STR("attrs"), attrs ? attrs : sf_value_map(op->arena));
    return meta;
}

enum sf_code sf_territory_write_meta(struct sf_op *op, const char *path, struct sf_str id, const struct sf_value *attrs,
                                     struct sf_err *err)
{
    const struct sf_value *earlier;
    enum sf_code rc = sf_territory_read_meta(op, path, &earlier, NULL);
    if (rc)
        earlier = NULL;
    struct sf_buf text = SF_BUF(SF_MAX_JSON_BYTES);
    sf_json_write_pretty(&text, sf_territory_meta(op, id, attrs, earlier), SF_JSON_STATE);
    sf_buf_addc(&text, '\n');
    if (text.overflow)
        rc = sf_fail(err, SF_E_REFUSED, "the description of '%.*s' is too large", SF_ARG(id));
    else
        rc = sf_territory_write_file(op, path, sf_buf_str(&text), 0600, err);
    sf_buf_free(&text);
    return rc;
}

enum sf_code sf_territory_check_stack(struct sf_op *op, const struct sf_value *meta, const char *what, struct sf_err *err)
{
    const struct sf_value *owner = sf_map_getz(meta, "owner");
    struct sf_str stack = sf_map_str(owner, "stack");
    if (sf_str_eq(stack, owner_of(op)))
        return SF_OK;
    if (!stack.n) {
        sf_fail(err, SF_E_CONFLICT, "%s exists already and carries no mark of a stack", what);
        sf_hint(err, "choose another name, or remove it if it is not needed");
        return SF_E_CONFLICT;
    }
    sf_fail(err, SF_E_CONFLICT, "%s belongs to stack '%.*s' (%.*s)", what, SF_ARG(stack), SF_ARG(sf_map_str(owner, "address")));
    struct sf_str same = sf_str_fmt(op->arena, "%.*s/", SF_ARG(op->site->stack));
    if (sf_str_starts(stack, same))
        sf_hint(err, "it was made under an earlier state of this stack: put that state.db back (state.db.backup lies beside it), "
                     "or choose another name");
    else
        sf_hint(err, "choose another name, or let that stack give it up with `sfdestroy`");
    return SF_E_CONFLICT;
}

enum sf_code sf_territory_check_owner(struct sf_op *op, const struct sf_value *meta, const char *what, struct sf_err *err)
{
    enum sf_code rc = sf_territory_check_stack(op, meta, what, err);
    if (rc)
        return rc;
    struct sf_str address = sf_map_str(sf_map_getz(meta, "owner"), "address");
    if (sf_str_eq(address, op->self->address))
        return SF_OK;
    sf_fail(err, SF_E_CONFLICT, "%s is '%.*s' of this stack already", what, SF_ARG(address));
    sf_hint(err, "give the two different names, or rename the resource with `moved`");
    return SF_E_CONFLICT;
}

bool sf_territory_is_from_intent(const struct sf_op *op, const struct sf_value *meta)
{
    struct sf_str intent = sf_map_str(sf_map_getz(meta, "owner"), "intent");
    return intent.n && sf_str_eq(intent, op->intent);
}

static int by_name(const void *a, const void *b)
{
    return sf_str_cmp(*(const struct sf_str *)a, *(const struct sf_str *)b);
}

enum sf_code sf_territory_list(struct sf_op *op, const char *path, struct sf_str **names, size_t *n, struct sf_err *err)
{
    *names = NULL;
    *n = 0;
    bool inside = begin(op, path);
    DIR *dir = opendir(path);
    end(op, inside);
    if (!dir && (errno == ENOENT || errno == ENOTDIR))
        return SF_OK;
    if (!dir)
        return sf_fail_errno(err, SF_E_IO, "cannot list '%s'", path);
    size_t cap = 0;
    struct dirent *entry;
    while ((entry = readdir(dir)) != NULL) {
        if (entry->d_name[0] == '.')
            continue;
        if (*n == cap) {
            struct sf_str *more = sf_arena_array(op->arena, cap ? cap * 2 : 16, sizeof(**names));
            if (*n)
                memcpy(more, *names, *n * sizeof(**names));
            cap = cap ? cap * 2 : 16;
            *names = more;
        }
        (*names)[(*n)++] = sf_str_dup(op->arena, sf_str_of(entry->d_name));
    }
    closedir(dir);
    if (*n)
        qsort(*names, *n, sizeof(**names), by_name);
    return SF_OK;
}
