#include "tests/support/rig_device.h"

#include <math.h>
#include <string.h>

#include "base/units.h"

static const double SWING_RAD = 30.0 * RAD_PER_DEG;
static const double SWING_HZ = 0.2;

/* What a device feels that is turned about x. */
static void turned_reading(double angle_rad, double rate_rad_s,
                           struct device_reading *reading)
{
    memset(reading, 0, sizeof *reading);
    reading->gyro_deg_s[0] = rate_rad_s * DEG_PER_RAD;
    reading->accel_g[1] = sin(angle_rad);
    reading->accel_g[2] = cos(angle_rad);
    /* Field of middle Europe: 20 uT north, 44 uT down. */
    reading->field_ut[1] = 20.0 * cos(angle_rad) - 44.0 * sin(angle_rad);
    reading->field_ut[2] = -20.0 * sin(angle_rad) - 44.0 * cos(angle_rad);
    reading->orientation.w = cos(angle_rad / 2.0);
    reading->orientation.x = sin(angle_rad / 2.0);
    reading->temperature_deg_c = 31.5;
    reading->battery_percent = 85.0;
}

void rig_device_reading(uint64_t time_us, struct device_reading *reading)
{
    double phase = 2.0 * PI_RAD * SWING_HZ * (double)time_us * 1e-6;
    turned_reading(SWING_RAD * sin(phase), SWING_RAD * cos(phase) * 2.0 * PI_RAD * SWING_HZ,
                   reading);
    for (unsigned i = 0; i < DEVICE_MODEL_ANALOG_COUNT; i++) {
        reading->analog_share[i] = 0.5 + 0.3 * sin(phase + 0.1 * i);
    }
}

/* Half a cosine from one angle to the other. */
static void pose_reading(const struct rig_pose *pose, uint64_t time_us,
                         struct device_reading *reading)
{
    double way_rad = pose->to_rad - pose->from_rad;
    double duration_s = (double)pose->duration_us * 1e-6;
    bool is_moving = time_us < pose->start_us + pose->duration_us;
    double phase = is_moving
                       ? PI_RAD * (double)(time_us - pose->start_us) * 1e-6 / duration_s
                       : PI_RAD;
    double rate_rad_s = is_moving ? way_rad * 0.5 * sin(phase) * PI_RAD / duration_s : 0.0;
    turned_reading(pose->from_rad + way_rad * 0.5 * (1.0 - cos(phase)), rate_rad_s,
                   reading);
}

void rig_device_pose(struct rig_device *device, double angle_rad, double duration_s)
{
    struct rig_pose *pose = &device->pose;
    pose->from_rad = pose->is_set ? pose->to_rad : 0.0;
    pose->to_rad = angle_rad;
    pose->start_us = device->next_us;
    pose->duration_us = (uint64_t)llround(duration_s * 1e6);
    pose->is_set = true;
}

bool rig_queue_put(struct rig_queue *queue, const uint8_t *bytes, size_t size)
{
    unsigned capacity = sizeof queue->sizes / sizeof queue->sizes[0];
    if (queue->count == capacity || queue->used + size > sizeof queue->bytes) {
        return false;
    }
    memcpy(queue->bytes + queue->used, bytes, size);
    queue->used += size;
    queue->sizes[(queue->first + queue->count++) % capacity] = size;
    return true;
}

size_t rig_queue_take(struct rig_queue *queue, uint8_t *bytes, size_t capacity)
{
    if (queue->count == 0) {
        return 0;
    }
    size_t size = queue->sizes[queue->first];
    queue->first = (queue->first + 1) % (sizeof queue->sizes / sizeof queue->sizes[0]);
    queue->count--;
    size_t given = size < capacity ? size : capacity;
    memcpy(bytes, queue->bytes, given);
    queue->used -= size;
    memmove(queue->bytes, queue->bytes + size, queue->used);
    return given;
}

void rig_queue_clear(struct rig_queue *queue)
{
    queue->first = 0;
    queue->count = 0;
    queue->used = 0;
}

void rig_device_start(struct rig_device *device, const struct device_model_type *type,
                      double rate_hz, uint32_t serial)
{
    memset(device, 0, sizeof *device);
    device->model.type = type;
    device->rate_hz = rate_hz;
    type->init(&device->model, rate_hz, serial);
}

bool rig_device_init(struct rig_device *device, const char *driver, double rate_hz,
                     uint32_t serial)
{
    const struct device_model_type *type = device_model_find(driver);
    if (type) {
        rig_device_start(device, type, rate_hz, serial);
    }
    return type != NULL;
}

void rig_device_open(struct rig_device *device)
{
    uint8_t bytes[DEVICE_MODEL_OUT_MAX];
    if (device->model.type->open) {
        size_t size = device->model.type->open(&device->model, device->now_us, bytes);
        rig_queue_put(&device->replies, bytes, size);
    }
}

static uint64_t period_us(const struct rig_device *device)
{
    const struct device_model_type *type = device->model.type;
    double period_s = 1.0 / (device->rate_hz > 0.0 ? device->rate_hz : type->rate_hz);
    if (device->rate_hz <= 0.0 && type->period_s) {
        period_s = type->period_s(&device->model);
    }
    uint64_t period = (uint64_t)llround(period_s * 1e6);
    return period > 0 ? period : 1;
}

void rig_device_advance(struct rig_device *device, uint64_t now_us)
{
    uint8_t bytes[DEVICE_MODEL_OUT_MAX];
    while (device->next_us <= now_us) {
        struct device_reading reading;
        device->now_us = device->next_us;
        if (device->pose.is_set) {
            pose_reading(&device->pose, device->next_us, &reading);
        } else {
            rig_device_reading(device->next_us, &reading);
        }
        reading.is_pressed = device->is_pressed;
        size_t size =
            device->model.type->sample(&device->model, device->next_us, &reading, bytes);
        if (size > 0 && rig_queue_put(&device->samples, bytes, size)) {
            device->sent_count++;
        } else if (size > 0) {
            device->lost_count++;
        }
        device->next_us += period_us(device);
    }
    device->now_us = now_us;
}

void rig_device_hear(struct rig_device *device, const uint8_t *bytes, size_t size)
{
    uint8_t reply[DEVICE_MODEL_OUT_MAX];
    if (!device->model.type->hear) {
        return;
    }
    size_t reply_size =
        device->model.type->hear(&device->model, device->now_us, bytes, size, reply);
    if (reply_size > 0) {
        rig_queue_put(&device->replies, reply, reply_size);
    }
}
