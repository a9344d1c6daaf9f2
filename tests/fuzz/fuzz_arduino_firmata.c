#include "tests/fuzz/fuzz_driver.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    static const char *const channels[] = {NULL, "A0", "A7", "A15"};
    const struct driver_settings settings = {.channel = channels[size % 4]};
    fuzz_driver_run("arduino-firmata", &settings, data, size);
    return 0;
}
