/* The `port:` of a sensor file: its forms, whether a driver can be there, and the one way
 * to open it for assessments and for watching. Capture thread. */
#ifndef LIMBER_APP_SENSOR_PORT_H
#define LIMBER_APP_SENSOR_PORT_H

#include "acquisition/driver.h"
#include "app/sensor_file.h"
#include "simulation/simulation.h"

enum sensor_port_kind {
    SENSOR_PORT_SERIAL, /* "/dev/ttyACM0" or a link to it */
    SENSOR_PORT_USB,    /* "usb:054C:0CE6", "usb:054C:0CE6:SERIAL", "usb:054C:0CE6@1-2" */
    SENSOR_PORT_FILE,   /* "file:PATH" */
    SENSOR_PORT_SIMULATED, /* "simulated:PATIENT" */
    SENSOR_PORT_BAD        /* "usb:" followed by something else, or nothing after the ":" */
};

/* @param rest  Out: what follows the prefix; borrowed from port. */
enum sensor_port_kind sensor_port_kind_of(const char *port, const char **rest);

/* Whether a driver can read such a port.
 * @param problem  Out: what is wrong and what to write instead; room for size. */
bool sensor_port_fits(const char *port, const struct driver *driver, char *problem,
                      size_t size);

/* Whether the port is there now and may be used: asks the file system only, never logs. */
bool sensor_port_is_present(const char *port);

/* Whether it is there at all, permitted or not. */
bool sensor_port_exists(const char *port);

/* Open the port of an entry.
 * @param is_again    It was open before: a port that is missing is no news. STATUS_GONE
 *                    then, at next to no cost and without a line.
 * @param simulation  Borrowed; NULL where no port is simulated.
 * @return STATUS_OK, STATUS_GONE, or what the transport said after one logged line. */
enum status sensor_port_open(const struct sensor_entry *entry, const struct driver *driver,
                             bool is_again, struct simulation *simulation,
                             struct transport **out);

#endif
