#include "analysis/series.h"

#include <gsl/gsl_cdf.h>
#include <gsl/gsl_errno.h>
#include <gsl/gsl_fft_real.h>
#include <gsl/gsl_fit.h>
#include <gsl/gsl_multifit.h>
#include <gsl/gsl_sort.h>
#include <gsl/gsl_statistics.h>
#include <math.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>

#include "base/units.h"

enum {
    RANGE_COUNT_MIN = 10,
    MOVE_COUNT_MIN = 20,
    BLOCK_COUNT_MIN = 8,
    LINE_TERM_COUNT = 2
};

/* Robust ends of a range: project default of clinical reference 3.3. */
static const double PEAK_QUANTILE = 0.98;
static const double VALLEY_QUANTILE = 0.02;

/* Settling is left out of the slope (3.4). */
static const double SLOPE_DELAY_S = 3.0;

/* The slope is fitted to means of blocks: samples of the smoothed grid follow each other
 * too closely for an interval that takes them as independent. Project default. */
static const double SLOPE_BLOCK_S = 0.5;

/* Settings of the spectral arc length (3.5; Balasubramanian 2015). */
static const double SPARC_CUTOFF_HZ = 10.0;
static const double SPARC_AMPLITUDE_MIN = 0.05;
static const unsigned SPARC_PADDING = 4;

/* Breathing (3.6). */
static const double BREATHING_LOW_HZ = 0.1;
static const double BREATHING_HIGH_HZ = 0.5;
static const double BREATHING_TIME_S = 30.0;
static const double BREATHING_POWER_RATIO = 4.0;
static const double BREATHING_COVERAGE_MIN = 0.9;

/* No movement: below this the shape of a speed profile is rounding. */
static const double SPEED_MIN = 1e-9;

static size_t keep_finite(const double *values, size_t count, double *kept)
{
    size_t kept_count = 0;

    for (size_t i = 0; i < count; i++) {
        if (isfinite(values[i])) {
            kept[kept_count++] = values[i];
        }
    }
    return kept_count;
}

static double *array_create(size_t count)
{
    return calloc(count > 0 ? count : 1, sizeof(double));
}

/* ------------------------------------------------------------------------------- range */

static void range_of_sorted(const double *sorted, size_t count, struct series_range *range)
{
    range->peak_rad = gsl_stats_quantile_from_sorted_data(sorted, 1, count, PEAK_QUANTILE);
    range->valley_rad =
        gsl_stats_quantile_from_sorted_data(sorted, 1, count, VALLEY_QUANTILE);
    range->peak_raw_rad = sorted[count - 1];
    range->valley_raw_rad = sorted[0];
}

enum status series_range_get(const double *angle_rad, size_t count,
                             struct series_range *range)
{
    double *kept = array_create(count);

    if (!kept) {
        return STATUS_NO_MEMORY;
    }
    const size_t kept_count = keep_finite(angle_rad, count, kept);
    enum status status = STATUS_NOT_READY;

    if (kept_count >= RANGE_COUNT_MIN) {
        gsl_sort(kept, 1, kept_count);
        range_of_sorted(kept, kept_count, range);
        range->coverage = (double)kept_count / (double)count;
        status = STATUS_OK;
    }
    free(kept);
    return status;
}

/* -------------------------------------------------------------------------------- hold */

/* Samples with angle and rate, time from the first of the window. */
struct hold_columns {
    double *time_s;
    double *angle_rad;
    double *rate_rad_s;
    size_t count;
};

static void hold_columns_release(struct hold_columns *columns)
{
    free(columns->time_s);
    free(columns->angle_rad);
    free(columns->rate_rad_s);
}

static bool hold_columns_init(struct hold_columns *columns, size_t count)
{
    columns->time_s = array_create(count);
    columns->angle_rad = array_create(count);
    columns->rate_rad_s = array_create(count);
    columns->count = 0;
    return columns->time_s && columns->angle_rad && columns->rate_rad_s;
}

static void hold_columns_fill(struct hold_columns *columns, const double *time_s,
                              const double *angle_rad, const double *rate_rad_s,
                              size_t count)
{
    for (size_t i = 0; i < count; i++) {
        if (isfinite(angle_rad[i]) && isfinite(rate_rad_s[i])) {
            columns->time_s[columns->count] = time_s[i] - time_s[0];
            columns->angle_rad[columns->count] = angle_rad[i];
            columns->rate_rad_s[columns->count] = rate_rad_s[i];
            columns->count++;
        }
    }
}

static enum status wobble_get(const struct hold_columns *columns, double *wobble_rad)
{
    double intercept;
    double slope;
    double cov00;
    double cov01;
    double cov11;
    double square_sum;

    if (gsl_fit_linear(columns->time_s, 1, columns->angle_rad, 1, columns->count,
                       &intercept, &slope, &cov00, &cov01, &cov11, &square_sum)
        || !isfinite(square_sum)) {
        return STATUS_NOT_READY;
    }
    *wobble_rad = sqrt(square_sum / (double)columns->count);
    return STATUS_OK;
}

static double root_mean_square(const double *values, size_t count)
{
    return sqrt(gsl_stats_tss_m(values, 1, count, 0.0) / (double)count);
}

/* Means of the blocks after the settling time; writes over the columns. @return their
 * count. */
static size_t make_blocks(struct hold_columns *columns)
{
    size_t block_count = 0;
    size_t i = 0;

    while (i < columns->count && columns->time_s[i] < SLOPE_DELAY_S) {
        i++;
    }
    while (i < columns->count) {
        const double end_s = columns->time_s[i] + SLOPE_BLOCK_S;
        const size_t first = i;

        while (i < columns->count && columns->time_s[i] < end_s) {
            i++;
        }
        columns->time_s[block_count] =
            gsl_stats_mean(columns->time_s + first, 1, i - first);
        columns->angle_rad[block_count] =
            gsl_stats_mean(columns->angle_rad + first, 1, i - first);
        block_count++;
    }
    return block_count;
}

struct line_fit {
    gsl_multifit_robust_workspace *workspace;
    gsl_matrix *design;
    gsl_vector *terms;
    gsl_matrix *covariance;
};

static void line_fit_release(struct line_fit *fit)
{
    gsl_multifit_robust_free(fit->workspace);
    gsl_matrix_free(fit->design);
    gsl_vector_free(fit->terms);
    gsl_matrix_free(fit->covariance);
}

static bool line_fit_init(struct line_fit *fit, size_t count)
{
    fit->workspace =
        gsl_multifit_robust_alloc(gsl_multifit_robust_bisquare, count, LINE_TERM_COUNT);
    fit->design = gsl_matrix_alloc(count, LINE_TERM_COUNT);
    fit->terms = gsl_vector_alloc(LINE_TERM_COUNT);
    fit->covariance = gsl_matrix_alloc(LINE_TERM_COUNT, LINE_TERM_COUNT);
    return fit->workspace && fit->design && fit->terms && fit->covariance;
}

/* Time is taken from its mean: keeps the two terms nearly independent. */
static void line_design_fill(gsl_matrix *design, const double *time_s, size_t count)
{
    const double middle_s = gsl_stats_mean(time_s, 1, count);

    for (size_t i = 0; i < count; i++) {
        gsl_matrix_set(design, i, 0, 1.0);
        gsl_matrix_set(design, i, 1, time_s[i] - middle_s);
    }
}

static enum status slope_fit(struct line_fit *fit, const double *time_s,
                             const double *angle_rad, size_t count,
                             struct series_hold *hold)
{
    const gsl_vector_const_view angles = gsl_vector_const_view_array(angle_rad, count);

    line_design_fill(fit->design, time_s, count);
    if (gsl_multifit_robust(fit->design, &angles.vector, fit->terms, fit->covariance,
                            fit->workspace)) {
        return STATUS_NOT_READY;
    }
    const double slope = gsl_vector_get(fit->terms, 1);
    const double error = sqrt(gsl_matrix_get(fit->covariance, 1, 1));
    const double width =
        gsl_cdf_tdist_Pinv(0.975, (double)(count - LINE_TERM_COUNT)) * error;

    if (!isfinite(slope) || !isfinite(width)) {
        return STATUS_NOT_READY;
    }
    hold->slope_rad_s = slope;
    hold->slope_low_rad_s = slope - width;
    hold->slope_high_rad_s = slope + width;
    return STATUS_OK;
}

/* Leaves the slope NaN when the hold is too short for one. */
static enum status slope_get(struct hold_columns *columns, struct series_hold *hold)
{
    const size_t count = make_blocks(columns);
    struct line_fit fit = {NULL, NULL, NULL, NULL};
    enum status status = STATUS_NO_MEMORY;

    hold->slope_rad_s = NAN;
    hold->slope_low_rad_s = NAN;
    hold->slope_high_rad_s = NAN;
    if (count < BLOCK_COUNT_MIN) {
        return STATUS_OK;
    }
    if (line_fit_init(&fit, count)) {
        slope_fit(&fit, columns->time_s, columns->angle_rad, count, hold);
        status = STATUS_OK;
    }
    line_fit_release(&fit);
    return status;
}

static enum status hold_compute(struct hold_columns *columns, struct series_hold *hold)
{
    const size_t count = columns->count;

    if (count < RANGE_COUNT_MIN || wobble_get(columns, &hold->wobble_rad)) {
        return STATUS_NOT_READY;
    }
    hold->mean_rad = gsl_stats_mean(columns->angle_rad, 1, count);
    hold->deviation_rad = gsl_stats_sd(columns->angle_rad, 1, count);
    hold->stillness_rad_s = root_mean_square(columns->rate_rad_s, count);
    return slope_get(columns, hold);
}

enum status series_hold_get(const double *time_s, const double *angle_rad,
                            const double *rate_rad_s, size_t count,
                            struct series_hold *hold)
{
    struct hold_columns columns = {NULL, NULL, NULL, 0};
    struct series_hold result;
    enum status status = STATUS_NO_MEMORY;

    memset(&result, 0, sizeof result);
    if (hold_columns_init(&columns, count)) {
        hold_columns_fill(&columns, time_s, angle_rad, rate_rad_s, count);
        result.coverage = count > 0 ? (double)columns.count / (double)count : 0.0;
        status = hold_compute(&columns, &result);
    }
    hold_columns_release(&columns);
    if (!status) {
        *hold = result;
    }
    return status;
}

/* ----------------------------------------------------------------------------- summary */

enum status series_summary_get(const double *values, size_t count, double mean_min,
                               struct series_summary *summary)
{
    double *kept = array_create(count);

    if (!kept) {
        return STATUS_NO_MEMORY;
    }
    const size_t kept_count = keep_finite(values, count, kept);

    if (kept_count == 0) {
        free(kept);
        return STATUS_NOT_READY;
    }
    const double mean = gsl_stats_mean(kept, 1, kept_count);
    const double deviation =
        kept_count > 1 ? gsl_stats_sd(kept, 1, kept_count) : (double)NAN;

    gsl_sort(kept, 1, kept_count);
    *summary = (struct series_summary){
        .mean = mean,
        .deviation = deviation,
        .variation_percent =
            mean < mean_min || mean <= 0.0 ? (double)NAN : 100.0 * deviation / mean,
        .median = gsl_stats_median_from_sorted_data(kept, 1, kept_count),
        .best = kept[kept_count - 1],
        .count = kept_count,
    };
    free(kept);
    return STATUS_OK;
}

/* -------------------------------------------------------------------------- smoothness */

static double peak_of(const double *values, size_t count)
{
    double peak = 0.0;

    for (size_t i = 0; i < count; i++) {
        peak = fmax(peak, fabs(values[i]));
    }
    return peak;
}

static bool is_movement(const double *speed, size_t count)
{
    if (count < MOVE_COUNT_MIN) {
        return false;
    }
    for (size_t i = 0; i < count; i++) {
        if (!isfinite(speed[i])) {
            return false;
        }
    }
    return peak_of(speed, count) > SPEED_MIN;
}

static size_t power_of_two(size_t count)
{
    size_t size = 1;

    while (size < count) {
        size *= 2;
    }
    return size;
}

/* Amplitudes of the bins 0 .. size / 2 of a half-complex transform, in place. */
static void amplitudes_of(double *transform, size_t size)
{
    transform[0] = fabs(transform[0]);
    for (size_t i = 1; i < size / 2; i++) {
        transform[i] = hypot(transform[i], transform[size - i]);
    }
    transform[size / 2] = fabs(transform[size / 2]);
}

static double arc_length(const double *amplitude, size_t first, size_t last)
{
    const double step = 1.0 / (double)(last - first);
    double length = 0.0;

    for (size_t i = first; i < last; i++) {
        length += hypot(step, amplitude[i + 1] - amplitude[i]);
    }
    return length;
}

/* Between the first and the last bin of at least the smallest amplitude. */
static double spectral_arc_length(double *amplitude, size_t bin_count, size_t all_count)
{
    const double peak = peak_of(amplitude, all_count);
    size_t first = bin_count;
    size_t last = 0;

    for (size_t i = 0; i < bin_count; i++) {
        amplitude[i] /= peak;
        if (amplitude[i] >= SPARC_AMPLITUDE_MIN) {
            first = i < first ? i : first;
            last = i;
        }
    }
    return last > first ? -arc_length(amplitude, first, last) : (double)NAN;
}

enum status series_sparc(const double *speed, size_t count, double rate_hz, double *sparc)
{
    if (!is_movement(speed, count)) {
        return STATUS_NOT_READY;
    }
    const size_t size = power_of_two(count) << SPARC_PADDING;
    const double bins = floor(SPARC_CUTOFF_HZ * (double)size / rate_hz) + 1.0;
    const size_t all_count = size / 2 + 1;
    const size_t bin_count = bins < (double)all_count ? (size_t)bins : all_count;
    double *spectrum = array_create(size);
    double result = NAN;

    if (!spectrum) {
        return STATUS_NO_MEMORY;
    }
    memcpy(spectrum, speed, count * sizeof *speed);
    if (gsl_fft_real_radix2_transform(spectrum, 1, size) == GSL_SUCCESS) {
        amplitudes_of(spectrum, size);
        result = spectral_arc_length(spectrum, bin_count, all_count);
    }
    free(spectrum);
    if (!isfinite(result)) {
        return STATUS_NOT_READY;
    }
    *sparc = result;
    return STATUS_OK;
}

enum status series_ldlj(const double *speed, size_t count, double rate_hz, double *ldlj)
{
    if (!is_movement(speed, count)) {
        return STATUS_NOT_READY;
    }
    const double step_s = 1.0 / rate_hz;
    const double time_s = (double)count * step_s;
    const double peak = peak_of(speed, count);
    double jerk_square = 0.0;

    for (size_t i = 2; i < count; i++) {
        const double jerk =
            (speed[i] - 2.0 * speed[i - 1] + speed[i - 2]) / (step_s * step_s);
        jerk_square += jerk * jerk;
    }
    const double result =
        -log(time_s * time_s * time_s / (peak * peak) * jerk_square * step_s);

    if (!isfinite(result)) {
        return STATUS_NOT_READY;
    }
    *ldlj = result;
    return STATUS_OK;
}

/* --------------------------------------------------------------------------- breathing */

/* Straight lines over gaps, the nearest value at the ends. False with too little data. */
static bool fill_gaps(const double *values, size_t count, double *filled)
{
    size_t valid_count = 0;
    size_t last = 0; /* last valid one */

    for (size_t i = 0; i < count; i++) {
        if (!isfinite(values[i])) {
            continue;
        }
        const double from = valid_count > 0 ? values[last] : values[i];
        const size_t start = valid_count > 0 ? last : 0;

        for (size_t k = start; k < i; k++) {
            const double share = (double)(k - start) / (double)(i - start);
            filled[k] = from + share * (values[i] - from);
        }
        filled[i] = values[i];
        last = i;
        valid_count++;
    }
    for (size_t k = last + 1; valid_count > 0 && k < count; k++) {
        filled[k] = values[last];
    }
    return (double)valid_count >= BREATHING_COVERAGE_MIN * (double)count;
}

/* Mean power spectrum of half-overlapping segments (Welch): one spectrum alone has peaks by
 * chance that stand over any small multiple of its median. */
struct breathing {
    double *filled;
    double *position; /* 0, 1, 2 ... */
    double *segment;  /* padded to size */
    double *power;    /* size / 2 + 1 bins */
    size_t segment_count;
    size_t size;
};

static void breathing_release(struct breathing *breathing)
{
    free(breathing->filled);
    free(breathing->position);
    free(breathing->segment);
    free(breathing->power);
}

static bool breathing_init(struct breathing *breathing, size_t count, size_t segment_count)
{
    breathing->segment_count = segment_count;
    breathing->size = 4 * power_of_two(segment_count);
    breathing->filled = array_create(count);
    breathing->position = array_create(segment_count);
    breathing->segment = array_create(breathing->size);
    breathing->power = array_create(breathing->size / 2 + 1);
    if (!breathing->filled || !breathing->position || !breathing->segment
        || !breathing->power) {
        return false;
    }
    for (size_t i = 0; i < segment_count; i++) {
        breathing->position[i] = (double)i;
    }
    return true;
}

/* Straight line out, Hann window, zeros behind. */
static bool segment_prepare(struct breathing *breathing, const double *values)
{
    const size_t count = breathing->segment_count;
    double intercept;
    double slope;
    double cov00;
    double cov01;
    double cov11;
    double square_sum;

    if (gsl_fit_linear(breathing->position, 1, values, 1, count, &intercept, &slope, &cov00,
                       &cov01, &cov11, &square_sum)) {
        return false;
    }
    memset(breathing->segment, 0, breathing->size * sizeof *breathing->segment);
    for (size_t i = 0; i < count; i++) {
        const double window = 0.5 - 0.5 * cos(2.0 * PI_RAD * (double)i / (double)count);
        const double line = intercept + slope * breathing->position[i];
        breathing->segment[i] = window * (values[i] - line);
    }
    return true;
}

static bool spectrum_add(struct breathing *breathing, size_t count)
{
    const size_t step = breathing->segment_count / 2;

    for (size_t at = 0; at + breathing->segment_count <= count; at += step) {
        if (!segment_prepare(breathing, breathing->filled + at)
            || gsl_fft_real_radix2_transform(breathing->segment, 1, breathing->size)) {
            return false;
        }
        amplitudes_of(breathing->segment, breathing->size);
        for (size_t i = 0; i <= breathing->size / 2; i++) {
            breathing->power[i] += breathing->segment[i] * breathing->segment[i];
        }
    }
    return true;
}

/* Strongest line inside the band: one at its edge is the flank of something outside. */
static enum status line_find(const struct breathing *breathing, double rate_hz,
                             double *breaths_per_min)
{
    const double bin_hz = rate_hz / (double)breathing->size;
    const size_t first = (size_t)ceil(BREATHING_LOW_HZ / bin_hz);
    const size_t last = (size_t)floor(BREATHING_HIGH_HZ / bin_hz);
    const size_t count = last - first + 1;
    const size_t best = first + gsl_stats_max_index(breathing->power + first, 1, count);
    const double peak = breathing->power[best];

    /* The segment is free: sort there. */
    memcpy(breathing->segment, breathing->power + first, count * sizeof(double));
    gsl_sort(breathing->segment, 1, count);
    const double median = gsl_stats_median_from_sorted_data(breathing->segment, 1, count);

    if (best == first || best == last || !(peak > BREATHING_POWER_RATIO * median)) {
        return STATUS_NOT_READY;
    }
    *breaths_per_min = 60.0 * (double)best * bin_hz;
    return STATUS_OK;
}

enum status series_breathing(const double *angle_rad, size_t count, double rate_hz,
                             double *breaths_per_min)
{
    const size_t segment_count = (size_t)ceil(BREATHING_TIME_S * rate_hz);
    struct breathing breathing = {NULL, NULL, NULL, NULL, 0, 0};
    enum status status = STATUS_NO_MEMORY;

    if (count < segment_count) {
        return STATUS_NOT_READY;
    }
    if (breathing_init(&breathing, count, segment_count)) {
        const bool is_ready = fill_gaps(angle_rad, count, breathing.filled)
                              && spectrum_add(&breathing, count);
        status =
            is_ready ? line_find(&breathing, rate_hz, breaths_per_min) : STATUS_NOT_READY;
    }
    breathing_release(&breathing);
    return status;
}
