/* Why the system refused a device node, and what its person can do about it: a missing udev
 * rules file, a missing group, or a login that is older than the group. Looks at the file
 * system and the groups of this process; any thread but not two at once. */
#ifndef LIMBER_ACQUISITION_ACCESS_H
#define LIMBER_ACQUISITION_ACCESS_H

#include <stdbool.h>
#include <stddef.h>

enum {
    ACCESS_TEXT_SIZE = 320,
    ACCESS_GROUP_SIZE = 64
};

/* What is known about a node and its person. */
struct access_facts {
    bool is_usb;                   /* a node that the rules can name */
    bool is_rules_file_installed;  /* 70-limber.rules, where udev looks for it */
    bool is_group_allowed;         /* the node may be read and written by its group */
    char group[ACCESS_GROUP_SIZE]; /* of the node; its number when it has no name */
    bool is_listed;                /* the person is in the system's list of that group */
    bool is_in_session;            /* this process has the group */
};

/* Look at a node.
 * @param node   "/dev/bus/usb/001/005" or "/dev/ttyACM0".
 * @param facts  Out. */
void access_look(const char *node, struct access_facts *facts);

/* The one thing to do, without a full stop: "the udev rules of Limber are not installed:
 * sudo ...". Pure.
 * @param text  Out: ACCESS_TEXT_SIZE. */
void access_advise(const struct access_facts *facts, char text[ACCESS_TEXT_SIZE]);

/* Both at once. */
void access_explain(const char *node, char text[ACCESS_TEXT_SIZE]);

#endif
