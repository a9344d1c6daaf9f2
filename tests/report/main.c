#include "suites.h"

#include <stdlib.h>
#include <string.h>

static char *rendered(const struct document *document,
                      enum status (*write)(const struct document *, FILE *))
{
    char *text = NULL;
    size_t size = 0;
    FILE *stream = open_memstream(&text, &size);
    ck_assert_ptr_nonnull(stream);
    ck_assert_int_eq(write(document, stream), STATUS_OK);
    ck_assert_int_eq(fclose(stream), 0);
    return text;
}

char *rendered_html(const struct document *document)
{
    return rendered(document, document_write_html);
}

char *rendered_text(const struct document *document)
{
    return rendered(document, document_write_text);
}

size_t occurrences(const char *text, const char *part)
{
    size_t count = 0;
    for (const char *at = strstr(text, part); at; at = strstr(at + 1, part)) {
        count++;
    }
    return count;
}

int main(void)
{
    SRunner *runner = srunner_create(markup_suite());
    srunner_add_suite(runner, chart_suite());
    srunner_add_suite(runner, document_suite());
    srunner_add_suite(runner, progress_suite());
    srunner_add_suite(runner, reports_suite());
    srunner_run_all(runner, CK_ENV);
    int failed = srunner_ntests_failed(runner);
    srunner_free(runner);
    return failed == 0 ? EXIT_SUCCESS : EXIT_FAILURE;
}
