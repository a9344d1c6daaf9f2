/* Every angle that a protocol can name: what it is made of, which way is positive, whether
 * gravity sees it. One table, read by protocols, metrics, archive and reports. Any thread.
 */
#ifndef LIMBER_ANALYSIS_MEASURE_H
#define LIMBER_ANALYSIS_MEASURE_H

#include <stdbool.h>

#include "base/body.h"

enum measure {
    /* Joint angles, ZXY Cardan of distal relative to proximal (clinical reference 3.1.2).
     */
    MEASURE_LUMBAR_FLEXION,  /* thorax_dorsal on pelvis; bending forward positive */
    MEASURE_LUMBAR_LATERAL,  /* right side bend positive */
    MEASURE_LUMBAR_ROTATION, /* chest turning right positive */
    MEASURE_TRUNK_FLEXION,   /* the same three, sternum on pelvis */
    MEASURE_TRUNK_LATERAL,
    MEASURE_TRUNK_ROTATION,
    MEASURE_HIP_FLEXION_L, /* thigh on pelvis, thigh forward positive */
    MEASURE_HIP_FLEXION_R,
    MEASURE_HIP_EXTENSION, /* minus the mean of both hip flexions */
    MEASURE_BRIDGE_LINE,   /* minus the mean flexion of both thighs on the trunk (sternum):
                            * 0 = straight line, negative = hips low, positive = over-arched
                            */
    /* Segment angles against gravity (3.1.3). */
    MEASURE_THORAX_INCLINATION, /* upright 0, face-down horizontal +90, supine -90 */
    MEASURE_THORAX_SIDE,        /* leaning right positive */
    MEASURE_STERNUM_INCLINATION,
    MEASURE_PELVIS_INCLINATION,
    MEASURE_PELVIS_SIDE,
    MEASURE_PELVIS_ROLL, /* lying: onto the right side positive, 0 = on the back; NaN
                            upright */
    MEASURE_THIGH_INCLINATION_L,
    MEASURE_THIGH_INCLINATION_R,
    /* Flex strip. */
    MEASURE_FLEX_LUMBAR, /* bending forward positive */
    MEASURE_COUNT
};

enum plane {
    PLANE_SAGITTAL,
    PLANE_FRONTAL,
    PLANE_TRANSVERSE
};

struct measure_info {
    const char *id;    /* "lumbar_flexion": stands in protocol files and data sets */
    const char *joint; /* "lumbar", "hip", "trunk", "pelvis": column joint of results */
    const char *title; /* "Low back, forward bend" */
    const char *plain; /* for patients: "how far your low back bent forward" */
    enum plane plane;
    enum side side; /* SIDE_BOTH for the midline */
    unsigned
        roles[3]; /* bit masks of 1u << role: one role of each non-zero mask is needed */
};

const struct measure_info *measure_info_get(enum measure measure);

/* False if the id is unknown; measure untouched then. */
bool measure_parse(const char *id, enum measure *measure);

/* True when every mask of roles has a worn role.
 * @param worn  Bit mask of 1u << role. */
bool measure_is_available(enum measure measure, unsigned worn);

/* True when gravity shows this angle in this posture, false when it rests on the gyroscopes
 * alone and can drift (3.1.4). */
bool measure_is_gravity_seen(enum measure measure, enum posture posture);

#endif
