#include <check.h>
#include <stdlib.h>

#include "tests/acquisition/driver_support.h"

START_TEST(test_is_listed)
{
    ck_assert_ptr_nonnull(driver_find("mcc-usb1208fs-plus"));
}

END_TEST

int main(void)
{
    Suite *suite = suite_create("mcc_usb1208fs_plus");
    TCase *tests = tcase_create("driver");
    tcase_add_test(tests, test_is_listed);
    suite_add_tcase(suite, tests);
    SRunner *runner = srunner_create(suite);
    srunner_run_all(runner, CK_NORMAL);
    int failed = srunner_ntests_failed(runner);
    srunner_free(runner);
    return failed == 0 ? EXIT_SUCCESS : EXIT_FAILURE;
}
