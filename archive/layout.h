/* What stands where in a session file: the tables that writing and reading share. The
 * layout is described for people in docs/session-file.md. Private to archive/. One thread.
 */
#ifndef LIMBER_ARCHIVE_LAYOUT_H
#define LIMBER_ARCHIVE_LAYOUT_H

#include "archive/hdf5_read.h"
#include "archive/hdf5_write.h"
#include "protocols/session.h"

#define LAYOUT_FORMAT "limber-session"

/* A list of fields with its length. */
struct layout_fields {
    const struct hdf5_field *fields;
    size_t count;
};

extern const struct layout_fields LAYOUT_ROOT;       /* of struct session */
extern const struct layout_fields LAYOUT_PROVENANCE; /* of struct session */
extern const struct layout_fields LAYOUT_SUBJECT;    /* of struct session */
extern const struct layout_fields LAYOUT_SCREENING;  /* of struct screening */
extern const struct layout_fields LAYOUT_STRETCH;    /* of struct session_stretch */
extern const struct layout_fields LAYOUT_DEVICE;     /* of struct session_sensor */
extern const struct layout_fields LAYOUT_IMU;        /* of struct calibration_imu */
extern const struct layout_fields LAYOUT_FLEX;       /* of struct calibration_flex */
extern const struct layout_fields LAYOUT_ALIGNMENT;  /* of struct calibration_alignment */

/* One row of /derived/metrics. */
struct layout_metric {
    char id[32];
    char measure[32];
    char joint[16];
    char side[8];
    unsigned stretch;
    unsigned part;
    unsigned repetition;
    double value;
    char unit[16];
    double uncertainty_95;
    double coverage;
    double quality;
    char withheld[METRIC_REASON_SIZE];
    char remark[METRIC_REASON_SIZE];
    unsigned definition_version;
};

extern const struct layout_fields LAYOUT_METRIC;

/* One row of /events. */
struct layout_event {
    double onset_s;
    double duration_s;
    char type[16];
    char label[32];
    char source[24];
    char cause[64];
    unsigned stretch;
    unsigned part;
    unsigned repetition;
    char side[8];
    double value;
    double value2;
};

extern const struct layout_fields LAYOUT_EVENT;

/* Consecutive channels of a stream that make one dataset: "gyroscope" of an inertial unit.
 */
struct layout_quantity {
    const char *name;
    unsigned first;
    unsigned count;
    const char *components; /* "x,y,z", NULL = the channel names */
    const char *description;
};

enum {
    LAYOUT_QUANTITY_MAX = 3
};

/* Split the channels of a stream. @param quantities  Out. @return How many, 1 or more. */
unsigned layout_quantities(enum stream_kind kind, unsigned channel_count,
                           struct layout_quantity quantities[LAYOUT_QUANTITY_MAX]);

const char *layout_stream_kind_text(enum stream_kind kind);
bool layout_stream_kind_parse(const char *text, enum stream_kind *kind);

/* Definitions kept as text: attribute name and words. */
struct layout_text {
    const char *name;
    const char *text;
};

extern const struct layout_text LAYOUT_FRAMES[];
extern const size_t LAYOUT_FRAME_COUNT;

/* "0_standing_forward_bend": the group of a stretch; n is what events and metrics call
 * stretch. */
enum {
    LAYOUT_NAME_SIZE = PROTOCOL_ID_SIZE + 8
};

/* Write everything below the root. */
void layout_write(struct hdf5_writer *writer, const struct session *session);

/* How much to read. */
struct layout_read_settings {
    bool with_samples;
    bool with_journal;
    bool check_only; /* read samples and drop them again: for verifying */
};

/* Read everything into an empty session. */
void layout_read(struct hdf5_reader *reader, const struct layout_read_settings *settings,
                 struct session *session);

#endif
