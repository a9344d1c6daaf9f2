/* The suites of this folder, run by one runner. */
#ifndef LIMBER_TESTS_SIMULATION_SUITES_H
#define LIMBER_TESTS_SIMULATION_SUITES_H

#include <check.h>

Suite *model_suite(void);
Suite *motion_suite(void);
Suite *patient_suite(void);
Suite *sensor_suite(void);
Suite *simulation_suite(void);
Suite *wire_suite(void);

#endif
