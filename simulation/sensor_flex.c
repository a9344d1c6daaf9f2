#include "simulation/sensor_flex.h"

#include <math.h>
#include <string.h>

#include "base/units.h"

/* Spectra Symbol FS-L data sheet: 10 kOhm flat, at least doubled at 180 deg; the resistor
 * to ground is the geometric mean of the resistances in use. */
static const double FLAT_OHM = 10000.0;
static const double SHARE_PER_DEG = 1.0 / 180.0;
static const double FIXED_OHM = 11500.0;
/* The strip senses one direction; worn bent so far in neutral, it sees extension too. */
static const double WORN_BEND_DEG = 30.0;
/* Project estimates for carbon-ink strips: play of the whole span, share and time constants
 * of creep, noise as seen worn (0.6 counts of 10 bits). */
static const double PLAY_DEG = 4.0;
static const double CREEP_FAST = 0.015;
static const double CREEP_SLOW = 0.02;
static const double CREEP_FAST_S = 2.0;
static const double CREEP_SLOW_S = 40.0;
static const double NOISE_SHARE = 0.6 / 1023.0;
static const double GAIN_ERROR = 0.05;
static const double FLAT_ERROR = 0.15;

static enum channel bent_channel(enum role role)
{
    if (role == ROLE_FLEX_KNEE_L) {
        return CHANNEL_KNEE_FLEXION_L;
    }
    return role == ROLE_FLEX_KNEE_R ? CHANNEL_KNEE_FLEXION_R : CHANNEL_LUMBAR_FLEXION;
}

void sensor_flex_init(struct sensor_flex *sensor, const struct person *person,
                      enum role role, uint64_t seed)
{
    memset(sensor, 0, sizeof *sensor);
    sensor->person = person;
    sensor->channel = bent_channel(role);
    sensor->noise = person->patient->sensors.noise;
    random_init(&sensor->random, seed, 100u + (unsigned)role);
    sensor->gain =
        1.0 + sensor->noise * random_uniform(&sensor->random, -GAIN_ERROR, GAIN_ERROR);
    sensor->flat_ohm =
        FLAT_OHM
        * (1.0 + sensor->noise * random_uniform(&sensor->random, -FLAT_ERROR, FLAT_ERROR));
}

static double lag(double state, double input, double step_s, double time_constant_s)
{
    return state + (input - state) * (1.0 - exp(-step_s / time_constant_s));
}

double sensor_flex_read(struct sensor_flex *sensor, double time_s)
{
    double channels[CHANNEL_COUNT];
    person_channels(sensor->person, time_s, channels);
    double bend_deg = WORN_BEND_DEG + channels[sensor->channel] * DEG_PER_RAD;
    double play_deg = sensor->noise > 0.0 ? PLAY_DEG / 2.0 : 0.0;
    if (!sensor->has_last) {
        sensor->bend_deg = bend_deg;
        sensor->creep_fast_deg = bend_deg;
        sensor->creep_slow_deg = bend_deg;
        sensor->last_s = time_s;
        sensor->has_last = true;
    }
    double step_s = time_s - sensor->last_s;
    sensor->last_s = time_s;
    sensor->bend_deg =
        fmax(bend_deg - play_deg, fmin(bend_deg + play_deg, sensor->bend_deg));
    sensor->creep_fast_deg =
        lag(sensor->creep_fast_deg, sensor->bend_deg, step_s, CREEP_FAST_S);
    sensor->creep_slow_deg =
        lag(sensor->creep_slow_deg, sensor->bend_deg, step_s, CREEP_SLOW_S);
    double seen_deg = fmax(0.0, sensor->bend_deg)
                      - sensor->noise
                            * (CREEP_FAST * fmax(0.0, sensor->creep_fast_deg)
                               + CREEP_SLOW * fmax(0.0, sensor->creep_slow_deg));
    double strip_ohm = sensor->flat_ohm * (1.0 + sensor->gain * SHARE_PER_DEG * seen_deg);
    double share = FIXED_OHM / (FIXED_OHM + strip_ohm)
                   + sensor->noise * NOISE_SHARE * random_normal(&sensor->random);
    return fmax(0.0, fmin(1.0, share));
}
