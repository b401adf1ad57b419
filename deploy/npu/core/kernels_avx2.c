/* The kernels for x86-64 processors with AVX2. */

#if defined(__x86_64__)
#include <immintrin.h>
#include <string.h>

#include "kernels.h"

#define TARGET __attribute__((target("avx2")))

enum { MANY = 4, FEW = 4 };

struct sums {
    __m256i low, high;
};

struct weights {
    __m256i low, high;
};

TARGET static inline struct sums no_sums(void)
{
    return (struct sums){_mm256_setzero_si256(), _mm256_setzero_si256()};
}

TARGET static inline struct sums both_sums(const struct sums *a, const struct sums *b)
{
    return (struct sums){_mm256_add_epi32(a->low, b->low), _mm256_add_epi32(a->high, b->high)};
}

TARGET static inline void store_sums(const struct sums *sums, int32_t to[CHANNELS])
{
    _mm256_storeu_si256((__m256i *)(void *)to, sums->low);
    _mm256_storeu_si256((__m256i *)(void *)(to + 8), sums->high);
}

TARGET static inline struct weights load_words(const void *from)
{
    const __m256i *half = from;
    return (struct weights){_mm256_loadu_si256(half), _mm256_loadu_si256(half + 1)};
}

TARGET static inline struct weights load_bytes(const void *from)
{
    const __m128i *half = from;
    return (struct weights){_mm256_cvtepi8_epi16(_mm_loadu_si128(half)),
                            _mm256_cvtepi8_epi16(_mm_loadu_si128(half + 1))};
}

TARGET static inline void add_products(struct sums *sums, __m256i low, __m256i high, const struct weights *w)
{
    sums->low = _mm256_add_epi32(sums->low, _mm256_madd_epi16(low, w->low));
    sums->high = _mm256_add_epi32(sums->high, _mm256_madd_epi16(high, w->high));
}

TARGET static inline void add_pixel(struct sums *sums, const int16_t *x, const struct weights *w)
{
    int32_t both;
    memcpy(&both, x, sizeof both);
    const __m256i a = _mm256_set1_epi32(both);
    add_products(sums, a, a, w);
}

TARGET static inline void add_channels(struct sums *sums, const int16_t *x, const struct weights *w)
{
    const struct weights a = load_words(x);
    add_products(sums, a.low, a.high, w);
}

#include "kernel_bodies.h"

const struct kernels kernels_avx2 = KERNELS_NAMED("AVX2");
#else
typedef int no_avx2_here;
#endif
