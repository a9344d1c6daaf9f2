#include "report/document.h"

#include <assert.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>

#include "report/markup.h"
#include "report/node.h"

enum {
    RUN_SIZE_MAX = 2048 /* longest formatted text; longer ones are cut */
};

static void node_destroy(struct node *node)
{
    if (!node) {
        return;
    }
    struct node *child = node->first;
    while (child) {
        struct node *next = child->next;
        node_destroy(child);
        child = next;
    }
    free(node->text);
    free(node->caption);
    chart_destroy(node->chart);
    free(node);
}

static struct node *node_create(enum node_kind kind, const char *text)
{
    struct node *node = calloc(1, sizeof *node);
    if (!node) {
        return NULL;
    }
    node->kind = kind;
    node->text = markup_clean(text);
    node->caption = markup_clean("");
    if (!node->text || !node->caption) {
        node_destroy(node);
        return NULL;
    }
    return node;
}

static void node_append(struct node *parent, struct node *node)
{
    node->parent = parent;
    if (parent->last) {
        parent->last->next = node;
    } else {
        parent->first = node;
    }
    parent->last = node;
}

/* A new last child of parent, or NULL when memory ran out now or before. */
static struct node *add_to(struct document *document, struct node *parent,
                           enum node_kind kind, const char *text)
{
    if (document->status) {
        return NULL;
    }
    struct node *node = node_create(kind, text);
    if (!node) {
        document->status = STATUS_NO_MEMORY;
        return NULL;
    }
    node_append(parent, node);
    return node;
}

static struct node *add(struct document *document, enum node_kind kind, const char *text)
{
    return add_to(document, document->open, kind, text);
}

/* A new last child that takes what follows until document_close. */
static struct node *open_block(struct document *document, enum node_kind kind,
                               const char *text)
{
    struct node *node = add(document, kind, text);
    if (node) {
        document->open = node;
    }
    return node;
}

static void add_run(struct document *document, struct node *parent, enum document_tone tone,
                    const char *format, va_list arguments) DOCUMENT_FORMAT_CHECK(4, 0);

static void add_run(struct document *document, struct node *parent, enum document_tone tone,
                    const char *format, va_list arguments)
{
    char text[RUN_SIZE_MAX];
    vsnprintf(text, sizeof text, format, arguments);
    struct node *run = add_to(document, parent, NODE_RUN, text);
    if (run) {
        run->tone = tone;
    }
}

static void replace_text(struct document *document, char **slot, const char *text)
{
    char *copy = markup_clean(text);
    if (!copy) {
        document->status = STATUS_NO_MEMORY;
        return;
    }
    free(*slot);
    *slot = copy;
}

size_t node_count(const struct node *node, enum node_kind kind)
{
    size_t count = 0;
    for (const struct node *child = node->first; child; child = child->next) {
        count += child->kind == kind;
    }
    return count;
}

enum status document_create(const char *title, const char *language,
                            enum document_style style, struct document **out)
{
    struct document *document = calloc(1, sizeof *document);
    if (!document) {
        return STATUS_NO_MEMORY;
    }
    document->style = style;
    document->title = markup_clean(title);
    document->language = markup_clean(language);
    document->code = markup_clean("");
    document->line = markup_clean("");
    document->foot_left = markup_clean("");
    document->foot_middle = markup_clean("");
    document->root = node_create(NODE_ROOT, "");
    document->open = document->root;
    if (!document->title || !document->language || !document->code || !document->line
        || !document->foot_left || !document->foot_middle || !document->root) {
        document_destroy(document);
        return STATUS_NO_MEMORY;
    }
    *out = document;
    return STATUS_OK;
}

void document_destroy(struct document *document)
{
    if (!document) {
        return;
    }
    node_destroy(document->root);
    free(document->title);
    free(document->language);
    free(document->code);
    free(document->line);
    free(document->foot_left);
    free(document->foot_middle);
    free(document);
}

enum status document_status(const struct document *document)
{
    return document->status;
}

void document_head(struct document *document, const char *code, const char *line)
{
    replace_text(document, &document->code, code);
    replace_text(document, &document->line, line);
}

void document_foot(struct document *document, const char *left, const char *middle)
{
    replace_text(document, &document->foot_left, left);
    replace_text(document, &document->foot_middle, middle);
}

void document_section_open(struct document *document, const char *heading)
{
    open_block(document, NODE_SECTION, heading);
}

void document_columns_open(struct document *document)
{
    open_block(document, NODE_COLUMNS, "");
}

void document_notice_open(struct document *document, enum document_tone tone,
                          const char *title)
{
    struct node *node = open_block(document, NODE_NOTICE, title);
    if (node) {
        node->tone = tone;
    }
}

void document_fine_open(struct document *document)
{
    open_block(document, NODE_FINE, "");
}

void document_details_open(struct document *document, const char *summary)
{
    open_block(document, NODE_DETAILS, summary);
}

void document_facts_open(struct document *document)
{
    open_block(document, NODE_FACTS, "");
}

void document_list_open(struct document *document)
{
    open_block(document, NODE_LIST, "");
}

void document_table_open(struct document *document, const char *caption)
{
    open_block(document, NODE_TABLE, caption);
}

void document_figures_open(struct document *document)
{
    open_block(document, NODE_FIGURES, "");
}

void document_close(struct document *document)
{
    /* After a failure the tree is not complete, so that closes may outnumber opens. */
    assert(document->status || document->open->parent);
    if (document->open->parent) {
        document->open = document->open->parent;
    }
}

void document_paragraph(struct document *document, enum document_tone tone,
                        const char *format, ...)
{
    struct node *paragraph = add(document, NODE_PARAGRAPH, "");
    if (!paragraph) {
        return;
    }
    paragraph->tone = tone;
    va_list arguments;
    va_start(arguments, format);
    add_run(document, paragraph, DOCUMENT_PLAIN, format, arguments);
    va_end(arguments);
}

void document_run(struct document *document, enum document_tone tone, const char *format,
                  ...)
{
    if (document->status) {
        return;
    }
    struct node *parent = document->open->last;
    if (parent && parent->kind == NODE_ROW) {
        parent = parent->last;
    }
    assert(parent);
    va_list arguments;
    va_start(arguments, format);
    add_run(document, parent, tone, format, arguments);
    va_end(arguments);
}

void document_fact(struct document *document, const char *term, const char *format, ...)
{
    struct node *fact = add(document, NODE_FACT, term);
    if (!fact) {
        return;
    }
    va_list arguments;
    va_start(arguments, format);
    add_run(document, fact, DOCUMENT_PLAIN, format, arguments);
    va_end(arguments);
}

void document_item(struct document *document, enum document_mark mark, const char *format,
                   ...)
{
    struct node *item = add(document, NODE_ITEM, "");
    if (!item) {
        return;
    }
    item->mark = mark;
    va_list arguments;
    va_start(arguments, format);
    add_run(document, item, DOCUMENT_PLAIN, format, arguments);
    va_end(arguments);
}

void document_column(struct document *document, const char *title, bool is_numeric)
{
    struct node *column = add(document, NODE_COLUMN, title);
    if (column) {
        column->is_numeric = is_numeric;
    }
}

void document_row(struct document *document)
{
    add(document, NODE_ROW, "");
}

void document_cell(struct document *document, enum document_tone tone, const char *format,
                   ...)
{
    if (document->status) {
        return;
    }
    struct node *row = document->open->last;
    assert(row && row->kind == NODE_ROW);
    struct node *cell = add_to(document, row, NODE_CELL, "");
    if (!cell) {
        return;
    }
    va_list arguments;
    va_start(arguments, format);
    add_run(document, cell, tone, format, arguments);
    va_end(arguments);
}

void document_chart(struct document *document, struct chart *chart, const char *heading,
                    const char *caption, const char *figure)
{
    struct node *node = NULL;
    if (chart_status(chart)) {
        document->status = chart_status(chart);
    } else {
        node = add(document, NODE_CHART, heading);
    }
    if (!node) {
        chart_destroy(chart);
        return;
    }
    node->chart = chart;
    replace_text(document, &node->caption, caption);
    add_to(document, node, NODE_FIGURE, figure);
}

void document_figure(struct document *document, const char *protocol_id)
{
    add(document, NODE_FIGURE, protocol_id);
}

void document_signature(struct document *document)
{
    add(document, NODE_SIGNATURE, "");
}
