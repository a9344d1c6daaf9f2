/* posix_openpt and its kin are XSI. */
#define _XOPEN_SOURCE 700
#include <check.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <termios.h>
#include <time.h>
#include <unistd.h>

#include "acquisition/transport.h"

struct rig {
    int master;
    char name[64];
};

static void rig_open(struct rig *rig)
{
    rig->master = posix_openpt(O_RDWR | O_NOCTTY | O_CLOEXEC);
    ck_assert_int_ge(rig->master, 0);
    ck_assert_int_eq(grantpt(rig->master), 0);
    ck_assert_int_eq(unlockpt(rig->master), 0);
    snprintf(rig->name, sizeof rig->name, "%s", ptsname(rig->master));
}

static void pause_ms(long ms)
{
    struct timespec pause = {.tv_nsec = ms * 1000000};
    nanosleep(&pause, NULL);
}

static enum status read_soon(struct transport *transport, uint8_t *bytes, size_t capacity,
                             size_t *size)
{
    enum status status = STATUS_NOT_READY;
    for (int i = 0; i < 200 && status == STATUS_NOT_READY; i++) {
        status = transport_read(transport, bytes, capacity, size);
        if (status == STATUS_NOT_READY) {
            pause_ms(1);
        }
    }
    return status;
}

START_TEST(test_terminal_is_raw_both_ways)
{
    struct rig rig;
    rig_open(&rig);
    struct transport *transport;
    ck_assert_int_eq(transport_serial_open(rig.name, 115200, &transport), STATUS_OK);
    ck_assert_int_eq(transport->pace, TRANSPORT_LIVE);
    ck_assert_str_eq(transport->name, rig.name);
    ck_assert_int_ge(transport_descriptor(transport), 0);
    uint8_t sent[256];
    uint8_t got[512];
    size_t size = 0;
    for (unsigned i = 0; i < sizeof sent; i++) {
        sent[i] = (uint8_t)i; /* every byte: nothing may be special */
    }
    ck_assert_int_eq(transport_read(transport, got, sizeof got, &size), STATUS_NOT_READY);
    ck_assert_int_eq(write(rig.master, sent, sizeof sent), sizeof sent);
    size_t done = 0;
    while (done < sizeof sent
           && read_soon(transport, got + done, sizeof got - done, &size) == STATUS_OK) {
        done += size;
    }
    ck_assert_uint_eq(done, sizeof sent);
    ck_assert_mem_eq(got, sent, sizeof sent);
    ck_assert_int_eq(transport_write(transport, sent, sizeof sent), STATUS_OK);
    ck_assert_int_eq(read(rig.master, got, sizeof got), sizeof sent);
    ck_assert_mem_eq(got, sent, sizeof sent); /* no echo in between, no CR for NL */
    transport_close(transport);
    close(rig.master);
}

END_TEST

/* Two readers of one line would each get a part of its bytes. */
START_TEST(test_second_opening_is_refused)
{
    struct rig rig;
    rig_open(&rig);
    struct transport *first;
    struct transport *second = NULL;
    uint8_t got[16];
    size_t size = 0;
    ck_assert_int_eq(transport_serial_open(rig.name, 115200, &first), STATUS_OK);
    ck_assert_int_eq(transport_serial_open(rig.name, 9600, &second), STATUS_DEVICE);
    ck_assert_ptr_null(second);
    ck_assert_int_eq(write(rig.master, "whole", 5), 5);
    ck_assert_int_eq(read_soon(first, got, sizeof got, &size), STATUS_OK);
    ck_assert_uint_eq(size, 5);
    transport_close(first);
    ck_assert_int_eq(transport_serial_open(rig.name, 9600, &second), STATUS_OK);
    transport_close(second);
    close(rig.master);
}

END_TEST

START_TEST(test_unplug_is_gone_not_silence)
{
    struct rig rig;
    rig_open(&rig);
    struct transport *transport;
    ck_assert_int_eq(transport_serial_open(rig.name, 115200, &transport), STATUS_OK);
    uint8_t bytes[16];
    size_t size;
    for (int i = 0; i < 5; i++) {
        ck_assert_int_eq(transport_read(transport, bytes, sizeof bytes, &size),
                         STATUS_NOT_READY);
    }
    ck_assert(transport_serial_is_present(rig.name));
    close(rig.master);
    ck_assert_int_eq(read_soon(transport, bytes, sizeof bytes, &size), STATUS_GONE);
    ck_assert_int_eq(transport_write(transport, bytes, 1), STATUS_GONE);
    ck_assert(!transport_serial_is_present(rig.name));
    transport_close(transport);
}

END_TEST

START_TEST(test_links_are_followed)
{
    struct rig rig;
    rig_open(&rig);
    char folder[] = "limber_links_XXXXXX";
    ck_assert_ptr_nonnull(mkdtemp(folder));
    char first[64];
    char second[64];
    snprintf(first, sizeof first, "%s/first", folder);
    snprintf(second, sizeof second, "%s/second", folder);
    ck_assert_int_eq(symlink(rig.name, first), 0);
    ck_assert_int_eq(symlink("first", second), 0);
    struct transport *transport;
    ck_assert_int_eq(transport_serial_open(second, 57600, &transport), STATUS_OK);
    ck_assert_str_eq(transport->name, second); /* what the person wrote */
    transport_close(transport);
    unlink(second);
    ck_assert_int_eq(symlink("second", second), 0); /* a link to itself */
    ck_assert_int_eq(transport_serial_open(second, 57600, &transport), STATUS_DEVICE);
    unlink(first);
    unlink(second);
    rmdir(folder);
    close(rig.master);
}

END_TEST

START_TEST(test_bad_ports_are_refused)
{
    struct transport *transport = NULL;
    ck_assert_int_eq(transport_serial_open("/dev/ttyNONE9", 115200, &transport),
                     STATUS_DEVICE);
    ck_assert_int_eq(transport_serial_open("", 115200, &transport), STATUS_DEVICE);
    ck_assert_int_eq(transport_serial_open("/dev/null", 115200, &transport), STATUS_DEVICE);
    char path[] = "limber_file_XXXXXX";
    int file = mkstemp(path);
    ck_assert_int_ge(file, 0);
    ck_assert_int_eq(transport_serial_open(path, 115200, &transport), STATUS_DEVICE);
    close(file);
    unlink(path);
    ck_assert_ptr_null(transport);
    transport_close(NULL);
}

END_TEST

START_TEST(test_file_gives_its_bytes_then_the_end)
{
    char path[] = "limber_file_XXXXXX";
    int file = mkstemp(path);
    ck_assert_int_eq(write(file, "0123456789", 10), 10);
    close(file);
    struct transport *transport;
    ck_assert_int_eq(transport_file_open(path, &transport), STATUS_OK);
    ck_assert_int_eq(transport->pace, TRANSPORT_RECORDED);
    uint8_t bytes[8];
    size_t size;
    ck_assert_int_eq(transport_read(transport, bytes, sizeof bytes, &size), STATUS_OK);
    ck_assert_uint_eq(size, 8);
    ck_assert_mem_eq(bytes, "01234567", 8);
    ck_assert_int_eq(transport_read(transport, bytes, sizeof bytes, &size), STATUS_OK);
    ck_assert_uint_eq(size, 2);
    ck_assert_int_eq(transport_read(transport, bytes, sizeof bytes, &size), STATUS_END);
    ck_assert_int_eq(transport_read(transport, bytes, sizeof bytes, &size), STATUS_END);
    ck_assert_int_eq(transport_write(transport, bytes, 1), STATUS_REFUSED);
    ck_assert_int_eq(transport_descriptor(transport), -1);
    ck_assert_int_eq(transport_next_ns(transport), INT64_MAX);
    transport_close(transport);
    unlink(path);
}

END_TEST

START_TEST(test_bad_files_are_refused)
{
    struct transport *transport = NULL;
    ck_assert_int_eq(transport_file_open("no_such_file.bin", &transport), STATUS_NOT_FOUND);
    ck_assert_int_eq(transport_file_open(".", &transport), STATUS_IO);
    ck_assert_int_eq(transport_file_open("/dev/null", &transport), STATUS_IO);
    ck_assert_ptr_null(transport);
}

END_TEST

START_TEST(test_list_stays_within_its_room)
{
    struct serial_port_info ports[64];
    size_t count = 99;
    ck_assert_int_eq(transport_serial_list(ports, 64, &count), STATUS_OK);
    ck_assert_uint_le(count, 64);
    for (size_t i = 0; i < count; i++) {
        ck_assert_uint_gt(strlen(ports[i].name), 0);
    }
    ck_assert_int_eq(transport_serial_list(ports, 0, &count), STATUS_OK);
    ck_assert_uint_eq(count, 0);
}

END_TEST

int main(void)
{
    Suite *suite = suite_create("transport");
    TCase *tests = tcase_create("transport");
    tcase_add_test(tests, test_terminal_is_raw_both_ways);
    tcase_add_test(tests, test_second_opening_is_refused);
    tcase_add_test(tests, test_unplug_is_gone_not_silence);
    tcase_add_test(tests, test_links_are_followed);
    tcase_add_test(tests, test_bad_ports_are_refused);
    tcase_add_test(tests, test_file_gives_its_bytes_then_the_end);
    tcase_add_test(tests, test_bad_files_are_refused);
    tcase_add_test(tests, test_list_stays_within_its_room);
    suite_add_tcase(suite, tests);
    SRunner *runner = srunner_create(suite);
    srunner_run_all(runner, CK_NORMAL);
    int failed = srunner_ntests_failed(runner);
    srunner_free(runner);
    return failed == 0 ? EXIT_SUCCESS : EXIT_FAILURE;
}
