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

TARGET static inline struct weights load_words(const uint8_t *from)
{
    return (struct weights){_mm512_loadu_si512(from)};
}

TARGET static inline struct weights load_bytes(const uint8_t *from)
{
    return (struct weights){_mm512_cvtepi8_epi16(_mm256_loadu_si256((const __m256i *)(const void *)from))};
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

#define FINISH_BYTES_BY_HAND

/* Products are of the lower halves of 64-bit lanes: of channels with even numbers as they lie there, of those with
 * odd ones after a shift. */
TARGET static inline __m512i every_second(const int64_t from[CHANNELS], int first)
{
    const __m512i places = _mm512_add_epi64(_mm512_set_epi64(14, 12, 10, 8, 6, 4, 2, 0), _mm512_set1_epi64(first));
    return _mm512_permutex2var_epi64(_mm512_loadu_si512(from), places, _mm512_loadu_si512(from + 8));
}

TARGET static void finish_bytes(const int32_t sums[][CHANNELS], int64_t count, const struct short_rescaling *by,
                                int32_t zero_point, int32_t low, int32_t high, uint8_t *to, int64_t step)
{
    const __m512i bias = _mm512_loadu_si512(by->bias), multiplier = _mm512_loadu_si512(by->multiplier);
    const __m512i odd_multiplier = _mm512_srli_epi64(multiplier, 32);
    const __m512i addend = every_second(by->addend, 0), odd_addend = every_second(by->addend, 1);
    const __m512i first = every_second(by->first, 0), odd_first = every_second(by->first, 1);
    const __m512i half = _mm512_loadu_si512(by->half), less = _mm512_loadu_si512(by->less);
    const __m512i second = _mm512_loadu_si512(by->second), zero = _mm512_set1_epi32(zero_point);
    const __m512i lowest = _mm512_set1_epi32(low), highest = _mm512_set1_epi32(high);
    for (int64_t pixel = 0; pixel < count; pixel++) {
        const __m512i v = _mm512_add_epi32(_mm512_loadu_si512(sums[pixel]), bias);
        const __m512i even = _mm512_mul_epi32(v, multiplier);
        const __m512i odd = _mm512_mul_epi32(_mm512_srli_epi64(v, 32), odd_multiplier);
        const __m512i even_y = _mm512_srav_epi64(_mm512_add_epi64(even, addend), first);
        const __m512i odd_y = _mm512_srav_epi64(_mm512_add_epi64(odd, odd_addend), odd_first);
        const __m512i y = _mm512_mask_blend_epi32(0xAAAA, even_y, _mm512_slli_epi64(odd_y, 32));
        const __m512i up = _mm512_add_epi32(half, _mm512_and_si512(_mm512_srai_epi32(y, 31), less));
        const __m512i scaled = _mm512_srav_epi32(_mm512_add_epi32(y, up), second);
        const __m512i value = _mm512_min_epi32(_mm512_max_epi32(_mm512_add_epi32(scaled, zero), lowest), highest);
        _mm_storeu_si128((__m128i *)(void *)(to + pixel * step), _mm512_cvtepi32_epi8(value));
    }
}

#endif
