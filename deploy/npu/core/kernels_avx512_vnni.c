/* The kernels for x86-64 processors with AVX-512 (F, BW, DQ, VL) that multiply and add in one step (VNNI). */

#if defined(__x86_64__)
#include <immintrin.h>

#define TARGET __attribute__((target("avx2,avx512f,avx512bw,avx512dq,avx512vl,avx512vnni")))

TARGET static inline __m512i add_products(__m512i sums, __m512i a, __m512i b)
{
    return _mm512_dpwssd_epi32(sums, a, b);
}

#include "kernels_512.h"

#include "kernel_bodies.h"

const struct kernels kernels_avx512_vnni = KERNELS_NAMED("AVX-512 VNNI");
#else
typedef int no_avx512_vnni_here;
#endif
