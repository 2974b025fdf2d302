/* What the sessions of one upload have found out about the server's directories: whether any must be made at all (an S3 behind it
 * needs none, and would be left with an object for each), and which are there. For several threads. */
#ifndef SF_NET_SFTP_FOLDERS_H
#define SF_NET_SFTP_FOLDERS_H

#include "engine/core/map.h"

#include <pthread.h>

struct sf_sftp_folders {
    pthread_mutex_t mutex;
    struct sf_arena *arena;
    struct sf_map *known;
    bool are_needed;
};

void sf_sftp_folders_open(struct sf_sftp_folders *folders);
void sf_sftp_folders_close(struct sf_sftp_folders *folders);

/* The server has said that a directory is missing. */
void sf_sftp_folders_need(struct sf_sftp_folders *folders);
bool sf_sftp_folders_are_needed(struct sf_sftp_folders *folders);
/* `path` was made, or was there, or may not be made: it need not be tried again. */
void sf_sftp_folders_keep(struct sf_sftp_folders *folders, struct sf_str path);
bool sf_sftp_folders_have(struct sf_sftp_folders *folders, struct sf_str path);

#endif
