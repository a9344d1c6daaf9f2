#include <getopt.h>
#include <jansson.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "app/command.h"
#include "app/options.h"
#include "base/log.h"
#include "base/status.h"
#include "protocols/protocol.h"
#include "protocols/protocol_check.h"

static const char HELP[] =
    "usage: limber protocols list [--json]\n"
    "       limber protocols show ID|FILE [--yaml]\n"
    "       limber protocols check FILE...\n\n"
    "list   the built-in stretches and their doses\n"
    "show   one page that a clinician can read before it is used; with --yaml its text, "
    "to\n"
    "       start a file of your own from\n"
    "check  reads files and says FILE:LINE: what is wrong and what to do;\n"
    "       exit code 0 when all are good, 4 when one is not\n\n"
    "example: limber protocols show bridge\n";

enum {
    LINE_WIDTH = 78,
    LABEL_WIDTH = 16
};

/* "10 x 5 s" or "12 cycles of 6 s". */
static void dose_text(const struct protocol_part *part, char *text, size_t size)
{
    const char *sides = part->has_sides ? ", each side" : "";
    if (part->kind == PROTOCOL_HOLD) {
        snprintf(text, size, "%u x %g s%s", part->reps, part->hold_s, sides);
    } else {
        snprintf(text, size, "%u cycles of %g s%s", part->reps, part->cycle_s, sides);
    }
}

static void list_entry_print(const struct protocol *protocol)
{
    printf("%-22s %-8s", protocol->id, protocol->placement);
    for (unsigned index = 0; index < protocol->part_count; index++) {
        char dose[80];
        dose_text(&protocol->parts[index], dose, sizeof dose);
        printf("%s%s %s", index ? "; " : " ", protocol->parts[index].id, dose);
    }
    printf("\n");
}

static json_t *part_json(const struct protocol_part *part)
{
    json_t *object =
        json_pack("{s:s, s:s, s:s, s:b, s:i}", "id", part->id, "title", part->title, "kind",
                  part->kind == PROTOCOL_HOLD ? "hold" : "cycle", "sides", part->has_sides,
                  "repetitions", (int)part->reps);
    const char *key = part->kind == PROTOCOL_HOLD ? "hold_s" : "cycle_s";
    double value = part->kind == PROTOCOL_HOLD ? part->hold_s : part->cycle_s;
    json_object_set_new(object, key, json_real(value));
    enum side side = part->has_sides ? SIDE_LEFT : SIDE_BOTH;
    json_object_set_new(object, "measure",
                        json_string(measure_info_get(part->measure[side])->id));
    return object;
}

static json_t *protocol_json(const struct protocol *protocol)
{
    json_t *parts = json_array();
    for (unsigned index = 0; index < protocol->part_count; index++) {
        json_array_append_new(parts, part_json(&protocol->parts[index]));
    }
    return json_pack("{s:s, s:s, s:s, s:s, s:s, s:o}", "id", protocol->id, "title",
                     protocol->title, "version", protocol->version, "placement",
                     protocol->placement, "posture", posture_text(protocol->posture),
                     "parts", parts);
}

static enum status json_print(json_t *value)
{
    char *text = json_dumps(value, JSON_INDENT(1));
    json_decref(value);
    if (!text) {
        return STATUS_NO_MEMORY;
    }
    puts(text);
    free(text);
    return STATUS_OK;
}

static enum status list_run(bool json)
{
    size_t count = 0;
    const char *const *ids = protocol_library(&count);
    json_t *list = json_array();
    enum status status = STATUS_OK;
    for (size_t index = 0; index < count && !status; index++) {
        struct protocol protocol;
        status = protocol_find(ids[index], &protocol);
        if (status) {
            break;
        }
        if (json) {
            json_array_append_new(list, protocol_json(&protocol));
        } else {
            list_entry_print(&protocol);
        }
        protocol_release(&protocol);
    }
    if (json && !status) {
        return json_print(list);
    }
    json_decref(list);
    return status;
}

/* "label           text", wrapped at words under its own column. */
static void field_print(const char *label, const char *text)
{
    int column = printf("  %-*s", LABEL_WIDTH, label);
    const char *word = text;
    bool is_first = true;
    while (*word) {
        int length = (int)strcspn(word, " \n");
        if (!is_first && column + 1 + length > LINE_WIDTH) {
            printf("\n  %*s", LABEL_WIDTH, "");
            column = LABEL_WIDTH + 2;
            is_first = true;
        }
        column += printf("%s%.*s", is_first ? "" : " ", length, word);
        is_first = false;
        word += length;
        word += strspn(word, " \n");
    }
    printf("\n");
}

static void roles_print(const char *label, unsigned roles)
{
    char text[400] = "";
    for (unsigned role = 0; role < ROLE_COUNT; role++) {
        if (roles & 1U << role) {
            size_t used = strlen(text);
            snprintf(text + used, sizeof text - used, "%s%s (%s)", used ? ", " : "",
                     role_text((enum role)role), role_title((enum role)role));
        }
    }
    field_print(label, text[0] ? text : "none");
}

static void zone_text(const struct protocol_part *part, char *text, size_t size)
{
    const struct protocol_zone *zone = &part->zone;
    switch (zone->kind) {
    case PROTOCOL_ZONE_PERCENT:
        snprintf(
            text, size,
            "%g to %g %% of the person's own easy peak, found in %u practice rounds; too "
            "far from %g deg above",
            zone->low, zone->high, part->practice_reps, zone->over_deg);
        break;
    case PROTOCOL_ZONE_BELOW_PEAK:
        snprintf(
            text, size,
            "from %g deg below to %g deg above the person's own easy peak, found in %u "
            "practice rounds; too far from %g deg above that",
            zone->low, zone->high, part->practice_reps, zone->over_deg);
        break;
    case PROTOCOL_ZONE_ABSOLUTE:
        snprintf(text, size, "%g to %g deg for everybody", zone->low, zone->high);
        break;
    }
}

static void part_dose_print(const struct protocol_part *part)
{
    char text[240];
    dose_text(part, text, sizeof text);
    field_print("dose", text);
    snprintf(text, sizeof text, "%u to %u repetitions", part->reps_min, part->reps_max);
    size_t used = strlen(text);
    if (part->kind == PROTOCOL_HOLD) {
        snprintf(text + used, sizeof text - used, ", %g to %g s", part->hold_min_s,
                 part->hold_max_s);
    } else {
        snprintf(text + used, sizeof text - used, ", cycles of %g to %g s",
                 part->cycle_min_s, part->cycle_max_s);
    }
    field_print("accepted", text);
    snprintf(text, sizeof text, "%g s between repetitions, %g s between sides and parts",
             part->rest_s, part->rest_side_s);
    field_print("rest", text);
}

static void part_measure_print(const struct protocol *protocol,
                               const struct protocol_part *part)
{
    char text[240];
    enum side side = part->has_sides ? SIDE_RIGHT : SIDE_BOTH;
    const struct measure_info *info = measure_info_get(part->measure[side]);
    bool is_seen = measure_is_gravity_seen(part->measure[side], protocol->posture);
    snprintf(text, sizeof text, "%s (%s)%s", info->title, info->id,
             is_seen ? "; gravity shows it" : "; gyroscopes only: can drift");
    field_print("measured", text);
    snprintf(text, sizeof text, "%s %g to %g deg",
             part->kind == PROTOCOL_HOLD ? "peak of" : "whole way of",
             part->expected_min_deg, part->expected_max_deg);
    field_print("plausible", text);
    if (part->kind == PROTOCOL_HOLD) {
        zone_text(part, text, sizeof text);
        field_print("zone", text);
    }
}

static void cue_print(const char *label, const char *text)
{
    if (text[0]) {
        field_print(label, text);
    }
}

static void part_cues_print(const struct protocol_part *part)
{
    for (unsigned side = 0; side < SIDE_COUNT; side++) {
        const struct protocol_cues *cues = &part->cues[side];
        if (!cues->move_in[0] || part->has_sides == (side == SIDE_BOTH)) {
            continue;
        }
        if (part->has_sides) {
            printf("  -- %s side\n", side_text((enum side)side));
        }
        cue_print("  posture", cues->setup);
        cue_print("  move", cues->move_in);
        cue_print(part->kind == PROTOCOL_HOLD ? "  hold" : "  keep going", cues->hold);
        cue_print("  come back", cues->move_out);
        cue_print("  rest", cues->rest);
    }
}

static void guard_print(const struct protocol_guard *guard)
{
    char text[240];
    snprintf(
        text, sizeof text,
        "caution and stop: bending %g and %g, leaning and turning %g and %g, whole body %g "
        "and %g deg/s",
        guard->sagittal_caution_deg_s, guard->sagittal_stop_deg_s,
        guard->axial_caution_deg_s, guard->axial_stop_deg_s, guard->segment_caution_deg_s,
        guard->segment_stop_deg_s);
    field_print("speed guard", text);
}

static void page_print(const struct protocol *protocol)
{
    char text[400];
    printf("%s\n", protocol->title);
    snprintf(text, sizeof text, "%s, version %s", protocol->id, protocol->version);
    field_print("id", text);
    field_print("posture", posture_text(protocol->posture));
    roles_print("sensors", protocol->roles_required);
    roles_print("may be added", protocol->roles_optional);
    field_print("start", protocol->setup);
    for (unsigned index = 0; index < protocol->part_count; index++) {
        const struct protocol_part *part = &protocol->parts[index];
        printf("\nPart %u: %s (%s)\n", index + 1, part->title, part->id);
        part_dose_print(part);
        part_measure_print(protocol, part);
        part_cues_print(part);
    }
    printf("\nSafety\n");
    guard_print(&protocol->guard);
    cue_print("watch for", protocol->watch_for);
    field_print("finish", protocol->finish);
    if (protocol->drop_if_pregnant_or_dizzy) {
        field_print("left out",
                    "when screening question 13 is answered yes, unless a clinician "
                    "decides otherwise");
    }
    printf("\nMeaning\n");
    cue_print("can tell", protocol->can_tell);
    cue_print("cannot tell", protocol->cannot_tell);
    cue_print("source", protocol->source);
    cue_print("other dose", protocol->override_reason);
}

static enum status show_run(const char *name, bool as_yaml)
{
    struct protocol protocol;
    enum status status = protocol_find(name, &protocol);
    if (!status) {
        if (as_yaml) {
            fwrite(protocol.text, 1, protocol.text_size, stdout);
        } else {
            page_print(&protocol);
        }
        protocol_release(&protocol);
    }
    return status;
}

static enum status check_one(const char *path)
{
    struct protocol protocol;
    enum status status = protocol_read(path, &protocol);
    if (status) {
        return status;
    }
    for (unsigned index = 0; index < protocol.part_count; index++) {
        char advice[PROTOCOL_ADVICE_SIZE];
        if (protocol_advice(&protocol, index, advice)) {
            log_warning("%s: %s", path, advice);
        }
    }
    printf("%s: good (%s, %u %s)\n", path, protocol.id, protocol.part_count,
           protocol.part_count == 1 ? "part" : "parts");
    protocol_release(&protocol);
    return STATUS_OK;
}

/* All files are read, so that one run shows every bad one. */
static enum status check_run(int count, char *const *paths)
{
    enum status worst = STATUS_OK;
    for (int index = 0; index < count; index++) {
        enum status status = check_one(paths[index]);
        worst = worst ? worst : status;
    }
    return worst;
}

static int usage(const char *what)
{
    log_error("protocols: %s; see 'limber protocols --help'", what);
    return EXIT_CODE_USAGE;
}

int command_protocols(int argc, char **argv)
{
    static const struct option OPTIONS[] = {{"json", no_argument, NULL, 'j'},
                                            {"yaml", no_argument, NULL, 'y'},
                                            {"help", no_argument, NULL, 'h'},
                                            {NULL, 0, NULL, 0}};
    bool json = false;
    bool as_yaml = false;
    int option = 0;
    while ((option = getopt_long(argc, argv, "", OPTIONS, NULL)) != -1) {
        if (option == 'h') {
            fputs(HELP, stdout);
            return EXIT_CODE_OK;
        }
        if (option == '?') {
            return EXIT_CODE_USAGE;
        }
        json |= option == 'j';
        as_yaml |= option == 'y';
    }
    const char *action = optind < argc ? argv[optind] : "";
    int count = argc - optind - 1;
    if (strcmp(action, "list") == 0 && count == 0) {
        return options_exit_code(list_run(json));
    }
    if (strcmp(action, "show") == 0 && count == 1) {
        return options_exit_code(show_run(argv[optind + 1], as_yaml));
    }
    if (strcmp(action, "check") == 0 && count > 0) {
        return options_exit_code(check_run(count, argv + optind + 1));
    }
    return usage("say list, show ID or check FILE");
}
