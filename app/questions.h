/* The screening questions asked in the terminal. One thread. */
#ifndef LIMBER_APP_QUESTIONS_H
#define LIMBER_APP_QUESTIONS_H

#include "protocols/screening.h"

/* Ask on standard output, read from standard input.
 * @return STATUS_OK; STATUS_REFUSED when the input ends before the last answer (logged). */
enum status questions_ask(struct screening *screening);

#endif
