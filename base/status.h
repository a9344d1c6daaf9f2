/* Outcome codes of every function that can fail, in all folders. Plain values: any thread.
 */
#ifndef LIMBER_BASE_STATUS_H
#define LIMBER_BASE_STATUS_H

/* 0 is good, negative is bad. Functions that fail leave their out-parameters untouched. */
enum status {
    STATUS_OK = 0,
    STATUS_NO_MEMORY = -1, /* an allocation failed */
    STATUS_BAD_INPUT =
        -2, /* a file or text given by a person is wrong; one line was logged */
    STATUS_NOT_FOUND = -3, /* the named thing does not exist */
    STATUS_IO = -4,        /* the disk said no; one line was logged */
    STATUS_DEVICE = -5,    /* a port or sensor said no; one line was logged */
    STATUS_GONE = -6,      /* the sensor was unplugged */
    STATUS_NOT_READY = -7, /* not enough data yet; not an error for the person */
    STATUS_END = -8,       /* nothing more will come: end of a file or of a stream */
    STATUS_REFUSED =
        -9, /* a rule of safety or of data quality forbids it; one line was logged */
    STATUS_CORRUPT = -10 /* stored bytes do not match their checksum or layout */
};

/* Exit codes of the program (design.md 5); documented in the manual. */
enum exit_code {
    EXIT_CODE_OK = 0,
    EXIT_CODE_FINDING = 1, /* a finding or a refusal */
    EXIT_CODE_USAGE = 2,
    EXIT_CODE_DEVICE = 3,
    EXIT_CODE_DATA = 4,
    EXIT_CODE_DISK = 5
};

/* Short English text of a status, static, never NULL. */
const char *status_text(enum status status);

/* Exit code that a command returns for a status. */
enum exit_code status_exit_code(enum status status);

#endif
