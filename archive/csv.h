/* Comma-separated tables as RFC 4180 quotes them: UTF-8, one header line, "." as decimal
 * mark whatever the locale of the caller, absent values as NA, lines end in LF. Private to
 * archive/. One thread. */
#ifndef LIMBER_ARCHIVE_CSV_H
#define LIMBER_ARCHIVE_CSV_H

#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>

#include "base/status.h"

struct csv {
    FILE *stream;
    char path[768];
    bool is_row_started;
};

/* Create a file, mode 0600. STATUS_IO after one logged line. */
enum status csv_open(struct csv *csv, const char *path);

/* One cell each. Empty and NULL texts, NaN and infinite numbers are NA. */
void csv_text(struct csv *csv, const char *text);
void csv_integer(struct csv *csv, int64_t value);
void csv_unsigned(struct csv *csv, uint64_t value);
/* Every bit of the double comes back when the text is read again. */
void csv_double(struct csv *csv, double value);
/* The same for a float. */
void csv_float(struct csv *csv, float value);
/* Rounded to so many decimals. */
void csv_decimal(struct csv *csv, double value, int decimals);
void csv_row_end(struct csv *csv);

/* STATUS_OK; STATUS_IO after one logged line when any of it could not be written. A csv
 * that was never opened (zeroed) is closed too. */
enum status csv_close(struct csv *csv);

#endif
