/* See snapshot.h: kept snapshots and their pointers. */
#include "resources/data/source/snapshot.h"

#include "engine/core/clock.h"
#include "engine/core/json.h"
#include "resources/data/conform/conform.h"
#include "resources/data/conform/output.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <stdio.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <unistd.h>

enum { MAX_POINTER_BYTES = 1024 * 1024, NAP_MS = 100 };

enum sf_code sf_snapshot_lock(struct sf_arena *arena, const char *cache_dir, struct sf_str name, bool (*is_cancelled)(void *ctx),
                              void *ctx, int *lock, struct sf_err *err)
{
    static const char *const folders[] = {"source/partial", "source/snapshots"};
    *lock = -1;
    for (size_t i = 0; i < SF_COUNT(folders); i++) {
        enum sf_code rc = sf_output_make_dir(sf_str_fmt(arena, "%s/%s", cache_dir, folders[i]).p, err);
        if (rc)
            return rc;
    }
    const char *path = sf_str_fmt(arena, "%s/source/partial/%.*s.lock", cache_dir, SF_ARG(name)).p;
    int fd = open(path, O_RDWR | O_CREAT | O_CLOEXEC, 0644);
    if (fd < 0)
        return sf_fail_errno(err, SF_E_IO, "cannot write '%s'", path);
    while (flock(fd, LOCK_EX | LOCK_NB) != 0) {
        bool is_held = errno == EWOULDBLOCK || errno == EINTR;
        enum sf_code rc = !is_held ? sf_fail_errno(err, SF_E_IO, "cannot lock '%s'", path)
                          : is_cancelled(ctx)
                              ? sf_fail(err, SF_E_CANCELLED, "stopped while waiting for another run that fetches the same source")
                              : SF_OK;
        if (rc) {
            close(fd);
            return rc;
        }
        poll(NULL, 0, NAP_MS);
    }
    *lock = fd;
    return SF_OK;
}

void sf_snapshot_unlock(int lock)
{
    if (lock >= 0)
        close(lock);
}

static struct sf_str pointer_path(struct sf_arena *arena, const char *cache_dir, struct sf_str name)
{
    return sf_str_fmt(arena, "%s/source/%.*s.json", cache_dir, SF_ARG(name));
}

static bool read_pointer(struct sf_arena *arena, const char *path, const struct sf_value **pointer)
{
    FILE *file = fopen(path, "re");
    if (!file)
        return false;
    struct sf_buf text = SF_BUF(MAX_POINTER_BYTES);
    char chunk[8192];
    for (size_t n; (n = fread(chunk, 1, sizeof chunk, file)) > 0;)
        sf_buf_add(&text, (struct sf_str){chunk, n});
    fclose(file);
    bool is_read =
        !text.overflow && sf_json_parse(arena, sf_str_dup(arena, sf_buf_str(&text)), path, SF_JSON_PLAIN, pointer, NULL) == SF_OK;
    sf_buf_free(&text);
    return is_read;
}

bool sf_snapshot_find(struct sf_arena *arena, const char *cache_dir, struct sf_str name, struct sf_snapshot *out)
{
    const struct sf_value *pointer;
    struct stat st;
    *out = (struct sf_snapshot){.path = NULL};
    if (!read_pointer(arena, pointer_path(arena, cache_dir, name).p, &pointer))
        return false;
    struct sf_str file = sf_map_str(pointer, "snapshot");
    if (file.n == 0 || memchr(file.p, '/', file.n))
        return false;
    *out = (struct sf_snapshot){.path = sf_str_fmt(arena, "%s/source/snapshots/%.*s", cache_dir, SF_ARG(file)).p,
                                .id = sf_map_str(pointer, "id"),
                                .bytes = (uint64_t)sf_map_int(pointer, "bytes", 0),
                                .packed_bytes = (uint64_t)sf_map_int(pointer, "packed_bytes", 0),
                                .rows = (uint64_t)sf_map_int(pointer, "rows", 0),
                                .about = sf_map_getz(pointer, "about")};
    return out->id.n == 16 && stat(out->path, &st) == 0 && S_ISREG(st.st_mode) && (uint64_t)st.st_size == out->packed_bytes;
}

enum sf_code sf_snapshot_point(struct sf_arena *arena, const char *cache_dir, struct sf_str name,
                               const struct sf_snapshot *snapshot, struct sf_err *err)
{
    struct sf_value *pointer = sf_value_map(arena);
    const char *slash = strrchr(snapshot->path, '/');
    sf_map_set_str(arena, pointer, "snapshot", sf_str_of(slash ? slash + 1 : snapshot->path));
    sf_map_set_str(arena, pointer, "id", snapshot->id);
    sf_map_set_int(arena, pointer, "bytes", (int64_t)snapshot->bytes);
    sf_map_set_int(arena, pointer, "packed_bytes", (int64_t)snapshot->packed_bytes);
    sf_map_set_int(arena, pointer, "rows", (int64_t)snapshot->rows);
    sf_map_set_str(arena, pointer, "fetched_at", sf_clock_rfc3339(arena, sf_clock_wall_ms()));
    sf_map_set(arena, pointer, SF_STR("about"), snapshot->about);
    struct sf_buf text = SF_BUF(MAX_POINTER_BYTES);
    sf_json_write_pretty(&text, pointer, SF_JSON_PLAIN);
    sf_buf_addc(&text, '\n');
    enum sf_code rc = sf_conform_write_file(pointer_path(arena, cache_dir, name).p, sf_buf_str(&text), err);
    sf_buf_free(&text);
    return rc;
}

void sf_snapshot_forget(struct sf_arena *arena, const char *cache_dir, struct sf_str name)
{
    unlink(pointer_path(arena, cache_dir, name).p);
}
