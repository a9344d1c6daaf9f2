/* A plain sketch that prints lines of delimited numbers: a line of titles once the port was
 * opened, then one line a sample, CRLF. Serial numbers from DEVICE_MODEL_SERIAL_ANALOG on
 * print raw counts of one analog input, others an inertial unit with its time. */
#include <math.h>
#include <stdio.h>
#include <string.h>

#include "simulation/device_model.h"

enum {
    LINE_MAX_SIZE = 256
};

static const double FULL_COUNT = 1023.0;

struct text {
    bool is_analog;
    bool has_titles; /* already sent */
};

_Static_assert(sizeof(struct text) <= DEVICE_MODEL_STATE_SIZE, "state too small");

static struct text *text_of(struct device_model *model)
{
    return (struct text *)(void *)model->state;
}

static void text_init(struct device_model *model, double rate_hz, uint32_t serial)
{
    struct text *text = text_of(model);
    (void)rate_hz; /* whoever calls sample sets the pace */
    memset(text, 0, sizeof *text);
    text->is_analog = serial >= (uint32_t)DEVICE_MODEL_SERIAL_ANALOG;
}

/* The titles come with the first line. */
static size_t text_open(struct device_model *model, uint64_t time_us, uint8_t *bytes)
{
    (void)time_us;
    (void)bytes;
    text_of(model)->has_titles = false;
    return 0;
}

static size_t titles_print(bool is_analog, char *line)
{
    const char *titles =
        is_analog ? "analog_0_count"
                  : "time_us,gyroscope_x_deg_s,gyroscope_y_deg_s,gyroscope_z_deg_s,"
                    "accelerometer_x_g,accelerometer_y_g,accelerometer_z_g";
    return (size_t)snprintf(line, LINE_MAX_SIZE, "%s\r\n", titles);
}

static size_t inertial_print(uint64_t time_us, const struct device_reading *reading,
                             char *line)
{
    const double *gyro = reading->gyro_deg_s;
    const double *accel = reading->accel_g;
    return (size_t)snprintf(line, LINE_MAX_SIZE, "%llu,%.4f,%.4f,%.4f,%.5f,%.5f,%.5f\r\n",
                            (unsigned long long)time_us, gyro[0], gyro[1], gyro[2],
                            accel[0], accel[1], accel[2]);
}

static size_t text_sample(struct device_model *model, uint64_t time_us,
                          const struct device_reading *reading, uint8_t *bytes)
{
    struct text *text = text_of(model);
    char *line = (char *)bytes;
    size_t size = text->has_titles ? 0 : titles_print(text->is_analog, line);
    text->has_titles = true;
    if (!text->is_analog) {
        return size + inertial_print(time_us, reading, line + size);
    }
    double share = fmax(0.0, fmin(1.0, reading->analog_share[0]));
    return size
           + (size_t)snprintf(line + size, LINE_MAX_SIZE, "%ld\r\n",
                              lround(FULL_COUNT * share));
}

extern const struct device_model_type model_text;

const struct device_model_type model_text = {
    .driver = "text",
    .has_inertial = true,
    .has_analog = true,
    .rate_hz = 100.0,
    .init = text_init,
    .open = text_open,
    .sample = text_sample,
};
