#include <check.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "app/hex_text.h"

static size_t decode(const char *text, uint8_t bytes[256])
{
    size_t size = strlen(text);
    memcpy(bytes, text, size);
    return hex_text_decode(bytes, size);
}

START_TEST(test_pairs_names_and_comments)
{
    static const uint8_t EXPECTED[] = {0xFA, 0xFF, 0x30, 0x00, 0xD1};
    uint8_t bytes[256];
    ck_assert_uint_eq(decode("# 01 02 a remark\ntx faff30  00,D1 # 99\nL3\n", bytes), 5);
    ck_assert_mem_eq(bytes, EXPECTED, sizeof EXPECTED);
    ck_assert_uint_eq(decode("", bytes), 0);
    ck_assert_uint_eq(decode("#", bytes), 0);
    ck_assert_uint_eq(decode("abc zz\n# fa", bytes), 0);
}

END_TEST

START_TEST(test_is)
{
    static const uint8_t BINARY[] = {0xFA, 0xFF, 0x36, 0x00};
    static const char TEXT[] = "# note\nrx 56f8\n";
    ck_assert(hex_text_is((const uint8_t *)TEXT, strlen(TEXT)));
    ck_assert(!hex_text_is(BINARY, sizeof BINARY));
    ck_assert(!hex_text_is((const uint8_t *)"words only", 10));
}

END_TEST

int main(void)
{
    Suite *suite = suite_create("hex_text");
    TCase *tests = tcase_create("hex_text");
    tcase_add_test(tests, test_pairs_names_and_comments);
    tcase_add_test(tests, test_is);
    suite_add_tcase(suite, tests);
    SRunner *runner = srunner_create(suite);
    srunner_run_all(runner, CK_NORMAL);
    int failed = srunner_ntests_failed(runner);
    srunner_free(runner);
    return failed == 0 ? EXIT_SUCCESS : EXIT_FAILURE;
}
