/* Mutations with the checksums (and lengths of records) put right again: what else nearly
 * all of them fail at hides the code behind it. FUZZ_TARGET names the target. */
#include <string.h>

#include "acquisition/framing.h"
#include "acquisition/transport.h"
#include "tests/fuzz/fuzz_driver.h"

/* libFuzzer's own. */
size_t LLVMFuzzerMutate(uint8_t *data, size_t size, size_t max_size);

/* Called by libFuzzer instead of it. */
size_t LLVMFuzzerCustomMutator(uint8_t *data, size_t size, size_t max_size,
                               unsigned int seed);

/* Put the frame at the front right.
 * @return Its size; 0 = no frame begins here. */
typedef size_t repair_fn(uint8_t *bytes, size_t size, unsigned seed);

static size_t mti_repair(uint8_t *bytes, size_t size, unsigned seed)
{
    (void)seed;
    if (size < 5 || bytes[0] != 0xFA || size < 5u + bytes[3]) {
        return 0;
    }
    size_t whole = 5u + bytes[3];
    bytes[whole - 1] = (uint8_t)(0x100 - framing_sum8(bytes + 1, whole - 2));
    return whole;
}

static size_t mip_repair(uint8_t *bytes, size_t size, unsigned seed)
{
    (void)seed;
    if (size < 6 || bytes[0] != 0x75 || bytes[1] != 0x65 || size < 6u + bytes[3]) {
        return 0;
    }
    size_t whole = 6u + bytes[3];
    uint16_t sum = framing_fletcher8(bytes, whole - 2);
    bytes[whole - 2] = (uint8_t)(sum >> 8);
    bytes[whole - 1] = (uint8_t)sum;
    return whole;
}

static size_t vn100_line_repair(uint8_t *bytes, size_t size)
{
    static const char digits[] = "0123456789ABCDEF";
    const uint8_t *star = memchr(bytes, '*', size);
    if (!star || (size_t)(star - bytes) + 3 > size) {
        return 0;
    }
    size_t end = (size_t)(star - bytes);
    unsigned sum = 0;
    for (size_t index = 1; index < end; index++) {
        sum ^= bytes[index];
    }
    bytes[end + 1] = (uint8_t)digits[sum >> 4];
    bytes[end + 2] = (uint8_t)digits[sum & 0xF];
    return end + 3;
}

/* The size of a binary frame follows from its groups: taken to reach to the next start, or
 * the one behind it. */
static size_t vn100_repair(uint8_t *bytes, size_t size, unsigned seed)
{
    if (bytes[0] == '$') {
        return vn100_line_repair(bytes, size);
    }
    size_t end = 1;
    for (unsigned starts = 1 + seed % 2; end < size && starts > 0; end++) {
        starts -= bytes[end] == 0xFA;
    }
    size_t whole = end < size ? end - 1 : size;
    if (bytes[0] != 0xFA || whole < 8) {
        return 0;
    }
    uint16_t crc = framing_crc16(bytes + 1, whole - 3);
    bytes[whole - 2] = (uint8_t)(crc >> 8);
    bytes[whole - 1] = (uint8_t)crc;
    return whole;
}

static size_t witmotion_repair(uint8_t *bytes, size_t size, unsigned seed)
{
    (void)seed;
    if (size < 11 || bytes[0] != 0x55 || bytes[1] >> 4 != 5) {
        return 0;
    }
    bytes[10] = framing_sum8(bytes, 10);
    return 11;
}

static size_t rvc_repair(uint8_t *bytes, size_t size, unsigned seed)
{
    (void)seed;
    if (size < 19 || bytes[0] != 0xAA || bytes[1] != 0xAA) {
        return 0;
    }
    bytes[18] = framing_sum8(bytes + 2, 16);
    return 19;
}

/* Sum mod 255. */
static uint8_t u3_sum8(const uint8_t *bytes, size_t size)
{
    unsigned sum = 0;
    for (size_t index = 0; index < size; index++) {
        sum += bytes[index];
        sum = (sum & 0xFF) + (sum >> 8);
    }
    return (uint8_t)sum;
}

static size_t u3_repair(uint8_t *bytes, size_t size, unsigned seed)
{
    (void)seed;
    if (size >= 4 && (bytes[1] == 0xA9 || bytes[1] == 0xB1)) {
        bytes[0] = u3_sum8(bytes + 1, 3);
        return 4;
    }
    if (size < 6 || (bytes[1] != 0xF8 && bytes[1] != 0xF9) || size < 6 + 2u * bytes[2]) {
        return 0;
    }
    size_t whole = 6 + 2u * bytes[2];
    unsigned sum = 0;
    for (size_t index = 6; index < whole; index++) {
        sum += bytes[index];
    }
    bytes[4] = (uint8_t)sum;
    bytes[5] = (uint8_t)(sum >> 8);
    bytes[0] = u3_sum8(bytes + 1, 5);
    return whole;
}

static bool is_record(const uint8_t *bytes, size_t size)
{
    return size > 1 && bytes[0] == TRANSPORT_PACKET_MARK && bytes[1] >> 4 == 8;
}

/* Records have no checksum: their size is put right. */
static size_t record_repair(uint8_t *bytes, size_t size, unsigned seed)
{
    (void)seed;
    if (size < TRANSPORT_PACKET_HEAD_SIZE || !is_record(bytes, size)) {
        return 0;
    }
    size_t end = TRANSPORT_PACKET_HEAD_SIZE;
    while (end < size && !is_record(bytes + end, size - end)) {
        end++;
    }
    bytes[3] = (uint8_t)(end - TRANSPORT_PACKET_HEAD_SIZE);
    bytes[4] = (uint8_t)((end - TRANSPORT_PACKET_HEAD_SIZE) >> 8);
    return end;
}

static const struct {
    const char *target;
    repair_fn *repair;
} REPAIRS[] = {
    {"xsens_mti", mti_repair},
    {"microstrain_mip", mip_repair},
    {"vectornav_vn100", vn100_repair},
    {"witmotion", witmotion_repair},
    {"bno08x_rvc", rvc_repair},
    {"labjack_u3", u3_repair},
    {"mcc_usb1208fs_plus", record_repair},
};

static void frames_repair(repair_fn *repair, uint8_t *data, size_t size, unsigned seed)
{
    for (size_t done = 0; done < size;) {
        size_t whole = repair(data + done, size - done, seed >> done % 16);
        done += whole > 0 ? whole : 1;
    }
}

size_t LLVMFuzzerCustomMutator(uint8_t *data, size_t size, size_t max_size,
                               unsigned int seed)
{
    size = LLVMFuzzerMutate(data, size, max_size);
    /* One in four stays damaged. */
    for (size_t index = 0; index < sizeof REPAIRS / sizeof REPAIRS[0] && seed % 4;
         index++) {
        if (strcmp(REPAIRS[index].target, FUZZ_TARGET) == 0) {
            frames_repair(REPAIRS[index].repair, data, size, seed / 4);
        }
    }
    return size;
}
