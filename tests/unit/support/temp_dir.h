/* A folder of a test's own under /tmp, and how it goes with all that is in it. */
#ifndef SF_TESTS_TEMP_DIR_H
#define SF_TESTS_TEMP_DIR_H

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <ftw.h>
#include <stdio.h>
#include <stdlib.h>

enum { TEMP_DIR_BYTES = 64 };

/* "/tmp/sf-<name>-..." into `dir`, mode 0700. */
static inline void temp_dir_make(char dir[TEMP_DIR_BYTES], const char *name)
{
    snprintf(dir, TEMP_DIR_BYTES, "/tmp/sf-%s-XXXXXX", name);
    assert_non_null(mkdtemp(dir));
}

static inline int temp_dir_remove_one(const char *path, const struct stat *st, int type, struct FTW *ftw)
{
    (void)st;
    (void)type;
    (void)ftw;
    return remove(path);
}

/* Links are removed, not followed. 0, or -1: something is left. */
static inline int temp_dir_remove(const char *dir)
{
    return nftw(dir, temp_dir_remove_one, 16, FTW_DEPTH | FTW_PHYS);
}

#endif
