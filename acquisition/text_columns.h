/* What lines of numbers look like and what their columns are called: settings of the text
 * driver, and the check of them for who reads them from a file. Pure; any thread. */
#ifndef LIMBER_ACQUISITION_TEXT_COLUMNS_H
#define LIMBER_ACQUISITION_TEXT_COLUMNS_H

#include <stdbool.h>

enum {
    TEXT_COLUMN_MAX = 40,
    TEXT_COLUMN_NAME_SIZE = 48,
    TEXT_HEADER_LINE_MAX = 1000
};

/* What a profile of a person's own says beyond the names of the columns. */
struct text_lines {
    char separator; /* ',', '\t', ';' or ' ' (any run of spaces); 0 = one of the first three
                     */
    bool has_decimal_comma;      /* "12,5"; then a comma separates nothing */
    bool has_trailing_separator; /* one more after the last field */
    unsigned header_line_count;  /* lines after opening that are no data */
    /* Of each column: (number of the line) * scale + offset is in the unit of its name. */
    double scales[TEXT_COLUMN_MAX];
    double offsets[TEXT_COLUMN_MAX];
};

/* Check a list of column names as a person's own profile has it: known names, or "unused".
 * @param columns  Names with commas between.
 * @param column   Out: index of the column that is wrong; untouched when the whole list is.
 * @return What is wrong, or NULL. */
const char *text_columns_check(const char *columns, unsigned *column);

/* The same for the rest; the column is untouched when the form of the lines is wrong. */
const char *text_lines_check(const struct text_lines *lines, const char *columns,
                             unsigned *column);

#endif
