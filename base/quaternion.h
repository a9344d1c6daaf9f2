/* Vectors and unit quaternions by value. w x y z; q rotates a vector from the frame on the
 * right into the frame on the left: q_GS is sensor to global. Pure; any thread. */
#ifndef LIMBER_BASE_QUATERNION_H
#define LIMBER_BASE_QUATERNION_H

#include <stdbool.h>

struct vector3 {
    double x;
    double y;
    double z;
};

struct quaternion {
    double w;
    double x;
    double y;
    double z;
};

#define QUATERNION_IDENTITY ((struct quaternion){1.0, 0.0, 0.0, 0.0})

struct vector3 vector3_add(struct vector3 a, struct vector3 b);
struct vector3 vector3_subtract(struct vector3 a, struct vector3 b);
struct vector3 vector3_scale(struct vector3 a, double factor);
double vector3_dot(struct vector3 a, struct vector3 b);
struct vector3 vector3_cross(struct vector3 a, struct vector3 b);
double vector3_norm(struct vector3 a);

/* Unit vector along a; the zero vector stays zero. */
struct vector3 vector3_normalise(struct vector3 a);

struct quaternion quaternion_multiply(struct quaternion a, struct quaternion b);
struct quaternion quaternion_conjugate(struct quaternion q);

/* Unit quaternion; identity for a zero or non-finite input. */
struct quaternion quaternion_normalise(struct quaternion q);

/* Vector v of the right frame expressed in the left frame. q must have unit length. */
struct vector3 quaternion_rotate(struct quaternion q, struct vector3 v);

/* Rotation by |rotation_rad| about its direction (exponential map); zero gives identity. */
struct quaternion quaternion_from_rotation(struct vector3 rotation_rad);

/* Rotation vector of q, 0 .. pi (logarithm); the inverse of the above. */
struct vector3 quaternion_to_rotation(struct quaternion q);

/* Rotation by angle_rad about a unit axis. */
struct quaternion quaternion_from_axis_angle(struct vector3 axis, double angle_rad);

/* Shortest rotation that turns unit vector a onto unit vector b. */
struct quaternion quaternion_between(struct vector3 a, struct vector3 b);

/* From the rows of a proper rotation matrix R (left = R right), 0-based [row][column]. */
struct quaternion quaternion_from_matrix(const double matrix[3][3]);

void quaternion_to_matrix(struct quaternion q, double matrix[3][3]);

/* Spherical interpolation along the shorter arc, fraction 0 .. 1. */
struct quaternion quaternion_interpolate(struct quaternion a, struct quaternion b,
                                         double fraction);

/* Angle of the rotation between a and b, 0 .. pi rad. */
double quaternion_angle(struct quaternion a, struct quaternion b);

bool quaternion_is_finite(struct quaternion q);

#endif
