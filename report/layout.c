#include "report/layout.h"

#include <math.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "report/markup.h"

/* Measures of report.css for dense sheets, in mm (1 px = 0.2646 mm), checked in a browser:
 * text of 13.4 px on lines of 18.2 px. */
static const double LINE_MM = 4.85;
static const double CHARACTER_MM = 1.76;
static const double HEADING_MM = 6.4;
static const double GAP_MM = 2.3;
static const double ROW_EXTRA_MM = 1.4;
static const double SHEET_WIDTH_MM = 184.0;
static const double CELL_GAP_MM = 2.4;
static const double COLUMN_GAP_MM = 7.0;
/* 297 mm less margins, head and foot. */
static const double FIRST_SHEET_MM = 245.0;
static const double SHEET_MM = 252.0;

enum {
    TABLE_COLUMN_MAX = 16,
    SPLIT_ROW_MIN = 3 /* a shorter beginning of a table is not worth its heading */
};

static size_t text_length(const struct node *node)
{
    size_t length = markup_length(node->text);
    for (const struct node *child = node->first; child; child = child->next) {
        length += text_length(child);
    }
    return length;
}

static double lines_of(size_t length, double width_mm)
{
    return fmax(1.0, ceil((double)length * CHARACTER_MM / fmax(width_mm, CHARACTER_MM)));
}

static size_t longest_word(const char *text)
{
    size_t longest = 0;
    while (*text != '\0') {
        size_t size = strcspn(text, " ");
        longest = size > longest ? size : longest;
        text += size + (text[size] == ' ');
    }
    return longest;
}

/* Longest text of each column, or word of its heading, in characters. */
static size_t column_lengths(const struct node *table, size_t lengths[TABLE_COLUMN_MAX])
{
    size_t index = 0;
    for (const struct node *column = table->first; column; column = column->next) {
        if (column->kind == NODE_COLUMN && index < TABLE_COLUMN_MAX) {
            lengths[index++] = longest_word(column->text);
        }
    }
    for (const struct node *row = table->first; row; row = row->next) {
        size_t column = 0;
        for (const struct node *cell = row->first; cell && row->kind == NODE_ROW;
             cell = cell->next, column++) {
            size_t length = text_length(cell);
            if (column < TABLE_COLUMN_MAX && length > lengths[column]) {
                lengths[column] = length;
            }
        }
    }
    size_t count = node_count(table, NODE_COLUMN);
    return count < TABLE_COLUMN_MAX ? count : TABLE_COLUMN_MAX;
}

/* Widths of the columns as the browser gives them: only the first and the last wrap, and
 * share what the others leave in proportion to their texts. */
static size_t column_widths(const struct node *table, double width_mm,
                            double widths[TABLE_COLUMN_MAX])
{
    size_t lengths[TABLE_COLUMN_MAX] = {0};
    size_t count = column_lengths(table, lengths);
    double left_mm = width_mm;
    for (size_t i = 0; i < count; i++) {
        widths[i] = ((double)lengths[i] + 1.0) * CHARACTER_MM;
        if (i > 0 && i + 1 < count) {
            left_mm -= widths[i] + CELL_GAP_MM;
        }
    }
    double wanted_mm = count > 1 ? widths[0] + widths[count - 1] : 0.0;
    if (count > 1 && wanted_mm > left_mm) {
        double share = fmax(left_mm, width_mm / 4.0) / wanted_mm;
        widths[0] *= share;
        widths[count - 1] *= share;
    }
    return count;
}

static double row_height(const struct node *row, const double widths[TABLE_COLUMN_MAX],
                         size_t count)
{
    double lines = 1.0;
    if (row->first && count > 0) {
        lines = fmax(lines_of(text_length(row->first), widths[0]),
                     lines_of(text_length(row->last), widths[count - 1]));
    }
    return lines * LINE_MM + ROW_EXTRA_MM;
}

/* Caption and head. */
static double table_head_height(const struct node *table, double width_mm)
{
    double widths[TABLE_COLUMN_MAX] = {0};
    size_t count = column_widths(table, width_mm, widths);
    double lines = 1.0;
    size_t index = 0;
    for (const struct node *column = table->first; column; column = column->next) {
        if (column->kind == NODE_COLUMN && index < count) {
            lines = fmax(lines, lines_of(markup_length(column->text), widths[index++]));
        }
    }
    return (lines_of(markup_length(table->text), width_mm) + lines) * LINE_MM + 1.8;
}

static double table_height(const struct node *table, double width_mm)
{
    double height = table_head_height(table, width_mm);
    double widths[TABLE_COLUMN_MAX] = {0};
    size_t count = column_widths(table, width_mm, widths);
    for (const struct node *row = table->first; row; row = row->next) {
        height += row->kind == NODE_ROW ? row_height(row, widths, count) : 0.0;
    }
    return height;
}

static double height_of(const struct node *node, double width_mm);

static double children_height(const struct node *node, double width_mm)
{
    double height = 0.0;
    for (const struct node *child = node->first; child; child = child->next) {
        height += height_of(child, width_mm);
    }
    return height;
}

static double columns_height(const struct node *node, double width_mm)
{
    double height = 0.0;
    for (const struct node *child = node->first; child; child = child->next) {
        height = fmax(height, height_of(child, (width_mm - COLUMN_GAP_MM) / 2.0));
    }
    return height;
}

static double chart_height(const struct node *node, double width_mm)
{
    /* Width over height of the view boxes, and what stands over the drawing. */
    double ratio =
        chart_shape_get(node->chart) == CHART_HALF ? 340.0 / 150.0 : 690.0 / 170.0;
    double head =
        fmax(11.0, HEADING_MM + lines_of(markup_length(node->caption), width_mm) * LINE_MM);
    return head + width_mm / ratio;
}

static double fine_height(const struct node *node, double width_mm)
{
    double height = 0.0;
    for (const struct node *child = node->first; child; child = child->next) {
        height += height_of(child, (width_mm - 8.0) / 2.0) + 0.8;
    }
    return height / 2.0 + LINE_MM;
}

static double height_of(const struct node *node, double width_mm)
{
    switch (node->kind) {
    case NODE_SECTION:
        return HEADING_MM + children_height(node, width_mm);
    case NODE_COLUMNS:
        return columns_height(node, width_mm);
    case NODE_NOTICE:
        return 9.5 + children_height(node, width_mm - 9.0);
    case NODE_FINE:
        return fine_height(node, width_mm);
    case NODE_FACTS:
        return ceil((double)node_count(node, NODE_FACT) / 4.0) * (2.0 * LINE_MM + 1.4);
    case NODE_TABLE:
        return table_height(node, width_mm);
    case NODE_CHART:
        return chart_height(node, width_mm);
    case NODE_SIGNATURE:
        return 14.0;
    case NODE_PARAGRAPH:
    case NODE_ITEM:
        return lines_of(text_length(node), width_mm) * LINE_MM;
    case NODE_ROOT:
    case NODE_DETAILS:
    case NODE_LIST:
    case NODE_FACT:
    case NODE_COLUMN:
    case NODE_ROW:
    case NODE_CELL:
    case NODE_RUN:
    case NODE_FIGURES:
    case NODE_FIGURE:
    case NODE_KIND_COUNT:
        break;
    }
    return children_height(node, width_mm);
}

static enum status piece_add(struct layout *layout, struct layout_piece piece)
{
    struct layout_piece *pieces =
        realloc(layout->pieces, (layout->piece_count + 1) * sizeof *pieces);
    if (!pieces) {
        return STATUS_NO_MEMORY;
    }
    layout->pieces = pieces;
    pieces[layout->piece_count++] = piece;
    return STATUS_OK;
}

static const struct node *section_table(const struct node *node)
{
    const struct node *child = node->kind == NODE_SECTION ? node->first : NULL;
    while (child && child->kind != NODE_TABLE) {
        child = child->next;
    }
    return child;
}

/* Number of rows from first that fit into the height. */
static size_t rows_fitting(const struct node *section, const struct node *table,
                           size_t first, double room_mm)
{
    double widths[TABLE_COLUMN_MAX] = {0};
    size_t count = column_widths(table, SHEET_WIDTH_MM, widths);
    double height = HEADING_MM + table_head_height(table, SHEET_WIDTH_MM);
    for (const struct node *child = section->first; child != table; child = child->next) {
        height += height_of(child, SHEET_WIDTH_MM);
    }
    size_t index = 0;
    size_t fitting = 0;
    for (const struct node *row = table->first; row; row = row->next) {
        if (row->kind != NODE_ROW || index++ < first) {
            continue;
        }
        height += row_height(row, widths, count);
        if (height > room_mm) {
            break;
        }
        fitting++;
    }
    return fitting;
}

/* Rows of a long table onto as many sheets as it takes. */
static enum status split(struct layout *layout, const struct node *section, double *room_mm)
{
    const struct node *table = section_table(section);
    size_t count = node_count(table, NODE_ROW);
    size_t first = 0;
    enum status status = STATUS_OK;
    while (!status && first < count) {
        size_t fitting = rows_fitting(section, table, first, *room_mm);
        bool is_whole_sheet = *room_mm >= SHEET_MM;
        if (fitting < SPLIT_ROW_MIN && fitting < count - first && !is_whole_sheet) {
            layout->sheet_count++;
            *room_mm = SHEET_MM;
            continue;
        }
        fitting = fitting > 0 ? fitting : 1;
        bool is_end = first + fitting >= count;
        struct layout_piece piece = {section, layout->sheet_count - 1, first,
                                     is_end ? SIZE_MAX : first + fitting};
        status = piece_add(layout, piece);
        double extra = HEADING_MM + table_head_height(table, SHEET_WIDTH_MM) + GAP_MM;
        *room_mm -= extra + (double)fitting * (LINE_MM + ROW_EXTRA_MM);
        first += fitting;
        if (!is_end) {
            layout->sheet_count++;
            *room_mm = SHEET_MM;
        }
    }
    return status;
}

static enum status place(struct layout *layout, const struct node *node, double *room_mm)
{
    double height = height_of(node, SHEET_WIDTH_MM) + GAP_MM;
    if (height > *room_mm) {
        if (section_table(node)) {
            return split(layout, node, room_mm);
        }
        layout->sheet_count++;
        *room_mm = SHEET_MM;
    }
    *room_mm -= height;
    return piece_add(layout,
                     (struct layout_piece){node, layout->sheet_count - 1, 0, SIZE_MAX});
}

enum status layout_create(const struct document *document, struct layout *layout)
{
    *layout = (struct layout){.sheet_count = 1};
    double room_mm = document->style == DOCUMENT_DENSE ? FIRST_SHEET_MM : (double)INFINITY;
    for (const struct node *node = document->root->first; node; node = node->next) {
        enum status status = place(layout, node, &room_mm);
        if (status) {
            layout_release(layout);
            return status;
        }
    }
    return STATUS_OK;
}

void layout_release(struct layout *layout)
{
    free(layout->pieces);
    *layout = (struct layout){0};
}
