/* Whole sessions on virtual time: cues in, bytes and truth out. */
#include "suites.h"

#include <math.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/units.h"
#include "simulation/choreography.h"
#include "simulation/device_model.h"
#include "simulation/person.h"
#include "simulation/simulation.h"
#include "simulation/truth.h"

enum {
    SENSOR_MAX = 3
};

/* A capture in small: reads what arrives first, counts and sums it. */
struct listener {
    struct simulation *simulation;
    struct transport *transports[SENSOR_MAX];
    unsigned count;
    uint64_t hash;
    uint64_t byte_counts[SENSOR_MAX];
    int64_t newest_ns[SENSOR_MAX];
    int64_t longest_silence_ns[SENSOR_MAX];
    unsigned gone_count;
    unsigned end_count;
};

static void listener_take(struct listener *listener, unsigned i, int64_t now_ns)
{
    uint8_t bytes[512];
    size_t size = 0;
    struct transport *transport = listener->transports[i];
    enum status status = transport->ops->read(transport, bytes, sizeof bytes, &size);
    if (status == STATUS_OK) {
        listener->byte_counts[i] += size;
        int64_t silence_ns = now_ns - listener->newest_ns[i];
        /* Check's own assertions cost a system call each. */
        if (size == 0 || silence_ns < 0) {
            ck_abort_msg("empty read, or time went back");
        }
        if (silence_ns > listener->longest_silence_ns[i]) {
            listener->longest_silence_ns[i] = silence_ns;
        }
        listener->newest_ns[i] = now_ns;
        for (size_t k = 0; k < size; k++) {
            listener->hash = (listener->hash ^ bytes[k]) * 1099511628211u;
        }
        listener->hash ^= (uint64_t)now_ns;
    } else if (status == STATUS_GONE || status == STATUS_END) {
        listener->gone_count += status == STATUS_GONE ? 1 : 0;
        listener->end_count += status == STATUS_END ? 1 : 0;
        transport->ops->close(transport);
        listener->transports[i] = NULL;
    } else {
        ck_assert_int_eq(status, STATUS_NOT_READY);
    }
}

/* Read everything up to a time. */
static void listen(struct listener *listener, double until_s)
{
    for (;;) {
        int64_t first_ns = INT64_MAX;
        unsigned first = SENSOR_MAX;
        for (unsigned i = 0; i < listener->count; i++) {
            struct transport *transport = listener->transports[i];
            int64_t next_ns = transport ? transport->ops->next_ns(transport) : INT64_MAX;
            if (transport && (next_ns < first_ns || first == SENSOR_MAX)) {
                first_ns = next_ns;
                first = i;
            }
        }
        if (first == SENSOR_MAX
            || (first_ns != INT64_MAX && first_ns > (int64_t)(until_s * 1e9))) {
            return;
        }
        listener_take(listener, first, first_ns);
    }
}

static void listener_open(struct listener *listener, const char *patient, uint64_t seed,
                          const char *truth_path)
{
    const struct simulation_settings settings = {patient, seed, truth_path};
    *listener = (struct listener){.count = SENSOR_MAX, .hash = 14695981039346656037u};
    ck_assert_int_eq(simulation_create(&settings, &listener->simulation), STATUS_OK);

    const enum role roles[SENSOR_MAX] = {ROLE_PELVIS_DORSAL, ROLE_THORAX_DORSAL,
                                         ROLE_FLEX_LUMBAR};

    const char *const drivers[SENSOR_MAX] = {"xio-ximu3", "text", "text"};
    for (unsigned i = 0; i < SENSOR_MAX; i++) {
        ck_assert_int_eq(simulation_transport_open(listener->simulation, roles[i],
                                                   drivers[i], 100.0,
                                                   &listener->transports[i]),
                         STATUS_OK);
    }
}

static void listener_close(struct listener *listener)
{
    for (unsigned i = 0; i < listener->count; i++) {
        if (listener->transports[i]) {
            listener->transports[i]->ops->close(listener->transports[i]);
        }
    }
    ck_assert_int_eq(simulation_destroy(listener->simulation), STATUS_OK);
}

static void cue(struct listener *listener, double time_s, const char *phase,
                const char *stretch, const char *part, enum side side, unsigned repetition,
                bool is_practice)
{
    const struct simulation_cue said = {.time_ns = (int64_t)(time_s * 1e9),
                                        .stretch = stretch,
                                        .part = part,
                                        .phase = phase,
                                        .stage = "",
                                        .side = side,
                                        .repetition = repetition,
                                        .is_practice = is_practice};
    listen(listener, time_s);
    simulation_cue(listener->simulation, &said);
}

/* One hold or one run of cycles, with a practice before. */
static void stretch_do(struct listener *listener, const struct choreography *stretch,
                       enum side side)
{
    const char *id = stretch->stretch;
    const char *part = stretch->part;
    cue(listener, 1.0, "SETUP", id, part, side, 0, true);
    if (stretch->high) {
        cue(listener, 8.0, "READY", id, part, side, 0, false);
        cue(listener, 14.0, "CYCLE", id, part, side, 0, false);
        cue(listener, 50.0, "REST", id, part, side, 0, false);
    } else {
        cue(listener, 8.0, "READY", id, part, side, 0, true);
        cue(listener, 30.0, "READY", id, part, side, 1, false);
        cue(listener, 35.0, "MOVE_IN", id, part, side, 1, false);
        cue(listener, 41.0, "HOLD", id, part, side, 1, false);
        cue(listener, 50.0, "MOVE_OUT", id, part, side, 1, false);
    }
    cue(listener, 65.0, "DONE", id, part, side, 0, false);
    listen(listener, 100.0);
}

struct row {
    double time_s;
    double values[TRUTH_COLUMN_COUNT];
    char move[96];
};

static bool row_read(FILE *file, struct row *row)
{
    char line[1024];
    if (!fgets(line, sizeof line, file)) {
        return false;
    }
    char *at = line;
    row->time_s = strtod(at, &at);
    for (unsigned i = 0; i < TRUTH_COLUMN_COUNT; i++) {
        if (*at != ',') {
            ck_abort_msg("missing column %u", i);
        }
        row->values[i] = strtod(at + 1, &at);
        if (!isfinite(row->values[i])) {
            ck_abort_msg("%s is no number at %g s", truth_column_text(i), row->time_s);
        }
    }
    if (*at != ',') {
        ck_abort_msg("missing column move");
    }
    snprintf(row->move, sizeof row->move, "%.90s", at + 1);
    row->move[strcspn(row->move, "\n")] = '\0';
    return true;
}

static void truth_path(char *path, size_t size)
{
    snprintf(path, size, "%s/truth_test_%ld.csv", TEST_BINARY_DIR, (long)getpid());
}

static FILE *truth_open(const char *path)
{
    FILE *file = fopen(path, "r");
    ck_assert_ptr_nonnull(file);
    char header[1024];
    ck_assert_ptr_nonnull(fgets(header, sizeof header, file));
    ck_assert_int_eq(strncmp(header, "time_s,lumbar_flexion,", 22), 0);
    return file;
}

/* Which column shows each part, and the least and most it must reach (clinical
 * reference 2.8). */
static const struct {
    const char *stretch;
    const char *part;
    enum side side;
    const char *column;
    double low_deg;
    double high_deg;
    const char *label;
} REACHES[] = {
    {"knee_to_chest_rock", "hold", SIDE_LEFT, "hip_flexion_l", 51.0, 105.0, "/left/1/hold"},
    {"knee_to_chest_rock", "hold", SIDE_RIGHT, "hip_flexion_r", 51.0, 105.0,
     "/right/1/hold"},
    {"knee_to_chest_rock", "rock", SIDE_BOTH, "pelvis_roll", -18.0, 18.0, "/both/5/up"},
    {"seated_spinal_twist", "hold", SIDE_RIGHT, "trunk_rotation", 1.0, 35.0,
     "/right/1/hold"},
    {"seated_spinal_twist", "hold", SIDE_LEFT, "trunk_rotation", -35.0, -1.0,
     "/left/1/hold"},
    {"cat_cow", "cycle", SIDE_BOTH, "lumbar_flexion", -16.0, 20.0, "/both/5/up"},
    {"bridge", "hold", SIDE_BOTH, "bridge_line", -54.0, -9.0, "/both/1/hold"},
    {"couch_decompression", "hold", SIDE_BOTH, "hip_extension", -44.0, 7.0, "/both/1/hold"},
    {"standing_forward_bend", "hold", SIDE_BOTH, "thorax_inclination", 1.0, 90.0,
     "/both/1/hold"},
    {"standing_forward_bend", "sway", SIDE_BOTH, "thorax_side", -10.0, 10.0, "/both/3/up"},
    {"childs_pose", "hold", SIDE_BOTH, "thorax_inclination", 1.0, 93.0, "/both/1/hold"},
};

START_TEST(every_stretch_reaches_its_peak_and_comes_back)
{
    char path[512];
    struct listener listener;
    truth_path(path, sizeof path);
    listener_open(&listener, "comfortable", 11, path);
    stretch_do(&listener, choreography_find(REACHES[_i].stretch, REACHES[_i].part),
               REACHES[_i].side);
    listener_close(&listener);
    FILE *file = truth_open(path);
    struct row row;
    unsigned column = 0;
    while (strcmp(truth_column_text(column), REACHES[_i].column) != 0) {
        column++;
    }
    double least = INFINITY;
    double most = -INFINITY;
    bool has_label = false;
    unsigned rows = 0;
    while (row_read(file, &row)) {
        if (fabs(row.time_s - rows / TRUTH_RATE_HZ) > 1e-4) {
            ck_abort_msg("row %u at %g s", rows, row.time_s);
        }
        rows++;
        if (row.time_s > 6.0 && row.time_s < 62.0) {
            least = fmin(least, row.values[column]);
            most = fmax(most, row.values[column]);
        }
        has_label |= strstr(row.move, REACHES[_i].label) != NULL;
    }
    fclose(file);
    unlink(path);
    ck_assert_double_le(least, REACHES[_i].low_deg);
    ck_assert_double_ge(most, REACHES[_i].high_deg);
    ck_assert_msg(has_label, "no %s", REACHES[_i].label);
    /* Three seconds after DONE the sensors end. */
    ck_assert_double_eq_tol(row.time_s, 68.0, 0.05);
    ck_assert_uint_eq(listener.end_count, SENSOR_MAX);
}

END_TEST

START_TEST(same_seed_gives_same_bytes)
{
    uint64_t hashes[3];
    const uint64_t seeds[3] = {5, 5, 6};
    for (unsigned i = 0; i < 3; i++) {
        struct listener listener;
        listener_open(&listener, "poor_holder", seeds[i], NULL);
        stretch_do(&listener, choreography_find("bridge", "hold"), SIDE_BOTH);
        hashes[i] = listener.hash;
        listener_close(&listener);
    }
    ck_assert_uint_eq(hashes[0], hashes[1]);
    ck_assert_uint_ne(hashes[0], hashes[2]);
}

END_TEST

START_TEST(rate_is_nominal_within_the_clock_error)
{
    struct listener listener;
    listener_open(&listener, "comfortable", 2, NULL);
    listen(&listener, 100.0);
    /* 10,000 lines of "NNN\r\n" and one of titles; clock within 0.3 %. */
    ck_assert_double_eq_tol((double)listener.byte_counts[2], 50000.0, 200.0);
    ck_assert_uint_eq(listener.end_count, 0);
    for (unsigned i = 0; i < SENSOR_MAX; i++) {
        /* Period 10 ms, jitter 8 ms, burst 16 ms, start 60 ms. */
        ck_assert_int_lt(listener.longest_silence_ns[i], 80000000);
    }
    listener_close(&listener);
}

END_TEST

static const struct {
    const char *patient;
    unsigned sensor;
    double silence_s;
} SILENCES[] = {
    {"drop_out", 0, 0.7},
    {"drop_out", 2, 0.2},
    {"stall", 0, 0.8},
    {"stall", 1, 3.0},
};

START_TEST(faults_silence_a_sensor_as_long_as_said)
{
    struct listener listener;
    listener_open(&listener, SILENCES[_i].patient, 4, NULL);
    stretch_do(&listener, choreography_find("childs_pose", "hold"), SIDE_BOTH);
    /* Period, jitter and burst on top. */
    double silence_s = (double)listener.longest_silence_ns[SILENCES[_i].sensor] / 1e9;
    ck_assert_double_ge(silence_s, SILENCES[_i].silence_s - 0.03);
    ck_assert_double_le(silence_s, SILENCES[_i].silence_s + 0.05);
    listener_close(&listener);
}

END_TEST

START_TEST(unplugged_sensor_comes_back)
{
    const struct simulation_settings settings = {"stall", 3, NULL};
    struct listener listener = {.count = 2};
    ck_assert_int_eq(simulation_create(&settings, &listener.simulation), STATUS_OK);

    const enum role roles[2] = {ROLE_THIGH_L, ROLE_THIGH_R};

    for (unsigned i = 0; i < 2; i++) {
        ck_assert_int_eq(simulation_transport_open(listener.simulation, roles[i],
                                                   "xio-ximu3", 100.0,
                                                   &listener.transports[i]),
                         STATUS_OK);
    }
    cue(&listener, 2.0, "REST", "bridge", "hold", SIDE_BOTH, 1, false);
    listen(&listener, 4.0);
    ck_assert_uint_eq(listener.gone_count, 1);
    ck_assert_ptr_null(listener.transports[0]);
    ck_assert_int_eq(simulation_transport_open(listener.simulation, ROLE_THIGH_L,
                                               "xio-ximu3", 100.0, &listener.transports[0]),
                     STATUS_GONE);
    listen(&listener, 5.2);
    uint64_t bytes_before = listener.byte_counts[0];
    ck_assert_int_eq(simulation_transport_open(listener.simulation, ROLE_THIGH_L,
                                               "xio-ximu3", 100.0, &listener.transports[0]),
                     STATUS_OK);
    ck_assert_int_ge(listener.transports[0]->ops->next_ns(listener.transports[0]),
                     5100000000);
    listen(&listener, 6.2);
    /* One second of 34-byte messages, some stuffed. */
    ck_assert_uint_gt(listener.byte_counts[0] - bytes_before, 3200);
    listener_close(&listener);
}

END_TEST

START_TEST(firmata_board_answers_and_reports)
{
    const struct simulation_settings settings = {"comfortable", 3, NULL};
    struct listener listener = {.count = 1};
    ck_assert_int_eq(simulation_create(&settings, &listener.simulation), STATUS_OK);
    ck_assert_int_eq(simulation_transport_open(listener.simulation, ROLE_FLEX_LUMBAR,
                                               "arduino-firmata", 100.0,
                                               &listener.transports[0]),
                     STATUS_OK);
    struct transport *board = listener.transports[0];
    listen(&listener, 2.0);
    /* Version and name, nothing else before it is asked. */
    ck_assert_uint_eq(listener.byte_counts[0], 3 + 5 + 2 * strlen("StandardFirmata.ino"));
    const uint8_t start[] = {0xF4, 14, 2, 0xF0, 0x7A, 10, 0, 0xF7, 0xC0, 1};
    ck_assert_int_eq(board->ops->write(board, start, sizeof start), STATUS_OK);
    listen(&listener, 3.0);
    uint64_t before = listener.byte_counts[0];
    listen(&listener, 13.0);
    ck_assert_double_eq_tol((double)(listener.byte_counts[0] - before), 3000.0, 20.0);
    listener_close(&listener);
}

END_TEST

START_TEST(strip_sits_on_the_channel_that_was_set)
{
    static const char COMMANDS[] = "{\"serial_mode\":2}\n{\"binary_mode_enabled\":false}\n"
                                   "{\"apply\":null}\n";
    const struct simulation_settings settings = {"comfortable", 3, NULL};
    struct simulation *simulation = NULL;
    struct transport *unit = NULL;
    ck_assert_int_eq(simulation_create(&settings, &simulation), STATUS_OK);
    simulation_channel_set(simulation, ROLE_FLEX_LUMBAR, 2);
    ck_assert_int_eq(
        simulation_transport_open(simulation, ROLE_FLEX_LUMBAR, "xio-ximu3", 100.0, &unit),
        STATUS_OK);
    ck_assert_int_eq(unit->ops->write(unit, (const uint8_t *)COMMANDS, sizeof COMMANDS - 1),
                     STATUS_OK);
    char text[65536];
    size_t used = 0;
    while (unit->ops->next_ns(unit) < 1000000000) {
        size_t size = 0;
        if (unit->ops->read(unit, (uint8_t *)text + used, 512, &size) == STATUS_OK) {
            used += size;
        }
        ck_assert_uint_lt(used + 512, sizeof text);
    }
    text[used] = '\0';
    unsigned lines = 0;
    for (const char *at = strstr(text, "\nS,"); at; at = strstr(at + 1, "\nS,")) {
        double volts[8] = {0.0};
        if (sscanf(at, "\nS,%*u,%lf,%lf,%lf,%lf", &volts[0], &volts[1], &volts[2],
                   &volts[3])
            == 4) {
            lines++;
            /* Picked up, and a strip bent by 30 deg: 508 of 1023, by 15 % of the part. */
            ck_assert_double_eq_tol(volts[0], 0.99, 1e-9);
            ck_assert_double_eq_tol(volts[2], 3.0 * 508.0 / 1023.0, 0.15);
        }
    }
    ck_assert_uint_gt(lines, 80);
    unit->ops->close(unit);
    ck_assert_int_eq(simulation_destroy(simulation), STATUS_OK);
}

END_TEST

/* Whatever has a model can be worn, in every role its sensors allow. */
START_TEST(every_model_can_be_worn)
{
    size_t count = 0;
    const struct device_model_type *const *types = device_model_list(&count);
    for (size_t i = 0; i < count; i++) {
        const struct simulation_settings settings = {"comfortable", 3, NULL};

        const enum role roles[2] = {ROLE_STERNUM, ROLE_FLEX_LUMBAR};

        const bool is_possible[2] = {types[i]->has_inertial, types[i]->has_analog};
        struct simulation *simulation = NULL;
        ck_assert_int_eq(simulation_create(&settings, &simulation), STATUS_OK);
        for (unsigned k = 0; k < 2; k++) {
            struct transport *transport = NULL;
            enum status status = simulation_transport_open(
                simulation, roles[k], types[i]->driver, 100.0, &transport);
            ck_assert_int_eq(status, is_possible[k] ? STATUS_OK : STATUS_BAD_INPUT);
            for (unsigned step = 0; transport && step < 200; step++) {
                uint8_t bytes[64];
                size_t size = 0;
                status = transport->ops->read(transport, bytes, sizeof bytes, &size);
                ck_assert(status == STATUS_OK || status == STATUS_NOT_READY);
            }
            if (transport) {
                transport->ops->close(transport);
            }
        }
        ck_assert_int_eq(simulation_destroy(simulation), STATUS_OK);
    }
}

END_TEST

START_TEST(practice_comes_back_by_itself_and_pause_stops)
{
    char path[512];
    struct listener listener;
    truth_path(path, sizeof path);
    listener_open(&listener, "comfortable", 8, path);
    const char *id = "standing_forward_bend";
    cue(&listener, 1.0, "SETUP", id, "hold", SIDE_BOTH, 0, true);
    cue(&listener, 2.0, "READY", id, "hold", SIDE_BOTH, 0, true);
    cue(&listener, 25.0, "READY", id, "hold", SIDE_BOTH, 1, false);
    cue(&listener, 30.5, "PAUSED", id, "hold", SIDE_BOTH, 1, false);
    cue(&listener, 40.0, "MOVE_IN", id, "hold", SIDE_BOTH, 1, false);
    listen(&listener, 50.0);
    listener_close(&listener);
    FILE *file = truth_open(path);
    struct row row;
    double practice_deg = 0.0;
    double at_20_deg = NAN;
    double at_32_deg = NAN;
    double at_39_deg = NAN;
    while (row_read(file, &row)) {
        if (row.time_s < 20.0) {
            practice_deg = fmax(practice_deg, row.values[0]);
            at_20_deg = row.values[0];
        }
        at_32_deg = row.time_s < 32.0 ? row.values[0] : at_32_deg;
        at_39_deg = row.time_s < 39.0 ? row.values[0] : at_39_deg;
    }
    fclose(file);
    unlink(path);
    ck_assert_double_gt(practice_deg, 40.0);
    ck_assert_double_lt(fabs(at_20_deg), 1.0);
    /* Stopped on the way: same place within sway, neither start nor peak. */
    ck_assert_double_eq_tol(at_32_deg, at_39_deg, 1.0);
    ck_assert_double_gt(at_32_deg, 5.0);
    ck_assert_double_lt(at_32_deg, 40.0);
    ck_assert_double_gt(row.values[0], 40.0);
}

END_TEST

START_TEST(alignment_moves_three_times)
{
    char path[512];
    struct listener listener;
    truth_path(path, sizeof path);
    listener_open(&listener, "comfortable", 9, path);
    const struct simulation_cue trunk = {.time_ns = 5000000000,
                                         .stretch = "bridge",
                                         .part = "hold",
                                         .phase = "ALIGN",
                                         .stage = "trunk"};
    listen(&listener, 5.0);
    simulation_cue(listener.simulation, &trunk);
    listen(&listener, 30.0);
    listener_close(&listener);
    FILE *file = truth_open(path);
    struct row row;
    unsigned bends = 0;
    bool is_bent = false;
    while (row_read(file, &row)) {
        if (!is_bent && row.values[10] > 35.0) {
            is_bent = true;
            bends++;
        } else if (row.values[10] < 5.0) {
            is_bent = false;
        }
        if (row.time_s < 6.0 && fabs(row.values[10]) > 1.0) {
            ck_abort_msg("not still before the first bend");
        }
    }
    fclose(file);
    unlink(path);
    ck_assert_uint_eq(bends, 3);
    ck_assert(!is_bent);
}

END_TEST

START_TEST(wrong_sensors_are_refused)
{
    const struct simulation_settings settings = {"comfortable", 1, NULL};
    struct simulation *simulation = NULL;
    struct transport *transport = NULL;
    ck_assert_int_eq(simulation_create(&settings, &simulation), STATUS_OK);
    ck_assert_int_eq(simulation_transport_open(simulation, ROLE_FLEX_LUMBAR, "sextant",
                                               100.0, &transport),
                     STATUS_BAD_INPUT);
    ck_assert_int_eq(simulation_transport_open(simulation, ROLE_STERNUM, "arduino-firmata",
                                               100.0, &transport),
                     STATUS_BAD_INPUT);
    ck_assert_int_eq(
        simulation_transport_open(simulation, ROLE_STERNUM, "sextant", 100.0, &transport),
        STATUS_BAD_INPUT);
    ck_assert_int_eq(
        simulation_transport_open(simulation, ROLE_STERNUM, "text", NAN, &transport),
        STATUS_BAD_INPUT);
    ck_assert_ptr_null(transport);
    ck_assert_int_eq(simulation_destroy(simulation), STATUS_OK);
    const struct simulation_settings nowhere = {"comfortable", 1,
                                                "no/such/folder/truth.csv"};
    ck_assert_int_eq(simulation_create(&nowhere, &simulation), STATUS_IO);
    const struct simulation_settings nobody = {"nobody", 1, NULL};
    ck_assert_int_eq(simulation_create(&nobody, &simulation), STATUS_NOT_FOUND);
    ck_assert_int_eq(simulation_destroy(NULL), STATUS_OK);
}

END_TEST

Suite *simulation_suite(void)
{
    Suite *suite = suite_create("simulation");
    TCase *tests = tcase_create("sessions");
    tcase_set_timeout(tests, 60.0);
    tcase_add_loop_test(tests, every_stretch_reaches_its_peak_and_comes_back, 0,
                        sizeof REACHES / sizeof REACHES[0]);
    tcase_add_test(tests, same_seed_gives_same_bytes);
    tcase_add_test(tests, rate_is_nominal_within_the_clock_error);
    tcase_add_loop_test(tests, faults_silence_a_sensor_as_long_as_said, 0,
                        sizeof SILENCES / sizeof SILENCES[0]);
    tcase_add_test(tests, unplugged_sensor_comes_back);
    tcase_add_test(tests, firmata_board_answers_and_reports);
    tcase_add_test(tests, strip_sits_on_the_channel_that_was_set);
    tcase_add_test(tests, every_model_can_be_worn);
    tcase_add_test(tests, practice_comes_back_by_itself_and_pause_stops);
    tcase_add_test(tests, alignment_moves_three_times);
    tcase_add_test(tests, wrong_sensors_are_refused);
    suite_add_tcase(suite, tests);
    return suite;
}
