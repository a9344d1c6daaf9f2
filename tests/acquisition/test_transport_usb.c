/* What needs no device: addresses, the udev rules. The rest is in tests/device. */
#include <check.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "acquisition/driver.h"
#include "acquisition/framing.h"
#include "acquisition/transport.h"
#include "acquisition/usb_list.h"
#include "simulation/device_model.h"

enum {
    RULES_SIZE = 1 << 16,
    RULE_SIZE = 512
};

START_TEST(test_addresses)
{
    struct usb_address address;
    ck_assert_int_eq(usb_address_parse("054C:0ce6", &address), STATUS_OK);
    ck_assert_uint_eq(address.vendor_id, 0x054C);
    ck_assert_uint_eq(address.product_id, 0x0CE6);
    ck_assert_str_eq(address.serial_number, "");
    ck_assert_str_eq(address.path, "");
    ck_assert_int_eq(usb_address_parse("0CD5:0003:32000-1:b", &address), STATUS_OK);
    ck_assert_str_eq(address.serial_number, "32000-1:b");
    ck_assert_str_eq(address.path, "");
    ck_assert_int_eq(usb_address_parse("0CD5:0003@1-2.3.4", &address), STATUS_OK);
    ck_assert_str_eq(address.serial_number, "");
    ck_assert_str_eq(address.path, "1-2.3.4");
}

END_TEST

static const char *const BAD_ADDRESSES[] = {
    "",
    "054C",
    "054C:",
    "054C:0CE",
    "54C:0CE6",
    "054C:0CE6:",
    "054C:0CE6@",
    "054C:0CE6/1-2",
    "054C:0CE6 ",
    "0x54C:0CE6",
    "054G:0CE6",
    "-54C:0CE6",
    ":054C:0CE6",
    "054C:0CE6FF",
    "/dev/ttyACM0",
    /* a serial number longer than any: 64 characters */
    "054C:0CE6:0123456789012345678901234567890123456789012345678901234567890123",
};

START_TEST(test_bad_addresses_are_refused)
{
    const char *text = BAD_ADDRESSES[_i];
    struct usb_address address = {.vendor_id = 7};
    struct transport *transport = NULL;
    ck_assert_int_eq(usb_address_parse(text, &address), STATUS_BAD_INPUT);
    ck_assert_uint_eq(address.vendor_id, 7);
    ck_assert_int_eq(transport_usb_open(text, &transport_usb_cdc, &transport),
                     STATUS_BAD_INPUT);
    ck_assert_ptr_null(transport);
    ck_assert(!transport_usb_is_present(text));
}

END_TEST

START_TEST(test_missing_device_is_refused)
{
    struct transport *transport = NULL;
    ck_assert(!transport_usb_is_present("FFFF:FFFE"));
    ck_assert_int_eq(transport_usb_open("FFFF:FFFE", &transport_usb_cdc, &transport),
                     STATUS_DEVICE);
    ck_assert_int_eq(transport_usb_open("FFFF:FFFE@1-1", &transport_usb_cdc, &transport),
                     STATUS_DEVICE);
    ck_assert_ptr_null(transport);
}

END_TEST

START_TEST(test_list_stays_within_its_room)
{
    struct usb_device_info devices[64];
    size_t count = 99;
    ck_assert_int_eq(transport_usb_list(devices, 64, &count), STATUS_OK);
    ck_assert_uint_le(count, 64);
    for (size_t i = 0; i < count; i++) {
        struct usb_address address;
        ck_assert_int_eq(usb_address_parse(devices[i].address, &address), STATUS_OK);
        ck_assert_uint_eq(address.vendor_id, devices[i].vendor_id);
    }
    ck_assert_int_eq(transport_usb_list(devices, 0, &count), STATUS_OK);
    ck_assert_uint_eq(count, 0);
}

END_TEST

START_TEST(test_node_name)
{
    const struct usb_entry entry = {.bus = 1, .number = 5};
    char node[USB_NODE_SIZE];
    usb_entry_node(&entry, node);
    ck_assert_str_eq(node, "/dev/bus/usb/001/005");
}

END_TEST

START_TEST(test_record_of_a_packet)
{
    uint8_t data[TRANSPORT_PACKET_DATA_MAX];
    uint8_t record[TRANSPORT_PACKET_HEAD_SIZE + TRANSPORT_PACKET_DATA_MAX];
    memset(data, 0x77, sizeof data);
    ck_assert_uint_eq(
        transport_packet_encode(0x80, TRANSPORT_PACKET_STALL, NULL, 0, record), 5);
    ck_assert_mem_eq(record, ((const uint8_t[]){0xA5, 0x80, 1, 0, 0}), 5);
    ck_assert_uint_eq(
        transport_packet_encode(0x83, TRANSPORT_PACKET_OK, data, sizeof data, record),
        sizeof record);
    ck_assert_mem_eq(record, ((const uint8_t[]){0xA5, 0x83, 0, 0x00, 0x04, 0x77}), 6);
    ck_assert_uint_eq(framing_u16(record + 3), sizeof data);
}

END_TEST

/* ---- udev rules ---- */

static char *rules_read(void)
{
    char *rules = calloc(1, RULES_SIZE);
    FILE *file = fopen(TEST_SOURCE_DIR "/udev/70-limber.rules", "r");
    ck_assert_ptr_nonnull(file);
    ck_assert_ptr_nonnull(rules);
    size_t size = fread(rules, 1, RULES_SIZE - 1, file);
    ck_assert_uint_gt(size, 0);
    ck_assert_uint_lt(size, RULES_SIZE - 1);
    fclose(file);
    return rules;
}

/* Whether a rule names the device: its vendor, and its product in the list or no list. */
static bool rule_names(const char *rule, const char *attribute, const struct usb_id *id)
{
    char vendor[64];
    char list[64];
    char product[8];
    const unsigned vendor_id = id->vendor_id;
    const unsigned product_id = id->product_id;
    snprintf(vendor, sizeof vendor, "%s{idVendor}==\"%04x\"", attribute, vendor_id);
    snprintf(list, sizeof list, "%s{idProduct}==\"", attribute);
    snprintf(product, sizeof product, "%04x", product_id);
    if (strncmp(rule, vendor, strlen(vendor)) != 0) {
        return false;
    }
    const char *products = strstr(rule, list);
    if (!products) {
        return true;
    }
    products += strlen(list);
    const char *found = id->product_id == 0 ? NULL : strstr(products, product);
    return found && found < strchr(products, '"');
}

/* What the rules do with a device: the rest of the line that names it, "" = nothing. */
static void rule_find(const char *rules, const char *attribute, const struct usb_id *id,
                      char action[RULE_SIZE])
{
    action[0] = '\0';
    for (const char *rule = rules; rule && *rule; rule = strchr(rule, '\n')) {
        rule += *rule == '\n';
        size_t size = strcspn(rule, "\n");
        char line[RULE_SIZE];
        ck_assert_uint_lt(size, sizeof line);
        memcpy(line, rule, size);
        line[size] = '\0';
        if (rule_names(line, attribute, id)) {
            snprintf(action, RULE_SIZE, "%s", strrchr(line, ',') + 2);
            return;
        }
    }
}

static void id_check(const char *rules, const struct driver *driver,
                     const struct usb_id *id)
{
    char action[RULE_SIZE];
    rule_find(rules, "ATTR", id, action);
    /* Both keep ModemManager away; converters stay in their group, boards of one maker do
     * not. */
    bool is_ours = strcmp(action, "GOTO=\"limber_usb_ours\"") == 0;
    bool is_left = strcmp(action, "ENV{ID_MM_DEVICE_IGNORE}=\"1\"") == 0;
    ck_assert_msg(is_ours || (is_left && id->is_adapter), "%s: %04X:%04X: '%s'",
                  driver->name, (unsigned)id->vendor_id, (unsigned)id->product_id, action);
    if (driver->is_usb_only) {
        return; /* never a terminal */
    }
    rule_find(rules, "ATTRS", id, action);
    is_ours = strcmp(action, "GOTO=\"limber_tty_ours\"") == 0;
    is_left = strcmp(action, "ENV{ID_MM_PORT_IGNORE}=\"1\"") == 0;
    ck_assert_msg(is_ours || (is_left && id->is_adapter),
                  "%s: %04X:%04X as a terminal: '%s'", driver->name,
                  (unsigned)id->vendor_id, (unsigned)id->product_id, action);
}

START_TEST(test_rules_name_every_device)
{
    char *rules = rules_read();
    size_t driver_count = 0;
    const struct driver *const *drivers = driver_list(&driver_count);
    unsigned checked_count = 0;
    for (size_t i = 0; i < driver_count; i++) {
        for (unsigned j = 0; j < drivers[i]->usb_id_count; j++) {
            id_check(rules, drivers[i], &drivers[i]->usb_ids[j]);
            checked_count++;
        }
    }
    ck_assert_uint_ge(checked_count, 4);
    free(rules);
}

END_TEST

START_TEST(test_rules_know_no_others)
{
    char *rules = rules_read();
    char action[RULE_SIZE];
    const struct usb_id keyboard = {0x046D, 0xC31C, false};
    const struct usb_id other_sony = {0x054C, 0x0001, false};
    rule_find(rules, "ATTR", &keyboard, action);
    ck_assert_str_eq(action, "");
    rule_find(rules, "ATTR", &other_sony, action);
    ck_assert_str_eq(action, "");
    const struct usb_id dualsense = {0x054C, 0x0CE6, false};
    rule_find(rules, "ATTR", &dualsense, action);
    ck_assert_str_eq(action, "GOTO=\"limber_usb_ours\"");
    free(rules);
}

END_TEST

START_TEST(test_rules_give_what_they_promise)
{
    char *rules = rules_read();
    ck_assert_ptr_nonnull(strstr(rules, "LABEL=\"limber_usb_ours\"\nGROUP=\"plugdev\", "
                                        "MODE=\"0660\", TAG+=\"uaccess\", "
                                        "ENV{ID_MM_DEVICE_IGNORE}=\"1\"\n"));
    ck_assert_ptr_nonnull(strstr(rules, "LABEL=\"limber_tty_ours\"\nGROUP=\"plugdev\", "
                                        "MODE=\"0660\", TAG+=\"uaccess\", "
                                        "ENV{ID_MM_PORT_IGNORE}=\"1\"\n"));
    /* Every place that is jumped to is there, or udev ignores the jump. */
    for (const char *jump = strstr(rules, "GOTO=\""); jump;
         jump = strstr(jump + 1, "GOTO=\"")) {
        char label[64];
        snprintf(label, sizeof label, "LABEL=\"%.*s\"", (int)strcspn(jump + 6, "\""),
                 jump + 6);
        ck_assert_msg(strstr(rules, label) != NULL, "%s is missing", label);
    }
    free(rules);
}

END_TEST

/* Else a rig and the simulation would speak to the model in another way than the transport
 * does to the device. */
START_TEST(test_models_are_reached_as_their_drivers_say)
{
    size_t count = 0;
    const struct device_model_type *const *types = device_model_list(&count);
    for (size_t i = 0; i < count; i++) {
        const struct device_model_usb *face = types[i]->usb;
        if (!face) {
            continue;
        }
        const struct transport_usb_profile *profile =
            driver_usb_profile(driver_find(types[i]->driver));
        bool takes_requests =
            profile->kind == TRANSPORT_USB_HID || profile->kind == TRANSPORT_USB_REQUEST;
        ck_assert_msg(profile->is_packeted == face->is_packeted, "%s: records",
                      types[i]->driver);
        ck_assert_msg(takes_requests == (face->command_endpoint == 0), "%s: requests",
                      types[i]->driver);
    }
}

END_TEST

int main(void)
{
    Suite *suite = suite_create("transport_usb");
    TCase *tests = tcase_create("transport_usb");
    tcase_add_test(tests, test_addresses);
    tcase_add_loop_test(tests, test_bad_addresses_are_refused, 0,
                        (int)(sizeof BAD_ADDRESSES / sizeof BAD_ADDRESSES[0]));
    tcase_add_test(tests, test_missing_device_is_refused);
    tcase_add_test(tests, test_list_stays_within_its_room);
    tcase_add_test(tests, test_node_name);
    tcase_add_test(tests, test_record_of_a_packet);
    tcase_add_test(tests, test_rules_name_every_device);
    tcase_add_test(tests, test_rules_know_no_others);
    tcase_add_test(tests, test_rules_give_what_they_promise);
    tcase_add_test(tests, test_models_are_reached_as_their_drivers_say);
    suite_add_tcase(suite, tests);
    SRunner *runner = srunner_create(suite);
    srunner_run_all(runner, CK_NORMAL);
    int failed = srunner_ntests_failed(runner);
    srunner_free(runner);
    return failed == 0 ? EXIT_SUCCESS : EXIT_FAILURE;
}
