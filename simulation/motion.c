#include "simulation/motion.h"

#include <assert.h>
#include <string.h>

/* Position, velocity and acceleration. */
struct motion_state {
    double value;
    double rate;
    double acceleration;
};

static const struct motion_piece *piece_at(const struct motion *motion, double time_s)
{
    unsigned oldest =
        motion->count > MOTION_PIECE_MAX ? motion->count - MOTION_PIECE_MAX : 0;
    unsigned index = motion->count - 1;
    while (index > oldest && motion->pieces[index % MOTION_PIECE_MAX].start_s > time_s) {
        index--;
    }
    return &motion->pieces[index % MOTION_PIECE_MAX];
}

static struct motion_state state_at(const struct motion *motion, double time_s)
{
    const struct motion_piece *piece = piece_at(motion, time_s);
    double fraction = (time_s - piece->start_s) / piece->duration_s;
    const double *c = piece->coefficients;
    if (fraction >= 1.0) {
        return (struct motion_state){piece->end_value, 0.0, 0.0};
    }
    if (fraction < 0.0) {
        return (struct motion_state){c[0], 0.0, 0.0};
    }
    double rate =
        c[1]
        + fraction
              * (2.0 * c[2]
                 + fraction
                       * (3.0 * c[3] + fraction * (4.0 * c[4] + fraction * 5.0 * c[5])));
    double acceleration =
        2.0 * c[2]
        + fraction * (6.0 * c[3] + fraction * (12.0 * c[4] + fraction * 20.0 * c[5]));
    return (struct motion_state){motion_value(motion, time_s), rate / piece->duration_s,
                                 acceleration / (piece->duration_s * piece->duration_s)};
}

/* The quintic that leaves with from and arrives at rest at target (minimum jerk: Flash and
 * Hogan 1985). */
static void piece_begin(struct motion *motion, double start_s, double duration_s,
                        struct motion_state from, double target)
{
    double rate = from.rate * duration_s;
    double acceleration = from.acceleration * duration_s * duration_s;
    double distance = target - from.value - rate - acceleration / 2.0;
    double rate_left = -rate - acceleration;
    struct motion_piece *piece = &motion->pieces[motion->count % MOTION_PIECE_MAX];
    *piece = (struct motion_piece){
        .start_s = start_s,
        .duration_s = duration_s,
        .end_value = target,
        .coefficients = {from.value, rate, acceleration / 2.0,
                         10.0 * distance - 4.0 * rate_left - acceleration / 2.0,
                         -15.0 * distance + 7.0 * rate_left + acceleration,
                         6.0 * distance - 3.0 * rate_left - acceleration / 2.0},
    };
    motion->count++;
}

void motion_init(struct motion *motion, double value)
{
    memset(motion, 0, sizeof *motion);
    motion->pieces[0] = (struct motion_piece){
        .start_s = 0.0, .duration_s = 1.0, .end_value = value, .coefficients = {value}};
    motion->count = 1;
}

void motion_move(struct motion *motion, double start_s, double duration_s, double target)
{
    assert(duration_s > 0.0);
    piece_begin(motion, start_s, duration_s, state_at(motion, start_s), target);
}

void motion_stop(struct motion *motion, double start_s, double duration_s)
{
    assert(duration_s > 0.0);
    struct motion_state from = state_at(motion, start_s);
    piece_begin(motion, start_s, duration_s, from,
                from.value + from.rate * duration_s / 2.0);
}

double motion_value(const struct motion *motion, double time_s)
{
    const struct motion_piece *piece = piece_at(motion, time_s);
    double fraction = (time_s - piece->start_s) / piece->duration_s;
    if (fraction >= 1.0) {
        return piece->end_value;
    }
    const double *c = piece->coefficients;
    if (fraction <= 0.0) {
        return c[0];
    }
    return c[0]
           + fraction
                 * (c[1]
                    + fraction
                          * (c[2]
                             + fraction * (c[3] + fraction * (c[4] + fraction * c[5]))));
}

double motion_rate(const struct motion *motion, double time_s)
{
    return state_at(motion, time_s).rate;
}
