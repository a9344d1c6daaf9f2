#include "simulation/random.h"

#include <math.h>

#include "base/units.h"

void random_init(struct random *random, uint64_t seed, uint64_t stream)
{
    random->state = seed;
    uint64_t mixed = random_bits(random) ^ (stream * 0xD1B54A32D192ED03u);
    random->state = mixed;
    random_bits(random);
}

uint64_t random_bits(struct random *random)
{
    /* Constants of Steele, Lea, Flood: Fast splittable pseudorandom number generators
     * (2014). */
    random->state += 0x9E3779B97F4A7C15u;
    uint64_t z = random->state;
    z = (z ^ (z >> 30)) * 0xBF58476D1CE4E5B9u;
    z = (z ^ (z >> 27)) * 0x94D049BB133111EBu;
    return z ^ (z >> 31);
}

double random_uniform(struct random *random, double low, double high)
{
    return low + (high - low) * ((double)(random_bits(random) >> 11) * 0x1p-53);
}

double random_normal(struct random *random)
{
    /* Box-Muller; 1 - u keeps the logarithm finite. */
    double radius = sqrt(-2.0 * log(1.0 - random_uniform(random, 0.0, 1.0)));
    return radius * cos(2.0 * PI_RAD * random_uniform(random, 0.0, 1.0));
}
