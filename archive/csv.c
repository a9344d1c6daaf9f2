#include "archive/csv.h"

#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/log.h"

enum status csv_open(struct csv *csv, const char *path)
{
    *csv = (struct csv){.stream = NULL};
    if (snprintf(csv->path, sizeof csv->path, "%s", path) >= (int)sizeof csv->path) {
        log_error("%s: the path is too long; use a shorter folder", path);
        return STATUS_IO;
    }
    int descriptor = open(path, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0600);
    csv->stream = descriptor >= 0 ? fdopen(descriptor, "w") : NULL;
    if (!csv->stream) {
        log_error("%s: cannot create it: %s", path, strerror(errno));
        if (descriptor >= 0) {
            close(descriptor);
        }
        return STATUS_IO;
    }
    return STATUS_OK;
}

static void cell_start(struct csv *csv)
{
    if (csv->is_row_started) {
        putc(',', csv->stream);
    }
    csv->is_row_started = true;
}

/* A number's text; a comma as decimal mark (some locales) becomes a point. */
static void number_put(struct csv *csv, char *text)
{
    char *comma = strchr(text, ',');
    if (comma) {
        *comma = '.';
    }
    cell_start(csv);
    fputs(text, csv->stream);
}

void csv_text(struct csv *csv, const char *text)
{
    cell_start(csv);
    if (!text || text[0] == '\0') {
        fputs("NA", csv->stream);
        return;
    }
    if (!strpbrk(text, ",\"\r\n") && text[0] != ' ' && text[strlen(text) - 1] != ' ') {
        fputs(text, csv->stream);
        return;
    }
    putc('"', csv->stream);
    for (const char *letter = text; *letter; letter++) {
        if (*letter == '"') {
            putc('"', csv->stream);
        }
        putc(*letter, csv->stream);
    }
    putc('"', csv->stream);
}

void csv_integer(struct csv *csv, int64_t value)
{
    cell_start(csv);
    fprintf(csv->stream, "%" PRId64, value);
}

void csv_unsigned(struct csv *csv, uint64_t value)
{
    cell_start(csv);
    fprintf(csv->stream, "%" PRIu64, value);
}

void csv_double(struct csv *csv, double value)
{
    char text[40];
    /* The shortest that reads back equal: 0.99 and not 0.98999999999999999. */
    int digits = 15;
    do {
        snprintf(text, sizeof text, "%.*g", digits++, value);
    } while (digits <= 17
             && memcmp(&(double){strtod(text, NULL)}, &value, sizeof value) != 0);
    if (isfinite(value)) {
        number_put(csv, text);
    } else {
        csv_text(csv, NULL);
    }
}

void csv_float(struct csv *csv, float value)
{
    char text[40];
    snprintf(text, sizeof text, "%.9g", (double)value);
    if (isfinite(value)) {
        number_put(csv, text);
    } else {
        csv_text(csv, NULL);
    }
}

void csv_decimal(struct csv *csv, double value, int decimals)
{
    char text[352]; /* the largest double has 309 digits before the point */
    snprintf(text, sizeof text, "%.*f", decimals, value);
    if (isfinite(value)) {
        number_put(csv, text);
    } else {
        csv_text(csv, NULL);
    }
}

void csv_row_end(struct csv *csv)
{
    putc('\n', csv->stream);
    csv->is_row_started = false;
}

enum status csv_close(struct csv *csv)
{
    if (!csv->stream) {
        return STATUS_OK;
    }
    bool good = !ferror(csv->stream) && fflush(csv->stream) == 0;
    good = fclose(csv->stream) == 0 && good;
    csv->stream = NULL;
    if (!good) {
        log_error("%s: could not be written whole; free some space", csv->path);
    }
    return good ? STATUS_OK : STATUS_IO;
}
