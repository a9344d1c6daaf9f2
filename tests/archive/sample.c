#include "sample.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <check.h>

#include "archive/archive.h"
#include "archive/folder.h"
#include "base/units.h"

static const char *const INERTIAL_CHANNELS[] = {
    "gyroscope_x_deg_s", "gyroscope_y_deg_s", "gyroscope_z_deg_s",
    "accelerometer_x_g", "accelerometer_y_g", "accelerometer_z_g",
};

static void stream_fill(struct session_stream *stream, const struct stream_info *info,
                        size_t count)
{
    unsigned channels = info->channel_count;
    stream->info = *info;
    stream->count = count;
    stream->capacity = count;
    stream->time_s = calloc(count, sizeof *stream->time_s);
    stream->device_ticks = calloc(count, sizeof *stream->device_ticks);
    stream->sequence = calloc(count, sizeof *stream->sequence);
    stream->flags = calloc(count, sizeof *stream->flags);
    stream->values = calloc(count, channels * sizeof *stream->values);
    for (size_t row = 0; row < count; row++) {
        stream->time_s[row] = (double)row * 0.01 + 1e-7 * (double)(row % 7);
        /* Looks like microseconds since 1970: must not leave a de-identified export. */
        stream->device_ticks[row] = UINT64_C(1795344300000000) + row * 10000;
        stream->sequence[row] = (uint32_t)(UINT32_MAX - 10 + row);
        stream->flags[row] = (uint16_t)(row % 32);
        for (unsigned channel = 0; channel < channels; channel++) {
            stream->values[row * channels + channel] =
                (float)sin((double)row * 0.01 * (channel + 1)) * 12.3456789F;
        }
    }
}

static void inertial_fill(struct session_stream *stream)
{
    struct stream_info info = {
        .name = "inertial",
        .kind = STREAM_INERTIAL,
        .channel_count = 6,
        .full_scale = {2000, 2000, 2000, 16, 16, 16},
    };
    for (unsigned channel = 0; channel < 6; channel++) {
        info.channels[channel] = INERTIAL_CHANNELS[channel];
        info.units[channel] = channel < 3 ? "deg/s" : "g";
    }
    stream_fill(stream, &info, SAMPLE_ROW_COUNT);
}

static void orientation_fill(struct session_sensor *sensor)
{
    sensor->orientation_count = SAMPLE_ROW_COUNT;
    sensor->orientation_capacity = SAMPLE_ROW_COUNT;
    sensor->orientation_time_s = calloc(SAMPLE_ROW_COUNT, sizeof(double));
    sensor->orientation = calloc(SAMPLE_ROW_COUNT, 4 * sizeof(float));
    for (size_t row = 0; row < SAMPLE_ROW_COUNT; row++) {
        double half_rad = (double)row * 1e-4;
        sensor->orientation_time_s[row] = (double)row * 0.01;
        sensor->orientation[row * 4] = (float)cos(half_rad);
        sensor->orientation[row * 4 + 3] = (float)sin(half_rad);
    }
}

static void sensor_common(struct session_sensor *sensor, enum role role, const char *port)
{
    sensor->role = role;
    snprintf(sensor->port, sizeof sensor->port, "%s", port);
    snprintf(sensor->serial_number, sizeof sensor->serial_number, "SN-%s-4711",
             role_text(role));
    sensor->rate_hz = 100;
    sensor->rate_measured_hz = 99.98765432109876;
    sensor->clock_offset_s = -0.0123456789;
    sensor->clock_skew = 3.3e-5;
    sensor->lost_count = 7;
    sensor->bad_count = UINT64_C(1) << 40;
    sensor->sample_count = SAMPLE_ROW_COUNT;
    sensor->imu = calibration_imu_default;
    sensor->imu.gyro_bias_rad_s[1] = 0.0017;
    sensor->imu.gyro_matrix[0][2] = -0.25;
    sensor->imu.accel_matrix[2][1] = 1e-300;
    sensor->flex.term_count = 3;
    sensor->flex.terms_rad[2] = 0.5;
    sensor->flex.scale = 1023;
    sensor->alignment.sensor_to_segment = (struct quaternion){0.5, -0.5, 0.5, 0.5};
    sensor->alignment.uncertainty_rad[2] = 0.03;
    sensor->alignment.explained = 0.97;
    sensor->alignment.grade = 'B';
    snprintf(sensor->alignment.reason, sizeof sensor->alignment.reason, "moved \"a bit\"");
}

static void sensors_fill(struct session *session)
{
    static const struct stream_info FLEX = {
        .name = "analog",
        .kind = STREAM_ANALOG,
        .channel_count = 2,
        .channels = {"A0_v", "A1_1"},
        .units = {"V", "1"},
        .full_scale = {5, 0},
    };
    static const struct stream_info STATUS = {
        .name = "calendar",
        .kind = STREAM_STATUS,
        .channel_count = 1,
        .channels = {"year_1"},
        .units = {"1"},
    };
    session->sensor_count = 2;
    session->sensors = calloc(2, sizeof *session->sensors);
    /* Not in the order of roles or names: the recorded order must come back. */
    struct session_sensor *imu = &session->sensors[0];
    sensor_common(imu, ROLE_THORAX_DORSAL, "/dev/serial/by-id/ximu3-4711");
    snprintf(imu->driver, sizeof imu->driver, "xio-ximu3");
    snprintf(imu->model, sizeof imu->model, "x-IMU3 of Dr. Example");
    imu->stream_count = 2;
    inertial_fill(&imu->streams[0]);
    stream_fill(&imu->streams[1], &STATUS, 3);
    orientation_fill(imu);
    struct session_sensor *flex = &session->sensors[1];
    sensor_common(flex, ROLE_FLEX_LUMBAR, "file:/srv/jane/flex.bin");
    snprintf(flex->driver, sizeof flex->driver, "arduino-firmata");
    flex->stream_count = 1;
    stream_fill(&flex->streams[0], &FLEX, 17);
    flex->rate_measured_hz = (double)NAN;
}

static void stretch_fill(struct session *session, unsigned index, const char *id)
{
    struct session_stretch *stretch = &session->stretches[index];
    ck_assert_int_eq(protocol_find(id, &stretch->protocol), STATUS_OK);
    stretch->start_s = 10.5 + index;
    stretch->end_s = 200.25 + index;
    stretch->completed = index == 0;
    stretch->gyro_drift_removed_rad = index == 0 ? (double)NAN : -0.01;
    for (unsigned part = 0; part < PROTOCOL_PART_MAX; part++) {
        for (unsigned side = 0; side < SIDE_COUNT; side++) {
            double base = 100.0 * part + 10.0 * side;
            stretch->zones[part][side] =
                (struct runner_zone){.peak_deg = base + 1,
                                     .low_deg = base + 2,
                                     .high_deg = base + 3,
                                     .start_deg = side == 0 ? (double)NAN : base};
        }
    }
    for (unsigned measure = 0; measure < MEASURE_COUNT; measure++) {
        stretch->errors[measure] = (struct pipeline_error){
            .noise_rad = 0.001 * measure, .alignment_rad = 0.1, .heading_rad = 1.0 / 3.0};
    }
    session->stretch_count = index + 1;
}

static void angles_fill(struct session_angles *angles, enum measure measure)
{
    double *angle = calloc(SAMPLE_ROW_COUNT, sizeof(double));
    double *rate = calloc(SAMPLE_ROW_COUNT, sizeof(double));
    for (size_t row = 0; row < SAMPLE_ROW_COUNT; row++) {
        angle[row] = row % 100 == 50 ? (double)NAN : 0.9 * sin((double)row * 0.002);
        rate[row] = 0.18 * cos((double)row * 0.002);
    }
    angles->angle_rad[measure] = angle;
    angles->rate_rad_s[measure] = rate;
}

static void grid_fill(struct session_angles *angles)
{
    angles->count = SAMPLE_ROW_COUNT;
    angles->capacity = SAMPLE_ROW_COUNT;
    angles->time_s = calloc(SAMPLE_ROW_COUNT, sizeof(double));
    for (size_t row = 0; row < SAMPLE_ROW_COUNT; row++) {
        angles->time_s[row] = (double)row / 100.0;
    }
}

static void events_fill(struct session *session)
{
    static const struct event EVENTS[] = {
        {EVENT_PHASE, 10.5, 0, 0, 0, 0, SIDE_BOTH, NAN, NAN, "SETUP", "runner", "begin"},
        {EVENT_HOLD, 20.25, 30.125, 0, 0, 1, SIDE_BOTH, 29.875, NAN, "zone", "runner",
         "breaks joined: 0"},
        {EVENT_REPETITION, 110, 5.5, 1, 0, 2, SIDE_BOTH, 21.5, NAN, "", "runner", ""},
        {EVENT_NOTE, 60, 0, 0, 0, 0, SIDE_BOTH, NAN, NAN, "asked for Jane", "operator",
         "her, \"left\" hip\nhurts"},
        {EVENT_OPERATOR, 61, 0, 0, 0, 0, SIDE_BOTH, NAN, NAN, "note Jane", "operator", ""},
        {EVENT_PAIN, 62, 0, 0, 0, 0, SIDE_LEFT, 4, NAN, "sharp", "patient", ""},
    };
    session->event_count = sizeof EVENTS / sizeof EVENTS[0];
    session->event_capacity = session->event_count;
    session->events = malloc(sizeof EVENTS);
    memcpy(session->events, EVENTS, sizeof EVENTS);
}

static void metrics_fill(struct session *session, unsigned number)
{
    /* Values with all bits in use, the smallest and the largest double, and a withheld one.
     */
    const struct metric metrics[] = {
        {.id = METRIC_HOLD_TIME,
         .measure = MEASURE_LUMBAR_FLEXION,
         .repetition = 1,
         .value = 29.875 + 0.1 * number,
         .uncertainty = 1.0 / 3.0,
         .coverage = 0.99,
         .quality = 88},
        {.id = METRIC_PEAK_ANGLE,
         .measure = MEASURE_LUMBAR_FLEXION,
         .repetition = 1,
         .value = 51.566201561774101 + 2.0 * number,
         .uncertainty = 4.9406564584124654e-324,
         .coverage = 1,
         .quality = NAN,
         .remark = "leaned to the right, turned"},
        {.id = METRIC_RANGE_OF_MOTION,
         .measure = MEASURE_LUMBAR_FLEXION,
         .stretch = 1,
         .part = 0,
         .repetition = 2,
         .side = SIDE_BOTH,
         .value = -1.7976931348623157e+308,
         .uncertainty = NAN,
         .coverage = 0.5,
         .quality = 0},
        {.id = METRIC_PAIN_HIGHEST,
         .measure = MEASURE_COUNT,
         .value = NAN,
         .uncertainty = NAN,
         .coverage = 0,
         .quality = NAN,
         .withheld = "not asked, \xc3\xbc \"quoted\""},
    };
    session->metric_count = sizeof metrics / sizeof metrics[0];
    session->metric_capacity = session->metric_count;
    session->metrics = malloc(sizeof metrics);
    memcpy(session->metrics, metrics, sizeof metrics);
}

static void journal_fill(struct session *session)
{
    session->journal_size = 300000;
    session->journal = malloc(session->journal_size);
    for (size_t index = 0; index < session->journal_size; index++) {
        session->journal[index] = (uint8_t)(index * index >> 7);
    }
    archive_hash_bytes(session->journal, session->journal_size, session->journal_hash);
    session->journal_frame_count = 1234;
    session->journal_torn_size = 17;
    session->header_json = strdup("{\"subject\":\"A\",\"x\":[1,2,3]}");
}

struct session *sample_session(const char *subject, unsigned number)
{
    struct session *session = NULL;
    ck_assert_int_eq(session_create(&session), STATUS_OK);
    snprintf(session->uuid, sizeof session->uuid, "%08x-0000-4000-8000-0123456789ab",
             number);
    snprintf(session->visit_uuid, sizeof session->visit_uuid,
             "feedbeef-0000-4000-8000-0123456789ab");
    snprintf(session->subject, sizeof session->subject, "%s", subject);
    snprintf(session->operator_code, sizeof session->operator_code, "OP-7");
    /* 2026-11-22T10:45:00.123456Z, then every 36 hours. */
    session->start_utc_us =
        INT64_C(1795344300123456) + (int64_t)number * 36 * 3600 * INT64_C(1000000);
    snprintf(session->software, sizeof session->software, "limber 0.1.0");
    snprintf(session->software_commit, sizeof session->software_commit, "abc123");
    session->simulated = true;
    session->recovered = number % 2 == 1;
    session->duration_s = 210.0 + 1.0 / 3.0;
    session->screening.answers[1] = SCREENING_BOTH;
    session->screening.answers[4] = SCREENING_YES;
    session->screening.pain_now = 3;
    session->screening.pain_after = -1;
    session->screening.acknowledged = true;
    snprintf(session->screening.override_role, sizeof session->screening.override_role,
             "PT");
    snprintf(session->screening.override_reason, sizeof session->screening.override_reason,
             "seen by Dr. Example");
    session->screening.hypermobile = true;
    session->pain_before = 3;
    session->pain_highest = 4;
    session->pain_after = -1;
    session->grade = 'B';
    snprintf(session->grade_reason, sizeof session->grade_reason, "7 samples lost");
    sensors_fill(session);
    stretch_fill(session, 0, "standing_forward_bend");
    stretch_fill(session, 1, "cat_cow");
    grid_fill(&session->angles);
    angles_fill(&session->angles, MEASURE_LUMBAR_FLEXION);
    angles_fill(&session->angles, MEASURE_THORAX_INCLINATION);
    events_fill(session);
    metrics_fill(session, number);
    journal_fill(session);
    return session;
}

void scratch_make(char folder[SAMPLE_PATH_SIZE])
{
    const char *base = getenv("TMPDIR");
    snprintf(folder, SAMPLE_PATH_SIZE, "%s/limber-archive-XXXXXX", base ? base : "/tmp");
    ck_assert_ptr_nonnull(mkdtemp(folder));
}

void scratch_remove(const char *folder)
{
    folder_remove(folder);
    ck_assert_int_ne(access(folder, F_OK), 0);
}

char *file_read(const char *path, size_t *size)
{
    FILE *stream = fopen(path, "rb");
    ck_assert_msg(stream != NULL, "%s", path);
    fseek(stream, 0, SEEK_END);
    *size = (size_t)ftell(stream);
    rewind(stream);
    char *bytes = malloc(*size + 1);
    ck_assert_uint_eq(fread(bytes, 1, *size, stream), *size);
    bytes[*size] = '\0';
    fclose(stream);
    return bytes;
}

void file_write(const char *path, const void *bytes, size_t size)
{
    FILE *stream = fopen(path, "wb");
    ck_assert_ptr_nonnull(stream);
    ck_assert_uint_eq(fwrite(bytes, 1, size, stream), size);
    ck_assert_int_eq(fclose(stream), 0);
}
