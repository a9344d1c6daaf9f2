/* Unit factors. Inside the program: radians, seconds, m/s2; degrees only where a name ends
 * in _deg. */
#ifndef LIMBER_BASE_UNITS_H
#define LIMBER_BASE_UNITS_H

#define PI_RAD      3.14159265358979323846
#define RAD_PER_DEG (PI_RAD / 180.0)
#define DEG_PER_RAD (180.0 / PI_RAD)
/* Standard acceleration of free fall, m/s2 (3rd CGPM, 1901). */
#define GRAVITY_M_S2 9.80665
#define NS_PER_S     1000000000LL

#endif
