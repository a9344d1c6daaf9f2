/* From samples to poses: time base, calibration, orientation and angles of all worn sensors
 * on a common 100 Hz grid. The same code runs live and on replay. No I/O, no clock;
 * allocation only in create. One thread. */
#ifndef LIMBER_ANALYSIS_PIPELINE_H
#define LIMBER_ANALYSIS_PIPELINE_H

#include "analysis/pose.h"
#include "analysis/timebase.h"
#include "base/status.h"
#include "calibration/calibration.h"

enum {
    PIPELINE_SENSOR_MAX = 64
};

/* One worn sensor. */
struct pipeline_sensor {
    enum role role;
    struct timebase_settings timebase;
    unsigned stream;  /* index of the stream that carries it (inertial or analog) */
    unsigned channel; /* analog: channel in the stream */
    struct calibration_imu imu;
    struct calibration_flex flex;
    /* Placement until a neutral pose is taken; identity or zero: calibration_nominal. */
    struct calibration_alignment alignment;
};

/* What the person is asked to do for alignment; the runner says which, and when. */
enum pipeline_stage {
    PIPELINE_STAGE_NONE,
    PIPELINE_STAGE_NEUTRAL, /* stand (or sit) still: gravity and gyroscope bias */
    PIPELINE_STAGE_TRUNK,   /* bend forward slowly a few times */
    PIPELINE_STAGE_THIGH_L, /* lift the left knee a few times */
    PIPELINE_STAGE_THIGH_R,
    PIPELINE_STAGE_SOLVE, /* compute the alignment of all sensors */
    PIPELINE_STAGE_START, /* still in the start posture: bias again, all headings made equal
                           */
    PIPELINE_STAGE_CLOSURE /* still in the same start posture once more: as START; what the
                            * headings ran apart in between is drift, and teaches the bias
                            * about the vertical (clinical reference 3.1.4) */
};

const char *pipeline_stage_text(enum pipeline_stage stage);

struct pipeline;

/* @param sensors  Copied; count 1 .. PIPELINE_SENSOR_MAX; a role may occur once.
 * @return STATUS_OK, STATUS_NO_MEMORY, STATUS_BAD_INPUT (a role twice; logged). */
enum status pipeline_create(const struct pipeline_sensor *sensors, unsigned count,
                            struct pipeline **out);

/* Take one sample of any stream of a sensor; other streams are ignored.
 * @param time_s  Out: its session time (also for ignored streams). */
void pipeline_push(struct pipeline *pipeline, unsigned sensor, const struct sample *sample,
                   double *time_s);

/* The session clock has reached now_ns: poses that wait for silent sensors go out without
 * them. */
void pipeline_advance(struct pipeline *pipeline, int64_t now_ns);

/* Next pose of the grid in time order. STATUS_OK or STATUS_NOT_READY. Call until NOT_READY
 * after every push and advance: an instant is decided when it is taken, and sensors
 * remember 0.2 s. */
enum status pipeline_pop(struct pipeline *pipeline, struct pose *pose);

/* The sensor was away or restarted: its clock and orientation start again. */
void pipeline_interrupt(struct pipeline *pipeline, unsigned sensor);

/* The sensor has said what its clock is: as pipeline_interrupt where that is new. Call
 * before the samples it belongs to.
 * @param tick_s   Seconds per tick, 0 = it has no clock.
 * @param rate_hz  Nominal rate, above 0; matters without a clock only. */
void pipeline_clock_set(struct pipeline *pipeline, unsigned sensor, double tick_s,
                        double rate_hz);

/* Enter a stage at the time of the newest sample. SOLVE answers for the worst sensor:
 * STATUS_OK, STATUS_NOT_READY (no still pose), STATUS_REFUSED (moved, or worn wrongly);
 * what could be solved is in use. Leaving START sets bias and headings, and answers
 * STATUS_NOT_READY when a sensor was not still for 0.5 s: that one keeps its heading.
 * CLOSURE is left in the same way. All else answers STATUS_OK. */
enum status pipeline_stage_set(struct pipeline *pipeline, enum pipeline_stage stage);

/* Largest relative heading (rad) of trunk and pelvis units that a CLOSURE has removed since
 * the last START; NaN before the first one. */
double pipeline_heading_drift_rad(const struct pipeline *pipeline);

/* Orientation of a sensor after its last sample: sensor to earth (heading free), and the
 * segment as used for angles (heading fixed). Identity before the first. */
struct quaternion pipeline_sensor_orientation(const struct pipeline *pipeline,
                                              unsigned sensor);
struct quaternion pipeline_segment_orientation(const struct pipeline *pipeline,
                                               unsigned sensor);

/* Inertial sample of a sensor in SI units after its last sample (sensor frame, calibrated).
 */
struct inertial pipeline_sensor_inertial(const struct pipeline *pipeline, unsigned sensor);

/* Alignment and calibration in use. Borrowed. */
const struct pipeline_sensor *pipeline_sensor_get(const struct pipeline *pipeline,
                                                  unsigned sensor);

/* Offset (s) and skew of a sensor's clock now. */
void pipeline_clock_get(const struct pipeline *pipeline, unsigned sensor, double *offset_s,
                        double *skew);

/* Standard error (rad) of a measure in a posture, by part. A rotation of a measure about an
 * axis that gravity sees carries no heading doubt. */
struct pipeline_error {
    double noise_rad;     /* sensor noise and offset */
    double alignment_rad; /* sensor on segment */
    double heading_rad;   /* drift since the start posture; 0 where gravity sees the axis */
    double skin_rad; /* movement of skin under the sensor; 1.5 deg project default, so that
                      * 95 % is 2.9 deg; published whole-method errors in clinical 3.8 */
};

struct pipeline_error pipeline_measure_error(const struct pipeline *pipeline,
                                             enum measure measure, enum posture posture);

/* NULL is allowed. */
void pipeline_destroy(struct pipeline *pipeline);

#endif
