/* Convolutions, depthwise ones too: sums of products in 32 bits, in parts where that might not be enough.
 *
 * The IFM becomes 16-bit elements with its padding around it and its upscaling done ("prepared"). Elements of 8
 * bits lose their zero point there. Those of 16 bits keep it, as their padding has it, and the bias makes up for
 * it. */

#include <string.h>

#include "run.h"

struct prepared {
    const int16_t *elements;
    int64_t columns;
    int64_t fill;      /* what stands for a zero */
    int64_t magnitude; /* that no element exceeds */
};

enum { BEHIND = CHANNELS }; /* elements behind the last one that kernels may read, and take times 0 */

static void widen(int16_t *to, const uint8_t *from, int64_t type, int64_t count, int64_t zero_point)
{
    switch (type) {
    case TYPE_U8:
        for (int64_t i = 0; i < count; i++) {
            to[i] = (int16_t)(from[i] - zero_point);
        }
        break;
    case TYPE_I8:
        for (int64_t i = 0; i < count; i++) {
            to[i] = (int16_t)((int8_t)from[i] - zero_point);
        }
        break;
    case TYPE_U16:
        for (int64_t i = 0; i < count; i++) {
            uint16_t element;
            memcpy(&element, from + 2 * i, sizeof element);
            to[i] = (int16_t)(element - 32768);
        }
        break;
    default:
        memcpy(to, from, (size_t)(2 * count));
        break;
    }
}

static void fill(int16_t *to, int64_t count, int64_t value)
{
    for (int64_t i = 0; i < count; i++) {
        to[i] = (int16_t)value;
    }
}

/* A row of the IFM, upscaled, at every column or at every second one. */
static void widen_row(int16_t *to, const uint8_t *from, const struct operation *operation, int64_t columns)
{
    const struct map *ifm = &operation->ifm;
    const int64_t depth = ifm->depth, bytes = depth * TYPE_BYTES(ifm->type);
    if (operation->upscale == UPSCALE_NONE) {
        widen(to, from, ifm->type, columns * depth, ifm->zero_point);
        return;
    }
    const int64_t step = operation->upscale == UPSCALE_TRANSPOSE ? 2 : 1;
    for (int64_t column = 0; column < columns; column += step) {
        widen(to + column * depth, from + column / 2 * bytes, ifm->type, depth, ifm->zero_point);
    }
}

static bool prepare(struct run *run, const struct operation *operation, int64_t item, struct prepared *prepared)
{
    const struct map *ifm = &operation->ifm;
    const int64_t rows = rows_read(operation), columns = columns_read(operation);
    const int64_t depth = ifm->depth, row_elements = columns * depth;
    const int64_t height = rows - operation->top - operation->bottom;
    const int64_t width = columns - operation->left - operation->right;
    const uint8_t *dense = read_map(run, ifm, item, SLOT_IFM);
    int16_t *elements = room_of(run, SLOT_PREPARED, (size_t)(rows * row_elements + BEHIND) * sizeof *elements);
    if (dense == NULL || elements == NULL) {
        return false;
    }
    const int64_t zero = ifm->type == TYPE_I16   ? ifm->zero_point
                         : ifm->type == TYPE_U16 ? ifm->zero_point - 32768
                                                 : 0;
    const bool sparse = operation->upscale == UPSCALE_TRANSPOSE;
    const int64_t dense_row = ifm->width * depth * TYPE_BYTES(ifm->type);
    for (int64_t row = 0; row < rows; row++) {
        int16_t *to = elements + row * row_elements;
        const int64_t y = row - operation->top;
        const bool inside = y >= 0 && y < height && !(sparse && y % 2);
        if (!inside || sparse || operation->left || operation->right) {
            fill(to, row_elements, zero);
        }
        if (inside) {
            const int64_t source = operation->upscale == UPSCALE_NONE ? y : y / 2;
            widen_row(to + operation->left * depth, dense + source * dense_row, operation, width);
        }
    }
    fill(elements + rows * row_elements, BEHIND, 0);
    *prepared = (struct prepared){elements, columns, zero, TYPE_BYTES(ifm->type) == 1 ? 255 : 32768};
    return true;
}

static const int64_t *scale_row(const struct packed_weights *weights, int row)
{
    return (const int64_t *)(const void *)((const uint8_t *)weights + weights->scales) + row * weights->channels;
}

/* The constants of the 16 channels from one on. */
static void rescaling_from(struct channel_rescaling *by, const struct packed_weights *weights, int64_t channel,
                           const struct operation *operation, const struct prepared *prepared)
{
    const int64_t *bias = scale_row(weights, 0) + channel, *multiplier = scale_row(weights, 1) + channel;
    const int64_t *shift = scale_row(weights, 2) + channel, *weight_sum = scale_row(weights, 3) + channel;
    for (int i = 0; i < CHANNELS; i++) {
        const struct rescaling r = rescaling_of(multiplier[i], shift[i], operation->rounding);
        by->bias[i] = bias[i] - prepared->fill * weight_sum[i];
        by->multiplier[i] = r.multiplier;
        by->addend[i] = r.addend;
        by->below[i] = r.below;
        by->first[i] = r.first;
        by->half[i] = r.half;
        by->less[i] = r.less;
        by->second[i] = r.second;
    }
}

/* The output stage of one block of channels. */
struct block {
    const struct run *run;
    const struct operation *operation;
    const struct packed_weights *weights;
    struct channel_rescaling by;
    int64_t channel;
    int64_t count; /* channels that exist */
    bool bytes;    /* whether finish_bytes does it all */
    int64_t low, high;
};

static void begin_block(struct block *block, int64_t channel, const struct prepared *prepared)
{
    const struct operation *operation = block->operation;
    const int64_t left = operation->ofm.depth - channel;
    rescaling_from(&block->by, block->weights, channel, operation, prepared);
    block->channel = channel;
    block->count = left < CHANNELS ? left : CHANNELS;
    block->bytes =
        block->weights->narrow && operation->function == FUNCTION_NONE && TYPE_BYTES(operation->ofm.type) == 1;
    const int64_t lowest = operation->ofm.type == TYPE_I8 ? -128 : 0;
    block->low = clamp(operation->minimum, lowest, lowest + 255);
    block->high = clamp(operation->maximum, lowest, lowest + 255);
}

static void finish_wide(const struct block *block, const int64_t sums[CHANNELS], uint8_t *to)
{
    const int64_t *multiplier = scale_row(block->weights, 1) + block->channel;
    const int64_t *shift = scale_row(block->weights, 2) + block->channel;
    int64_t values[CHANNELS];
    for (int i = 0; i < block->count; i++) {
        values[i] = rescale(sums[i] + block->by.bias[i], multiplier[i], shift[i], block->operation->rounding);
    }
    finish(block->run, block->operation, values, block->count, to);
}

static void finish_block(const struct block *block, const int32_t sums[CHANNELS], uint8_t *to)
{
    const struct kernels *kernels = block->run->kernels;
    int64_t values[CHANNELS];
    if (block->bytes && block->count == CHANNELS) {
        kernels->finish_bytes(sums, &block->by, block->operation->ofm.zero_point, block->low, block->high, to);
    } else if (block->bytes) {
        uint8_t elements[CHANNELS];
        kernels->finish_bytes(sums, &block->by, block->operation->ofm.zero_point, block->low, block->high,
                              elements);
        memcpy(to, elements, (size_t)block->count);
    } else if (block->weights->narrow) {
        kernels->rescale_channels(sums, &block->by, values);
        finish(block->run, block->operation, values, block->count, to);
    } else {
        for (int i = 0; i < CHANNELS; i++) {
            values[i] = sums[i];
        }
        finish_wide(block, values, to);
    }
}

/* One pixel, part by part: where its sums might not fit 32 bits, or a kernel is dilated. */
static void pixel_in_parts(const struct block *block, const struct prepared *prepared, const int16_t *x,
                           const int16_t *weights, uint8_t *to)
{
    const struct operation *operation = block->operation;
    const int64_t depth = operation->ifm.depth, segments = block->weights->segments, pairs = block->weights->pairs;
    const int64_t in_a_row = operation->dilation_x == 1 ? 1 : operation->kernel_width;
    /* Of 255 in magnitude is a weight at most. */
    const int64_t most = (((int64_t)1 << 31) - 1) / (2 * 255 * prepared->magnitude);
    int64_t sums[CHANNELS] = {0};
    for (int64_t segment = 0; segment < segments; segment++) {
        const int16_t *run = x + segment / in_a_row * operation->dilation_y * prepared->columns * depth +
                             segment % in_a_row * operation->dilation_x * depth;
        for (int64_t pair = 0; pair < pairs; pair += most) {
            const int64_t count = pairs - pair < most ? pairs - pair : most;
            int32_t part[CHANNELS];
            block->run->kernels->multiply_pixel(run + 2 * pair, 1, 0, count, weights, part);
            weights += count * 2 * CHANNELS;
            for (int i = 0; i < CHANNELS; i++) {
                sums[i] += part[i];
            }
        }
    }
    finish_wide(block, sums, to);
}

static void dense_block(const struct block *block, const struct prepared *prepared, const int16_t *weights,
                        uint8_t *result)
{
    const struct operation *operation = block->operation;
    const struct packed_weights *packed = block->weights;
    const struct kernels *kernels = block->run->kernels;
    const int64_t depth = operation->ifm.depth, size = TYPE_BYTES(operation->ofm.type);
    const int64_t pixel_step = operation->stride_x * depth,
                  segment_step = operation->dilation_y * prepared->columns * depth;
    const bool whole = packed->largest * prepared->magnitude < (int64_t)1 << 31 &&
                       (operation->dilation_x == 1 || packed->segments == 1);
    int64_t height = operation->ofm.height, width = operation->ofm.width;
    if (operation->kernel_height == 1 && operation->kernel_width == 1 && operation->stride_y == 1 &&
        operation->stride_x == 1) {
        width *= height; /* rows follow each other without a gap */
        height = 1;
    }
    uint8_t *to = result + block->channel * size;
    for (int64_t row = 0; row < height; row++) {
        const int16_t *x = prepared->elements + row * operation->stride_y * prepared->columns * depth;
        int64_t column = 0;
        while (column < width) {
            if (!whole) {
                pixel_in_parts(block, prepared, x, weights, to);
            } else if (width - column >= PIXELS) {
                int32_t sums[PIXELS][CHANNELS];
                kernels->multiply_pixels(x, pixel_step, packed->segments, segment_step, packed->pairs, weights,
                                         sums);
                for (int pixel = 0; pixel < PIXELS; pixel++) {
                    finish_block(block, sums[pixel], to + pixel * operation->ofm.depth * size);
                }
                x += (PIXELS - 1) * pixel_step;
                to += (PIXELS - 1) * operation->ofm.depth * size;
                column += PIXELS - 1;
            } else {
                int32_t sums[CHANNELS];
                kernels->multiply_pixel(x, packed->segments, segment_step, packed->pairs, weights, sums);
                finish_block(block, sums, to);
            }
            x += pixel_step;
            to += operation->ofm.depth * size;
            column++;
        }
    }
}

static void depthwise_block(const struct block *block, const struct prepared *prepared, const int16_t *weights,
                            uint8_t *result)
{
    const struct operation *operation = block->operation;
    const int64_t depth = operation->ifm.depth, size = TYPE_BYTES(operation->ofm.type);
    const int64_t prepared_row = prepared->columns * depth;
    uint8_t *to = result + block->channel * size;
    for (int64_t row = 0; row < operation->ofm.height; row++) {
        const int16_t *x = prepared->elements + row * operation->stride_y * prepared_row + block->channel;
        for (int64_t column = 0; column < operation->ofm.width; column++) {
            int32_t sums[CHANNELS];
            block->run->kernels->multiply_channels(
                x, operation->kernel_height, operation->dilation_y * prepared_row, operation->kernel_width,
                operation->dilation_x * depth, weights, block->weights->channels, sums);
            finish_block(block, sums, to);
            x += operation->stride_x * depth;
            to += depth * size;
        }
    }
}

enum outcome convolution(struct run *run, const struct operation *operation, const struct packed_weights *weights,
                         int64_t item)
{
    struct prepared prepared;
    uint8_t *result = room_of(run, SLOT_OFM, map_bytes(&operation->ofm));
    if (result == NULL || !prepare(run, operation, item, &prepared)) {
        return NO_MEMORY;
    }
    const int16_t *values = (const int16_t *)(const void *)((const uint8_t *)weights + weights->weights);
    const int64_t block_values = weights->segments * weights->pairs * 2 * CHANNELS;
    struct block block = {.run = run, .operation = operation, .weights = weights};
    for (int64_t channel = 0; channel < operation->ofm.depth; channel += CHANNELS) {
        begin_block(&block, channel, &prepared);
        if (operation->depthwise) {
            depthwise_block(&block, &prepared, values + channel, result);
        } else {
            dense_block(&block, &prepared, values + channel / CHANNELS * block_values, result);
        }
    }
    write_map(run, &operation->ofm, item, result);
    return DONE;
}

bool weights_hold(const struct run *run, const struct operation *operation, const struct packed_weights *weights)
{
    const uint8_t *content = (const uint8_t *)weights + weights->content;
    int64_t left = weights->content_length;
    for (int64_t i = 0; i < operation->streams; i++) {
        const struct range *range = run->ranges + operation->first_stream + i;
        if (range->length > left) {
            return false;
        }
        for (int64_t row = 0; row < run->regions[range->region].rows; row++) {
            if (memcmp(region_row(run, range->region, row) + range->address, content, (size_t)range->length) !=
                0) {
                return false;
            }
        }
        content += range->length;
        left -= range->length;
    }
    return left == 0;
}
