/* Paths, owners, modes and durability of the files that a store is made of.
 *
 * A state file is a regular file of the caller's own, closed to everybody else (0600); whatever is not is refused with the
 * command that mends it, and never mended behind the caller's back. What this file makes is on disk, name and all, when the
 * call returns. */
#include "state/internal.h"

#include <errno.h>
#include <fcntl.h>
#include <pwd.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/vfs.h>
#include <unistd.h>

/* f_type of statfs(2), from its manual page and linux/magic.h. On those of another machine file locks and shared memory cannot be
 * trusted; on those of a hypervisor or a user process only the shared memory of WAL. */
static const struct {
    uint32_t magic;
    enum sf_files_kind kind;
} file_systems[] = {
    {0x00006969, SF_FILES_NETWORK},       /* nfs */
    {0x0000517b, SF_FILES_NETWORK},       /* smb */
    {0xff534d42, SF_FILES_NETWORK},       /* cifs */
    {0xfe534d42, SF_FILES_NETWORK},       /* smb2 */
    {0x5346414f, SF_FILES_NETWORK},       /* afs */
    {0x6b414653, SF_FILES_NETWORK},       /* kafs */
    {0x73757245, SF_FILES_NETWORK},       /* coda */
    {0x0000564c, SF_FILES_NETWORK},       /* ncp */
    {0x00c36400, SF_FILES_NETWORK},       /* ceph */
    {0x0bd00bd0, SF_FILES_NETWORK},       /* lustre */
    {0x01021997, SF_FILES_ROLLBACK_ONLY}, /* 9p: shared folders of virtual machines */
    {0x786f4256, SF_FILES_ROLLBACK_ONLY}, /* vboxsf */
    {0x65735546, SF_FILES_ROLLBACK_ONLY}, /* fuse */
};

char *sf_files_beside(const char *path, const char *suffix)
{
    char *name = NULL;
    if (asprintf(&name, "%s%s", path, suffix) < 0)
        sf_out_of_memory();
    return name;
}

void sf_files_user(uid_t uid, char *name, size_t size)
{
    struct passwd entry, *found = NULL;
    char text[1024];
    if (getpwuid_r(uid, &entry, text, sizeof(text), &found) == 0 && found)
        snprintf(name, size, "%s", found->pw_name);
    else
        snprintf(name, size, "%u", (unsigned)uid);
}

static enum sf_code sync_one(const char *dir, struct sf_err *err)
{
    int fd = open(dir, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    if (fd < 0)
        return sf_fail_errno(err, SF_E_IO, "cannot open directory '%s'", dir);
    /* some file systems cannot sync a directory and say EINVAL: nothing more can be done there */
    enum sf_code rc = SF_OK;
    if (fsync(fd) != 0 && errno != EINVAL)
        rc = sf_fail_errno(err, SF_E_IO, "cannot write directory '%s' to disk", dir);
    close(fd);
    return rc;
}

/* The directory part, malloc'ed: "." for a bare name. */
static char *directory_of(const char *path)
{
    const char *slash = strrchr(path, '/');
    if (!slash)
        return sf_files_beside(".", "");
    char *dir = strndup(path, slash == path ? 1 : (size_t)(slash - path));
    if (!dir)
        sf_out_of_memory();
    return dir;
}

enum sf_code sf_files_sync_dir(const char *path, struct sf_err *err)
{
    char *dir = directory_of(path);
    enum sf_code rc = sync_one(dir, err);
    free(dir);
    return rc;
}

enum sf_code sf_files_make(const char *path, struct sf_err *err)
{
    int fd = open(path, O_RDWR | O_CREAT | O_EXCL | O_NOFOLLOW | O_CLOEXEC, 0600);
    if (fd < 0)
        return errno == EEXIST ? SF_OK : sf_fail_errno(err, SF_E_IO, "cannot make '%s'", path);
    close(fd);
    return sf_files_sync_dir(path, err);
}

/* Keeps a directory of ours out of the user's repository. Best effort: a state without it is still a state. */
static void ignore_in_git(const char *dir)
{
    char *path = sf_files_beside(dir, "/.gitignore");
    int fd = open(path, O_WRONLY | O_CREAT | O_EXCL | O_NOFOLLOW | O_CLOEXEC, 0644);
    if (fd >= 0) {
        if (write(fd, "*\n", 2) != 2)
            unlink(path);
        close(fd);
    }
    free(path);
}

enum sf_code sf_files_make_dirs(const char *path, mode_t mode, struct sf_err *err)
{
    char *dir = sf_files_beside(path, "");
    enum sf_code rc = SF_OK;
    for (char *end = dir; !rc && end;) {
        end = strchr(end + 1, '/');
        if (end)
            *end = 0;
        struct stat st;
        if (mkdir(dir, mode) == 0) {
            rc = sf_files_sync_dir(dir, err);
        } else {
            int cause = errno;
            bool is_there = stat(dir, &st) == 0;
            errno = cause;
            if (!is_there)
                rc = sf_fail_errno(err, SF_E_IO, "cannot make directory '%s'", dir);
            else if (!S_ISDIR(st.st_mode))
                rc = sf_fail(err, SF_E_IO, "'%s' is a file, and a directory is needed there", dir);
        }
        if (!rc && (strcmp(dir, ".sf") == 0 || sf_str_ends(sf_str_of(dir), SF_STR("/.sf"))))
            ignore_in_git(dir);
        if (end)
            *end = '/';
    }
    free(dir);
    return rc;
}

enum sf_code sf_files_resolve(const char *path, bool may_create, char **out, struct sf_err *err)
{
    *out = NULL;
    const char *slash = strrchr(path, '/');
    const char *base = slash ? slash + 1 : path;
    if (!*base || strcmp(base, ".") == 0 || strcmp(base, "..") == 0) {
        sf_fail(err, SF_E_USAGE, "'%s' is not the name of a state file", path);
        sf_hint(err, "give a file, like --state .sf/my-stack/local/state.db");
        return SF_E_USAGE;
    }
    char *dir = directory_of(path);
    enum sf_code rc = may_create ? sf_files_make_dirs(dir, 0755, err) : SF_OK;
    char *real = rc ? NULL : realpath(dir, NULL);
    if (real) {
        if (asprintf(out, "%s/%s", strcmp(real, "/") == 0 ? "" : real, base) < 0)
            sf_out_of_memory();
    } else if (!rc && (errno == ENOENT || errno == ENOTDIR)) {
        rc = sf_fail(err, SF_E_ABSENT, "there is no state at '%s'", path);
    } else if (!rc) {
        rc = sf_fail_errno(err, SF_E_IO, "cannot reach directory '%s' of the state", dir);
    }
    free(real);
    free(dir);
    return rc;
}

enum sf_code sf_files_check(const char *path, struct stat *st, struct sf_err *err)
{
    if (lstat(path, st) != 0) {
        if (errno == ENOENT)
            return sf_fail(err, SF_E_ABSENT, "there is no state at '%s'", path);
        return sf_fail_errno(err, SF_E_IO, "cannot look at state '%s'", path);
    }
    if (S_ISLNK(st->st_mode)) {
        sf_fail(err, SF_E_IO, "state '%s' is a symbolic link", path);
        sf_hint(err, "name the file that it points to with --state");
        return SF_E_IO;
    }
    if (!S_ISREG(st->st_mode))
        return sf_fail(err, SF_E_IO, "state '%s' is not a regular file", path);
    if (st->st_uid != geteuid()) {
        char owner[64], us[64];
        sf_files_user(st->st_uid, owner, sizeof(owner));
        sf_files_user(geteuid(), us, sizeof(us));
        sf_fail(err, SF_E_IO, "state '%s' belongs to '%s', and this is '%s'", path, owner, us);
        sf_hint(err, "run the command as '%s' (without sudo), or hand the directory over: sudo chown -R %s '%.*s'", owner, us,
                (int)(strrchr(path, '/') - path), path);
        return SF_E_IO;
    }
    if (st->st_mode & 077) {
        sf_fail(err, SF_E_IO, "state '%s' is open to others (mode %03o)", path, (unsigned)st->st_mode & 0777);
        sf_hint(err, "close it: chmod 600 '%s'", path);
        return SF_E_IO;
    }
    return SF_OK;
}

enum sf_files_kind sf_files_kind(const char *path)
{
    struct statfs fs;
    if (statfs(path, &fs) != 0)
        return SF_FILES_LOCAL;
    for (size_t i = 0; i < SF_COUNT(file_systems); i++)
        if (file_systems[i].magic == (uint32_t)fs.f_type)
            return file_systems[i].kind;
    return SF_FILES_LOCAL;
}
