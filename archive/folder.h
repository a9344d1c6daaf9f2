/* Folders of an archive: made private, synced, emptied. Private to archive/. One thread. */
#ifndef LIMBER_ARCHIVE_FOLDER_H
#define LIMBER_ARCHIVE_FOLDER_H

#include <stdbool.h>

#include "base/status.h"

/* Create with mode 0700, parents too. STATUS_OK also when it exists; STATUS_IO after one
 * line. */
enum status folder_create(const char *path);

/* fsync of the folder that holds a file, so that its name survives a power cut. */
enum status folder_sync_parent(const char *path);

/* True when path does not exist or is an empty folder. */
bool folder_is_free(const char *path);

/* Remove a folder with all that is in it; what cannot be removed stays. */
void folder_remove(const char *path);

#endif
