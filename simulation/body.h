/* The simulated skeleton: pelvis, thorax, sternum, thighs and shanks as rigid segments,
 * their pose computed from a few coordinates. Segment axes X forward, Y up (cranial), Z
 * right; earth axes X east, Y north, Z up (clinical reference 3.1). Pure; any thread. */
#ifndef LIMBER_SIMULATION_BODY_H
#define LIMBER_SIMULATION_BODY_H

#include "base/quaternion.h"

/* Coordinates of the body; angles in rad, positions in m. All zero = standing upright.
 * Joints are ZXY Cardan angles with the signs of 3.1.2. */
enum channel {
    CHANNEL_PELVIS_PITCH,    /* upright 0, face-down +90 deg, on the back -90 deg */
    CHANNEL_PELVIS_SIDE,     /* leaning right positive */
    CHANNEL_PELVIS_ROLL,     /* about the long axis, turning right positive */
    CHANNEL_LUMBAR_FLEXION,  /* thorax on pelvis, forward positive */
    CHANNEL_LUMBAR_LATERAL,  /* right positive */
    CHANNEL_LUMBAR_ROTATION, /* right positive */
    CHANNEL_UPPER_FLEXION,   /* sternum on thorax, the same signs */
    CHANNEL_UPPER_LATERAL,
    CHANNEL_UPPER_ROTATION,
    CHANNEL_HIP_FLEXION_L, /* thigh forward positive */
    CHANNEL_HIP_FLEXION_R,
    CHANNEL_HIP_ADDUCTION_L,
    CHANNEL_HIP_ADDUCTION_R,
    CHANNEL_KNEE_FLEXION_L,
    CHANNEL_KNEE_FLEXION_R,
    CHANNEL_FORWARD_M, /* pelvis forward in the room */
    CHANNEL_HEIGHT_M,  /* pelvis above its height in standing */
    CHANNEL_SWAY, /* share of the person's sway, breathing and tremor that shows, 0 .. 1 */
    CHANNEL_COUNT
};

enum segment {
    SEGMENT_PELVIS,
    SEGMENT_THORAX,
    SEGMENT_STERNUM,
    SEGMENT_THIGH_L,
    SEGMENT_THIGH_R,
    SEGMENT_SHANK_L,
    SEGMENT_SHANK_R,
    SEGMENT_COUNT
};

struct segment_pose {
    struct quaternion orientation; /* segment to earth */
    struct vector3 origin_m;       /* joint towards the pelvis, in earth axes */
};

/* Pose of a segment.
 * @param heading_rad  Which way the person faces, from east towards north. */
struct segment_pose body_segment(const double channels[CHANNEL_COUNT], enum segment segment,
                                 double heading_rad);

/* Mirror image: left and right exchanged. */
void body_mirror(const double channels[CHANNEL_COUNT], double mirrored[CHANNEL_COUNT]);

/* Cardan angles of the rotation q = Rz(a) Rx(b) Ry(c), rad (3.1.2). */
struct vector3 body_cardan(struct quaternion q);

/* Sagittal inclination of a segment, forward positive, rad (3.1.3). */
double body_inclination(struct quaternion orientation);

/* Frontal inclination, right positive, rad (3.1.3). */
double body_side_inclination(struct quaternion orientation);

/* Turn about the long axis of somebody who lies: 0 on the back, right side positive, rad.
 */
double body_roll(struct quaternion orientation);

#endif
