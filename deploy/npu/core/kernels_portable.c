/* The kernels for any processor, and the choice of those for this one. */

#include <string.h>

#include "kernels.h"

#define TARGET

enum { MANY = 1, FEW = 1 };

struct sums {
    int32_t of[CHANNELS];
};

struct weights {
    int16_t of[CHANNELS][2];
};

static inline struct sums no_sums(void)
{
    return (struct sums){{0}};
}

static inline struct sums both_sums(const struct sums *a, const struct sums *b)
{
    struct sums both;
    for (int i = 0; i < CHANNELS; i++) {
        both.of[i] = a->of[i] + b->of[i];
    }
    return both;
}

static inline void store_sums(const struct sums *sums, int32_t to[CHANNELS])
{
    memcpy(to, sums, sizeof *sums);
}

static inline struct weights load_words(const uint8_t *from)
{
    struct weights w;
    memcpy(&w, from, sizeof w);
    return w;
}

static inline struct weights load_bytes(const uint8_t *from)
{
    struct weights w;
    for (int i = 0; i < CHANNELS; i++) {
        w.of[i][0] = (int8_t)from[2 * i];
        w.of[i][1] = (int8_t)from[2 * i + 1];
    }
    return w;
}

static inline void add_pixel(struct sums *sums, const int16_t *x, const struct weights *w)
{
    for (int i = 0; i < CHANNELS; i++) {
        sums->of[i] += x[0] * w->of[i][0] + x[1] * w->of[i][1];
    }
}

static inline void add_channels(struct sums *sums, const int16_t *x, const struct weights *w)
{
    for (int i = 0; i < CHANNELS; i++) {
        sums->of[i] += x[2 * i] * w->of[i][0] + x[2 * i + 1] * w->of[i][1];
    }
}

#include "kernel_bodies.h"

static const struct kernels portable = KERNELS_NAMED("portable");

#if defined(__x86_64__)
extern const struct kernels kernels_avx2, kernels_avx512, kernels_avx512_vnni;

const struct kernels *const *kernels_here(void)
{
    static const struct kernels *found[] = {&portable, 0, 0, 0, 0};
    __builtin_cpu_init();
    if (__builtin_cpu_supports("avx2")) {
        found[1] = &kernels_avx2;
        if (__builtin_cpu_supports("avx512f") && __builtin_cpu_supports("avx512bw") &&
            __builtin_cpu_supports("avx512dq") && __builtin_cpu_supports("avx512vl")) {
            found[2] = &kernels_avx512;
            if (__builtin_cpu_supports("avx512vnni")) {
                found[3] = &kernels_avx512_vnni;
            }
        }
    }
    return found;
}
#elif defined(__aarch64__)
extern const struct kernels kernels_neon;

const struct kernels *const *kernels_here(void)
{
    static const struct kernels *const all[] = {&portable, &kernels_neon, 0};
    return all;
}
#else
const struct kernels *const *kernels_here(void)
{
    static const struct kernels *const one[] = {&portable, 0};
    return one;
}
#endif
