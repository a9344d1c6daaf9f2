/* From a journal to a closed session file in the archive, in a child process so that
 * nothing in the HDF5 library can take the program down. Also recovery: the same path. Main
 * thread. */
#ifndef LIMBER_APP_CLOSING_H
#define LIMBER_APP_CLOSING_H

#include <stdbool.h>

#include "archive/catalogue.h"

/* Build PATH.h5 from PATH.journal, enter it in the catalogue and the audit trail, remove
 * the journal. On failure the journal stays.
 * @param directory  The archive.
 * @param journal    Path of the journal, ends in ".journal".
 * @param path       Out: the session file.
 * @return STATUS_OK; what the child said otherwise (logged). */
enum status closing_run(const char *directory, const char *journal,
                        char path[CATALOGUE_PATH_SIZE]);

/* Write a session file in a child process.
 * @return STATUS_OK or what archive_write said. */
enum status closing_write(const struct session *session, const char *path);

#endif
