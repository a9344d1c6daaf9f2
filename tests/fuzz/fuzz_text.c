#include "acquisition/text_columns.h"
#include "tests/fuzz/fuzz_driver.h"

/* Forms of lines that a profile file may ask for. */
static const struct text_lines FORMS[] = {
    {.separator = ' ', .header_line_count = 2, .scales = {0.004, -3.0, 1e12}},
    {.has_decimal_comma = true, .scales = {1.0, 1e-12, 1.0}, .offsets = {0.0, 1e12, -1.0}},
    {.separator = ';', .has_trailing_separator = true, .scales = {1.0, 1.0, 1.0}},
};

/* The first byte chooses the columns and the form of the lines. */
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
    const unsigned column_count = sizeof columns / sizeof columns[0];
    const unsigned form_count = sizeof FORMS / sizeof FORMS[0];
    const unsigned choice = data[0] % (column_count + form_count);
    struct driver_settings settings = {.columns = columns[choice % column_count]};
    if (choice >= column_count) {
        settings.columns = "time_ms,analog_0_count,analog_1_v";
        settings.lines = &FORMS[choice - column_count];
    }
    fuzz_driver_run("text", &settings, data + 1, size - 1);
    return 0;
}
