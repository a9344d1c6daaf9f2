/* What tests may change about the simulated BNO08x. One thread a model. */
#ifndef LIMBER_SIMULATION_MODEL_BNO08X_RVC_H
#define LIMBER_SIMULATION_MODEL_BNO08X_RVC_H

#include "simulation/device_model.h"

/* Whether it says a line of text when it is switched on. Default off. */
void model_bno08x_rvc_banner_set(struct device_model *model, bool has_banner);

/* The bytes that a BNO086 fills and others leave zero. Default zero. */
void model_bno08x_rvc_motion_set(struct device_model *model, uint8_t intent,
                                 uint8_t request);

/* Reports that are made but never sent: the index goes on. */
void model_bno08x_rvc_skip(struct device_model *model, unsigned report_count);

#endif
