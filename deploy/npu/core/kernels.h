/* The innermost loops, in a version for each kind of processor. */

#ifndef NPU_CORE_KERNELS_H
#define NPU_CORE_KERNELS_H

#include <stdint.h>

#include "scaling.h"

/* Channels of the OFM that are computed together, for which weights are packed; and pixels of them at most. */
enum { CHANNELS = 16, STRIP = 64 };

/* The constants of a block of channels, one array each, and what all of them share. */
struct channel_rescaling {
    int64_t bias[CHANNELS];
    int64_t multiplier[CHANNELS];
    int64_t addend[CHANNELS];
    int64_t below[CHANNELS];
    int64_t first[CHANNELS];
    int64_t half[CHANNELS];
    int64_t less[CHANNELS];
    int64_t second[CHANNELS];
};

/* The same where 32 bits are enough for all but the product: y = ((sum + bias) * multiplier + addend) >> first,
 * then (y + half + (less if y < 0)) >> second. */
struct short_rescaling {
    int32_t bias[CHANNELS];
    int32_t multiplier[CHANNELS];
    int64_t addend[CHANNELS];
    int64_t first[CHANNELS];
    int32_t half[CHANNELS];
    int32_t less[CHANNELS];
    int32_t second[CHANNELS];
};

/* How floats become one of 256 levels: guessed from where they are, then held against where the next begins. */
struct levels {
    float per_unit; /* a float times this, */
    float first;    /* and this added, is the level or one too low */
    float lowest;   /* level as it is stored */
    float limit;    /* magnitude beyond which nothing is known */
    float beyond[256]; /* of each level: where the next one begins */
};

struct kernels {
    const char *name;

    /* sums[p][o] = sum over s, k of x[p * pixel_step + s * segment_step + k] * w[s][k / 2][o][k % 2], of `count`
     * pixels. What is behind the last element of an odd run has weight 0. Weights of `size` 1 or 2 bytes. */
    void (*multiply_pixels)(const int16_t *x, int64_t pixel_step, int64_t count, int64_t segments,
                            int64_t segment_step, int64_t pairs, const uint8_t *weights, int64_t size,
                            int32_t sums[][CHANNELS]);

    /* to[i] = (first[i], second[i]): elements as multiply_channels takes them. */
    void (*pair_elements)(int16_t *to, const int16_t *first, const int16_t *second, int64_t count);

    /* sums[p][c] = sum over y, x, e of rows[y][offset + p * pixel_step + x * pair_step + 2c + e] * w[y][x][c][e],
     * of `count` pixels; weights of `size` 1 or 2 bytes. */
    void (*multiply_channels)(const int16_t *const *rows, int64_t offset, int64_t pixel_step, int64_t count,
                              int64_t height, int64_t pair_step, int64_t pairs, const uint8_t *weights,
                              int64_t size, int32_t sums[][CHANNELS]);

    /* The constants of a block of channels for finish_bytes: `scales` are the rows of packed weights, `channels`
     * apart, `fill` is what stands for a zero in the IFM, and no sum of products exceeds `largest`. Whether 32
     * bits are enough. */
    int (*shorten)(struct short_rescaling *to, const int64_t *scales, int64_t channels, int64_t fill,
                   int64_t largest, int64_t rounding);

    /* values[c] = sums[c] with bias and scale, where 64 bits are enough for all on the way. */
    void (*rescale_channels)(const int32_t sums[CHANNELS], const struct channel_rescaling *by,
                             int64_t values[CHANNELS]);

    /* Of `count` pixels, to 8-bit elements (modulo 256): bias and scale, zero point and clamp. */
    void (*finish_bytes)(const int32_t sums[][CHANNELS], int64_t count, const struct short_rescaling *by,
                         int32_t zero_point, int32_t low, int32_t high, uint8_t *to, int64_t step);

    /* Elements at any address to integers, less the zero point (modulo 2^64). */
    void (*load)(int64_t *values, const uint8_t *from, int64_t type, int64_t count, int64_t zero_point);

    /* Their lowest bytes. */
    void (*store)(const int64_t *values, int64_t count, int64_t type, uint8_t *to);

    /* a[i] = a[i] and b[i], by one of the modes from MODE_MUL to MODE_MAX (modulo 2^64). */
    void (*combine)(int64_t *a, const int64_t *b, int64_t count, int64_t mode);

    /* Whether all are between two limits. */
    int (*between)(const int64_t *values, int64_t count, int64_t low, int64_t high);

    /* Where 64 bits are enough for all on the way. */
    void (*rescale)(int64_t *values, int64_t count, const struct rescaling *by);

    /* With the zero point (modulo 2^64), and clamped. */
    void (*place)(int64_t *values, int64_t count, int64_t zero_point, int64_t low, int64_t high);

    /* Floats at any address to levels, modulo 256; whether all are within the limit. */
    int (*find_levels)(const uint8_t *from, int64_t count, const struct levels *levels, uint8_t *to);
};

/* Those that this processor can run, from the plainest to the fastest; the last is NULL. */
const struct kernels *const *kernels_here(void);

#endif
