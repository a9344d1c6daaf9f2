/* Watch sensors without recording: opened and configured as an assessment would, one line
 * for each every second, and a line when one is lost, silent or back. Prints on standard
 * output. Main thread. */
#ifndef LIMBER_APP_DEVICE_WATCH_H
#define LIMBER_APP_DEVICE_WATCH_H

#include "app/sensor_file.h"

struct device_watch_settings {
    const struct sensor_list *sensors; /* borrowed */
    bool has_roles; /* name them by role; else by port, as many have none */
    double seconds; /* 0 = until Ctrl-C */
    bool is_json;   /* one object a line */
};

/* Watch until the time is over or a person ends it; then stop the sensors and leave them as
 * they were found. A port that is missing is waited for.
 * @return STATUS_OK, or why a sensor could not be opened, after one logged line. */
enum status device_watch_run(const struct device_watch_settings *settings);

#endif
