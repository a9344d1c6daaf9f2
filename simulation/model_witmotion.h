/* What tests may change about the simulated WitMotion unit. One thread a model. */
#ifndef LIMBER_SIMULATION_MODEL_WITMOTION_H
#define LIMBER_SIMULATION_MODEL_WITMOTION_H

#include "simulation/device_model.h"

/* Whether it sends exactly 0 deg/s while it rests, as real units do. Default on. */
void model_witmotion_auto_zero_set(struct device_model *model, bool is_on);

/* A unit that never unlocks: settings cannot be changed. Default off. */
void model_witmotion_lock_set(struct device_model *model, bool is_locked);

/* A unit that takes commands but does not answer questions (old firmware). Default off. */
void model_witmotion_mute_set(struct device_model *model, bool is_mute);

/* A register as it stands now. */
uint16_t model_witmotion_register_get(const struct device_model *model, uint8_t address);

/* Set a register as if by the maker's program: 02 content, 03 rate, 04 baud code. */
void model_witmotion_register_set(struct device_model *model, uint8_t address,
                                  uint16_t value);

#endif
