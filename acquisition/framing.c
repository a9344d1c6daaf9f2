#include "acquisition/framing.h"

#include <string.h>

/* Powers of ten that a double holds exactly. */
static const double POWERS[] = {1e0,  1e1,  1e2,  1e3,  1e4,  1e5,  1e6,  1e7,
                                1e8,  1e9,  1e10, 1e11, 1e12, 1e13, 1e14, 1e15,
                                1e16, 1e17, 1e18, 1e19, 1e20, 1e21, 1e22};

enum {
    POWER_MAX = 22,
    DIGIT_MAX = 19,     /* decimal digits that always fit in 64 bits */
    EXPONENT_MAX = 300, /* beyond, a reading is not a measurement */
    FIELD_MAX = 64      /* longest number looked at */
};

uint8_t framing_sum8(const uint8_t *bytes, size_t size)
{
    unsigned sum = 0;
    for (size_t index = 0; index < size; index++) {
        sum += bytes[index];
    }
    return (uint8_t)sum;
}

uint16_t framing_crc16(const uint8_t *bytes, size_t size)
{
    /* Sixteen steps of the shift register at once, by shifts instead of a table: what
     * leaves the register at its top, and what that brings out in turn, is the sum of the
     * word shifted down by 4, 8, 11 and 12; each of these bits goes in again at the places
     * 0, 5 and 12 of the polynomial. */
    unsigned crc = 0;
    size_t index = 0;
    for (; index + 2 <= size; index += 2) {
        unsigned word = crc ^ framing_u16_be(bytes + index);
        word ^= word >> 4 ^ word >> 8 ^ word >> 11 ^ word >> 12;
        crc = (word ^ word << 5 ^ word << 12) & 0xFFFF;
    }
    if (index < size) {
        unsigned byte = crc >> 8 ^ bytes[index];
        byte ^= byte >> 4;
        crc = (crc << 8 ^ byte ^ byte << 5 ^ byte << 12) & 0xFFFF;
    }
    return (uint16_t)crc;
}

uint16_t framing_fletcher8(const uint8_t *bytes, size_t size)
{
    unsigned first = 0;
    unsigned second = 0;
    for (size_t index = 0; index < size; index++) {
        first += bytes[index];
        second += first;
    }
    return (uint16_t)((first & 0xFF) << 8 | (second & 0xFF));
}

int framing_unstuff(const struct framing_stuffing *stuffing, const uint8_t *bytes,
                    size_t size, uint8_t *out)
{
    size_t written = 0;
    for (size_t index = 0; index < size; index++) {
        uint8_t byte = bytes[index];
        if (byte == stuffing->escape) {
            if (++index == size) {
                return -1;
            }
            if (bytes[index] == stuffing->end_code) {
                byte = stuffing->end;
            } else if (bytes[index] != stuffing->escape_code) {
                return -1;
            }
        }
        out[written++] = byte;
    }
    return (int)written;
}

static bool is_digit(char character)
{
    return character >= '0' && character <= '9';
}

/* Digits of a number: mantissa * 10^exponent. */
struct decimal {
    uint64_t mantissa;
    int exponent;
    unsigned digit_count;
};

static size_t digits_read(const char *text, size_t size, bool is_fraction,
                          struct decimal *decimal)
{
    size_t used = 0;
    while (used < size && is_digit(text[used])) {
        if (decimal->mantissa < 1000000000000000000u) {
            decimal->mantissa = decimal->mantissa * 10 + (uint64_t)(text[used] - '0');
            decimal->exponent -= is_fraction;
        } else {
            decimal->exponent += !is_fraction;
        }
        decimal->digit_count++;
        used++;
    }
    return used;
}

/* "e-3" at the front of text; reads nothing if it is not whole. */
static size_t exponent_read(const char *text, size_t size, int *exponent)
{
    if (size < 2 || (text[0] != 'e' && text[0] != 'E')) {
        return 0;
    }
    size_t used = 1;
    bool is_negative = text[used] == '-';
    if (is_negative || text[used] == '+') {
        used++;
    }
    size_t first = used;
    int value = 0;
    while (used < size && is_digit(text[used])) {
        value = value < 10000 ? value * 10 + (text[used] - '0') : value;
        used++;
    }
    if (used == first) {
        return 0;
    }
    *exponent += is_negative ? -value : value;
    return used;
}

static double decimal_scale(double value, int exponent)
{
    for (; exponent > POWER_MAX; exponent -= POWER_MAX) {
        value *= POWERS[POWER_MAX];
    }
    for (; exponent < -POWER_MAX; exponent += POWER_MAX) {
        value /= POWERS[POWER_MAX];
    }
    return exponent < 0 ? value / POWERS[-exponent] : value * POWERS[exponent];
}

size_t framing_number(const char *text, size_t size, double *value)
{
    struct decimal decimal = {0};
    size = size < FIELD_MAX ? size : FIELD_MAX;
    size_t used = 0;
    bool is_negative = size > 0 && text[0] == '-';
    if (is_negative || (size > 0 && text[0] == '+')) {
        used++;
    }
    used += digits_read(text + used, size - used, false, &decimal);
    if (used < size && text[used] == '.') {
        used++;
        used += digits_read(text + used, size - used, true, &decimal);
    }
    if (decimal.digit_count == 0) {
        return 0;
    }
    used += exponent_read(text + used, size - used, &decimal.exponent);
    if (decimal.exponent > EXPONENT_MAX - DIGIT_MAX || decimal.exponent < -EXPONENT_MAX) {
        return 0;
    }
    double result = decimal_scale((double)decimal.mantissa, decimal.exponent);
    *value = is_negative ? -result : result;
    return used;
}

size_t framing_integer(const char *text, size_t size, uint64_t *value)
{
    uint64_t result = 0;
    size_t used = 0;
    while (used < size && is_digit(text[used])) {
        uint64_t digit = (uint64_t)(text[used] - '0');
        if (result > (UINT64_MAX - digit) / 10) {
            return 0;
        }
        result = result * 10 + digit;
        used++;
    }
    if (used > 0) {
        *value = result;
    }
    return used;
}
