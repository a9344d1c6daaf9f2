/* Draws a chart as inline SVG. */
#include <math.h>
#include <string.h>

#include "report/markup.h"
#include "report/plot.h"

/* Width of one character of the 14 units type of the charts, rounded up. */
static const double CHARACTER_WIDTH = 7.6;

/* Where the plot lies in the view box, and its scales. */
struct frame {
    double width;
    double height;
    double left;
    double right;
    double top;
    double bottom;
    double x_min;
    double x_max;
    double y_min;
    double y_max;
    double y_step;
    unsigned number; /* makes ids unique */
};

static const struct frame FRAMES[] = {
    [CHART_WIDE] =
        {.width = 690, .height = 170, .left = 40, .right = 680, .top = 16, .bottom = 144},
    [CHART_HALF] =
        {.width = 340, .height = 150, .left = 38, .right = 330, .top = 16, .bottom = 124},
    [CHART_LARGE] =
        {.width = 660, .height = 164, .left = 38, .right = 632, .top = 20, .bottom = 138},
};

/* CHART_LARGE on a telephone. */
static const struct frame FRAME_TELEPHONE = {
    .width = 350, .height = 210, .left = 38, .right = 326, .top = 20, .bottom = 182};

static double x_at(const struct frame *frame, double x)
{
    double share = (x - frame->x_min) / (frame->x_max - frame->x_min);
    return frame->left + fmin(fmax(share, 0.0), 1.0) * (frame->right - frame->left);
}

static double y_at(const struct frame *frame, double y)
{
    double share = (y - frame->y_min) / (frame->y_max - frame->y_min);
    return frame->bottom - fmin(fmax(share, 0.0), 1.0) * (frame->bottom - frame->top);
}

/* Smallest of 1, 2, 5 times a power of ten that cuts the range into at most count parts. */
static double nice_step(double range, double count)
{
    double step = pow(10.0, floor(log10(range / count)));
    const double factors[] = {1.0, 2.0, 5.0, 10.0};
    for (size_t i = 0; i < sizeof factors / sizeof factors[0]; i++) {
        if (step * factors[i] * count >= range * (1.0 - 1e-9)) {
            return step * factors[i];
        }
    }
    return step * 10.0;
}

static void range_widen(double range[2], double value)
{
    if (isfinite(value)) {
        range[0] = fmin(range[0], value);
        range[1] = fmax(range[1], value);
    }
}

static void range_of(const struct chart *chart, double range[2])
{
    for (size_t i = 0; i < chart->series_count; i++) {
        for (size_t k = 0; k < chart->series[i].count; k++) {
            range_widen(range, chart->series[i].points[k].y);
        }
    }
    for (size_t i = 0; i < chart->span_count; i++) {
        const struct plot_span *span = &chart->spans[i];
        if (span->kind == PLOT_BAND) {
            range_widen(range, span->a);
            range_widen(range, span->b);
        } else if (span->kind == PLOT_REFERENCE) {
            range_widen(range, span->a - span->b);
            range_widen(range, span->a + span->b);
        }
    }
    for (size_t i = 0; i < chart->dot_count; i++) {
        double error = isfinite(chart->dots[i].error) ? chart->dots[i].error : 0.0;
        range_widen(range, chart->dots[i].y - error);
        range_widen(range, chart->dots[i].y + error);
    }
}

static void frame_scale(struct frame *frame, const struct chart *chart)
{
    double range[2] = {INFINITY, -INFINITY};
    range_of(chart, range);
    if (!isfinite(range[0])) {
        range[0] = 0.0;
        range[1] = 1.0;
    }
    if (range[1] - range[0] < 1.0) {
        range[0] -= 0.5;
        range[1] += 0.5;
    }
    frame->x_min = chart->settings.x_min;
    frame->x_max = chart->settings.x_max;
    frame->y_step = nice_step(range[1] - range[0], 4.0);
    frame->y_min = floor(range[0] / frame->y_step + 0.02) * frame->y_step;
    frame->y_max = ceil(range[1] / frame->y_step - 0.02) * frame->y_step;
}

static void write_text(FILE *stream, double x, double y, const char *anchor,
                       const char *style, const char *text)
{
    fprintf(stream, "<text x=\"%.1f\" y=\"%.1f\"%s%s%s class=\"%s\">", x, y,
            *anchor ? " text-anchor=\"" : "", anchor, *anchor ? "\"" : "", style);
    markup_write(text, stream);
    fputs("</text>", stream);
}

static void write_y_axis(const struct frame *frame, FILE *stream)
{
    long first = lround(frame->y_min / frame->y_step);
    long last = lround(frame->y_max / frame->y_step);
    for (long i = first; i <= last; i++) {
        double y = y_at(frame, (double)i * frame->y_step);
        char text[32];
        /* The proper minus sign, as wide as a digit. */
        snprintf(text, sizeof text, "%s%g", i < 0 ? "\xE2\x88\x92" : "",
                 fabs((double)i * frame->y_step));
        fprintf(stream, "<path d=\"M%g %.1fH%g\" stroke=\"%s\"/>", frame->left, y,
                frame->right, i == 0 ? "#74858f" : "#d7dfe4");
        write_text(stream, frame->left - 5, y + 4.5, "end", "ax", text);
    }
}

static void write_x_axis(const struct frame *frame, const struct chart *chart, FILE *stream)
{
    if (!chart->settings.has_x_numbers) {
        return;
    }
    double step = nice_step(frame->x_max - frame->x_min, frame->width > 500 ? 8.0 : 5.0);
    long first = lround(ceil(frame->x_min / step - 1e-9));
    long last = lround(floor(frame->x_max / step + 1e-9));
    for (long i = first; i <= last; i++) {
        char text[96];
        double x = x_at(frame, (double)i * step);
        snprintf(text, sizeof text, "%g%s%s", (double)i * step, i == last ? " " : "",
                 i == last ? chart->x_unit : "");
        bool is_at_edge = x > frame->right - 8.0;
        write_text(stream, is_at_edge ? frame->right + 8.0 : x, frame->bottom + 17,
                   is_at_edge ? "end" : "middle", "ax", text);
    }
}

static void write_band(const struct frame *frame, const struct plot_span *span,
                       FILE *stream)
{
    double low = y_at(frame, span->a);
    double high = y_at(frame, span->b);
    fprintf(stream,
            "<rect x=\"%g\" y=\"%.1f\" width=\"%g\" height=\"%.1f\" fill=\"#009e73\" "
            "fill-opacity=\".13\"/><path d=\"M%g %.1fH%gM%g %.1fH%g\" stroke=\"#009e73\" "
            "stroke-dasharray=\"5 3\"/>",
            frame->left, high, frame->right - frame->left, low - high, frame->left, low,
            frame->right, frame->left, high, frame->right);
}

static void write_reference(const struct frame *frame, const struct plot_span *span,
                            FILE *stream)
{
    double low = y_at(frame, span->a - span->b);
    double high = y_at(frame, span->a + span->b);
    double middle = y_at(frame, span->a);
    fprintf(stream,
            "<rect x=\"%g\" y=\"%.1f\" width=\"%g\" height=\"%.1f\" fill=\"#14212b\" "
            "fill-opacity=\".07\"/><path d=\"M%g %.1fH%g\" stroke=\"#566874\" "
            "stroke-dasharray=\"6 4\"/>",
            frame->left, high, frame->right - frame->left, low - high, frame->left, middle,
            frame->right);
    write_text(stream, frame->left + 5, low - 5.0, "", "lb", span->label);
}

static void write_shade(const struct frame *frame, const struct plot_span *span,
                        FILE *stream)
{
    double start = x_at(frame, span->a);
    double end = x_at(frame, span->b);
    fprintf(
        stream,
        "<rect x=\"%.1f\" y=\"%g\" width=\"%.1f\" height=\"%g\" fill=\"#14212b\" "
        "fill-opacity=\".055\"/><path d=\"M%.1f %gV%gM%.1f %gV%g\" stroke=\"#566874\"/>",
        start, frame->top, end - start, frame->bottom - frame->top, start, frame->top,
        frame->bottom, end, frame->top, frame->bottom);
    if ((double)markup_length(span->label) * CHARACTER_WIDTH <= end - start + 20.0) {
        write_text(stream, (start + end) / 2.0, frame->top - 4.0, "middle", "lb",
                   span->label);
    }
}

static void write_gap(const struct frame *frame, const struct plot_span *span, FILE *stream)
{
    double start = x_at(frame, span->a);
    double end = x_at(frame, span->b);
    fprintf(stream,
            "<rect x=\"%.1f\" y=\"%g\" width=\"%.1f\" height=\"%g\" fill=\"url(#hatch%u)\" "
            "stroke=\"#74858f\" stroke-width=\".8\"/>",
            start, frame->top, fmax(end - start, 1.0), frame->bottom - frame->top,
            frame->number);
    if ((double)markup_length(span->label) * CHARACTER_WIDTH <= end - start + 30.0) {
        write_text(stream, (start + end) / 2.0, frame->top + 26.0, "middle", "lb",
                   span->label);
    }
}

static void write_mark(const struct frame *frame, const struct plot_span *span,
                       FILE *stream)
{
    double x = x_at(frame, span->a);
    double y = frame->bottom - 3.0;
    fprintf(stream,
            "<path d=\"M%.1f %.1fl-5 -9h10Z\" fill=\"#cc79a7\" stroke=\"#83365f\"/>", x, y);
    bool is_right =
        x + 8.0 + (double)markup_length(span->label) * CHARACTER_WIDTH > frame->width;
    write_text(stream, is_right ? x - 8.0 : x + 8.0, y, is_right ? "end" : "", "lb",
               span->label);
}

static void write_span(const struct frame *frame, const struct plot_span *span,
                       FILE *stream)
{
    switch (span->kind) {
    case PLOT_BAND:
        write_band(frame, span, stream);
        break;
    case PLOT_REFERENCE:
        write_reference(frame, span, stream);
        break;
    case PLOT_SHADE:
        write_shade(frame, span, stream);
        break;
    case PLOT_GAP:
        write_gap(frame, span, stream);
        break;
    case PLOT_MARK:
        write_mark(frame, span, stream);
        break;
    }
}

static void write_series(const struct frame *frame, const struct plot_series *series,
                         FILE *stream)
{
    bool is_down = false;
    fputs("<path d=\"", stream);
    for (size_t i = 0; i < series->count; i++) {
        const struct plot_point *point = &series->points[i];
        if (isnan(point->y)) {
            is_down = false;
            continue;
        }
        fprintf(stream, "%s%.1f %.1f", is_down ? " " : "M", x_at(frame, point->x),
                y_at(frame, point->y));
        is_down = true;
    }
    fprintf(
        stream,
        "\" fill=\"none\" stroke=\"%s\" stroke-width=\"1.9\" stroke-linejoin=\"round\"%s/>",
        series->line == CHART_SOLID ? "#0072b2" : "#14212b",
        series->line == CHART_SOLID ? "" : " stroke-dasharray=\"6 3\"");
}

static void write_legend(const struct frame *frame, const struct chart *chart, FILE *stream)
{
    double y = frame->top + 13.0;
    for (size_t i = 0; i < chart->series_count; i++) {
        if (chart->series[i].label[0] != '\0') {
            write_text(stream, frame->left + 6.0, y, "", "lb", chart->series[i].label);
            y += 15.0;
        }
    }
}

static void write_error_bar(const struct frame *frame, const struct plot_dot *dot,
                            FILE *stream)
{
    if (!isfinite(dot->error)) {
        return;
    }
    double x = x_at(frame, dot->x);
    double low = y_at(frame, dot->y - dot->error);
    double high = y_at(frame, dot->y + dot->error);
    fprintf(stream,
            "<path d=\"M%.1f %.1fV%.1fM%.1f %.1fh8M%.1f %.1fh8\" stroke=\"#0072b2\" "
            "stroke-width=\"1.2\"/>",
            x, low, high, x - 4.0, low, x - 4.0, high);
}

static void write_dots(const struct frame *frame, const struct chart *chart, FILE *stream)
{
    bool is_large = chart->settings.shape == CHART_LARGE;
    fputs("<path d=\"", stream);
    for (size_t i = 0; i < chart->dot_count; i++) {
        fprintf(stream, "%s%.1f %.1f", i > 0 ? " " : "M", x_at(frame, chart->dots[i].x),
                y_at(frame, chart->dots[i].y));
    }
    fputs("\" fill=\"none\" stroke=\"#0072b2\" stroke-width=\"2.2\"/>", stream);
    /* Labels below the axis that would touch are left out, the newest never: the table has
     * all. */
    double room = (frame->right - frame->left) / (double)chart->dot_count;
    for (size_t i = 0; i < chart->dot_count; i++) {
        const struct plot_dot *dot = &chart->dots[i];
        double x = x_at(frame, dot->x);
        double y = y_at(frame, dot->y);
        write_error_bar(frame, dot, stream);
        fprintf(stream,
                "<circle cx=\"%.1f\" cy=\"%.1f\" r=\"%g\" fill=\"%s\" stroke=\"#0072b2\" "
                "stroke-width=\"2\"/>",
                x, y, is_large ? 6.0 : 4.2, dot->is_open ? "#fff" : "#0072b2");
        double width = ((double)markup_length(dot->label) + 1.0) * CHARACTER_WIDTH;
        size_t every = (size_t)fmax(1.0, ceil(width / room));
        if ((chart->dot_count - 1 - i) % every == 0) {
            write_text(stream, x, frame->bottom + 18.0, "middle", "ax", dot->label);
            write_text(stream, x, y - 12.0, "middle", "vl", dot->text);
        }
    }
}

static void write_kind(const struct frame *frame, const struct chart *chart,
                       enum plot_span_kind kind, FILE *stream)
{
    for (size_t i = 0; i < chart->span_count; i++) {
        if (chart->spans[i].kind == kind) {
            write_span(frame, &chart->spans[i], stream);
        }
    }
}

static void write_hatch(const struct frame *frame, FILE *stream)
{
    fprintf(stream,
            "<defs><pattern id=\"hatch%u\" width=\"7\" height=\"7\" "
            "patternUnits=\"userSpaceOnUse\" patternTransform=\"rotate(45)\">"
            "<rect width=\"7\" height=\"7\" fill=\"#f1f4f5\"/><path d=\"M0 0V7\" "
            "stroke=\"#74858f\" stroke-width=\"2\"/></pattern></defs>",
            frame->number);
}

static void write_drawing(const struct chart *chart, struct frame frame, FILE *stream)
{
    frame_scale(&frame, chart);
    fprintf(stream,
            "<svg viewBox=\"0 0 %g %g\" role=\"img\" aria-labelledby=\"ct%u cd%u\">"
            "<title id=\"ct%u\">",
            frame.width, frame.height, frame.number, frame.number, frame.number);
    markup_write(chart->title, stream);
    fprintf(stream, "</title><desc id=\"cd%u\">", frame.number);
    markup_write(chart->description, stream);
    fputs("</desc>", stream);
    write_hatch(&frame, stream);
    write_kind(&frame, chart, PLOT_BAND, stream);
    write_kind(&frame, chart, PLOT_SHADE, stream);
    write_y_axis(&frame, stream);
    write_x_axis(&frame, chart, stream);
    write_kind(&frame, chart, PLOT_GAP, stream);
    write_kind(&frame, chart, PLOT_REFERENCE, stream);
    for (size_t i = 0; i < chart->series_count; i++) {
        write_series(&frame, &chart->series[i], stream);
    }
    if (chart->dot_count > 0) {
        write_dots(&frame, chart, stream);
    }
    write_kind(&frame, chart, PLOT_MARK, stream);
    write_legend(&frame, chart, stream);
    fputs("</svg>", stream);
}

void chart_write_svg(const struct chart *chart, unsigned number, FILE *stream)
{
    struct frame frame = FRAMES[chart->settings.shape];
    frame.number = 2 * number;
    if (chart->settings.shape != CHART_LARGE) {
        write_drawing(chart, frame, stream);
        return;
    }
    fputs("<div class=\"wd\">", stream);
    write_drawing(chart, frame, stream);
    fputs("</div><div class=\"nr\">", stream);
    frame = FRAME_TELEPHONE;
    frame.number = 2 * number + 1;
    write_drawing(chart, frame, stream);
    fputs("</div>", stream);
}
