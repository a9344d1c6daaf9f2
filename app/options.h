/* Small helpers that all commands share for reading their options. One thread. */
#ifndef LIMBER_APP_OPTIONS_H
#define LIMBER_APP_OPTIONS_H

#include "app/header.h"
#include "archive/catalogue.h"

/* Read a comma list of protocol names into a header.
 * @return STATUS_OK; what protocol_find said; STATUS_BAD_INPUT for too many. */
enum status options_protocols(const char *names, struct header *header);

/* The archive folder of DIR/SUBJECT/NAME.
 * @param path     Path of a session file or journal.
 * @param archive  Out. */
void options_archive_of(const char *path, char archive[CATALOGUE_PATH_SIZE]);

/* Check and keep a subject code.
 * @return STATUS_OK; STATUS_BAD_INPUT after one logged line. */
enum status options_subject(const char *subject, struct header *header);

#endif
