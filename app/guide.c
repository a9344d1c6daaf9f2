#include "app/guide.h"

#include <math.h>
#include <string.h>

static const int64_t DRAW_INTERVAL_NS = 100000000;

enum {
    BAR_WIDTH = 40,
    LINE_SIZE = 512
};

struct phase_words {
    const char *word;
    const char *colour; /* the word says it all; colour only helps */
};

static const struct phase_words PHASE_WORDS[PHASE_COUNT] = {
    [PHASE_ALIGN] = {"GET READY", "34"},   [PHASE_SETUP] = {"GET READY", "34"},
    [PHASE_READY] = {"START", "34"},       [PHASE_MOVE_IN] = {"MOVE SLOWLY", "34"},
    [PHASE_HOLD] = {"HOLD", "32"},         [PHASE_MOVE_OUT] = {"COME BACK", "34"},
    [PHASE_CYCLE] = {"MOVE SLOWLY", "34"}, [PHASE_REST] = {"REST", "36"},
    [PHASE_PAUSED] = {"PAUSED", "33"},     [PHASE_ABORTED] = {"STOPPED", "31"},
    [PHASE_DONE] = {"DONE", "32"},
};

static const char *const ZONE_WORDS[] = {
    [ZONE_NONE] = "Waiting for data",   [ZONE_BELOW] = "Keep going, slowly",
    [ZONE_NEAR] = "Nearly there",       [ZONE_IN] = "In your zone",
    [ZONE_OVER] = "Ease back a little",
};

void guide_init(struct guide *guide, FILE *stream, bool is_terminal)
{
    memset(guide, 0, sizeof *guide);
    guide->stream = stream;
    guide->is_terminal = is_terminal;
}

/* "left, 1 of 2" and the like. */
static void round_text(const struct runner_view *view, char text[64])
{
    const char *side = view->side == SIDE_BOTH ? "" : side_text(view->side);
    const char *comma = side[0] ? ", " : "";
    if (view->practice > 0) {
        snprintf(text, 64, "%s%spractice %u", side, comma, view->practice);
    } else if (view->cycle_target > 0) {
        snprintf(text, 64, "%u of %u done", view->cycle_done, view->cycle_target);
    } else if (view->repetition > 0) {
        snprintf(text, 64, "%s%sround %u of %u", side, comma, view->repetition,
                 view->repetition_count);
    } else {
        snprintf(text, 64, "%s", side);
    }
}

/* A row of characters for the angle, its zone between brackets. */
static void bar_text(const struct runner_view *view, char text[BAR_WIDTH + 1])
{
    double span_deg = isfinite(view->zone_high_deg) ? view->zone_high_deg * 1.4 : 90.0;
    double low_deg = isfinite(view->zone_low_deg) && view->zone_low_deg < 0.0 ? -60.0 : 0.0;
    if (span_deg <= low_deg + 10.0) {
        span_deg = low_deg + 80.0;
    }
    for (int index = 0; index < BAR_WIDTH; index++) {
        double deg = low_deg + (span_deg - low_deg) * (index + 0.5) / BAR_WIDTH;
        bool in_zone = deg >= view->zone_low_deg && deg <= view->zone_high_deg;
        bool reached = deg <= view->angle_deg;
        text[index] = reached ? '#' : in_zone ? '=' : '.';
    }
    text[BAR_WIDTH] = '\0';
}

static void angle_text(const struct runner_view *view, char text[LINE_SIZE])
{
    if (!isfinite(view->angle_deg)) {
        snprintf(text, LINE_SIZE, "  --  %s", ZONE_WORDS[ZONE_NONE]);
        return;
    }
    char bar[BAR_WIDTH + 1];
    bar_text(view, bar);
    if (isfinite(view->zone_low_deg)) {
        snprintf(text, LINE_SIZE, "%4.0f deg [%s] zone %.0f to %.0f  %s", view->angle_deg,
                 bar, view->zone_low_deg, view->zone_high_deg, ZONE_WORDS[view->zone]);
    } else {
        snprintf(text, LINE_SIZE, "%4.0f deg [%s]", view->angle_deg, bar);
    }
}

static void timer_text(const struct runner_view *view, char text[LINE_SIZE])
{
    if (view->phase == PHASE_HOLD || view->phase == PHASE_MOVE_OUT) {
        double left_s = view->hold_target_s - view->hold_credited_s;
        snprintf(text, LINE_SIZE, "%.0f s to go (%.1f of %.0f s held)",
                 ceil(left_s > 0.0 ? left_s : 0.0), view->hold_credited_s,
                 view->hold_target_s);
    } else if (view->phase == PHASE_REST) {
        snprintf(text, LINE_SIZE, "%.0f s of rest left", ceil(view->rest_left_s));
    } else if (view->phase == PHASE_DONE) {
        snprintf(text, LINE_SIZE, "Pain now? Press 0 to 9, t for 10.");
    } else {
        snprintf(text, LINE_SIZE, "%s", view->reason ? view->reason : "");
    }
}

static const char *title_of(const struct runner *runner)
{
    const struct runner_view *view = &runner->view;
    if (view->phase == PHASE_ALIGN || view->stretch >= runner->settings.protocol_count) {
        return "Limber";
    }
    return runner->settings.protocols[view->stretch].title;
}

/* Redraw over the lines drawn before. */
static void screen_draw(struct guide *guide, const struct runner *runner, double time_s)
{
    const struct runner_view *view = &runner->view;
    const struct phase_words *words = &PHASE_WORDS[view->phase];
    char round[64];
    char angle[LINE_SIZE];
    char timer[LINE_SIZE];
    round_text(view, round);
    angle_text(view, angle);
    timer_text(view, timer);
    if (guide->drawn_lines > 0) {
        fprintf(guide->stream, "\033[%uA", guide->drawn_lines);
    }
    /* A long line must not wrap: the number of lines to draw over would be wrong. */
    fprintf(guide->stream, "\033[?7l\r\033[K%s   %02d:%02d   %s\n", title_of(runner),
            (int)time_s / 60, (int)time_s % 60, round);
    fprintf(guide->stream, "\033[K\033[1;%sm%-12s\033[0m \033[1m%s\033[0m\n", words->colour,
            words->word, view->cue ? view->cue : "");
    fprintf(guide->stream, "\033[K%s\n\033[K%s\n", angle, timer);
    fprintf(guide->stream, "\033[KNext: %s\n", view->next ? view->next : "");
    fprintf(guide->stream, "\033[K\033[2mspace pause/go on  s stop  x sharp pain  0-9 pain "
                           " k skip\033[0m\n\033[?7h");
    guide->drawn_lines = 6;
    fflush(guide->stream);
}

static bool view_is_new(const struct guide *guide, const struct runner_view *view)
{
    return !guide->started || guide->phase != view->phase || guide->stretch != view->stretch
           || guide->part != view->part || guide->repetition != view->repetition
           || guide->practice != view->practice || guide->side != view->side
           || (view->cue && strncmp(guide->cue, view->cue, sizeof guide->cue - 1) != 0);
}

static void line_write(struct guide *guide, const struct runner *runner, double time_s)
{
    const struct runner_view *view = &runner->view;
    char round[64];
    round_text(view, round);
    if (!guide->started || guide->stretch != view->stretch) {
        fprintf(guide->stream, "%8.1f s  %s\n", time_s, title_of(runner));
    }
    fprintf(guide->stream, "%8.1f s  %-12s %-22s %s%s%s\n", time_s,
            PHASE_WORDS[view->phase].word, round, view->cue ? view->cue : "",
            view->reason && view->reason[0] ? "  " : "", view->reason ? view->reason : "");
    fflush(guide->stream);
}

void guide_update(struct guide *guide, const struct runner *runner, double time_s,
                  int64_t host_ns)
{
    const struct runner_view *view = &runner->view;
    bool is_new = view_is_new(guide, view);
    if (guide->is_terminal) {
        if (is_new || host_ns - guide->drawn_ns >= DRAW_INTERVAL_NS) {
            screen_draw(guide, runner, time_s);
            guide->drawn_ns = host_ns;
        }
    } else if (is_new) {
        line_write(guide, runner, time_s);
    }
    guide->started = true;
    guide->phase = view->phase;
    guide->stretch = view->stretch;
    guide->part = view->part;
    guide->repetition = view->repetition;
    guide->practice = view->practice;
    guide->side = view->side;
    snprintf(guide->cue, sizeof guide->cue, "%s", view->cue ? view->cue : "");
}

void guide_finish(struct guide *guide)
{
    guide->drawn_lines = 0;
    fflush(guide->stream);
}
