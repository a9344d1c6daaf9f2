#include "suites.h"

#include <stdlib.h>
#include <string.h>

static struct document *document_make(void)
{
    struct document *document = NULL;
    ck_assert_int_eq(document_create("Title & more", "en", DOCUMENT_DENSE, &document),
                     STATUS_OK);
    document_head(document, "K7Q2M9XW4D", "today");
    document_foot(document, "left", "middle");
    return document;
}

static void add_table(struct document *document, unsigned row_count)
{
    document_section_open(document, "Rows");
    document_table_open(document, "Caption");
    document_column(document, "Name", false);
    document_column(document, "Value", true);
    for (unsigned i = 0; i < row_count; i++) {
        document_row(document);
        document_cell(document, DOCUMENT_PLAIN, "row %u.", i);
        document_cell(document, DOCUMENT_STRONG, "%u", 100 + i);
        document_run(document, DOCUMENT_QUIET, " s");
    }
    document_close(document);
    document_close(document);
}

START_TEST(table_has_scopes_and_alignment)
{
    struct document *document = document_make();
    add_table(document, 1);
    char *html = rendered_html(document);
    ck_assert_ptr_nonnull(strstr(html, "<caption>Caption</caption>"));
    ck_assert_ptr_nonnull(strstr(html, "<th scope=\"col\">Name</th>"));
    ck_assert_ptr_nonnull(strstr(html, "<th scope=\"col\" class=\"r\">Value</th>"));
    ck_assert_ptr_nonnull(strstr(html, "<tr><th scope=\"row\">row 0.</th><td class=\"r\">"
                                       "<b>100</b><span class=\"pm\"> s</span></td></tr>"));
    free(html);
    document_destroy(document);
}

END_TEST

/* Every row stands on one sheet only, each part of the table has its head. */
START_TEST(long_table_is_split_over_sheets)
{
    struct document *document = document_make();
    add_table(document, 100);
    char *html = rendered_html(document);
    size_t sheets = occurrences(html, "class=\"sheet\"");
    ck_assert_uint_ge(sheets, 3);
    ck_assert_uint_le(sheets, 4);
    ck_assert_uint_eq(occurrences(html, "<caption>Caption</caption>"), sheets);
    ck_assert_uint_eq(occurrences(html, "Rows (continued)"), sheets - 1);
    for (unsigned i = 0; i < 100; i++) {
        char row[32];
        snprintf(row, sizeof row, ">row %u.<", i);
        ck_assert_uint_eq(occurrences(html, row), 1);
    }
    char last[32];
    snprintf(last, sizeof last, "Page %zu of %zu", sheets, sheets);
    ck_assert_uint_eq(occurrences(html, last), 1);
    ck_assert_uint_eq(occurrences(html, "<h1"), 1);
    free(html);
    document_destroy(document);
}

END_TEST

START_TEST(text_rendering_wraps_and_aligns)
{
    struct document *document = document_make();
    document_paragraph(
        document, DOCUMENT_PLAIN,
        "One two three four five six seven eight nine ten eleven twelve thirteen "
        "fourteen fifteen sixteen.");
    document_run(document, DOCUMENT_STRONG, " Bold");
    document_run(document, DOCUMENT_PLAIN, ", not bold.");
    add_table(document, 2);
    char *text = rendered_text(document);
    ck_assert_ptr_nonnull(strstr(text, "Title & more\n============\n"));
    ck_assert_ptr_nonnull(strstr(text, "Bold, not bold."));
    ck_assert_ptr_nonnull(strstr(text, "Name    Value\nrow 0.  100 s\nrow 1.  101 s\n"));
    for (const char *line = text; line;) {
        const char *end = strchr(line, '\n');
        ck_assert_uint_le(end ? (size_t)(end - line) : strlen(line), 80);
        line = end ? end + 1 : NULL;
    }
    free(text);
    document_destroy(document);
}

END_TEST

/* Every door through which foreign text comes in. */
START_TEST(foreign_text_stays_text)
{
    static const char attack[] = "<script>alert('x')</script>\" onload=\"y\" \xE2\x80\xAE";
    struct document *document = NULL;
    ck_assert_int_eq(document_create(attack, attack, DOCUMENT_DENSE, &document), STATUS_OK);
    document_head(document, attack, attack);
    document_foot(document, attack, attack);
    document_section_open(document, attack);
    document_paragraph(document, DOCUMENT_QUIET, "%s", attack);
    document_run(document, DOCUMENT_STRONG, "%s", attack);
    document_facts_open(document);
    document_fact(document, attack, "%s", attack);
    document_close(document);
    document_list_open(document);
    document_item(document, DOCUMENT_MARK_MORE, "%s", attack);
    document_close(document);
    document_table_open(document, attack);
    document_column(document, attack, true);
    document_row(document);
    document_cell(document, DOCUMENT_PLAIN, "%s", attack);
    document_close(document);
    document_close(document);
    document_notice_open(document, DOCUMENT_STOP, attack);
    document_close(document);
    document_details_open(document, attack);
    document_close(document);
    document_figures_open(document);
    document_figure(document, attack);
    document_close(document);
    char *html = rendered_html(document);
    ck_assert_ptr_null(strstr(html, "<script"));
    ck_assert_ptr_null(strstr(html, "onload=\"y\""));
    ck_assert_ptr_null(strstr(html, "\xE2\x80\xAE"));
    ck_assert_uint_ge(occurrences(html, "&lt;script&gt;"), 15);
    free(html);
    document_destroy(document);
}

END_TEST

START_TEST(long_text_is_cut_and_stays_valid)
{
    char text[8000];
    memset(text, 'a', sizeof text);
    text[sizeof text - 1] = '\0';
    struct document *document = document_make();
    document_paragraph(document, DOCUMENT_PLAIN, "%s", text);
    char *html = rendered_html(document);
    ck_assert_ptr_nonnull(strstr(html, "aaa</p>"));
    free(html);
    document_destroy(document);
}

END_TEST

START_TEST(full_disk_is_told)
{
    FILE *stream = fopen("/dev/full", "w");
    if (!stream) {
        return; /* not on this system */
    }
    setvbuf(stream, NULL, _IONBF, 0);
    struct document *document = document_make();
    ck_assert_int_eq(document_write_html(document, stream), STATUS_IO);
    ck_assert_int_eq(document_write_text(document, stream), STATUS_IO);
    document_destroy(document);
    fclose(stream);
}

END_TEST

START_TEST(destroying_nothing_is_allowed)
{
    document_destroy(NULL);
    chart_destroy(NULL);
}

END_TEST

Suite *document_suite(void)
{
    Suite *suite = suite_create("document");
    TCase *tests = tcase_create("document");
    tcase_add_test(tests, table_has_scopes_and_alignment);
    tcase_add_test(tests, long_table_is_split_over_sheets);
    tcase_add_test(tests, text_rendering_wraps_and_aligns);
    tcase_add_test(tests, foreign_text_stays_text);
    tcase_add_test(tests, long_text_is_cut_and_stays_valid);
    tcase_add_test(tests, full_disk_is_told);
    tcase_add_test(tests, destroying_nothing_is_allowed);
    suite_add_tcase(suite, tests);
    return suite;
}
