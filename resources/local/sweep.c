/* After a destroy: walks the territory and the process table, and takes the empty frame away. Deletes no file but what a killed run
 * was writing and nobody has seen, ends no process: what is found is named, and the person decides. */
#include "resources/local/sweep.h"

#include "resources/local/territory.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <sys/stat.h>
#include <unistd.h>

enum { MAX_LISTED = 100, MAX_DEPTH = 16 };

struct findings {
    struct sf_arena *arena;
    const struct sf_value *items[MAX_LISTED];
    size_t n;
};

static void found(struct findings *findings, struct sf_str what)
{
    if (findings->n < MAX_LISTED)
        findings->items[findings->n++] = sf_value_str(findings->arena, what);
}

/* Everything below `path` that is not a directory. */
static void walk(struct findings *findings, const char *path, int depth)
{
    DIR *dir = depth < MAX_DEPTH ? opendir(path) : NULL;
    for (struct dirent *entry; dir && (entry = readdir(dir));) {
        if (strcmp(entry->d_name, ".") == 0 || strcmp(entry->d_name, "..") == 0)
            continue;
        if (sf_file_is_stale_temp(entry->d_name)) {
            sf_file_remove_temp(dirfd(dir), entry->d_name);
            continue;
        }
        const char *below = sf_str_fmt(findings->arena, "%s/%s", path, entry->d_name).p;
        struct stat st;
        if (lstat(below, &st) == 0 && S_ISDIR(st.st_mode))
            walk(findings, below, depth + 1);
        else
            found(findings, sf_str_fmt(findings->arena, "file %s", below));
    }
    if (dir)
        closedir(dir);
}

static void remove_empty(struct sf_arena *arena, const char *path, int depth)
{
    DIR *dir = depth < MAX_DEPTH ? opendir(path) : NULL;
    for (struct dirent *entry; dir && (entry = readdir(dir));)
        if (strcmp(entry->d_name, ".") != 0 && strcmp(entry->d_name, "..") != 0)
            remove_empty(arena, sf_str_fmt(arena, "%s/%s", path, entry->d_name).p, depth + 1);
    if (dir)
        closedir(dir);
    rmdir(path);
}

/* Whether it holds a file of the territory open. Only root can see this of a ProFTPD, which hides its files from its own user. */
static bool holds_file(struct sf_arena *arena, int64_t pid, struct sf_str territory)
{
    DIR *dir = opendir(sf_str_fmt(arena, "/proc/%lld/fd", (long long)pid).p);
    bool holds = false;
    for (struct dirent *entry; dir && !holds && (entry = readdir(dir));) {
        char link[4096];
        ssize_t n = readlinkat(dirfd(dir), entry->d_name, link, sizeof(link));
        holds = n > 0 && sf_str_starts((struct sf_str){link, (size_t)n}, territory);
    }
    if (dir)
        closedir(dir);
    return holds;
}

/* PostgreSQL names its data directory on its command line, ProFTPD only what it is doing. */
static void find_processes(struct findings *findings, struct sf_str territory)
{
    DIR *proc = opendir("/proc");
    for (struct dirent *entry; proc && (entry = readdir(proc));) {
        int64_t pid;
        if (!sf_str_int64(sf_str_of(entry->d_name), &pid) || pid == getpid())
            continue;
        char line[4096];
        int fd = open(sf_str_fmt(findings->arena, "/proc/%lld/cmdline", (long long)pid).p, O_RDONLY | O_CLOEXEC);
        ssize_t n = fd < 0 ? -1 : read(fd, line, sizeof(line));
        if (fd >= 0)
            close(fd);
        bool is_server = n > 0 && (strstr(line, "postgres") || strstr(line, "proftpd"));
        if (is_server &&
            (sf_str_find((struct sf_str){line, (size_t)n}, territory) != SIZE_MAX || holds_file(findings->arena, pid, territory)))
            found(findings, sf_str_fmt(findings->arena, "process %lld (%s)", (long long)pid, line));
    }
    if (proc)
        closedir(proc);
}

enum sf_code sf_local_sweep(struct sf_arena *arena, const struct sf_site *site, const struct sf_value **left, struct sf_err *err)
{
    (void)err;
    const struct sf_territory *territory = site->world_ctx;
    struct findings *findings = SF_NEW(arena, struct findings);
    findings->arena = arena;
    walk(findings, territory->dir, 0);
    find_processes(findings, sf_str_fmt(arena, "%s/", territory->dir));
    if (findings->n == 0)
        remove_empty(arena, territory->dir, 0);
    *left = sf_value_list(arena, findings->items, findings->n);
    return SF_OK;
}
