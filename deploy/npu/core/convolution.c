/* Convolutions, depthwise ones too: sums of products in 32 bits, in parts where that might not be enough.
 *
 * The IFM becomes 16-bit elements with its padding around it and its upscaling done ("prepared"). Elements of 8
 * bits lose their zero point there. Those of 16 bits keep it, as their padding has it, and the bias makes up for
 * it. A depthwise convolution prepares the rows that its kernel covers, every element with the one that the next
 * element of the kernel meets.
 *
 * All that is done for a band of rows of the OFM, then for the next one: what it works in is small, and still in
 * the processor's caches where it is read. Where the OFM may cover bytes of the IFM, there is one band. */

#include <string.h>

#include "run.h"

/* The IFM as a convolution reads it. */
struct source {
    const uint8_t *dense;  /* rows of it, */
    int64_t first;         /* from this one on */
    int64_t rows, columns; /* with its padding */
    int64_t fill;          /* what stands for a zero */
    int64_t magnitude;     /* that no element exceeds */
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

static struct source source_of(const struct operation *operation)
{
    const struct map *ifm = &operation->ifm;
    return (struct source){
        .rows = rows_read(operation),
        .columns = columns_read(operation),
        .fill = ifm->type == TYPE_I16   ? ifm->zero_point
                : ifm->type == TYPE_U16 ? ifm->zero_point - 32768
                                        : 0,
        .magnitude = TYPE_BYTES(ifm->type) == 1 ? 255 : 32768,
    };
}

/* Reads what rows are prepared from, of which those around it are its padding. */
static bool read_source(struct run *run, const struct operation *operation, int64_t item, struct source *source,
                        int64_t row, int64_t count)
{
    const int64_t height = source->rows - operation->top - operation->bottom;
    const int64_t halved = operation->upscale != UPSCALE_NONE;
    const int64_t first = clamp(row - operation->top, 0, height);
    const int64_t end = clamp(row - operation->top + count, 0, height);
    source->first = first >> halved;
    source->dense =
        read_rows(run, &operation->ifm, item, source->first, ((end + halved) >> halved) - source->first, SLOT_IFM);
    return source->dense != NULL;
}

/* One row of it, padding included. */
static void prepare_row(int16_t *to, const struct source *source, const struct operation *operation, int64_t row)
{
    const struct map *ifm = &operation->ifm;
    const int64_t y = row - operation->top, height = source->rows - operation->top - operation->bottom;
    const int64_t width = source->columns - operation->left - operation->right;
    const bool sparse = operation->upscale == UPSCALE_TRANSPOSE;
    const bool inside = y >= 0 && y < height && !(sparse && y % 2);
    if (!inside || sparse || operation->left || operation->right) {
        fill(to, source->columns * ifm->depth, source->fill);
    }
    if (inside) {
        const int64_t from = (operation->upscale == UPSCALE_NONE ? y : y / 2) - source->first;
        widen_row(to + operation->left * ifm->depth, source->dense + from * row_bytes(ifm), operation, width);
    }
}

/* Rows of it, from one on. */
static const int16_t *prepare(struct run *run, const struct operation *operation, const struct source *source,
                              int64_t first, int64_t count)
{
    const int64_t row_elements = source->columns * operation->ifm.depth, elements = count * row_elements;
    int16_t *to = room_of(run, SLOT_PREPARED, (size_t)(elements + BEHIND) * sizeof *to);
    if (to == NULL) {
        return NULL;
    }
    for (int64_t row = 0; row < count; row++) {
        prepare_row(to + row * row_elements, source, operation, first + row);
    }
    fill(to + elements, BEHIND, 0);
    return to;
}

/* Words of the channels from one on. */
static const int64_t *scale_row(const struct packed_weights *weights, int row, int64_t channel)
{
    return (const int64_t *)(const void *)((const uint8_t *)weights + weights->scales) + row * weights->channels +
           channel;
}

static const uint8_t *packed_values(const struct packed_weights *weights, int64_t channel)
{
    return (const uint8_t *)weights + weights->weights +
           channel * weights->segments * weights->pairs * 2 * weights->size;
}

/* The constants of the 16 channels from one on. */
static void rescaling_from(struct channel_rescaling *by, const struct packed_weights *weights, int64_t channel,
                           const struct operation *operation, const struct source *source)
{
    const int64_t *bias = scale_row(weights, ROW_BIAS, channel), *scale = scale_row(weights, ROW_SCALE, channel);
    const int64_t *weight_sum = scale_row(weights, source->fill ? ROW_SUM : ROW_BIAS, channel);
    for (int i = 0; i < CHANNELS; i++) {
        const struct rescaling r =
            rescaling_of(multiplier_of(scale[i]), shift_of(scale[i]), operation->rounding);
        by->bias[i] = bias_behind(bias[i], source->fill, weight_sum[i]); /* without the sum, times 0 */
        by->multiplier[i] = r.multiplier;
        by->addend[i] = r.addend;
        by->below[i] = r.below;
        by->first[i] = r.first;
        by->half[i] = r.half;
        by->less[i] = r.less;
        by->second[i] = r.second;
    }
}

/* Rows of the OFM, and those of the prepared IFM that they are computed from. */
struct band {
    int64_t y, height;
    int64_t row, rows;
};

/* The output stage of one block of channels. */
struct block {
    const struct run *run;
    const struct operation *operation;
    const struct packed_weights *weights;
    uint8_t *result; /* the band of the OFM */
    int64_t *sums;   /* of it, that are kept for another operation; NULL where none has to do with it */
    int64_t channel;
    int64_t count; /* channels that exist */
    bool whole;    /* whether sums are computed at once, in 32 bits, */
    bool bytes;    /* and finish_bytes does the rest, before a table of bytes if any: then there is `short_by` */
    int32_t low, high;
    union {
        struct channel_rescaling by;
        struct short_rescaling short_by;
    };
};

static void begin_block(struct block *block, int64_t channel, const struct source *source)
{
    const struct operation *operation = block->operation;
    const int64_t left = operation->ofm.depth - channel;
    block->channel = channel;
    block->count = left < CHANNELS ? left : CHANNELS;
    block->bytes = block->whole && block->sums == NULL && TYPE_BYTES(operation->ofm.type) == 1 &&
                   TYPE_BYTES(operation->index_type) == 1 &&
                   (operation->function == FUNCTION_NONE || operation->function == FUNCTION_LUT) &&
                   block->run->kernels->shorten(&block->short_by, scale_row(block->weights, ROW_BIAS, channel),
                                                block->weights->channels, source->fill,
                                                block->weights->largest * source->magnitude, operation->rounding);
    if (!block->bytes) {
        rescaling_from(&block->by, block->weights, channel, operation, source);
    }
    const int64_t lowest = operation->index_type == TYPE_I8 ? -128 : 0;
    block->low = (int32_t)clamp(operation->minimum, lowest, lowest + 255);
    block->high = (int32_t)clamp(operation->maximum, lowest, lowest + 255);
}

/* Adds up the sums that are there, or leaves them: sums without bias. */
static void keep_sums(const struct block *block, int64_t sums[CHANNELS], const uint8_t *to)
{
    const int64_t *bias = scale_row(block->weights, ROW_BIAS, block->channel);
    int64_t *kept = block->sums + (to - block->result) / TYPE_BYTES(block->operation->ofm.type);
    for (int i = 0; i < block->count; i++) {
        const int64_t correction = block->by.bias[i] - bias[i]; /* for zero points that the elements keep */
        const int64_t before = block->operation->keeps_sums ? kept[i] : 0;
        sums[i] = wrapped_sum(sums[i], before);
        if (block->operation->leaves_sums) {
            kept[i] = wrapped_sum(sums[i], correction);
        }
    }
}

static void finish_wide(const struct block *block, int64_t sums[CHANNELS], uint8_t *to)
{
    const int64_t *scale = scale_row(block->weights, ROW_SCALE, block->channel);
    if (block->sums != NULL) {
        keep_sums(block, sums, to);
        if (block->operation->leaves_sums) {
            return;
        }
    }
    for (int i = 0; i < block->count; i++) {
        sums[i] = rescale(wrapped_sum(sums[i], block->by.bias[i]), multiplier_of(scale[i]), shift_of(scale[i]),
                          block->operation->rounding);
    }
    finish(block->run, block->operation, sums, block->count, to);
}

static void finish_one(const struct block *block, const int32_t sums[CHANNELS], uint8_t *to)
{
    int64_t values[CHANNELS];
    if (block->weights->narrow && block->sums == NULL) {
        block->run->kernels->rescale_channels(sums, &block->by, values);
        finish(block->run, block->operation, values, block->count, to);
        return;
    }
    for (int i = 0; i < CHANNELS; i++) {
        values[i] = sums[i];
    }
    finish_wide(block, values, to);
}

/* Pixels next to each other, STRIP of them at most. */
static void finish_strip(const struct block *block, const int32_t sums[][CHANNELS], int64_t count, uint8_t *to)
{
    const struct operation *operation = block->operation;
    const int64_t step = operation->ofm.depth * TYPE_BYTES(operation->ofm.type);
    if (!block->bytes) {
        for (int64_t pixel = 0; pixel < count; pixel++) {
            finish_one(block, sums[pixel], to + pixel * step);
        }
        return;
    }
    const bool at_once = block->count == CHANNELS && operation->function == FUNCTION_NONE;
    uint8_t elements[STRIP * CHANNELS];
    block->run->kernels->finish_bytes(sums, count, &block->short_by, (int32_t)operation->ofm.zero_point,
                                      block->low, block->high, at_once ? to : elements, at_once ? step : CHANNELS);
    if (at_once) {
        return;
    }
    if (operation->function == FUNCTION_LUT) {
        look_up_elements(block->run, operation, elements, count * CHANNELS, elements);
    }
    for (int64_t pixel = 0; pixel < count; pixel++) {
        memcpy(to + pixel * step, elements + pixel * CHANNELS, (size_t)block->count);
    }
}

/* One pixel, part by part: where its sums might not fit 32 bits, or a kernel is dilated. */
static void pixel_in_parts(const struct block *block, const struct source *source, const int16_t *x,
                           uint8_t *to)
{
    const struct operation *operation = block->operation;
    const int64_t depth = operation->ifm.depth, segments = block->weights->segments, pairs = block->weights->pairs;
    const int64_t size = block->weights->size;
    const uint8_t *weights = packed_values(block->weights, block->channel);
    const int64_t in_a_row = operation->dilation_x == 1 ? 1 : operation->kernel_width;
    const int64_t most = (((int64_t)1 << 31) - 1) / (2 * LARGEST_WEIGHT * source->magnitude);
    int64_t sums[CHANNELS] = {0};
    for (int64_t segment = 0; segment < segments; segment++) {
        const int16_t *run = x + segment / in_a_row * operation->dilation_y * source->columns * depth +
                             segment % in_a_row * operation->dilation_x * depth;
        for (int64_t pair = 0; pair < pairs; pair += most) {
            const int64_t count = pairs - pair < most ? pairs - pair : most;
            int32_t part[1][CHANNELS];
            block->run->kernels->multiply_pixels(run + 2 * pair, 0, 1, 1, 0, count, weights, size, part);
            weights += count * 2 * CHANNELS * size;
            for (int i = 0; i < CHANNELS; i++) {
                sums[i] += part[0][i];
            }
        }
    }
    finish_wide(block, sums, to);
}

static void dense_block(const struct block *block, const struct source *source, const int16_t *prepared,
                        int64_t height)
{
    const struct operation *operation = block->operation;
    const struct packed_weights *packed = block->weights;
    const int64_t depth = operation->ifm.depth, size = TYPE_BYTES(operation->ofm.type);
    const int64_t pixel_step = operation->stride_x * depth;
    const int64_t segment_step = operation->dilation_y * source->columns * depth;
    const uint8_t *weights = packed_values(packed, block->channel);
    int64_t width = operation->ofm.width;
    if (operation->kernel_height == 1 && operation->kernel_width == 1 && operation->stride_y == 1 &&
        operation->stride_x == 1) {
        width *= height; /* rows follow each other without a gap */
        height = 1;
    }
    uint8_t *to = block->result + block->channel * size;
    for (int64_t row = 0; row < height; row++) {
        const int16_t *x = prepared + row * operation->stride_y * source->columns * depth;
        for (int64_t column = 0, count; column < width; column += count) {
            const int64_t left = width - column;
            if (block->whole) {
                count = left < STRIP ? left : STRIP;
                int32_t sums[STRIP][CHANNELS];
                block->run->kernels->multiply_pixels(x, pixel_step, count, packed->segments, segment_step,
                                                     packed->pairs, weights, packed->size, sums);
                finish_strip(block, (const int32_t(*)[CHANNELS])sums, count, to);
            } else {
                count = 1;
                pixel_in_parts(block, source, x, to);
            }
            x += count * pixel_step;
            to += count * operation->ofm.depth * size;
        }
    }
}

/* A band of the OFM, of which an element depends on all channels of the IFM. */
static enum outcome dense_band(struct run *run, const struct source *source, struct block *block,
                               const struct band *band)
{
    const int16_t *prepared = prepare(run, block->operation, source, band->row, band->rows);
    if (prepared == NULL) {
        return NO_MEMORY;
    }
    for (int64_t channel = 0; channel < block->operation->ofm.depth; channel += CHANNELS) {
        begin_block(block, channel, source);
        dense_block(block, source, prepared, band->height);
    }
    return DONE;
}

/* One pixel, 16 channels of it, part by part: where its sums might not fit 32 bits. */
static void depthwise_in_parts(const struct block *block, const struct source *source, const int16_t *const *rows,
                               int64_t offset, int64_t pair_step, uint8_t *to)
{
    const int64_t pairs = block->weights->pairs, size = block->weights->size;
    const uint8_t *values = packed_values(block->weights, block->channel);
    const int64_t most = (((int64_t)1 << 31) - 1) / (2 * LARGEST_WEIGHT * source->magnitude);
    int64_t sums[CHANNELS] = {0};
    for (int64_t row = 0; row < block->weights->segments; row++) {
        for (int64_t pair = 0; pair < pairs; pair += most) {
            const int64_t count = pairs - pair < most ? pairs - pair : most;
            int32_t part[1][CHANNELS];
            block->run->kernels->multiply_channels(rows + row, offset + pair * pair_step, 0, 1, 1, pair_step,
                                                   count, values, size, part);
            values += count * 2 * CHANNELS * size;
            for (int i = 0; i < CHANNELS; i++) {
                sums[i] += part[0][i];
            }
        }
    }
    finish_wide(block, sums, to);
}

/* A row of the OFM, 16 channels of it. */
static void depthwise_row(const struct block *block, const struct source *source, const int16_t *const *rows,
                          uint8_t *to)
{
    const struct operation *operation = block->operation;
    const struct packed_weights *weights = block->weights;
    const int64_t depth = operation->ifm.depth, size = TYPE_BYTES(operation->ofm.type);
    const int64_t pixel_step = 2 * operation->stride_x * depth, pair_step = 4 * operation->dilation_x * depth;
    const uint8_t *values = packed_values(weights, block->channel);
    for (int64_t column = 0, count; column < operation->ofm.width; column += count) {
        const int64_t left = operation->ofm.width - column;
        int32_t sums[STRIP][CHANNELS];
        count = !block->whole ? 1 : left < STRIP ? left : STRIP;
        if (!block->whole) {
            depthwise_in_parts(block, source, rows, column * pixel_step + 2 * block->channel, pair_step,
                               to + (column * operation->ofm.depth + block->channel) * size);
            continue;
        }
        block->run->kernels->multiply_channels(rows, column * pixel_step + 2 * block->channel, pixel_step, count,
                                               weights->segments, pair_step, weights->pairs, values, weights->size,
                                               sums);
        finish_strip(block, (const int32_t(*)[CHANNELS])sums, count,
                     to + (column * operation->ofm.depth + block->channel) * size);
    }
}

/* The rows of the prepared IFM that the kernel covers, in a ring, and the output stages of all channels. */
struct depthwise {
    int64_t ring;     /* how many rows it has, */
    int64_t elements; /* of 16 bits, each, */
    int64_t prepared; /* and the row that comes next */
    int16_t *row, *pairs;
    const int16_t **rows;
    struct block *blocks;
    int64_t block_count;
};

static bool begin_depthwise(struct depthwise *all, struct run *run, const struct source *source,
                            const struct block *block)
{
    const struct operation *operation = block->operation;
    const int64_t depth = operation->ifm.depth;
    const int64_t next = operation->dilation_x * depth; /* behind the row, for the last element of an odd kernel */
    const int64_t elements = source->columns * depth;
    *all = (struct depthwise){
        .ring = (operation->kernel_height - 1) * operation->dilation_y + 1,
        .elements = 2 * (elements + next + BEHIND),
        .block_count = (depth + CHANNELS - 1) / CHANNELS,
    };
    const size_t row_size = (size_t)all->elements * sizeof *all->row;
    all->row = room_of(run, SLOT_ROW, row_size);
    all->pairs = room_of(run, SLOT_PREPARED, (size_t)all->ring * row_size);
    all->rows = room_of(run, SLOT_ROWS, (size_t)operation->kernel_height * sizeof *all->rows);
    all->blocks = room_of(run, SLOT_BLOCKS, (size_t)all->block_count * sizeof *all->blocks);
    if (all->row == NULL || all->pairs == NULL || all->rows == NULL || all->blocks == NULL) {
        return false;
    }
    fill(all->row + elements, next + BEHIND, 0);
    for (int64_t i = 0; i < all->block_count; i++) {
        all->blocks[i] = *block;
        begin_block(&all->blocks[i], i * CHANNELS, source);
    }
    return true;
}

/* A band of the OFM, of which an element depends on one channel of the IFM. */
static void depthwise_band(struct depthwise *all, const struct source *source, const struct block *block,
                           const struct band *band)
{
    const struct operation *operation = block->operation;
    const int64_t depth = operation->ifm.depth, next = operation->dilation_x * depth; /* between both of a pair */
    for (int64_t y = band->y; y < band->y + band->height; y++) {
        const int64_t top = y * operation->stride_y;
        for (all->prepared = all->prepared < top ? top : all->prepared; all->prepared < top + all->ring;
             all->prepared++) {
            prepare_row(all->row, source, operation, all->prepared);
            block->run->kernels->pair_elements(all->pairs + all->prepared % all->ring * all->elements, all->row,
                                               all->row + next, source->columns * depth + BEHIND);
        }
        for (int64_t i = 0; i < operation->kernel_height; i++) {
            all->rows[i] = all->pairs + (top + i * operation->dilation_y) % all->ring * all->elements;
        }
        for (int64_t i = 0; i < all->block_count; i++) {
            all->blocks[i].result = block->result;
            all->blocks[i].sums = block->sums;
            depthwise_row(&all->blocks[i], source, all->rows,
                          block->result + (y - band->y) * row_bytes(&operation->ofm));
        }
    }
}

/* How many rows of the OFM a band has. */
static int64_t rows_at_once(const struct run *run, const struct operation *operation, const struct source *source,
                            int64_t item)
{
    const struct map *ifm = &operation->ifm, *ofm = &operation->ofm;
    if (!are_apart(run, ifm, ofm, item)) {
        return ofm->height;
    }
    /* The elements of depthwise convolutions are prepared for the kernel's rows alone. */
    const int64_t prepared = operation->depthwise ? 0 : source->columns * ifm->depth * (int64_t)sizeof(int16_t);
    const int64_t bytes = operation->stride_y * (prepared + row_bytes(ifm)) + row_bytes(ofm);
    return clamp(run->band_bytes / bytes, 1, ofm->height);
}

enum outcome convolution(struct run *run, const struct operation *operation, const struct packed_weights *weights,
                         int64_t item)
{
    const struct map *ofm = &operation->ofm;
    struct source source = source_of(operation);
    const int64_t at_once = rows_at_once(run, operation, &source, item);
    const int64_t covered = (operation->kernel_height - 1) * operation->dilation_y + 1;
    int64_t *sums = operation->keeps_sums || operation->leaves_sums ? kept_sums(run, item) : NULL;
    struct block block = {.run = run, .operation = operation, .weights = weights};
    struct depthwise all = {.ring = 0}; /* unless the convolution is one */
    block.whole = weights->largest * source.magnitude < (int64_t)1 << 31 &&
                  (operation->depthwise || operation->dilation_x == 1 || weights->segments == 1);
    block.sums = sums; /* that there are some, the output stages have to know */
    if (operation->depthwise && !begin_depthwise(&all, run, &source, &block)) {
        return NO_MEMORY;
    }
    for (int64_t y = 0; y < ofm->height; y += at_once) {
        const int64_t height = ofm->height - y < at_once ? ofm->height - y : at_once;
        const int64_t row = y * operation->stride_y;
        const struct band band = {y, height, row, (height - 1) * operation->stride_y + covered};
        block.sums = sums == NULL ? NULL : sums + y * ofm->width * ofm->depth;
        block.result = operation->leaves_sums ? (uint8_t *)block.sums
                                              : room_of(run, SLOT_OFM, (size_t)(height * row_bytes(ofm)));
        if (block.result == NULL || !read_source(run, operation, item, &source, band.row, band.rows)) {
            return NO_MEMORY;
        }
        if (operation->depthwise) {
            depthwise_band(&all, &source, &block, &band);
        } else if (dense_band(run, &source, &block, &band) != DONE) {
            return NO_MEMORY;
        }
        if (!operation->leaves_sums) {
            write_rows(run, ofm, item, y, height, block.result);
        }
    }
    return DONE;
}

bool weights_hold(const struct run *run, const struct operation *operation, const struct packed_weights *weights)
{
    const struct packed_stream *streams =
        (const struct packed_stream *)(const void *)((const uint8_t *)weights + weights->streams);
    const int64_t count = __atomic_load_n(&weights->stream_count, __ATOMIC_ACQUIRE);
    if (count == 0 || count != operation->streams) {
        return false;
    }
    for (int64_t i = 0; i < operation->streams; i++) {
        const struct range *range = run->ranges + operation->first_stream + i;
        const uint8_t *content = (const uint8_t *)(uintptr_t)streams[i].address;
        if (range->length != streams[i].size) {
            return false;
        }
        for (int64_t row = 0; row < run->regions[range->region].rows; row++) {
            const uint8_t *found = region_row(run, range->region, row) + range->address;
            /* Memory that nothing can change holds the very stream. */
            if (found != content && memcmp(found, content, (size_t)range->length) != 0) {
                return false;
            }
        }
    }
    return true;
}
