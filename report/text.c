/* Renders a document as plain text, 80 columns wide. */
#include <stdlib.h>
#include <string.h>

#include "report/markup.h"
#include "report/node.h"

enum {
    TEXT_WIDTH = 80,
    TABLE_COLUMN_MAX = 16
};

/* Words flow; the column is where the next one starts. */
struct flow {
    FILE *stream;
    size_t column;
    size_t indent;
    bool is_glued; /* no space before the next word: the text before did not end in one */
};

static void new_line(struct flow *flow)
{
    fputc('\n', flow->stream);
    for (size_t i = 0; i < flow->indent; i++) {
        fputc(' ', flow->stream);
    }
    flow->column = flow->indent;
    flow->is_glued = true;
}

static void flow_word(struct flow *flow, const char *word, size_t size)
{
    size_t length = 0;
    for (size_t i = 0; i < size; i++) {
        length += ((unsigned char)word[i] & 0xC0) != 0x80;
    }
    if (!flow->is_glued && flow->column + 1 + length > TEXT_WIDTH) {
        new_line(flow);
    } else if (!flow->is_glued) {
        fputc(' ', flow->stream);
        flow->column++;
    }
    fwrite(word, 1, size, flow->stream);
    flow->column += length;
    flow->is_glued = true;
}

static void flow_text(struct flow *flow, const char *text)
{
    while (*text != '\0') {
        if (*text == ' ') {
            flow->is_glued = flow->column == flow->indent;
            text++;
            continue;
        }
        size_t size = strcspn(text, " ");
        flow_word(flow, text, size);
        text += size;
    }
}

/* All runs below a node. */
static void flow_runs(struct flow *flow, const struct node *node)
{
    if (node->kind == NODE_RUN) {
        flow_text(flow, node->text);
    }
    for (const struct node *child = node->first; child; child = child->next) {
        flow_runs(flow, child);
    }
}

static void write_line(FILE *stream, const char *text, char underline)
{
    fprintf(stream, "%s\n", text);
    for (size_t i = markup_length(text); i > 0; i--) {
        fputc(underline, stream);
    }
    fputs("\n\n", stream);
}

static void write_block(FILE *stream, const struct node *node, const char *before,
                        const char *after)
{
    struct flow flow = {.stream = stream, .indent = strlen(before), .is_glued = true};
    fputs(before, stream);
    flow.column = flow.indent;
    flow_runs(&flow, node);
    fputs(after, stream);
}

static size_t runs_length(const struct node *node)
{
    size_t length = node->kind == NODE_RUN ? markup_length(node->text) : 0;
    for (const struct node *child = node->first; child; child = child->next) {
        length += runs_length(child);
    }
    return length;
}

static void write_runs(FILE *stream, const struct node *node)
{
    if (node->kind == NODE_RUN) {
        fputs(node->text, stream);
    }
    for (const struct node *child = node->first; child; child = child->next) {
        write_runs(stream, child);
    }
}

static void pad(FILE *stream, size_t length, size_t width)
{
    for (; length < width; length++) {
        fputc(' ', stream);
    }
}

/* Widest text of every column. */
static void table_widths(const struct node *table, size_t widths[TABLE_COLUMN_MAX])
{
    size_t index = 0;
    for (const struct node *child = table->first; child; child = child->next) {
        if (child->kind == NODE_COLUMN && index < TABLE_COLUMN_MAX) {
            widths[index++] = markup_length(child->text);
        }
    }
    for (const struct node *row = table->first; row; row = row->next) {
        size_t column = 0;
        for (const struct node *cell = row->kind == NODE_ROW ? row->first : NULL;
             cell && column < TABLE_COLUMN_MAX; cell = cell->next, column++) {
            size_t length = runs_length(cell);
            widths[column] = length > widths[column] ? length : widths[column];
        }
    }
}

static void write_cell(FILE *stream, const struct node *cell, size_t width, bool is_numeric,
                       bool is_last)
{
    const char *text = cell->kind == NODE_COLUMN ? cell->text : NULL;
    size_t length = text ? markup_length(text) : runs_length(cell);
    if (is_numeric) {
        pad(stream, length, width);
    }
    if (text) {
        fputs(text, stream);
    } else {
        write_runs(stream, cell);
    }
    if (!is_numeric && !is_last) {
        pad(stream, length, width);
    }
    fputs(is_last ? "\n" : "  ", stream);
}

static void write_table(FILE *stream, const struct node *table)
{
    size_t widths[TABLE_COLUMN_MAX] = {0};
    bool is_numeric[TABLE_COLUMN_MAX] = {false};
    size_t count = node_count(table, NODE_COLUMN);
    size_t index = 0;
    table_widths(table, widths);
    fprintf(stream, "%s\n", table->text);
    for (const struct node *child = table->first; child; child = child->next) {
        if (child->kind == NODE_COLUMN && index < TABLE_COLUMN_MAX) {
            is_numeric[index] = child->is_numeric;
            write_cell(stream, child, widths[index], child->is_numeric, index + 1 == count);
            index++;
        }
    }
    for (const struct node *row = table->first; row; row = row->next) {
        index = 0;
        for (const struct node *cell = row->kind == NODE_ROW ? row->first : NULL;
             cell && index < TABLE_COLUMN_MAX; cell = cell->next, index++) {
            write_cell(stream, cell, widths[index], is_numeric[index], !cell->next);
        }
    }
    fputc('\n', stream);
}

static void write_chart(FILE *stream, const struct node *node)
{
    struct flow flow = {.stream = stream, .is_glued = true};
    flow_text(&flow, "Chart: ");
    flow_text(&flow, chart_title(node->chart));
    flow_text(&flow, ". ");
    flow_text(&flow, chart_description(node->chart));
    fputs("\n\n", stream);
}

static void write_node(FILE *stream, const struct node *node);

static void write_children(FILE *stream, const struct node *node)
{
    for (const struct node *child = node->first; child; child = child->next) {
        write_node(stream, child);
    }
}

static void write_heading(FILE *stream, const struct node *node)
{
    if (node->text[0] != '\0') {
        write_line(stream, node->text, '-');
    }
    write_children(stream, node);
}

static void write_list(FILE *stream, const struct node *node)
{
    for (const struct node *item = node->first; item; item = item->next) {
        write_block(stream, item, "- ", "\n");
    }
    fputc('\n', stream);
}

static void write_facts(FILE *stream, const struct node *node)
{
    for (const struct node *fact = node->first; fact; fact = fact->next) {
        fprintf(stream, "%s: ", fact->text);
        write_block(stream, fact, "", "\n");
    }
    fputc('\n', stream);
}

static void write_node(FILE *stream, const struct node *node)
{
    switch (node->kind) {
    case NODE_SECTION:
    case NODE_NOTICE:
    case NODE_DETAILS:
        write_heading(stream, node);
        break;
    case NODE_FACTS:
        write_facts(stream, node);
        break;
    case NODE_LIST:
        write_list(stream, node);
        break;
    case NODE_TABLE:
        write_table(stream, node);
        break;
    case NODE_PARAGRAPH:
        write_block(stream, node, "", "\n\n");
        break;
    case NODE_CHART:
        write_chart(stream, node);
        break;
    case NODE_SIGNATURE:
        fputs("Signature: ______________  Name and role: ______________  Date: "
              "__________\n\n",
              stream);
        break;
    case NODE_ROOT:
    case NODE_COLUMNS:
    case NODE_FINE:
        write_children(stream, node);
        break;
    case NODE_FACT:
    case NODE_ITEM:
    case NODE_COLUMN:
    case NODE_ROW:
    case NODE_CELL:
    case NODE_RUN:
    case NODE_FIGURES:
    case NODE_FIGURE:
    case NODE_KIND_COUNT:
        break;
    }
}

enum status document_write_text(const struct document *document, FILE *stream)
{
    if (document->status) {
        return document->status;
    }
    write_line(stream, document->title, '=');
    fprintf(stream, "%s\n%s\n\n", document->code, document->line);
    write_children(stream, document->root);
    fprintf(stream, "%s, %s\n", document->foot_left, document->foot_middle);
    return ferror(stream) ? STATUS_IO : STATUS_OK;
}
