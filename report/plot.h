/* What a chart holds, shared by its model and its drawing only. One thread. */
#ifndef LIMBER_REPORT_PLOT_H
#define LIMBER_REPORT_PLOT_H

#include "report/chart.h"

enum {
    PLOT_LABEL_SIZE = 64
};

struct plot_point {
    double x;
    double y; /* NaN = the line breaks here */
};

struct plot_series {
    enum chart_line line;
    char label[PLOT_LABEL_SIZE];
    struct plot_point *points;
    size_t count;
};

enum plot_span_kind {
    PLOT_BAND,      /* a = low, b = high */
    PLOT_REFERENCE, /* a = value, b = half width */
    PLOT_SHADE,     /* a = start, b = end */
    PLOT_GAP,
    PLOT_MARK /* a = x */
};

struct plot_span {
    enum plot_span_kind kind;
    double a;
    double b;
    char label[PLOT_LABEL_SIZE];
};

struct plot_dot {
    double x;
    double y;
    double error;
    bool is_open;
    char label[PLOT_LABEL_SIZE];
    char text[PLOT_LABEL_SIZE];
};

struct chart {
    struct chart_settings settings; /* x_unit is copied below */
    char x_unit[PLOT_LABEL_SIZE];
    char *title;
    char *description;
    struct plot_series *series;
    size_t series_count;
    struct plot_span *spans;
    size_t span_count;
    struct plot_dot *dots;
    size_t dot_count;
    enum status status;
};

#endif
