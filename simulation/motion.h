/* One coordinate of the body over time: minimum-jerk moves joined without a step in
 * position, velocity or acceleration. Remembers its last moves, so late sensors can look
 * back. Plain value; one thread. */
#ifndef LIMBER_SIMULATION_MOTION_H
#define LIMBER_SIMULATION_MOTION_H

enum {
    MOTION_PIECE_MAX = 16 /* moves that can be looked back to */
};

/* One quintic; constant at its end value afterwards. */
struct motion_piece {
    double start_s;
    double duration_s;
    double end_value;
    double coefficients[6]; /* of powers of the fraction of the duration */
};

struct motion {
    struct motion_piece pieces[MOTION_PIECE_MAX];
    unsigned count; /* pieces ever begun; the newest is (count - 1) % MOTION_PIECE_MAX */
};

/* At rest at value, since ever. */
void motion_init(struct motion *motion, double value);

/* Begin a move at start_s, from whatever position, velocity and acceleration there is then,
 * to rest at target.
 * @param start_s     Not before the start of the move before.
 * @param duration_s  Above 0. */
void motion_move(struct motion *motion, double start_s, double duration_s, double target);

/* Begin to brake at start_s and come to rest where that takes it. */
void motion_stop(struct motion *motion, double start_s, double duration_s);

/* Position at a time; the end of the newest move for times after it. */
double motion_value(const struct motion *motion, double time_s);

/* Velocity per second at a time. */
double motion_rate(const struct motion *motion, double time_s);

#endif
