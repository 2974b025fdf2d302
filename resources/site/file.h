/* Files of ours that must be there whole or not at all: replaced atomically and durably (write, fsync, rename, fsync of the
 * directory), with exactly the mode asked for, never through a symbolic link.
 *
 * Made, read and written as whoever calls: the local world changes the file system identity around these calls
 * (resources/local/territory.h). Memory is the arena's. */
#ifndef SF_SITE_FILE_H
#define SF_SITE_FILE_H

#include "engine/core/err.h"

#include <sys/types.h>

/* Temporary files of ours start with this, inside buckets too; they are invisible to listings. */
#define SF_TEMP_PREFIX ".sfstack-"

/* Makes a directory (parents too) with `mode`. Present is success. */
enum sf_code sf_file_mkdir(struct sf_arena *arena, const char *path, mode_t mode, struct sf_err *err) SF_MUST_CHECK;
/* Whole file. SF_E_ABSENT when there is none; else SF_E_IO, with errno of the failing call. */
enum sf_code sf_file_read(struct sf_arena *arena, const char *path, struct sf_str *bytes, struct sf_err *err) SF_MUST_CHECK;
/* Replaces or makes the file; its directory must be there. */
enum sf_code sf_file_replace(struct sf_arena *arena, const char *path, struct sf_str bytes, mode_t mode,
                             struct sf_err *err) SF_MUST_CHECK;
/* The same where the directory need not be there: it (mode 0700) and the file in it appear at once. */
enum sf_code sf_file_replace_in_dir(struct sf_arena *arena, const char *path, struct sf_str bytes, mode_t mode,
                                    struct sf_err *err) SF_MUST_CHECK;
/* Whether the name is that of a temporary file or directory whose process, which is in the name, is gone. */
bool sf_file_is_stale_temp(const char *name);
void sf_file_remove_temp(int dir_fd, const char *name);
/* Whether the file is a regular one with this mode that holds just these bytes. */
bool sf_file_is(struct sf_arena *arena, const char *path, struct sf_str bytes, mode_t mode);
/* Removes one file; absent is success. */
enum sf_code sf_file_remove(const char *path, struct sf_err *err) SF_MUST_CHECK;

#endif
