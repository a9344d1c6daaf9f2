/* A body that moves, wearing sensors that put real bytes on simulated wires. Follows the
 * cues it is given as a person would, in virtual time. Sees nothing of the decoders or the
 * analysis; the truth goes to a file of its own. One thread.
 *
 * Worn exactly by the guide (printed arrow up, label outward), the axes of a unit are y =
 * up, z = out of the label, x = y cross z. On the back (thorax_dorsal, pelvis_dorsal) that
 * is, in segment axes, x = +Z (right), y = +Y, z = -X; on the front (all other roles) x =
 * -Z, y = +Y, z = +X. Each unit sits askew by up to the patient's mounting_deg about each
 * axis. A still accelerometer shows +1 g upwards.
 *
 * Virtual time is the time of the latest bytes that were read or of the latest cue. Read a
 * transport when its next_ns is the least of all; STATUS_NOT_READY there means that a
 * silent board was looked at, or samples were lost: ask next_ns again. */
#ifndef LIMBER_SIMULATION_SIMULATION_H
#define LIMBER_SIMULATION_SIMULATION_H

#include <stdint.h>

#include "acquisition/transport.h"
#include "base/body.h"

struct simulation;

struct simulation_settings {
    const char
        *patient;  /* name of a built-in patient ("comfortable") or path of a YAML file */
    uint64_t seed; /* same seed, same bytes */
    const char *truth_path; /* CSV of the true angles and moves; NULL = none */
};

/* @return STATUS_OK; STATUS_BAD_INPUT or STATUS_NOT_FOUND after one logged line. */
enum status simulation_create(const struct simulation_settings *settings,
                              struct simulation **out);

/* Put a sensor on; call before the first read. The transport is closed before the
 * simulation is destroyed; opening a role again after an unplug gives the same sensor,
 * still moving.
 * @param driver   Any that has a device model (device_model.h) with the kind of sensor that
 * the role takes.
 * @param rate_hz  Nominal rate, 1 .. 2000.
 * @return STATUS_OK; STATUS_BAD_INPUT after one logged line; STATUS_GONE while unplugged.
 */
enum status simulation_transport_open(struct simulation *simulation, enum role role,
                                      const char *driver, double rate_hz,
                                      struct transport **out);

/* Which analog input carries a strip, below 8; before the role is opened first. Default 0.
 */
void simulation_channel_set(struct simulation *simulation, enum role role,
                            unsigned channel);

/* What the person is asked to do from time_ns on; reacts after a reaction time of its own.
 */
struct simulation_cue {
    int64_t time_ns;
    const char *stretch; /* protocol id */
    const char *part;    /* part id */
    const char *phase;   /* phase_text: "ALIGN", "SETUP", "READY", "MOVE_IN", "HOLD" ... */
    const char
        *stage; /* pipeline stage while aligning: "neutral", "trunk", "thigh_l" ... */
    enum side side;
    unsigned repetition;
    bool is_practice;
};

void simulation_cue(struct simulation *simulation, const struct simulation_cue *cue);

/* Names of the built-in patients. */
const char *const *simulation_patients(size_t *count);

/* Closes the truth file. NULL is allowed. */
enum status simulation_destroy(struct simulation *simulation);

#endif
