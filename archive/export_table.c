#include "archive/export_table.h"

#define COLUMN_SESSION                                                                     \
    {"session_id", "1",                                                                    \
     "key of a session in all tables and in names of time series files"},                  \
    {                                                                                      \
        "subject", "1", "pseudonym of the person"                                          \
    }
#define COLUMN_PLACE                                                                       \
    {"stretch", "1", "index of the stretch in the session, from 0"},                       \
        {"protocol", "1", "id of the stretch"},                                            \
        {"part", "1", "id of the part of the stretch"},                                    \
        {"side", "1", "left or right of the person, or both"},                             \
    {                                                                                      \
        "repetition", "1", "running number from 1; 0 = over all repetitions of the part"   \
    }

static const struct export_table_info TABLES[EXPORT_TABLE_COUNT] = {
    [EXPORT_TABLE_SESSIONS] =
        {
            "sessions.csv",
            "one row per session",
            {
                COLUMN_SESSION,
                {"uuid", "1", "identity of the session file"},
                {"parent_session", "1", "session_id that this one computes again"},
                {"start_time_utc", "1", "ISO 8601"},
                {"day", "d", "calendar days since the person's first session"},
                {"time_of_day", "1", "night, morning, afternoon or evening at the clinic"},
                {"duration_s", "s", "length of the recording"},
                {"operator", "1", "code of who recorded it"},
                {"grade", "1", "data quality A (best) to F"},
                {"grade_reason", "1", "why not better"},
                {"simulated", "1", "1 = some sensor was simulated"},
                {"recovered", "1", "1 = the recording was cut off and finished later"},
                {"screening_outcome", "1", "result of the questions before the session"},
                {"hypermobile", "1", "1 = the hypermobility rules were in force"},
                {"pain_before", "1", "0 to 10"},
                {"pain_highest", "1", "0 to 10"},
                {"pain_after", "1", "0 to 10"},
                {"software", "1", "program that computed the results"},
                {"software_commit", "1", "its source version"},
                {"journal_sha256", "1", "SHA-256 of the recorded bytes"},
            },
        },
    [EXPORT_TABLE_PROTOCOLS] =
        {
            "protocols.csv",
            "one row per stretch of a session",
            {
                COLUMN_SESSION,
                {"stretch", "1", "index of the stretch in the session, from 0"},
                {"protocol", "1", "id of the stretch"},
                {"title", "1", "its name in words"},
                {"version", "1", "version of the protocol"},
                {"placement", "1", "where the sensors were worn: DORSAL or VENTRAL"},
                {"posture", "1", "posture of the body"},
                {"start_s", "s", "session time of its start"},
                {"end_s", "s", "session time of its end"},
                {"completed", "1", "1 = done to the end"},
                {"sha256", "1", "SHA-256 of the exact protocol text"},
                {"text_file", "1", "that text, from this folder"},
            },
        },
    [EXPORT_TABLE_DEVICES] =
        {
            "devices.csv",
            "one row per sensor of a session",
            {
                COLUMN_SESSION,
                {"role", "1", "where it was worn"},
                {"driver", "1", "data format"},
                {"model", "1", "as the device says"},
                {"serial_number", "1", "as the device says"},
                {"port", "1", "how it was connected"},
                {"rate_hz", "Hz", "nominal sampling rate"},
                {"rate_measured_hz", "Hz", "sampling rate over the session"},
                {"clock_skew", "1", "error of the device's clock against the computer's"},
                {"sample_count", "1", "samples received"},
                {"lost_count", "1", "samples lost"},
                {"bad_count", "1", "damaged frames"},
                {"gyro_bias_x_rad_s", "rad/s", "gyroscope bias that was taken off"},
                {"gyro_bias_y_rad_s", "rad/s", "the same, y"},
                {"gyro_bias_z_rad_s", "rad/s", "the same, z"},
                {"alignment_grade", "1", "sensor on body segment, A (best) to F"},
                {"alignment_reason", "1", "why not better"},
            },
        },
    [EXPORT_TABLE_METRICS] =
        {
            "metrics.csv",
            "all results, long form: one row per value",
            {
                COLUMN_SESSION,
                COLUMN_PLACE,
                {"metric", "1", "id of the metric; defined below"},
                {"measure", "1", "angle it is about; defined below"},
                {"joint", "1", "joint or segment of that angle"},
                {"value", "see unit", "NA where withheld"},
                {"unit", "1", "UCUM"},
                {"uncertainty_95", "see unit", "half width of the 95 % interval"},
                {"coverage", "1", "share of samples with data, 0 to 1"},
                {"quality", "1", "score of the repetition, 0 to 100"},
                {"withheld", "1", "why there is no value"},
                {"remark", "1", "why the quality is below 100"},
                {"definition_version", "1", "version of the metric's definition"},
            },
        },
    [EXPORT_TABLE_EVENTS] =
        {
            "events.csv",
            "what happened, in order",
            {
                COLUMN_SESSION,
                {"onset_s", "s", "session time of the start"},
                {"duration_s", "s", "0 = an instant"},
                {"type", "1",
                 "phase, hold, repetition, peak, zone, pain, screening, guard, "
                 "sensor, alignment, operator or note"},
                {"label", "1", "what exactly"},
                {"source", "1", "sensor role, runner, operator, patient or guard"},
                {"cause", "1", "why"},
                COLUMN_PLACE,
                {"value", "by type",
                 "hold: credited s; repetition: range deg; peak: deg; zone: "
                 "low deg; pain: 0 to 10; guard: deg/s"},
                {"value2", "by type", "zone: high deg; guard: limit deg/s"},
            },
        },
    [EXPORT_TABLE_HOLDS] =
        {
            "holds.csv",
            "one row per hold",
            {
                COLUMN_SESSION,
                COLUMN_PLACE,
                {"measure", "1", "angle that was held"},
                {"onset_s", "s", "session time of its start"},
                {"duration_s", "s", "from start to end"},
                {"credited_s", "s", "without gaps in the data"},
                {"end_cause", "1", "why it ended"},
                {"zone_low_deg", "deg", "target zone"},
                {"zone_high_deg", "deg", "target zone"},
                {"peak_angle_deg", "deg", "metric peak_angle"},
                {"peak_angle_uncertainty_deg", "deg", "its uncertainty_95"},
                {"range_of_motion_deg", "deg", "metric range_of_motion"},
                {"mean_angle_deg", "deg", "metric hold_mean_angle"},
                {"wobble_deg", "deg", "metric hold_wobble"},
                {"stillness_deg_s", "deg/s", "metric hold_stillness"},
                {"slope_deg_min", "deg/min", "metric hold_slope"},
                {"coverage", "1", "share of samples with data, 0 to 1"},
                {"quality", "1", "score of the repetition, 0 to 100"},
            },
        },
    [EXPORT_TABLE_REPETITIONS] =
        {
            "repetitions.csv",
            "one row per counted cycle of a repeated movement",
            {
                COLUMN_SESSION,
                COLUMN_PLACE,
                {"measure", "1", "angle that moved"},
                {"onset_s", "s", "session time of its start"},
                {"duration_s", "s", "from valley to valley"},
                {"range_deg", "deg", "peak to valley as counted live"},
                {"peak_angle_deg", "deg", "metric peak_angle"},
                {"peak_angle_uncertainty_deg", "deg", "its uncertainty_95"},
                {"range_of_motion_deg", "deg", "metric range_of_motion"},
                {"move_in_time_s", "s", "metric move_in_time"},
                {"move_out_time_s", "s", "metric move_out_time"},
                {"move_peak_rate_deg_s", "deg/s", "metric move_peak_rate"},
                {"smoothness_sparc", "1", "metric smoothness_sparc"},
                {"coverage", "1", "share of samples with data, 0 to 1"},
                {"quality", "1", "score of the repetition, 0 to 100"},
            },
        },
};

const struct export_table_info *export_table_info_get(enum export_table table)
{
    return &TABLES[table];
}
