/* CRC-32C (Castagnoli), the checksum of journal frames. Pure; any thread. */
#ifndef LIMBER_ACQUISITION_CRC32C_H
#define LIMBER_ACQUISITION_CRC32C_H

#include <stddef.h>
#include <stdint.h>

/* Continue a checksum over more bytes.
 * @param crc  0 to start, or what the call over the bytes before returned.
 * Example: crc32c(0, "123456789", 9) is 0xE3069283. */
uint32_t crc32c(uint32_t crc, const void *bytes, size_t size);

#endif
