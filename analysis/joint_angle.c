#include "analysis/joint_angle.h"

#include <math.h>

#include "base/units.h"

/* Up in segment axes, for a segment-to-earth orientation with Z up. */
static struct vector3 up_in_segment(struct quaternion segment)
{
    return quaternion_rotate(quaternion_conjugate(segment),
                             (struct vector3){0.0, 0.0, 1.0});
}

/* Angles a, b, c of R = Rz(a) Rx(b) Ry(c), distal seen from proximal. */
static void cardan_zxy(struct quaternion proximal, struct quaternion distal,
                       double angle_rad[3])
{
    double matrix[3][3];
    quaternion_to_matrix(quaternion_multiply(quaternion_conjugate(proximal), distal),
                         matrix);
    angle_rad[0] = atan2(-matrix[0][1], matrix[1][1]);
    angle_rad[1] = asin(fmax(-1.0, fmin(1.0, matrix[2][1])));
    angle_rad[2] = atan2(-matrix[2][0], matrix[2][2]);
}

struct joint_angle joint_angle_trunk(struct quaternion proximal, struct quaternion distal)
{
    double angle_rad[3];
    cardan_zxy(proximal, distal, angle_rad);
    return (struct joint_angle){.flexion_rad = -angle_rad[0],
                                .lateral_right_rad = angle_rad[1],
                                .rotation_right_rad = -angle_rad[2]};
}

struct joint_angle joint_angle_hip(struct quaternion proximal, struct quaternion distal)
{
    double angle_rad[3];
    cardan_zxy(proximal, distal, angle_rad);
    return (struct joint_angle){.flexion_rad = angle_rad[0],
                                .lateral_right_rad = angle_rad[1],
                                .rotation_right_rad = -angle_rad[2]};
}

double joint_angle_inclination(struct quaternion segment)
{
    struct vector3 up = up_in_segment(segment);
    return atan2(-up.x, up.y);
}

double joint_angle_side_inclination(struct quaternion segment)
{
    struct vector3 up = up_in_segment(segment);
    return atan2(-up.z, hypot(up.x, up.y));
}

double joint_angle_roll(struct quaternion segment)
{
    struct vector3 up = up_in_segment(segment);
    return atan2(-up.z, up.x);
}

struct quaternion joint_angle_heading_fix(struct quaternion segment)
{
    struct vector3 right = quaternion_rotate(segment, (struct vector3){0.0, 0.0, 1.0});
    if (!(hypot(right.x, right.y) > sin(5.0 * RAD_PER_DEG))) {
        return QUATERNION_IDENTITY;
    }
    return quaternion_from_axis_angle((struct vector3){0.0, 0.0, 1.0},
                                      -atan2(right.y, right.x));
}
