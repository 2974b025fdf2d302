/* Deleting what is not held: see held.h. Only names that the cache itself gives are touched; everything is decided from what is
 * read first, so a list or pointer that cannot be read leaves all as it is. */
#include "resources/data/source/held.h"

#include "engine/core/clock.h"
#include "engine/core/json.h"
#include "engine/core/map.h"
#include "resources/site/file.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <unistd.h>

enum { ID_DIGITS = 16, MAX_DEPTH = 3, PARTIAL_DAYS = 14 };

struct sweep {
    struct sf_arena *arena;
    const char *conform, *objects, *source; /* folders of the cache */
    struct sf_map *evaluations;             /* names that lists hold */
    struct sf_map *ids;                     /* of what they were made from: 16 hex digits */
    struct sf_map *snapshots;               /* names of files in snapshots/ */
    struct sf_map *objects_held;            /* paths below objects/ */
    bool is_all_known;
};

static void add(struct sweep *s, struct sf_map *set, struct sf_str name)
{
    if (name.n)
        sf_map_put(set, sf_str_dup(s->arena, name), s);
}

static bool starts_with_id(struct sf_str name)
{
    for (size_t i = 0; i < ID_DIGITS; i++)
        if (i >= name.n || !strchr("0123456789abcdef", name.p[i]))
            return false;
    return true;
}

typedef void visit_fn(struct sweep *s, const char *path, struct sf_str name);

static void each(struct sweep *s, const char *folder, visit_fn *visit)
{
    DIR *dir = opendir(folder);
    s->is_all_known = s->is_all_known && (dir || errno == ENOENT);
    for (const struct dirent *entry = dir ? readdir(dir) : NULL; entry; entry = readdir(dir)) {
        struct sf_str name = sf_str_of(entry->d_name);
        if (!sf_str_is(name, ".") && !sf_str_is(name, ".."))
            visit(s, sf_str_fmt(s->arena, "%s/%s", folder, entry->d_name).p, sf_str_dup(s->arena, name));
    }
    if (dir)
        closedir(dir);
}

static const struct sf_value *read_json(struct sweep *s, const char *path)
{
    struct sf_str text;
    const struct sf_value *v = NULL;
    if (sf_file_read(s->arena, path, &text, NULL) || sf_json_parse(s->arena, text, path, SF_JSON_PLAIN, &v, NULL))
        return NULL;
    return v->type == SF_V_MAP ? v : NULL;
}

/* --- what is held --- */

static void hold_entries(struct sweep *s, const struct sf_value *entries)
{
    for (size_t i = 0; entries && entries->type == SF_V_LIST && i < entries->list.n; i++) {
        struct sf_str name = sf_map_str(entries->list.items[i], "evaluation");
        add(s, s->evaluations, name);
        add(s, s->ids, sf_str_slice(name, 0, ID_DIGITS));
        add(s, s->snapshots, sf_map_str(entries->list.items[i], "file"));
    }
}

static void take_list(struct sweep *s, const char *path, struct sf_str name)
{
    if (!sf_str_starts(name, SF_STR("held-")) || !sf_str_ends(name, SF_STR(".json")))
        return;
    const struct sf_value *list = read_json(s, path);
    s->is_all_known = s->is_all_known && list;
    hold_entries(s, sf_map_getz(list, "evaluated"));
    hold_entries(s, sf_map_getz(list, "recorded"));
}

static void take_pointer(struct sweep *s, const char *path, struct sf_str name)
{
    if (!sf_str_ends(name, SF_STR(".json")))
        return;
    const struct sf_value *pointer = read_json(s, path);
    s->is_all_known = s->is_all_known && pointer;
    add(s, s->snapshots, sf_map_str(pointer, "snapshot"));
}

static void take_keys(struct sweep *s, const struct sf_value *files)
{
    for (size_t i = 0; files && files->type == SF_V_MAP && i < files->map.n; i++) {
        const struct sf_value *file = files->map.pairs[i].value, *parts = sf_map_getz(file, "parts");
        add(s, s->objects_held, sf_map_str(file, "key"));
        if (parts)
            take_keys(s, parts);
    }
}

/* "<id>[n]-<rules>.json", ".rejects.csv", ".unmapped.csv" -> "<id>[n]-<rules>"; empty: another file. */
static struct sf_str evaluation_of(struct sf_str name)
{
    size_t dot = sf_str_find(name, SF_STR("."));
    return starts_with_id(name) && dot != SIZE_MAX ? sf_str_slice(name, 0, dot) : SF_STR_NONE;
}

static void take_summary(struct sweep *s, const char *path, struct sf_str name)
{
    struct sf_str evaluation = evaluation_of(name);
    if (!evaluation.n || !sf_str_ends(name, SF_STR(".json")) || !sf_map_find(s->evaluations, evaluation))
        return;
    const struct sf_value *summary = read_json(s, path); /* damaged, it is of no use to anybody */
    take_keys(s, sf_map_getz(summary, "tables"));
    take_keys(s, sf_map_getz(summary, "years"));
    take_keys(s, sf_map_getz(summary, "raw"));
}

/* --- what goes --- */

static void drop_evaluation(struct sweep *s, const char *path, struct sf_str name)
{
    struct sf_str evaluation = evaluation_of(name), text;
    bool is_file_id = sf_str_starts(name, SF_STR("file-")) && !sf_file_read(s->arena, path, &text, NULL);
    if ((evaluation.n && !sf_map_find(s->evaluations, evaluation)) || (is_file_id && !sf_map_find(s->ids, text)))
        unlink(path);
}

static void drop_snapshot(struct sweep *s, const char *path, struct sf_str name)
{
    bool is_held = sf_map_find(s->snapshots, name) || sf_map_find(s->ids, sf_str_slice(name, 0, ID_DIGITS));
    if (starts_with_id(name) && !is_held)
        unlink(path);
}

static void drop_object(struct sweep *s, const char *path, struct sf_str name)
{
    struct stat st;
    struct sf_str key = sf_str_of(path + strlen(s->objects) + 1);
    size_t depth = 0;
    for (size_t i = 0; i < key.n; i++)
        depth += key.p[i] == '/';
    if (lstat(path, &st) != 0)
        return;
    if (S_ISDIR(st.st_mode) && depth + 1 < MAX_DEPTH) {
        each(s, path, drop_object);
        rmdir(path); /* if nothing is in it any more */
    } else if (S_ISREG(st.st_mode) && !sf_map_find(s->objects_held, key) &&
               (starts_with_id(name) || sf_str_starts(name, SF_STR(".new-")))) {
        unlink(path);
    }
}

/* A transfer that nobody went on with for so long: its source is not used any more, or moved on. */
static void drop_partial(struct sweep *s, const char *path, struct sf_str name)
{
    (void)s;
    struct stat st;
    bool is_partial = sf_str_ends(name, SF_STR(".part")) || sf_str_ends(name, SF_STR(".what"));
    if (is_partial && lstat(path, &st) == 0 && S_ISREG(st.st_mode) &&
        st.st_mtime < sf_clock_wall_ms() / 1000 - PARTIAL_DAYS * 86400)
        unlink(path);
}

void sf_held_sweep(struct sf_arena *arena, const char *cache_dir)
{
    const char *lock_path = sf_str_fmt(arena, "%s/conform/use.lock", cache_dir).p;
    int lock = open(lock_path, O_RDWR | O_CLOEXEC);
    if (lock < 0)
        return;
    struct sweep s = {.arena = arena,
                      .conform = sf_str_fmt(arena, "%s/conform", cache_dir).p,
                      .objects = sf_str_fmt(arena, "%s/objects", cache_dir).p,
                      .source = sf_str_fmt(arena, "%s/source", cache_dir).p,
                      .evaluations = sf_map_new(arena),
                      .ids = sf_map_new(arena),
                      .snapshots = sf_map_new(arena),
                      .objects_held = sf_map_new(arena),
                      .is_all_known = true};
    if (flock(lock, LOCK_EX | LOCK_NB) == 0) {
        each(&s, s.conform, take_list);
        each(&s, s.source, take_pointer);
        each(&s, s.conform, take_summary);
        if (s.is_all_known) {
            each(&s, s.conform, drop_evaluation);
            each(&s, s.objects, drop_object);
            each(&s, sf_str_fmt(arena, "%s/snapshots", s.source).p, drop_snapshot);
            each(&s, sf_str_fmt(arena, "%s/partial", s.source).p, drop_partial);
        }
    }
    close(lock);
}
