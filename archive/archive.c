#include "archive/archive.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "archive/catalogue.h"
#include "archive/folder.h"
#include "archive/layout.h"
#include "archive/seal.h"
#include "base/log.h"

enum {
    ARCHIVE_PATH_SIZE = CATALOGUE_PATH_SIZE + 16
};

/* HDF5 creates files readable by all; this one exists before, so it keeps its mode. */
static enum status part_create(const char *part)
{
    unlink(part);
    int descriptor = open(part, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0600);
    if (descriptor < 0) {
        log_error("%s: cannot create it: %s; check the folder", part, strerror(errno));
        return STATUS_IO;
    }
    close(descriptor);
    return STATUS_OK;
}

static enum status part_write(const struct session *session, const char *part)
{
    struct hdf5_writer writer;
    errno = 0;
    hdf5_writer_open(&writer, part, SEAL_SIZE);
    layout_write(&writer, session);
    int error = errno;
    if (!hdf5_writer_close(&writer)) {
        log_error("%s: cannot write the session file (at %s): %s; check the disk and "
                  "its free space",
                  part, writer.where[0] ? writer.where : "memory",
                  error != 0 ? strerror(error) : "HDF5 gave up");
        return STATUS_IO;
    }
    return seal_write(part);
}

static enum status part_verify(const char *part)
{
    char finding[256];
    enum status status = archive_verify(part, finding);
    if (status != STATUS_OK) {
        log_error("%s: read back wrong after writing: %s; check the disk", part,
                  finding[0] ? finding : status_text(status));
        return STATUS_IO;
    }
    return STATUS_OK;
}

/* What the format cannot hold is a mistake of the caller's data, told before anything is
 * made. */
static enum status session_check(const struct session *session, const char *path)
{
    unsigned roles = 0;
    for (unsigned index = 0; index < session->sensor_count; index++) {
        unsigned role = 1U << session->sensors[index].role;
        if (roles & role) {
            log_error("%s: two sensors have the role %s; a session holds each role once",
                      path, role_text(session->sensors[index].role));
            return STATUS_BAD_INPUT;
        }
        roles |= role;
    }
    return STATUS_OK;
}

enum status archive_write(const struct session *session, const char *path)
{
    char part[ARCHIVE_PATH_SIZE];
    struct stat info;
    if (snprintf(part, sizeof part, "%s.part", path) >= (int)sizeof part) {
        log_error("%s: the path is too long; use a shorter archive folder", path);
        return STATUS_IO;
    }
    if (lstat(path, &info) == 0) {
        log_error("%s: exists already; a finished session file is never overwritten", path);
        return STATUS_IO;
    }
    enum status status = session_check(session, path);
    if (status == STATUS_OK) {
        status = part_create(part);
    }
    if (status != STATUS_OK) {
        return status;
    }
    status = part_write(session, part);
    if (status == STATUS_OK) {
        status = part_verify(part);
    }
    if (status == STATUS_OK && rename(part, path) != 0) {
        log_error("%s: cannot rename it to %s: %s", part, path, strerror(errno));
        status = STATUS_IO;
    }
    if (status != STATUS_OK) {
        unlink(part);
        return status;
    }
    return folder_sync_parent(path);
}

/* Sealed and readable content into a new session. */
static enum status content_read(const char *path,
                                const struct layout_read_settings *settings,
                                struct session **out, char finding[256])
{
    struct session *session = NULL;
    struct hdf5_reader reader;
    enum status status = seal_check(path, finding);
    if (status == STATUS_OK) {
        status = session_create(&session);
    }
    if (status != STATUS_OK) {
        return status;
    }
    hdf5_reader_open(&reader, path);
    if (hdf5_reader_is_good(&reader)) {
        layout_read(&reader, settings, session);
    }
    hdf5_reader_close(&reader);
    if (!hdf5_reader_is_good(&reader)) {
        snprintf(finding, 256, "%s", reader.finding);
        session_destroy(session);
        return reader.status;
    }
    *out = session;
    return STATUS_OK;
}

enum status archive_read(const char *path, const struct archive_read_settings *settings,
                         struct session **out)
{
    char finding[256] = "";
    const struct layout_read_settings how = {
        .with_samples = settings->with_samples,
        .with_journal = settings->with_journal,
    };
    enum status status = content_read(path, &how, out, finding);
    if (status != STATUS_OK) {
        log_error("%s: %s%s", path, finding[0] ? finding : status_text(status),
                  status == STATUS_CORRUPT ? "; restore it from a backup" : "");
    }
    return status;
}

enum status archive_verify(const char *path, char finding[256])
{
    struct session *session = NULL;
    const struct layout_read_settings how = {.check_only = true};
    enum status status = content_read(path, &how, &session, finding);
    session_destroy(session);
    return status;
}
