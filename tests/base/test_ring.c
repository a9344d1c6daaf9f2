#include <check.h>
#include <pthread.h>
#include <sched.h>
#include <stdlib.h>
#include <string.h>

#include "base/ring.h"

enum {
    RING_SIZE = 4096,
    RECORD_MAX = 300,
    THREAD_RECORDS = 20000
};

/* Records carry their own check: u16 size, then size bytes that follow from the number. */
static uint8_t record_byte(unsigned number, unsigned i)
{
    return (uint8_t)(number * 31U + i * 7U);
}

static size_t record_size(unsigned number)
{
    return number * 2654435761U >> 8 & 0xffU;
}

static bool record_push(struct ring *ring, unsigned number)
{
    uint8_t body[RECORD_MAX];
    size_t size = record_size(number);
    for (unsigned i = 0; i < size; i++) {
        body[i] = record_byte(number, i);
    }
    const uint8_t head[2] = {(uint8_t)size, (uint8_t)(size >> 8)};
    return ring_push(ring, head, sizeof head, body, size);
}

/* Reads byte after byte, so that a record cut by the end of the buffer makes no difference.
 */
struct record_check {
    unsigned number;
    size_t position; /* within the record, head included */
};

static bool byte_check(struct record_check *check, uint8_t byte)
{
    size_t size = record_size(check->number);
    uint8_t expected = check->position == 0 ? (uint8_t)size
                       : check->position == 1
                           ? (uint8_t)(size >> 8)
                           : record_byte(check->number, (unsigned)check->position - 2);
    check->position++;
    if (check->position == size + 2) {
        check->position = 0;
        check->number++;
    }
    return byte == expected;
}

START_TEST(test_empty_ring_gives_nothing)
{
    struct ring *ring;
    const uint8_t *bytes;
    ck_assert_int_eq(ring_create(RING_SIZE, &ring), STATUS_OK);
    ck_assert_uint_eq(ring_peek(ring, &bytes), 0);
    ck_assert_uint_eq(ring_used_size(ring), 0);
    ck_assert_uint_eq(ring_peak_size(ring), 0);
    ring_destroy(ring);
    ring_destroy(NULL);
}

END_TEST

START_TEST(test_record_is_all_or_nothing)
{
    struct ring *ring;
    ck_assert_int_eq(ring_create(RING_SIZE, &ring), STATUS_OK);
    uint8_t body[RING_SIZE] = {1};
    ck_assert(ring_push(ring, "head", 4, body, RING_SIZE - 4 - 10));
    ck_assert(!ring_push(ring, "head", 4, body, 7));
    ck_assert(!ring_push(ring, body, RING_SIZE, NULL, 0));
    ck_assert_uint_eq(ring_used_size(ring), RING_SIZE - 10);
    ck_assert(ring_push(ring, "head", 4, body, 6)); /* to the last byte */
    ck_assert_uint_eq(ring_used_size(ring), RING_SIZE);
    ck_assert(!ring_push(ring, "x", 1, NULL, 0));
    ck_assert(ring_push(ring, NULL, 0, NULL, 0)); /* nothing always fits */
    ck_assert_uint_eq(ring_peak_size(ring), RING_SIZE);
    ring_destroy(ring);
}

END_TEST

START_TEST(test_peak_stays_when_used_falls)
{
    struct ring *ring;
    const uint8_t *bytes;
    ck_assert_int_eq(ring_create(RING_SIZE, &ring), STATUS_OK);
    ck_assert(ring_push(ring, "abc", 3, "defg", 4));
    ck_assert_uint_eq(ring_peek(ring, &bytes), 7);
    ck_assert_mem_eq(bytes, "abcdefg", 7);
    ring_release(ring, 5);
    ck_assert_uint_eq(ring_used_size(ring), 2);
    ck_assert_uint_eq(ring_peek(ring, &bytes), 2);
    ck_assert_mem_eq(bytes, "fg", 2);
    ring_release(ring, 2);
    ck_assert_uint_eq(ring_peak_size(ring), 7);
    ring_destroy(ring);
}

END_TEST

START_TEST(test_records_survive_the_wrap)
{
    struct ring *ring;
    ck_assert_int_eq(ring_create(RING_SIZE, &ring), STATUS_OK);
    struct record_check check = {0};
    unsigned pushed = 0;
    while (check.number < 5000) {
        while (record_push(ring, pushed)) {
            pushed++;
        }
        const uint8_t *bytes;
        size_t size = ring_peek(ring, &bytes);
        ck_assert_uint_gt(size, 0);
        /* Odd amounts, so that every position of the wrap is met. */
        size = size > 1000 ? 1000 - pushed % 37 : size;
        for (size_t i = 0; i < size; i++) {
            ck_assert(byte_check(&check, bytes[i]));
        }
        ring_release(ring, size);
    }
    ring_destroy(ring);
}

END_TEST

static void *producer_run(void *argument)
{
    struct ring *ring = argument;
    unsigned number = 0;
    while (number < THREAD_RECORDS) {
        if (record_push(ring, number)) {
            number++;
        } else {
            sched_yield();
        }
    }
    return NULL;
}

START_TEST(test_two_threads_lose_and_change_nothing)
{
    struct ring *ring;
    ck_assert_int_eq(ring_create(RING_SIZE, &ring), STATUS_OK);
    pthread_t producer;
    ck_assert_int_eq(pthread_create(&producer, NULL, producer_run, ring), 0);
    struct record_check check = {0};
    unsigned wrong = 0;
    while (check.number < THREAD_RECORDS) {
        const uint8_t *bytes;
        size_t size = ring_peek(ring, &bytes);
        wrong += ring_used_size(ring) > RING_SIZE;
        for (size_t i = 0; i < size; i++) {
            wrong += !byte_check(&check, bytes[i]);
        }
        ring_release(ring, size);
        if (size == 0) {
            sched_yield();
        }
    }
    ck_assert_uint_eq(wrong, 0);
    pthread_join(producer, NULL);
    ck_assert_uint_eq(ring_used_size(ring), 0);
    ck_assert_uint_gt(ring_peak_size(ring), 0);
    ck_assert_uint_le(ring_peak_size(ring), RING_SIZE);
    ring_destroy(ring);
}

END_TEST

int main(void)
{
    Suite *suite = suite_create("ring");
    TCase *tests = tcase_create("ring");
    tcase_set_timeout(tests, 120);
    tcase_add_test(tests, test_empty_ring_gives_nothing);
    tcase_add_test(tests, test_record_is_all_or_nothing);
    tcase_add_test(tests, test_peak_stays_when_used_falls);
    tcase_add_test(tests, test_records_survive_the_wrap);
    tcase_add_test(tests, test_two_threads_lose_and_change_nothing);
    suite_add_tcase(suite, tests);
    SRunner *runner = srunner_create(suite);
    srunner_run_all(runner, CK_NORMAL);
    int failed = srunner_ntests_failed(runner);
    srunner_free(runner);
    return failed == 0 ? EXIT_SUCCESS : EXIT_FAILURE;
}
