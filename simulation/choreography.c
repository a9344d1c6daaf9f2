#include "simulation/choreography.h"

#include <stddef.h>
#include <string.h>

#include "base/units.h"

static const struct posture_table STANDING = {{0.0}};

static const struct posture_table SUPINE = {{
    [CHANNEL_PELVIS_PITCH] = -90.0,
    [CHANNEL_HIP_FLEXION_L] = 50.0,
    [CHANNEL_HIP_FLEXION_R] = 50.0,
    [CHANNEL_KNEE_FLEXION_L] = 100.0,
    [CHANNEL_KNEE_FLEXION_R] = 100.0,
    [CHANNEL_HEIGHT_M] = -0.83,
}};

static const struct posture_table QUADRUPED = {{
    [CHANNEL_PELVIS_PITCH] = 90.0,
    [CHANNEL_HIP_FLEXION_L] = 90.0,
    [CHANNEL_HIP_FLEXION_R] = 90.0,
    [CHANNEL_KNEE_FLEXION_L] = 90.0,
    [CHANNEL_KNEE_FLEXION_R] = 90.0,
    [CHANNEL_HEIGHT_M] = -0.42,
}};

static const struct posture_table KNEELING = {{
    [CHANNEL_KNEE_FLEXION_L] = 90.0,
    [CHANNEL_KNEE_FLEXION_R] = 90.0,
    [CHANNEL_HEIGHT_M] = -0.43,
}};

/* Alignment moves. */
static const struct posture_table ALIGN_TRUNK = {{
    [CHANNEL_PELVIS_PITCH] = 25.0,
    [CHANNEL_LUMBAR_FLEXION] = 20.0,
    [CHANNEL_UPPER_FLEXION] = 5.0,
    [CHANNEL_HIP_FLEXION_L] = 25.0,
    [CHANNEL_HIP_FLEXION_R] = 25.0,
    [CHANNEL_FORWARD_M] = -0.05,
}};

/* A table reads as the right side. */
static const struct posture_table ALIGN_KNEE_LIFT = {{
    [CHANNEL_HIP_FLEXION_R] = 50.0,
    [CHANNEL_KNEE_FLEXION_R] = 60.0,
}};

static const struct posture_table KNEE_TO_CHEST = {{
    [CHANNEL_PELVIS_PITCH] = -96.0,
    [CHANNEL_LUMBAR_FLEXION] = 6.0,
    [CHANNEL_HIP_FLEXION_L] = 56.0,
    [CHANNEL_HIP_FLEXION_R] = 115.0,
    [CHANNEL_HIP_ADDUCTION_R] = 3.0,
    [CHANNEL_KNEE_FLEXION_L] = 100.0,
    [CHANNEL_KNEE_FLEXION_R] = 130.0,
    [CHANNEL_HEIGHT_M] = -0.83,
}};

static const struct posture_table BOTH_KNEES_UP = {{
    [CHANNEL_PELVIS_PITCH] = -95.0,
    [CHANNEL_LUMBAR_FLEXION] = 5.0,
    [CHANNEL_HIP_FLEXION_L] = 95.0,
    [CHANNEL_HIP_FLEXION_R] = 95.0,
    [CHANNEL_KNEE_FLEXION_L] = 120.0,
    [CHANNEL_KNEE_FLEXION_R] = 120.0,
    [CHANNEL_HEIGHT_M] = -0.83,
}};

/* The shoulders stay on the mat: the low back takes most of the turn back. */
static const struct posture_table ROCKED_RIGHT = {{
    [CHANNEL_PELVIS_PITCH] = -95.0,
    [CHANNEL_PELVIS_ROLL] = 20.0,
    [CHANNEL_LUMBAR_FLEXION] = 5.0,
    [CHANNEL_LUMBAR_ROTATION] = -8.0,
    [CHANNEL_UPPER_ROTATION] = -6.0,
    [CHANNEL_HIP_FLEXION_L] = 95.0,
    [CHANNEL_HIP_FLEXION_R] = 95.0,
    [CHANNEL_KNEE_FLEXION_L] = 120.0,
    [CHANNEL_KNEE_FLEXION_R] = 120.0,
    [CHANNEL_HEIGHT_M] = -0.83,
}};

static const struct posture_table ROCKED_LEFT = {{
    [CHANNEL_PELVIS_PITCH] = -95.0,
    [CHANNEL_PELVIS_ROLL] = -20.0,
    [CHANNEL_LUMBAR_FLEXION] = 5.0,
    [CHANNEL_LUMBAR_ROTATION] = 8.0,
    [CHANNEL_UPPER_ROTATION] = 6.0,
    [CHANNEL_HIP_FLEXION_L] = 95.0,
    [CHANNEL_HIP_FLEXION_R] = 95.0,
    [CHANNEL_KNEE_FLEXION_L] = 120.0,
    [CHANNEL_KNEE_FLEXION_R] = 120.0,
    [CHANNEL_HEIGHT_M] = -0.83,
}};

static const struct posture_table SITTING_CROSSED = {{
    [CHANNEL_PELVIS_PITCH] = -6.0,
    [CHANNEL_LUMBAR_FLEXION] = 8.0,
    [CHANNEL_HIP_FLEXION_L] = 82.0,
    [CHANNEL_HIP_FLEXION_R] = 110.0,
    [CHANNEL_HIP_ADDUCTION_R] = 10.0,
    [CHANNEL_KNEE_FLEXION_L] = 5.0,
    [CHANNEL_KNEE_FLEXION_R] = 105.0,
    [CHANNEL_HEIGHT_M] = -0.83,
}};

static const struct posture_table TWISTED = {{
    [CHANNEL_PELVIS_PITCH] = -6.0,
    [CHANNEL_PELVIS_ROLL] = 4.0,
    [CHANNEL_LUMBAR_FLEXION] = 9.0,
    [CHANNEL_LUMBAR_LATERAL] = 2.0,
    [CHANNEL_LUMBAR_ROTATION] = 10.0,
    [CHANNEL_UPPER_ROTATION] = 30.0,
    [CHANNEL_HIP_FLEXION_L] = 82.0,
    [CHANNEL_HIP_FLEXION_R] = 112.0,
    [CHANNEL_HIP_ADDUCTION_R] = 12.0,
    [CHANNEL_KNEE_FLEXION_L] = 5.0,
    [CHANNEL_KNEE_FLEXION_R] = 105.0,
    [CHANNEL_HEIGHT_M] = -0.83,
}};

static const struct posture_table CAT = {{
    [CHANNEL_PELVIS_PITCH] = 78.0,
    [CHANNEL_LUMBAR_FLEXION] = 22.0,
    [CHANNEL_UPPER_FLEXION] = 8.0,
    [CHANNEL_HIP_FLEXION_L] = 78.0,
    [CHANNEL_HIP_FLEXION_R] = 78.0,
    [CHANNEL_KNEE_FLEXION_L] = 90.0,
    [CHANNEL_KNEE_FLEXION_R] = 90.0,
    [CHANNEL_FORWARD_M] = 0.02,
    [CHANNEL_HEIGHT_M] = -0.41,
}};

static const struct posture_table COW = {{
    [CHANNEL_PELVIS_PITCH] = 100.0,
    [CHANNEL_LUMBAR_FLEXION] = -18.0,
    [CHANNEL_UPPER_FLEXION] = -6.0,
    [CHANNEL_HIP_FLEXION_L] = 100.0,
    [CHANNEL_HIP_FLEXION_R] = 100.0,
    [CHANNEL_KNEE_FLEXION_L] = 90.0,
    [CHANNEL_KNEE_FLEXION_R] = 90.0,
    [CHANNEL_FORWARD_M] = -0.02,
    [CHANNEL_HEIGHT_M] = -0.43,
}};

static const struct posture_table BRIDGE_START = {{
    [CHANNEL_PELVIS_PITCH] = -90.0,
    [CHANNEL_HIP_FLEXION_L] = 55.0,
    [CHANNEL_HIP_FLEXION_R] = 55.0,
    [CHANNEL_KNEE_FLEXION_L] = 110.0,
    [CHANNEL_KNEE_FLEXION_R] = 110.0,
    [CHANNEL_HEIGHT_M] = -0.83,
}};

/* Shoulders stay down, hips rise: the cranial end of the trunk lies lower than the pelvis.
 */
static const struct posture_table BRIDGE_TOP = {{
    [CHANNEL_PELVIS_PITCH] = -112.0,
    [CHANNEL_LUMBAR_FLEXION] = -2.0,
    [CHANNEL_UPPER_FLEXION] = 3.0,
    [CHANNEL_HIP_FLEXION_L] = 3.0,
    [CHANNEL_HIP_FLEXION_R] = 3.0,
    [CHANNEL_KNEE_FLEXION_L] = 95.0,
    [CHANNEL_KNEE_FLEXION_R] = 95.0,
    [CHANNEL_FORWARD_M] = 0.03,
    [CHANNEL_HEIGHT_M] = -0.63,
}};

static const struct posture_table COUCH_START = {{
    [CHANNEL_PELVIS_PITCH] = -90.0,
    [CHANNEL_HIP_FLEXION_L] = 45.0,
    [CHANNEL_HIP_FLEXION_R] = 45.0,
    [CHANNEL_KNEE_FLEXION_L] = 80.0,
    [CHANNEL_KNEE_FLEXION_R] = 80.0,
    [CHANNEL_HEIGHT_M] = -0.40,
}};

static const struct posture_table COUCH_HANGING = {{
    [CHANNEL_PELVIS_PITCH] = -86.0,
    [CHANNEL_LUMBAR_FLEXION] = -4.0,
    [CHANNEL_HIP_FLEXION_L] = -10.0,
    [CHANNEL_HIP_FLEXION_R] = -10.0,
    [CHANNEL_KNEE_FLEXION_L] = 70.0,
    [CHANNEL_KNEE_FLEXION_R] = 70.0,
    [CHANNEL_HEIGHT_M] = -0.40,
}};

static const struct posture_table FORWARD_BEND = {{
    [CHANNEL_PELVIS_PITCH] = 50.0,
    [CHANNEL_LUMBAR_FLEXION] = 45.0,
    [CHANNEL_UPPER_FLEXION] = 12.0,
    [CHANNEL_HIP_FLEXION_L] = 56.0,
    [CHANNEL_HIP_FLEXION_R] = 56.0,
    [CHANNEL_KNEE_FLEXION_L] = 12.0,
    [CHANNEL_KNEE_FLEXION_R] = 12.0,
    [CHANNEL_FORWARD_M] = -0.12,
    [CHANNEL_HEIGHT_M] = -0.03,
}};

/* A hanging trunk swings about the line of sight: near the horizontal that is a turn about
 * its long axis, to the left when it swings to the right. */
static const struct posture_table SWAYED_RIGHT = {{
    [CHANNEL_PELVIS_PITCH] = 50.0,
    [CHANNEL_PELVIS_ROLL] = -4.0,
    [CHANNEL_LUMBAR_FLEXION] = 45.0,
    [CHANNEL_LUMBAR_LATERAL] = 6.0,
    [CHANNEL_LUMBAR_ROTATION] = -8.0,
    [CHANNEL_UPPER_FLEXION] = 12.0,
    [CHANNEL_UPPER_LATERAL] = 2.0,
    [CHANNEL_UPPER_ROTATION] = -2.0,
    [CHANNEL_HIP_FLEXION_L] = 56.0,
    [CHANNEL_HIP_FLEXION_R] = 56.0,
    [CHANNEL_KNEE_FLEXION_L] = 12.0,
    [CHANNEL_KNEE_FLEXION_R] = 12.0,
    [CHANNEL_FORWARD_M] = -0.12,
    [CHANNEL_HEIGHT_M] = -0.03,
}};

static const struct posture_table SWAYED_LEFT = {{
    [CHANNEL_PELVIS_PITCH] = 50.0,
    [CHANNEL_PELVIS_ROLL] = 4.0,
    [CHANNEL_LUMBAR_FLEXION] = 45.0,
    [CHANNEL_LUMBAR_LATERAL] = -6.0,
    [CHANNEL_LUMBAR_ROTATION] = 8.0,
    [CHANNEL_UPPER_FLEXION] = 12.0,
    [CHANNEL_UPPER_LATERAL] = -2.0,
    [CHANNEL_UPPER_ROTATION] = 2.0,
    [CHANNEL_HIP_FLEXION_L] = 56.0,
    [CHANNEL_HIP_FLEXION_R] = 56.0,
    [CHANNEL_KNEE_FLEXION_L] = 12.0,
    [CHANNEL_KNEE_FLEXION_R] = 12.0,
    [CHANNEL_FORWARD_M] = -0.12,
    [CHANNEL_HEIGHT_M] = -0.03,
}};

static const struct posture_table FOLDED = {{
    [CHANNEL_PELVIS_PITCH] = 55.0,
    [CHANNEL_LUMBAR_FLEXION] = 45.0,
    [CHANNEL_UPPER_FLEXION] = 10.0,
    [CHANNEL_HIP_FLEXION_L] = 120.0,
    [CHANNEL_HIP_FLEXION_R] = 120.0,
    [CHANNEL_HIP_ADDUCTION_L] = -12.0,
    [CHANNEL_HIP_ADDUCTION_R] = -12.0,
    [CHANNEL_KNEE_FLEXION_L] = 145.0,
    [CHANNEL_KNEE_FLEXION_R] = 145.0,
    [CHANNEL_FORWARD_M] = -0.35,
    [CHANNEL_HEIGHT_M] = -0.70,
}};

/* range_share below 1 where a straight line or a small angle is the aim, not the most.
 * Times keep usual ranges under the guard's cautions (1.875 A/T, clinical reference 2.5).
 */
static const struct choreography CHOREOGRAPHIES[] = {
    {"knee_to_chest_rock", "hold", &SUPINE, &KNEE_TO_CHEST, NULL, NULL, 0.6, 3.5, 30.0,
     0.0},
    {"knee_to_chest_rock", "rock", &BOTH_KNEES_UP, &BOTH_KNEES_UP, &ROCKED_RIGHT,
     &ROCKED_LEFT, 1.0, 2.0, 0.0, 5.0},
    {"seated_spinal_twist", "hold", &SITTING_CROSSED, &TWISTED, NULL, NULL, 1.0, 4.5, 25.0,
     0.0},
    {"cat_cow", "cycle", &QUADRUPED, &QUADRUPED, &CAT, &COW, 1.0, 2.0, 0.0, 6.0},
    {"bridge", "hold", &BRIDGE_START, &BRIDGE_TOP, NULL, NULL, 0.15, 3.0, 5.0, 0.0},
    {"couch_decompression", "hold", &COUCH_START, &COUCH_HANGING, NULL, NULL, 0.2, 4.5,
     90.0, 0.0},
    {"standing_forward_bend", "hold", &STANDING, &FORWARD_BEND, NULL, NULL, 1.0, 4.5, 30.0,
     0.0},
    {"standing_forward_bend", "sway", &STANDING, &FORWARD_BEND, &SWAYED_RIGHT, &SWAYED_LEFT,
     1.0, 4.5, 0.0, 5.0},
    {"childs_pose", "hold", &KNEELING, &FOLDED, NULL, NULL, 1.0, 5.5, 120.0, 0.0},
};

const struct choreography *choreography_find(const char *stretch, const char *part)
{
    const struct choreography *found = NULL;
    for (size_t i = 0; i < sizeof CHOREOGRAPHIES / sizeof CHOREOGRAPHIES[0]; i++) {
        const struct choreography *choreography = &CHOREOGRAPHIES[i];
        if (strcmp(choreography->stretch, stretch) != 0) {
            continue;
        }
        if (!found || strcmp(choreography->part, part) == 0) {
            found = choreography;
        }
    }
    return found;
}

const struct choreography *choreography_list(unsigned *count)
{
    *count = sizeof CHOREOGRAPHIES / sizeof CHOREOGRAPHIES[0];
    return CHOREOGRAPHIES;
}

const struct posture_table *choreography_neutral(void)
{
    return &STANDING;
}

const struct posture_table *choreography_alignment(const char *stage)
{
    if (strcmp(stage, "trunk") == 0) {
        return &ALIGN_TRUNK;
    }
    if (strcmp(stage, "thigh_l") == 0 || strcmp(stage, "thigh_r") == 0) {
        return &ALIGN_KNEE_LIFT;
    }
    return NULL;
}

void choreography_channels(const struct posture_table *posture, bool is_left,
                           double channels[CHANNEL_COUNT])
{
    double straight[CHANNEL_COUNT];
    for (unsigned i = 0; i < CHANNEL_COUNT; i++) {
        bool is_angle =
            i != CHANNEL_FORWARD_M && i != CHANNEL_HEIGHT_M && i != CHANNEL_SWAY;
        straight[i] = posture->value[i] * (is_angle ? RAD_PER_DEG : 1.0);
    }
    if (is_left) {
        body_mirror(straight, channels);
    } else {
        memcpy(channels, straight, sizeof straight);
    }
}
