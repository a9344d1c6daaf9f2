/* Small helpers that all commands share for reading their options. One thread. */
#ifndef LIMBER_APP_OPTIONS_H
#define LIMBER_APP_OPTIONS_H

#include "app/header.h"

/* Read a comma list of protocol names into a header.
 * @return STATUS_OK; what protocol_find said; STATUS_BAD_INPUT for too many. */
enum status options_protocols(const char *names, struct header *header);

/* Check and keep a subject code.
 * @return STATUS_OK; STATUS_BAD_INPUT after one logged line. */
enum status options_subject(const char *subject, struct header *header);

#endif
