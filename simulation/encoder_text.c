#include "simulation/encoder_text.h"

#include <stdio.h>

size_t encoder_text_inertial_titles(uint8_t *bytes)
{
    return (size_t)snprintf((char *)bytes, ENCODER_TEXT_SIZE_MAX,
                            "time_us,gyroscope_x_deg_s,gyroscope_y_deg_s,gyroscope_z_deg_s,"
                            "accelerometer_x_g,accelerometer_y_g,accelerometer_z_g\r\n");
}

size_t encoder_text_flex_titles(uint8_t *bytes)
{
    return (size_t)snprintf((char *)bytes, ENCODER_TEXT_SIZE_MAX, "analog_0_count\r\n");
}

size_t encoder_text_inertial(uint64_t time_us, const double gyro_deg_s[3],
                             const double accel_g[3], uint8_t *bytes)
{
    return (size_t)snprintf((char *)bytes, ENCODER_TEXT_SIZE_MAX,
                            "%llu,%.4f,%.4f,%.4f,%.5f,%.5f,%.5f\r\n",
                            (unsigned long long)time_us, gyro_deg_s[0], gyro_deg_s[1],
                            gyro_deg_s[2], accel_g[0], accel_g[1], accel_g[2]);
}

size_t encoder_text_flex(unsigned count, uint8_t *bytes)
{
    return (size_t)snprintf((char *)bytes, ENCODER_TEXT_SIZE_MAX, "%u\r\n", count);
}
