/* The list of worn sensors that `limber assess --sensors` reads. Plain values; any thread.
 */
#ifndef LIMBER_APP_SENSOR_FILE_H
#define LIMBER_APP_SENSOR_FILE_H

#include "acquisition/capture.h"
#include "app/text_profile.h"
#include "base/body.h"
#include "calibration/calibration.h"

enum {
    SENSOR_TEXT_SIZE = 256
};

/* One `- {role, driver, port, ...}` entry. */
struct sensor_entry {
    enum role role;
    char driver[32];
    char port[SENSOR_TEXT_SIZE];    /* forms: see sensor_port.h */
    double rate_hz;                 /* 0 = the driver's default */
    unsigned baud;                  /* 0 = the driver's default */
    char columns[SENSOR_TEXT_SIZE]; /* as written: profile, list, or profile file */
    struct text_profile profile;    /* what stands in the profile file, if it is one */
    char channel[16];
    /* Two-point flex calibration; term_count 0 = none given. */
    struct calibration_flex flex;
};

struct sensor_list {
    struct sensor_entry entries[CAPTURE_DEVICE_MAX];
    unsigned count;
};

/* Read and check a sensor file.
 * @return STATUS_OK; STATUS_BAD_INPUT, STATUS_NOT_FOUND or STATUS_IO after one logged line
 * with file and line. */
enum status sensor_file_read(const char *path, struct sensor_list *list);

/* Settings for the driver of an entry; strings borrowed from it. */
struct driver_settings sensor_entry_settings(const struct sensor_entry *entry);

/* True for ports "simulated:NAME". @param patient  Out: NAME, borrowed from the entry. */
bool sensor_entry_is_simulated(const struct sensor_entry *entry, const char **patient);

/* Bits 1u << role of all entries. */
unsigned sensor_list_worn(const struct sensor_list *list);

#endif
