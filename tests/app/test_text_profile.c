#include <check.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "acquisition/device.h"
#include "app/header.h"
#include "app/sensor_file.h"
#include "app/text_profile.h"
#include "tests/protocols/log_capture.h"

static const char GOOD[] = "title: Knee strips\n"
                           "baud: 57600\n"
                           "rate_hz: 250\n"
                           "separator: semicolon\n"
                           "decimal_comma: true\n"
                           "header_lines: 2\n"
                           "columns:\n"
                           "  - {name: time_ms, scale: 0.004}\n"
                           "  - {name: analog_0_v, scale: 0.0048876, offset: -0.5}\n"
                           "  - {name: unused}\n"
                           "  - {name: analog_1_v}\n";

static char folder[] = TEST_BINARY_DIR "/profile_XXXXXX";

static void file_path(const char *name, char *path, size_t size)
{
    snprintf(path, size, "%s/%s", folder, name);
}

static void file_write(const char *name, const char *text)
{
    char path[512];
    file_path(name, path, sizeof path);
    FILE *file = fopen(path, "wb");
    ck_assert_ptr_nonnull(file);
    ck_assert_uint_eq(fwrite(text, 1, strlen(text), file), strlen(text));
    ck_assert_int_eq(fclose(file), 0);
}

static void folder_remove(void)
{
    static const char *const names[] = {"knee.yaml", "sensors.yaml"};
    for (unsigned index = 0; index < 2; index++) {
        char path[512];
        file_path(names[index], path, sizeof path);
        unlink(path);
    }
    rmdir(folder);
}

static enum status profile_read(const char *text, struct text_profile *profile,
                                char *message, size_t message_size)
{
    char path[512];
    struct log_capture capture;
    file_write("knee.yaml", text);
    file_path("knee.yaml", path, sizeof path);
    memset(profile, 0, sizeof *profile);
    log_capture_begin(&capture);
    enum status status = text_profile_read(path, profile);
    log_capture_end(&capture, message, message_size);
    return status;
}

static void good_check(const struct text_profile *profile)
{
    ck_assert(profile->is_set);
    ck_assert_str_eq(profile->title, "Knee strips");
    ck_assert_uint_eq(profile->baud, 57600);
    ck_assert_double_eq(profile->rate_hz, 250.0);
    ck_assert_str_eq(profile->columns, "time_ms,analog_0_v,unused,analog_1_v");
    ck_assert_int_eq(profile->lines.separator, ';');
    ck_assert(profile->lines.has_decimal_comma);
    ck_assert(!profile->lines.has_trailing_separator);
    ck_assert_uint_eq(profile->lines.header_line_count, 2);
    ck_assert_double_eq(profile->lines.scales[0], 0.004);
    ck_assert_double_eq(profile->lines.scales[1], 0.0048876);
    ck_assert_double_eq(profile->lines.offsets[1], -0.5);
    ck_assert_double_eq(profile->lines.scales[3], 1.0);
    ck_assert_double_eq(profile->lines.offsets[3], 0.0);
}

START_TEST(good_profile_is_read)
{
    struct text_profile profile;
    char message[1000];
    ck_assert_int_eq(profile_read(GOOD, &profile, message, sizeof message), STATUS_OK);
    ck_assert_str_eq(message, "");
    good_check(&profile);
}

END_TEST

/* A file that is wrong, the line that must be named and a word of the message. */
static const struct {
    const char *text;
    unsigned line;
    const char *word;
} BAD[] = {
    {"baud: 9600\n", 1, "columns"},
    {"columns: []\n", 1, "1 to 40"},
    {"columns:\n  - {name: analog_0_v}\n  - {name: analog_0_volt}\n", 3, "no such column"},
    {"columns:\n  - {name: analog_0_v}\n  - {name: analog_0_count}\n", 3, "twice"},
    {"columns:\n  - {name: \"analog_0_v,analog_1_v\"}\n", 2, "more than one name"},
    {"columns:\n  - {name: time_ms}\n", 1, "no column"},
    {"columns:\n  - {name: gyroscope_x_deg_s}\n", 1, "all six"},
    {"columns:\n  - {name: analog_0_v, scale: 0}\n", 2, "other than 0"},
    {"columns:\n  - {name: analog_0_v, scale: much}\n", 2, "number"},
    {"columns:\n  - {name: analog_0_v, scale: 1e300}\n", 2, "1e12"},
    {"columns:\n  - {name: analog_0_v, ofset: 1}\n", 2, "did you mean 'offset'"},
    {"columns:\n  - {scale: 1}\n", 2, "no key 'name'"},
    {"columns:\n  - analog_0_v\n", 2, "group of keys"},
    {"columns:\n  - {name: analog_0_v}\n  - {name: time_s, offset: 3}\n", 3, "no offset"},
    {"columns:\n  - {name: time_s, scale: 60}\n  - {name: analog_0_v}\n", 2, "up to 1"},
    {"decimal_comma: true\nseparator: comma\ncolumns:\n  - {name: analog_0_v}\n", 2,
     "decimal sign"},
    {"separator: pipe\ncolumns:\n  - {name: analog_0_v}\n", 1, "one of auto"},
    {"header_lines: 1001\ncolumns:\n  - {name: analog_0_v}\n", 1, "at most 1000"},
    {"baud: -1\ncolumns:\n  - {name: analog_0_v}\n", 1, "baud"},
    {"columns:\n  - {name: analog_0_v}\nrate_hz: 20000\n", 3, "impossible"},
    {"colums:\n  - {name: analog_0_v}\n", 1, "did you mean 'columns'"},
    {"columns: [\n", 2, "not YAML"},
};

START_TEST(bad_profile_is_refused_with_its_line)
{
    struct text_profile profile;
    char message[1000];
    char place[32];
    ck_assert_int_eq(profile_read(BAD[_i].text, &profile, message, sizeof message),
                     STATUS_BAD_INPUT);
    snprintf(place, sizeof place, "knee.yaml:%u: ", BAD[_i].line);
    ck_assert_msg(strstr(message, place) && strstr(message, BAD[_i].word),
                  "wanted '%s' and '%s' in: %s", place, BAD[_i].word, message);
    ck_assert_uint_eq(log_capture_lines(message), 1);
    ck_assert(!profile.is_set);
}

END_TEST

START_TEST(missing_file_is_told)
{
    struct text_profile profile = {0};
    struct log_capture capture;
    char message[1000];
    log_capture_begin(&capture);
    enum status status = text_profile_read("/nowhere/knee.yaml", &profile);
    log_capture_end(&capture, message, sizeof message);
    ck_assert_int_eq(status, STATUS_NOT_FOUND);
    ck_assert_ptr_nonnull(strstr(message, "/nowhere/knee.yaml"));
    ck_assert(!profile.is_set);
}

END_TEST

START_TEST(only_yaml_files_are_profiles)
{
    ck_assert(text_profile_is_file("knee.yaml"));
    ck_assert(text_profile_is_file("a/b.yml"));
    ck_assert(!text_profile_is_file("razor-m0"));
    ck_assert(!text_profile_is_file("time_ms,analog_0_v"));
    ck_assert(!text_profile_is_file(".yaml"));
    ck_assert(!text_profile_is_file(""));
}

END_TEST

static void sensors_write(const char *more)
{
    char text[512];
    snprintf(text, sizeof text,
             "sensors:\n  - {role: flex_lumbar, driver: text, port: /dev/ttyUSB0, columns: "
             "knee.yaml%s}\n",
             more);
    file_write("sensors.yaml", text);
}

/* What is between the sensor file and the samples. */
static void entry_check(const struct sensor_entry *entry, double rate_hz, unsigned baud)
{
    good_check(&entry->profile);
    struct driver_settings settings = sensor_entry_settings(entry);
    ck_assert_double_eq(settings.rate_hz, rate_hz);
    ck_assert_uint_eq(settings.baud, baud);
    ck_assert_ptr_eq(settings.columns, entry->profile.columns);
    ck_assert_ptr_eq(settings.lines, &entry->profile.lines);
    struct device *device = calloc(1, sizeof *device);
    ck_assert_ptr_nonnull(device);
    ck_assert_int_eq(device_init(device, driver_find("text"), &settings), STATUS_OK);
    free(device);
}

/* The profile stands beside the sensor file, is taken into the journal's header whole, and
 * comes out of it after the file is gone. */
START_TEST(journal_keeps_the_profile)
{
    char path[512];
    struct header *header = NULL;
    file_write("knee.yaml", GOOD);
    sensors_write(_i == 0 ? "" : ", baud: 9600, rate_hz: 50");
    file_path("sensors.yaml", path, sizeof path);
    ck_assert_int_eq(header_create(&header), STATUS_OK);
    ck_assert_int_eq(sensor_file_read(path, &header->sensors), STATUS_OK);
    double rate_hz = _i == 0 ? 250.0 : 50.0;
    unsigned baud = _i == 0 ? 57600 : 9600;
    entry_check(&header->sensors.entries[0], rate_hz, baud);
    char *text = NULL;
    ck_assert_int_eq(header_encode(header, &text), STATUS_OK);
    header_destroy(header);
    file_path("knee.yaml", path, sizeof path);
    ck_assert_int_eq(unlink(path), 0);
    ck_assert_int_eq(header_decode(text, strlen(text), &header), STATUS_OK);
    entry_check(&header->sensors.entries[0], rate_hz, baud);
    header_destroy(header);
    free(text);
}

END_TEST

/* A journal whose profile lost a member, or has too few numbers, is damaged. */
START_TEST(damaged_profile_is_refused)
{
    static const char *const members[] = {"columns", "scales", "offsets",     "separator",
                                          "baud",    "title",  "header_lines"};
    struct text_profile profile;
    char message[1000];
    ck_assert_int_eq(profile_read(GOOD, &profile, message, sizeof message), STATUS_OK);
    json_t *object = text_profile_encode(&profile);
    ck_assert_ptr_nonnull(object);
    struct text_profile again = {0};
    ck_assert(text_profile_decode(object, &again));
    good_check(&again);
    json_object_del(object, members[_i]);
    memset(&again, 0, sizeof again);
    ck_assert(!text_profile_decode(object, &again));
    ck_assert(!again.is_set);
    json_object_set_new(object, members[_i], json_pack("[i]", 1));
    ck_assert(!text_profile_decode(object, &again));
    json_decref(object);
}

END_TEST

START_TEST(sensor_file_names_the_line_of_the_profile)
{
    char path[512];
    char message[1000];
    struct log_capture capture;
    static struct sensor_list list;
    file_write("knee.yaml", "columns:\n  - {name: analog_0_volts}\n");
    sensors_write("");
    file_path("sensors.yaml", path, sizeof path);
    log_capture_begin(&capture);
    enum status status = sensor_file_read(path, &list);
    log_capture_end(&capture, message, sizeof message);
    ck_assert_int_eq(status, STATUS_BAD_INPUT);
    ck_assert_ptr_nonnull(strstr(message, "knee.yaml:2: "));
}

END_TEST

int main(void)
{
    if (!mkdtemp(folder)) {
        perror(folder);
        return EXIT_FAILURE;
    }
    Suite *suite = suite_create("text_profile");
    TCase *profiles = tcase_create("profiles");
    tcase_add_test(profiles, good_profile_is_read);
    tcase_add_loop_test(profiles, bad_profile_is_refused_with_its_line, 0,
                        sizeof BAD / sizeof BAD[0]);
    tcase_add_test(profiles, missing_file_is_told);
    tcase_add_test(profiles, only_yaml_files_are_profiles);
    tcase_add_loop_test(profiles, journal_keeps_the_profile, 0, 2);
    tcase_add_loop_test(profiles, damaged_profile_is_refused, 0, 7);
    tcase_add_test(profiles, sensor_file_names_the_line_of_the_profile);
    suite_add_tcase(suite, profiles);
    SRunner *runner = srunner_create(suite);
    srunner_run_all(runner, CK_NORMAL);
    int failed = srunner_ntests_failed(runner);
    srunner_free(runner);
    folder_remove();
    return failed == 0 ? EXIT_SUCCESS : EXIT_FAILURE;
}
