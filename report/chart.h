/* A chart as a model: lines, bands, shades, gaps, marks on two axes, drawn as inline SVG
 * with a title and a description. Everything can be told apart without colour. One thread.
 */
#ifndef LIMBER_REPORT_CHART_H
#define LIMBER_REPORT_CHART_H

#include <stdbool.h>
#include <stddef.h>
#include <stdio.h>

#include "base/status.h"

struct chart;

/* Shape of the drawing; heights in the units of the view box (1 unit = 1 CSS pixel full
 * size). */
enum chart_shape {
    CHART_WIDE, /* 690 x 170: the width of a sheet */
    CHART_HALF, /* 340 x 150: half of it */
    CHART_LARGE /* 660 x 164 with large figures, and a second drawing for telephones */
};

struct chart_settings {
    enum chart_shape shape;
    double x_min;
    double x_max;
    const char *x_unit; /* behind the last number; "" = none */
    bool has_x_numbers; /* false: only the labels given by chart_point */
};

enum chart_line {
    CHART_SOLID, /* right, or the only one */
    CHART_DASHED /* left, or the second */
};

/* @param title        Name of the drawing for those who hear it.
 * @param description  What there is to see, in one to three sentences.
 * @param out          Gives the chart. STATUS_OK or STATUS_NO_MEMORY. */
enum status chart_create(const struct chart_settings *settings, const char *title,
                         const char *description, struct chart **out);

/* NULL is allowed. */
void chart_destroy(struct chart *chart);

/* STATUS_NO_MEMORY if any of the calls below failed. */
enum status chart_status(const struct chart *chart);

const char *chart_title(const struct chart *chart);
const char *chart_description(const struct chart *chart);
enum chart_shape chart_shape_get(const struct chart *chart);

/* A line through samples, thinned to the extremes of 300 columns: at most 600 points (and
 * one more for every gap). NaN for longer than gap_s breaks the line and hatches the gap.
 * @param x  Ascending. @param label  Stands in the drawing; "" = none. */
void chart_line_add(struct chart *chart, enum chart_line line, const char *label,
                    const double *x, const double *y, size_t count, double gap_s);

/* Number of points kept of a line, for tests. */
size_t chart_point_count(const struct chart *chart);

/* Target zone from low to high. */
void chart_band_add(struct chart *chart, double low, double high);

/* Doubt round a reference value: grey band and dashed line with a label. */
void chart_reference_add(struct chart *chart, double value, double half_width,
                         const char *label);

/* Grey time, for example a credited hold. @param label  Left out where there is no room. */
void chart_shade_add(struct chart *chart, double x_start, double x_end, const char *label);

/* Hatched time without data. */
void chart_gap_add(struct chart *chart, double x_start, double x_end);

/* Triangle at the foot, for pain. */
void chart_mark_add(struct chart *chart, double x, const char *label);

/* One value of a trend: dot (open = part of the baseline), error bar, label below the axis.
 * @param error  Half width; NaN = no bar. @param text  Above the dot, "" = none. */
void chart_point_add(struct chart *chart, double x, double y, double error, bool is_open,
                     const char *label, const char *text);

/* Write as SVG. @param number  Unique in the page: makes the ids. */
void chart_write_svg(const struct chart *chart, unsigned number, FILE *stream);

#endif
