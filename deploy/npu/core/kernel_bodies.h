/* The loops of struct kernels as plain C, which the compiler makes vectors of. A version of the kernels includes
 * this with TARGET, the attribute of functions for its processors, and MULTIPLY_PIXELS_BY_HAND where it has better
 * ones. */

#include <string.h>

#include "kernels.h"

#ifndef MULTIPLY_PIXELS_BY_HAND
TARGET static void multiply_pixel(const int16_t *x, int64_t segments, int64_t segment_step, int64_t pairs,
                                  const int16_t *weights, int32_t sums[CHANNELS])
{
    int32_t found[CHANNELS] = {0};
    for (int64_t segment = 0; segment < segments; segment++) {
        for (int64_t pair = 0; pair < pairs; pair++) {
            const int32_t a = x[2 * pair], b = x[2 * pair + 1];
            for (int channel = 0; channel < CHANNELS; channel++) {
                found[channel] += a * weights[2 * channel] + b * weights[2 * channel + 1];
            }
            weights += 2 * CHANNELS;
        }
        x += segment_step;
    }
    memcpy(sums, found, sizeof found);
}

TARGET static void multiply_pixels(const int16_t *x, int64_t pixel_step, int64_t segments, int64_t segment_step,
                                   int64_t pairs, const int16_t *weights, int32_t sums[PIXELS][CHANNELS])
{
    for (int pixel = 0; pixel < PIXELS; pixel++) {
        multiply_pixel(x + pixel * pixel_step, segments, segment_step, pairs, weights, sums[pixel]);
    }
}
#endif

TARGET static void multiply_channels(const int16_t *x, int64_t height, int64_t row_step, int64_t width,
                                     int64_t column_step, const int16_t *weights, int64_t weight_step,
                                     int32_t sums[CHANNELS])
{
    int32_t found[CHANNELS] = {0};
    for (int64_t row = 0; row < height; row++) {
        const int16_t *element = x;
        for (int64_t column = 0; column < width; column++) {
            for (int channel = 0; channel < CHANNELS; channel++) {
                found[channel] += (int32_t)element[channel] * weights[channel];
            }
            element += column_step;
            weights += weight_step;
        }
        x += row_step;
    }
    memcpy(sums, found, sizeof found);
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

TARGET static void finish_bytes(const int32_t sums[CHANNELS], const struct channel_rescaling *by,
                                int64_t zero_point, int64_t low, int64_t high, uint8_t elements[CHANNELS])
{
    int64_t values[CHANNELS];
    rescale_channels(sums, by, values);
    for (int i = 0; i < CHANNELS; i++) {
        const int64_t value = values[i] + zero_point;
        values[i] = value < low ? low : value > high ? high : value;
    }
    for (int i = 0; i < CHANNELS; i++) {
        elements[i] = (uint8_t)values[i];
    }
}

#define KERNELS_NAMED(title)                                                                                      \
    {                                                                                                             \
        .name = title,                                                                                            \
        .multiply_pixels = multiply_pixels,                                                                       \
        .multiply_pixel = multiply_pixel,                                                                         \
        .multiply_channels = multiply_channels,                                                                   \
        .rescale_channels = rescale_channels,                                                                     \
        .finish_bytes = finish_bytes,                                                                             \
    }
