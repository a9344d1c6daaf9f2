/* Words and numbers as people read them. Pure; any thread. */
#ifndef LIMBER_REPORT_WORDS_H
#define LIMBER_REPORT_WORDS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "protocols/session.h"

#if defined(__GNUC__)
#define WORDS_FORMAT_CHECK __attribute__((format(printf, 3, 4)))
#else
#define WORDS_FORMAT_CHECK
#endif

enum {
    WORDS_NUMBER_SIZE = 32,
    WORDS_DATE_SIZE = 48,
    WORDS_LABEL_SIZE = 160
};

/* A number with a proper minus sign; NaN gives an en dash. @param sign  Write a plus, too.
 */
const char *words_number(double value, int decimals, bool sign,
                         char out[WORDS_NUMBER_SIZE]);

/* "20 November 2026" and "20 Nov", both in UTC. */
const char *words_date(int64_t utc_us, char out[WORDS_DATE_SIZE]);
const char *words_day(int64_t utc_us, char out[WORDS_DATE_SIZE]);

/* "20 November 2026, 10:45 UTC". */
const char *words_date_time(int64_t utc_us, char out[WORDS_DATE_SIZE]);

/* printf behind what is there; what does not fit is cut. */
void words_append(char *text, size_t size, const char *format, ...) WORDS_FORMAT_CHECK;

/* Name of a stretch for clinicians: the title without what stands in brackets. */
const char *words_stretch(const struct protocol *protocol, char out[WORDS_LABEL_SIZE]);

/* Shorter, for tables: "Forward bend". */
const char *words_stretch_brief(const struct protocol *protocol,
                                char out[WORDS_LABEL_SIZE]);

/* Name of a measure without its signs: "low back, side bend". */
const char *words_measure(enum measure measure, char out[WORDS_LABEL_SIZE]);

/* Name of a stretch for patients, lower case: "forward bend". */
const char *words_stretch_plain(const struct protocol *protocol,
                                char out[WORDS_LABEL_SIZE]);

/* "", "left", "right". */
const char *words_side(enum side side);

/* Reference values that may be printed, with their source; NULL = none. */
const char *words_reference(const char *protocol_id, const struct metric *metric,
                            const char **source);

#endif
