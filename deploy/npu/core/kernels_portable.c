/* The kernels for any processor, and the choice of those for this one. */

#define TARGET
#include "kernel_bodies.h"

static const struct kernels portable = KERNELS_NAMED("portable");

#if defined(__x86_64__)
extern const struct kernels kernels_avx2, kernels_avx512;

const struct kernels *const *kernels_here(void)
{
    static const struct kernels *const all[] = {&portable, &kernels_avx2, &kernels_avx512, 0};
    static const struct kernels *const some[] = {&portable, &kernels_avx2, 0};
    static const struct kernels *const one[] = {&portable, 0};
    __builtin_cpu_init();
    if (!__builtin_cpu_supports("avx2")) {
        return one;
    }
    return __builtin_cpu_supports("avx512f") && __builtin_cpu_supports("avx512bw") &&
                   __builtin_cpu_supports("avx512dq") && __builtin_cpu_supports("avx512vl")
               ? all
               : some;
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
