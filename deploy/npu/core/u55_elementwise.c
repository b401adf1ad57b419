/* The arithmetic of elementwise operations of Ethos-U55 and U65; deploy/npu/execution/u55_elementwise.py says the
 * same in NumPy. */

#include <string.h>

#include "modes.h"
#include "run.h"
#include "scaling.h"

/* As OperandScaling numbers them. */
enum { SCALING_BOTH_16, SCALING_A_32, SCALING_B_32 };

static void unary(const struct operation *operation, int64_t *a, int64_t count)
{
    int64_t scaled[ELEMENTWISE_CHUNK];
    switch (operation->mode) {
    case MODE_ABS:
        for (int64_t i = 0; i < count; i++) {
            a[i] = a[i] < 0 ? wrapped_difference(0, a[i]) : a[i];
        }
        apply_scale(operation, a, count);
        break;
    case MODE_LRELU:
        memcpy(scaled, a, (size_t)count * sizeof *a);
        apply_scale(operation, scaled, count);
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

/* An operand that is scaled with 32 bits: once up to a shift of `first`, beyond that as TFL rounds. */
static int64_t scaled_wide(int64_t value, const struct scale *scale, int64_t first)
{
    const int64_t shift = scale->shift < first ? scale->shift : first;
    return round_half_away(multiply_shift(value, scale->multiplier, shift, 0), scale->shift - shift);
}

static void scale_operands(const struct operation *operation, int64_t *a, int64_t *b, int64_t count)
{
    const int64_t size = TYPE_BYTES(operation->ifm.type);
    /* How far the other operand is shifted, and the shift at which the scaled one is rounded first. */
    const int64_t left = size == 1 ? 19 : 14, first = 31 - (left + 1);
    if (size == 4) {
        return;
    }
    switch (operation->operand_scaling) {
    case SCALING_BOTH_16:
        for (int64_t i = 0; i < count; i++) {
            a[i] = wrapped_product(a[i], operation->operand_a.multiplier);
            b[i] = wrapped_product(b[i], operation->operand_b.multiplier);
        }
        break;
    case SCALING_A_32:
        for (int64_t i = 0; i < count; i++) {
            a[i] = scaled_wide(a[i], &operation->operand_a, first);
            b[i] = shifted_left(b[i], left);
        }
        break;
    default:
        for (int64_t i = 0; i < count; i++) {
            a[i] = shifted_left(a[i], left);
            b[i] = scaled_wide(b[i], &operation->operand_a, first);
        }
        break;
    }
}

/* The result is left in a. */
static void binary(const struct operation *operation, int64_t *a, int64_t *b, int64_t count)
{
    switch (operation->mode) {
    case MODE_MUL:
        for (int64_t i = 0; i < count; i++) {
            a[i] = wrapped_product(a[i], b[i]);
        }
        apply_scale(operation, a, count);
        break;
    case MODE_ADD:
        scale_operands(operation, a, b, count);
        for (int64_t i = 0; i < count; i++) {
            a[i] = wrapped_sum(a[i], b[i]);
        }
        apply_scale(operation, a, count);
        break;
    case MODE_SUB:
        scale_operands(operation, a, b, count);
        for (int64_t i = 0; i < count; i++) {
            a[i] = wrapped_difference(a[i], b[i]);
        }
        apply_scale(operation, a, count);
        break;
    case MODE_MIN:
        for (int64_t i = 0; i < count; i++) {
            a[i] = a[i] < b[i] ? a[i] : b[i];
        }
        apply_scale(operation, a, count);
        break;
    case MODE_MAX:
        for (int64_t i = 0; i < count; i++) {
            a[i] = a[i] > b[i] ? a[i] : b[i];
        }
        apply_scale(operation, a, count);
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

void compute_u55(const struct operation *operation, int64_t *a, int64_t *b, int64_t count)
{
    if (is_unary(operation->mode)) {
        unary(operation, a, count);
    } else if (operation->reversed_operands) {
        binary(operation, b, a, count);
        memcpy(a, b, (size_t)count * sizeof *a);
    } else {
        binary(operation, a, b, count);
    }
}
