/* A driver and the model of its device on an in-memory line: what is sent, lost and
 * answered is under the test's control. */
#ifndef LIMBER_TESTS_ACQUISITION_DIALOGUE_SUPPORT_H
#define LIMBER_TESTS_ACQUISITION_DIALOGUE_SUPPORT_H

#include "simulation/device_model.h"
#include "tests/acquisition/driver_support.h"

struct dialogue {
    struct collected collected;
    struct device_model model;
    struct device_reading reading; /* what the device feels, all the time */
    uint64_t now_us;
    uint64_t next_us;       /* next sampling instant of the model */
    unsigned answers_lost;  /* so many next answers never arrive */
    unsigned commands_lost; /* so many next commands never arrive */
    unsigned command_count;
    uint8_t command[DRIVER_COMMAND_MAX + 1]; /* the last, with an end of text */
};

/* @param model_rate_hz  Rate at which the device was set up before; 0 = as from the maker.
 */
void dialogue_init(struct dialogue *dialogue, const char *driver, double asked_hz,
                   double model_rate_hz);
void dialogue_free(struct dialogue *dialogue);

/* Let time pass: commands, answers and samples go over the line each millisecond. */
void dialogue_run(struct dialogue *dialogue, unsigned duration_ms);

/* What the driver sends at the end. @return Count of commands. */
unsigned dialogue_stop(struct dialogue *dialogue);

/* Give the device a command and keep its answer.
 * @return Size of the answer. */
size_t dialogue_ask(struct dialogue *dialogue, const void *command, size_t size,
                    uint8_t *answer);

/* Newest notice of the driver. */
const char *dialogue_notice(const struct dialogue *dialogue, unsigned *count);

#endif
