#include "suites.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "report/chart.h"

enum {
    LONG_COUNT = 150000 /* 25 minutes at 100 Hz */
};

static struct chart *chart_make(double x_max)
{
    struct chart_settings settings = {
        .shape = CHART_WIDE, .x_max = x_max, .x_unit = "s", .has_x_numbers = true};
    struct chart *chart = NULL;
    ck_assert_int_eq(chart_create(&settings, "A <title>", "What \"there\" is", &chart),
                     STATUS_OK);
    return chart;
}

static char *drawn(const struct chart *chart)
{
    char *text = NULL;
    size_t size = 0;
    FILE *stream = open_memstream(&text, &size);
    chart_write_svg(chart, 7, stream);
    fclose(stream);
    return text;
}

/* One spike of a single sample must be seen in a plot of 25 minutes. */
START_TEST(thinning_keeps_extremes_and_few_points)
{
    double *x = calloc(LONG_COUNT, sizeof *x);
    double *y = calloc(LONG_COUNT, sizeof *y);
    for (size_t i = 0; i < LONG_COUNT; i++) {
        x[i] = 0.01 * (double)i;
        y[i] = sin(x[i]);
    }
    y[77777] = 93.0;
    y[88888] = -71.0;
    struct chart *chart = chart_make(1500.0);
    chart_line_add(chart, CHART_SOLID, "", x, y, LONG_COUNT, 0.3);
    ck_assert_int_eq(chart_status(chart), STATUS_OK);
    ck_assert_uint_gt(chart_point_count(chart), 400);
    ck_assert_uint_le(chart_point_count(chart), 600);
    char *text = drawn(chart);
    /* The axis has to hold both spikes, and the file stays small. */
    ck_assert_ptr_nonnull(strstr(text, ">100</text>"));
    ck_assert_ptr_nonnull(strstr(text, ">\xE2\x88\x92"
                                       "100</text>"));
    ck_assert_uint_lt(strlen(text), 16000);
    free(text);
    chart_destroy(chart);
    free(x);
    free(y);
}

END_TEST

START_TEST(short_lines_are_kept_whole)
{
    const double x[] = {0.0, 1.0, 2.0, 3.0};
    const double y[] = {0.0, 5.0, 1.0, 2.0};
    struct chart *chart = chart_make(3.0);
    chart_line_add(chart, CHART_SOLID, "", x, y, 4, 10.0);
    ck_assert_uint_eq(chart_point_count(chart), 4);
    chart_destroy(chart);
}

END_TEST

/* Pixels: left 40, right 680 over 10 s; the gap is 4 to 6 s, so 256 units from 40: 296 to
 * 424. */
START_TEST(gap_breaks_the_line_and_is_hatched)
{
    double x[101];
    double y[101];
    for (size_t i = 0; i < 101; i++) {
        x[i] = 0.1 * (double)i;
        y[i] = x[i] > 4.05 && x[i] < 5.95 ? (double)NAN : 10.0;
    }
    struct chart *chart = chart_make(10.0);
    chart_line_add(chart, CHART_SOLID, "", x, y, 101, 0.3);
    char *text = drawn(chart);
    ck_assert_ptr_nonnull(strstr(text, "<rect x=\"296.0\" y=\"16\" width=\"128.0\""));
    ck_assert_ptr_nonnull(strstr(text, "no data"));
    ck_assert_ptr_nonnull(strstr(text, "M424.0 "));
    free(text);
    chart_destroy(chart);
}

END_TEST

START_TEST(silence_at_the_end_is_a_gap)
{
    const double x[] = {0.0, 0.1, 0.2, 9.0, 10.0};
    const double y[] = {1.0, 1.0, 1.0, NAN, NAN};
    struct chart *chart = chart_make(10.0);
    chart_line_add(chart, CHART_SOLID, "", x, y, 5, 0.3);
    char *text = drawn(chart);
    ck_assert_uint_eq(occurrences(text, "url(#hatch"), 1);
    free(text);
    chart_destroy(chart);
}

END_TEST

START_TEST(nothing_to_draw_is_drawn_empty)
{
    const double x[] = {0.0, 1.0};
    const double y[] = {NAN, NAN};
    struct chart *chart = chart_make(0.0); /* no width either */
    chart_line_add(chart, CHART_SOLID, "", x, y, 2, 10.0);
    chart_line_add(chart, CHART_DASHED, "", x, y, 0, 10.0);
    char *text = drawn(chart);
    ck_assert_uint_eq(chart_point_count(chart), 0);
    ck_assert_ptr_null(strstr(text, "nan"));
    ck_assert_ptr_null(strstr(text, "inf"));
    free(text);
    chart_destroy(chart);
}

END_TEST

START_TEST(drawing_is_named_and_its_texts_are_escaped)
{
    struct chart *chart = chart_make(10.0);
    chart_mark_add(chart, 5.0, "<b>pain</b>");
    chart_shade_add(chart, 0.0, 10.0, "a & b");
    char *text = drawn(chart);
    ck_assert_ptr_nonnull(strstr(text, "role=\"img\" aria-labelledby=\"ct14 cd14\""));
    ck_assert_ptr_nonnull(strstr(text, "<title id=\"ct14\">A &lt;title&gt;</title>"));
    ck_assert_ptr_nonnull(
        strstr(text, "<desc id=\"cd14\">What &quot;there&quot; is</desc>"));
    ck_assert_ptr_nonnull(strstr(text, "&lt;b&gt;pain&lt;/b&gt;"));
    ck_assert_ptr_nonnull(strstr(text, "a &amp; b"));
    free(text);
    chart_destroy(chart);
}

END_TEST

START_TEST(labels_without_room_are_left_out)
{
    struct chart *chart = chart_make(1000.0);
    chart_shade_add(chart, 10.0, 15.0, "hold 5.0 s of ten");
    chart_shade_add(chart, 100.0, 600.0, "hold 500.0 s");
    char *text = drawn(chart);
    ck_assert_ptr_null(strstr(text, "hold 5.0 s of ten"));
    ck_assert_ptr_nonnull(strstr(text, "hold 500.0 s"));
    free(text);
    chart_destroy(chart);
}

END_TEST

Suite *chart_suite(void)
{
    Suite *suite = suite_create("chart");
    TCase *tests = tcase_create("chart");
    tcase_add_test(tests, thinning_keeps_extremes_and_few_points);
    tcase_add_test(tests, short_lines_are_kept_whole);
    tcase_add_test(tests, gap_breaks_the_line_and_is_hatched);
    tcase_add_test(tests, silence_at_the_end_is_a_gap);
    tcase_add_test(tests, nothing_to_draw_is_drawn_empty);
    tcase_add_test(tests, drawing_is_named_and_its_texts_are_escaped);
    tcase_add_test(tests, labels_without_room_are_left_out);
    suite_add_tcase(suite, tests);
    return suite;
}
