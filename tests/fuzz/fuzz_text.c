#include "tests/fuzz/fuzz_driver.h"

/* The first byte chooses the columns. */
int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    static const char *const columns[] = {
        NULL,
        "time_ms,analog_0_count,analog_1_count",
        "openlog-artemis",
        "razor-m0",
        "bend-labs",
        "note,gyroscope_x_rad_s,gyroscope_y_rad_s,gyroscope_z_rad_s,accelerometer_x_m_s2,"
        "accelerometer_y_m_s2,accelerometer_z_m_s2",
    };
    if (size == 0) {
        return 0;
    }
    const struct driver_settings settings = {
        .columns = columns[data[0] % (sizeof columns / sizeof columns[0])]};
    fuzz_driver_run("text", &settings, data + 1, size - 1);
    return 0;
}
