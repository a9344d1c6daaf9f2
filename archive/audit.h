/* Append-only trail of who did what in an archive: JSON lines in DIR/audit.jsonl, each with
 * the SHA-256 of the line before (clinical reference 5.5). One thread. */
#ifndef LIMBER_ARCHIVE_AUDIT_H
#define LIMBER_ARCHIVE_AUDIT_H

#include "base/status.h"

struct audit_entry {
    const char *actor; /* operator code, "limber" for the program itself */
    const char
        *action; /* "session_closed", "session_recovered", "screening_override" ... */
    const char *object; /* session uuid or file */
    const char *digest; /* SHA-256 of the object after, "" = none */
    const char *reason; /* "" = none */
};

/* Append one entry, synced. STATUS_IO after one logged line. */
enum status audit_append(const char *directory, const struct audit_entry *entry);

/* Check the chain.
 * @param finding  Out, at least 256 bytes: line number and what is wrong, or "".
 * @param count    Out: entries read. */
enum status audit_verify(const char *directory, char finding[256], unsigned *count);

#endif
