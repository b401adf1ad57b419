/* Modes of elementwise operations, as ElementwiseMode numbers them, and what the instruction sets share of them.
 */

#ifndef NPU_CORE_MODES_H
#define NPU_CORE_MODES_H

#include <stdbool.h>
#include <stdint.h>

enum {
    MODE_MUL = 0,
    MODE_ADD = 1,
    MODE_SUB = 2,
    MODE_MIN = 3,
    MODE_MAX = 4,
    MODE_LRELU = 5,
    MODE_ABS = 6,
    MODE_CLZ = 7,
    MODE_SHR = 8,
    MODE_SHL = 9,
    MODE_EQUAL = 16,
    MODE_NOT_EQUAL = 17,
    MODE_GREATER_EQUAL = 18,
    MODE_GREATER = 19,
    MODE_AND = 33,
    MODE_OR = 34,
    MODE_NOT = 36,
    MODE_AND_NOT = 42
};

static inline bool is_unary(int64_t mode)
{
    return mode == MODE_LRELU || mode == MODE_ABS || mode == MODE_CLZ || mode == MODE_NOT;
}

/* Of a 32-bit word. */
static inline int64_t leading_zeros(int64_t value)
{
    const uint32_t word = (uint32_t)value;
    return word == 0 ? 32 : __builtin_clz(word);
}

#endif
