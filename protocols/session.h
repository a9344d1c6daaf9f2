/* The record of one assessment: what was worn, asked, done and measured. The one type that
 * the archive writes and reads, and that reports and exports show. One thread. */
#ifndef LIMBER_PROTOCOLS_SESSION_H
#define LIMBER_PROTOCOLS_SESSION_H

#include <stdint.h>

#include "analysis/metric.h"
#include "analysis/pipeline.h"
#include "base/sample.h"
#include "protocols/event.h"
#include "protocols/protocol.h"
#include "protocols/runner.h"
#include "protocols/screening.h"

enum {
    SESSION_UUID_SIZE = 37,
    SESSION_SUBJECT_SIZE = 33,
    SESSION_HASH_SIZE = 65
};

/* All samples of one stream of one sensor, column by column; owned, grown by the session.
 */
struct session_stream {
    struct stream_info info;
    char *texts; /* owned block that the texts of info point into; NULL when they are static
                  */
    size_t count;
    double *time_s;
    uint64_t *device_ticks;
    uint32_t *sequence;
    uint16_t *flags;
    float *values; /* count x info.channel_count, row by row */
    size_t capacity;
};

struct session_sensor {
    enum role role;
    char driver[32];
    char port[128];
    char model[64];
    char serial_number[64];
    double rate_hz;          /* nominal */
    double rate_measured_hz; /* over the session; NaN = no data */
    double clock_offset_s;
    double clock_skew;
    uint64_t lost_count;
    uint64_t bad_count;
    uint64_t sample_count;
    struct calibration_imu imu;
    struct calibration_flex flex;
    struct calibration_alignment alignment;
    struct session_stream streams[STREAM_MAX];
    unsigned stream_count;
    /* Orientation, one row per inertial sample: sensor to earth, w x y z. */
    size_t orientation_count;
    double *orientation_time_s;
    float *orientation; /* count x 4 */
    size_t orientation_capacity;
};

/* Angles on the 100 Hz grid. */
struct session_angles {
    size_t count;
    size_t capacity;
    double *time_s;
    double *angle_rad[MEASURE_COUNT]; /* smoothed; NULL = never available */
    double *rate_rad_s[MEASURE_COUNT];
};

/* One stretch as done. */
struct session_stretch {
    struct protocol protocol; /* owns its text */
    double start_s;
    double end_s;
    bool completed;
    struct runner_zone zones[PROTOCOL_PART_MAX][SIDE_COUNT];
    struct pipeline_error errors[MEASURE_COUNT]; /* at the end of the stretch */
    double gyro_drift_removed_rad; /* heading closure at the end; NaN = not measured */
};

struct session {
    char uuid[SESSION_UUID_SIZE];
    char parent_uuid[SESSION_UUID_SIZE]; /* "" = an original */
    char visit_uuid[SESSION_UUID_SIZE];
    char subject[SESSION_SUBJECT_SIZE]; /* pseudonym only */
    char operator_code[SESSION_SUBJECT_SIZE];
    int64_t start_utc_us;
    char software[32]; /* "limber 0.1.0" */
    char software_commit[48];
    char journal_hash[SESSION_HASH_SIZE]; /* SHA-256 of the journal bytes, hex */
    uint64_t journal_frame_count;
    uint64_t journal_torn_size;
    bool recovered;   /* the journal had no end frame */
    bool simulated;   /* any sensor was simulated */
    uint8_t *journal; /* the bytes themselves, owned */
    size_t journal_size;
    char *header_json; /* the journal's header, owned */
    double duration_s;
    struct screening screening;
    int pain_before; /* -1 = not asked */
    int pain_highest;
    int pain_after;
    struct session_sensor *sensors;
    unsigned sensor_count;
    struct session_stretch stretches[RUNNER_STRETCH_MAX];
    unsigned stretch_count;
    struct event *events;
    size_t event_count;
    size_t event_capacity;
    struct session_angles angles;
    struct metric *metrics;
    size_t metric_count;
    size_t metric_capacity;
    char grade; /* data quality A B C F */
    char grade_reason[160];
};

enum status session_create(struct session **out);

/* NULL is allowed. */
void session_destroy(struct session *session);

/* Fit every protocol to the sensors of the session (protocol_adapt); once, when both are
 * known. */
void session_protocols_adapt(struct session *session);

/* Say what a stream holds; its texts are copied.
 * @return STATUS_OK or STATUS_NO_MEMORY. */
enum status session_stream_describe(struct session_stream *stream,
                                    const struct stream_info *info);

/* Grow the tables by one row. STATUS_OK or STATUS_NO_MEMORY; a sample of a stream that was
 * not described is STATUS_BAD_INPUT. */
enum status session_event_add(struct session *session, const struct event *event);
enum status session_metric_add(struct session *session, const struct metric *metric);
enum status session_pose_add(struct session *session, const struct pose *pose);
enum status session_sample_add(struct session_sensor *sensor, const struct sample *sample,
                               double time_s);
enum status session_orientation_add(struct session_sensor *sensor, double time_s,
                                    struct quaternion orientation);

/* Compute all metrics and the grade from events and angles. Same input, same bits. */
enum status session_evaluate(struct session *session);

/* First metric that matches, or NULL. repetition 0 = over all. */
const struct metric *session_metric_find(const struct session *session, enum metric_id id,
                                         unsigned stretch, unsigned part, enum side side,
                                         unsigned repetition);

#endif
