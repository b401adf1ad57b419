/* The kernels for 64-bit Arm processors, all of which have NEON. */

#if defined(__aarch64__)
#include <arm_neon.h>
#include <string.h>

#include "kernels.h"

#define TARGET
#define MULTIPLY_PIXELS_BY_HAND

struct sixteen {
    int32x4_t part[4];
};

/* Weights of 16 channels for the first and for the second element of a pair. */
struct weights_of_pair {
    int16x8x2_t low, high;
};

static inline struct weights_of_pair load_weights(const int16_t *weights)
{
    return (struct weights_of_pair){vld2q_s16(weights), vld2q_s16(weights + CHANNELS)};
}

static inline void add_pair(struct sixteen *found, const int16_t *x, const struct weights_of_pair *w)
{
    for (int i = 0; i < 2; i++) {
        const int16_t a = x[i];
        found->part[0] = vmlal_n_s16(found->part[0], vget_low_s16(w->low.val[i]), a);
        found->part[1] = vmlal_high_n_s16(found->part[1], w->low.val[i], a);
        found->part[2] = vmlal_n_s16(found->part[2], vget_low_s16(w->high.val[i]), a);
        found->part[3] = vmlal_high_n_s16(found->part[3], w->high.val[i], a);
    }
}

static void multiply_pixel(const int16_t *x, int64_t segments, int64_t segment_step, int64_t pairs,
                           const int16_t *weights, int32_t sums[CHANNELS])
{
    struct sixteen found = {{vdupq_n_s32(0), vdupq_n_s32(0), vdupq_n_s32(0), vdupq_n_s32(0)}};
    for (int64_t segment = 0; segment < segments; segment++) {
        for (int64_t pair = 0; pair < pairs; pair++) {
            const struct weights_of_pair w = load_weights(weights);
            add_pair(&found, x + 2 * pair, &w);
            weights += 2 * CHANNELS;
        }
        x += segment_step;
    }
    memcpy(sums, &found, sizeof found);
}

static void multiply_pixels(const int16_t *x, int64_t pixel_step, int64_t segments, int64_t segment_step,
                            int64_t pairs, const int16_t *weights, int32_t sums[PIXELS][CHANNELS])
{
    const struct sixteen zero = {{vdupq_n_s32(0), vdupq_n_s32(0), vdupq_n_s32(0), vdupq_n_s32(0)}};
    struct sixteen found0 = zero, found1 = zero, found2 = zero, found3 = zero;
    for (int64_t segment = 0; segment < segments; segment++) {
        for (int64_t pair = 0; pair < pairs; pair++) {
            const struct weights_of_pair w = load_weights(weights);
            const int16_t *element = x + 2 * pair;
            add_pair(&found0, element, &w);
            add_pair(&found1, element + pixel_step, &w);
            add_pair(&found2, element + 2 * pixel_step, &w);
            add_pair(&found3, element + 3 * pixel_step, &w);
            weights += 2 * CHANNELS;
        }
        x += segment_step;
    }
    memcpy(sums[0], &found0, sizeof found0);
    memcpy(sums[1], &found1, sizeof found1);
    memcpy(sums[2], &found2, sizeof found2);
    memcpy(sums[3], &found3, sizeof found3);
}

#include "kernel_bodies.h"

const struct kernels kernels_neon = KERNELS_NAMED("NEON");
#else
typedef int no_neon_here;
#endif
