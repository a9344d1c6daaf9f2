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
 * @param archive  Out.
 * @return false when the file lies in no archive (nothing is logged). */
bool options_archive_of(const char *path, char archive[CATALOGUE_PATH_SIZE]);

/* Check and keep a subject code.
 * @return STATUS_OK; STATUS_BAD_INPUT after one logged line. */
enum status options_subject(const char *subject, struct header *header);

/* The same for the code of the person who guides. */
enum status options_operator(const char *code, struct header *header);

/* A whole number. @return false after one logged line; seed untouched then. */
bool options_seed(const char *text, unsigned long long *seed);

/* Exit code of a command; says so when memory ran out, which nobody else does. */
int options_exit_code(enum status status);

#endif
