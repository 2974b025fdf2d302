/* See file.h. */
#include "resources/site/file.h"

#include "engine/core/clock.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <sys/stat.h>
#include <unistd.h>

enum { MAX_FILE_BYTES = SF_MAX_JSON_BYTES };

enum sf_code sf_file_mkdir(struct sf_arena *arena, const char *path, mode_t mode, struct sf_err *err)
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
    struct sf_str parent = sf_str_dup(arena, (struct sf_str){path, (size_t)(slash - path)});
    enum sf_code rc = sf_file_mkdir(arena, parent.p, mode, err);
    if (rc)
        return rc;
    if (mkdir(path, mode) != 0 && errno != EEXIST)
        return sf_fail_errno(err, SF_E_IO, "cannot make the directory '%s'", path);
    return SF_OK;
}

static enum sf_code read_all(struct sf_arena *arena, int fd, const char *path, struct sf_str *bytes, struct sf_err *err)
{
    struct stat st;
    if (fstat(fd, &st) != 0)
        return sf_fail_errno(err, SF_E_IO, "cannot read '%s'", path);
    if (!S_ISREG(st.st_mode))
        return sf_fail(err, SF_E_IO, "'%s' is not a regular file", path);
    if (st.st_size > MAX_FILE_BYTES)
        return sf_fail(err, SF_E_IO, "'%s' is larger than %d bytes", path, MAX_FILE_BYTES);
    size_t size = (size_t)st.st_size, n = 0;
    char *p = sf_arena_alloc(arena, size + 1);
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

enum sf_code sf_file_read(struct sf_arena *arena, const char *path, struct sf_str *bytes, struct sf_err *err)
{
    *bytes = SF_STR_NONE;
    errno = 0;
    int fd = open(path, O_RDONLY | O_CLOEXEC | O_NOFOLLOW | O_NONBLOCK);
    if (fd < 0) {
        if (errno == ENOENT || errno == ENOTDIR)
            return sf_fail(err, SF_E_ABSENT, "there is no file '%s'", path);
        int kept = errno;
        sf_fail_errno(err, SF_E_IO, "cannot open '%s'", path);
        errno = kept;
        return SF_E_IO;
    }
    enum sf_code rc = read_all(arena, fd, path, bytes, err);
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

bool sf_file_is_stale_temp(const char *name)
{
    long pid = 0;
    char dot = 0;
    return sscanf(name, SF_TEMP_PREFIX "%ld%c", &pid, &dot) == 2 && dot == '.' && pid > 0 && pid <= INT32_MAX &&
           kill((pid_t)pid, 0) != 0 && errno == ESRCH;
}

void sf_file_remove_temp(int dir_fd, const char *name)
{
    if (unlinkat(dir_fd, name, 0) == 0 || (errno != EISDIR && errno != EPERM))
        return;
    int fd = openat(dir_fd, name, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
    DIR *dir = fd >= 0 ? fdopendir(fd) : NULL;
    for (struct dirent *entry; dir && (entry = readdir(dir)) != NULL;)
        unlinkat(fd, entry->d_name, 0);
    if (dir)
        closedir(dir);
    else if (fd >= 0)
        close(fd);
    unlinkat(dir_fd, name, AT_REMOVEDIR);
}

/* Removes what runs that were killed while writing left in this directory. The file they were about is still the old one, so a run
 * that makes good comes by here. */
static void remove_stale_temps(int dir_fd)
{
    int copy = openat(dir_fd, ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    DIR *dir = copy >= 0 ? fdopendir(copy) : NULL;
    for (struct dirent *entry; dir && (entry = readdir(dir)) != NULL;)
        if (sf_file_is_stale_temp(entry->d_name))
            sf_file_remove_temp(dir_fd, entry->d_name);
    if (dir)
        closedir(dir);
    else if (copy >= 0)
        close(copy);
}

static const char *temp_name(struct sf_arena *arena)
{
    unsigned char random[8];
    sf_random_bytes(random, sizeof(random));
    return sf_str_fmt(arena, SF_TEMP_PREFIX "%ld.%.*s", (long)getpid(), SF_ARG(sf_str_hex(arena, random, sizeof(random)))).p;
}

/* Write, fsync, rename, fsync of the directory: after a crash the old file or the new one is there, whole. */
enum sf_code sf_file_replace(struct sf_arena *arena, const char *path, struct sf_str bytes, mode_t mode, struct sf_err *err)
{
    const char *slash = strrchr(path, '/');
    if (!slash)
        return sf_fail(err, SF_E_INTERNAL, "'%s' is not an absolute path", path);
    struct sf_str dir = sf_str_dup(arena, (struct sf_str){path, (size_t)(slash - path)});
    const char *temp = temp_name(arena);
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

/* The directory is made and filled under another name, then renamed. */
enum sf_code sf_file_replace_in_dir(struct sf_arena *arena, const char *path, struct sf_str bytes, mode_t mode, struct sf_err *err)
{
    struct stat st;
    const char *slash = strrchr(path, '/');
    const char *dir = slash ? sf_str_dup(arena, (struct sf_str){path, (size_t)(slash - path)}).p : "";
    const char *above = strrchr(dir, '/');
    if (!above || lstat(dir, &st) == 0)
        return sf_file_replace(arena, path, bytes, mode, err);
    const char *parent = sf_str_dup(arena, (struct sf_str){dir, (size_t)(above - dir)}).p, *temp = temp_name(arena);
    enum sf_code rc = sf_file_mkdir(arena, parent, 0700, err);
    if (rc)
        return rc;
    int parent_fd = open(parent, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    if (parent_fd < 0)
        return sf_fail_errno(err, SF_E_IO, "cannot open the directory '%s'", parent);
    remove_stale_temps(parent_fd);
    if (mkdirat(parent_fd, temp, 0700) != 0) {
        rc = sf_fail_errno(err, SF_E_IO, "cannot make a directory in '%s'", parent);
        goto out;
    }
    rc = sf_file_replace(arena, sf_str_fmt(arena, "%s/%s%s", parent, temp, slash).p, bytes, mode, err);
    if (!rc && renameat(parent_fd, temp, parent_fd, above + 1) != 0)
        rc = errno == EEXIST || errno == ENOTEMPTY ? sf_file_replace(arena, path, bytes, mode, err) /* made meanwhile */
                                                   : sf_fail_errno(err, SF_E_IO, "cannot make the directory '%s'", dir);
    else if (!rc && fsync(parent_fd) != 0)
        rc = sf_fail_errno(err, SF_E_IO, "cannot make '%s' durable", dir);
    sf_file_remove_temp(parent_fd, temp); /* unless it has its name */
out:
    close(parent_fd);
    return rc;
}

bool sf_file_is(struct sf_arena *arena, const char *path, struct sf_str bytes, mode_t mode)
{
    struct stat st;
    struct sf_str now;
    return lstat(path, &st) == 0 && S_ISREG(st.st_mode) && (st.st_mode & 07777) == mode &&
           sf_file_read(arena, path, &now, NULL) == SF_OK && sf_str_eq(now, bytes);
}

enum sf_code sf_file_remove(const char *path, struct sf_err *err)
{
    if (unlink(path) == 0 || errno == ENOENT || errno == ENOTDIR)
        return SF_OK;
    return sf_fail_errno(err, SF_E_IO, "cannot remove '%s'", path);
}
