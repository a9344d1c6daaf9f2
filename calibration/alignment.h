/* Sensor-to-segment alignment from a still neutral pose and one functional movement
 * (clinical reference 4.5). Pure, no allocation after init; any thread. */
#ifndef LIMBER_CALIBRATION_ALIGNMENT_H
#define LIMBER_CALIBRATION_ALIGNMENT_H

#include "base/body.h"
#include "base/status.h"
#include "calibration/calibration.h"

/* How gravity points in the segment in the neutral pose, and which way it turns in the
 * move. */
struct alignment_settings {
    struct vector3 up_in_segment;   /* unit; upright: {0,1,0}; supine: {1,0,0} */
    struct vector3 turn_in_segment; /* unit; bending forward turns the trunk about {0,0,-1};
                                     * lifting a knee turns the thigh about {0,0,1} */
    struct quaternion nominal; /* sensor_to_segment if worn exactly as the guide says */
    double still_gyro_rad_s;   /* SD limit of a still window; default 0.3 deg/s */
    double move_gyro_rad_s;    /* rates above this count for the axis; default 10 deg/s */
    double explained_min;      /* variance share for a usable axis; default 0.85 */
};

extern const struct alignment_settings alignment_default_settings;

struct alignment {
    struct alignment_settings settings;
    /* private: sums */
    struct vector3 still_accel_sum;
    double still_gyro_mean[3]; /* running, with squares about it (Welford) */
    double still_gyro_square[3];
    double still_gyro_last[3];
    double still_gyro_jump[3]; /* squared differences of neighbours: white noise alone */
    double still_first_s;
    double still_last_s;
    unsigned still_count;
    double move_square[3][3];    /* second moments of the rates, about zero */
    struct vector3 move_outward; /* sum of the outward rates: which way along the axis */
    unsigned move_count;
};

/* sensor_to_segment of a unit worn as the guide says: arrow (sensor y) up, label (sensor z)
 * outward. Units on the back look backward, all others forward. Identity for flex strips.
 */
struct quaternion calibration_nominal(enum role role);

void alignment_init(struct alignment *alignment, const struct alignment_settings *settings);

/* Add a sample of the still neutral pose; samples with a NaN are left out. */
void alignment_update_still(struct alignment *alignment, const struct inertial *sample);

/* Add a sample of the functional move, with its sensor-frame rates freed of bias. Only the
 * outward half (away from neutral) carries the sign.
 * @param outward  True while the segment moves away from neutral. If it never is, the
 * direction nearer to the nominal placement is taken. */
void alignment_update_move(struct alignment *alignment, const struct inertial *sample,
                           bool outward);

/* Gyroscope bias of the still window with its standard error, rad/s. Slow rates (sway,
 * breath) count as one independent value per second, white noise as one per sample.
 * @return STATUS_OK; STATUS_NOT_READY under 2 s of samples at 50 Hz (100 samples);
 *         STATUS_REFUSED when the sensor was not still. */
enum status alignment_bias_get(const struct alignment *alignment, double bias_rad_s[3],
                               double error_rad_s[3]);

/* Solve. Without a usable functional move the heading of the sensor on the segment comes
 * from the nominal placement: grade C with its reason and 10 deg of doubt about the
 * vertical.
 * @param out  Out.
 * @return STATUS_OK; STATUS_NOT_READY without a still window; STATUS_REFUSED when moving,
 * or with gravity more than 60 deg away from where the guide puts it: worn wrongly. Up to
 * 150 deg, if no functional move contradicts, out then still holds the nearest placement
 * that fits gravity (a unit turned on its label keeps the label outward), grade F with its
 * reason, 20 deg of doubt about the vertical; otherwise it is untouched. */
enum status alignment_solve(const struct alignment *alignment,
                            struct calibration_alignment *out);

#endif
