#include "tests/fuzz/fuzz_driver.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    const struct driver_settings settings = {.rate_hz = 100.0};
    fuzz_driver_run("xsens-mti", &settings, data, size);
    return 0;
}
