/* A report as a model: headings, paragraphs, facts, notices, tables, charts, lists. Built
 * once, then rendered to HTML or plain text from the same tree; escaping happens in the
 * renderers only. One thread. */
#ifndef LIMBER_REPORT_DOCUMENT_H
#define LIMBER_REPORT_DOCUMENT_H

#include <stdbool.h>
#include <stdio.h>

#include "base/status.h"
#include "report/chart.h"

struct document;

/* Style of a text run or block; decides colour, icon and shape together. */
enum document_tone {
    DOCUMENT_PLAIN,
    DOCUMENT_GOOD,
    DOCUMENT_CAUTION,
    DOCUMENT_STOP,
    DOCUMENT_QUIET,
    DOCUMENT_STRONG
};

/* Reading distance and person: small and dense on several sheets, or large on one. */
enum document_style {
    DOCUMENT_DENSE,
    DOCUMENT_LARGE
};

/* The icon before an item of a list. */
enum document_mark {
    DOCUMENT_MARK_DOT,
    DOCUMENT_MARK_MORE,
    DOCUMENT_MARK_LESS,
    DOCUMENT_MARK_SAME,
    DOCUMENT_MARK_UNKNOWN
};

#if defined(__GNUC__)
#define DOCUMENT_FORMAT_CHECK(text_at, first_at)                                           \
    __attribute__((format(printf, text_at, first_at)))
#else
#define DOCUMENT_FORMAT_CHECK(text_at, first_at)
#endif

/* @param title     The one first heading; also the title of the page.
 * @param language  BCP 47 tag, "en".
 * @param out       Gives the document.
 * @return STATUS_OK or STATUS_NO_MEMORY. */
enum status document_create(const char *title, const char *language,
                            enum document_style style, struct document **out);

/* NULL is allowed. */
void document_destroy(struct document *document);

/* Builders. Texts are copied; they are UTF-8 from anywhere: what is not valid, control
 * characters and characters that turn the writing direction are replaced by U+FFFD on the
 * way in. A failed allocation is remembered and makes all later builders do nothing: ask
 * document_status once. */
enum status document_status(const struct document *document);

/* The right side of the head of every sheet. @param code  Who it is about. */
void document_head(struct document *document, const char *code, const char *line);

/* The foot of every sheet; the page numbers come from the renderer. */
void document_foot(struct document *document, const char *left, const char *middle);

/* Blocks that hold blocks: each open wants its document_close.
 * A section with a heading (first level below the title). */
void document_section_open(struct document *document, const char *heading);
/* Children stand side by side where there is room. */
void document_columns_open(struct document *document);
/* A framed box. */
void document_notice_open(struct document *document, enum document_tone tone,
                          const char *title);
/* Small print in two text columns. */
void document_fine_open(struct document *document);
/* Folded away on screen until asked for. */
void document_details_open(struct document *document, const char *summary);
void document_facts_open(struct document *document);
void document_list_open(struct document *document);
void document_table_open(struct document *document, const char *caption);
/* A row of small drawings. */
void document_figures_open(struct document *document);
void document_close(struct document *document);

void document_paragraph(struct document *document, enum document_tone tone,
                        const char *format, ...) DOCUMENT_FORMAT_CHECK(3, 4);

/* More text behind the newest paragraph, item or cell. */
void document_run(struct document *document, enum document_tone tone, const char *format,
                  ...) DOCUMENT_FORMAT_CHECK(3, 4);

/* Inside facts. */
void document_fact(struct document *document, const char *term, const char *format, ...)
    DOCUMENT_FORMAT_CHECK(3, 4);

/* Inside a list. */
void document_item(struct document *document, enum document_mark mark, const char *format,
                   ...) DOCUMENT_FORMAT_CHECK(3, 4);

/* Inside a table: columns first, then rows of cells. The first cell of a row is its
 * heading. */
void document_column(struct document *document, const char *title, bool is_numeric);
void document_row(struct document *document);
void document_cell(struct document *document, enum document_tone tone, const char *format,
                   ...) DOCUMENT_FORMAT_CHECK(3, 4);

/* @param chart    Takes it (also on failure).
 * @param heading  Stands over it; "" = none.
 * @param caption  One line that says how to read it.
 * @param figure   Protocol id of a small drawing of the body beside the heading; "" = none.
 */
void document_chart(struct document *document, struct chart *chart, const char *heading,
                    const char *caption, const char *figure);

/* Inside figures: a small drawing of the body in a stretch; an unknown id draws nothing. */
void document_figure(struct document *document, const char *protocol_id);

/* Lines to sign on paper. */
void document_signature(struct document *document);

/* Write the whole document. @param stream  Borrowed.
 * @return STATUS_OK, STATUS_IO when writing failed, or what document_status says. */
enum status document_write_html(const struct document *document, FILE *stream);
enum status document_write_text(const struct document *document, FILE *stream);

#endif
