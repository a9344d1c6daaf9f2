#include "base/body.h"

#include <stddef.h>
#include <string.h>

static const char *const ROLE_TEXTS[ROLE_COUNT] = {
    "thorax_dorsal", "pelvis_dorsal", "sternum",     "pelvis_ventral",
    "thigh_l",       "thigh_r",       "shank_l",     "shank_r",
    "flex_lumbar",   "flex_knee_l",   "flex_knee_r",
};

static const char *const ROLE_TITLES[ROLE_COUNT] = {
    "Upper low back (T12)", "Back of pelvis (S1)", "Breast bone",      "Front of pelvis",
    "Left thigh",           "Right thigh",         "Left shin",        "Right shin",
    "Low back strip",       "Left knee strip",     "Right knee strip",
};

static const char *const POSTURE_TEXTS[POSTURE_COUNT] = {
    "standing", "sitting", "supine", "quadruped", "kneeling",
};

static const char *const SIDE_TEXTS[SIDE_COUNT] = {"both", "left", "right"};

/* Index of text in a table, or count when absent. */
static size_t text_index(const char *const *table, size_t count, const char *text)
{
    size_t index = 0;
    while (index < count && strcmp(table[index], text) != 0) {
        index++;
    }
    return index;
}

const char *role_text(enum role role)
{
    return (unsigned)role < ROLE_COUNT ? ROLE_TEXTS[role] : "";
}

const char *role_title(enum role role)
{
    return (unsigned)role < ROLE_COUNT ? ROLE_TITLES[role] : "";
}

bool role_parse(const char *text, enum role *role)
{
    size_t index = text_index(ROLE_TEXTS, ROLE_COUNT, text);
    if (index == ROLE_COUNT) {
        return false;
    }
    *role = (enum role)index;
    return true;
}

bool role_is_flex(enum role role)
{
    return role == ROLE_FLEX_LUMBAR || role == ROLE_FLEX_KNEE_L || role == ROLE_FLEX_KNEE_R;
}

const char *posture_text(enum posture posture)
{
    return (unsigned)posture < POSTURE_COUNT ? POSTURE_TEXTS[posture] : "";
}

bool posture_parse(const char *text, enum posture *posture)
{
    size_t index = text_index(POSTURE_TEXTS, POSTURE_COUNT, text);
    if (index == POSTURE_COUNT) {
        return false;
    }
    *posture = (enum posture)index;
    return true;
}

const char *side_text(enum side side)
{
    return (unsigned)side < SIDE_COUNT ? SIDE_TEXTS[side] : "";
}

bool side_parse(const char *text, enum side *side)
{
    size_t index = text_index(SIDE_TEXTS, SIDE_COUNT, text);
    if (index == SIDE_COUNT) {
        return false;
    }
    *side = (enum side)index;
    return true;
}
