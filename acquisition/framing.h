/* What wire formats share: readers of numbers, checksums, byte un-stuffing, and numbers in
 * text read the same in every locale. Pure; any thread. */
#ifndef LIMBER_ACQUISITION_FRAMING_H
#define LIMBER_ACQUISITION_FRAMING_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

/* Readers of numbers, lowest byte first; in the header because every decoder lives in them.
 */
static inline uint16_t framing_u16(const uint8_t bytes[2])
{
    return (uint16_t)(bytes[0] | bytes[1] << 8);
}

static inline int16_t framing_i16(const uint8_t bytes[2])
{
    return (int16_t)framing_u16(bytes);
}

static inline uint32_t framing_u32(const uint8_t bytes[4])
{
    return (uint32_t)bytes[0] | (uint32_t)bytes[1] << 8 | (uint32_t)bytes[2] << 16
           | (uint32_t)bytes[3] << 24;
}

static inline uint64_t framing_u64(const uint8_t bytes[8])
{
    return (uint64_t)framing_u32(bytes) | (uint64_t)framing_u32(bytes + 4) << 32;
}

static inline float framing_f32_of(uint32_t bits)
{
    float value;
    memcpy(&value, &bits, sizeof value);
    return value;
}

static inline float framing_f32(const uint8_t bytes[4])
{
    return framing_f32_of(framing_u32(bytes));
}

/* The same with the highest byte first. */
static inline uint16_t framing_u16_be(const uint8_t bytes[2])
{
    return (uint16_t)(bytes[0] << 8 | bytes[1]);
}

static inline uint32_t framing_u32_be(const uint8_t bytes[4])
{
    return (uint32_t)bytes[0] << 24 | (uint32_t)bytes[1] << 16 | (uint32_t)bytes[2] << 8
           | (uint32_t)bytes[3];
}

static inline uint64_t framing_u64_be(const uint8_t bytes[8])
{
    return (uint64_t)framing_u32_be(bytes) << 32 | (uint64_t)framing_u32_be(bytes + 4);
}

static inline float framing_f32_be(const uint8_t bytes[4])
{
    return framing_f32_of(framing_u32_be(bytes));
}

static inline double framing_f64_be(const uint8_t bytes[8])
{
    uint64_t bits = framing_u64_be(bytes);
    double value;
    memcpy(&value, &bits, sizeof value);
    return value;
}

/* Sum of the bytes, mod 256. */
uint8_t framing_sum8(const uint8_t *bytes, size_t size);

/* CRC-16 with polynomial 1021, initial 0, not reflected ("123456789" gives 31C3). */
uint16_t framing_crc16(const uint8_t *bytes, size_t size);

/* Fletcher's two running sums mod 256 (Fletcher 1982); first sum in the high byte. */
uint16_t framing_fletcher8(const uint8_t *bytes, size_t size);

/* Undo SLIP-like stuffing: escape + code -> original byte.
 * @param out   Room for size bytes; must not overlap bytes.
 * @param end   The byte that "escape end_code" stands for.
 * @return Bytes written, or -1 when an escape is cut off or followed by another code. */
struct framing_stuffing {
    uint8_t escape;
    uint8_t end;
    uint8_t end_code;    /* escape, end_code -> end */
    uint8_t escape_code; /* escape, escape_code -> escape */
};

int framing_unstuff(const struct framing_stuffing *stuffing, const uint8_t *bytes,
                    size_t size, uint8_t *out);

/* Read a decimal number ("-12.5", ".5", "1e-3") at the front of text; a point is always the
 * decimal sign, whatever the locale.
 * @param value  Out: within 2 ulp of double for up to 19 digits and a power of ten within
 * 22, within 15 ulp beyond; untouched on failure.
 * @return Characters read, 0 if no finite number stands there. */
size_t framing_number(const char *text, size_t size, double *value);

/* Read an unsigned integer of digits only.
 * @return Characters read, 0 if there is none or it does not fit. */
size_t framing_integer(const char *text, size_t size, uint64_t *value);

#endif
