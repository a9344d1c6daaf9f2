/* What the person is asked to do: one stretch, as read from YAML. Plain values after
 * reading; any thread. Degrees only in names that end in _deg: this is what clinicians
 * write. */
#ifndef LIMBER_PROTOCOLS_PROTOCOL_H
#define LIMBER_PROTOCOLS_PROTOCOL_H

#include <stdbool.h>
#include <stddef.h>

#include "analysis/measure.h"
#include "base/status.h"

enum {
    PROTOCOL_PART_MAX = 4,
    PROTOCOL_SECONDARY_MAX = 6,
    PROTOCOL_ID_SIZE = 40,
    PROTOCOL_TEXT_SIZE = 200
};

enum protocol_part_kind {
    PROTOCOL_HOLD, /* move in, hold, move out, rest */
    PROTOCOL_CYCLE /* repeated movement at a tempo */
};

enum protocol_zone_kind {
    PROTOCOL_ZONE_PERCENT,    /* low_percent .. high_percent of the personal peak P */
    PROTOCOL_ZONE_BELOW_PEAK, /* P - low_deg .. P + high_deg: small ranges (2.7) */
    PROTOCOL_ZONE_ABSOLUTE    /* low_deg .. high_deg */
};

struct protocol_zone {
    enum protocol_zone_kind kind;
    double low;            /* percent or deg as the kind says; default 75 % */
    double high;           /* default 100 %, plus over_deg before it counts as over */
    double over_deg;       /* default 5: max(3 deg, half MDC95) */
    double hysteresis_deg; /* default 3; 1.5 for small ranges */
    double approach;       /* default 60 % */
};

struct protocol_cues {
    char setup[PROTOCOL_TEXT_SIZE]; /* start posture of this side; "" = that of the stretch
                                     */
    char move_in[PROTOCOL_TEXT_SIZE];
    char hold[PROTOCOL_TEXT_SIZE]; /* cycles: during the movement */
    char move_out[PROTOCOL_TEXT_SIZE];
    char rest[PROTOCOL_TEXT_SIZE];
};

/* What takes the place of a part's own values when its measures cannot be had from what is
 * worn. */
struct protocol_fallback {
    bool is_given;
    enum measure measure[SIDE_COUNT];
    double sign[SIDE_COUNT];
    enum measure secondary[PROTOCOL_SECONDARY_MAX];
    unsigned secondary_count;
    double expected_min_deg; /* default of these, and of the zone: those of the part */
    double expected_max_deg;
    double onset_deg;
    double return_deg;
    struct protocol_zone zone;
};

struct protocol_part {
    char id[PROTOCOL_ID_SIZE];
    char title[PROTOCOL_TEXT_SIZE];
    enum protocol_part_kind kind;
    bool has_sides;                   /* false: once, SIDE_BOTH; true: left then right */
    enum measure measure[SIDE_COUNT]; /* primary, by side */
    double sign[SIDE_COUNT];          /* +1 or -1: further = larger after multiplying */
    enum measure secondary[PROTOCOL_SECONDARY_MAX];
    unsigned secondary_count;
    unsigned practice_reps; /* default 3 */
    unsigned reps;          /* holds per side, or cycles */
    unsigned reps_min;      /* accepted dose */
    unsigned reps_max;
    double hold_s; /* target; holds only */
    double hold_min_s;
    double hold_max_s;
    double cycle_s; /* tempo target; cycles only */
    double cycle_min_s;
    double cycle_max_s;
    double move_s;           /* cued time of a move in or out, default 4 */
    double rest_s;           /* between repetitions, default 10 */
    double rest_side_s;      /* between sides, default 20 */
    double expected_min_deg; /* plausible peak or range (2.8) */
    double expected_max_deg;
    double onset_deg;  /* leaving the start posture: default 5, less for small ranges */
    double return_deg; /* back in the start posture: default 8 */
    struct protocol_zone zone;
    struct protocol_cues cues[SIDE_COUNT]; /* by side; SIDE_BOTH without sides */
    struct protocol_fallback fallback;
};

struct protocol_guard {
    double sagittal_caution_deg_s; /* default 30 */
    double sagittal_stop_deg_s;    /* default 60 */
    double axial_caution_deg_s;    /* axial and lateral, default 20 */
    double axial_stop_deg_s;       /* default 40 */
    double segment_caution_deg_s;  /* default 60 */
    double segment_stop_deg_s;     /* default 120 */
    double caution_time_s;         /* default 0.1 */
    double stop_time_s;            /* default 0.05 */
};

struct protocol {
    char id[PROTOCOL_ID_SIZE];
    char title[PROTOCOL_TEXT_SIZE];
    char version[16];
    char placement[16]; /* "DORSAL", "VENTRAL" */
    enum posture posture;
    unsigned roles_required; /* bits 1u << role */
    unsigned roles_optional;
    double countdown_s;              /* default 3 */
    bool drop_if_pregnant_or_dizzy;  /* screening R13 drops it by default */
    char setup[PROTOCOL_TEXT_SIZE];  /* cue: how to take the start posture */
    char finish[PROTOCOL_TEXT_SIZE]; /* cue: how to leave it safely */
    char can_tell[2 * PROTOCOL_TEXT_SIZE];
    char cannot_tell[2 * PROTOCOL_TEXT_SIZE];
    char watch_for[2 * PROTOCOL_TEXT_SIZE];
    char source[2 * PROTOCOL_TEXT_SIZE];
    char override_reason[PROTOCOL_TEXT_SIZE]; /* allows a dose outside the seed's range */
    struct protocol_guard guard;
    struct protocol_part parts[PROTOCOL_PART_MAX];
    unsigned part_count;
    char *text; /* the YAML as read, owned; NULL when built in code */
    size_t text_size;
};

/* Read and check one protocol.
 * @param path  For messages: every error is one line "FILE:LINE: what; what to do".
 * @param text  YAML; copied into protocol->text.
 * @return STATUS_OK; STATUS_BAD_INPUT after logging; STATUS_NO_MEMORY. */
enum status protocol_parse(const char *path, const char *text, size_t size,
                           struct protocol *protocol);

/* Read a file; STATUS_NOT_FOUND or STATUS_IO after one logged line, else as protocol_parse.
 */
enum status protocol_read(const char *path, struct protocol *protocol);

/* Fit the parts to what is worn: a part whose measures cannot be had takes its fallback;
 * one that can because of an optional sensor requires that sensor from now on. Call once
 * after reading, before anything is measured; text stays as read.
 * @param worn  Bits 1u << role. */
void protocol_adapt(struct protocol *protocol, unsigned worn);

/* One of the seven built-in protocols by id, or a file when the name holds '/' or ends in
 * .yaml. */
enum status protocol_find(const char *name, struct protocol *protocol);

/* Ids of the built-in protocols, in the order of clinical reference 2.8; count is 7.
 * @param count  Out. */
const char *const *protocol_library(size_t *count);

/* The seed dose of a built-in stretch: accepted ranges that a file may not leave without
 * override_reason. 0 = the seed says nothing. */
struct protocol_seed {
    const char *id;
    const char *sentence; /* the seed's words for the dose */
    double hold_min_s;
    double hold_max_s;
    unsigned reps_min;
    unsigned reps_max;
};

const struct protocol_seed *protocol_seed_find(const char *id);

/* Frees protocol->text. */
void protocol_release(struct protocol *protocol);

#endif
