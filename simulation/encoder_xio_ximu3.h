/* Puts x-IMU3 messages on the wire (x-io user manual, communication protocol) and answers
 * commands. Written apart from the decoder on purpose. Pure; one thread. */
#ifndef LIMBER_SIMULATION_ENCODER_XIO_XIMU3_H
#define LIMBER_SIMULATION_ENCODER_XIO_XIMU3_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum {
    ENCODER_XIMU3_FLOAT_MAX = 9,
    ENCODER_XIMU3_SIZE_MAX = 256 /* of any message it writes */
};

/* A binary data message.
 * @param letter  'I' inertial, 'T' temperature, 'B' battery ...
 * @param values  count up to ENCODER_XIMU3_FLOAT_MAX.
 * @param bytes   Out: room for ENCODER_XIMU3_SIZE_MAX.
 * @return Size. */
size_t encoder_ximu3_binary(char letter, uint64_t time_us, const float *values,
                            unsigned count, uint8_t *bytes);

/* The same as text: "I,1000000,0.0000, ...". */
size_t encoder_ximu3_ascii(char letter, uint64_t time_us, const float *values,
                           unsigned count, uint8_t *bytes);

/* What commands change. */
struct encoder_ximu3 {
    bool is_binary;
    unsigned divisor;  /* of 400 Hz; 0 = not told, keep the nominal rate */
    char command[128]; /* not ended yet */
    size_t command_size;
};

void encoder_ximu3_init(struct encoder_ximu3 *encoder);

/* Take bytes sent to the device.
 * @param reply     Out: what it answers.
 * @param capacity  Replies that find no room are not sent.
 * @return Size of the reply. */
size_t encoder_ximu3_hear(struct encoder_ximu3 *encoder, const uint8_t *bytes, size_t size,
                          uint8_t *reply, size_t capacity);

#endif
