#include <stdlib.h>

#include "suites.h"

int main(void)
{
    SRunner *runner = srunner_create(model_suite());
    srunner_add_suite(runner, motion_suite());
    srunner_add_suite(runner, patient_suite());
    srunner_add_suite(runner, sensor_suite());
    srunner_add_suite(runner, simulation_suite());
    srunner_add_suite(runner, wire_suite());
    srunner_run_all(runner, CK_ENV);
    int failed = srunner_ntests_failed(runner);
    srunner_free(runner);
    return failed == 0 ? EXIT_SUCCESS : EXIT_FAILURE;
}
