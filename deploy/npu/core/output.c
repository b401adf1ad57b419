/* The output stage: scale, zero point, clamp, curves, tables, saturation.
 *
 * deploy/npu/execution/activation.py says the same in NumPy, and where it is known from. */

#include <string.h>

#include "run.h"
#include "scaling.h"

enum { KNOTS = 256 };

void apply_scale(const struct run *run, const struct operation *operation, int64_t *values, int64_t count)
{
    const struct scale *scale = &operation->scale;
    if (!scale->used) {
        return;
    }
    /* Products of what is below this limit leave room for all that is added. */
    const int64_t limit = ((int64_t)1 << 62) / (scale->multiplier > 0 ? scale->multiplier : 1);
    if (scale->shift <= 62 && run->kernels->between(values, count, -limit, limit)) {
        const struct rescaling r = rescaling_of(scale->multiplier, scale->shift, operation->rounding);
        run->kernels->rescale(values, count, &r);
        return;
    }
    for (int64_t i = 0; i < count; i++) {
        values[i] = rescale(values[i], scale->multiplier, scale->shift, operation->rounding);
    }
}

static int64_t curve_point(const int64_t *knots, int64_t value, int fraction_bits, int64_t beyond)
{
    const uint64_t magnitude = value < 0 ? 0 - (uint64_t)value : (uint64_t)value;
    const uint64_t knot = magnitude >> fraction_bits;
    if (knot >= KNOTS - 1) {
        return beyond;
    }
    const int64_t fraction = (int64_t)(magnitude & (((uint64_t)1 << fraction_bits) - 1));
    return (knots[knot] << fraction_bits) + fraction * (knots[knot + 1] - knots[knot]);
}

static int64_t sigmoid(const int64_t *knots, int64_t value)
{
    const int64_t curve = curve_point(knots, value, 9, (int64_t)0x7FFF << 10);
    return value >= 0 ? (curve + 512) >> 10 : (((int64_t)1 << 25) - curve + 511) >> 10;
}

static int64_t hyperbolic_tangent(const int64_t *knots, int64_t value)
{
    const int64_t curve = curve_point(knots, value, 8, (int64_t)0xFFFF << 8);
    const int64_t one = (int64_t)1 << 23;
    return value >= 0 ? (curve - one + 128) >> 8 : (one - curve + 127) >> 8;
}

/* Tanh or sigmoid by the knots and slopes of a table. */
static int64_t table_curve(const uint8_t *table, int64_t value, bool is_sigmoid)
{
    const int bits = is_sigmoid ? 9 : 8;
    const int64_t knot = value >> bits, entries = 512, last = ((int64_t)1 << bits) - 1;
    const int64_t fraction = knot < -entries / 2 ? last : value & last;
    const uint8_t *entry = table + 4 * (clamp(knot, -entries / 2, entries / 2 - 1) + entries / 2);
    int16_t base;
    uint16_t slope;
    memcpy(&base, entry, sizeof base);
    memcpy(&slope, entry + sizeof base, sizeof slope);
    const int64_t curve = base * ((int64_t)1 << bits) + slope * fraction;
    const int64_t below = curve < 0;
    const int64_t found = is_sigmoid ? ((curve + 512 - below) >> 10) + (1 << 14) : (curve + 128 - below) >> 8;
    return clamp(found, INT16_MIN, INT16_MAX);
}

static void limits_of(int64_t type, int64_t *low, int64_t *high)
{
    const int64_t missing = 64 - 8 * TYPE_BYTES(type); /* there are no unsigned numbers of 64 bits */
    *high = INT64_MAX >> (type & 1 ? missing : missing - 1);
    *low = type & 1 ? -*high - 1 : 0;
}

/* Values, which are of the index's type, by what the table says of them. */
static void look_up(const struct run *run, const struct operation *operation, int64_t *values, int64_t count)
{
    const uint8_t *table = region_row(run, REGION_INTERNAL, 0) + operation->table;
    const int64_t lowest = operation->index_type == TYPE_I8    ? -128
                           : operation->index_type == TYPE_I16 ? -32768
                                                               : 0;
    switch (TYPE_BYTES(operation->ofm.type)) {
    case 1:
        for (int64_t i = 0; i < count; i++) {
            values[i] = table[values[i] - lowest];
        }
        break;
    case 2:
        for (int64_t i = 0; i < count; i++) {
            int16_t pair[2]; /* base and slope */
            memcpy(pair, table + 4 * ((values[i] - lowest) >> 7), sizeof pair);
            values[i] = pair[0] + ((pair[1] * (values[i] & 127) + 64) >> 7);
        }
        break;
    default:
        for (int64_t i = 0; i < count; i++) {
            uint32_t entry;
            memcpy(&entry, table + 4 * (values[i] - lowest), sizeof entry);
            values[i] = entry;
        }
        break;
    }
}

void finish(const struct run *run, const struct operation *operation, int64_t *values, int64_t count, uint8_t *to)
{
    const int64_t type = operation->ofm.type;
    int64_t low, high;
    if (operation->function == FUNCTION_TANH_BY_TABLE || operation->function == FUNCTION_SIGMOID_BY_TABLE) {
        const uint8_t *table = region_row(run, REGION_INTERNAL, 0) + operation->table;
        for (int64_t i = 0; i < count; i++) {
            values[i] = table_curve(table, wrapped_sum(values[i], operation->ofm.zero_point),
                                    operation->function == FUNCTION_SIGMOID_BY_TABLE);
        }
        run->kernels->store(values, count, type, to);
        return;
    }
    limits_of(operation->index_type, &low, &high);
    if (operation->function == FUNCTION_TANH || operation->function == FUNCTION_SIGMOID) {
        for (int64_t i = 0; i < count; i++) {
            values[i] = operation->function == FUNCTION_TANH ? hyperbolic_tangent(run->knots, values[i])
                                                             : sigmoid(run->knots, values[i]);
        }
    }
    if (TYPE_BYTES(operation->index_type) >= 4) {
        /* 32 bits and more have neither zero point nor clamp. */
        run->kernels->place(values, count, 0, low, high);
    } else {
        low = clamp(operation->minimum, low, high);
        high = clamp(operation->maximum, low, high);
        run->kernels->place(values, count, operation->ofm.zero_point, low, high);
    }
    if (operation->function == FUNCTION_LUT) {
        look_up(run, operation, values, count);
    }
    run->kernels->store(values, count, type, to);
}

void look_up_bytes(const uint8_t *bytes, const uint8_t *table, int64_t size, int64_t count, uint8_t *to)
{
    if (size == 1) {
        for (int64_t i = 0; i < count; i++) {
            to[i] = table[bytes[i]];
        }
        return;
    }
    for (int64_t i = 0; i < count; i++) {
        memcpy(to + i * size, table + bytes[i] * size, (size_t)size);
    }
}

void look_up_elements(const struct run *run, const struct operation *operation, const uint8_t *elements,
                      int64_t count, uint8_t *to)
{
    const uint8_t *table = region_row(run, REGION_INTERNAL, 0) + operation->table;
    const uint8_t flipped = operation->index_type == TYPE_I8 ? 0x80 : 0; /* entries begin with the lowest value */
    for (int64_t i = 0; i < count; i++) {
        to[i] = table[elements[i] ^ flipped];
    }
}
