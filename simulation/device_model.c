#include "simulation/device_model.h"

#include <string.h>

/* One line a device; the files are model_*.c. */
extern const struct device_model_type model_xio_ximu3;
extern const struct device_model_type model_xsens_mti;
extern const struct device_model_type model_witmotion;
extern const struct device_model_type model_bno08x_rvc;
extern const struct device_model_type model_arduino_firmata;
extern const struct device_model_type model_text;
extern const struct device_model_type model_vectornav_vn100;
extern const struct device_model_type model_microstrain_mip;
extern const struct device_model_type model_sony_dualsense;
extern const struct device_model_type model_sony_dualshock4;
extern const struct device_model_type model_labjack_u3;
extern const struct device_model_type model_mcc_usb1208fs_plus;

static const struct device_model_type *const MODELS[] = {
    &model_xio_ximu3,       &model_xsens_mti,       &model_witmotion,
    &model_bno08x_rvc,      &model_arduino_firmata, &model_text,
    &model_vectornav_vn100, &model_microstrain_mip, &model_sony_dualsense,
    &model_sony_dualshock4, &model_labjack_u3,      &model_mcc_usb1208fs_plus,
};

static const size_t MODEL_COUNT = sizeof MODELS / sizeof MODELS[0];

const struct device_model_type *device_model_find(const char *driver)
{
    for (size_t i = 0; i < MODEL_COUNT; i++) {
        if (strcmp(MODELS[i]->driver, driver) == 0) {
            return MODELS[i];
        }
    }
    return NULL;
}

const struct device_model_type *const *device_model_list(size_t *count)
{
    *count = MODEL_COUNT;
    return MODELS;
}
