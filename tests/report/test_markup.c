#include "suites.h"

#include <stdlib.h>
#include <string.h>

#include "report/markup.h"

struct cleaning {
    const char *given;
    const char *expected;
};

#define REPLACED "\xEF\xBF\xBD"

static const struct cleaning CLEANINGS[] = {
    {"", ""},
    {"plain text", "plain text"},
    {"a\nb\tc\rd", "a b c d"},
    {"bell\x07 escape\x1B[31m", "bell" REPLACED " escape" REPLACED "[31m"},
    {"del\x7F", "del" REPLACED},
    {"c1 \xC2\x85", "c1 " REPLACED},
    {"ł ü θ 日本", "ł ü θ 日本"},
    {"right to left \xD8\xB9\xD8\xB1", "right to left \xD8\xB9\xD8\xB1"},
    {"mark \xE2\x80\x8F, override \xE2\x80\xAE", "mark " REPLACED ", override " REPLACED},
    {"isolate \xE2\x81\xA6x\xE2\x81\xA9", "isolate " REPLACED "x" REPLACED},
    {"lone \x80 continuation", "lone " REPLACED " continuation"},
    {"cut \xE2\x82", "cut " REPLACED REPLACED},
    {"overlong \xC0\xAF", "overlong " REPLACED REPLACED},
    {"overlong \xE0\x80\xAF", "overlong " REPLACED REPLACED REPLACED},
    {"surrogate \xED\xA0\x80", "surrogate " REPLACED},
    {"too large \xF4\x90\x80\x80", "too large " REPLACED},
    {"never \xFF\xFE", "never " REPLACED REPLACED},
};

START_TEST(cleaning_keeps_text_and_replaces_the_rest)
{
    char *clean = markup_clean(CLEANINGS[_i].given);
    ck_assert_str_eq(clean, CLEANINGS[_i].expected);
    free(clean);
}

END_TEST

START_TEST(cleaning_twice_changes_nothing)
{
    char *once = markup_clean(CLEANINGS[_i].given);
    char *twice = markup_clean(once);
    ck_assert_str_eq(once, twice);
    free(once);
    free(twice);
}

END_TEST

START_TEST(all_characters_of_markup_are_escaped)
{
    char *text = NULL;
    size_t size = 0;
    FILE *stream = open_memstream(&text, &size);
    markup_write("<script a=\"b\" c='d'> & ü", stream);
    fclose(stream);
    ck_assert_str_eq(text, "&lt;script a=&quot;b&quot; c=&#39;d&#39;&gt; &amp; ü");
    free(text);
}

END_TEST

START_TEST(length_counts_characters)
{
    ck_assert_uint_eq(markup_length(""), 0);
    ck_assert_uint_eq(markup_length("± 4°"), 4);
}

END_TEST

Suite *markup_suite(void)
{
    const int count = (int)(sizeof CLEANINGS / sizeof CLEANINGS[0]);
    Suite *suite = suite_create("markup");
    TCase *tests = tcase_create("markup");
    tcase_add_loop_test(tests, cleaning_keeps_text_and_replaces_the_rest, 0, count);
    tcase_add_loop_test(tests, cleaning_twice_changes_nothing, 0, count);
    tcase_add_test(tests, all_characters_of_markup_are_escaped);
    tcase_add_test(tests, length_counts_characters);
    suite_add_tcase(suite, tests);
    return suite;
}
