/* Catches what the program writes to standard error, so that a test can read the message.
 * Not nestable. One thread. */
#ifndef LIMBER_TESTS_PROTOCOLS_LOG_CAPTURE_H
#define LIMBER_TESTS_PROTOCOLS_LOG_CAPTURE_H

#include <stddef.h>
#include <stdio.h>

struct log_capture {
    FILE *file;
    int saved;
};

void log_capture_begin(struct log_capture *capture);

/* Standard error is as before.
 * @param text  Out: what was written since begin, cut to size. */
void log_capture_end(struct log_capture *capture, char *text, size_t size);

/* Lines in a text. */
unsigned log_capture_lines(const char *text);

#endif
