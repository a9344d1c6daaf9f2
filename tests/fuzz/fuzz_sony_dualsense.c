#include "tests/fuzz/fuzz_driver.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    const struct driver_settings settings = {.rate_hz = 250.0};
    fuzz_driver_run("sony-dualsense", &settings, data, size);
    return 0;
}
