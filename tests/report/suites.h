/* The suites of this folder's runner, and what they share. */
#ifndef LIMBER_TESTS_REPORT_SUITES_H
#define LIMBER_TESTS_REPORT_SUITES_H

#include <check.h>

#include "report/document.h"

Suite *markup_suite(void);
Suite *chart_suite(void);
Suite *document_suite(void);
Suite *progress_suite(void);
Suite *reports_suite(void);

/* What a document renders to; free it. Stops the test on failure. */
char *rendered_html(const struct document *document);
char *rendered_text(const struct document *document);

/* How often a text occurs. */
size_t occurrences(const char *text, const char *part);

#endif
