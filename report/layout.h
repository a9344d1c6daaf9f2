/* Shares the blocks of a document out to sheets of A4 by their estimated height. Pure; one
 * thread. */
#ifndef LIMBER_REPORT_LAYOUT_H
#define LIMBER_REPORT_LAYOUT_H

#include "report/node.h"

/* Between the margins of a dense sheet. */
#define LAYOUT_WIDTH_MM 184.0

enum {
    LAYOUT_COLUMN_MAX = 16
};

/* A block, or some rows of a section with a table, on one sheet. */
struct layout_piece {
    const struct node *node;
    unsigned sheet;   /* from 0 */
    size_t row_first; /* of the section's table; all rows: 0 .. SIZE_MAX */
    size_t row_end;
};

struct layout {
    struct layout_piece *pieces;
    size_t piece_count;
    unsigned sheet_count;
};

/* A large document is one sheet, whatever it holds. @return STATUS_OK or STATUS_NO_MEMORY.
 */
enum status layout_create(const struct document *document, struct layout *layout);
void layout_release(struct layout *layout);

/* Widths of the columns of a table in mm, gaps included; their sum is width_mm unless the
 * table is too wide. The first column, and the last unless it holds numbers, wrap and share
 * what the others leave. @return Their number. */
size_t layout_columns(const struct node *table, double width_mm,
                      double widths[LAYOUT_COLUMN_MAX]);

#endif
