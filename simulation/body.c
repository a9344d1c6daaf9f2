#include "simulation/body.h"

#include <math.h>

#include "base/units.h"

static const struct vector3 AXIS_X = {1.0, 0.0, 0.0};
static const struct vector3 AXIS_Y = {0.0, 1.0, 0.0};
static const struct vector3 AXIS_Z = {0.0, 0.0, 1.0};

/* Joint centres of an adult of 1.7 m, m, rounded; only the size of accelerations rests on
 * them. */
static const struct vector3 LUMBAR_JOINT_M = {0.0, 0.12, 0.0};
static const struct vector3 UPPER_JOINT_M = {0.0, 0.20, 0.0};
static const struct vector3 HIP_JOINT_L_M = {0.0, 0.0, -0.09};
static const struct vector3 HIP_JOINT_R_M = {0.0, 0.0, 0.09};
static const struct vector3 KNEE_JOINT_M = {0.0, -0.43, 0.0};
static const double PELVIS_HEIGHT_M = 0.95;

static struct quaternion cardan_zxy(double a_rad, double b_rad, double c_rad)
{
    struct quaternion q = quaternion_from_axis_angle(AXIS_Z, a_rad);
    if (b_rad != 0.0) {
        q = quaternion_multiply(q, quaternion_from_axis_angle(AXIS_X, b_rad));
    }
    if (c_rad != 0.0) {
        q = quaternion_multiply(q, quaternion_from_axis_angle(AXIS_Y, c_rad));
    }
    return q;
}

static struct segment_pose pelvis_pose(const double *channels, double heading_rad)
{
    /* Standing and facing east: X east, Y up, Z south. */
    static const struct quaternion UPRIGHT = {0.70710678118654752, 0.70710678118654752, 0.0,
                                              0.0};
    struct quaternion heading = quaternion_from_axis_angle(AXIS_Z, heading_rad);
    struct quaternion lean =
        cardan_zxy(-channels[CHANNEL_PELVIS_PITCH], channels[CHANNEL_PELVIS_SIDE],
                   -channels[CHANNEL_PELVIS_ROLL]);
    struct vector3 position_m = {channels[CHANNEL_FORWARD_M], 0.0,
                                 PELVIS_HEIGHT_M + channels[CHANNEL_HEIGHT_M]};
    return (struct segment_pose){
        quaternion_multiply(heading, quaternion_multiply(UPRIGHT, lean)),
        quaternion_rotate(heading, position_m),
    };
}

static struct segment_pose joined(struct segment_pose proximal, struct vector3 joint_m,
                                  struct quaternion joint)
{
    return (struct segment_pose){
        quaternion_multiply(proximal.orientation, joint),
        vector3_add(proximal.origin_m, quaternion_rotate(proximal.orientation, joint_m)),
    };
}

static struct segment_pose thorax_pose(const double *channels, double heading_rad)
{
    return joined(pelvis_pose(channels, heading_rad), LUMBAR_JOINT_M,
                  cardan_zxy(-channels[CHANNEL_LUMBAR_FLEXION],
                             channels[CHANNEL_LUMBAR_LATERAL],
                             -channels[CHANNEL_LUMBAR_ROTATION]));
}

static struct segment_pose sternum_pose(const double *channels, double heading_rad)
{
    return joined(thorax_pose(channels, heading_rad), UPPER_JOINT_M,
                  cardan_zxy(-channels[CHANNEL_UPPER_FLEXION],
                             channels[CHANNEL_UPPER_LATERAL],
                             -channels[CHANNEL_UPPER_ROTATION]));
}

static struct segment_pose thigh_pose(const double *channels, double heading_rad, int right)
{
    double adduction =
        right ? channels[CHANNEL_HIP_ADDUCTION_R] : -channels[CHANNEL_HIP_ADDUCTION_L];
    double flexion =
        right ? channels[CHANNEL_HIP_FLEXION_R] : channels[CHANNEL_HIP_FLEXION_L];
    return joined(pelvis_pose(channels, heading_rad), right ? HIP_JOINT_R_M : HIP_JOINT_L_M,
                  cardan_zxy(flexion, adduction, 0.0));
}

static struct segment_pose shank_pose(const double *channels, double heading_rad, int right)
{
    double flexion =
        right ? channels[CHANNEL_KNEE_FLEXION_R] : channels[CHANNEL_KNEE_FLEXION_L];
    return joined(thigh_pose(channels, heading_rad, right), KNEE_JOINT_M,
                  cardan_zxy(-flexion, 0.0, 0.0));
}

struct segment_pose body_segment(const double channels[CHANNEL_COUNT], enum segment segment,
                                 double heading_rad)
{
    switch (segment) {
    case SEGMENT_THORAX:
        return thorax_pose(channels, heading_rad);
    case SEGMENT_STERNUM:
        return sternum_pose(channels, heading_rad);
    case SEGMENT_THIGH_L:
    case SEGMENT_THIGH_R:
        return thigh_pose(channels, heading_rad, segment == SEGMENT_THIGH_R);
    case SEGMENT_SHANK_L:
    case SEGMENT_SHANK_R:
        return shank_pose(channels, heading_rad, segment == SEGMENT_SHANK_R);
    case SEGMENT_PELVIS:
    case SEGMENT_COUNT:
        break;
    }
    return pelvis_pose(channels, heading_rad);
}

void body_mirror(const double channels[CHANNEL_COUNT], double mirrored[CHANNEL_COUNT])
{
    /* Where each coordinate comes from, and its sign. */
    static const struct {
        enum channel from;
        double sign;
    } MIRROR[CHANNEL_COUNT] = {
        [CHANNEL_PELVIS_PITCH] = {CHANNEL_PELVIS_PITCH, 1.0},
        [CHANNEL_PELVIS_SIDE] = {CHANNEL_PELVIS_SIDE, -1.0},
        [CHANNEL_PELVIS_ROLL] = {CHANNEL_PELVIS_ROLL, -1.0},
        [CHANNEL_LUMBAR_FLEXION] = {CHANNEL_LUMBAR_FLEXION, 1.0},
        [CHANNEL_LUMBAR_LATERAL] = {CHANNEL_LUMBAR_LATERAL, -1.0},
        [CHANNEL_LUMBAR_ROTATION] = {CHANNEL_LUMBAR_ROTATION, -1.0},
        [CHANNEL_UPPER_FLEXION] = {CHANNEL_UPPER_FLEXION, 1.0},
        [CHANNEL_UPPER_LATERAL] = {CHANNEL_UPPER_LATERAL, -1.0},
        [CHANNEL_UPPER_ROTATION] = {CHANNEL_UPPER_ROTATION, -1.0},
        [CHANNEL_HIP_FLEXION_L] = {CHANNEL_HIP_FLEXION_R, 1.0},
        [CHANNEL_HIP_FLEXION_R] = {CHANNEL_HIP_FLEXION_L, 1.0},
        [CHANNEL_HIP_ADDUCTION_L] = {CHANNEL_HIP_ADDUCTION_R, 1.0},
        [CHANNEL_HIP_ADDUCTION_R] = {CHANNEL_HIP_ADDUCTION_L, 1.0},
        [CHANNEL_KNEE_FLEXION_L] = {CHANNEL_KNEE_FLEXION_R, 1.0},
        [CHANNEL_KNEE_FLEXION_R] = {CHANNEL_KNEE_FLEXION_L, 1.0},
        [CHANNEL_FORWARD_M] = {CHANNEL_FORWARD_M, 1.0},
        [CHANNEL_HEIGHT_M] = {CHANNEL_HEIGHT_M, 1.0},
        [CHANNEL_SWAY] = {CHANNEL_SWAY, 1.0},
    };

    for (unsigned i = 0; i < CHANNEL_COUNT; i++) {
        mirrored[i] = MIRROR[i].sign * channels[MIRROR[i].from];
    }
}

struct vector3 body_cardan(struct quaternion q)
{
    double r[3][3];
    quaternion_to_matrix(q, r);
    return (struct vector3){atan2(-r[0][1], r[1][1]), asin(fmax(-1.0, fmin(1.0, r[2][1]))),
                            atan2(-r[2][0], r[2][2])};
}

static struct vector3 up_in_segment(struct quaternion orientation)
{
    return quaternion_rotate(quaternion_conjugate(orientation), AXIS_Z);
}

double body_inclination(struct quaternion orientation)
{
    struct vector3 up = up_in_segment(orientation);
    return atan2(-up.x, up.y);
}

double body_side_inclination(struct quaternion orientation)
{
    struct vector3 up = up_in_segment(orientation);
    return atan2(-up.z, hypot(up.x, up.y));
}

double body_roll(struct quaternion orientation)
{
    struct vector3 up = up_in_segment(orientation);
    return atan2(-up.z, up.x);
}
