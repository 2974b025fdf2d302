/* Finding the state key: 32 bytes that seal secrets and key their fingerprints.
 *
 * SF_STATE_KEY (64 hex digits), else the file named by SF_STATE_KEY_FILE, else ${XDG_CONFIG_HOME:-~/.config}/sfstack/key, which is
 * made on first use. What is set but unusable is an error, never a reason to look further: a new key would make every secret look
 * changed. The key itself is never part of a message. */
#include "state/internal.h"

#include "engine/core/clock.h"

#include <errno.h>
#include <fcntl.h>
#include <openssl/crypto.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

enum { KEY_DIGITS = 2 * SF_KEY_BYTES, KEY_FILE_BYTES = 256 };

static bool parse_key(struct sf_str text, unsigned char *key)
{
    text = sf_str_trim(text);
    if (text.n != KEY_DIGITS)
        return false;
    for (size_t i = 0; i < SF_KEY_BYTES; i++) {
        int high = sf_hex_digit(text.p[2 * i]), low = sf_hex_digit(text.p[2 * i + 1]);
        if (high < 0 || low < 0)
            return false;
        key[i] = (unsigned char)(high * 16 + low);
    }
    return true;
}

static enum sf_code check_key_file(const char *path, int fd, struct sf_err *err)
{
    struct stat st;
    if (fstat(fd, &st) != 0)
        return sf_fail_errno(err, SF_E_AUTH, "cannot look at key file '%s'", path);
    if (!S_ISREG(st.st_mode)) {
        sf_fail(err, SF_E_AUTH, "key file '%s' is not a regular file", path);
        sf_hint(err, "give the key itself in SF_STATE_KEY");
        return SF_E_AUTH;
    }
    if (st.st_uid != geteuid() && st.st_uid != 0) {
        char owner[64];
        sf_files_user(st.st_uid, owner, sizeof(owner));
        sf_fail(err, SF_E_AUTH, "key file '%s' belongs to '%s'", path, owner);
        sf_hint(err, "run the command as '%s' (without sudo), or name a key file of your own in SF_STATE_KEY_FILE", owner);
        return SF_E_AUTH;
    }
    if (st.st_mode & 077) {
        sf_fail(err, SF_E_AUTH, "key file '%s' can be read by others (mode %03o)", path, (unsigned)st.st_mode & 0777);
        sf_hint(err, "close it: chmod 600 '%s'", path);
        return SF_E_AUTH;
    }
    return SF_OK;
}

/* SF_E_ABSENT when there is no such file. */
static enum sf_code read_key_file(const char *path, unsigned char *key, struct sf_err *err)
{
    int fd = open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK);
    if (fd < 0 && errno == ENOENT)
        return sf_fail(err, SF_E_ABSENT, "there is no key file '%s'", path);
    if (fd < 0)
        return sf_fail_errno(err, SF_E_AUTH, "cannot read key file '%s'", path);
    char text[KEY_FILE_BYTES];
    enum sf_code rc = check_key_file(path, fd, err);
    ssize_t n = rc ? 0 : read(fd, text, sizeof(text));
    close(fd);
    if (!rc && (n < 0 || !parse_key((struct sf_str){text, (size_t)n}, key))) {
        rc = sf_fail(err, SF_E_AUTH, "key file '%s' does not hold a key of %d hexadecimal digits", path, KEY_DIGITS);
        sf_hint(err, "restore it from a copy; secrets sealed with a lost key have to be generated again");
    }
    OPENSSL_cleanse(text, sizeof(text));
    return rc;
}

static enum sf_code write_key(int fd, const char *path, struct sf_err *err)
{
    static const char digits[] = "0123456789abcdef";
    unsigned char key[SF_KEY_BYTES];
    char text[KEY_DIGITS + 1];
    sf_random_bytes(key, sizeof(key));
    for (size_t i = 0; i < SF_KEY_BYTES; i++) {
        text[2 * i] = digits[key[i] >> 4];
        text[2 * i + 1] = digits[key[i] & 15];
    }
    text[KEY_DIGITS] = '\n';
    bool is_written = write(fd, text, sizeof(text)) == (ssize_t)sizeof(text) && fsync(fd) == 0;
    OPENSSL_cleanse(key, sizeof(key));
    OPENSSL_cleanse(text, sizeof(text));
    return is_written ? SF_OK : sf_fail_errno(err, SF_E_IO, "cannot write the new state key to '%s'", path);
}

/* Root that makes a key in somebody's home would lock its owner out of it. */
static enum sf_code check_home(const char *dir, struct sf_err *err)
{
    char *at = sf_files_beside(dir, "");
    struct stat st;
    while (stat(at, &st) != 0 && strrchr(at, '/') > at)
        *strrchr(at, '/') = 0;
    enum sf_code rc = SF_OK;
    if (stat(at, &st) == 0 && st.st_uid != geteuid() && st.st_uid != 0) {
        char owner[64];
        sf_files_user(st.st_uid, owner, sizeof(owner));
        rc = sf_fail(err, SF_E_AUTH, "the state key would be made in '%s', which belongs to '%s'", at, owner);
        sf_hint(err, "run the command as '%s' (without sudo), or set HOME to your own home directory", owner);
    }
    free(at);
    return rc;
}

/* Written under another name and linked to its own, which fails when another process was faster: then that one's key is it. */
static enum sf_code make_key_file(const char *path, struct sf_err *err)
{
    char *dir = strndup(path, (size_t)(strrchr(path, '/') - path));
    char *fresh = NULL;
    if (!dir || asprintf(&fresh, "%s.%ld.new", path, (long)getpid()) < 0)
        sf_out_of_memory();
    int fd = -1;
    enum sf_code rc = check_home(dir, err);
    if (!rc)
        rc = sf_files_make_dirs(dir, 0700, err);
    if (rc)
        goto out;
    fd = open(fresh, O_WRONLY | O_CREAT | O_EXCL | O_NOFOLLOW | O_CLOEXEC, 0600);
    if (fd < 0) {
        rc = sf_fail_errno(err, SF_E_IO, "cannot make the state key '%s'", fresh);
        sf_hint(err, "make the directory writable, or name a key file in SF_STATE_KEY_FILE");
        goto out;
    }
    rc = write_key(fd, fresh, err);
    if (!rc && link(fresh, path) != 0 && errno != EEXIST)
        rc = sf_fail_errno(err, SF_E_IO, "cannot make the state key '%s'", path);
    unlink(fresh);
    if (!rc)
        rc = sf_files_sync_dir(path, err);
out:
    if (fd >= 0)
        close(fd);
    free(fresh);
    free(dir);
    return rc;
}

static enum sf_code find_default_key(bool may_make, unsigned char *key, char *source, size_t source_size, struct sf_err *err)
{
    const char *config = getenv("XDG_CONFIG_HOME"), *home = getenv("HOME");
    char *path = NULL;
    if (config && config[0] == '/') /* the XDG specification: a relative one is to be ignored */
        path = sf_files_beside(config, "/sfstack/key");
    else if (home && home[0] == '/')
        path = sf_files_beside(home, "/.config/sfstack/key");
    if (!path) {
        enum sf_code code = may_make ? SF_E_CONFIG : SF_E_ABSENT;
        sf_fail(err, code, "there is no place for the state key: HOME is not set");
        sf_hint(err, "set HOME, or name a key file in SF_STATE_KEY_FILE");
        return code;
    }
    snprintf(source, source_size, "key file '%s'", path);
    enum sf_code rc = read_key_file(path, key, err);
    if (rc == SF_E_ABSENT && may_make) {
        rc = make_key_file(path, err);
        if (!rc)
            rc = read_key_file(path, key, err);
    }
    free(path);
    return rc;
}

enum sf_code sf_key_find(bool may_make, unsigned char *key, char *source, size_t source_size, struct sf_err *err)
{
    const char *text = getenv("SF_STATE_KEY"), *file = getenv("SF_STATE_KEY_FILE");
    if (text) {
        snprintf(source, source_size, "SF_STATE_KEY");
        if (parse_key(sf_str_of(text), key))
            return SF_OK;
        sf_fail(err, SF_E_AUTH, "SF_STATE_KEY is set, but is not a key of %d hexadecimal digits", KEY_DIGITS);
        sf_hint(err, "correct it, or unset it to use the key file");
        return SF_E_AUTH;
    }
    if (!file)
        return find_default_key(may_make, key, source, source_size, err);
    snprintf(source, source_size, "key file '%s'", file);
    enum sf_code rc = read_key_file(file, key, err);
    if (rc == SF_E_ABSENT) {
        rc = sf_fail(err, SF_E_AUTH, "SF_STATE_KEY_FILE names '%s', which does not exist", file);
        sf_hint(err, "correct it; a new key can be made with: (umask 077; openssl rand -hex %d > '%s')", SF_KEY_BYTES, file);
    }
    return rc;
}
