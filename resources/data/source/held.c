/* See held.h. */
#include "resources/data/source/held.h"

#include "engine/core/json.h"
#include "resources/data/conform/output.h"
#include "resources/data/data_file.h"
#include "resources/data/dataset_attrs.h"
#include "resources/site/file.h"

#include <errno.h>
#include <fcntl.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <unistd.h>

enum { MAX_LIST_BYTES = 64 * 1024 };

/* Keys of a list's entries. */
#define EVALUATION "evaluation"
#define SNAPSHOT "snapshot"
#define RULES "rules"
#define SEEN "seen"      /* path, device, inode, size and time of a file that was given */
#define FILE_NAME "file" /* name of the file when it was given from among the snapshots */

static int open_lock(struct sf_arena *arena, const char *cache_dir, const char *name, int how)
{
    const char *path = sf_str_fmt(arena, "%s/conform/%s.lock", cache_dir, name).p;
    int fd = open(path, O_RDWR | O_CREAT | O_CLOEXEC, 0644), rc = -1;
    while (fd >= 0 && (rc = flock(fd, how)) != 0 && errno == EINTR)
        ;
    if (fd >= 0 && rc != 0) {
        close(fd);
        fd = -1;
    }
    return fd;
}

enum sf_code sf_held_enter(struct sf_op *op, int *lock, struct sf_err *err)
{
    *lock = -1;
    enum sf_code rc = sf_output_make_dir(sf_str_fmt(op->arena, "%s/conform", op->site->cache_dir).p, err);
    if (!rc && (*lock = open_lock(op->arena, op->site->cache_dir, "use", LOCK_SH)) < 0)
        rc = sf_fail_errno(err, SF_E_IO, "cannot lock '%s/conform/use.lock'", op->site->cache_dir);
    return rc;
}

void sf_held_leave(int lock)
{
    if (lock >= 0)
        close(lock);
}

/* --- one dataset's list --- */

static const char *list_path(struct sf_op *op)
{
    struct sf_str whose =
        sf_str_fmt(op->arena, "%.*s\n%.*s\n%.*s", SF_ARG(op->site->stack), SF_ARG(op->site->provider), SF_ARG(op->self->address));
    return sf_str_fmt(op->arena, "%s/conform/held-%.*s.json", op->site->cache_dir, SF_ARG(sf_data_digest16(op->arena, whose))).p;
}

static const struct sf_value *read_list(struct sf_op *op)
{
    struct sf_str text;
    const struct sf_value *list;
    const char *path = list_path(op);
    bool is_read = !sf_file_read(op->arena, path, &text, NULL) && !sf_json_parse(op->arena, text, path, SF_JSON_PLAIN, &list, NULL);
    return is_read && list->type == SF_V_MAP ? list : sf_value_map(op->arena);
}

static size_t count(const struct sf_value *entries)
{
    return entries && entries->type == SF_V_LIST ? entries->list.n : 0;
}

static bool is_of(const struct sf_value *entry, const struct sf_value *attrs)
{
    return sf_str_eq(sf_map_str(entry, SNAPSHOT), sf_map_str(attrs, DATASET_SNAPSHOT)) &&
           sf_str_eq(sf_map_str(entry, RULES), sf_map_str(attrs, DATASET_RULES));
}

/* `entry` first, then the others, at most `most`. *is_new: it was not among them. */
static const struct sf_value *put_first(struct sf_arena *arena, const struct sf_value *entries, const struct sf_value *entry,
                                        size_t most, bool *is_new)
{
    const struct sf_value **items = SF_NEW_ARRAY(arena, count(entries) + 1, const struct sf_value *);
    size_t n = 0;
    *is_new = true;
    items[n++] = entry;
    for (size_t i = 0; i < count(entries); i++) {
        const struct sf_value *one = entries->list.items[i];
        bool is_same = sf_str_eq(sf_map_str(one, EVALUATION), sf_map_str(entry, EVALUATION));
        *is_new = *is_new && !is_same;
        if (!is_same && n < most)
            items[n++] = one;
    }
    return sf_value_list(arena, items, n);
}

/* Puts the entry first in the list at `key`. True when it was not in it and is now, on disk. */
static bool hold(struct sf_op *op, const char *key, const struct sf_value *entry, size_t most)
{
    int lock = open_lock(op->arena, op->site->cache_dir, "held", LOCK_EX);
    if (lock < 0)
        return false;
    const struct sf_value *list = read_list(op), *entries = sf_map_getz(list, key);
    bool is_new = false, is_first = count(entries) && sf_value_equal(entries->list.items[0], entry);
    if (!is_first) {
        struct sf_value *changed = sf_value_map(op->arena);
        struct sf_buf text = SF_BUF(MAX_LIST_BYTES);
        for (size_t i = 0; i < list->map.n; i++)
            sf_map_add(op->arena, changed, list->map.pairs[i].key, list->map.pairs[i].value);
        sf_map_set(op->arena, changed, sf_str_of(key), put_first(op->arena, entries, entry, most, &is_new));
        sf_json_write_pretty(&text, changed, SF_JSON_PLAIN);
        sf_buf_addc(&text, '\n');
        if (sf_conform_write_file(list_path(op), sf_buf_str(&text), NULL))
            is_new = false;
        sf_buf_free(&text);
    }
    close(lock);
    return is_new;
}

/* Empty when the source is no file that was given. */
static struct sf_str seen_now(struct sf_op *op, const struct sf_conform_source *from)
{
    struct stat st;
    if (from->sample || from->id.n || !from->path || stat(from->path, &st) != 0)
        return SF_STR_NONE;
    return sf_str_fmt(op->arena, "%s %llu %llu %lld %lld.%09ld", from->path, (unsigned long long)st.st_dev,
                      (unsigned long long)st.st_ino, (long long)st.st_size, (long long)st.st_mtim.tv_sec, st.st_mtim.tv_nsec);
}

bool sf_held_evaluated(struct sf_op *op, struct sf_str evaluation, const struct sf_value *want,
                       const struct sf_conform_source *from)
{
    struct sf_value *entry = sf_value_map(op->arena);
    sf_map_set_str(op->arena, entry, EVALUATION, evaluation);
    sf_map_set_str(op->arena, entry, SNAPSHOT, sf_map_str(want, DATASET_SNAPSHOT));
    sf_map_set_str(op->arena, entry, RULES, sf_map_str(want, DATASET_RULES));
    sf_map_set_str(op->arena, entry, SEEN, seen_now(op, from));
    const char *slash = from->path ? strrchr(from->path, '/') : NULL;
    sf_map_set_str(op->arena, entry, FILE_NAME, sf_str_of(slash ? slash + 1 : NULL));
    return hold(op, "evaluated", entry, SF_HELD_EVALUATED);
}

static const struct sf_value *find_entry(const struct sf_value *entries, const struct sf_value *attrs)
{
    for (size_t i = 0; i < count(entries); i++)
        if (is_of(entries->list.items[i], attrs))
            return entries->list.items[i];
    return NULL;
}

void sf_held_recorded(struct sf_op *op, const struct sf_value *want)
{
    const struct sf_value *entry = find_entry(sf_map_getz(read_list(op), "evaluated"), want);
    if (entry)
        (void)hold(op, "recorded", entry, SF_HELD_RECORDED);
}

bool sf_held_is_file_changed(struct sf_op *op, const struct sf_value *recorded, const struct sf_conform_source *from)
{
    const struct sf_value *list = read_list(op), *entry = find_entry(sf_map_getz(list, "recorded"), recorded);
    if (!entry)
        entry = find_entry(sf_map_getz(list, "evaluated"), recorded);
    struct sf_str was = sf_map_str(entry, SEEN);
    return was.n && !sf_str_eq(was, seen_now(op, from));
}
