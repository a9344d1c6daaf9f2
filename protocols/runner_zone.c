/* Where the person should be: the zone of a part and side, and the angle against it. */
#include <math.h>
#include <stdio.h>
#include <string.h>

#include "base/units.h"
#include "protocols/runner_steps.h"

/* Clinical reference 2.7: percentages mean nothing under this peak. */
static const double PERCENT_PEAK_MIN_DEG = 8.0;
/* The zone then used instead (project default). */
static const double SMALL_LOW_DEG = 3.0;
static const double SMALL_HIGH_DEG = 1.0;
static const double SMALL_HYSTERESIS_DEG = 1.5;
/* Very flexible people stay this far under their comfortable peak (2.6). */
static const double HYPERMOBILE_SHARE = 0.8;
/* "Nearly there" of zones in degrees: so many hystereses under the lower limit. */
static const double APPROACH_HYSTERESES = 2.0;

/* Median of up to RUNNER_PRACTICE_MAX values; NaN of none. */
static double median(const double *values, unsigned count)
{
    double sorted[RUNNER_PRACTICE_MAX];
    if (count == 0) {
        return NAN;
    }
    for (unsigned index = 0; index < count; index++) {
        unsigned place = index;
        for (; place > 0 && sorted[place - 1] > values[index]; place--) {
            sorted[place] = sorted[place - 1];
        }
        sorted[place] = values[index];
    }
    return (sorted[(count - 1) / 2] + sorted[count / 2]) / 2.0;
}

/* A zone in degrees must stay clear of the start posture, or coming back would not leave
 * it. */
static double below_deg(const struct runner_zone *zone, double wanted_deg)
{
    double half_way_deg = fabs(zone->peak_deg - zone->start_deg) / 2.0;
    return fmin(wanted_deg, half_way_deg); /* ignores NaN */
}

static const char *limits_set(const struct protocol_part *part, struct runner_zone *zone,
                              double *hysteresis_deg)
{
    const struct protocol_zone *rule = &part->zone;
    double peak = zone->peak_deg;
    *hysteresis_deg = rule->hysteresis_deg;
    if (rule->kind == PROTOCOL_ZONE_ABSOLUTE) {
        zone->low_deg = rule->low;
        zone->high_deg = rule->high;
        return "as the protocol says";
    }
    if (isnan(peak)) {
        zone->low_deg = part->expected_min_deg;
        zone->high_deg = part->expected_max_deg;
        return "no practice: plausible range";
    }
    if (rule->kind == PROTOCOL_ZONE_BELOW_PEAK) {
        zone->low_deg = peak - below_deg(zone, rule->low);
        zone->high_deg = peak + rule->high;
        return "degrees round the personal peak";
    }
    if (peak < PERCENT_PEAK_MIN_DEG) {
        zone->low_deg = peak - below_deg(zone, SMALL_LOW_DEG);
        zone->high_deg = peak + SMALL_HIGH_DEG;
        *hysteresis_deg = SMALL_HYSTERESIS_DEG;
        return "peak too small for percentages";
    }
    zone->low_deg = peak * rule->low / 100.0;
    zone->high_deg = peak * rule->high / 100.0;
    return "percent of the personal peak";
}

/* The cap moves a narrow zone down whole; a wide one loses its top. */
static const char *cap_apply(struct runner_zone *zone, const char *cause)
{
    double cap_deg = HYPERMOBILE_SHARE * zone->peak_deg;
    double width_deg = zone->high_deg - zone->low_deg;
    if (!(zone->high_deg > cap_deg)) {
        return cause; /* also without a peak */
    }
    zone->high_deg = cap_deg;
    zone->low_deg = zone->low_deg < cap_deg ? zone->low_deg : cap_deg - width_deg;
    return "at most 80 % of the personal peak: very flexible joints";
}

void runner_zone_fix(struct runner *runner, double time_s)
{
    const struct protocol_part *part = runner_part(runner);
    struct runner_zone *zone = runner_zone(runner);
    double hysteresis_deg = 0.0;
    zone->peak_deg = median(runner->practice_peaks, runner->practice_count);
    const char *cause = limits_set(part, zone, &hysteresis_deg);
    if (runner->settings.hypermobile) {
        cause = cap_apply(zone, cause);
    }
    struct hold_settings settings = hold_default_settings;
    settings.zone_low_rad = zone->low_deg * RAD_PER_DEG;
    /* A little past the practised peak still counts; only "over" does not. */
    settings.zone_high_rad = (zone->high_deg + part->zone.over_deg) * RAD_PER_DEG;
    settings.hysteresis_rad = hysteresis_deg * RAD_PER_DEG;
    runner->hold.settings = settings;
    runner->view.zone_low_deg = zone->low_deg;
    runner->view.zone_high_deg = zone->high_deg;
    struct event *event = runner_emit(runner, EVENT_ZONE, time_s, "runner");
    event->value = zone->low_deg;
    event->value2 = zone->high_deg;
    snprintf(event->label, sizeof event->label, "%.31s", runner_part(runner)->id);
    snprintf(event->cause, sizeof event->cause, "%s", cause);
}

static double approach_deg(const struct runner *runner)
{
    const struct protocol_part *part = runner_part(runner);
    const struct runner_zone *zone =
        &runner->zones[runner->view.stretch][runner->view.part][runner->view.side];
    if (part->zone.kind == PROTOCOL_ZONE_PERCENT
        && zone->peak_deg >= PERCENT_PEAK_MIN_DEG) {
        return zone->peak_deg * part->zone.approach / 100.0;
    }
    return runner->view.zone_low_deg - APPROACH_HYSTERESES * part->zone.hysteresis_deg;
}

void runner_zone_view(struct runner *runner)
{
    struct runner_view *view = &runner->view;
    const struct protocol_zone *rule = &runner_part(runner)->zone;
    double over_deg = view->zone_high_deg + rule->over_deg;
    bool was_in = view->zone == ZONE_IN || view->zone == ZONE_OVER;
    double low_deg = view->zone_low_deg - (was_in ? rule->hysteresis_deg : 0.0);
    if (isnan(view->angle_deg) || isnan(view->zone_low_deg)) {
        view->zone = ZONE_NONE;
    } else if (view->angle_deg > over_deg) {
        view->zone = ZONE_OVER;
    } else if (view->angle_deg >= low_deg) {
        view->zone = ZONE_IN;
    } else if (view->angle_deg >= approach_deg(runner)) {
        view->zone = ZONE_NEAR;
    } else {
        view->zone = ZONE_BELOW;
    }
}
