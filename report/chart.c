#include "report/chart.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "report/markup.h"
#include "report/plot.h"

enum {
    /* One column is about two pixels of a full width plot: finer cannot be seen. */
    LINE_COLUMN_COUNT = 300,
    /* Two extremes and one break for each column. */
    LINE_POINT_MAX = 3 * LINE_COLUMN_COUNT
};

/* Extremes of the column being filled. */
struct column {
    long index; /* -1 = empty */
    struct plot_point low;
    struct plot_point high;
};

/* Room for one more element behind count. @return The array, or NULL after noting the
 * failure. */
static void *grow(struct chart *chart, void *array, size_t count, size_t size)
{
    if (chart->status) {
        return NULL;
    }
    void *larger = realloc(array, (count + 1) * size);
    if (!larger) {
        chart->status = STATUS_NO_MEMORY;
    }
    return larger;
}

/* Clean a label into its slot; what is too long is cut between characters. */
static void label_copy(struct chart *chart, char slot[PLOT_LABEL_SIZE], const char *label)
{
    char *clean = markup_clean(label);
    if (!clean) {
        chart->status = STATUS_NO_MEMORY;
        return;
    }
    size_t size = strlen(clean);
    if (size >= PLOT_LABEL_SIZE) {
        size = PLOT_LABEL_SIZE - 1;
        while (size > 0 && ((unsigned char)clean[size] & 0xC0) == 0x80) {
            size--;
        }
    }
    memcpy(slot, clean, size);
    slot[size] = '\0';
    free(clean);
}

static void span_add(struct chart *chart, enum plot_span_kind kind, double a, double b,
                     const char *label)
{
    struct plot_span *spans = grow(chart, chart->spans, chart->span_count, sizeof *spans);
    if (!spans) {
        return;
    }
    chart->spans = spans;
    struct plot_span *span = &spans[chart->span_count++];
    *span = (struct plot_span){.kind = kind, .a = a, .b = b};
    label_copy(chart, span->label, label);
}

static void point_push(struct plot_series *series, struct plot_point point)
{
    if (series->count < LINE_POINT_MAX) {
        series->points[series->count++] = point;
    }
}

/* Keep the extremes of a full column in the order in which they came. */
static void column_flush(struct column *column, struct plot_series *series)
{
    if (column->index < 0) {
        return;
    }
    bool is_low_first = column->low.x <= column->high.x;
    point_push(series, is_low_first ? column->low : column->high);
    if (column->low.x != column->high.x) {
        point_push(series, is_low_first ? column->high : column->low);
    }
    column->index = -1;
}

static void column_add(struct column *column, long index, struct plot_point point)
{
    if (column->index < 0) {
        *column = (struct column){.index = index, .low = point, .high = point};
        return;
    }
    if (point.y < column->low.y) {
        column->low = point;
    }
    if (point.y > column->high.y) {
        column->high = point;
    }
}

static long column_of(const struct chart *chart, double x)
{
    double share =
        (x - chart->settings.x_min) / (chart->settings.x_max - chart->settings.x_min);
    return (long)(fmin(fmax(share, 0.0), 1.0) * (LINE_COLUMN_COUNT - 1));
}

/* The line was silent from one time to the other. */
static void break_line(struct chart *chart, struct plot_series *series, double from,
                       double to)
{
    point_push(series, (struct plot_point){.x = from, .y = NAN});
    chart_gap_add(chart, from, to);
}

/* Thin the samples into a series with room for LINE_POINT_MAX points. */
static void thin(struct chart *chart, struct plot_series *series, const double *x,
                 const double *y, size_t count, double gap_s)
{
    struct column column = {.index = -1};
    double last_x = count > 0 ? x[0] : (double)NAN;
    for (size_t i = 0; i < count; i++) {
        if (isnan(y[i])) {
            continue;
        }
        if (x[i] - last_x > gap_s) {
            column_flush(&column, series);
            break_line(chart, series, last_x, x[i]);
        }
        long index = column_of(chart, x[i]);
        if (index != column.index) {
            column_flush(&column, series);
        }
        column_add(&column, index, (struct plot_point){.x = x[i], .y = y[i]});
        last_x = x[i];
    }
    column_flush(&column, series);
    if (count > 0 && x[count - 1] - last_x > gap_s) {
        chart_gap_add(chart, last_x, x[count - 1]);
    }
}

enum status chart_create(const struct chart_settings *settings, const char *title,
                         const char *description, struct chart **out)
{
    struct chart *chart = calloc(1, sizeof *chart);
    if (!chart) {
        return STATUS_NO_MEMORY;
    }
    chart->settings = *settings;
    if (!(chart->settings.x_max > chart->settings.x_min)) {
        chart->settings.x_max = chart->settings.x_min + 1.0;
    }
    label_copy(chart, chart->x_unit, settings->x_unit);
    chart->settings.x_unit = chart->x_unit;
    chart->title = markup_clean(title);
    chart->description = markup_clean(description);
    if (!chart->title || !chart->description || chart->status) {
        chart_destroy(chart);
        return STATUS_NO_MEMORY;
    }
    *out = chart;
    return STATUS_OK;
}

void chart_destroy(struct chart *chart)
{
    if (!chart) {
        return;
    }
    for (size_t i = 0; i < chart->series_count; i++) {
        free(chart->series[i].points);
    }
    free(chart->series);
    free(chart->spans);
    free(chart->dots);
    free(chart->title);
    free(chart->description);
    free(chart);
}

enum status chart_status(const struct chart *chart)
{
    return chart->status;
}

const char *chart_title(const struct chart *chart)
{
    return chart->title;
}

const char *chart_description(const struct chart *chart)
{
    return chart->description;
}

enum chart_shape chart_shape_get(const struct chart *chart)
{
    return chart->settings.shape;
}

void chart_line_add(struct chart *chart, enum chart_line line, const char *label,
                    const double *x, const double *y, size_t count, double gap_s)
{
    struct plot_series *all = grow(chart, chart->series, chart->series_count, sizeof *all);
    if (!all) {
        return;
    }
    chart->series = all;
    struct plot_series *series = &all[chart->series_count];
    *series = (struct plot_series){.line = line};
    series->points = malloc(LINE_POINT_MAX * sizeof *series->points);
    if (!series->points) {
        chart->status = STATUS_NO_MEMORY;
        return;
    }
    chart->series_count++;
    label_copy(chart, series->label, label);
    thin(chart, series, x, y, count, gap_s);
}

size_t chart_point_count(const struct chart *chart)
{
    size_t count = 0;
    for (size_t i = 0; i < chart->series_count; i++) {
        count += chart->series[i].count;
    }
    return count;
}

void chart_band_add(struct chart *chart, double low, double high)
{
    span_add(chart, PLOT_BAND, fmin(low, high), fmax(low, high), "");
}

void chart_reference_add(struct chart *chart, double value, double half_width,
                         const char *label)
{
    span_add(chart, PLOT_REFERENCE, value, half_width, label);
}

void chart_shade_add(struct chart *chart, double x_start, double x_end, const char *label)
{
    span_add(chart, PLOT_SHADE, x_start, x_end, label);
}

void chart_gap_add(struct chart *chart, double x_start, double x_end)
{
    span_add(chart, PLOT_GAP, x_start, x_end, "no data");
}

void chart_mark_add(struct chart *chart, double x, const char *label)
{
    span_add(chart, PLOT_MARK, x, NAN, label);
}

void chart_point_add(struct chart *chart, double x, double y, double error, bool is_open,
                     const char *label, const char *text)
{
    struct plot_dot *dots = grow(chart, chart->dots, chart->dot_count, sizeof *dots);
    if (!dots) {
        return;
    }
    chart->dots = dots;
    struct plot_dot *dot = &dots[chart->dot_count++];
    *dot = (struct plot_dot){.x = x, .y = y, .error = error, .is_open = is_open};
    label_copy(chart, dot->label, label);
    label_copy(chart, dot->text, text);
}
