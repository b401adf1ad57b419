/* The arithmetic of elementwise operations of Ethos-U85; deploy/npu/execution/u85_elementwise.py says the same in
 * NumPy. */

#include <string.h>

#include "modes.h"
#include "run.h"
#include "scaling.h"

/* An operand by its scale. */
static void scale_operand(const struct scale *scale, int64_t *values, int64_t count)
{
    if (!scale->used) {
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
            scale_operand(a[i] < 0 ? &operation->operand_b : &operation->operand_a, a + i, 1);
        }
        apply_scale(run, operation, a, count);
        break;
    case MODE_ABS:
        scale_operand(&operation->operand_a, a, count);
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

/* Those that OFM_SCALE applies to. */
static int64_t combined(int64_t mode, int64_t a, int64_t b)
{
    switch (mode) {
    case MODE_MUL:
        return wrapped_product(a, b);
    case MODE_ADD:
        return wrapped_sum(a, b);
    case MODE_SUB:
        return wrapped_difference(a, b);
    case MODE_MIN:
        return a < b ? a : b;
    case MODE_MAX:
        return a > b ? a : b;
    case MODE_AND:
        return a & b;
    case MODE_OR:
        return a | b;
    default:
        return a & ~b;
    }
}

/* Those that it does not apply to. */
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
        scale_operand(&operation->operand_a, first, count);
        scale_operand(&operation->operand_b, second, count);
    }
    if (!is_scaled(operation->mode)) {
        for (int64_t i = 0; i < count; i++) {
            a[i] = decided(operation, first[i], second[i]);
        }
        return;
    }
    for (int64_t i = 0; i < count; i++) {
        a[i] = combined(operation->mode, first[i], second[i]);
    }
    apply_scale(run, operation, a, count);
}
