#include "archive/folder.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/log.h"

enum {
    FOLDER_PATH_SIZE = 1024
};

enum status folder_create(const char *path)
{
    char part[FOLDER_PATH_SIZE];
    size_t size = strlen(path);
    if (size == 0 || size >= sizeof part) {
        log_error("folder '%s': the name is empty or too long", path);
        return STATUS_IO;
    }
    for (size_t end = 1; end <= size; end++) {
        if (path[end] != '/' && path[end] != '\0') {
            continue;
        }
        memcpy(part, path, end);
        part[end] = '\0';
        if (mkdir(part, 0700) != 0 && errno != EEXIST) {
            log_error("%s: cannot create the folder: %s; choose one you may write to", part,
                      strerror(errno));
            return STATUS_IO;
        }
    }
    struct stat info;
    if (stat(path, &info) != 0 || !S_ISDIR(info.st_mode)) {
        log_error("%s: is not a folder; name another one", path);
        return STATUS_IO;
    }
    return STATUS_OK;
}

enum status folder_sync_parent(const char *path)
{
    char folder[FOLDER_PATH_SIZE] = ".";
    const char *slash = strrchr(path, '/');
    if (slash) {
        /* "/file" is in "/". */
        int size = slash == path ? 1 : (int)(slash - path);
        if (snprintf(folder, sizeof folder, "%.*s", size, path) >= (int)sizeof folder) {
            log_error("%s: the path is too long", path);
            return STATUS_IO;
        }
    }
    int descriptor = open(folder, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    bool good = descriptor >= 0 && fsync(descriptor) == 0;
    int error = errno;
    if (descriptor >= 0) {
        close(descriptor);
    }
    if (!good) {
        log_error("%s: cannot sync the folder: %s", folder, strerror(error));
    }
    return good ? STATUS_OK : STATUS_IO;
}

static bool is_dot(const char *name)
{
    return strcmp(name, ".") == 0 || strcmp(name, "..") == 0;
}

bool folder_is_free(const char *path)
{
    bool empty = true;
    DIR *folder = opendir(path);
    if (!folder) {
        return errno == ENOENT;
    }
    for (const struct dirent *entry = readdir(folder); entry && empty;
         entry = readdir(folder)) {
        empty = is_dot(entry->d_name);
    }
    closedir(folder);
    return empty;
}

void folder_remove(const char *path)
{
    char inner[FOLDER_PATH_SIZE];
    DIR *folder = opendir(path);
    if (!folder) {
        return;
    }
    for (const struct dirent *entry = readdir(folder); entry; entry = readdir(folder)) {
        if (is_dot(entry->d_name)
            || snprintf(inner, sizeof inner, "%s/%s", path, entry->d_name)
                   >= (int)sizeof inner) {
            continue;
        }
        if (unlink(inner) != 0) {
            folder_remove(inner);
        }
    }
    closedir(folder);
    rmdir(path);
}
