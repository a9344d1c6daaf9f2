#include <check.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "acquisition/crc32c.h"
#include "acquisition/journal.h"

enum {
    FILE_MAX = 65536
};

static size_t frame_put(uint8_t *out, enum journal_type type, uint32_t sequence,
                        const void *payload, size_t size)
{
    struct journal_frame frame = {
        .type = type,
        .device = type == JOURNAL_BYTES ? 3 : JOURNAL_NO_DEVICE,
        .sequence = sequence,
        .host_ns = (int64_t)sequence * 1000000007LL,
        .payload = payload,
        .size = size,
    };
    journal_head_encode(&frame, out);
    memcpy(out + JOURNAL_HEAD_SIZE, payload, size);
    return JOURNAL_HEAD_SIZE + size;
}

/* A header and four frames of bytes, a tick and an end. */
static size_t journal_make(uint8_t *out)
{
    size_t size = frame_put(out, JOURNAL_HEADER, 0, "{}", 2);
    for (uint32_t i = 1; i <= 4; i++) {
        size += frame_put(out + size, JOURNAL_BYTES, i, "0123456789abcdef", 4 * i);
    }
    size += frame_put(out + size, JOURNAL_TICK, 5, "", 0);
    return size + frame_put(out + size, JOURNAL_END, 6, "{}", 2);
}

static unsigned frames_count(const uint8_t *bytes, size_t size, size_t *torn)
{
    struct journal_reader *reader;
    ck_assert_int_eq(journal_reader_open_bytes(bytes, size, &reader), STATUS_OK);
    struct journal_frame frame;
    unsigned count = 0;
    while (journal_reader_next(reader, &frame) == STATUS_OK) {
        ck_assert_uint_eq(frame.sequence, count);
        count++;
    }
    ck_assert_int_eq(journal_reader_next(reader, &frame), STATUS_END);
    *torn = journal_reader_torn_size(reader);
    size_t whole;
    ck_assert_ptr_eq(journal_reader_bytes(reader, &whole), bytes);
    ck_assert_uint_le(whole + *torn, size);
    journal_reader_close(reader);
    return count;
}

static uint32_t crc32c_by_bits(const uint8_t *bytes, size_t size)
{
    uint32_t crc = 0xffffffffU;
    for (size_t i = 0; i < size; i++) {
        crc ^= bytes[i];
        for (int bit = 0; bit < 8; bit++) {
            crc = crc & 1U ? crc >> 1 ^ 0x82f63b78U : crc >> 1;
        }
    }
    return ~crc;
}

/* RFC 3720 B.4: 32 zeros, 32 ones, counting up, counting down. */
START_TEST(test_crc_of_published_vectors)
{
    uint8_t bytes[32];
    memset(bytes, 0, sizeof bytes);
    ck_assert_uint_eq(crc32c(0, bytes, 32), 0x8a9136aaU);
    memset(bytes, 0xff, sizeof bytes);
    ck_assert_uint_eq(crc32c(0, bytes, 32), 0x62a8ab43U);
    for (unsigned i = 0; i < 32; i++) {
        bytes[i] = (uint8_t)i;
    }
    ck_assert_uint_eq(crc32c(0, bytes, 32), 0x46dd794eU);
    for (unsigned i = 0; i < 32; i++) {
        bytes[i] = (uint8_t)(31 - i);
    }
    ck_assert_uint_eq(crc32c(0, bytes, 32), 0x113fdb5cU);
    ck_assert_uint_eq(crc32c(0, "123456789", 9), 0xe3069283U);
    ck_assert_uint_eq(crc32c(0, bytes, 0), 0);
}

END_TEST

START_TEST(test_crc_equals_the_bitwise_definition_in_any_pieces)
{
    uint8_t bytes[300];
    for (unsigned i = 0; i < sizeof bytes; i++) {
        bytes[i] = (uint8_t)(i * 167U + (i >> 3));
    }
    for (size_t size = 0; size <= sizeof bytes; size++) {
        uint32_t expected = crc32c_by_bits(bytes, size);
        ck_assert_uint_eq(crc32c(0, bytes, size), expected);
        size_t cut = size * 5 / 11;
        ck_assert_uint_eq(crc32c(crc32c(0, bytes, cut), bytes + cut, size - cut), expected);
    }
}

END_TEST

START_TEST(test_frame_round_trip)
{
    uint8_t bytes[64];
    struct journal_frame in = {
        .type = JOURNAL_BYTES,
        .device = 17,
        .sequence = 0xfedcba98U,
        .host_ns = 0x0123456789abcdefLL,
        .payload = (const uint8_t *)"payload",
        .size = 7,
    };
    journal_head_encode(&in, bytes);
    memcpy(bytes + JOURNAL_HEAD_SIZE, in.payload, in.size);
    ck_assert_mem_eq(bytes, "LBJ1\x02\x11\0\0\x98\xba\xdc\xfe\x07\0\0\0", 16);
    ck_assert_uint_eq(journal_head_payload_size(bytes), 7);
    struct journal_frame out;
    size_t size;
    ck_assert_int_eq(journal_frame_decode(bytes, sizeof bytes, &out, &size), STATUS_OK);
    ck_assert_uint_eq(size, JOURNAL_HEAD_SIZE + 7);
    ck_assert_int_eq(out.type, in.type);
    ck_assert_uint_eq(out.device, in.device);
    ck_assert_uint_eq(out.sequence, in.sequence);
    ck_assert_int_eq(out.host_ns, in.host_ns);
    ck_assert_uint_eq(out.size, in.size);
    ck_assert_mem_eq(out.payload, in.payload, in.size);
}

END_TEST

START_TEST(test_short_frame_asks_for_more)
{
    uint8_t bytes[64];
    size_t whole = frame_put(bytes, JOURNAL_BYTES, 1, "abcdefgh", 8);
    struct journal_frame frame;
    size_t size;
    for (size_t cut = 0; cut < whole; cut++) {
        ck_assert_int_eq(journal_frame_decode(bytes, cut, &frame, &size), STATUS_NOT_READY);
    }
}

END_TEST

START_TEST(test_every_flipped_bit_is_seen)
{
    uint8_t bytes[64];
    size_t whole = frame_put(bytes, JOURNAL_BYTES, 1, "abcdefghijklmnopqrst", 20);
    struct journal_frame frame;
    size_t size;
    for (size_t bit = 0; bit < 8 * whole; bit++) {
        bytes[bit / 8] ^= (uint8_t)(1U << bit % 8);
        ck_assert_int_ne(journal_frame_decode(bytes, whole, &frame, &size), STATUS_OK);
        bytes[bit / 8] ^= (uint8_t)(1U << bit % 8);
    }
    ck_assert_int_eq(journal_frame_decode(bytes, whole, &frame, &size), STATUS_OK);
}

END_TEST

START_TEST(test_absurd_heads_are_refused)
{
    uint8_t bytes[64];
    struct journal_frame frame;
    size_t size;
    frame_put(bytes, JOURNAL_TICK, 1, "", 0);
    bytes[14] = 0xff; /* 16 MB of payload */
    ck_assert_int_eq(journal_frame_decode(bytes, sizeof bytes, &frame, &size),
                     STATUS_CORRUPT);
    frame_put(bytes, (enum journal_type)99, 1, "", 0);
    ck_assert_int_eq(journal_frame_decode(bytes, sizeof bytes, &frame, &size),
                     STATUS_CORRUPT);
    frame_put(bytes, (enum journal_type)0, 1, "", 0);
    ck_assert_int_eq(journal_frame_decode(bytes, sizeof bytes, &frame, &size),
                     STATUS_CORRUPT);
}

END_TEST

START_TEST(test_reader_cuts_a_tail_torn_anywhere)
{
    uint8_t bytes[FILE_MAX];
    size_t whole = journal_make(bytes);
    size_t torn;
    ck_assert_uint_eq(frames_count(bytes, whole, &torn), 7);
    ck_assert_uint_eq(torn, 0);
    size_t first = JOURNAL_HEAD_SIZE + 2;
    unsigned last_count = 1;
    for (size_t cut = first; cut < whole; cut++) {
        unsigned count = frames_count(bytes, cut, &torn);
        ck_assert_uint_ge(count, last_count);
        ck_assert_uint_lt(count, 7);
        last_count = count;
    }
    ck_assert_uint_eq(last_count, 6);
}

END_TEST

START_TEST(test_reserved_zeros_are_the_end_not_damage)
{
    uint8_t bytes[FILE_MAX] = {0};
    size_t whole = journal_make(bytes);
    size_t torn;
    ck_assert_uint_eq(frames_count(bytes, sizeof bytes, &torn), 7);
    ck_assert_uint_eq(torn, 0);
    ck_assert_uint_eq(frames_count(bytes, whole, &torn), 7);
    bytes[whole] = 'L'; /* a torn frame, then zeros */
    ck_assert_uint_eq(frames_count(bytes, sizeof bytes, &torn), 7);
    ck_assert_uint_eq(torn, 1);
}

END_TEST

START_TEST(test_reader_stops_at_damage_in_the_middle)
{
    uint8_t bytes[FILE_MAX];
    size_t whole = journal_make(bytes);
    bytes[JOURNAL_HEAD_SIZE + 2 + JOURNAL_HEAD_SIZE] ^= 1; /* payload of frame 1 */
    size_t torn;
    ck_assert_uint_eq(frames_count(bytes, whole, &torn), 1);
    ck_assert_uint_eq(torn, whole - JOURNAL_HEAD_SIZE - 2);
}

END_TEST

START_TEST(test_no_header_is_no_journal)
{
    uint8_t bytes[FILE_MAX] = {0};
    struct journal_reader *reader = NULL;
    ck_assert_int_eq(journal_reader_open_bytes(bytes, 0, &reader), STATUS_CORRUPT);
    ck_assert_int_eq(journal_reader_open_bytes(bytes, 100, &reader), STATUS_CORRUPT);
    size_t size = frame_put(bytes, JOURNAL_TICK, 0, "", 0);
    ck_assert_int_eq(journal_reader_open_bytes(bytes, size, &reader), STATUS_CORRUPT);
    ck_assert_ptr_null(reader);
    journal_reader_close(NULL);
}

END_TEST

static void folder_make(char folder[64])
{
    snprintf(folder, 64, "limber_journal_XXXXXX");
    ck_assert_ptr_nonnull(mkdtemp(folder));
}

START_TEST(test_file_is_private_appended_and_never_overwritten)
{
    char folder[64];
    char path[96];
    folder_make(folder);
    snprintf(path, sizeof path, "%s/a.journal", folder);
    int descriptor;
    ck_assert_int_eq(journal_create(path, 1 << 20, &descriptor), STATUS_OK);
    struct stat info;
    ck_assert_int_eq(fstat(descriptor, &info), 0);
    ck_assert_uint_eq(info.st_mode & 0777, 0600);
    ck_assert_int_eq(info.st_size, 0); /* the reserved room does not count */
    ck_assert(fcntl(descriptor, F_GETFL) & O_APPEND);
    uint8_t bytes[FILE_MAX];
    size_t size = journal_make(bytes);
    ck_assert_int_eq(write(descriptor, bytes, size), (ssize_t)size);
    close(descriptor);
    ck_assert_int_eq(journal_create(path, 0, &descriptor), STATUS_IO);

    struct journal_reader *reader;
    ck_assert_int_eq(journal_reader_open(path, &reader), STATUS_OK);
    struct journal_frame frame;
    unsigned count = 0;
    while (journal_reader_next(reader, &frame) == STATUS_OK) {
        count++;
    }
    ck_assert_uint_eq(count, 7);
    ck_assert_uint_eq(journal_reader_torn_size(reader), 0);
    journal_reader_close(reader);
    unlink(path);
    rmdir(folder);
}

END_TEST

START_TEST(test_bad_paths_are_told_apart)
{
    char folder[64];
    char path[96];
    folder_make(folder);
    snprintf(path, sizeof path, "%s/none.journal", folder);
    struct journal_reader *reader = NULL;
    int descriptor = -1;
    ck_assert_int_eq(journal_reader_open(path, &reader), STATUS_NOT_FOUND);
    ck_assert_int_eq(journal_reader_open(folder, &reader), STATUS_IO);
    ck_assert_int_eq(journal_create("no_such_folder/a.journal", 0, &descriptor), STATUS_IO);
    ck_assert_int_eq(descriptor, -1);
    FILE *file = fopen(path, "w");
    ck_assert_ptr_nonnull(file);
    fclose(file);
    ck_assert_int_eq(journal_reader_open(path, &reader), STATUS_CORRUPT);
    ck_assert_ptr_null(reader);
    unlink(path);
    rmdir(folder);
}

END_TEST

int main(void)
{
    Suite *suite = suite_create("journal");
    TCase *tests = tcase_create("journal");
    tcase_add_test(tests, test_crc_of_published_vectors);
    tcase_add_test(tests, test_crc_equals_the_bitwise_definition_in_any_pieces);
    tcase_add_test(tests, test_frame_round_trip);
    tcase_add_test(tests, test_short_frame_asks_for_more);
    tcase_add_test(tests, test_every_flipped_bit_is_seen);
    tcase_add_test(tests, test_absurd_heads_are_refused);
    tcase_add_test(tests, test_reader_cuts_a_tail_torn_anywhere);
    tcase_add_test(tests, test_reserved_zeros_are_the_end_not_damage);
    tcase_add_test(tests, test_reader_stops_at_damage_in_the_middle);
    tcase_add_test(tests, test_no_header_is_no_journal);
    tcase_add_test(tests, test_file_is_private_appended_and_never_overwritten);
    tcase_add_test(tests, test_bad_paths_are_told_apart);
    suite_add_tcase(suite, tests);
    SRunner *runner = srunner_create(suite);
    srunner_run_all(runner, CK_NORMAL);
    int failed = srunner_ntests_failed(runner);
    srunner_free(runner);
    return failed == 0 ? EXIT_SUCCESS : EXIT_FAILURE;
}
