/* Arithmetic on 64-bit integers that wraps where it overflows, and the NPU's roundings.
 *
 * TFL rounds twice, half up at bit 31, then half away from zero; NATURAL once, half up; SYMMETRIC once, half away
 * from zero; DOWN does not round. deploy/npu/execution/scaling.py says the same in NumPy. */

#ifndef NPU_CORE_SCALING_H
#define NPU_CORE_SCALING_H

#include "record.h"

__extension__ typedef __int128 wide_t;

static inline int64_t wrapped_sum(int64_t a, int64_t b)
{
    return (int64_t)((uint64_t)a + (uint64_t)b);
}

static inline int64_t wrapped_difference(int64_t a, int64_t b)
{
    return (int64_t)((uint64_t)a - (uint64_t)b);
}

static inline int64_t wrapped_product(int64_t a, int64_t b)
{
    return (int64_t)((uint64_t)a * (uint64_t)b);
}

/* The bias of a channel behind elements that keep their zero point: `fill`, times the sum of its weights. */
static inline int64_t bias_behind(int64_t bias, int64_t fill, int64_t weight_sum)
{
    return bias - fill * weight_sum;
}

static inline int64_t shifted_left(int64_t value, int64_t shift)
{
    return (int64_t)((uint64_t)value << shift);
}

/* All bits where a is less than b, whose difference fits 64 bits. */
static inline int64_t is_less(int64_t a, int64_t b)
{
    return wrapped_difference(a, b) >> 63;
}

static inline int64_t clamp(int64_t value, int64_t low, int64_t high)
{
    return value < low ? low : value > high ? high : value;
}

/* Half a unit of what a shift to the right leaves; 0 without one. */
static inline int64_t half_of(int64_t shift)
{
    return shift > 0 ? (int64_t)1 << (shift - 1) : 0;
}

/* (value * multiplier + half + addend) >> shift, as if there were no limit to the product; wraps to 64 bits. */
static inline int64_t multiply_shift(int64_t value, int64_t multiplier, int64_t shift, int64_t addend)
{
    return (int64_t)(((wide_t)value * multiplier + half_of(shift) + addend) >> shift);
}

/* value / 2^shift to the nearest, halves away from zero. */
static inline int64_t round_half_away(int64_t value, int64_t shift)
{
    if (shift == 0) {
        return value;
    }
    /* The remainder decides, so that nothing is added that might overflow. */
    const int64_t mask = ((int64_t)1 << shift) - 1;
    return (value >> shift) + ((value & mask) > (mask >> 1) + (value < 0));
}

static inline int64_t rescale(int64_t value, int64_t multiplier, int64_t shift, int64_t rounding)
{
    if (rounding == ROUNDING_TFL && shift > 31) {
        return round_half_away(multiply_shift(value, multiplier, 31, 0), shift - 31);
    }
    if (rounding == ROUNDING_SYMMETRIC) {
        return multiply_shift(value, multiplier, shift, shift > 0 ? -(int64_t)(value < 0) : 0);
    }
    if (rounding == ROUNDING_DOWN) {
        return multiply_shift(value, multiplier, shift, -half_of(shift));
    }
    return multiply_shift(value, multiplier, shift, 0);
}

/* The same where neither the product nor what is added to it leaves 64 bits: without branches, the constants once.
 *
 * y = (value * multiplier + addend + (below if value < 0)) >> first, then (y + half + (less if y < 0)) >> second.
 */
struct rescaling {
    int64_t multiplier;
    int64_t addend;
    int64_t below;
    int64_t first;
    int64_t half;
    int64_t less;
    int64_t second;
};

static inline struct rescaling rescaling_of(int64_t multiplier, int64_t shift, int64_t rounding)
{
    struct rescaling r = {multiplier, half_of(shift), 0, shift, 0, 0, 0};
    if (rounding == ROUNDING_TFL && shift > 31) {
        r.first = 31;
        r.addend = half_of(31);
        r.second = shift - 31;
        r.half = half_of(r.second);
        r.less = -1;
    } else if (rounding == ROUNDING_SYMMETRIC && shift > 0) {
        r.below = -1;
    } else if (rounding == ROUNDING_DOWN) {
        r.addend = 0;
    }
    return r;
}

#endif
