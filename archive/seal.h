/* The seal of a session file: 512 bytes in front of the HDF5 content (its "user block")
 * with a BLAKE2b-256 of all that follows. It is checked before HDF5 sees a byte, so damage
 * of any kind is one clear answer instead of a crash in a parser. Private to archive/. One
 * thread.
 *
 * Text, padded with zero bytes:
 *     limber-session 1.0\n
 *     blake2b-256 <64 hex digits>\n
 *     size <decimal bytes after the block>\n
 * Check by hand: tail -c +513 FILE | b2sum -l 256 */
#ifndef LIMBER_ARCHIVE_SEAL_H
#define LIMBER_ARCHIVE_SEAL_H

#include "base/status.h"

enum {
    SEAL_SIZE = 512
};

#define SEAL_FORMAT_VERSION "1.0"

/* Hash what follows the block and write the seal, then fsync.
 * @return STATUS_OK; STATUS_IO after one logged line. */
enum status seal_write(const char *path);

/* @param finding  Out, at least 256 bytes: what is wrong, "" when whole.
 * @return STATUS_OK; STATUS_NOT_FOUND or STATUS_IO (cannot be read), STATUS_BAD_INPUT (no
 * session file), STATUS_CORRUPT (cut off or changed); nothing is logged. */
enum status seal_check(const char *path, char finding[256]);

#endif
