#include "archive/layout.h"

#include <string.h>

#define LIST(name, table)                                                                  \
    const struct layout_fields name = {table, sizeof(table) / sizeof((table)[0])}

static const struct hdf5_field ROOT[] = {
    HDF5_TEXT(session, uuid, "session_uuid"),
    HDF5_TEXT(session, parent_uuid, "parent_uuid"),
    HDF5_TEXT(session, visit_uuid, "visit_uuid"),
    HDF5_NUMBER(session, start_utc_us, "start_utc_us", HDF5_FIELD_I64),
    HDF5_NUMBERS(session, duration_s, "duration_s"),
    HDF5_TEXT(session, software, "software"),
    HDF5_TEXT(session, software_commit, "software_commit"),
    HDF5_NUMBER(session, simulated, "simulated", HDF5_FIELD_BOOL),
    HDF5_NUMBER(session, recovered, "recovered", HDF5_FIELD_BOOL),
    HDF5_NUMBER(session, grade, "grade", HDF5_FIELD_LETTER),
    HDF5_TEXT(session, grade_reason, "grade_reason"),
    HDF5_NUMBER(session, pain_before, "pain_before", HDF5_FIELD_INT),
    HDF5_NUMBER(session, pain_highest, "pain_highest", HDF5_FIELD_INT),
    HDF5_NUMBER(session, pain_after, "pain_after", HDF5_FIELD_INT),
};
LIST(LAYOUT_ROOT, ROOT);

static const struct hdf5_field PROVENANCE[] = {
    HDF5_TEXT(session, journal_hash, "journal_sha256"),
    HDF5_NUMBER(session, journal_frame_count, "journal_frames", HDF5_FIELD_U64),
    HDF5_NUMBER(session, journal_torn_size, "journal_torn_bytes", HDF5_FIELD_U64),
    HDF5_TEXT(session, operator_code, "operator_code"),
};
LIST(LAYOUT_PROVENANCE, PROVENANCE);

static const struct hdf5_field SUBJECT[] = {
    HDF5_TEXT(session, subject, "participant_id"),
};
LIST(LAYOUT_SUBJECT, SUBJECT);

static const struct hdf5_field SCREENING[] = {
    HDF5_NUMBER(screening, pain_now, "pain_now", HDF5_FIELD_INT),
    HDF5_NUMBER(screening, pain_after, "pain_after", HDF5_FIELD_INT),
    HDF5_NUMBER(screening, acknowledged, "acknowledged", HDF5_FIELD_BOOL),
    HDF5_TEXT(screening, override_role, "override_role"),
    HDF5_TEXT(screening, override_reason, "override_reason"),
    HDF5_NUMBER(screening, hypermobile, "hypermobile", HDF5_FIELD_BOOL),
};
LIST(LAYOUT_SCREENING, SCREENING);

static const struct hdf5_field STRETCH[] = {
    HDF5_TEXT(session_stretch, protocol.id, "id"),
    HDF5_TEXT(session_stretch, protocol.title, "name"),
    HDF5_TEXT(session_stretch, protocol.version, "version"),
    HDF5_TEXT(session_stretch, protocol.placement, "placement"),
    HDF5_NUMBERS(session_stretch, start_s, "start_s"),
    HDF5_NUMBERS(session_stretch, end_s, "end_s"),
    HDF5_NUMBER(session_stretch, completed, "completed", HDF5_FIELD_BOOL),
    HDF5_NUMBERS(session_stretch, gyro_drift_removed_rad, "gyro_drift_removed_rad"),
};
LIST(LAYOUT_STRETCH, STRETCH);

static const struct hdf5_field DEVICE[] = {
    HDF5_TEXT(session_sensor, driver, "driver"),
    HDF5_TEXT(session_sensor, port, "port"),
    HDF5_TEXT(session_sensor, model, "model"),
    HDF5_TEXT(session_sensor, serial_number, "serial_number"),
    HDF5_NUMBERS(session_sensor, rate_hz, "rate_hz"),
    HDF5_NUMBERS(session_sensor, rate_measured_hz, "rate_measured_hz"),
    HDF5_NUMBERS(session_sensor, clock_offset_s, "clock_offset_s"),
    HDF5_NUMBERS(session_sensor, clock_skew, "clock_skew"),
    HDF5_NUMBER(session_sensor, lost_count, "lost_count", HDF5_FIELD_U64),
    HDF5_NUMBER(session_sensor, bad_count, "bad_count", HDF5_FIELD_U64),
    HDF5_NUMBER(session_sensor, sample_count, "sample_count", HDF5_FIELD_U64),
};
LIST(LAYOUT_DEVICE, DEVICE);

static const struct hdf5_field IMU[] = {
    HDF5_NUMBERS(calibration_imu, gyro_bias_rad_s, "gyro_bias_rad_s"),
    {"gyro_matrix", HDF5_FIELD_DOUBLE, offsetof(struct calibration_imu, gyro_matrix), 9},
    HDF5_NUMBERS(calibration_imu, accel_bias_m_s2, "accel_bias_m_s2"),
    {"accel_matrix", HDF5_FIELD_DOUBLE, offsetof(struct calibration_imu, accel_matrix), 9},
    HDF5_NUMBERS(calibration_imu, temperature_c, "temperature_c"),
};
LIST(LAYOUT_IMU, IMU);

static const struct hdf5_field FLEX[] = {
    HDF5_NUMBERS(calibration_flex, offset, "flex_offset"),
    HDF5_NUMBERS(calibration_flex, scale, "flex_scale"),
    HDF5_NUMBERS(calibration_flex, terms_rad, "flex_terms_rad"),
    HDF5_NUMBER(calibration_flex, term_count, "flex_term_count", HDF5_FIELD_UNSIGNED),
    HDF5_NUMBERS(calibration_flex, low, "flex_low"),
    HDF5_NUMBERS(calibration_flex, high, "flex_high"),
    HDF5_NUMBERS(calibration_flex, residual_rad, "flex_residual_rad"),
};
LIST(LAYOUT_FLEX, FLEX);

static const struct hdf5_field ALIGNMENT[] = {
    {"sensor_to_segment_wxyz", HDF5_FIELD_DOUBLE,
     offsetof(struct calibration_alignment, sensor_to_segment), 4},
    HDF5_NUMBERS(calibration_alignment, uncertainty_rad, "alignment_uncertainty_rad"),
    HDF5_NUMBERS(calibration_alignment, explained, "alignment_explained"),
    HDF5_NUMBER(calibration_alignment, grade, "alignment_grade", HDF5_FIELD_LETTER),
    HDF5_TEXT(calibration_alignment, reason, "alignment_reason"),
};
LIST(LAYOUT_ALIGNMENT, ALIGNMENT);

_Static_assert(sizeof(struct quaternion) == 4 * sizeof(double), "w x y z without holes");

static const struct hdf5_field METRIC[] = {
    HDF5_TEXT(layout_metric, id, "id"),
    HDF5_TEXT(layout_metric, measure, "measure"),
    HDF5_TEXT(layout_metric, joint, "joint"),
    HDF5_TEXT(layout_metric, side, "side"),
    HDF5_NUMBER(layout_metric, stretch, "stretch", HDF5_FIELD_UNSIGNED),
    HDF5_NUMBER(layout_metric, part, "part", HDF5_FIELD_UNSIGNED),
    HDF5_NUMBER(layout_metric, repetition, "repetition", HDF5_FIELD_UNSIGNED),
    HDF5_NUMBERS(layout_metric, value, "value"),
    HDF5_TEXT(layout_metric, unit, "unit"),
    HDF5_NUMBERS(layout_metric, uncertainty_95, "uncertainty_95"),
    HDF5_NUMBERS(layout_metric, coverage, "coverage"),
    HDF5_NUMBERS(layout_metric, quality, "quality"),
    HDF5_TEXT(layout_metric, withheld, "withheld"),
    HDF5_TEXT(layout_metric, remark, "remark"),
    HDF5_NUMBER(layout_metric, definition_version, "definition_version",
                HDF5_FIELD_UNSIGNED),
};
LIST(LAYOUT_METRIC, METRIC);

static const struct hdf5_field EVENT[] = {
    HDF5_NUMBERS(layout_event, onset_s, "onset_s"),
    HDF5_NUMBERS(layout_event, duration_s, "duration_s"),
    HDF5_TEXT(layout_event, type, "type"),
    HDF5_TEXT(layout_event, label, "label"),
    HDF5_TEXT(layout_event, source, "source"),
    HDF5_TEXT(layout_event, cause, "cause"),
    HDF5_NUMBER(layout_event, stretch, "stretch", HDF5_FIELD_UNSIGNED),
    HDF5_NUMBER(layout_event, part, "part", HDF5_FIELD_UNSIGNED),
    HDF5_NUMBER(layout_event, repetition, "repetition", HDF5_FIELD_UNSIGNED),
    HDF5_TEXT(layout_event, side, "side"),
    HDF5_NUMBERS(layout_event, value, "value"),
    HDF5_NUMBERS(layout_event, value2, "value2"),
};
LIST(LAYOUT_EVENT, EVENT);

static const char XYZ[] = "x,y,z";

static const struct layout_quantity GYROSCOPE = {
    "gyroscope", 0, 3, XYZ, "angular rate in the sensor's axes, as the device sent it"};
static const struct layout_quantity ACCELEROMETER = {
    "accelerometer", 3, 3, XYZ,
    "specific force in the sensor's axes, as the device sent it"};

unsigned layout_quantities(enum stream_kind kind, unsigned channel_count,
                           struct layout_quantity quantities[LAYOUT_QUANTITY_MAX])
{
    unsigned count = 0;
    unsigned next = 0;
    if (kind == STREAM_INERTIAL && channel_count >= 6) {
        quantities[count++] = GYROSCOPE;
        quantities[count++] = ACCELEROMETER;
        next = 6;
    } else if (kind == STREAM_MAGNETIC && channel_count >= 3) {
        quantities[count++] = (struct layout_quantity){
            "magnetometer", 0, 3, XYZ,
            "magnetic field in the sensor's axes; kept, never used for metrics"};
        next = 3;
    } else if (kind == STREAM_HIGH_G && channel_count >= 3) {
        quantities[count++] = ACCELEROMETER;
        quantities[0].first = 0;
        next = 3;
    }
    if (next < channel_count || count == 0) {
        quantities[count++] = (struct layout_quantity){
            "values", next, channel_count - next, NULL, "channels as the device sent them"};
    }
    return count;
}

static const char *const STREAM_KIND_TEXTS[] = {
    [STREAM_INERTIAL] = "inertial", [STREAM_MAGNETIC] = "magnetic",
    [STREAM_HIGH_G] = "high_g",     [STREAM_ORIENTATION] = "orientation",
    [STREAM_ANALOG] = "analog",     [STREAM_TEMPERATURE] = "temperature",
    [STREAM_BATTERY] = "battery",   [STREAM_STATUS] = "status",
    [STREAM_MARKER] = "marker",
};

enum {
    STREAM_KIND_COUNT = sizeof STREAM_KIND_TEXTS / sizeof STREAM_KIND_TEXTS[0]
};

const char *layout_stream_kind_text(enum stream_kind kind)
{
    return (unsigned)kind < STREAM_KIND_COUNT ? STREAM_KIND_TEXTS[kind] : "";
}

bool layout_stream_kind_parse(const char *text, enum stream_kind *kind)
{
    for (unsigned index = 0; index < STREAM_KIND_COUNT; index++) {
        if (strcmp(text, STREAM_KIND_TEXTS[index]) == 0) {
            *kind = (enum stream_kind)index;
            return true;
        }
    }
    return false;
}

const struct layout_text LAYOUT_FRAMES[] = {
    {"earth",
     "Z up along gravity; heading free: X and Y are horizontal, their direction has no "
     "meaning between sensors or sessions (no magnetometer is used)"},
    {"sensor", "axes printed on the device, right-handed"},
    {"segment",
     "body segment, ISB style (Wu 2002): X forward (anterior), Y up (cranial), Z to "
     "the person's right; right-handed"},
    {"quaternion", "order w,x,y,z; unit length; orientation is sensor to earth: "
                   "v_earth = q * v_sensor * conj(q)"},
    {"alignment", "v_segment = q * v_sensor * conj(q) with q = sensor_to_segment_wxyz"},
    {"trunk_angles",
     "thorax (or sternum) relative to pelvis, Cardan ZXY: R = Rz(a) Rx(b) Ry(c); "
     "flexion = -a, lateral = b, rotation = -c; bending forward, bending to the "
     "right and turning to the right are positive"},
    {"hip_angles", "thigh relative to pelvis, Cardan ZXY; thigh forward positive flexion; "
                   "extension is minus the mean of both flexions"},
    {"inclinations",
     "segment against gravity: upright 0, face down +90, on the back -90; leaning "
     "or rolling to the right positive"},
    {"zero", "angles are relative to the neutral pose taken at the start of the session"},
    {"sides", "left and right are the person's"},
    {"time",
     "seconds since the first frame of the journal; device_ticks are the device's own "
     "clock, unwrapped"},
};
const size_t LAYOUT_FRAME_COUNT = sizeof LAYOUT_FRAMES / sizeof LAYOUT_FRAMES[0];
