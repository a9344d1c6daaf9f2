#include "tests/acquisition/dialogue_support.h"

#include <check.h>
#include <math.h>
#include <string.h>

void dialogue_init(struct dialogue *dialogue, const char *driver, double asked_hz,
                   double model_rate_hz)
{
    const struct driver_settings settings = {.rate_hz = asked_hz};
    memset(dialogue, 0, sizeof *dialogue);
    collected_init(&dialogue->collected, driver, &settings);
    dialogue->model.type = device_model_find(driver);
    ck_assert_ptr_nonnull(dialogue->model.type);
    dialogue->model.type->init(&dialogue->model, model_rate_hz, 4711);
    dialogue->reading.accel_g[2] = 1.0;
    dialogue->reading.gyro_deg_s[0] = 10.0;
    dialogue->reading.orientation.w = 1.0;
}

void dialogue_free(struct dialogue *dialogue)
{
    collected_free(&dialogue->collected);
}

size_t dialogue_ask(struct dialogue *dialogue, const void *command, size_t size,
                    uint8_t *answer)
{
    return dialogue->model.type->hear(&dialogue->model, dialogue->now_us, command, size,
                                      answer);
}

static void command_pass(struct dialogue *dialogue, size_t size)
{
    uint8_t answer[DEVICE_MODEL_OUT_MAX];
    ck_assert_uint_le(size, DRIVER_COMMAND_MAX);
    dialogue->command[size] = 0;
    dialogue->command_count++;
    if (dialogue->commands_lost > 0) {
        dialogue->commands_lost--;
        return;
    }
    size_t answer_size = dialogue_ask(dialogue, dialogue->command, size, answer);
    if (dialogue->answers_lost > 0) {
        dialogue->answers_lost--;
        return;
    }
    collected_feed(&dialogue->collected, answer, answer_size, 7);
}

static void sample_pass(struct dialogue *dialogue)
{
    const struct device_model_type *type = dialogue->model.type;
    uint8_t bytes[DEVICE_MODEL_OUT_MAX];
    size_t size =
        type->sample(&dialogue->model, dialogue->next_us, &dialogue->reading, bytes);
    collected_feed(&dialogue->collected, bytes, size, 13);
    dialogue->next_us += (uint64_t)llround(type->period_s(&dialogue->model) * 1e6);
}

void dialogue_run(struct dialogue *dialogue, unsigned duration_ms)
{
    struct device *device = &dialogue->collected.device;
    for (unsigned step = 0; step < duration_ms; step++) {
        size_t size = device->driver->command_next(
            &device->context, (int64_t)dialogue->now_us * 1000, dialogue->command);
        if (size > 0) {
            command_pass(dialogue, size);
        }
        dialogue->now_us += 1000;
        while (dialogue->next_us <= dialogue->now_us) {
            sample_pass(dialogue);
        }
    }
}

unsigned dialogue_stop(struct dialogue *dialogue)
{
    struct device *device = &dialogue->collected.device;
    unsigned count = 0;
    for (;; count++) {
        size_t size = device->driver->command_stop(&device->context, dialogue->command);
        if (size == 0) {
            return count;
        }
        ck_assert_uint_lt(count, DRIVER_STOP_MAX);
        command_pass(dialogue, size);
    }
}

const char *dialogue_notice(const struct dialogue *dialogue, unsigned *count)
{
    const struct device *device = &dialogue->collected.device;
    return device->driver->notice_get(&device->context, count);
}
