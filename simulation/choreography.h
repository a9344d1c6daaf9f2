/* How each part of each stretch looks from outside: start posture, end posture, time
 * (clinical reference 2.8). Constant data; any thread. */
#ifndef LIMBER_SIMULATION_CHOREOGRAPHY_H
#define LIMBER_SIMULATION_CHOREOGRAPHY_H

#include <stdbool.h>

#include "simulation/body.h"

/* A posture in degrees (m for positions), as a movement to the right where it has sides. */
struct posture_table {
    double value[CHANNEL_COUNT];
};

struct choreography {
    const char *stretch;
    const char *part;
    const struct posture_table *start;
    const struct posture_table
        *peak; /* holds: held; cycles: in the middle of the movement */
    const struct posture_table *high; /* cycles only, else NULL */
    const struct posture_table *low;
    double range_share; /* how much of the person's own range shows, 0 .. 1 */
    double move_s;      /* usual time from start to peak */
    double hold_s;      /* usual dose of a hold; 0 = cycles */
    double cycle_s;     /* usual time of a whole cycle; 0 = holds */
};

/* NULL when there is no such stretch; an unknown part gives the first of the stretch. */
const struct choreography *choreography_find(const char *stretch, const char *part);

/* All of them.
 * @param count  Out. */
const struct choreography *choreography_list(unsigned *count);

/* Standing, and the peaks of the alignment moves; NULL for an unknown stage. */
const struct posture_table *choreography_neutral(void);
const struct posture_table *choreography_alignment(const char *stage);

/* Channels of a posture in rad and m.
 * @param is_left  Mirrored. */
void choreography_channels(const struct posture_table *posture, bool is_left,
                           double channels[CHANNEL_COUNT]);

#endif
