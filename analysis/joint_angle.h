/* Angles out of segment orientations (clinical reference 3.1). Pure functions; any thread.
 */
#ifndef LIMBER_ANALYSIS_JOINT_ANGLE_H
#define LIMBER_ANALYSIS_JOINT_ANGLE_H

#include "base/quaternion.h"

struct joint_angle {
    double flexion_rad;        /* forward positive */
    double lateral_right_rad;  /* right positive */
    double rotation_right_rad; /* right positive */
};

/* ZXY Cardan angles of the trunk: distal (thorax) relative to proximal (pelvis).
 * Test vectors: clinical reference 3.10. Singular only at 90 deg of side bend. */
struct joint_angle joint_angle_trunk(struct quaternion proximal, struct quaternion distal);

/* The same for a thigh on the pelvis: thigh forward positive flexion; lateral and rotation
 * as for the trunk (not mirrored). */
struct joint_angle joint_angle_hip(struct quaternion proximal, struct quaternion distal);

/* Segment against gravity: orientation is segment to earth, Z up (3.1.3). */
double joint_angle_inclination(struct quaternion segment); /* forward positive, -pi .. pi */
double joint_angle_side_inclination(struct quaternion segment); /* right positive */
double joint_angle_roll(struct quaternion segment); /* lying; onto right side positive */

/* Rotation about the vertical that brings the segment's Z axis (to the right) to azimuth 0:
 * in every symmetric posture that axis is horizontal, so two segments so turned face the
 * same way. Identity where the axis stands within 5 deg of vertical. */
struct quaternion joint_angle_heading_fix(struct quaternion segment);

#endif
