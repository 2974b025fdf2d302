/* See sftp_folders.h. */
#include "resources/net/sftp_folders.h"

void sf_sftp_folders_open(struct sf_sftp_folders *folders)
{
    *folders = (struct sf_sftp_folders){.arena = sf_arena_new()};
    folders->known = sf_map_new(folders->arena);
    pthread_mutex_init(&folders->mutex, NULL);
}

void sf_sftp_folders_close(struct sf_sftp_folders *folders)
{
    pthread_mutex_destroy(&folders->mutex);
    sf_arena_free(folders->arena);
}

void sf_sftp_folders_need(struct sf_sftp_folders *folders)
{
    pthread_mutex_lock(&folders->mutex);
    folders->are_needed = true;
    pthread_mutex_unlock(&folders->mutex);
}

bool sf_sftp_folders_are_needed(struct sf_sftp_folders *folders)
{
    pthread_mutex_lock(&folders->mutex);
    bool are_needed = folders->are_needed;
    pthread_mutex_unlock(&folders->mutex);
    return are_needed;
}

void sf_sftp_folders_keep(struct sf_sftp_folders *folders, struct sf_str path)
{
    pthread_mutex_lock(&folders->mutex);
    if (!sf_map_find(folders->known, path))
        sf_map_put(folders->known, sf_str_dup(folders->arena, path), folders);
    pthread_mutex_unlock(&folders->mutex);
}

bool sf_sftp_folders_have(struct sf_sftp_folders *folders, struct sf_str path)
{
    pthread_mutex_lock(&folders->mutex);
    bool is_known = sf_map_find(folders->known, path) != NULL;
    pthread_mutex_unlock(&folders->mutex);
    return is_known;
}
