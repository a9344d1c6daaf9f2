/* Names that every layer shares: where a sensor is worn and which posture the body is in.
 * Stable spellings: they stand in files (clinical reference 2.1). Left and right are the
 * patient's. Plain values; any thread. */
#ifndef LIMBER_BASE_BODY_H
#define LIMBER_BASE_BODY_H

#include <stdbool.h>

/* Where a sensor is worn. */
enum role {
    ROLE_THORAX_DORSAL,  /* T12/L1, on the back */
    ROLE_PELVIS_DORSAL,  /* S1/S2, on the back */
    ROLE_STERNUM,        /* breast bone, on the front */
    ROLE_PELVIS_VENTRAL, /* belt, midline, between the front hip bones */
    ROLE_THIGH_L,
    ROLE_THIGH_R,
    ROLE_SHANK_L,
    ROLE_SHANK_R,
    ROLE_FLEX_LUMBAR,
    ROLE_FLEX_KNEE_L,
    ROLE_FLEX_KNEE_R,
    ROLE_COUNT
};

/* "thorax_dorsal" ...; static; "" out of range. */
const char *role_text(enum role role);

/* "Upper low back" ...: the words a person reads; static. */
const char *role_title(enum role role);

/* False if the text names no role; role untouched then. */
bool role_parse(const char *text, enum role *role);

/* True for flex strips, false for inertial units. */
bool role_is_flex(enum role role);

/* How the long axis of the trunk lies; decides which axes gravity sees (3.1.4). */
enum posture {
    POSTURE_STANDING,
    POSTURE_SITTING,
    POSTURE_SUPINE,    /* on the back */
    POSTURE_QUADRUPED, /* hands and knees */
    POSTURE_KNEELING,
    POSTURE_COUNT
};

const char *posture_text(enum posture posture);
bool posture_parse(const char *text, enum posture *posture);

/* Side of the body, or none. Spelled "left", "right", "both". */
enum side {
    SIDE_BOTH,
    SIDE_LEFT,
    SIDE_RIGHT,
    SIDE_COUNT
};

const char *side_text(enum side side);
bool side_parse(const char *text, enum side *side);

#endif
