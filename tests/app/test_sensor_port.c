/* Temporary files are made with mkstemp. */
#define _XOPEN_SOURCE 700
#include <check.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "app/engine.h"
#include "app/sensor_port.h"
#include "tests/protocols/log_capture.h"

static const struct {
    const char *port;
    enum sensor_port_kind kind;
    const char *rest;
} FORMS[] = {
    {"/dev/ttyACM0", SENSOR_PORT_SERIAL, "/dev/ttyACM0"},
    {"/dev/serial/by-id/usb-A:B", SENSOR_PORT_SERIAL, "/dev/serial/by-id/usb-A:B"},
    {"usb:054C:0CE6", SENSOR_PORT_USB, "054C:0CE6"},
    {"usb:054c:0ce6:1A@b", SENSOR_PORT_USB, "054c:0ce6:1A@b"},
    {"usb:054C:0CE6@1-2", SENSOR_PORT_USB, "054C:0CE6@1-2"},
    {"usb:054C:0CE6@12-2.3.4", SENSOR_PORT_USB, "054C:0CE6@12-2.3.4"},
    {"file:a b.bin", SENSOR_PORT_FILE, "a b.bin"},
    {"simulated:stiff", SENSOR_PORT_SIMULATED, "stiff"},
    {"usb:", SENSOR_PORT_BAD, ""},
    {"usb:054C", SENSOR_PORT_BAD, "054C"},
    {"usb:54C:0CE6", SENSOR_PORT_BAD, "54C:0CE6"},
    {"usb:054C:0CE", SENSOR_PORT_BAD, "054C:0CE"},
    {"usb:054C:0CE60", SENSOR_PORT_BAD, "054C:0CE60"},
    {"usb:054C:0CE6:", SENSOR_PORT_BAD, "054C:0CE6:"},
    {"usb:054C:0CE6@", SENSOR_PORT_BAD, "054C:0CE6@"},
    {"usb:054C:0CE6@1", SENSOR_PORT_BAD, "054C:0CE6@1"},
    {"usb:054C:0CE6@1-", SENSOR_PORT_BAD, "054C:0CE6@1-"},
    {"usb:054C:0CE6@1-x", SENSOR_PORT_BAD, "054C:0CE6@1-x"},
    {"usb:0x54:0CE6", SENSOR_PORT_BAD, "0x54:0CE6"},
    {"file:", SENSOR_PORT_BAD, ""},
    {"simulated:", SENSOR_PORT_BAD, ""},
};

START_TEST(forms_are_told_apart)
{
    const char *rest = NULL;
    ck_assert_int_eq(sensor_port_kind_of(FORMS[_i].port, &rest), FORMS[_i].kind);
    ck_assert_str_eq(rest, FORMS[_i].rest);
}

END_TEST

START_TEST(driver_without_serial_line_says_what_to_write)
{
    static const struct usb_id IDS[] = {{0x0CD5, 0x0003, false}};
    struct driver driver = *driver_find("xio-ximu3");
    char problem[512] = "";
    ck_assert(sensor_port_fits("/dev/ttyACM0", &driver, problem, sizeof problem));
    ck_assert(sensor_port_fits("usb:04D8:0057", &driver, problem, sizeof problem));
    driver.is_usb_only = true;
    driver.usb_ids = IDS;
    driver.usb_id_count = 1;
    ck_assert(sensor_port_fits("usb:0CD5:0003", &driver, problem, sizeof problem));
    ck_assert(sensor_port_fits("file:a.bin", &driver, problem, sizeof problem));
    ck_assert_str_eq(problem, "");
    ck_assert(!sensor_port_fits("/dev/ttyACM0", &driver, problem, sizeof problem));
    ck_assert_ptr_nonnull(strstr(problem, "usb:0CD5:0003"));
}

END_TEST

START_TEST(bad_port_is_refused_with_its_line)
{
    char path[] = "sensor_port_XXXXXX";
    int file = mkstemp(path);
    ck_assert_int_ge(file, 0);
    static const char TEXT[] =
        "sensors:\n"
        "  - {role: sternum, driver: xio-ximu3, port: /dev/ttyACM0}\n"
        "  - role: thigh_l\n"
        "    driver: xio-ximu3\n"
        "    port: usb:04D8\n";
    ck_assert_int_eq(write(file, TEXT, sizeof TEXT - 1), sizeof TEXT - 1);
    close(file);
    struct sensor_list *list = calloc(1, sizeof *list);
    struct log_capture capture;
    char text[2048];
    log_capture_begin(&capture);
    enum status status = sensor_file_read(path, list);
    log_capture_end(&capture, text, sizeof text);
    unlink(path);
    free(list);
    ck_assert_int_eq(status, STATUS_BAD_INPUT);
    ck_assert_uint_eq(log_capture_lines(text), 1);
    ck_assert_ptr_nonnull(strstr(text, ":5:"));
    ck_assert_ptr_nonnull(strstr(text, "'usb:04D8' names nothing"));
}

END_TEST

START_TEST(missing_port_costs_no_line_when_asked_again)
{
    struct sensor_entry entry = {.port = "/dev/limber_no_such_port"};
    const struct driver *driver = driver_find("xio-ximu3");
    struct transport *transport = NULL;
    struct log_capture capture;
    char text[2048];
    log_capture_begin(&capture);
    enum status first = sensor_port_open(&entry, driver, false, NULL, &transport);
    log_capture_end(&capture, text, sizeof text);
    ck_assert_int_eq(first, STATUS_DEVICE);
    ck_assert_uint_eq(log_capture_lines(text), 1);
    log_capture_begin(&capture);
    enum status again = sensor_port_open(&entry, driver, true, NULL, &transport);
    log_capture_end(&capture, text, sizeof text);
    ck_assert_int_eq(again, STATUS_GONE);
    ck_assert_str_eq(text, "");
    ck_assert_ptr_null(transport);
    ck_assert(!sensor_port_exists(entry.port));
}

END_TEST

static Suite *suite_make(void)
{
    Suite *suite = suite_create("sensor_port");
    TCase *tcase = tcase_create("all");
    tcase_add_loop_test(tcase, forms_are_told_apart, 0, sizeof FORMS / sizeof FORMS[0]);
    tcase_add_test(tcase, driver_without_serial_line_says_what_to_write);
    tcase_add_test(tcase, bad_port_is_refused_with_its_line);
    tcase_add_test(tcase, missing_port_costs_no_line_when_asked_again);
    suite_add_tcase(suite, tcase);
    return suite;
}

int main(void)
{
    SRunner *runner = srunner_create(suite_make());
    srunner_run_all(runner, CK_NORMAL);
    int failed = srunner_ntests_failed(runner);
    srunner_free(runner);
    return failed == 0 ? EXIT_SUCCESS : EXIT_FAILURE;
}
