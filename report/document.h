/* A report as a model: headings, paragraphs, tables, charts. Rendered to HTML, plain text and
 * later PDF from the same tree; escaping happens in the renderers only. One thread. */
#ifndef LIMBER_REPORT_DOCUMENT_H
#define LIMBER_REPORT_DOCUMENT_H

#include <stdbool.h>
#include <stdio.h>

#include "base/status.h"

struct document;
struct chart;

/* Style of a text run or block; decides colour, icon and shape together. */
enum document_tone {
    DOCUMENT_PLAIN,
    DOCUMENT_GOOD,
    DOCUMENT_CAUTION,
    DOCUMENT_STOP,
    DOCUMENT_QUIET
};

/* All create functions: @return STATUS_OK or STATUS_NO_MEMORY. Texts are copied, plain UTF-8. */
enum status document_create(const char *title, const char *language, struct document **out);
void document_destroy(struct document *document);

/* See document.c for the builders: heading, paragraph, facts (definition list), notice (a framed
 * box with a tone), table, chart, list, footer, page break. */

/* Write the whole document. @param stream  Borrowed. STATUS_IO when writing failed. */
enum status document_write_html(const struct document *document, FILE *stream);
enum status document_write_text(const struct document *document, FILE *stream);

#endif
