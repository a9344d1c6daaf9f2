/* BNO08x in UART-RVC mode: deaf, 100 reports a second with an index. Angles as its data
 * sheet's example has them: aircraft axes (y of the board forward, x right, z down), yaw
 * clockwise as seen from above, since the start. */
#include "simulation/model_bno08x_rvc.h"

#include <math.h>
#include <string.h>

#include "base/units.h"

enum {
    REPORT_SIZE = 19
};

static const double FULL_SCALE_MG = 8000.0; /* +-8 g; BNO080 data sheet, accelerometer */

struct rvc_model {
    uint8_t index;
    uint8_t motion[2];
    bool has_banner;
};

static struct rvc_model *of(struct device_model *model)
{
    return (struct rvc_model *)(void *)model->state;
}

static void model_init(struct device_model *model, double rate_hz, uint32_t serial)
{
    (void)rate_hz; /* it knows one rate */
    (void)serial;  /* and has no number */
    memset(of(model), 0, sizeof(struct rvc_model));
}

static size_t model_open(struct device_model *model, uint64_t time_us, uint8_t *bytes)
{
    static const char banner[] = "%Hillcrest Labs 10003608\r\n%SW Ver 3.2.x\r\n";
    (void)time_us;
    if (!of(model)->has_banner) {
        return 0;
    }
    memcpy(bytes, banner, sizeof banner - 1);
    return sizeof banner - 1;
}

static uint8_t *word_append(uint8_t *to, double value)
{
    long word = lround(fmin(fmax(value, -32768.0), 32767.0));
    *to++ = (uint8_t)(word & 0xFF);
    *to++ = (uint8_t)((unsigned long)word >> 8 & 0xFF);
    return to;
}

/* Angles from the rows of the rotation matrix (board to earth, z up): the board's y axis
 * points along the heading and up by the pitch. */
static void angles_of(const struct quaternion *orientation, double angles_rad[3])
{
    double matrix[3][3];
    quaternion_to_matrix(quaternion_normalise(*orientation), matrix);
    double forward_up = fmin(fmax(matrix[2][1], -1.0), 1.0);
    angles_rad[0] = atan2(matrix[0][1], matrix[1][1]);
    angles_rad[1] = asin(forward_up);
    angles_rad[2] = atan2(-matrix[2][0], matrix[2][2]);
}

static size_t model_sample(struct device_model *model, uint64_t time_us,
                           const struct device_reading *reading, uint8_t *bytes)
{
    struct rvc_model *state = of(model);
    double angles_rad[3];
    (void)time_us;
    angles_of(&reading->orientation, angles_rad);
    uint8_t *to = bytes;
    *to++ = 170;
    *to++ = 170;
    *to++ = state->index++;
    for (unsigned i = 0; i < 3; i++) {
        to = word_append(to, angles_rad[i] * DEG_PER_RAD * 100.0);
    }
    for (unsigned i = 0; i < 3; i++) {
        double mg = reading->accel_g[i] * 1000.0;
        to = word_append(to, fmin(fmax(mg, -FULL_SCALE_MG), FULL_SCALE_MG));
    }
    *to++ = state->motion[0];
    *to++ = state->motion[1];
    *to++ = 0;
    unsigned sum = 0;
    for (const uint8_t *from = bytes + 2; from < to; from++) {
        sum += *from;
    }
    *to = (uint8_t)(sum % 256);
    return REPORT_SIZE;
}

void model_bno08x_rvc_banner_set(struct device_model *model, bool has_banner)
{
    of(model)->has_banner = has_banner;
}

void model_bno08x_rvc_motion_set(struct device_model *model, uint8_t intent,
                                 uint8_t request)
{
    of(model)->motion[0] = intent;
    of(model)->motion[1] = request;
}

void model_bno08x_rvc_skip(struct device_model *model, unsigned report_count)
{
    of(model)->index = (uint8_t)(of(model)->index + report_count);
}

extern const struct device_model_type model_bno08x_rvc;

const struct device_model_type model_bno08x_rvc = {
    .driver = "bno08x-rvc",
    .has_inertial = true,
    .rate_hz = 100.0,
    .init = model_init,
    .open = model_open,
    .sample = model_sample,
};
