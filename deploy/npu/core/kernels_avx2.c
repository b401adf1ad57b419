/* The kernels for x86-64 processors with AVX2. */

#if defined(__x86_64__)
#include <immintrin.h>
#include <string.h>

#include "kernels.h"

#define TARGET __attribute__((target("avx2")))
#define MULTIPLY_PIXELS_BY_HAND

/* Two elements of the IFM, in every lane. */
TARGET static inline __m256i two_elements(const int16_t *x)
{
    int32_t both;
    memcpy(&both, x, sizeof both);
    return _mm256_set1_epi32(both);
}

TARGET static inline void store_sums(int32_t sums[CHANNELS], __m256i low, __m256i high)
{
    _mm256_storeu_si256((__m256i *)(void *)sums, low);
    _mm256_storeu_si256((__m256i *)(void *)(sums + 8), high);
}

TARGET static void multiply_pixel(const int16_t *x, int64_t segments, int64_t segment_step, int64_t pairs,
                                  const int16_t *weights, int32_t sums[CHANNELS])
{
    __m256i low = _mm256_setzero_si256(), high = low;
    for (int64_t segment = 0; segment < segments; segment++) {
        for (int64_t pair = 0; pair < pairs; pair++) {
            const __m256i a = two_elements(x + 2 * pair);
            const __m256i w0 = _mm256_loadu_si256((const __m256i *)(const void *)weights);
            const __m256i w1 = _mm256_loadu_si256((const __m256i *)(const void *)(weights + CHANNELS));
            low = _mm256_add_epi32(low, _mm256_madd_epi16(a, w0));
            high = _mm256_add_epi32(high, _mm256_madd_epi16(a, w1));
            weights += 2 * CHANNELS;
        }
        x += segment_step;
    }
    store_sums(sums, low, high);
}

TARGET static void multiply_pixels(const int16_t *x, int64_t pixel_step, int64_t segments, int64_t segment_step,
                                   int64_t pairs, const int16_t *weights, int32_t sums[PIXELS][CHANNELS])
{
    __m256i low0 = _mm256_setzero_si256(), high0 = low0, low1 = low0, high1 = low0;
    __m256i low2 = low0, high2 = low0, low3 = low0, high3 = low0;
    for (int64_t segment = 0; segment < segments; segment++) {
        for (int64_t pair = 0; pair < pairs; pair++) {
            const int16_t *element = x + 2 * pair;
            const __m256i w0 = _mm256_loadu_si256((const __m256i *)(const void *)weights);
            const __m256i w1 = _mm256_loadu_si256((const __m256i *)(const void *)(weights + CHANNELS));
            __m256i a = two_elements(element);
            low0 = _mm256_add_epi32(low0, _mm256_madd_epi16(a, w0));
            high0 = _mm256_add_epi32(high0, _mm256_madd_epi16(a, w1));
            a = two_elements(element + pixel_step);
            low1 = _mm256_add_epi32(low1, _mm256_madd_epi16(a, w0));
            high1 = _mm256_add_epi32(high1, _mm256_madd_epi16(a, w1));
            a = two_elements(element + 2 * pixel_step);
            low2 = _mm256_add_epi32(low2, _mm256_madd_epi16(a, w0));
            high2 = _mm256_add_epi32(high2, _mm256_madd_epi16(a, w1));
            a = two_elements(element + 3 * pixel_step);
            low3 = _mm256_add_epi32(low3, _mm256_madd_epi16(a, w0));
            high3 = _mm256_add_epi32(high3, _mm256_madd_epi16(a, w1));
            weights += 2 * CHANNELS;
        }
        x += segment_step;
    }
    store_sums(sums[0], low0, high0);
    store_sums(sums[1], low1, high1);
    store_sums(sums[2], low2, high2);
    store_sums(sums[3], low3, high3);
}

#include "kernel_bodies.h"

const struct kernels kernels_avx2 = KERNELS_NAMED("AVX2");
#else
typedef int no_avx2_here;
#endif
