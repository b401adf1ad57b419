/* The kernels for 64-bit Arm processors, all of which have NEON. */

#if defined(__aarch64__)
#include <arm_neon.h>
#include <string.h>

#include "kernels.h"

#define TARGET

enum { MANY = 4, FEW = 4 };

struct sums {
    int32x4_t part[4];
};

/* The first and the second element of each pair. */
struct weights {
    int16x8x2_t low, high;
};

static inline struct sums no_sums(void)
{
    return (struct sums){{vdupq_n_s32(0), vdupq_n_s32(0), vdupq_n_s32(0), vdupq_n_s32(0)}};
}

static inline struct sums both_sums(const struct sums *a, const struct sums *b)
{
    return (struct sums){{vaddq_s32(a->part[0], b->part[0]), vaddq_s32(a->part[1], b->part[1]),
                          vaddq_s32(a->part[2], b->part[2]), vaddq_s32(a->part[3], b->part[3])}};
}

static inline void store_sums(const struct sums *sums, int32_t to[CHANNELS])
{
    memcpy(to, sums, sizeof *sums);
}

static inline struct weights load_pairs(const int16_t *from)
{
    return (struct weights){vld2q_s16(from), vld2q_s16(from + CHANNELS)};
}

static inline struct weights load_words(const uint8_t *from)
{
    return load_pairs((const int16_t *)(const void *)from);
}

static inline struct weights load_bytes(const uint8_t *from)
{
    const int8x16x2_t of = vld2q_s8((const int8_t *)from);
    return (struct weights){{{vmovl_s8(vget_low_s8(of.val[0])), vmovl_s8(vget_low_s8(of.val[1]))}},
                            {{vmovl_high_s8(of.val[0]), vmovl_high_s8(of.val[1])}}};
}

static inline void add_pixel(struct sums *sums, const int16_t *x, const struct weights *w)
{
    for (int i = 0; i < 2; i++) {
        const int16_t a = x[i];
        sums->part[0] = vmlal_n_s16(sums->part[0], vget_low_s16(w->low.val[i]), a);
        sums->part[1] = vmlal_high_n_s16(sums->part[1], w->low.val[i], a);
        sums->part[2] = vmlal_n_s16(sums->part[2], vget_low_s16(w->high.val[i]), a);
        sums->part[3] = vmlal_high_n_s16(sums->part[3], w->high.val[i], a);
    }
}

static inline void add_channels(struct sums *sums, const int16_t *x, const struct weights *w)
{
    const struct weights a = load_pairs(x);
    for (int i = 0; i < 2; i++) {
        sums->part[0] = vmlal_s16(sums->part[0], vget_low_s16(w->low.val[i]), vget_low_s16(a.low.val[i]));
        sums->part[1] = vmlal_high_s16(sums->part[1], w->low.val[i], a.low.val[i]);
        sums->part[2] = vmlal_s16(sums->part[2], vget_low_s16(w->high.val[i]), vget_low_s16(a.high.val[i]));
        sums->part[3] = vmlal_high_s16(sums->part[3], w->high.val[i], a.high.val[i]);
    }
}

#include "kernel_bodies.h"

const struct kernels kernels_neon = KERNELS_NAMED("NEON");
#else
typedef int no_neon_here;
#endif
