/* What wire formats share: numbers in text against the C library, stuffing and checksums
 * against their inverse. Inputs lie in memory of exactly their size. */
#include <float.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "acquisition/framing.h"
#include "base/decimal.h"
#include "tests/fuzz/fuzz_driver.h"
#include "tests/fuzz/fuzz_file.h"

enum {
    NUMBER_MAX = 64,
    DIGIT_EXACT_MAX = 19
};

static void number_look(const char *text, size_t size)
{
    double value = -1.5;
    size_t used = framing_number(text, size, &value);
    char copy[NUMBER_MAX + 1] = "";
    fuzz_demand(used <= size && used <= NUMBER_MAX);
    if (used == 0) {
        fuzz_demand(value == -1.5);
        return;
    }
    memcpy(copy, text, used);
    char *end = NULL;
    double wanted = strtod(copy, &end);
    fuzz_demand(isfinite(value) && end == copy + used);
    /* One rounding of the digits and one for each 22 powers of ten, of half a unit each. */
    bool is_plain = used <= DIGIT_EXACT_MAX && !strpbrk(copy, "eE");
    double tolerance = (is_plain ? 1.0 : 7.5) * DBL_EPSILON;
    fuzz_demand(fabs(value - wanted) <= tolerance * fabs(wanted));
}

static void integer_look(const char *text, size_t size)
{
    uint64_t value = 7;
    size_t used = framing_integer(text, size, &value);
    fuzz_demand(used <= size);
    if (used > 0 && used <= DIGIT_EXACT_MAX) {
        char copy[DIGIT_EXACT_MAX + 1] = "";
        memcpy(copy, text, used);
        fuzz_demand(strtoull(copy, NULL, 10) == value);
    }
    fuzz_demand(used > 0 || value == 7);
}

static size_t stuff(const struct framing_stuffing *stuffing, const uint8_t *bytes,
                    size_t size, uint8_t *out)
{
    size_t written = 0;
    for (size_t index = 0; index < size; index++) {
        bool is_end = bytes[index] == stuffing->end;
        if (is_end || bytes[index] == stuffing->escape) {
            out[written++] = stuffing->escape;
            out[written++] = is_end ? stuffing->end_code : stuffing->escape_code;
        } else {
            out[written++] = bytes[index];
        }
    }
    return written;
}

static void stuffing_look(const uint8_t *bytes, size_t size)
{
    static const struct framing_stuffing stuffing = {0xDB, 0xC0, 0xDC, 0xDD};
    uint8_t *plain = malloc(size + 1);
    uint8_t *stuffed = malloc(2 * size + 1);
    uint8_t *again = malloc(2 * size + 1);
    fuzz_demand(plain && stuffed && again);
    int plain_size = framing_unstuff(&stuffing, bytes, size, plain);
    fuzz_demand(plain_size <= (int)size);
    size_t stuffed_size = stuff(&stuffing, bytes, size, stuffed);
    fuzz_demand(framing_unstuff(&stuffing, stuffed, stuffed_size, again) == (int)size);
    fuzz_demand(memcmp(again, bytes, size) == 0);
    free(plain);
    free(stuffed);
    free(again);
}

/* Every check sees a single flipped bit. */
static void checksums_look(uint8_t *bytes, size_t size)
{
    const size_t bit = (size_t)bytes[0] * 31 % (8 * size);
    const uint8_t sum = framing_sum8(bytes, size);
    const uint16_t crc = framing_crc16(bytes, size);
    const uint16_t fletcher = framing_fletcher8(bytes, size);
    bytes[bit / 8] ^= (uint8_t)(1u << bit % 8);
    fuzz_demand(sum != framing_sum8(bytes, size) && crc != framing_crc16(bytes, size)
                && fletcher != framing_fletcher8(bytes, size));
    bytes[bit / 8] ^= (uint8_t)(1u << bit % 8);
}

/* What a float is written as reads back as the same float. */
static void decimal_look(const uint8_t *bytes)
{
    char text[DECIMAL_SIZE_MAX];
    float value = framing_f32(bytes);
    if (!isfinite(value)) {
        return;
    }
    size_t size = decimal_float(value, text);
    double read = 0.0;
    fuzz_demand(size <= sizeof text && framing_number(text, size, &read) == size);
    fuzz_demand((float)read == value);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    uint8_t *bytes = malloc(size > 0 ? size : 1);
    fuzz_demand(bytes);
    memcpy(bytes, data, size);
    for (size_t at = 0; at < size; at++) {
        number_look((const char *)bytes + at, size - at);
        integer_look((const char *)bytes + at, size - at);
    }
    stuffing_look(bytes, size);
    if (size > 0) {
        checksums_look(bytes, size);
    }
    for (size_t at = 0; at + 4 <= size; at += 4) {
        decimal_look(bytes + at);
    }
    free(bytes);
    return 0;
}
