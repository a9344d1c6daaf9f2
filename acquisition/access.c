#include "acquisition/access.h"

#include <grp.h>
#include <pwd.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

enum {
    GROUP_COUNT_MAX = 256
};

/* Where udev reads rules (udev(7)). */
static const char *const RULES_FILES[] = {
    "/etc/udev/rules.d/70-limber.rules",           "/run/udev/rules.d/70-limber.rules",
    "/usr/local/lib/udev/rules.d/70-limber.rules", "/usr/lib/udev/rules.d/70-limber.rules",
    "/lib/udev/rules.d/70-limber.rules",
};

static bool rules_are_installed(void)
{
    for (size_t i = 0; i < sizeof RULES_FILES / sizeof RULES_FILES[0]; i++) {
        if (access(RULES_FILES[i], F_OK) == 0) {
            return true;
        }
    }
    return false;
}

static bool session_has_group(gid_t wanted)
{
    gid_t groups[GROUP_COUNT_MAX];
    int count = getgroups(GROUP_COUNT_MAX, groups);
    for (int i = 0; i < count; i++) {
        if (groups[i] == wanted) {
            return true;
        }
    }
    return getegid() == wanted;
}

static bool group_lists(const struct group *group, const struct passwd *person)
{
    if (!group || !person) {
        return false;
    }
    for (char **member = group->gr_mem; *member; member++) {
        if (strcmp(*member, person->pw_name) == 0) {
            return true;
        }
    }
    return person->pw_gid == group->gr_gid;
}

void access_look(const char *node, struct access_facts *facts)
{
    memset(facts, 0, sizeof *facts);
    facts->is_usb = strncmp(node, "/dev/bus/usb/", 13) == 0
                    || strncmp(node, "/dev/ttyACM", 11) == 0
                    || strncmp(node, "/dev/ttyUSB", 11) == 0;
    facts->is_rules_file_installed = rules_are_installed();
    struct stat found;
    if (stat(node, &found) != 0) {
        return;
    }
    const mode_t both = S_IRGRP | S_IWGRP;
    facts->is_group_allowed = (found.st_mode & both) == both;
    facts->is_in_session = session_has_group(found.st_gid);
    const struct group *group = getgrgid(found.st_gid);
    if (group) {
        snprintf(facts->group, sizeof facts->group, "%s", group->gr_name);
    } else {
        snprintf(facts->group, sizeof facts->group, "%lu", (unsigned long)found.st_gid);
    }
    facts->is_listed = group_lists(group, getpwuid(getuid()));
}

static const char *const INSTALL_ADVICE =
    "the udev rules of Limber are not installed: in its source folder run 'sudo install -m "
    "644 udev/70-limber.rules /etc/udev/rules.d/ && sudo udevadm control --reload && sudo "
    "udevadm trigger'";

/* Nobody is to be added to the group of the administrator. */
static bool group_is_usable(const struct access_facts *facts)
{
    return facts->is_group_allowed && strcmp(facts->group, "root") != 0;
}

void access_advise(const struct access_facts *facts, char text[ACCESS_TEXT_SIZE])
{
    if (!group_is_usable(facts) && !facts->is_usb) {
        snprintf(text, ACCESS_TEXT_SIZE,
                 "it belongs to somebody else (group '%s'): its owner or the administrator "
                 "can allow it",
                 facts->group[0] ? facts->group : "unknown");
    } else if (!group_is_usable(facts)) {
        snprintf(text, ACCESS_TEXT_SIZE, "%s",
                 facts->is_rules_file_installed
                     ? "the udev rules of Limber do not name this device or came after it: "
                       "unplug it and plug it in again, or run 'sudo udevadm trigger'"
                     : INSTALL_ADVICE);
    } else if (facts->is_in_session) {
        snprintf(
            text, ACCESS_TEXT_SIZE,
            "this login has the group '%s' and is refused all the same: is the program "
            "confined (container, snap)?",
            facts->group);
    } else if (facts->is_listed) {
        snprintf(
            text, ACCESS_TEXT_SIZE,
            "you are in the group '%s', but this login is older than that: log out and "
            "in again",
            facts->group);
    } else {
        snprintf(text, ACCESS_TEXT_SIZE,
                 "you are not in the group '%s': run 'sudo adduser $USER %s', then log out "
                 "and in again",
                 facts->group, facts->group);
    }
}

void access_explain(const char *node, char text[ACCESS_TEXT_SIZE])
{
    struct access_facts facts;
    access_look(node, &facts);
    access_advise(&facts, text);
}
