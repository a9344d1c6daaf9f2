#include "analysis/measure.h"

#include <stddef.h>
#include <string.h>

/* Role masks. */
enum {
    THORAX = 1u << ROLE_THORAX_DORSAL,
    STERNUM = 1u << ROLE_STERNUM,
    PELVIS = 1u << ROLE_PELVIS_DORSAL | 1u << ROLE_PELVIS_VENTRAL,
    THIGH_L = 1u << ROLE_THIGH_L,
    THIGH_R = 1u << ROLE_THIGH_R,
    STRIP = 1u << ROLE_FLEX_LUMBAR
};

static const struct measure_info INFOS[MEASURE_COUNT] = {
    [MEASURE_LUMBAR_FLEXION] = {"lumbar_flexion",
                                "lumbar",
                                "Low back, forward bend",
                                "how far your low back bent forward",
                                PLANE_SAGITTAL,
                                SIDE_BOTH,
                                {THORAX, PELVIS}},
    [MEASURE_LUMBAR_LATERAL] = {"lumbar_lateral",
                                "lumbar",
                                "Low back, side bend (right +)",
                                "how far your low back bent to the side",
                                PLANE_FRONTAL,
                                SIDE_BOTH,
                                {THORAX, PELVIS}},
    [MEASURE_LUMBAR_ROTATION] = {"lumbar_rotation",
                                 "lumbar",
                                 "Low back, turn (right +)",
                                 "how far your low back turned",
                                 PLANE_TRANSVERSE,
                                 SIDE_BOTH,
                                 {THORAX, PELVIS}},
    [MEASURE_TRUNK_FLEXION] = {"trunk_flexion",
                               "trunk",
                               "Chest on pelvis, forward bend",
                               "how far your chest bent forward over your hips",
                               PLANE_SAGITTAL,
                               SIDE_BOTH,
                               {STERNUM, PELVIS}},
    [MEASURE_TRUNK_LATERAL] = {"trunk_lateral",
                               "trunk",
                               "Chest on pelvis, side bend (right +)",
                               "how far your chest bent to the side",
                               PLANE_FRONTAL,
                               SIDE_BOTH,
                               {STERNUM, PELVIS}},
    [MEASURE_TRUNK_ROTATION] = {"trunk_rotation",
                                "trunk",
                                "Chest on pelvis, turn (right +)",
                                "how far your chest turned",
                                PLANE_TRANSVERSE,
                                SIDE_BOTH,
                                {STERNUM, PELVIS}},
    [MEASURE_HIP_FLEXION_L] = {"hip_flexion_l",
                               "hip",
                               "Left hip, bend",
                               "how far your left knee came toward your chest",
                               PLANE_SAGITTAL,
                               SIDE_LEFT,
                               {THIGH_L, PELVIS}},
    [MEASURE_HIP_FLEXION_R] = {"hip_flexion_r",
                               "hip",
                               "Right hip, bend",
                               "how far your right knee came toward your chest",
                               PLANE_SAGITTAL,
                               SIDE_RIGHT,
                               {THIGH_R, PELVIS}},
    [MEASURE_HIP_EXTENSION] = {"hip_extension",
                               "hip",
                               "Both hips, stretch (mean)",
                               "how far your hips opened",
                               PLANE_SAGITTAL,
                               SIDE_BOTH,
                               {THIGH_L, THIGH_R, PELVIS}},
    [MEASURE_BRIDGE_LINE] = {"bridge_line",
                             "hip",
                             "Shoulder-hip-knee line (straight 0)",
                             "how straight the line from shoulders to knees was",
                             PLANE_SAGITTAL,
                             SIDE_BOTH,
                             {THIGH_L, THIGH_R, STERNUM}},
    [MEASURE_THORAX_INCLINATION] = {"thorax_inclination",
                                    "thorax",
                                    "Upper back, forward lean",
                                    "how far your upper back leaned forward",
                                    PLANE_SAGITTAL,
                                    SIDE_BOTH,
                                    {THORAX}},
    [MEASURE_THORAX_SIDE] = {"thorax_side",
                             "thorax",
                             "Upper back, side lean (right +)",
                             "how far your upper back leaned to the side",
                             PLANE_FRONTAL,
                             SIDE_BOTH,
                             {THORAX}},
    [MEASURE_STERNUM_INCLINATION] = {"sternum_inclination",
                                     "sternum",
                                     "Chest, forward lean",
                                     "how far your chest leaned forward",
                                     PLANE_SAGITTAL,
                                     SIDE_BOTH,
                                     {STERNUM}},
    [MEASURE_PELVIS_INCLINATION] = {"pelvis_inclination",
                                    "pelvis",
                                    "Pelvis, forward lean",
                                    "how far your hips tipped forward",
                                    PLANE_SAGITTAL,
                                    SIDE_BOTH,
                                    {PELVIS}},
    [MEASURE_PELVIS_SIDE] = {"pelvis_side",
                             "pelvis",
                             "Pelvis, side lean (right +)",
                             "how far your hips leaned to the side",
                             PLANE_FRONTAL,
                             SIDE_BOTH,
                             {PELVIS}},
    [MEASURE_PELVIS_ROLL] = {"pelvis_roll",
                             "pelvis",
                             "Pelvis, roll when lying (right +)",
                             "how far your hips rolled to the side",
                             PLANE_TRANSVERSE,
                             SIDE_BOTH,
                             {PELVIS}},
    [MEASURE_THIGH_INCLINATION_L] = {"thigh_inclination_l",
                                     "thigh",
                                     "Left thigh, lean",
                                     "how your left thigh leaned",
                                     PLANE_SAGITTAL,
                                     SIDE_LEFT,
                                     {THIGH_L}},
    [MEASURE_THIGH_INCLINATION_R] = {"thigh_inclination_r",
                                     "thigh",
                                     "Right thigh, lean",
                                     "how your right thigh leaned",
                                     PLANE_SAGITTAL,
                                     SIDE_RIGHT,
                                     {THIGH_R}},
    [MEASURE_FLEX_LUMBAR] = {"flex_lumbar",
                             "lumbar",
                             "Low back strip, bend",
                             "how far the strip on your low back bent",
                             PLANE_SAGITTAL,
                             SIDE_BOTH,
                             {STRIP}},
};

/* By posture: which planes of a joint gravity shows (3.1.4). Kneeling counts as its
 * stretch, child's pose, which is horizontal. Sagittal, frontal, transverse. */
static const bool JOINT_SEEN[POSTURE_COUNT][3] = {
    [POSTURE_STANDING] = {true, true, false}, [POSTURE_SITTING] = {true, true, false},
    [POSTURE_SUPINE] = {true, false, true},   [POSTURE_QUADRUPED] = {true, false, true},
    [POSTURE_KNEELING] = {true, false, true},
};

const struct measure_info *measure_info_get(enum measure measure)
{
    return (unsigned)measure < MEASURE_COUNT ? &INFOS[measure] : NULL;
}

bool measure_parse(const char *id, enum measure *measure)
{
    for (unsigned i = 0; i < MEASURE_COUNT; i++) {
        if (strcmp(INFOS[i].id, id) == 0) {
            *measure = (enum measure)i;
            return true;
        }
    }
    return false;
}

bool measure_is_available(enum measure measure, unsigned worn)
{
    const struct measure_info *info = measure_info_get(measure);
    if (!info) {
        return false;
    }
    for (unsigned i = 0; i < 3; i++) {
        if (info->roles[i] && !(info->roles[i] & worn)) {
            return false;
        }
    }
    return true;
}

bool measure_is_gravity_seen(enum measure measure, enum posture posture)
{
    const struct measure_info *info = measure_info_get(measure);
    if (!info || (unsigned)posture >= POSTURE_COUNT) {
        return false;
    }
    if (measure == MEASURE_PELVIS_ROLL) {
        return JOINT_SEEN[posture][PLANE_TRANSVERSE];
    }
    /* Inclinations are angles against gravity in any posture; a strip knows no heading. */
    bool is_joint = info->roles[1] != 0;
    return !is_joint || JOINT_SEEN[posture][info->plane];
}
