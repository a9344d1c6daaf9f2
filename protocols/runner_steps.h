/* Private to the runner: what its files share. Steps take the runner as it is and move it
 * on. Not for other layers. One thread. */
#ifndef LIMBER_PROTOCOLS_RUNNER_STEPS_H
#define LIMBER_PROTOCOLS_RUNNER_STEPS_H

#include "protocols/runner.h"

/* The stretch, part and cues being done. Borrowed. */
const struct protocol *runner_protocol(const struct runner *runner);
const struct protocol_part *runner_part(const struct runner *runner);
const struct protocol_cues *runner_cues(const struct runner *runner);
struct runner_zone *runner_zone(struct runner *runner);

/* Add a waiting event with the place in the session filled in, values NaN and texts empty.
 * @return Borrowed until the next event. */
struct event *runner_emit(struct runner *runner, enum event_type type, double time_s,
                          const char *source);

/* Enter a phase: event with cause and actor, cue, next. */
void runner_enter(struct runner *runner, enum phase phase, double time_s, const char *cause,
                  const char *actor);

/* True for recorded data: nobody hears the cues, so nobody can be stopped or asked again.
 * Only they have limits for the start posture and the onset. */
bool runner_is_recorded(const struct runner *runner);

/* Set the words for what to do and what comes next. */
void runner_words(struct runner *runner);

/* True when the run that began at since_s has lasted; NaN = no run. */
bool runner_has_lasted(double since_s, double now_s, double time_s);

/* Keep the start of a run of instants for which the condition holds. */
void runner_run_update(double *since_s, bool holds, double now_s);

/* Alignment and start posture (runner_align.c). */
void runner_align_begin(struct runner *runner, double time_s);
void runner_align_pose(struct runner *runner, const struct pose *pose);
void runner_align_skip(struct runner *runner, double time_s);
enum pipeline_stage runner_start_stage(const struct runner *runner);
void runner_setup_begin(struct runner *runner, double time_s, const char *cause);
void runner_setup_pose(struct runner *runner, const struct pose *pose);

/* Movements (runner_move.c). */
void runner_ready_begin(struct runner *runner, double time_s, const char *cause,
                        const char *actor);
void runner_ready_pose(struct runner *runner, const struct pose *pose);
void runner_move_in_pose(struct runner *runner, const struct pose *pose);
void runner_hold_pose(struct runner *runner, const struct pose *pose);
void runner_move_out_pose(struct runner *runner, const struct pose *pose);
void runner_cycle_pose(struct runner *runner, const struct pose *pose);

/* Give the hold detector an instant; records a hold that ended. Practice has no zone yet.
 */
void runner_hold_feed(struct runner *runner, const struct pose *pose);

/* Close a running hold and record it. */
void runner_hold_close(struct runner *runner);

/* Record a last cycle that has come back. */
void runner_cycle_close(struct runner *runner);

/* What comes after a movement (runner_rest.c). */
void runner_rest_begin(struct runner *runner, double time_s, const char *cause,
                       const char *actor);
void runner_rest_pose(struct runner *runner, const struct pose *pose, double elapsed_s);
void runner_rest_end(struct runner *runner, double time_s, const char *cause,
                     const char *actor);
enum runner_step runner_step_next(const struct runner *runner);

/* Make the state new for the present part and side. */
void runner_part_reset(struct runner *runner);
void runner_part_begin(struct runner *runner);

/* Zones (runner_zone.c). Fix the zone of the present part and side from practice. */
void runner_zone_fix(struct runner *runner, double time_s);
void runner_zone_view(struct runner *runner);

/* Pausing and ending (runner_pause.c). */
void runner_pause_begin(struct runner *runner, double time_s, enum runner_pause pause,
                        const char *reason, const char *actor);
void runner_pause_pose(struct runner *runner, const struct pose *pose);
enum status runner_resume(struct runner *runner, double time_s, const char *cause,
                          const char *actor);
void runner_abort(struct runner *runner, double time_s, const char *reason,
                  const char *actor);
void runner_guard_pose(struct runner *runner, const struct pose *pose);

/* Watchdog (runner_watchdog.c). */
void runner_watch(struct runner *runner, double time_s, const double newest_s[ROLE_COUNT]);

/* True when every required sensor sends. */
bool runner_sensors_ok(const struct runner *runner);

/* The same, for at least 2 s. */
bool runner_sensors_steady(const struct runner *runner, double time_s);

#endif
