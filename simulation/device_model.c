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

enum {
    TO_INTERFACE = 0x21, /* class request, to the device; | 0x80 from it */
    FROM_INTERFACE = 0xA1,
    SET_LINE_CODING = 0x20,
    GET_LINE_CODING = 0x21,
    SET_CONTROL_LINE_STATE = 0x22,
    SEND_BREAK = 0x23
};

int device_model_cdc_control(struct device_model *model, uint64_t time_us,
                             const uint8_t setup[8], const uint8_t *data, uint8_t *reply)
{
    /* 115200 baud, 1 stop bit, no parity, 8 bits: the rate means nothing here. */
    static const uint8_t LINE_CODING[7] = {0x00, 0xC2, 0x01, 0x00, 0x00, 0x00, 0x08};
    (void)model;
    (void)time_us;
    (void)data;
    if (setup[0] == FROM_INTERFACE && setup[1] == GET_LINE_CODING) {
        memcpy(reply, LINE_CODING, sizeof LINE_CODING);
        return sizeof LINE_CODING;
    }
    bool is_known = setup[1] == SET_LINE_CODING || setup[1] == SET_CONTROL_LINE_STATE
                    || setup[1] == SEND_BREAK;
    return setup[0] == TO_INTERFACE && is_known ? 0 : -1;
}

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
