#include <check.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "protocols/protocol.h"
#include "protocols/protocol_check.h"
#include "tests/protocols/log_capture.h"

enum {
    TEXT_SIZE = 16 * 1024
};

/* Doses of clinical reference 2.9, in its order of the seven. */
struct dose {
    const char *id;
    const char *placement;
    const char *sentence; /* a word of the seed's sentence */
    bool has_sides;
    unsigned reps;
    unsigned reps_min;
    unsigned reps_max;
    double hold_s;
    double hold_min_s;
    double hold_max_s;
};

static const struct dose DOSES[] = {
    {"knee_to_chest_rock", "VENTRAL", "hold 30 s", true, 2, 2, 2, 30, 30, 30},
    {"seated_spinal_twist", "DORSAL", "20-30 s", true, 2, 2, 2, 25, 20, 30},
    {"cat_cow", "DORSAL", "10-15 repetitions", false, 12, 10, 15, 0, 0, 0},
    {"bridge", "VENTRAL", "hold 5 s, slowly lower, 10-12 times", false, 10, 10, 12, 5, 5,
     5},
    {"couch_decompression", "VENTRAL", "1-2 minutes", false, 1, 1, 1, 90, 60, 120},
    {"standing_forward_bend", "DORSAL", "sway", false, 2, 2, 2, 30, 20, 60},
    {"childs_pose", "DORSAL", "1-3 minutes", false, 1, 1, 1, 120, 60, 180},
};

START_TEST(library_has_the_seed_doses)
{
    const struct dose *dose = &DOSES[_i];
    struct protocol protocol;
    size_t count = 0;
    ck_assert_str_eq(protocol_library(&count)[_i], dose->id);
    ck_assert_uint_eq(count, 7);
    ck_assert_int_eq(protocol_find(dose->id, &protocol), STATUS_OK);
    ck_assert_str_eq(protocol.id, dose->id);
    ck_assert_str_eq(protocol.placement, dose->placement);
    ck_assert_ptr_nonnull(strstr(protocol_seed_find(dose->id)->sentence, dose->sentence));
    const struct protocol_part *part = &protocol.parts[0];
    ck_assert_int_eq(part->has_sides, dose->has_sides);
    ck_assert_uint_eq(part->reps, dose->reps);
    ck_assert_uint_eq(part->reps_min, dose->reps_min);
    ck_assert_uint_eq(part->reps_max, dose->reps_max);
    ck_assert_double_eq(part->hold_s, dose->hold_s);
    ck_assert_double_eq(part->hold_min_s, dose->hold_min_s);
    ck_assert_double_eq(part->hold_max_s, dose->hold_max_s);
    ck_assert_double_eq(protocol.countdown_s, 3.0);
    protocol_release(&protocol);
}

END_TEST

START_TEST(library_has_the_second_parts)
{
    struct protocol protocol;
    ck_assert_int_eq(protocol_find("knee_to_chest_rock", &protocol), STATUS_OK);
    ck_assert_uint_eq(protocol.part_count, 2);
    ck_assert_str_eq(protocol.parts[0].id, "hold");
    ck_assert_int_eq(protocol.parts[0].measure[SIDE_LEFT], MEASURE_HIP_FLEXION_L);
    ck_assert_str_eq(protocol.parts[1].id, "rock");
    ck_assert_uint_eq(protocol.parts[1].reps, 10);
    ck_assert_int_eq(protocol.parts[1].measure[SIDE_BOTH], MEASURE_PELVIS_ROLL);
    protocol_release(&protocol);
    ck_assert_int_eq(protocol_find("standing_forward_bend", &protocol), STATUS_OK);
    ck_assert_str_eq(protocol.parts[1].id, "sway");
    ck_assert_uint_eq(protocol.parts[1].reps, 6);
    protocol_release(&protocol);
    ck_assert_int_eq(protocol_find("cat_cow", &protocol), STATUS_OK);
    ck_assert_double_eq(protocol.parts[0].cycle_min_s, 4.0);
    ck_assert_double_eq(protocol.parts[0].cycle_max_s, 8.0);
    protocol_release(&protocol);
}

END_TEST

/* Clinical reference 4 of the interface specification: patient words. */
static void check_words(const char *text)
{
    static const char *const FORBIDDEN[] = {"cure",      "heal",       "treat",
                                            "diagnos",   "decompress", "adjusted",
                                            "realigned", "abnormal"};
    for (size_t index = 0; index < sizeof FORBIDDEN / sizeof FORBIDDEN[0]; index++) {
        ck_assert_msg(!strstr(text, FORBIDDEN[index]), "'%s' in: %s", FORBIDDEN[index],
                      text);
    }
    unsigned words = 1;
    for (const char *letter = text; *letter; letter++) {
        words = *letter == '.' ? 0 : words + (*letter == ' ');
        ck_assert_msg(words <= 13, "long sentence: %s", text);
    }
}

START_TEST(library_cues_are_plain)
{
    struct protocol protocol;
    ck_assert_int_eq(protocol_find(DOSES[_i].id, &protocol), STATUS_OK);
    check_words(protocol.setup);
    check_words(protocol.finish);
    for (unsigned part = 0; part < protocol.part_count; part++) {
        for (unsigned side = 0; side < SIDE_COUNT; side++) {
            const struct protocol_cues *cues = &protocol.parts[part].cues[side];
            check_words(cues->setup);
            check_words(cues->move_in);
            check_words(cues->hold);
            check_words(cues->move_out);
            check_words(cues->rest);
        }
    }
    protocol_release(&protocol);
}

END_TEST

START_TEST(library_fits_its_own_guard)
{
    struct protocol protocol;
    ck_assert_int_eq(protocol_find(DOSES[_i].id, &protocol), STATUS_OK);
    for (unsigned part = 0; part < protocol.part_count; part++) {
        double caution = 0.0;
        double stop = 0.0;
        enum side side = protocol.parts[part].has_sides ? SIDE_LEFT : SIDE_BOTH;
        if (protocol_guard_limits(&protocol, protocol.parts[part].measure[side], &caution,
                                  &stop)) {
            ck_assert_double_lt(
                protocol_peak_rate_deg_s(&protocol.parts[part],
                                         protocol.parts[part].expected_max_deg),
                stop);
        }
    }
    protocol_release(&protocol);
}

END_TEST

/* Table of clinical reference 2.5. */
START_TEST(peak_rates_as_computed_in_the_reference)
{
    struct protocol_part cycle = {.kind = PROTOCOL_CYCLE, .cycle_s = 4.0};
    ck_assert_double_eq_tol(protocol_peak_rate_deg_s(&cycle, 45.0), 35.0, 0.5);
    cycle.cycle_s = 6.0;
    ck_assert_double_eq_tol(protocol_peak_rate_deg_s(&cycle, 45.0), 24.0, 0.5);
    struct protocol_part move = {.kind = PROTOCOL_HOLD, .move_s = 3.0};
    ck_assert_double_eq_tol(protocol_peak_rate_deg_s(&move, 90.0), 56.0, 0.5);
    ck_assert_double_eq_tol(protocol_peak_rate_deg_s(&move, 40.0), 25.0, 0.5);
}

END_TEST

/* The text of a built-in protocol with one piece replaced, and the line of that piece. */
static unsigned text_changed(const char *id, const char *old, const char *new, char *text)
{
    struct protocol protocol;
    ck_assert_int_eq(protocol_find(id, &protocol), STATUS_OK);
    const char *place = strstr(protocol.text, old);
    ck_assert_msg(place != NULL, "'%s' is not in %s", old, id);
    size_t before = (size_t)(place - protocol.text);
    int length = snprintf(text, TEXT_SIZE, "%.*s%s%s", (int)before, protocol.text, new,
                          place + strlen(old));
    ck_assert_int_lt(length, TEXT_SIZE);
    unsigned line = 1;
    for (size_t index = 0; index < before; index++) {
        line += protocol.text[index] == '\n';
    }
    protocol_release(&protocol);
    return line;
}

struct bad_change {
    const char *id;
    const char *old;
    const char *new;
    int line;         /* relative to the changed piece; 99 = anywhere */
    const char *word; /* stands in the message */
};

static const struct bad_change BAD_CHANGES[] = {
    /* keys and types */
    {"bridge", "hold_s: 5", "hodl_s: 5", 0, "did you mean 'hold_s'?"},
    {"bridge", "reps: 10", "reps: ten", 0, "reps is 'ten'; write a whole number"},
    {"bridge", "reps: 10", "reps: -10", 0, "not negative"},
    {"bridge", "reps: 10", "reps: 010", 0, "whole number"},
    {"bridge", "hold_s: 5", "hold_s: nan", 0, "write a number"},
    {"bridge", "hold_s: 5", "hold_s: 5s", 0, "write a number"},
    {"bridge", "hold_s: 5", "hold_s: [5]", 0, "write one value"},
    {"bridge", "hold_s: 5", "hold_s: 5\n    hold_s: 5", 1, "twice"},
    {"bridge", "kind: hold", "kind: holding", 0, "write one of hold, cycle"},
    {"bridge", "posture: supine", "posture: lying", 0, "quadruped"},
    {"bridge", "title: \"Lift, stay, lower\"", "onset_deg: 5", 99, "title"},
    {"bridge",
     "roles:\n  required: [sternum, pelvis_ventral, thigh_l, thigh_r]\n"
     "  optional: [shank_l, shank_r, flex_knee_l, flex_knee_r]",
     "roles: none", 0, "group of keys"},
    {"bridge", "required: [sternum, pelvis_ventral, thigh_l, thigh_r]", "required: sternum",
     0, "no list"},
    {"bridge", "placement: VENTRAL", "placement: LATERAL", 0, "DORSAL, VENTRAL or HYBRID"},
    {"bridge", "id: bridge", "id: Bridge One", 0, "a to z"},
    /* words of the house */
    {"bridge", "bridge_line", "bridge_lime", 0, "did you mean 'bridge_line'?"},
    {"bridge", "[sternum, pelvis_ventral", "[sternun, pelvis_ventral", 0,
     "did you mean 'sternum'?"},
    {"bridge", "optional: [shank_l", "optional: [thorax_dorsal, shank_l", 99,
     "does not wear thorax_dorsal"},
    {"bridge", "[sternum, pelvis_ventral, thigh_l, thigh_r]", "[pelvis_ventral]", 99,
     "cannot be measured"},
    {"bridge", "sign: 1", "sign: 2", 99, "write 1 or -1"},
    {"seated_spinal_twist", "left: {measure: trunk_rotation, sign: -1}", "", 99,
     "both sides"},
    /* what replaces a part's values */
    {"seated_spinal_twist", "optional: [sternum, ", "optional: [", 99,
     "cannot be measured with the named roles"},
    {"seated_spinal_twist", "measure: lumbar_rotation", "measure: trunk_lateral", 99,
     "cannot be measured with the required roles"},
    {"seated_spinal_twist", "measure: lumbar_rotation", "measure: lumber_rotation", 0,
     "did you mean 'lumbar_rotation'?"},
    {"seated_spinal_twist", "secondary: [lumbar_flexion, lumbar_lateral]",
     "secondary: [lumbar]", 0, "unknown measure 'lumbar'"},
    {"seated_spinal_twist",
     "        right:\n          measure: lumbar_rotation\n          sign: 1\n", "", 99,
     "other sides than the part"},
    {"seated_spinal_twist", "zone: {kind: below_peak, low: 3, high: 1,",
     "zone: {kind: below_peak,", 0, "no low or no high"},
    {"seated_spinal_twist", "onset_deg: 1.5", "onset_deg: 0.5", 0, "onset_deg is 0.5"},
    {"seated_spinal_twist", "expected_min_deg: 2 ", "expected_min_deg: 20 ", 0,
     "smaller first"},
    {"seated_spinal_twist", "return_deg: 3 #", "hold_s: 3 #", 0, "unknown key"},
    /* doses */
    {"bridge", "hold_s: 5", "hold_s: 0", 0, "hold_s is 0"},
    {"bridge", "hold_s: 5", "hold_s: -5", 0, "hold_s is -5"},
    {"bridge", "hold_s: 5", "hold_s: 50", 0, "hold 5 s, slowly lower"},
    {"bridge", "reps_max: 12", "reps_max: 40", -2, "10-12 times"},
    {"bridge", "reps: 10", "reps: 0", 0, "reps is 0"},
    {"bridge", "reps_min: 10", "reps_min: 11", -1, "outside its own accepted range"},
    {"cat_cow", "reps: 12", "reps: 20", 0, "outside its own accepted range"},
    {"couch_decompression", "hold_s: 90", "hold_s: 30", 0,
     "outside its own accepted range"},
    {"couch_decompression", "hold_min_s: 60", "hold_min_s: 20", -1, "1-2 minutes"},
    {"knee_to_chest_rock", "rest_s: 10", "rest_s: -1", 0, "rest_s is -1"},
    {"knee_to_chest_rock", "practice_reps: 3", "practice_reps: 30", 0,
     "practice_reps is 30"},
    {"cat_cow", "practice_reps: 0", "practice_reps: 3", 0, "write 0"},
    {"cat_cow", "cycle_s: 6", "cycle_s: 0", 0, "cycle_s is 0"},
    /* zones */
    {"bridge", "low: -10, high: 10", "low: 10, high: -10", 0, "low under high"},
    {"bridge", "low: -10, high: 10, ", "", 0, "no low or no high"},
    {"childs_pose", "low: 75, high: 100", "low: 100, high: 75", 0, "low < high"},
    {"childs_pose", "approach: 60", "approach: 90", 0, "approach"},
    {"childs_pose", "hysteresis_deg: 3", "hysteresis_deg: 0", 0, "hysteresis"},
    {"childs_pose", "expected_min_deg: 60", "expected_min_deg: 160", 0, "smaller first"},
    /* tempo against the guard: pi * 80 / 4 = 62.8 deg/s over the stop of 60 */
    {"cat_cow", "cycle_s: 6", "cycle_s: 4", 0, "62.8 deg/s (pi R/T)"},
    /* pi * 45 / 4 = 35.3 deg/s over the caution of 30 for the smallest movement */
    {"cat_cow", "expected_min_deg: 15", "expected_min_deg: 64", 99, "33.5 deg/s"},
    /* 1.875 * 60 / 1.5 = 75 deg/s over the caution of 60 */
    {"childs_pose", "move_s: 5", "move_s: 1.5", 0, "75.0 deg/s (1.875 A/T)"},
    {"bridge", "countdown_s: 3", "guard: {axial_caution_deg_s: 50}", 0, "caution < stop"},
    {"bridge", "countdown_s: 3", "guard: {stop_time_s: 3}", 0, "0.1 s for a stop"},
    /* cues */
    {"bridge", "hold: \"Stay in line: knees, hips, shoulders. Keep breathing.\"", "", 99,
     "no cue hold"},
    {"bridge", "move_out: \"Slowly down.\"", "", 99, "no cue move_out"},
    {"bridge", "setup: \"Lie", "setup: \"\" # \"Lie", 0, "empty"},
    /* not YAML */
    {"bridge", "id: bridge", "id: [bridge", 99, "not YAML"},
};

START_TEST(bad_change_gives_one_line_with_its_number)
{
    const struct bad_change *bad = &BAD_CHANGES[_i];
    char *text = malloc(TEXT_SIZE);
    char said[2048];
    char where[64];
    unsigned line = text_changed(bad->id, bad->old, bad->new, text);
    snprintf(where, sizeof where, "limber: my.yaml:%u: ", line + (unsigned)bad->line);
    struct protocol protocol = {.part_count = 77};
    struct log_capture capture;
    log_capture_begin(&capture);
    enum status status = protocol_parse("my.yaml", text, strlen(text), &protocol);
    log_capture_end(&capture, said, sizeof said);
    ck_assert_msg(status == STATUS_BAD_INPUT, "%s accepted", bad->new);
    ck_assert_uint_eq(protocol.part_count, 77); /* untouched */
    ck_assert_msg(log_capture_lines(said) == 1, "not one line: %s", said);
    ck_assert_msg(strstr(said, bad->word) != NULL, "no '%s' in: %s", bad->word, said);
    ck_assert_msg(bad->line == 99 || strncmp(said, where, strlen(where)) == 0,
                  "expected %s, got %s", where, said);
    ck_assert_ptr_nonnull(strstr(said, "; ")); /* what to do */
    free(text);
}

END_TEST

START_TEST(override_reason_allows_another_dose)
{
    char *text = malloc(TEXT_SIZE);
    struct protocol protocol;
    text_changed("bridge", "hold_s: 5", "hold_s: 8", text);
    size_t used = strlen(text);
    snprintf(text + used, TEXT_SIZE - used, "override_reason: \"study arm B\"\n");
    ck_assert_int_eq(protocol_parse("my.yaml", text, strlen(text), &protocol), STATUS_OK);
    ck_assert_double_eq(protocol.parts[0].hold_s, 8.0);
    ck_assert_double_eq(protocol.parts[0].hold_max_s, 8.0);
    protocol_release(&protocol);
    free(text);
}

END_TEST

static const unsigned BACK_ONLY = 1U << ROLE_THORAX_DORSAL | 1U << ROLE_PELVIS_DORSAL;

/* With a sensor on the chest the twist is the turn of the chest, and needs that sensor;
 * without one it is the small turn of the low back. */
START_TEST(twist_adapts_to_what_is_worn)
{
    struct protocol protocol;
    ck_assert_int_eq(protocol_find("seated_spinal_twist", &protocol), STATUS_OK);
    protocol_adapt(&protocol, BACK_ONLY | 1U << ROLE_STERNUM | 1U << ROLE_THIGH_L);
    const struct protocol_part *part = &protocol.parts[0];
    ck_assert_int_eq(part->measure[SIDE_LEFT], MEASURE_TRUNK_ROTATION);
    ck_assert_double_eq(part->sign[SIDE_LEFT], -1.0);
    ck_assert_int_eq(part->zone.kind, PROTOCOL_ZONE_PERCENT);
    ck_assert_double_eq(part->onset_deg, 5.0);
    ck_assert_double_eq(part->return_deg, 8.0);
    ck_assert_uint_eq(protocol.roles_required, BACK_ONLY | 1U << ROLE_STERNUM);
    protocol_adapt(&protocol, BACK_ONLY); /* once only */
    ck_assert_int_eq(part->measure[SIDE_LEFT], MEASURE_TRUNK_ROTATION);
    protocol_release(&protocol);

    ck_assert_int_eq(protocol_find("seated_spinal_twist", &protocol), STATUS_OK);
    protocol_adapt(&protocol, BACK_ONLY);
    ck_assert_int_eq(part->measure[SIDE_LEFT], MEASURE_LUMBAR_ROTATION);
    ck_assert_int_eq(part->measure[SIDE_RIGHT], MEASURE_LUMBAR_ROTATION);
    ck_assert_double_eq(part->sign[SIDE_LEFT], -1.0);
    ck_assert_double_eq(part->sign[SIDE_RIGHT], 1.0);
    ck_assert_uint_eq(part->secondary_count, 2);
    ck_assert_int_eq(part->zone.kind, PROTOCOL_ZONE_BELOW_PEAK);
    ck_assert_double_eq(part->zone.low, 3.0);
    ck_assert_double_eq(part->zone.approach, 60.0); /* left out: the usual default */
    ck_assert_double_eq(part->expected_max_deg, 15.0);
    ck_assert_double_eq(part->onset_deg, 1.5);
    ck_assert_double_eq(part->return_deg, 3.0);
    ck_assert_double_eq(part->hold_s, 25.0); /* not replaced */
    ck_assert_uint_eq(protocol.roles_required, BACK_ONLY);
    protocol_release(&protocol);
}

END_TEST

START_TEST(others_need_no_adapting)
{
    struct protocol before;
    struct protocol after;
    ck_assert_int_eq(protocol_find("bridge", &before), STATUS_OK);
    ck_assert_int_eq(protocol_find("bridge", &after), STATUS_OK);
    protocol_adapt(&after, BACK_ONLY);
    ck_assert_int_eq(after.parts[0].measure[SIDE_BOTH], before.parts[0].measure[SIDE_BOTH]);
    ck_assert_uint_eq(after.roles_required, before.roles_required);
    protocol_release(&before);
    protocol_release(&after);
}

END_TEST

START_TEST(a_new_id_has_no_seed)
{
    char *text = malloc(TEXT_SIZE);
    struct protocol protocol;
    text_changed("bridge", "id: bridge", "id: long_bridge", text);
    char *place = strstr(text, "hold_s: 5");
    memcpy(place, "hold_s: 9", strlen("hold_s: 9"));
    ck_assert_int_eq(protocol_parse("my.yaml", text, strlen(text), &protocol), STATUS_OK);
    ck_assert_double_eq(protocol.parts[0].hold_s, 9.0);
    protocol_release(&protocol);
    free(text);
}

END_TEST

START_TEST(only_large_movers_trip_the_caution)
{
    struct protocol protocol;
    char advice[PROTOCOL_ADVICE_SIZE];
    ck_assert_int_eq(protocol_find("cat_cow", &protocol), STATUS_OK);
    /* pi * 80 / 6 = 41.9 deg/s: over the caution of 30, under the stop of 60. */
    ck_assert(protocol_advice(&protocol, 0, advice));
    ck_assert_ptr_nonnull(strstr(advice, "41.9 deg/s"));
    protocol_release(&protocol);
    ck_assert_int_eq(protocol_find("childs_pose", &protocol), STATUS_OK);
    ck_assert(!protocol_advice(&protocol, 0, advice));
    ck_assert_str_eq(advice, "");
    protocol_release(&protocol);
}

END_TEST

START_TEST(defaults_are_filled_in)
{
    char *text = malloc(TEXT_SIZE);
    struct protocol protocol;
    text_changed("childs_pose", "    rest_s: 10 # [project default]\n", "", text);
    ck_assert_int_eq(protocol_parse("my.yaml", text, strlen(text), &protocol), STATUS_OK);
    const struct protocol_part *part = &protocol.parts[0];
    ck_assert_double_eq(part->rest_s, 10.0);
    ck_assert_double_eq(part->rest_side_s, 20.0);
    ck_assert_double_eq(part->onset_deg, 5.0);
    ck_assert_double_eq(part->return_deg, 8.0);
    ck_assert_double_eq(protocol.guard.sagittal_caution_deg_s, 30.0);
    ck_assert_double_eq(protocol.guard.axial_stop_deg_s, 40.0);
    ck_assert_double_eq(protocol.guard.segment_stop_deg_s, 120.0);
    ck_assert_uint_eq(part->reps_max, 1);
    protocol_release(&protocol);
    free(text);
}

END_TEST

START_TEST(text_is_kept_as_read)
{
    struct protocol protocol;
    ck_assert_int_eq(protocol_find("bridge", &protocol), STATUS_OK);
    ck_assert_uint_eq(protocol.text_size, strlen(protocol.text));
    ck_assert_ptr_nonnull(strstr(protocol.text, "id: bridge"));
    protocol_release(&protocol);
    ck_assert_ptr_null(protocol.text);
}

END_TEST

START_TEST(unknown_names_are_not_found)
{
    static const char *const NAMES[] = {"bridg", "bridge2", "", "no/such/file.yaml",
                                        "absent.yaml"};
    struct protocol protocol;
    struct log_capture capture;
    char said[1024];
    log_capture_begin(&capture);
    enum status status = protocol_find(NAMES[_i], &protocol);
    log_capture_end(&capture, said, sizeof said);
    ck_assert_int_eq(status, STATUS_NOT_FOUND);
    ck_assert_uint_eq(log_capture_lines(said), 1);
}

END_TEST

START_TEST(built_in_equals_its_file)
{
    struct protocol built_in;
    struct protocol file;
    char path[512];
    snprintf(path, sizeof path, "%s/protocols/library/%s.yaml", TEST_SOURCE_DIR,
             DOSES[_i].id);
    ck_assert_int_eq(protocol_find(DOSES[_i].id, &built_in), STATUS_OK);
    ck_assert_int_eq(protocol_find(path, &file), STATUS_OK);
    ck_assert_str_eq(built_in.text, file.text);
    protocol_release(&built_in);
    protocol_release(&file);
}

END_TEST

/* Any beginning of a good file is refused or accepted in one piece, never a crash. */
START_TEST(cut_files_never_crash)
{
    struct protocol whole;
    ck_assert_int_eq(protocol_find("standing_forward_bend", &whole), STATUS_OK);
    struct log_capture capture;
    char said[256];
    log_capture_begin(&capture);
    for (size_t size = 0; size < whole.text_size; size += 7) {
        struct protocol protocol;
        if (protocol_parse("cut.yaml", whole.text, size, &protocol) == STATUS_OK) {
            protocol_release(&protocol);
        }
    }
    log_capture_end(&capture, said, sizeof said);
    protocol_release(&whole);
}

END_TEST

int main(void)
{
    Suite *suite = suite_create("protocol");
    TCase *tcase = tcase_create("all");
    int library_count = sizeof DOSES / sizeof DOSES[0];
    tcase_add_loop_test(tcase, library_has_the_seed_doses, 0, library_count);
    tcase_add_test(tcase, library_has_the_second_parts);
    tcase_add_loop_test(tcase, library_cues_are_plain, 0, library_count);
    tcase_add_loop_test(tcase, library_fits_its_own_guard, 0, library_count);
    tcase_add_test(tcase, peak_rates_as_computed_in_the_reference);
    tcase_add_loop_test(tcase, bad_change_gives_one_line_with_its_number, 0,
                        sizeof BAD_CHANGES / sizeof BAD_CHANGES[0]);
    tcase_add_test(tcase, override_reason_allows_another_dose);
    tcase_add_test(tcase, twist_adapts_to_what_is_worn);
    tcase_add_test(tcase, others_need_no_adapting);
    tcase_add_test(tcase, a_new_id_has_no_seed);
    tcase_add_test(tcase, only_large_movers_trip_the_caution);
    tcase_add_test(tcase, defaults_are_filled_in);
    tcase_add_test(tcase, text_is_kept_as_read);
    tcase_add_loop_test(tcase, unknown_names_are_not_found, 0, 5);
    tcase_add_loop_test(tcase, built_in_equals_its_file, 0, library_count);
    tcase_add_test(tcase, cut_files_never_crash);
    suite_add_tcase(suite, tcase);
    SRunner *runner = srunner_create(suite);
    srunner_run_all(runner, CK_NORMAL);
    int failed = srunner_ntests_failed(runner);
    srunner_free(runner);
    return failed == 0 ? EXIT_SUCCESS : EXIT_FAILURE;
}
