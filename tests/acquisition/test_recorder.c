#include <check.h>
#include <errno.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include "acquisition/recorder.h"
#include "base/clock.h"

enum {
    PAYLOAD_SIZE = 150,
    SMALL_RING = 65536
};

static char folder[64];
static char path[96];

static void folder_make(void)
{
    snprintf(folder, sizeof folder, "limber_recorder_XXXXXX");
    ck_assert_ptr_nonnull(mkdtemp(folder));
    snprintf(path, sizeof path, "%s/a.journal", folder);
}

static void folder_remove(void)
{
    unlink(path);
    rmdir(folder);
}

static void pause_ms(long ms)
{
    struct timespec pause = {.tv_sec = ms / 1000, .tv_nsec = ms % 1000 * 1000000};
    nanosleep(&pause, NULL);
}

static struct recorder *recorder_make(const struct recorder_settings *settings)
{
    struct recorder *recorder = NULL;
    ck_assert_int_eq(recorder_open(path, settings, &recorder), STATUS_OK);
    return recorder;
}

static enum status append(struct recorder *recorder, uint32_t number)
{
    uint8_t payload[PAYLOAD_SIZE];
    memset(payload, (int)number, sizeof payload);
    struct journal_frame frame = {
        .type = number == 0 ? JOURNAL_HEADER : JOURNAL_BYTES,
        .device = 1,
        .host_ns = number,
        .payload = payload,
        .size = number % PAYLOAD_SIZE,
    };
    enum status status = recorder_append(recorder, &frame);
    if (!status) {
        ck_assert_uint_eq(frame.sequence, number);
    }
    return status;
}

/* Read the file back: frames 0, 1, 2 ... without a hole.
 * @return Count of whole frames. */
static uint32_t frames_verify(size_t *torn)
{
    struct journal_reader *reader;
    ck_assert_int_eq(journal_reader_open(path, &reader), STATUS_OK);
    struct journal_frame frame;
    uint32_t count = 0;
    while (journal_reader_next(reader, &frame) == STATUS_OK) {
        ck_assert_uint_eq(frame.sequence, count);
        ck_assert_int_eq(frame.host_ns, count);
        ck_assert_uint_eq(frame.size, count % PAYLOAD_SIZE);
        uint8_t expected[PAYLOAD_SIZE];
        memset(expected, (int)count, sizeof expected);
        ck_assert_mem_eq(frame.payload, expected, frame.size);
        count++;
    }
    *torn = journal_reader_torn_size(reader);
    journal_reader_close(reader);
    return count;
}

START_TEST(test_everything_appended_is_in_the_file)
{
    folder_make();
    struct recorder_settings settings = recorder_default_settings;
    settings.reserve_size = 8 << 20;
    struct recorder *recorder = recorder_make(&settings);
    for (uint32_t i = 0; i < 20000; i++) {
        ck_assert_int_eq(append(recorder, i), STATUS_OK);
    }
    int64_t before_ns = clock_host_ns();
    ck_assert_int_eq(recorder_close(recorder), STATUS_OK);
    /* A clean stop takes under half a second. */
    ck_assert_int_lt(clock_host_ns() - before_ns, 500000000);
    size_t torn;
    ck_assert_uint_eq(frames_verify(&torn), 20000);
    ck_assert_uint_eq(torn, 0);
    struct stat info;
    ck_assert_int_eq(stat(path, &info), 0);
    /* The reserved room was given back (a block more for the file system's rounding). */
    ck_assert_int_le((int64_t)info.st_blocks * 512, (int64_t)info.st_size + 65536);
    folder_remove();
}

END_TEST

START_TEST(test_ring_much_smaller_than_the_data)
{
    folder_make();
    struct recorder_settings settings = recorder_default_settings;
    settings.ring_size = 4096;
    struct recorder *recorder = recorder_make(&settings);
    for (uint32_t i = 0; i < 500; i++) {
        ck_assert_int_eq(append(recorder, i), STATUS_OK);
        if (i % 10 == 9) {
            pause_ms(15);
        }
    }
    struct recorder_counters counters;
    recorder_counters_get(recorder, &counters);
    ck_assert_uint_le(counters.ring_peak_size, 4096);
    ck_assert_uint_gt(counters.ring_peak_size, 0);
    ck_assert_int_eq(recorder_close(recorder), STATUS_OK);
    size_t torn;
    ck_assert_uint_eq(frames_verify(&torn), 500);
    folder_remove();
}

END_TEST

START_TEST(test_full_ring_refuses_and_counts)
{
    folder_make();
    struct recorder_settings settings = recorder_default_settings;
    settings.ring_size = 4096;
    struct recorder *recorder = recorder_make(&settings);
    uint32_t number = 0;
    while (append(recorder, number) == STATUS_OK) {
        number++;
        ck_assert_uint_lt(number, 10000000);
    }
    struct recorder_counters counters;
    recorder_counters_get(recorder, &counters);
    ck_assert_uint_eq(counters.frame_count, number);
    ck_assert_uint_eq(counters.dropped_count, 1);
    ck_assert_int_eq(recorder_close(recorder), STATUS_OK);
    size_t torn;
    ck_assert_uint_eq(frames_verify(&torn), number);
    ck_assert_uint_eq(torn, 0);
    folder_remove();
}

END_TEST

START_TEST(test_syncs_on_its_own_only_when_there_is_something)
{
    folder_make();
    struct recorder_settings settings = recorder_default_settings;
    settings.sync_interval_ms = 20;
    struct recorder *recorder = recorder_make(&settings);
    struct recorder_counters counters;
    for (uint32_t i = 0; i < 5; i++) {
        ck_assert_int_eq(append(recorder, i), STATUS_OK);
        uint64_t wanted = i + 1;
        do {
            pause_ms(5);
            recorder_counters_get(recorder, &counters);
        } while (counters.sync_count < wanted);
        ck_assert_uint_eq(counters.sync_count, wanted);
    }
    pause_ms(100);
    recorder_counters_get(recorder, &counters);
    ck_assert_uint_eq(counters.sync_count, 5);
    ck_assert_uint_gt(counters.written_size, 5 * JOURNAL_HEAD_SIZE);
    ck_assert_int_eq(recorder_close(recorder), STATUS_OK);
    folder_remove();
}

END_TEST

/* A limit on the file's size acts like a full disk: a short write first, then an error. In
 * a process of its own, since the limit would also stop Check's own file.
 * @return 0 when the recorder behaved. */
static int full_disk_run(rlim_t limit)
{
    struct recorder_settings settings = recorder_default_settings;
    settings.ring_size = SMALL_RING;
    struct rlimit limits = {.rlim_cur = limit, .rlim_max = limit};
    struct recorder *recorder;
    if (setrlimit(RLIMIT_FSIZE, &limits) != 0
        || recorder_open(path, &settings, &recorder) != STATUS_OK) {
        return 1;
    }
    uint8_t payload[PAYLOAD_SIZE];
    struct journal_frame frame = {.type = JOURNAL_HEADER, .payload = payload};
    for (uint32_t number = 0; number < 200; number++) {
        memset(payload, (int)number, sizeof payload);
        frame.host_ns = number;
        frame.size = number % PAYLOAD_SIZE;
        if (recorder_append(recorder, &frame) != STATUS_OK) {
            break; /* the disk was quicker */
        }
        frame.type = JOURNAL_BYTES;
    }
    struct recorder_counters counters;
    do {
        pause_ms(2);
        recorder_counters_get(recorder, &counters);
    } while (counters.error == 0);
    if (counters.error != EFBIG || recorder_append(recorder, &frame) != STATUS_IO) {
        return 2;
    }
    return recorder_close(recorder) == STATUS_IO ? 0 : 3;
}

START_TEST(test_full_disk_keeps_every_whole_frame)
{
    for (rlim_t limit = 10000; limit < 10400; limit += 23) {
        folder_make();
        pid_t child = fork();
        if (child == 0) {
            _exit(full_disk_run(limit));
        }
        int result;
        ck_assert_int_eq(waitpid(child, &result, 0), child);
        ck_assert_int_eq(result, 0);
        size_t torn;
        uint32_t count = frames_verify(&torn);
        ck_assert_uint_eq(torn, 0);
        /* The next frame would not have fitted. */
        struct stat info;
        ck_assert_int_eq(stat(path, &info), 0);
        ck_assert_uint_gt((rlim_t)info.st_size + JOURNAL_HEAD_SIZE + count % PAYLOAD_SIZE,
                          limit);
        ck_assert_uint_le((rlim_t)info.st_size, limit);
        folder_remove();
    }
}

END_TEST

START_TEST(test_thread_takes_no_signals)
{
    folder_make();
    sigset_t usr1;
    sigset_t before;
    sigset_t pending;
    sigemptyset(&usr1);
    sigaddset(&usr1, SIGUSR1);
    struct recorder *recorder = recorder_make(&recorder_default_settings);
    ck_assert_int_eq(pthread_sigmask(SIG_BLOCK, &usr1, &before), 0);
    ck_assert_int_eq(sigismember(&before, SIGUSR1), 0); /* the caller's mask is untouched */
    kill(getpid(), SIGUSR1); /* would end the process if the thread took it */
    pause_ms(30);
    sigpending(&pending);
    ck_assert_int_eq(sigismember(&pending, SIGUSR1), 1);
    int taken;
    sigwait(&usr1, &taken);
    ck_assert_int_eq(recorder_close(recorder), STATUS_OK);
    pthread_sigmask(SIG_SETMASK, &before, NULL);
    folder_remove();
}

END_TEST

START_TEST(test_bad_path_and_no_room)
{
    folder_make();
    struct recorder *recorder = NULL;
    struct recorder_settings settings = recorder_default_settings;
    ck_assert_int_eq(recorder_open("no_such_folder/a.journal", &settings, &recorder),
                     STATUS_IO);
    settings.reserve_size = (uint64_t)1 << 60;
    ck_assert_int_eq(recorder_open(path, &settings, &recorder), STATUS_IO);
    ck_assert_int_ne(access(path, F_OK), 0); /* nothing is left behind */
    ck_assert_ptr_null(recorder);
    ck_assert_int_eq(recorder_close(NULL), STATUS_OK);
    folder_remove();
}

END_TEST

int main(void)
{
    Suite *suite = suite_create("recorder");
    TCase *tests = tcase_create("recorder");
    tcase_set_timeout(tests, 60);
    tcase_add_test(tests, test_everything_appended_is_in_the_file);
    tcase_add_test(tests, test_ring_much_smaller_than_the_data);
    tcase_add_test(tests, test_full_ring_refuses_and_counts);
    tcase_add_test(tests, test_syncs_on_its_own_only_when_there_is_something);
    tcase_add_test(tests, test_full_disk_keeps_every_whole_frame);
    tcase_add_test(tests, test_thread_takes_no_signals);
    tcase_add_test(tests, test_bad_path_and_no_room);
    suite_add_tcase(suite, tests);
    SRunner *runner = srunner_create(suite);
    srunner_run_all(runner, CK_NORMAL);
    int failed = srunner_ntests_failed(runner);
    srunner_free(runner);
    return failed == 0 ? EXIT_SUCCESS : EXIT_FAILURE;
}
