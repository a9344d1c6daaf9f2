/* Session files (HDF5) and the folder that holds them. Everything HDF5 stays behind this
 * door. One thread. */
#ifndef LIMBER_ARCHIVE_ARCHIVE_H
#define LIMBER_ARCHIVE_ARCHIVE_H

#include "protocols/session.h"

/* Write a session file: PATH.part, closed, fsynced, opened again and verified, renamed,
 * folder fsynced; mode 0600. Same session, same bytes. Refuses to overwrite.
 * @return STATUS_OK; STATUS_IO after one logged line, STATUS_BAD_INPUT when two sensors
 * have one role; nothing is left at PATH then. After STATUS_IO the HDF5 library may crash
 * when used again: leave the process by _exit. */
enum status archive_write(const struct session *session, const char *path);

struct archive_read_settings {
    bool with_samples; /* also raw streams and orientations (large) */
    bool with_journal; /* also the raw bytes */
};

/* Read a session file. @param out  Gives the session.
 * @return STATUS_OK; STATUS_NOT_FOUND, STATUS_IO, STATUS_CORRUPT or STATUS_BAD_INPUT (not a
 *         Limber session) after one logged line. */
enum status archive_read(const char *path, const struct archive_read_settings *settings,
                         struct session **out);

/* Check seal, layout, checksums, row counts and the journal's hash. Logs nothing itself.
 * @param finding  Out, at least 256 bytes: what is wrong, or "".
 * @return As archive_read, each failure with its finding. */
enum status archive_verify(const char *path, char finding[256]);

/* SHA-256 of a file, hex. */
enum status archive_hash_file(const char *path, char hash[SESSION_HASH_SIZE]);

/* SHA-256 of bytes, hex. */
void archive_hash_bytes(const void *bytes, size_t size, char hash[SESSION_HASH_SIZE]);

/* Random UUID version 4. */
void archive_uuid(char uuid[SESSION_UUID_SIZE]);

#endif
