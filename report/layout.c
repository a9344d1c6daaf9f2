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
static const double BOLD = 1.08; /* wider than the plain type */
static const double SHORT_COLUMN_MM = 30.0;
static const double HEADING_CHARACTER_MM = 2.4;
/* The small drawing beside the heading of a chart. */
static const double CHART_FIGURE_MM = 20.0;
static const double HEADING_MM = 6.4;
static const double GAP_MM = 2.3;
static const double ROW_EXTRA_MM = 1.4;
static const double CELL_GAP_MM = 2.4;
static const double COLUMN_GAP_MM = 7.0;
/* 297 mm less margins, head and foot. */
static const double FIRST_SHEET_MM = 245.0;
static const double SHEET_MM = 252.0;

enum {
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

static bool column_is_numeric(const struct node *table, size_t index)
{
    for (const struct node *column = table->first; column; column = column->next) {
        if (column->kind == NODE_COLUMN && index-- == 0) {
            return column->is_numeric;
        }
    }
    return false;
}

/* Advance of a character of the 13.4 px type, measured over its classes. */
static double character_width(char character)
{
    if (strchr(" .,:;'|!ilj", character)) {
        return 0.95;
    }
    if (strchr("()[]-/ftrI", character)) {
        return 1.25;
    }
    if (strchr("mwMW%", character)) {
        return 3.1;
    }
    bool is_upper = character >= 'A' && character <= 'Z';
    return is_upper ? 2.3 : 2.0;
}

/* Width of the first size bytes of a text; bytes within a character count nothing. */
static double text_width(const char *text, size_t size)
{
    double width_mm = 0.0;
    for (size_t i = 0; i < size; i++) {
        bool is_inside = ((unsigned char)text[i] & 0xC0) == 0x80;
        width_mm += is_inside ? 0.0 : character_width(text[i]);
    }
    return width_mm;
}

static double longest_word(const char *text)
{
    double longest_mm = 0.0;
    while (*text != '\0') {
        size_t size = strcspn(text, " ");
        longest_mm = fmax(longest_mm, text_width(text, size));
        text += size + (text[size] == ' ');
    }
    return longest_mm;
}

/* Width of all text in a cell on one line. */
static double cell_width(const struct node *cell)
{
    double width_mm = text_width(cell->text, strlen(cell->text));
    for (const struct node *child = cell->first; child; child = child->next) {
        width_mm += cell_width(child);
    }
    return width_mm;
}

/* Widest text of each column, or word of its heading. */
static size_t column_widths(const struct node *table, double widths[LAYOUT_COLUMN_MAX])
{
    size_t index = 0;
    for (const struct node *column = table->first; column; column = column->next) {
        if (column->kind == NODE_COLUMN && index < LAYOUT_COLUMN_MAX) {
            widths[index++] = BOLD * longest_word(column->text);
        }
    }
    for (const struct node *row = table->first; row; row = row->next) {
        size_t column = 0;
        for (const struct node *cell = row->first; cell && row->kind == NODE_ROW;
             cell = cell->next, column++) {
            if (column < LAYOUT_COLUMN_MAX) {
                widths[column] = fmax(widths[column], BOLD * cell_width(cell));
            }
        }
    }
    return index;
}

/* Room for the first and the last column, which wrap: a short last one is left whole. */
static void share_out(double room_mm, double *first_mm, double *last_mm)
{
    double natural_mm = *first_mm + *last_mm;
    double last = *last_mm;
    if (room_mm > natural_mm || last > SHORT_COLUMN_MM) {
        last *= room_mm / natural_mm;
    }
    *last_mm = last;
    *first_mm = fmax(room_mm - last, SHORT_COLUMN_MM);
}

size_t layout_columns(const struct node *table, double width_mm,
                      double widths[LAYOUT_COLUMN_MAX])
{
    memset(widths, 0, LAYOUT_COLUMN_MAX * sizeof *widths);
    size_t count = column_widths(table, widths);
    double room_mm = width_mm;
    for (size_t i = 0; i < count; i++) {
        widths[i] += CELL_GAP_MM;
        room_mm -= i > 0 && i + 1 < count ? widths[i] : 0.0;
    }
    if (count > 1 && column_is_numeric(table, count - 1)) {
        widths[0] = fmax(room_mm - widths[count - 1], SHORT_COLUMN_MM);
    } else if (count > 1) {
        share_out(room_mm, &widths[0], &widths[count - 1]);
    }
    return count;
}

/* Words do not fill their lines: some room is lost where there are several. */
static double cell_lines(double wanted_mm, double width_mm)
{
    double room_mm = fmax(width_mm - CELL_GAP_MM, CHARACTER_MM);
    return wanted_mm <= room_mm ? 1.0 : ceil(1.15 * wanted_mm / room_mm);
}

static double row_height(const struct node *row, const double widths[LAYOUT_COLUMN_MAX],
                         size_t count)
{
    double lines = 1.0;
    if (row->first && count > 0) {
        lines = fmax(cell_lines(BOLD * cell_width(row->first), widths[0]),
                     cell_lines(cell_width(row->last), widths[count - 1]));
    }
    return lines * LINE_MM + ROW_EXTRA_MM;
}

/* Caption and head. */
static double table_head_height(const struct node *table, double width_mm)
{
    double widths[LAYOUT_COLUMN_MAX] = {0};
    size_t count = layout_columns(table, width_mm, widths);
    double lines = 1.0;
    size_t index = 0;
    for (const struct node *column = table->first; column; column = column->next) {
        if (column->kind == NODE_COLUMN && index < count) {
            lines = fmax(lines, cell_lines(BOLD * cell_width(column), widths[index++]));
        }
    }
    return (lines_of(markup_length(table->text), width_mm) + lines) * LINE_MM + 1.8;
}

static double table_height(const struct node *table, double width_mm)
{
    double height = table_head_height(table, width_mm);
    double widths[LAYOUT_COLUMN_MAX] = {0};
    size_t count = layout_columns(table, width_mm, widths);
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
    double heading_lines = ceil((double)markup_length(node->text) * HEADING_CHARACTER_MM
                                / (width_mm - CHART_FIGURE_MM));
    double head =
        fmax(11.0, heading_lines * HEADING_MM
                       + lines_of(markup_length(node->caption), width_mm - CHART_FIGURE_MM)
                             * LINE_MM);
    return head + width_mm / ratio;
}

/* Four in a row; the longest decides. */
static double facts_height(const struct node *node, double width_mm)
{
    double height = 0.0;
    double row_lines = 0.0;
    size_t index = 0;
    for (const struct node *fact = node->first; fact; fact = fact->next, index++) {
        if (index % 4 == 0) {
            height += (row_lines + 1.0) * LINE_MM + 1.4;
            row_lines = 0.0;
        }
        double lines = 1.0
                       + cell_lines(fact->first ? BOLD * cell_width(fact->first) : 0.0,
                                    width_mm / 4.0);
        row_lines = fmax(row_lines, lines);
    }
    return height + row_lines * LINE_MM - LINE_MM;
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
        return facts_height(node, width_mm);
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

/* Height of what stands beside the table on a piece with its first or its last rows. */
static double beside_height(const struct node *section, const struct node *table,
                            bool is_first, bool is_last)
{
    double height = 0.0;
    bool is_behind = false;
    for (const struct node *child = section->first; child; child = child->next) {
        if (child == table) {
            is_behind = true;
        } else if (is_behind ? is_last : is_first) {
            height += height_of(child, LAYOUT_WIDTH_MM);
        }
    }
    return height;
}

/* Height of some rows with the table's head. */
static double piece_height(const struct node *section, const struct node *table,
                           size_t first, size_t row_count)
{
    double widths[LAYOUT_COLUMN_MAX];
    size_t count = layout_columns(table, LAYOUT_WIDTH_MM, widths);
    double height = HEADING_MM + table_head_height(table, LAYOUT_WIDTH_MM);
    size_t index = 0;
    for (const struct node *row = table->first; row; row = row->next) {
        if (row->kind == NODE_ROW && index++ >= first && index <= first + row_count) {
            height += row_height(row, widths, count);
        }
    }
    return height + beside_height(section, table, first == 0, first + row_count >= index);
}

/* Number of rows from first that fit into the height. */
static size_t rows_fitting(const struct node *section, const struct node *table,
                           size_t first, double room_mm)
{
    size_t left = node_count(table, NODE_ROW) - first;
    size_t fitting = 0;
    while (fitting < left && piece_height(section, table, first, fitting + 1) <= room_mm) {
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
        *room_mm -= piece_height(section, table, first, fitting) + GAP_MM;
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
    double height = height_of(node, LAYOUT_WIDTH_MM) + GAP_MM;
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
