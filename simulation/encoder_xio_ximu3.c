#include "simulation/encoder_xio_ximu3.h"

#include <assert.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum {
    END = 0x0A,
    ESCAPE = 0xDB,
    ESCAPED_END = 0xDC,
    ESCAPED_ESCAPE = 0xDD,
    BINARY_BIT = 0x80
};

static size_t stuff(uint8_t byte, uint8_t *bytes)
{
    if (byte != END && byte != ESCAPE) {
        bytes[0] = byte;
        return 1;
    }
    bytes[0] = ESCAPE;
    bytes[1] = byte == END ? ESCAPED_END : ESCAPED_ESCAPE;
    return 2;
}

size_t encoder_ximu3_binary(char letter, uint64_t time_us, const float *values,
                            unsigned count, uint8_t *bytes)
{
    assert(count <= ENCODER_XIMU3_FLOAT_MAX);
    size_t size = stuff((uint8_t)((unsigned char)letter | BINARY_BIT), bytes);
    for (unsigned shift = 0; shift < 64; shift += 8) {
        size += stuff((uint8_t)(time_us >> shift), bytes + size);
    }
    for (unsigned i = 0; i < count; i++) {
        uint32_t bits;
        memcpy(&bits, &values[i], sizeof bits);
        for (unsigned shift = 0; shift < 32; shift += 8) {
            size += stuff((uint8_t)(bits >> shift), bytes + size);
        }
    }
    bytes[size++] = END;
    return size;
}

size_t encoder_ximu3_ascii(char letter, uint64_t time_us, const float *values,
                           unsigned count, uint8_t *bytes)
{
    assert(count <= ENCODER_XIMU3_FLOAT_MAX);
    char *text = (char *)bytes;
    size_t size = (size_t)snprintf(text, ENCODER_XIMU3_SIZE_MAX, "%c,%llu", letter,
                                   (unsigned long long)time_us);
    for (unsigned i = 0; i < count; i++) {
        double value = fmax(-999999.9999, fmin(999999.9999, (double)values[i]));
        size +=
            (size_t)snprintf(text + size, ENCODER_XIMU3_SIZE_MAX - size, ",%.4f", value);
    }
    bytes[size++] = END;
    return size;
}

void encoder_ximu3_init(struct encoder_ximu3 *encoder)
{
    memset(encoder, 0, sizeof *encoder);
    encoder->is_binary = true;
}

/* Value text of a one-key command, or NULL when it has another key. */
static const char *command_value(const char *command, const char *key)
{
    const char *start = strchr(command, '"');
    size_t size = strlen(key);
    if (!start || strncmp(start + 1, key, size) != 0 || start[1 + size] != '"') {
        return NULL;
    }
    const char *colon = strchr(start + 1 + size, ':');
    return colon ? colon + 1 + strspn(colon + 1, " ") : NULL;
}

/* Obey one command. Settings are confirmed by repeating them. */
static size_t command_obey(struct encoder_ximu3 *encoder, const char *command, char *reply,
                           size_t capacity)
{
    const char *binary = command_value(command, "binary_mode_enabled");
    const char *divisor = command_value(command, "inertial_message_rate_divisor");
    if (binary && strncmp(binary, "null", 4) != 0) {
        encoder->is_binary = strncmp(binary, "true", 4) == 0;
    }
    if (divisor && strncmp(divisor, "null", 4) != 0) {
        encoder->divisor = (unsigned)strtoul(divisor, NULL, 10);
    }
    int size;
    if (command_value(command, "ping")) {
        size = snprintf(reply, capacity,
                        "{\"ping\":{\"interface\":\"USB\",\"name\":\"x-IMU3\",\"sn\":"
                        "\"51D00001\"}}\n");
    } else {
        size = snprintf(reply, capacity, "%s\n", command);
    }
    return size > 0 && (size_t)size < capacity ? (size_t)size : 0;
}

size_t encoder_ximu3_hear(struct encoder_ximu3 *encoder, const uint8_t *bytes, size_t size,
                          uint8_t *reply, size_t capacity)
{
    size_t reply_size = 0;
    for (size_t i = 0; i < size; i++) {
        if (bytes[i] != END) {
            if (encoder->command_size + 1 < sizeof encoder->command) {
                encoder->command[encoder->command_size++] = (char)bytes[i];
            }
            continue;
        }
        encoder->command[encoder->command_size] = '\0';
        encoder->command_size = 0;
        if (encoder->command[0] == '{') {
            reply_size += command_obey(encoder, encoder->command,
                                       (char *)reply + reply_size, capacity - reply_size);
        }
    }
    return reply_size;
}
