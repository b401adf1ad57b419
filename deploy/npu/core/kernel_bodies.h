/* The loops of struct kernels, in plain C which the compiler makes vectors of, but for what the version of the
 * kernels that includes this has defined:
 *
 * TARGET, the attribute of functions for its processors;
 * struct sums, of 16 channels, and no_sums(), both_sums(a, b), store_sums(sums, to);
 * struct weights, a pair for each of 16 channels, and load_words(from) and load_bytes(from), of 16 and of 8 bits;
 * add_pixel(sums, x, w): the products of two elements and a pair of every channel;
 * add_channels(sums, x, w): the products of two elements of every channel and its pair;
 * MANY and FEW, of how many pixels sums stay in registers;
 * FINISH_BYTES_BY_HAND, where it has a better finish_bytes. */

#include <stdbool.h>
#include <string.h>

#include "kernels.h"
#include "modes.h"
#include "record.h"

/* Into the place where it is called: there the number of pixels, and the size of a weight, is a constant. */
#define INLINE TARGET static inline __attribute__((always_inline))

INLINE struct weights load_weights(const uint8_t *from, const int64_t size)
{
    return size == 1 ? load_bytes(from) : load_words(from);
}

INLINE void multiply_some(const int pixels, const int64_t size, const int16_t *x, int64_t pixel_step,
                          int64_t segments, int64_t segment_step, int64_t pairs, const uint8_t *weights,
                          int32_t to[][CHANNELS])
{
    const int64_t step = 2 * CHANNELS * size;
    struct sums found[MANY];
    for (int pixel = 0; pixel < pixels; pixel++) {
        found[pixel] = no_sums();
    }
    for (int64_t segment = 0; segment < segments; segment++) {
        const int16_t *element = x + segment * segment_step;
        for (int64_t pair = 0; pair < pairs; pair++) {
            const struct weights w = load_weights(weights, size);
            for (int pixel = 0; pixel < pixels; pixel++) {
                add_pixel(&found[pixel], element + pixel * pixel_step, &w);
            }
            element += 2;
            weights += step;
        }
    }
    for (int pixel = 0; pixel < pixels; pixel++) {
        store_sums(&found[pixel], to[pixel]);
    }
}

/* One pixel: its sums would wait for each other if they were not two times two. */
INLINE void multiply_one(const int64_t size, const int16_t *x, int64_t segments, int64_t segment_step,
                         int64_t pairs, const uint8_t *weights, int32_t to[CHANNELS])
{
    const int64_t step = 2 * CHANNELS * size;
    struct sums a = no_sums(), b = a, c = a, d = a;
    for (int64_t segment = 0; segment < segments; segment++) {
        const int16_t *element = x + segment * segment_step;
        int64_t pair = 0;
        for (; pair + 4 <= pairs; pair += 4) {
            const struct weights w0 = load_weights(weights, size), w1 = load_weights(weights + step, size);
            const struct weights w2 = load_weights(weights + 2 * step, size);
            const struct weights w3 = load_weights(weights + 3 * step, size);
            add_pixel(&a, element, &w0);
            add_pixel(&b, element + 2, &w1);
            add_pixel(&c, element + 4, &w2);
            add_pixel(&d, element + 6, &w3);
            element += 8;
            weights += 4 * step;
        }
        for (; pair < pairs; pair++) {
            const struct weights w = load_weights(weights, size);
            add_pixel(&a, element, &w);
            element += 2;
            weights += step;
        }
    }
    const struct sums ab = both_sums(&a, &b), cd = both_sums(&c, &d), found = both_sums(&ab, &cd);
    store_sums(&found, to);
}

INLINE void multiply_all(const int64_t size, const int16_t *x, int64_t pixel_step, int64_t count,
                         int64_t segments, int64_t segment_step, int64_t pairs, const uint8_t *weights,
                         int32_t sums[][CHANNELS])
{
    int64_t pixel = 0;
    for (; pixel + MANY <= count; pixel += MANY) {
        multiply_some(MANY, size, x + pixel * pixel_step, pixel_step, segments, segment_step, pairs, weights,
                      sums + pixel);
    }
    for (; pixel + FEW <= count; pixel += FEW) {
        multiply_some(FEW, size, x + pixel * pixel_step, pixel_step, segments, segment_step, pairs, weights,
                      sums + pixel);
    }
    for (; pixel < count; pixel++) {
        multiply_one(size, x + pixel * pixel_step, segments, segment_step, pairs, weights, sums[pixel]);
    }
}

TARGET static void multiply_pixels(const int16_t *x, int64_t pixel_step, int64_t count, int64_t segments,
                                   int64_t segment_step, int64_t pairs, const uint8_t *weights, int64_t size,
                                   int32_t sums[][CHANNELS])
{
    if (size == 1) {
        multiply_all(1, x, pixel_step, count, segments, segment_step, pairs, weights, sums);
    } else {
        multiply_all(2, x, pixel_step, count, segments, segment_step, pairs, weights, sums);
    }
}

INLINE void multiply_some_channels(const int pixels, const int64_t size, const int16_t *const *rows,
                                   int64_t offset, int64_t pixel_step, int64_t height, int64_t pair_step,
                                   int64_t pairs, const uint8_t *weights, int32_t to[][CHANNELS])
{
    struct sums found[FEW];
    for (int pixel = 0; pixel < pixels; pixel++) {
        found[pixel] = no_sums();
    }
    for (int64_t row = 0; row < height; row++) {
        const int16_t *element = rows[row] + offset;
        for (int64_t pair = 0; pair < pairs; pair++) {
            const struct weights w = load_weights(weights, size);
            for (int pixel = 0; pixel < pixels; pixel++) {
                add_channels(&found[pixel], element + pixel * pixel_step, &w);
            }
            element += pair_step;
            weights += 2 * CHANNELS * size;
        }
    }
    for (int pixel = 0; pixel < pixels; pixel++) {
        store_sums(&found[pixel], to[pixel]);
    }
}

INLINE void multiply_all_channels(const int64_t size, const int16_t *const *rows, int64_t offset,
                                  int64_t pixel_step, int64_t count, int64_t height, int64_t pair_step,
                                  int64_t pairs, const uint8_t *weights, int32_t sums[][CHANNELS])
{
    int64_t pixel = 0;
    for (; pixel + FEW <= count; pixel += FEW) {
        multiply_some_channels(FEW, size, rows, offset + pixel * pixel_step, pixel_step, height, pair_step, pairs,
                               weights, sums + pixel);
    }
    for (; pixel < count; pixel++) {
        multiply_some_channels(1, size, rows, offset + pixel * pixel_step, pixel_step, height, pair_step, pairs,
                               weights, sums + pixel);
    }
}

TARGET static void multiply_channels(const int16_t *const *rows, int64_t offset, int64_t pixel_step, int64_t count,
                                     int64_t height, int64_t pair_step, int64_t pairs, const uint8_t *weights,
                                     int64_t size, int32_t sums[][CHANNELS])
{
    if (size == 1) {
        multiply_all_channels(1, rows, offset, pixel_step, count, height, pair_step, pairs, weights, sums);
    } else {
        multiply_all_channels(2, rows, offset, pixel_step, count, height, pair_step, pairs, weights, sums);
    }
}

TARGET static void pair_elements(int16_t *to, const int16_t *first, const int16_t *second, int64_t count)
{
    for (int64_t i = 0; i < count; i++) {
        to[2 * i] = first[i];
        to[2 * i + 1] = second[i];
    }
}

TARGET static int shorten(struct short_rescaling *restrict to, const int64_t *restrict scales, int64_t channels,
                          int64_t fill, int64_t largest, int64_t rounding)
{
    const int64_t *biases = scales + ROW_BIAS * channels, *words = scales + ROW_SCALE * channels;
    const int64_t *weight_sums = fill ? scales + ROW_SUM * channels : biases; /* which are not there, times 0 */
    const int64_t limit = (int64_t)1 << 31, zero_points = 1 << 17; /* none is as large */
    const int64_t tfl = rounding == ROUNDING_TFL ? -1 : 0, halves = rounding == ROUNDING_DOWN ? 0 : -1;
    int64_t bias[CHANNELS], multiplier[CHANNELS], half[CHANNELS], less[CHANNELS], second[CHANNELS];
    int64_t beyond[CHANNELS], any = rounding == ROUNDING_SYMMETRIC;
    const uint64_t one = channels > 0; /* GCC makes no vectors of a constant that is shifted */
    /* In every channel, whether it fits or not, and with masks in place of branches: so these are vectors. */
    for (int i = 0; i < CHANNELS; i++) {
        const int64_t shift = shift_of(words[i]), factor = multiplier_of(words[i]);
        bias[i] = bias_behind(biases[i], fill, weight_sums[i]);
        const int64_t sign = bias[i] >> 63, most = (bias[i] ^ sign) - sign + largest;
        const int64_t twice = is_less(31, shift) & tfl, shift2 = (shift - 31) & twice, shift1 = shift - shift2;
        const int64_t addend = (int64_t)(one << shift1 >> 1) & halves;
        const int64_t rounded = (int64_t)(one << shift2 >> 1) & twice;
        const int64_t reached = wrapped_sum(wrapped_product(most, factor), addend) >> shift1;
        /* With a shift beyond 32 bits all of it may be rounded to 0. */
        const int64_t some = ~(is_less(30, shift2) & is_less(reached, rounded));
        beyond[i] = is_less(limit - 1, most) | is_less(limit - 1, factor) | is_less(62, shift1) |
                    ((is_less(30, shift2) | is_less(limit - zero_points - 1 - rounded, reached)) & some);
        multiplier[i] = factor & some;
        to->addend[i] = addend;
        to->first[i] = shift1;
        half[i] = rounded & some;
        less[i] = twice & some;
        second[i] = shift2 & some;
    }
    for (int i = 0; i < CHANNELS; i++) {
        to->bias[i] = (int32_t)bias[i];
        to->multiplier[i] = (int32_t)multiplier[i];
        to->half[i] = (int32_t)half[i];
        to->less[i] = (int32_t)less[i];
        to->second[i] = (int32_t)second[i];
        any |= beyond[i];
    }
    return !any;
}

TARGET static void rescale_channels(const int32_t sums[CHANNELS], const struct channel_rescaling *by,
                                    int64_t values[CHANNELS])
{
    for (int i = 0; i < CHANNELS; i++) {
        const int64_t v = sums[i] + by->bias[i];
        const int64_t y = (v * by->multiplier[i] + by->addend[i] + ((v >> 63) & by->below[i])) >> by->first[i];
        values[i] = (y + by->half[i] + ((y >> 63) & by->less[i])) >> by->second[i];
    }
}

#ifndef FINISH_BYTES_BY_HAND
TARGET static void finish_bytes(const int32_t sums[][CHANNELS], int64_t count, const struct short_rescaling *by,
                                int32_t zero_point, int32_t low, int32_t high, uint8_t *to, int64_t step)
{
    for (int64_t pixel = 0; pixel < count; pixel++) {
        int32_t values[CHANNELS];
        uint8_t elements[CHANNELS];
        for (int i = 0; i < CHANNELS; i++) {
            const int32_t v = sums[pixel][i] + by->bias[i];
            values[i] = (int32_t)(((int64_t)v * by->multiplier[i] + by->addend[i]) >> by->first[i]);
        }
        for (int i = 0; i < CHANNELS; i++) {
            const int32_t y = values[i] + by->half[i] + ((values[i] >> 31) & by->less[i]);
            const int32_t value = (y >> by->second[i]) + zero_point;
            elements[i] = (uint8_t)(value < low ? low : value > high ? high : value);
        }
        memcpy(to + pixel * step, elements, sizeof elements);
    }
}
#endif

#define LOAD(bytes_type, type)                                                                                    \
    case bytes_type:                                                                                              \
        for (int64_t i = 0; i < count; i++) {                                                                     \
            type element;                                                                                         \
            memcpy(&element, from + i * (int64_t)sizeof element, sizeof element);                                 \
            values[i] = wrapped_difference((int64_t)element, zero_point);                                         \
        }                                                                                                         \
        break;

TARGET static void load(int64_t *values, const uint8_t *from, int64_t type, int64_t count, int64_t zero_point)
{
    switch (type) {
        LOAD(TYPE_U8, uint8_t)
        LOAD(TYPE_I8, int8_t)
        LOAD(TYPE_U16, uint16_t)
        LOAD(TYPE_I16, int16_t)
        LOAD(TYPE_U32, uint32_t)
        LOAD(TYPE_I32, int32_t)
        LOAD(TYPE_I64, int64_t)
    default:
        break;
    }
}

#define STORE(bytes, type)                                                                                        \
    case bytes:                                                                                                   \
        for (int64_t i = 0; i < count; i++) {                                                                     \
            const type element = (type)values[i];                                                                 \
            memcpy(to + bytes * i, &element, sizeof element);                                                     \
        }                                                                                                         \
        break;

TARGET static void store(const int64_t *values, int64_t count, int64_t type, uint8_t *to)
{
    switch (TYPE_BYTES(type)) {
        STORE(1, uint8_t)
        STORE(2, uint16_t)
        STORE(4, uint32_t)
        STORE(8, uint64_t)
    default:
        break;
    }
}

#define COMBINE(named_mode, result)                                                                               \
    case named_mode:                                                                                              \
        for (int64_t i = 0; i < count; i++) {                                                                     \
            a[i] = result;                                                                                        \
        }                                                                                                         \
        break;

TARGET static void combine(int64_t *a, const int64_t *b, int64_t count, int64_t mode)
{
    switch (mode) {
        COMBINE(MODE_MUL, wrapped_product(a[i], b[i]))
        COMBINE(MODE_ADD, wrapped_sum(a[i], b[i]))
        COMBINE(MODE_SUB, wrapped_difference(a[i], b[i]))
        COMBINE(MODE_MIN, a[i] < b[i] ? a[i] : b[i])
        COMBINE(MODE_MAX, a[i] > b[i] ? a[i] : b[i])
    default:
        break;
    }
}

TARGET static int between(const int64_t *values, int64_t count, int64_t low, int64_t high)
{
    int64_t outside = 0;
    for (int64_t i = 0; i < count; i++) {
        outside |= (values[i] <= low) | (values[i] >= high);
    }
    return !outside;
}

TARGET static void rescale_values(int64_t *values, int64_t count, const struct rescaling *by)
{
    const struct rescaling r = *by;
    for (int64_t i = 0; i < count; i++) {
        const int64_t y = (values[i] * r.multiplier + r.addend + ((values[i] >> 63) & r.below)) >> r.first;
        values[i] = (y + r.half + ((y >> 63) & r.less)) >> r.second;
    }
}

TARGET static void place(int64_t *values, int64_t count, int64_t zero_point, int64_t low, int64_t high)
{
    for (int64_t i = 0; i < count; i++) {
        values[i] = clamp(wrapped_sum(values[i], zero_point), low, high);
    }
}

TARGET static int find_levels(const uint8_t *restrict from, int64_t count, const struct levels *restrict levels,
                              uint8_t *restrict to)
{
    const int32_t lowest = (int32_t)levels->lowest;
    int32_t within = 1;
    for (int64_t i = 0; i < count; i++) {
        float element;
        memcpy(&element, from + 4 * i, sizeof element);
        const float place = element * levels->per_unit + levels->first;
        const float inside = place > 0 ? place < 255 ? place : 255 : 0; /* 0 for what is no number */
        const int32_t level = (int32_t)inside;
        const float magnitude = element < 0 ? -element : element;
        within &= magnitude <= levels->limit;
        to[i] = (uint8_t)(level + (element >= levels->beyond[level]) + lowest);
    }
    return within;
}

#define KERNELS_NAMED(title)                                                                                      \
    {                                                                                                             \
        .name = title,                                                                                            \
        .multiply_pixels = multiply_pixels,                                                                       \
        .pair_elements = pair_elements,                                                                           \
        .multiply_channels = multiply_channels,                                                                   \
        .shorten = shorten,                                                                                       \
        .rescale_channels = rescale_channels,                                                                     \
        .finish_bytes = finish_bytes,                                                                             \
        .load = load,                                                                                             \
        .store = store,                                                                                           \
        .combine = combine,                                                                                       \
        .between = between,                                                                                       \
        .rescale = rescale_values,                                                                                \
        .place = place,                                                                                           \
        .find_levels = find_levels,                                                                               \
    }
