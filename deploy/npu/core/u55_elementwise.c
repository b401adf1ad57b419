/* The arithmetic of elementwise operations of Ethos-U55 and U65; deploy/npu/execution/u55_elementwise.py says the
 * same in NumPy. */

#include <string.h>

#include "modes.h"
#include "run.h"
#include "scaling.h"

/* As OperandScaling numbers them. */
enum { SCALING_BOTH_16, SCALING_A_32, SCALING_B_32 };

static void unary(const struct run *run, const struct operation *operation, int64_t *a, int64_t count)
{
    int64_t scaled[ELEMENTWISE_CHUNK];
    switch (operation->mode) {
    case MODE_ABS:
        for (int64_t i = 0; i < count; i++) {
            a[i] = a[i] < 0 ? wrapped_difference(0, a[i]) : a[i];
        }
        apply_scale(run, operation, a, count);
        break;
    case MODE_LRELU:
        memcpy(scaled, a, (size_t)count * sizeof *a);
        apply_scale(run, operation, scaled, count);
        for (int64_t i = 0; i < count; i++) {
            a[i] = a[i] < 0 ? scaled[i] : a[i];
        }
        break;
    default:
        for (int64_t i = 0; i < count; i++) {
            a[i] = leading_zeros(a[i]);
        }
        break;
    }
}

/* An operand that is scaled with 32 bits: once up to a shift of `first`, beyond that as TFL rounds. Elements of 16
 * bits, their zero point and the multiplier leave room in 64. */
static struct rescaling rescaling_wide(const struct scale *scale, int64_t first)
{
    const int64_t shift = scale->shift < first ? scale->shift : first, rest = scale->shift - shift;
    return (struct rescaling){scale->multiplier, half_of(shift), 0, shift, half_of(rest), rest > 0 ? -1 : 0, rest};
}

static void scale_operands(const struct run *run, const struct operation *operation, int64_t *a, int64_t *b,
                           int64_t count)
{
    const int64_t size = TYPE_BYTES(operation->ifm.type);
    if (size == 4) {
        return;
    }
    struct rescaling by_a = {.multiplier = operation->operand_a.multiplier};
    struct rescaling by_b = {.multiplier = operation->operand_b.multiplier};
    if (operation->operand_scaling != SCALING_BOTH_16) {
        /* How far the other operand is shifted, and the shift at which the scaled one is rounded first. */
        const int64_t left = size == 1 ? 19 : 14, first = 31 - (left + 1);
        const struct rescaling scaled = rescaling_wide(&operation->operand_a, first);
        const struct rescaling shifted = {.multiplier = (int64_t)1 << left};
        by_a = operation->operand_scaling == SCALING_A_32 ? scaled : shifted;
        by_b = operation->operand_scaling == SCALING_A_32 ? shifted : scaled;
    }
    run->kernels->rescale(a, count, &by_a);
    run->kernels->rescale(b, count, &by_b);
}

/* The result is left in a. */
static void binary(const struct run *run, const struct operation *operation, int64_t *a, int64_t *b, int64_t count)
{
    switch (operation->mode) {
    case MODE_ADD:
    case MODE_SUB:
        scale_operands(run, operation, a, b, count);
        run->kernels->combine(a, b, count, operation->mode);
        apply_scale(run, operation, a, count);
        break;
    case MODE_MUL:
    case MODE_MIN:
    case MODE_MAX:
        run->kernels->combine(a, b, count, operation->mode);
        apply_scale(run, operation, a, count);
        break;
    case MODE_SHL:
        for (int64_t i = 0; i < count; i++) {
            a[i] = shifted_left(a[i], clamp(b[i], 0, 62));
        }
        break;
    default:
        for (int64_t i = 0; i < count; i++) {
            a[i] = rescale(a[i], 1, clamp(b[i], 0, 62), operation->rounding);
        }
        break;
    }
}

void compute_u55(const struct run *run, const struct operation *operation, int64_t *a, int64_t *b, int64_t count)
{
    if (is_unary(operation->mode)) {
        unary(run, operation, a, count);
    } else if (operation->reversed_operands) {
        binary(run, operation, b, a, count);
        memcpy(a, b, (size_t)count * sizeof *a);
    } else {
        binary(run, operation, a, b, count);
    }
}
