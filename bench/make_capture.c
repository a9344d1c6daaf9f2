/* Writes a synthetic x-IMU3 capture, from the model as the maker ships it, to standard
 * output: what `limber decode` is measured with (scripts/bench --decode-gigabyte).
 *
 * make_capture SIZE    in bytes; the last sample is whole, so a few more may come */
#include <math.h>
#include <stdio.h>
#include <stdlib.h>

#include "simulation/device_model.h"

static const uint64_t PERIOD_US = 10000; /* 100 Hz */

static void reading_make(uint64_t i, struct device_reading *reading)
{
    double phase = 0.01 * (double)i;
    *reading = (struct device_reading){.orientation = QUATERNION_IDENTITY,
                                       .temperature_deg_c = 31.5,
                                       .battery_percent = 85.0};
    for (unsigned axis = 0; axis < 3; axis++) {
        reading->gyro_deg_s[axis] = 40.0 * sin(phase * (1.0 + 0.1 * axis));
        reading->accel_g[axis] = 0.05 * sin(phase * (2.0 + 0.1 * axis));
    }
    reading->accel_g[2] += 1.0;
}

int main(int count, char **arguments)
{
    unsigned long long wanted = count == 2 ? strtoull(arguments[1], NULL, 10) : 0;
    if (wanted == 0) {
        fprintf(stderr, "usage: make_capture SIZE >FILE\n");
        return 2;
    }
    struct device_model model = {.type = device_model_find("xio-ximu3")};
    model.type->init(&model, 0.0, 1);
    unsigned long long written = 0;
    for (uint64_t i = 0; written < wanted; i++) {
        struct device_reading reading;
        uint8_t bytes[DEVICE_MODEL_OUT_MAX];
        reading_make(i, &reading);
        size_t size = model.type->sample(&model, PERIOD_US * (i + 1), &reading, bytes);
        if (fwrite(bytes, 1, size, stdout) != size) {
            perror("make_capture");
            return 1;
        }
        written += size;
    }
    return fflush(stdout) == 0 ? 0 : 1;
}
