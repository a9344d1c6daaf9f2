#include <check.h>
#include <grp.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "acquisition/access.h"

static void expect(const struct access_facts *facts, const char *wanted,
                   const char *unwanted)
{
    char text[ACCESS_TEXT_SIZE];
    access_advise(facts, text);
    ck_assert_msg(strstr(text, wanted) != NULL, "'%s' is not in: %s", wanted, text);
    ck_assert_msg(strstr(text, unwanted) == NULL, "'%s' is in: %s", unwanted, text);
    ck_assert_uint_lt(strlen(text), ACCESS_TEXT_SIZE - 1);
    ck_assert_ptr_null(strchr(text, '\n'));
}

START_TEST(test_missing_rules_name_their_command)
{
    struct access_facts facts = {.is_usb = true, .group = "root"};
    expect(&facts, "sudo install -m 644 udev/70-limber.rules /etc/udev/rules.d/",
           "adduser");
    expect(&facts, "udevadm control --reload && sudo udevadm trigger'", "adduser");
    facts.is_group_allowed = true; /* nobody is sent into the group root */
    expect(&facts, "70-limber.rules", "adduser");
}

END_TEST

START_TEST(test_rules_that_came_late)
{
    const struct access_facts facts = {
        .is_usb = true, .is_rules_file_installed = true, .group = "root"};
    expect(&facts, "plug it in again", "install");
}

END_TEST

/* The rules name USB devices: for another port they would be installed in vain. */
START_TEST(test_ports_that_no_rule_names)
{
    const struct access_facts facts = {.group = "root"};
    expect(&facts, "administrator", "rules");
}

END_TEST

START_TEST(test_person_is_not_in_the_group)
{
    struct access_facts facts = {.is_group_allowed = true, .group = "plugdev"};
    expect(&facts, "'sudo adduser $USER plugdev'", "udev");
    facts.is_rules_file_installed = true;
    expect(&facts, "'sudo adduser $USER plugdev'", "udev");
    snprintf(facts.group, sizeof facts.group, "dialout");
    expect(&facts, "not in the group 'dialout'", "plugdev");
}

END_TEST

START_TEST(test_login_is_older_than_the_group)
{
    const struct access_facts facts = {
        .is_group_allowed = true, .group = "plugdev", .is_listed = true};
    expect(&facts, "log out and in again", "adduser");
}

END_TEST

START_TEST(test_group_is_there_and_refused)
{
    const struct access_facts facts = {.is_group_allowed = true,
                                       .group = "plugdev",
                                       .is_listed = true,
                                       .is_in_session = true};
    expect(&facts, "confined", "adduser");
}

END_TEST

START_TEST(test_longest_group_name_fits)
{
    struct access_facts facts = {.is_group_allowed = true};
    memset(facts.group, 'g', sizeof facts.group - 1);
    char text[ACCESS_TEXT_SIZE];
    access_advise(&facts, text);
    ck_assert_uint_lt(strlen(text), ACCESS_TEXT_SIZE - 1);
    facts.is_listed = true;
    access_advise(&facts, text);
    ck_assert_uint_lt(strlen(text), ACCESS_TEXT_SIZE - 1);
    facts.is_in_session = true;
    access_advise(&facts, text);
    ck_assert_uint_lt(strlen(text), ACCESS_TEXT_SIZE - 1);
}

END_TEST

START_TEST(test_look_at_a_node)
{
    char path[] = "limber_node_XXXXXX";
    int file = mkstemp(path);
    ck_assert_int_ge(file, 0);
    struct access_facts facts;
    ck_assert_int_eq(fchmod(file, 0660), 0);
    access_look(path, &facts);
    ck_assert(facts.is_group_allowed);
    ck_assert(facts.is_in_session); /* own files have the group of the process */
    const struct group *group = getgrgid(getegid());
    if (group) {
        ck_assert_str_eq(facts.group, group->gr_name);
    }
    ck_assert_int_eq(fchmod(file, 0640), 0); /* reading alone is not enough */
    access_look(path, &facts);
    ck_assert(!facts.is_group_allowed);
    close(file);
    unlink(path);
    access_look(path, &facts);
    ck_assert(!facts.is_group_allowed && !facts.is_in_session);
    ck_assert_str_eq(facts.group, "");
}

END_TEST

START_TEST(test_look_at_a_nameless_group)
{
    char path[] = "limber_node_XXXXXX";
    int file = mkstemp(path);
    ck_assert_int_ge(file, 0);
    ck_assert_int_eq(fchmod(file, 0660), 0);
    if (fchown(file, (uid_t)-1, 54321) != 0) {
        puts("skipped: only root can give a file to another group");
    } else {
        struct access_facts facts;
        access_look(path, &facts);
        ck_assert_str_eq(facts.group, "54321");
        ck_assert(facts.is_group_allowed && !facts.is_listed && !facts.is_in_session);
    }
    close(file);
    unlink(path);
}

END_TEST

int main(void)
{
    Suite *suite = suite_create("access");
    TCase *tests = tcase_create("access");
    tcase_add_test(tests, test_missing_rules_name_their_command);
    tcase_add_test(tests, test_rules_that_came_late);
    tcase_add_test(tests, test_ports_that_no_rule_names);
    tcase_add_test(tests, test_person_is_not_in_the_group);
    tcase_add_test(tests, test_login_is_older_than_the_group);
    tcase_add_test(tests, test_group_is_there_and_refused);
    tcase_add_test(tests, test_longest_group_name_fits);
    tcase_add_test(tests, test_look_at_a_node);
    tcase_add_test(tests, test_look_at_a_nameless_group);
    suite_add_tcase(suite, tests);
    SRunner *runner = srunner_create(suite);
    srunner_run_all(runner, CK_NORMAL);
    int failed = srunner_ntests_failed(runner);
    srunner_free(runner);
    return failed == 0 ? EXIT_SUCCESS : EXIT_FAILURE;
}
