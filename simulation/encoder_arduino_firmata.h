/* An Arduino Uno with StandardFirmata (firmata/protocol 2.5): answers what it is asked and
 * reports analog channels that were switched on. Written apart from the decoder on purpose.
 * Pure; one thread. */
#ifndef LIMBER_SIMULATION_ENCODER_ARDUINO_FIRMATA_H
#define LIMBER_SIMULATION_ENCODER_ARDUINO_FIRMATA_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum {
    ENCODER_FIRMATA_CHANNEL_COUNT = 6,
    ENCODER_FIRMATA_REPLY_MAX = 512 /* of any one answer */
};

struct encoder_firmata {
    bool reports[ENCODER_FIRMATA_CHANNEL_COUNT];
    unsigned interval_ms;
    uint8_t message[64]; /* not ended yet */
    size_t message_size;
};

void encoder_firmata_init(struct encoder_firmata *encoder);

/* What the board says after switching on: version and name.
 * @return Size, at most ENCODER_FIRMATA_REPLY_MAX. */
size_t encoder_firmata_boot(struct encoder_firmata *encoder, uint8_t *bytes);

/* Take bytes sent to the board.
 * @param reply     Out: what it answers; answers that find no room are not sent.
 * @return Size of the reply. */
size_t encoder_firmata_hear(struct encoder_firmata *encoder, const uint8_t *bytes,
                            size_t size, uint8_t *reply, size_t capacity);

/* True when any channel is switched on. */
bool encoder_firmata_is_reporting(const struct encoder_firmata *encoder);

/* Reports of one interval: all channels that are on, lowest first.
 * @param counts  Of all channels, 0 .. 16383.
 * @return Size, at most 3 bytes a channel. */
size_t encoder_firmata_scan(const struct encoder_firmata *encoder,
                            const unsigned counts[ENCODER_FIRMATA_CHANNEL_COUNT],
                            uint8_t *bytes);

#endif
