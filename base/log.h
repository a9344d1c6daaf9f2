/* One line per problem on standard error, written where the outside world said no.
 * Any thread: each line is one write. Nothing else below app/ prints. */
#ifndef LIMBER_BASE_LOG_H
#define LIMBER_BASE_LOG_H

#if defined(__GNUC__)
#define LOG_FORMAT_CHECK __attribute__((format(printf, 1, 2)))
#else
#define LOG_FORMAT_CHECK
#endif

/* The work cannot go on. Say what, where (file and line, port, sensor) and what to do.
 * Example: log_error("%s:%u: unknown key 'hodl_s'; did you mean 'hold_s'?", path, line);
 * Lines longer than 1,000 bytes are cut. */
void log_error(const char *format, ...) LOG_FORMAT_CHECK;

/* The work goes on, but the person should know. Same form. */
void log_warning(const char *format, ...) LOG_FORMAT_CHECK;

#endif
