/* The innermost loops, in a version for each kind of processor. */

#ifndef NPU_CORE_KERNELS_H
#define NPU_CORE_KERNELS_H

#include <stdint.h>

#include "scaling.h"

/* Channels of the OFM that are computed together; weights are packed for it. */
enum { CHANNELS = 16, PIXELS = 4 };

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

struct kernels {
    const char *name;

    /* sums[p][o] = sum over s, k of x[p * pixel_step + s * segment_step + k] * w[s][k / 2][o][k % 2], of 16
     * channels and of PIXELS pixels, or of one. What is behind the last element of an odd run has weight 0. */
    void (*multiply_pixels)(const int16_t *x, int64_t pixel_step, int64_t segments, int64_t segment_step,
                            int64_t pairs, const int16_t *weights, int32_t sums[PIXELS][CHANNELS]);
    void (*multiply_pixel)(const int16_t *x, int64_t segments, int64_t segment_step, int64_t pairs,
                           const int16_t *weights, int32_t sums[CHANNELS]);

    /* sums[c] = sum over y, x of x[y * row_step + x * column_step + c] * w[(y * width + x) * weight_step + c]. */
    void (*multiply_channels)(const int16_t *x, int64_t height, int64_t row_step, int64_t width,
                              int64_t column_step, const int16_t *weights, int64_t weight_step,
                              int32_t sums[CHANNELS]);

    /* values[c] = sums[c] with bias and scale, where 64 bits are enough for all on the way. */
    void (*rescale_channels)(const int32_t sums[CHANNELS], const struct channel_rescaling *by,
                             int64_t values[CHANNELS]);

    /* The same to 8-bit elements (modulo 256): zero point and clamp. */
    void (*finish_bytes)(const int32_t sums[CHANNELS], const struct channel_rescaling *by, int64_t zero_point,
                         int64_t low, int64_t high, uint8_t elements[CHANNELS]);
};

/* Those that this processor can run, from the plainest to the fastest; the last is NULL. */
const struct kernels *const *kernels_here(void);

#endif
