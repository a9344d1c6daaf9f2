#include "simulation/truth.h"

#include <errno.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/log.h"
#include "base/units.h"

enum {
    TRUTH_LINE_SIZE = 512,
    TRUTH_PATH_SIZE = 256
};

struct truth {
    FILE *file;
    char path[TRUTH_PATH_SIZE];
    unsigned long row_count;
};

static const char *const COLUMNS[TRUTH_COLUMN_COUNT] = {
    "lumbar_flexion",      "lumbar_lateral",      "lumbar_rotation",    "trunk_flexion",
    "trunk_lateral",       "trunk_rotation",      "hip_flexion_l",      "hip_flexion_r",
    "hip_extension",       "bridge_line",         "thorax_inclination", "thorax_side",
    "sternum_inclination", "pelvis_inclination",  "pelvis_side",        "pelvis_roll",
    "thigh_inclination_l", "thigh_inclination_r", "flex_lumbar",
};

const char *truth_column_text(unsigned column)
{
    return column < TRUTH_COLUMN_COUNT ? COLUMNS[column] : "";
}

static struct quaternion relative(struct quaternion proximal, struct quaternion distal)
{
    return quaternion_multiply(quaternion_conjugate(proximal), distal);
}

void truth_values(const struct person *person, double time_s,
                  double values_deg[TRUTH_COLUMN_COUNT])
{
    double channels[CHANNEL_COUNT];
    person_channels(person, time_s, channels);
    struct quaternion q[SEGMENT_COUNT];
    for (unsigned i = SEGMENT_PELVIS; i <= SEGMENT_THIGH_R; i++) {
        q[i] = body_segment(channels, (enum segment)i, person->heading_rad).orientation;
    }
    struct vector3 trunk = body_cardan(relative(q[SEGMENT_PELVIS], q[SEGMENT_STERNUM]));
    double line_l = body_cardan(relative(q[SEGMENT_STERNUM], q[SEGMENT_THIGH_L])).x;
    double line_r = body_cardan(relative(q[SEGMENT_STERNUM], q[SEGMENT_THIGH_R])).x;
    const double values_rad[TRUTH_COLUMN_COUNT] = {
        channels[CHANNEL_LUMBAR_FLEXION],
        channels[CHANNEL_LUMBAR_LATERAL],
        channels[CHANNEL_LUMBAR_ROTATION],
        -trunk.x,
        trunk.y,
        -trunk.z,
        channels[CHANNEL_HIP_FLEXION_L],
        channels[CHANNEL_HIP_FLEXION_R],
        -(channels[CHANNEL_HIP_FLEXION_L] + channels[CHANNEL_HIP_FLEXION_R]) / 2.0,
        -(line_l + line_r) / 2.0,
        body_inclination(q[SEGMENT_THORAX]),
        body_side_inclination(q[SEGMENT_THORAX]),
        body_inclination(q[SEGMENT_STERNUM]),
        body_inclination(q[SEGMENT_PELVIS]),
        body_side_inclination(q[SEGMENT_PELVIS]),
        body_roll(q[SEGMENT_PELVIS]),
        body_inclination(q[SEGMENT_THIGH_L]),
        body_inclination(q[SEGMENT_THIGH_R]),
        channels[CHANNEL_LUMBAR_FLEXION],
    };
    for (unsigned i = 0; i < TRUTH_COLUMN_COUNT; i++) {
        values_deg[i] = values_rad[i] * DEG_PER_RAD;
    }
}

enum status truth_create(const char *path, struct truth **out)
{
    struct truth *truth = calloc(1, sizeof *truth);
    if (!truth) {
        return STATUS_NO_MEMORY;
    }
    snprintf(truth->path, sizeof truth->path, "%s", path);
    truth->file = fopen(path, "w");
    if (!truth->file) {
        log_error("%s: cannot be written: %s; choose another path for the truth file", path,
                  strerror(errno));
        free(truth);
        return STATUS_IO;
    }
    fputs("time_s", truth->file);
    for (unsigned i = 0; i < TRUTH_COLUMN_COUNT; i++) {
        fprintf(truth->file, ",%s", COLUMNS[i]);
    }
    fputs(",move\n", truth->file);
    *out = truth;
    return STATUS_OK;
}

/* "-12.3456": printf is too slow for a million numbers.
 * @return Characters written, no terminating zero; at most 20. */
static size_t decimal_write(double value, char *text)
{
    long long scaled = llround(value * 1e4);
    unsigned long long rest = (unsigned long long)(scaled < 0 ? -scaled : scaled);
    char digits[24];
    size_t count = 0;
    size_t size = 0;
    while (count < 5 || rest > 0) {
        digits[count++] = (char)('0' + rest % 10);
        rest /= 10;
    }
    if (scaled < 0) {
        text[size++] = '-';
    }
    while (count > 0) {
        if (count == 4) {
            text[size++] = '.';
        }
        text[size++] = digits[--count];
    }
    return size;
}

void truth_advance(struct truth *truth, const struct person *person, double time_s)
{
    for (;;) {
        double row_s = (double)truth->row_count / TRUTH_RATE_HZ;
        if (row_s > time_s) {
            return;
        }
        double values_deg[TRUTH_COLUMN_COUNT];
        truth_values(person, row_s, values_deg);
        char line[TRUTH_LINE_SIZE];
        size_t size = decimal_write(row_s, line);
        for (unsigned i = 0; i < TRUTH_COLUMN_COUNT; i++) {
            line[size++] = ',';
            size += decimal_write(values_deg[i], line + size);
        }
        fwrite(line, 1, size, truth->file);
        fprintf(truth->file, ",%s\n", person_label(person, row_s));
        truth->row_count++;
    }
}

enum status truth_destroy(struct truth *truth)
{
    if (!truth) {
        return STATUS_OK;
    }
    int failed = ferror(truth->file);
    failed |= fclose(truth->file);
    enum status status = STATUS_OK;
    if (failed) {
        log_error("%s: not all rows could be written; is the disk full?", truth->path);
        status = STATUS_IO;
    }
    free(truth);
    return status;
}
