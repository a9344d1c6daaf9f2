#include <stdlib.h>

#include "acquisition/device.h"
#include "tests/fuzz/fuzz_driver.h"

/* The start-up dialogue, which fuzz_driver_run stops at its first step: whatever the unit
 * answers, commands fit and end. */
static void dialogue_run(const struct driver_settings *settings, const uint8_t *data,
                         size_t size)
{
    struct device *device = calloc(1, sizeof *device);
    uint8_t bytes[DRIVER_COMMAND_MAX];
    const struct driver *driver = driver_find("xsens-mti");
    if (!device || device_init(device, driver, settings)) {
        abort();
    }
    for (size_t used = 0; used < size; used += 8) {
        size_t step = size - used < 8 ? size - used : 8;
        device_feed(device, data + used, step, 0, NULL, NULL);
        if (driver->command_next(&device->context, (int64_t)used * 10000000, bytes)
            > sizeof bytes) {
            abort();
        }
    }
    unsigned count = 0;
    while (driver->command_stop(&device->context, bytes) > 0) {
        if (++count > DRIVER_STOP_MAX) {
            abort();
        }
    }
    free(device);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    const struct driver_settings settings = {.rate_hz = 100.0};
    fuzz_driver_run("xsens-mti", &settings, data, size);
    dialogue_run(&settings, data, size);
    return 0;
}
