/* The arithmetic of elementwise operations of Ethos-U85; deploy/npu/execution/u85_elementwise.py says the same in
 * NumPy. */

#include <string.h>

#include "modes.h"
#include "run.h"
#include "scaling.h"

/* An operand by its scale. */
static void scale_operand(const struct run *run, const struct scale *scale, int64_t *values, int64_t count)
{
    if (!scale->used) {
        return;
    }
    /* Products of what is below this limit leave room for all that is added. */
    const int64_t limit = ((int64_t)1 << 62) / (scale->multiplier > 0 ? scale->multiplier : 1);
    if (scale->shift <= 62 && run->kernels->between(values, count, -limit, limit)) {
        const struct rescaling r = {
            scale->multiplier, half_of(scale->shift) + scale->away, -2 * scale->away, scale->shift, 0, 0, 0};
        run->kernels->rescale(values, count, &r);
        return;
    }
    for (int64_t i = 0; i < count; i++) {
        const int64_t away = values[i] >= 0 ? scale->away : -scale->away;
        values[i] = multiply_shift(values[i], scale->multiplier, scale->shift, away);
    }
}

static void unary(const struct run *run, const struct operation *operation, int64_t *a, int64_t count)
{
    switch (operation->mode) {
    case MODE_LRELU:
        for (int64_t i = 0; i < count; i++) {
            scale_operand(run, a[i] < 0 ? &operation->operand_b : &operation->operand_a, a + i, 1);
        }
        apply_scale(run, operation, a, count);
        break;
    case MODE_ABS:
        scale_operand(run, &operation->operand_a, a, count);
        for (int64_t i = 0; i < count; i++) {
            a[i] = a[i] < 0 ? wrapped_difference(0, a[i]) : a[i];
        }
        apply_scale(run, operation, a, count);
        break;
    case MODE_NOT:
        for (int64_t i = 0; i < count; i++) {
            a[i] = ~a[i];
        }
        break;
    default:
        for (int64_t i = 0; i < count; i++) {
            a[i] = leading_zeros(a[i]);
        }
        break;
    }
}

/* Those of bits, that OFM_SCALE applies to as it does to sums and products. */
static int64_t combined_bits(int64_t mode, int64_t a, int64_t b)
{
    switch (mode) {
    case MODE_AND:
        return a & b;
    case MODE_OR:
        return a | b;
    default:
        return a & ~b;
    }
}

/* Those that OFM_SCALE does not apply to. */
static int64_t decided(const struct operation *operation, int64_t a, int64_t b)
{
    switch (operation->mode) {
    case MODE_EQUAL:
        return -(int64_t)(a == b);
    case MODE_NOT_EQUAL:
        return -(int64_t)(a != b);
    case MODE_GREATER_EQUAL:
        return -(int64_t)(a >= b);
    case MODE_GREATER:
        return -(int64_t)(a > b);
    case MODE_SHL:
        return (int32_t)(uint32_t)(uint64_t)shifted_left(a, clamp(b, 0, 31));
    default:
        return operation->rounding == ROUNDING_NATURAL ? rescale(a, 1, clamp(b, 0, 62), ROUNDING_NATURAL)
                                                       : a >> clamp(b, 0, 62);
    }
}

static bool is_scaled(int64_t mode)
{
    return mode <= MODE_MAX || mode == MODE_AND || mode == MODE_OR || mode == MODE_AND_NOT;
}

void compute_u85(const struct run *run, const struct operation *operation, int64_t *a, int64_t *b, int64_t count)
{
    if (is_unary(operation->mode)) {
        unary(run, operation, a, count);
        return;
    }
    int64_t *first = operation->reversed_operands ? b : a, *second = operation->reversed_operands ? a : b;
    if (operation->mode != MODE_MUL) {
        scale_operand(run, &operation->operand_a, first, count);
        scale_operand(run, &operation->operand_b, second, count);
    }
    if (!is_scaled(operation->mode)) {
        for (int64_t i = 0; i < count; i++) {
            a[i] = decided(operation, first[i], second[i]);
        }
        return;
    }
    if (operation->mode <= MODE_MAX) {
        run->kernels->combine(first, second, count, operation->mode);
    } else {
        for (int64_t i = 0; i < count; i++) {
            first[i] = combined_bits(operation->mode, first[i], second[i]);
        }
    }
    if (first != a) {
        memcpy(a, first, (size_t)count * sizeof *a);
    }
    apply_scale(run, operation, a, count);
}
