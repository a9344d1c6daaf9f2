#include "simulation/device_model.h"

static void skeleton_init(struct device_model *model, double rate_hz, uint32_t serial)
{
    (void)model;
    (void)rate_hz;
    (void)serial;
}

static size_t skeleton_sample(struct device_model *model, uint64_t time_us,
                              const struct device_reading *reading, uint8_t *bytes)
{
    (void)model;
    (void)time_us;
    (void)reading;
    (void)bytes;
    return 0;
}

extern const struct device_model_type model_xio_ximu3;

const struct device_model_type model_xio_ximu3 = {
    .driver = "xio-ximu3",
    .rate_hz = 100.0,
    .init = skeleton_init,
    .sample = skeleton_sample,
};
