#include "base/quaternion.h"

#include <math.h>

#include "base/units.h"

struct vector3 vector3_add(struct vector3 a, struct vector3 b)
{
    return (struct vector3){a.x + b.x, a.y + b.y, a.z + b.z};
}

struct vector3 vector3_subtract(struct vector3 a, struct vector3 b)
{
    return (struct vector3){a.x - b.x, a.y - b.y, a.z - b.z};
}

struct vector3 vector3_scale(struct vector3 a, double factor)
{
    return (struct vector3){a.x * factor, a.y * factor, a.z * factor};
}

double vector3_dot(struct vector3 a, struct vector3 b)
{
    return a.x * b.x + a.y * b.y + a.z * b.z;
}

struct vector3 vector3_cross(struct vector3 a, struct vector3 b)
{
    return (struct vector3){a.y * b.z - a.z * b.y, a.z * b.x - a.x * b.z,
                            a.x * b.y - a.y * b.x};
}

double vector3_norm(struct vector3 a)
{
    return sqrt(vector3_dot(a, a));
}

struct vector3 vector3_normalise(struct vector3 a)
{
    double norm = vector3_norm(a);
    return norm > 0.0 ? vector3_scale(a, 1.0 / norm) : a;
}

struct quaternion quaternion_multiply(struct quaternion a, struct quaternion b)
{
    return (struct quaternion){
        a.w * b.w - a.x * b.x - a.y * b.y - a.z * b.z,
        a.w * b.x + a.x * b.w + a.y * b.z - a.z * b.y,
        a.w * b.y - a.x * b.z + a.y * b.w + a.z * b.x,
        a.w * b.z + a.x * b.y - a.y * b.x + a.z * b.w,
    };
}

struct quaternion quaternion_conjugate(struct quaternion q)
{
    return (struct quaternion){q.w, -q.x, -q.y, -q.z};
}

static double quaternion_dot(struct quaternion a, struct quaternion b)
{
    return a.w * b.w + a.x * b.x + a.y * b.y + a.z * b.z;
}

struct quaternion quaternion_normalise(struct quaternion q)
{
    double norm = sqrt(quaternion_dot(q, q));
    if (!(norm > 0.0) || !isfinite(norm)) {
        return QUATERNION_IDENTITY;
    }
    return (struct quaternion){q.w / norm, q.x / norm, q.y / norm, q.z / norm};
}

struct vector3 quaternion_rotate(struct quaternion q, struct vector3 v)
{
    /* v + 2 u x (u x v + w v) with u the vector part: 2 cross products, no matrix. */
    struct vector3 u = {q.x, q.y, q.z};
    struct vector3 t = vector3_add(vector3_cross(u, v), vector3_scale(v, q.w));
    return vector3_add(v, vector3_scale(vector3_cross(u, t), 2.0));
}

struct quaternion quaternion_from_rotation(struct vector3 rotation_rad)
{
    double angle_rad = vector3_norm(rotation_rad);
    if (angle_rad < 1e-12) {
        return quaternion_normalise((struct quaternion){
            1.0, rotation_rad.x / 2.0, rotation_rad.y / 2.0, rotation_rad.z / 2.0});
    }
    return quaternion_from_axis_angle(vector3_scale(rotation_rad, 1.0 / angle_rad),
                                      angle_rad);
}

struct vector3 quaternion_to_rotation(struct quaternion q)
{
    if (q.w < 0.0) {
        q = (struct quaternion){-q.w, -q.x, -q.y, -q.z};
    }
    struct vector3 u = {q.x, q.y, q.z};
    double sine = vector3_norm(u);
    if (sine < 1e-12) {
        return vector3_scale(u, 2.0);
    }
    return vector3_scale(u, 2.0 * atan2(sine, q.w) / sine);
}

struct quaternion quaternion_from_axis_angle(struct vector3 axis, double angle_rad)
{
    double sine = sin(angle_rad / 2.0);
    return (struct quaternion){cos(angle_rad / 2.0), axis.x * sine, axis.y * sine,
                               axis.z * sine};
}

struct quaternion quaternion_between(struct vector3 a, struct vector3 b)
{
    double cosine = vector3_dot(a, b);
    struct vector3 axis = vector3_cross(a, b);
    if (cosine < -1.0 + 1e-12) {
        /* Opposite vectors: any axis across a serves. */
        struct vector3 other = fabs(a.x) < 0.9 ? (struct vector3){1.0, 0.0, 0.0}
                                               : (struct vector3){0.0, 1.0, 0.0};
        return quaternion_from_axis_angle(vector3_normalise(vector3_cross(a, other)),
                                          PI_RAD);
    }
    return quaternion_normalise((struct quaternion){1.0 + cosine, axis.x, axis.y, axis.z});
}

struct quaternion quaternion_from_matrix(const double matrix[3][3])
{
    /* Shepperd's method: divide by the largest component. */
    double trace = matrix[0][0] + matrix[1][1] + matrix[2][2];
    struct quaternion q;
    if (trace > 0.0) {
        double s = 2.0 * sqrt(trace + 1.0);
        q = (struct quaternion){s / 4.0, (matrix[2][1] - matrix[1][2]) / s,
                                (matrix[0][2] - matrix[2][0]) / s,
                                (matrix[1][0] - matrix[0][1]) / s};
    } else if (matrix[0][0] >= matrix[1][1] && matrix[0][0] >= matrix[2][2]) {
        double s = 2.0 * sqrt(1.0 + matrix[0][0] - matrix[1][1] - matrix[2][2]);
        q = (struct quaternion){(matrix[2][1] - matrix[1][2]) / s, s / 4.0,
                                (matrix[0][1] + matrix[1][0]) / s,
                                (matrix[0][2] + matrix[2][0]) / s};
    } else if (matrix[1][1] >= matrix[2][2]) {
        double s = 2.0 * sqrt(1.0 + matrix[1][1] - matrix[0][0] - matrix[2][2]);
        q = (struct quaternion){(matrix[0][2] - matrix[2][0]) / s,
                                (matrix[0][1] + matrix[1][0]) / s, s / 4.0,
                                (matrix[1][2] + matrix[2][1]) / s};
    } else {
        double s = 2.0 * sqrt(1.0 + matrix[2][2] - matrix[0][0] - matrix[1][1]);
        q = (struct quaternion){(matrix[1][0] - matrix[0][1]) / s,
                                (matrix[0][2] + matrix[2][0]) / s,
                                (matrix[1][2] + matrix[2][1]) / s, s / 4.0};
    }
    return quaternion_normalise(q);
}

void quaternion_to_matrix(struct quaternion q, double matrix[3][3])
{
    matrix[0][0] = 1.0 - 2.0 * (q.y * q.y + q.z * q.z);
    matrix[0][1] = 2.0 * (q.x * q.y - q.w * q.z);
    matrix[0][2] = 2.0 * (q.x * q.z + q.w * q.y);
    matrix[1][0] = 2.0 * (q.x * q.y + q.w * q.z);
    matrix[1][1] = 1.0 - 2.0 * (q.x * q.x + q.z * q.z);
    matrix[1][2] = 2.0 * (q.y * q.z - q.w * q.x);
    matrix[2][0] = 2.0 * (q.x * q.z - q.w * q.y);
    matrix[2][1] = 2.0 * (q.y * q.z + q.w * q.x);
    matrix[2][2] = 1.0 - 2.0 * (q.x * q.x + q.y * q.y);
}

struct quaternion quaternion_interpolate(struct quaternion a, struct quaternion b,
                                         double fraction)
{
    double cosine = quaternion_dot(a, b);
    double sign = cosine < 0.0 ? -1.0 : 1.0;
    cosine *= sign;
    double weight_a = 1.0 - fraction;
    double weight_b = fraction;
    if (cosine < 1.0 - 1e-10) {
        double angle_rad = acos(cosine);
        weight_a = sin(weight_a * angle_rad) / sin(angle_rad);
        weight_b = sin(weight_b * angle_rad) / sin(angle_rad);
    }
    weight_b *= sign;
    return quaternion_normalise((struct quaternion){
        weight_a * a.w + weight_b * b.w, weight_a * a.x + weight_b * b.x,
        weight_a * a.y + weight_b * b.y, weight_a * a.z + weight_b * b.z});
}

double quaternion_angle(struct quaternion a, struct quaternion b)
{
    return vector3_norm(
        quaternion_to_rotation(quaternion_multiply(quaternion_conjugate(a), b)));
}

bool quaternion_is_finite(struct quaternion q)
{
    return isfinite(q.w) && isfinite(q.x) && isfinite(q.y) && isfinite(q.z);
}
