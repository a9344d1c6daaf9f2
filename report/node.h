/* The tree inside a document, shared by the builders and the renderers of this folder only.
 * One thread. */
#ifndef LIMBER_REPORT_NODE_H
#define LIMBER_REPORT_NODE_H

#include "report/document.h"

enum node_kind {
    NODE_ROOT,
    NODE_SECTION,
    NODE_COLUMNS,
    NODE_NOTICE,
    NODE_FINE,
    NODE_DETAILS,
    NODE_FACTS,
    NODE_FACT,
    NODE_LIST,
    NODE_ITEM,
    NODE_TABLE,
    NODE_COLUMN,
    NODE_ROW,
    NODE_CELL,
    NODE_PARAGRAPH,
    NODE_RUN,
    NODE_CHART,
    NODE_FIGURES,
    NODE_FIGURE,
    NODE_SIGNATURE,
    NODE_KIND_COUNT
};

struct node {
    enum node_kind kind;
    enum document_tone tone;
    enum document_mark mark;
    bool is_numeric;
    char *text;    /* heading, title, caption, term, run; owned; "" where there is none */
    char *caption; /* charts; owned */
    struct chart *chart; /* owned */
    struct node *parent;
    struct node *first;
    struct node *last;
    struct node *next;
};

struct document {
    char *title;
    char *language;
    char *code;
    char *line;
    char *foot_left;
    char *foot_middle;
    enum document_style style;
    enum status status;
    struct node *root;
    struct node *open; /* new blocks go here */
};

/* Number of direct children of a kind. */
size_t node_count(const struct node *node, enum node_kind kind);

#endif
