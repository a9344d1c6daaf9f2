#include "acquisition/driver.h"

#include <stdlib.h>
#include <string.h>

#include "base/log.h"

/* One line per sensor family; the files are in drivers/. */
extern const struct driver driver_xio_ximu3;
extern const struct driver driver_xsens_mti;
extern const struct driver driver_witmotion;
extern const struct driver driver_bno08x_rvc;
extern const struct driver driver_arduino_firmata;
extern const struct driver driver_text;
extern const struct driver driver_vectornav_vn100;
extern const struct driver driver_microstrain_mip;
extern const struct driver driver_sony_dualsense;
extern const struct driver driver_sony_dualshock4;
extern const struct driver driver_labjack_u3;
extern const struct driver driver_mcc_usb1208fs_plus;

static const struct driver *const DRIVERS[] = {
    &driver_xio_ximu3,       &driver_xsens_mti,       &driver_witmotion,
    &driver_bno08x_rvc,      &driver_arduino_firmata, &driver_text,
    &driver_vectornav_vn100, &driver_microstrain_mip, &driver_sony_dualsense,
    &driver_sony_dualshock4, &driver_labjack_u3,      &driver_mcc_usb1208fs_plus,
};

static const size_t DRIVER_COUNT = sizeof DRIVERS / sizeof DRIVERS[0];

const struct driver *driver_find(const char *name)
{
    for (size_t i = 0; i < DRIVER_COUNT; i++) {
        if (strcmp(DRIVERS[i]->name, name) == 0) {
            return DRIVERS[i];
        }
    }
    return NULL;
}

const struct driver *const *driver_list(size_t *count)
{
    *count = DRIVER_COUNT;
    return DRIVERS;
}

const struct transport_usb_profile *driver_usb_profile(const struct driver *driver)
{
    return driver->usb ? driver->usb : &transport_usb_cdc;
}

double driver_rate_hz(const struct driver *driver, const struct driver_context *context)
{
    return driver->rate_hz_get ? driver->rate_hz_get(context) : 0.0;
}

enum status driver_channel_parse(const char *channel, unsigned channel_count,
                                 unsigned *index)
{
    const char *digits = channel + (channel[0] == 'A' || channel[0] == 'a');
    char *end = NULL;
    unsigned long value = strtoul(digits, &end, 10);
    bool is_ended = *end == '\0' || *end == '/';
    if (digits[0] < '0' || digits[0] > '9' || !is_ended || value >= channel_count) {
        log_error("channel '%s': must be A0 to A%u", channel, channel_count - 1);
        return STATUS_BAD_INPUT;
    }
    *index = (unsigned)value;
    return STATUS_OK;
}
