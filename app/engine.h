/* Everything that computes, wired together: decoders, pipeline and runner, fed with journal
 * frames. Live and replay call the same function with the same frames, which is why they
 * agree bit for bit. Reads no clock. One thread. */
#ifndef LIMBER_APP_ENGINE_H
#define LIMBER_APP_ENGINE_H

#include "acquisition/device.h"
#include "acquisition/journal.h"
#include "analysis/pipeline.h"
#include "app/header.h"
#include "protocols/runner.h"

struct engine;

/* Who wants to know; every function may be NULL. */
struct engine_sink {
    void *user;
    void (*sample)(void *user, unsigned sensor, const struct sample *sample, double time_s);
    void (*pose)(void *user, const struct pose *pose);
    void (*event)(void *user, const struct event *event);
};

/* @param header  Borrowed until destroy.
 * @param sink    Copied. */
enum status engine_create(const struct header *header, const struct engine_sink *sink,
                          struct engine **out);

/* Handle one frame in journal order. Header and event frames change nothing.
 * @return STATUS_OK; STATUS_REFUSED or STATUS_BAD_INPUT for an operator input not allowed
 * now. */
enum status engine_frame(struct engine *engine, const struct journal_frame *frame);

/* The recording ended at host_ns: close what is running. */
void engine_finish(struct engine *engine, int64_t host_ns);

struct device *engine_device(struct engine *engine, unsigned sensor);
const struct pipeline *engine_pipeline(const struct engine *engine);
const struct runner *engine_runner(const struct engine *engine);

/* Errors of all measures in the posture of the running stretch. */
struct pipeline_error engine_measure_error(const struct engine *engine,
                                           enum measure measure);
void engine_destroy(struct engine *engine);

#endif
