/* What kernel_bodies.h wants, in vectors of 512 bits, of a version that has defined TARGET and
 * add_products(sums, a, b): the sums and the products of pairs of a and b. */

#ifndef NPU_CORE_KERNELS_512_H
#define NPU_CORE_KERNELS_512_H

#include <immintrin.h>
#include <string.h>

#include "kernels.h"

enum { MANY = 8, FEW = 4 };

struct sums {
    __m512i all;
};

struct weights {
    __m512i all;
};

TARGET static inline struct sums no_sums(void)
{
    return (struct sums){_mm512_setzero_si512()};
}

TARGET static inline struct sums both_sums(const struct sums *a, const struct sums *b)
{
    return (struct sums){_mm512_add_epi32(a->all, b->all)};
}

TARGET static inline void store_sums(const struct sums *sums, int32_t to[CHANNELS])
{
    _mm512_storeu_si512(to, sums->all);
}

TARGET static inline struct weights load_weights(const int16_t *from)
{
    return (struct weights){_mm512_loadu_si512(from)};
}

TARGET static inline void add_pixel(struct sums *sums, const int16_t *x, const struct weights *w)
{
    int32_t both;
    memcpy(&both, x, sizeof both);
    sums->all = add_products(sums->all, _mm512_set1_epi32(both), w->all);
}

TARGET static inline void add_channels(struct sums *sums, const int16_t *x, const struct weights *w)
{
    sums->all = add_products(sums->all, _mm512_loadu_si512(x), w->all);
}

#endif
