#include "base/decimal.h"

#include <math.h>
#include <stdio.h>
#include <string.h>

enum {
    DIGIT_COUNT = 9,
    POWER_MAX = 22 /* powers of ten that a double holds exactly */
};

static const double POWERS[POWER_MAX + 1] = {1e0,  1e1,  1e2,  1e3,  1e4,  1e5,  1e6,  1e7,
                                             1e8,  1e9,  1e10, 1e11, 1e12, 1e13, 1e14, 1e15,
                                             1e16, 1e17, 1e18, 1e19, 1e20, 1e21, 1e22};

/* One multiplication is off by half a unit of 53 bits: 1e-7 of the ninth digit. Nearer to a
 * tie than this the slow way decides. */
static const double TIE_MARGIN = 1e-6;

static size_t slow_float(float value, char *text)
{
    char buffer[DECIMAL_SIZE_MAX];
    int size = snprintf(buffer, sizeof buffer, "%.9g", (double)value);
    memcpy(text, buffer, (size_t)size);
    return (size_t)size;
}

/* @return The nine digits of size * 10^(8 - exponent), or 0 where the fast way is not sure.
 */
static uint64_t digits_get(double size, int exponent)
{
    int shift = DIGIT_COUNT - 1 - exponent;
    if (shift < -POWER_MAX || shift > POWER_MAX) {
        return 0;
    }
    double scaled = shift >= 0 ? size * POWERS[shift] : size / POWERS[-shift];
    double whole = floor(scaled);
    double rest = scaled - whole;
    if (fabs(rest - 0.5) < TIE_MARGIN) {
        return 0;
    }
    return (uint64_t)whole + (rest > 0.5);
}

static void digits_write(uint64_t digits, unsigned count, char *text)
{
    for (unsigned i = count; i > 0; i--) {
        text[i - 1] = (char)('0' + digits % 10);
        digits /= 10;
    }
}

/* @param exponent  Of the first digit, -5 .. 8. */
static size_t plain_write(const char *digits, unsigned count, int exponent, char *text)
{
    size_t size = 0;
    if (exponent < 0) {
        text[size++] = '0';
        text[size++] = '.';
        for (int i = -1; i > exponent; i--) {
            text[size++] = '0';
        }
    }
    for (int i = 0; i < (int)count || i <= exponent; i++) {
        if (i == exponent + 1 && exponent >= 0) {
            text[size++] = '.';
        }
        text[size++] = i < (int)count ? digits[i] : '0';
    }
    return size;
}

size_t decimal_float(float value, char *text)
{
    double size = fabs((double)value);
    if (value == 0.0F && !signbit(value)) {
        text[0] = '0';
        return 1;
    }
    if (!(size >= 1e-4 && size < 1e9)) {
        return slow_float(value, text);
    }
    int exponent = -4;
    while (exponent < DIGIT_COUNT - 1
           && size
                  >= (exponent < -1 ? 1.0 / POWERS[-exponent - 1] : POWERS[exponent + 1])) {
        exponent++;
    }
    uint64_t number = digits_get(size, exponent);
    if (number < 100000000 || number >= 1000000000) {
        return slow_float(value, text);
    }
    char digits[DIGIT_COUNT];
    digits_write(number, DIGIT_COUNT, digits);
    unsigned count = DIGIT_COUNT;
    while (count > 1 && digits[count - 1] == '0') {
        count--;
    }
    size_t sign = value < 0.0F;
    text[0] = '-';
    return sign + plain_write(digits, count, exponent, text + sign);
}

size_t decimal_count(uint64_t value, char *text)
{
    unsigned count = 1;
    for (uint64_t rest = value; rest >= 10; rest /= 10) {
        count++;
    }
    digits_write(value, count, text);
    return count;
}

size_t decimal_micro(double value, char *text)
{
    int64_t micro = llround(value * 1e6);
    size_t size = 0;
    if (micro < 0) {
        text[size++] = '-';
        micro = -micro;
    }
    size += decimal_count((uint64_t)micro / 1000000, text + size);
    text[size++] = '.';
    digits_write((uint64_t)micro % 1000000, 6, text + size);
    return size + 6;
}
