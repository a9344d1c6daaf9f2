#include "protocols/protocol_check.h"

#include <ctype.h>
#include <math.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/units.h"

enum {
    KEY_SIZE = 64,
    REPS_MAX = 100
};

/* Peak speed over mean speed of a minimum-jerk move (clinical reference 2.5). */
static const double MINIMUM_JERK_FACTOR = 1.875;
/* The repetition detector rejects cycles outside these times (clinical reference 3.5). */
static const double CYCLE_MIN_S = 1.5;
static const double CYCLE_MAX_S = 20.0;
/* Longer than any stretch of the seed by far; longer is a typing error. */
static const double TIME_MAX_S = 600.0;

/* The part being looked at. */
struct check {
    const struct protocol *protocol;
    const struct protocol_part *part; /* NULL while looking at the whole */
    unsigned index;
    const char
        *within; /* "fallback." while looking at what may replace the part's values */
    const struct yaml_text *yaml;
};

/* Logs at a key of the part. Always false, so that checks can return it. */
static bool fail(const struct check *check, const char *key, const char *format, ...)
    YAML_TEXT_FORMAT_CHECK(3, 4);

static bool fail(const struct check *check, const char *key, const char *format, ...)
{
    char message[400];
    char path[KEY_SIZE];
    va_list arguments;
    va_start(arguments, format);
    vsnprintf(message, sizeof message, format, arguments);
    va_end(arguments);
    if (check->part) {
        snprintf(path, sizeof path, "parts[%u].%s%s", check->index, check->within, key);
    } else {
        snprintf(path, sizeof path, "%s", key);
    }
    yaml_text_error(check->yaml, path, "%s", message);
    return false;
}

static bool id_is_plain(const char *id)
{
    for (const char *letter = id; *letter; letter++) {
        if (!islower((unsigned char)*letter) && !isdigit((unsigned char)*letter)
            && *letter != '_') {
            return false;
        }
    }
    return *id != '\0';
}

static bool check_names(const struct check *check)
{
    if (!id_is_plain(check->protocol->id)) {
        return fail(check, "id", "id '%s' may hold a to z, 0 to 9 and _ only; rename it",
                    check->protocol->id);
    }
    return true;
}

/* Roles that each placement set may wear (clinical reference 2.1). */
struct placement {
    const char *name;
    unsigned without; /* roles that are lain upon or hidden */
};

static const struct placement PLACEMENTS[] = {
    {"DORSAL", 1U << ROLE_PELVIS_VENTRAL},
    {"VENTRAL",
     1U << ROLE_THORAX_DORSAL | 1U << ROLE_PELVIS_DORSAL | 1U << ROLE_FLEX_LUMBAR},
    {"HYBRID", 0},
};

static const struct placement *placement_find(const char *name)
{
    for (size_t index = 0; index < sizeof PLACEMENTS / sizeof PLACEMENTS[0]; index++) {
        if (strcmp(PLACEMENTS[index].name, name) == 0) {
            return &PLACEMENTS[index];
        }
    }
    return NULL;
}

static bool check_placement(const struct check *check)
{
    const struct protocol *protocol = check->protocol;
    const struct placement *placement = placement_find(protocol->placement);
    if (!placement) {
        return fail(check, "placement",
                    "placement '%s' is unknown; write DORSAL, VENTRAL or HYBRID",
                    protocol->placement);
    }
    for (unsigned role = 0; role < ROLE_COUNT; role++) {
        unsigned bit = 1U << role;
        if ((placement->without & bit)
            && ((protocol->roles_required | protocol->roles_optional) & bit)) {
            return fail(check, "roles",
                        "placement %s does not wear %s; take the role out or "
                        "choose another placement",
                        protocol->placement, role_text((enum role)role));
        }
    }
    if (!protocol->roles_required) {
        return fail(check, "roles.required",
                    "no role is required; name the sensors that the "
                    "measures need");
    }
    return true;
}

static bool check_countdown(const struct check *check)
{
    double countdown_s = check->protocol->countdown_s;
    if (countdown_s < 0.0 || countdown_s > 60.0) {
        return fail(check, "countdown_s", "countdown_s is %g; write 0 to 60", countdown_s);
    }
    return true;
}

struct guard_pair {
    const char *key;
    double caution;
    double stop;
};

static bool check_guard(const struct check *check)
{
    const struct protocol_guard *guard = &check->protocol->guard;
    const struct guard_pair pairs[] = {
        {"sagittal", guard->sagittal_caution_deg_s, guard->sagittal_stop_deg_s},
        {"axial", guard->axial_caution_deg_s, guard->axial_stop_deg_s},
        {"segment", guard->segment_caution_deg_s, guard->segment_stop_deg_s},
    };
    for (size_t index = 0; index < sizeof pairs / sizeof pairs[0]; index++) {
        if (pairs[index].caution <= 0.0 || pairs[index].stop <= pairs[index].caution) {
            return fail(check, "guard",
                        "guard %s: caution %g and stop %g deg/s; write 0 < "
                        "caution < stop",
                        pairs[index].key, pairs[index].caution, pairs[index].stop);
        }
    }
    if (guard->caution_time_s < 0.0 || guard->caution_time_s > 0.5
        || guard->stop_time_s < 0.0 || guard->stop_time_s > 0.1) {
        return fail(check, "guard",
                    "guard times %g and %g s; write at most 0.5 s for a caution "
                    "and 0.1 s for a stop",
                    guard->caution_time_s, guard->stop_time_s);
    }
    return true;
}

static bool check_part_id(const struct check *check)
{
    if (!id_is_plain(check->part->id)) {
        return fail(check, "id",
                    "part id '%s' may hold a to z, 0 to 9 and _ only; rename it",
                    check->part->id);
    }
    for (unsigned before = 0; before < check->index; before++) {
        if (strcmp(check->protocol->parts[before].id, check->part->id) == 0) {
            return fail(check, "id", "two parts are called '%s'; rename one",
                        check->part->id);
        }
    }
    return true;
}

static enum side first_side(const struct protocol_part *part)
{
    return part->has_sides ? SIDE_LEFT : SIDE_BOTH;
}

static enum side last_side(const struct protocol_part *part)
{
    return part->has_sides ? SIDE_RIGHT : SIDE_BOTH;
}

static bool check_measures(const struct check *check)
{
    const struct protocol_part *part = check->part;
    unsigned roles = check->protocol->roles_required;
    if (part->fallback.is_given) {
        roles |= check->protocol->roles_optional;
    }
    for (enum side side = first_side(part); side <= last_side(part); side++) {
        const char *id = measure_info_get(part->measure[side])->id;
        if (fabs(part->sign[side]) != 1.0) {
            return fail(check, "primary", "sign of %s is %g; write 1 or -1", id,
                        part->sign[side]);
        }
        if (!measure_is_available(part->measure[side], roles)) {
            return fail(check, "primary",
                        "%s cannot be measured with the %s roles; require the sensors "
                        "that it needs",
                        id, part->fallback.is_given ? "named" : "required");
        }
    }
    return true;
}

static bool check_cues(const struct check *check)
{
    const struct protocol_part *part = check->part;
    for (enum side side = first_side(part); side <= last_side(part); side++) {
        const struct protocol_cues *cues = &part->cues[side];
        char key[KEY_SIZE];
        snprintf(key, sizeof key, "cues.%s", side_text(side));
        if (!cues->move_in[0] || !cues->hold[0]) {
            return fail(check, key,
                        "no cue %s for side %s; write what the person should do",
                        cues->move_in[0] ? "hold" : "move_in", side_text(side));
        }
        if (part->kind == PROTOCOL_HOLD && !cues->move_out[0]) {
            return fail(check, key, "no cue move_out for side %s; write how to come back",
                        side_text(side));
        }
    }
    return true;
}

static bool check_range(const struct check *check, const char *key, double low,
                        double value, double high, double least, double most)
{
    if (!(value >= least) || !(value <= most)) {
        return fail(check, key, "%s is %g; write %g to %g", key, value, least, most);
    }
    if (low > value || value > high) {
        return fail(check, key,
                    "%s is %g, outside its own accepted range %g to %g; correct one "
                    "of the three",
                    key, value, low, high);
    }
    return true;
}

static bool check_reps(const struct check *check)
{
    const struct protocol_part *part = check->part;
    return check_range(check, "reps", part->reps_min, part->reps, part->reps_max, 1,
                       REPS_MAX);
}

static bool check_hold_time(const struct check *check)
{
    const struct protocol_part *part = check->part;
    if (part->kind == PROTOCOL_CYCLE) {
        return true;
    }
    /* Under 1 s the detector's own debouncing is half of the hold. */
    return check_range(check, "hold_s", part->hold_min_s, part->hold_s, part->hold_max_s,
                       1.0, TIME_MAX_S);
}

static bool check_cycle_time(const struct check *check)
{
    const struct protocol_part *part = check->part;
    if (part->kind == PROTOCOL_HOLD) {
        return true;
    }
    if (part->practice_reps > 0) {
        return fail(check, "practice_reps",
                    "practice_reps is %u; write 0: cycles learn their "
                    "size from the first one",
                    part->practice_reps);
    }
    return check_range(check, "cycle_s", part->cycle_min_s, part->cycle_s,
                       part->cycle_max_s, CYCLE_MIN_S, CYCLE_MAX_S);
}

struct named_limit {
    const char *key;
    double value;
    double least;
    double most;
};

static bool check_other_times(const struct check *check)
{
    const struct protocol_part *part = check->part;
    const struct named_limit limits[] = {
        {"move_s", part->move_s, 1.0, 60.0},
        {"rest_s", part->rest_s, 0.0, TIME_MAX_S},
        {"rest_side_s", part->rest_side_s, 0.0, TIME_MAX_S},
        {"onset_deg", part->onset_deg, 1.0, 30.0},
        {"return_deg", part->return_deg, 1.0, 45.0},
        {"practice_reps", part->practice_reps, 0.0, 8.0},
    };
    for (size_t index = 0; index < sizeof limits / sizeof limits[0]; index++) {
        const struct named_limit *limit = &limits[index];
        if (limit->value < limit->least || limit->value > limit->most) {
            return fail(check, limit->key, "%s is %g; write %g to %g", limit->key,
                        limit->value, limit->least, limit->most);
        }
    }
    return true;
}

static bool dose_leaves(double least, double most, double low, double high)
{
    return most > 0.0 && (low < least || high > most);
}

static bool check_seed_dose(const struct check *check)
{
    const struct protocol_part *part = check->part;
    const struct protocol_seed *seed = protocol_seed_find(check->protocol->id);
    if (!seed || check->protocol->override_reason[0]) {
        return true;
    }
    if (part->kind == PROTOCOL_HOLD
        && dose_leaves(seed->hold_min_s, seed->hold_max_s, part->hold_min_s,
                       part->hold_max_s)) {
        return fail(check, "hold_s",
                    "hold of %g s, accepted %g to %g s; the seed says '%s' (%g "
                    "to %g s); correct it or give override_reason",
                    part->hold_s, part->hold_min_s, part->hold_max_s, seed->sentence,
                    seed->hold_min_s, seed->hold_max_s);
    }
    if (dose_leaves(seed->reps_min, seed->reps_max, part->reps_min, part->reps_max)) {
        return fail(check, "reps",
                    "%u repetitions, accepted %u to %u; the seed says '%s' (%u to "
                    "%u); correct it or give override_reason",
                    part->reps, part->reps_min, part->reps_max, seed->sentence,
                    seed->reps_min, seed->reps_max);
    }
    return true;
}

static bool check_expected(const struct check *check)
{
    const struct protocol_part *part = check->part;
    if (!(part->expected_min_deg < part->expected_max_deg)
        || part->expected_min_deg < -180.0 || part->expected_max_deg > 180.0) {
        return fail(check, "expected_min_deg",
                    "expected %g to %g deg; write two angles from -180 "
                    "to 180, the smaller first",
                    part->expected_min_deg, part->expected_max_deg);
    }
    if (part->kind == PROTOCOL_CYCLE && part->expected_min_deg <= 0.0) {
        return fail(check, "expected_min_deg",
                    "expected range of a cycle is %g deg; write the "
                    "whole way there and back, over 0",
                    part->expected_min_deg);
    }
    return true;
}

/* The defaults of low and high are percentages: zones in degrees must say their own. */
static bool zone_is_complete(const struct check *check)
{
    char low[KEY_SIZE];
    char high[KEY_SIZE];
    snprintf(low, sizeof low, "parts[%u].%szone.low", check->index, check->within);
    snprintf(high, sizeof high, "parts[%u].%szone.high", check->index, check->within);
    return yaml_text_has(check->yaml, low) && yaml_text_has(check->yaml, high);
}

static bool check_zone(const struct check *check)
{
    const struct protocol_zone *zone = &check->part->zone;
    bool is_percent = zone->kind == PROTOCOL_ZONE_PERCENT;
    if (is_percent && (zone->low < 10.0 || zone->high > 120.0 || zone->low >= zone->high)) {
        return fail(check, "zone",
                    "zone %g to %g %% of the personal peak; write 10 <= low < high "
                    "<= 120",
                    zone->low, zone->high);
    }
    if (is_percent && (zone->approach < 0.0 || zone->approach > zone->low)) {
        return fail(check, "zone", "zone approach is %g %%; write at most low (%g %%)",
                    zone->approach, zone->low);
    }
    if (!is_percent && !zone_is_complete(check)) {
        return fail(check, "zone", "zone has no low or no high; write both in degrees");
    }
    if (zone->kind == PROTOCOL_ZONE_BELOW_PEAK && (zone->low <= 0.0 || zone->high < 0.0)) {
        return fail(check, "zone",
                    "zone from %g deg below to %g deg above the peak; write low "
                    "over 0 and high not under 0",
                    zone->low, zone->high);
    }
    if (zone->kind == PROTOCOL_ZONE_ABSOLUTE && zone->low >= zone->high) {
        return fail(check, "zone", "zone %g to %g deg; write low under high", zone->low,
                    zone->high);
    }
    if (zone->over_deg < 0.0 || zone->over_deg > 45.0 || zone->hysteresis_deg <= 0.0
        || zone->hysteresis_deg > 10.0) {
        return fail(check, "zone",
                    "zone over_deg %g and hysteresis_deg %g; write 0 to 45 and "
                    "over 0 to 10",
                    zone->over_deg, zone->hysteresis_deg);
    }
    return true;
}

double protocol_peak_rate_deg_s(const struct protocol_part *part, double range_deg)
{
    return part->kind == PROTOCOL_CYCLE ? PI_RAD * range_deg / part->cycle_s
                                        : MINIMUM_JERK_FACTOR * range_deg / part->move_s;
}

static bool is_relative(enum measure measure)
{
    return measure >= MEASURE_LUMBAR_FLEXION && measure <= MEASURE_TRUNK_ROTATION;
}

static bool is_segment(enum measure measure)
{
    return measure >= MEASURE_THORAX_INCLINATION && measure <= MEASURE_PELVIS_ROLL;
}

bool protocol_guard_limits(const struct protocol *protocol, enum measure measure,
                           double *caution_deg_s, double *stop_deg_s)
{
    const struct protocol_guard *guard = &protocol->guard;
    if (is_segment(measure)) {
        *caution_deg_s = guard->segment_caution_deg_s;
        *stop_deg_s = guard->segment_stop_deg_s;
        return true;
    }
    if (!is_relative(measure)) {
        return false;
    }
    bool is_sagittal = measure_info_get(measure)->plane == PLANE_SAGITTAL;
    *caution_deg_s =
        is_sagittal ? guard->sagittal_caution_deg_s : guard->axial_caution_deg_s;
    *stop_deg_s = is_sagittal ? guard->sagittal_stop_deg_s : guard->axial_stop_deg_s;
    return true;
}

/* The tempo against the protocol's own guard: refused when even the smallest expected
 * movement would trip the caution, or the largest would end the session. */
static bool check_tempo(const struct check *check)
{
    const struct protocol_part *part = check->part;
    const char *formula = part->kind == PROTOCOL_CYCLE ? "pi R/T" : "1.875 A/T";
    const char *key = part->kind == PROTOCOL_CYCLE ? "cycle_s" : "move_s";
    double time_s = part->kind == PROTOCOL_CYCLE ? part->cycle_s : part->move_s;
    double caution = 0.0;
    double stop = 0.0;
    if (!protocol_guard_limits(check->protocol, part->measure[first_side(part)], &caution,
                               &stop)) {
        return true;
    }
    double least = protocol_peak_rate_deg_s(part, part->expected_min_deg);
    double most = protocol_peak_rate_deg_s(part, part->expected_max_deg);
    if (least > caution) {
        return fail(check, key,
                    "%s %g with a movement of only %g deg means %.1f deg/s (%s), over "
                    "the guard's caution of %g; write at least %.1f",
                    key, time_s, part->expected_min_deg, least, formula, caution,
                    time_s * least / caution);
    }
    if (most > stop) {
        return fail(check, key,
                    "%s %g with a movement of %g deg means %.1f deg/s (%s), over the "
                    "guard's stop of %g; write at least %.1f",
                    key, time_s, part->expected_max_deg, most, formula, stop,
                    time_s * most / stop);
    }
    return true;
}

bool protocol_advice(const struct protocol *protocol, unsigned part_index,
                     char advice[PROTOCOL_ADVICE_SIZE])
{
    const struct protocol_part *part = &protocol->parts[part_index];
    double caution = 0.0;
    double stop = 0.0;
    advice[0] = '\0';
    if (!protocol_guard_limits(protocol, part->measure[first_side(part)], &caution,
                               &stop)) {
        return false;
    }
    double most = protocol_peak_rate_deg_s(part, part->expected_max_deg);
    if (most <= caution) {
        return false;
    }
    snprintf(advice, PROTOCOL_ADVICE_SIZE,
             "part %s: a person who moves %g deg at this tempo reaches %.1f deg/s (%s), "
             "over the "
             "guard's caution of %g; let large movers go slower",
             part->id, part->expected_max_deg, most,
             part->kind == PROTOCOL_CYCLE ? "pi R/T" : "1.875 A/T", caution);
    return true;
}

typedef bool check_fn(const struct check *check);

static check_fn *const WHOLE_CHECKS[] = {check_names, check_placement, check_countdown,
                                         check_guard};

static check_fn *const PART_CHECKS[] = {
    check_part_id,   check_measures,   check_cues,        check_reps,
    check_hold_time, check_cycle_time, check_other_times, check_seed_dose,
    check_expected,  check_zone,       check_tempo,
};

static check_fn *const FALLBACK_CHECKS[] = {check_measures, check_other_times,
                                            check_expected, check_zone, check_tempo};

static bool all_pass(const struct check *check, check_fn *const *checks, size_t count)
{
    for (size_t rule = 0; rule < count; rule++) {
        if (!checks[rule](check)) {
            return false;
        }
    }
    return true;
}

/* The protocol as it will be without its optional sensors. */
static bool fallback_is_good(const struct check *check)
{
    if (!check->part->fallback.is_given) {
        return true;
    }
    struct protocol *adapted = malloc(sizeof *adapted);
    if (!adapted) {
        return fail(check, "fallback", "no memory to check it; close other programs");
    }
    *adapted = *check->protocol;
    protocol_adapt(adapted, adapted->roles_required);
    struct check inner = *check;
    inner.protocol = adapted;
    inner.part = &adapted->parts[check->index];
    inner.within = "fallback.";
    bool good = all_pass(&inner, FALLBACK_CHECKS,
                         sizeof FALLBACK_CHECKS / sizeof FALLBACK_CHECKS[0]);
    free(adapted);
    return good;
}

static bool part_is_good(struct check *check, unsigned index)
{
    check->part = &check->protocol->parts[index];
    check->index = index;
    return all_pass(check, PART_CHECKS, sizeof PART_CHECKS / sizeof PART_CHECKS[0])
           && fallback_is_good(check);
}

enum status protocol_check(const struct protocol *protocol, const struct yaml_text *yaml)
{
    struct check check = {.protocol = protocol, .within = "", .yaml = yaml};
    for (size_t rule = 0; rule < sizeof WHOLE_CHECKS / sizeof WHOLE_CHECKS[0]; rule++) {
        if (!WHOLE_CHECKS[rule](&check)) {
            return STATUS_BAD_INPUT;
        }
    }
    for (unsigned index = 0; index < protocol->part_count; index++) {
        if (!part_is_good(&check, index)) {
            return STATUS_BAD_INPUT;
        }
    }
    return STATUS_OK;
}
