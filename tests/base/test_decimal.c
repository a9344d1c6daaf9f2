#include <check.h>
#include <math.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/decimal.h"

static void check_float(float value)
{
    char text[DECIMAL_SIZE_MAX + 1];
    char expected[64];
    text[decimal_float(value, text)] = '\0';
    snprintf(expected, sizeof expected, "%.9g", (double)value);
    ck_assert_str_eq(text, expected);
}

START_TEST(test_float_prints_as_printf_does)
{
    static const float VALUES[] = {
        0.0F,      -0.0F, 1.0F,         -1.0F,     0.1F,     9.99999999F, 1e-4F,
        9.999e-5F, 1e9F,  999999999.0F, 123456.7F, 2000.0F,  0.0001F,     16777217.0F,
        1e-30F,    3e38F, 0.5F,         100000.0F, 99999.9F, 0.00012345F};
    for (size_t i = 0; i < sizeof VALUES / sizeof VALUES[0]; i++) {
        check_float(VALUES[i]);
    }
    check_float(NAN);
    check_float(-INFINITY);
    uint32_t state = 12345;
    for (unsigned i = 0; i < 50000; i++) {
        /* Any bits at all: Numerical Recipes' linear congruence. */
        state = state * 1664525u + 1013904223u;
        float value;
        memcpy(&value, &state, sizeof value);
        check_float(value);
        check_float((float)((double)(int32_t)state * 1e-6));
        check_float((float)((int32_t)state % 100000) / 64.0F);
    }
}

END_TEST

START_TEST(test_counts_and_times)
{
    char text[DECIMAL_SIZE_MAX + 1];
    text[decimal_count(0, text)] = '\0';
    ck_assert_str_eq(text, "0");
    text[decimal_count(UINT64_MAX, text)] = '\0';
    ck_assert_str_eq(text, "18446744073709551615");
    text[decimal_micro(0.0, text)] = '\0';
    ck_assert_str_eq(text, "0.000000");
    text[decimal_micro(-1.0000005000001, text)] = '\0';
    ck_assert_str_eq(text, "-1.000001");
    text[decimal_micro(86399.999999, text)] = '\0';
    ck_assert_str_eq(text, "86399.999999");
}

END_TEST

int main(void)
{
    Suite *suite = suite_create("decimal");
    TCase *tests = tcase_create("decimal");
    tcase_add_test(tests, test_float_prints_as_printf_does);
    tcase_add_test(tests, test_counts_and_times);
    suite_add_tcase(suite, tests);
    SRunner *runner = srunner_create(suite);
    srunner_run_all(runner, CK_NORMAL);
    int failed = srunner_ntests_failed(runner);
    srunner_free(runner);
    return failed == 0 ? EXIT_SUCCESS : EXIT_FAILURE;
}
