/* See territory.h: files of the local world, replaced atomically, and the ownership marks in them. Nothing here knows a
 * kind. When we are root and servers run as another account, everything inside the territory is touched with that
 * account's file system identity: that account owns the directories and could otherwise lead root through a link. */
#include "resources/local/territory.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <sys/fsuid.h>
#include <unistd.h>

enum { MAX_TREE_DEPTH = 700 };

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

enum sf_code sf_territory_mkdir(struct sf_op *op, const char *path, mode_t mode, struct sf_err *err)
{
    bool inside = begin(op, path);
    enum sf_code rc = sf_file_mkdir(op->arena, path, mode, err);
    end(op, inside);
    return rc;
}

enum sf_code sf_territory_read_file(struct sf_op *op, const char *path, struct sf_str *bytes, struct sf_err *err)
{
    bool inside = begin(op, path);
    enum sf_code rc = sf_file_read(op->arena, path, bytes, err);
    end(op, inside);
    if (rc == SF_E_IO && errno == EACCES)
        sf_hint(err, "give it back to the account the servers run as: chown -R %s %s", sf_territory_of(op)->run_user,
                sf_territory_of(op)->dir);
    return rc;
}

enum sf_code sf_territory_write_file(struct sf_op *op, const char *path, struct sf_str bytes, mode_t mode, struct sf_err *err)
{
    bool inside = begin(op, path);
    enum sf_code rc = sf_file_replace(op->arena, path, bytes, mode, err);
    end(op, inside);
    return rc;
}

enum sf_code sf_territory_write_changed(struct sf_op *op, const char *path, struct sf_str bytes, mode_t mode, bool *changed,
                                        struct sf_err *err)
{
    bool inside = begin(op, path);
    *changed = !sf_file_is(op->arena, path, bytes, mode);
    enum sf_code rc = *changed ? sf_file_replace(op->arena, path, bytes, mode, err) : SF_OK;
    end(op, inside);
    return rc;
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

static enum sf_code write_in_dir(struct sf_op *op, const char *path, struct sf_str bytes, struct sf_err *err)
{
    bool inside = begin(op, path);
    enum sf_code rc = sf_file_replace_in_dir(op->arena, path, bytes, 0600, err);
    end(op, inside);
    return rc;
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
        rc = write_in_dir(op, path, sf_buf_str(&text), err);
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
        *names = sf_arena_grow(op->arena, *names, *n, &cap, sizeof(**names));
        (*names)[(*n)++] = sf_str_dup(op->arena, sf_str_of(entry->d_name));
    }
    closedir(dir);
    if (*n)
        qsort(*names, *n, sizeof(**names), by_name);
    return SF_OK;
}
