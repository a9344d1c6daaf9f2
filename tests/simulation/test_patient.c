/* Patients from YAML: the built-in ones, and what is said about wrong ones. */
#include "suites.h"

#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "simulation/patient.h"
#include "simulation/simulation.h"

static const char GOOD[] = "name: me\n"
                           "title: A test\n"
                           "movement:\n"
                           "  range_left: 1.0\n"
                           "  range_right: 1.0\n"
                           "  speed: 1.0\n"
                           "  reaction_s: 0.4\n"
                           "  countdown_s: 3\n"
                           "  range_cv: 0.01\n"
                           "  tempo_cv: 0.01\n"
                           "  hold_effort: 0.97\n"
                           "steadiness:\n"
                           "  sway_deg: 0.5\n"
                           "  breathing_deg: 0.5\n"
                           "  breathing_hz: 0.25\n"
                           "  tremor_deg: 0.003\n"
                           "  drift_out: 0\n"
                           "  leave_early: 0\n"
                           "sensors:\n"
                           "  mounting_deg: 8\n"
                           "  gyro_bias_deg_s: 0.3\n"
                           "  accel_bias_g: 0.002\n"
                           "  scale_error: 0.003\n"
                           "  clock_error: 0.003\n"
                           "  arrival_jitter_s: 0.008\n"
                           "  noise: 1\n"
                           "faults:\n"
                           "  - {kind: slip, role: thigh_l, phase: HOLD, after_s: 2,\n"
                           "     duration_s: 0.3, angle_deg: 12}\n";

/* GOOD with the first occurrence of one text replaced. */
static void edited(const char *from, const char *to, char *text, size_t size)
{
    const char *at = strstr(GOOD, from);
    ck_assert_ptr_nonnull(at);
    int written =
        snprintf(text, size, "%.*s%s%s", (int)(at - GOOD), GOOD, to, at + strlen(from));
    ck_assert_int_lt(written, (int)size);
}

/* What patient_parse writes to standard error. */
static enum status parse_listening(const char *text, char *said, size_t size)
{
    FILE *file = tmpfile();
    ck_assert_ptr_nonnull(file);
    int saved = dup(STDERR_FILENO);
    fflush(stderr);
    dup2(fileno(file), STDERR_FILENO);
    struct patient *patient = NULL;
    enum status status = patient_parse("clinic/anna.yaml", text, strlen(text), &patient);
    fflush(stderr);
    dup2(saved, STDERR_FILENO);
    close(saved);
    rewind(file);
    size_t count = fread(said, 1, size - 1, file);
    said[count] = '\0';
    fclose(file);
    patient_destroy(patient);
    return status;
}

START_TEST(built_in_patients_are_readable)
{
    size_t count;
    const char *const *names = simulation_patients(&count);
    ck_assert_uint_eq(count, 10);
    for (size_t i = 0; i < count; i++) {
        struct patient *patient = NULL;
        ck_assert_int_eq(patient_find(names[i], &patient), STATUS_OK);
        ck_assert_str_eq(patient->name, names[i]);
        patient_destroy(patient);
    }
}

END_TEST

START_TEST(good_text_is_read)
{
    struct patient *patient = NULL;
    ck_assert_int_eq(patient_parse("me.yaml", GOOD, strlen(GOOD), &patient), STATUS_OK);
    ck_assert_double_eq(patient->movement.hold_effort, 0.97);
    ck_assert_uint_eq(patient->faults_count, 1);
    ck_assert_int_eq(patient->faults[0].kind, FAULT_SLIP);
    ck_assert_double_eq(patient->faults[0].angle_deg, 12.0);
    patient_destroy(patient);
}

END_TEST

static const struct {
    const char *from;
    const char *to;
    const char *where;
    const char *what;
} WRONG[] = {
    {"  speed: 1.0", "  spede: 1.0", "clinic/anna.yaml:6:", "'spede'"},
    {"  speed: 1.0\n", "", "clinic/anna.yaml:", "speed"},
    {"  speed: 1.0", "  speed: fast", "clinic/anna.yaml:6:", "fast"},
    {"  speed: 1.0", "  speed: 9", "clinic/anna.yaml:6:", "0.3 to 4"},
    {"  speed: 1.0", "  speed: nan", "clinic/anna.yaml:6:", "speed"},
    {"name: me", "nmae: me", "clinic/anna.yaml:1:", "'nmae'"},
    {"kind: slip", "kind: slide", "clinic/anna.yaml:28:", "slide"},
    {"role: thigh_l", "role: elbow", "clinic/anna.yaml:", "elbow"},
    {"after_s: 2", "after_s: 0", "clinic/anna.yaml:", "after_s"},
    {"movement:\n", "movement: [\n", "clinic/anna.yaml:", ""},
};

START_TEST(wrong_text_is_refused_with_file_and_line)
{
    char text[2048];
    char said[2048];
    edited(WRONG[_i].from, WRONG[_i].to, text, sizeof text);
    ck_assert_int_eq(parse_listening(text, said, sizeof said), STATUS_BAD_INPUT);
    ck_assert_msg(strstr(said, WRONG[_i].where) && strstr(said, WRONG[_i].what),
                  "expected %s and %s in: %s", WRONG[_i].where, WRONG[_i].what, said);
    ck_assert_ptr_eq(strchr(said, '\n'), said + strlen(said) - 1);
}

END_TEST

START_TEST(empty_text_is_refused)
{
    char said[512];
    ck_assert_int_eq(parse_listening("", said, sizeof said), STATUS_BAD_INPUT);
    ck_assert_ptr_nonnull(strstr(said, "clinic/anna.yaml:1:"));
}

END_TEST

START_TEST(unknown_patients_are_not_found)
{
    struct patient *patient = NULL;
    ck_assert_int_eq(patient_find("nobody", &patient), STATUS_NOT_FOUND);
    ck_assert_int_eq(patient_find("no/such/file.yaml", &patient), STATUS_NOT_FOUND);
    ck_assert_int_eq(patient_find(".yaml", &patient), STATUS_NOT_FOUND);
    ck_assert_ptr_null(patient);
}

END_TEST

Suite *patient_suite(void)
{
    Suite *suite = suite_create("patient");
    TCase *tests = tcase_create("yaml");
    tcase_add_test(tests, built_in_patients_are_readable);
    tcase_add_test(tests, good_text_is_read);
    tcase_add_loop_test(tests, wrong_text_is_refused_with_file_and_line, 0,
                        sizeof WRONG / sizeof WRONG[0]);
    tcase_add_test(tests, empty_text_is_refused);
    tcase_add_test(tests, unknown_patients_are_not_found);
    suite_add_tcase(suite, tests);
    return suite;
}
