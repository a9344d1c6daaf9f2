/* Lines of delimited numbers as plain sketches send them: a line of titles, then one line a
 * sample, CRLF. Written apart from the decoder on purpose. Pure; any thread. */
#ifndef LIMBER_SIMULATION_ENCODER_TEXT_H
#define LIMBER_SIMULATION_ENCODER_TEXT_H

#include <stddef.h>
#include <stdint.h>

enum {
    ENCODER_TEXT_SIZE_MAX = 256
};

/* Titles of the columns below.
 * @param bytes  Out: room for ENCODER_TEXT_SIZE_MAX, also below.
 * @return Size. */
size_t encoder_text_inertial_titles(uint8_t *bytes);
size_t encoder_text_flex_titles(uint8_t *bytes);

/* "1000000,0.0000, ...": time in us, gyroscope x y z in deg/s, accelerometer x y z in g. */
size_t encoder_text_inertial(uint64_t time_us, const double gyro_deg_s[3],
                             const double accel_g[3], uint8_t *bytes);

/* "512": raw counts. */
size_t encoder_text_flex(unsigned count, uint8_t *bytes);

#endif
