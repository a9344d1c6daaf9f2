/* The smallest devices that need each kind of USB transport: reports of 64 bytes with a
 * running number and a checksum. For tests of the transport and of the rigs themselves. */
#ifndef LIMBER_TESTS_SUPPORT_TINY_USB_H
#define LIMBER_TESTS_SUPPORT_TINY_USB_H

#include "simulation/device_model.h"

enum {
    TINY_REPORT_SIZE = 64,
    TINY_REPORT_MARK = 0x01,
    TINY_NUMBER_OFFSET = 1 /* u32 LE */
};

/* "tiny-hid", "tiny-cdc", "tiny-bulk" or "tiny-request", else NULL. */
const struct device_model_type *tiny_usb_find(const char *name);

/* Sum of all bytes but the last, which holds it. */
uint8_t tiny_report_sum(const uint8_t report[TINY_REPORT_SIZE]);

#endif
