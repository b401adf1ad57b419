/* The kernels for x86-64 processors with AVX-512 (F, BW, DQ, VL). */

#if defined(__x86_64__)
#include <immintrin.h>
#include <string.h>

#include "kernels.h"

#define TARGET __attribute__((target("avx2,avx512f,avx512bw,avx512dq,avx512vl")))
#define MULTIPLY_PIXELS_BY_HAND

/* Two elements of the IFM, in every lane. */
TARGET static inline __m512i two_elements(const int16_t *x)
{
    int32_t both;
    memcpy(&both, x, sizeof both);
    return _mm512_set1_epi32(both);
}

TARGET static void multiply_pixel(const int16_t *x, int64_t segments, int64_t segment_step, int64_t pairs,
                                  const int16_t *weights, int32_t sums[CHANNELS])
{
    __m512i found = _mm512_setzero_si512();
    for (int64_t segment = 0; segment < segments; segment++) {
        for (int64_t pair = 0; pair < pairs; pair++) {
            const __m512i w = _mm512_loadu_si512(weights);
            found = _mm512_add_epi32(found, _mm512_madd_epi16(two_elements(x + 2 * pair), w));
            weights += 2 * CHANNELS;
        }
        x += segment_step;
    }
    _mm512_storeu_si512(sums, found);
}

TARGET static void multiply_pixels(const int16_t *x, int64_t pixel_step, int64_t segments, int64_t segment_step,
                                   int64_t pairs, const int16_t *weights, int32_t sums[PIXELS][CHANNELS])
{
    __m512i found0 = _mm512_setzero_si512(), found1 = found0, found2 = found0, found3 = found0;
    for (int64_t segment = 0; segment < segments; segment++) {
        for (int64_t pair = 0; pair < pairs; pair++) {
            const int16_t *element = x + 2 * pair;
            const __m512i w = _mm512_loadu_si512(weights);
            found0 = _mm512_add_epi32(found0, _mm512_madd_epi16(two_elements(element), w));
            found1 = _mm512_add_epi32(found1, _mm512_madd_epi16(two_elements(element + pixel_step), w));
            found2 = _mm512_add_epi32(found2, _mm512_madd_epi16(two_elements(element + 2 * pixel_step), w));
            found3 = _mm512_add_epi32(found3, _mm512_madd_epi16(two_elements(element + 3 * pixel_step), w));
            weights += 2 * CHANNELS;
        }
        x += segment_step;
    }
    _mm512_storeu_si512(sums[0], found0);
    _mm512_storeu_si512(sums[1], found1);
    _mm512_storeu_si512(sums[2], found2);
    _mm512_storeu_si512(sums[3], found3);
}

#include "kernel_bodies.h"

const struct kernels kernels_avx512 = KERNELS_NAMED("AVX-512");
#else
typedef int no_avx512_here;
#endif
