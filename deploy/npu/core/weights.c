/* Puts weights in the order in which convolution.c takes them; deploy/npu/weights says the same in NumPy. */

#include "weights.h"

#include <stdbool.h>
#include <stdlib.h>
#include <string.h>

#include "kernels.h"
#include "mlw.h"

enum { ALIGNMENT = 64, RECORD_BYTES = 10, SHIFT_BITS = 0x3F, MOST_VALUES_A_BYTE = 64 };
enum { MOST_PLACES = 64 }; /* of a part of a kernel */
enum { USUAL_STEP = 8 };   /* input channels of one output channel in a row */
enum { PORTION = 2048 };   /* values that are decoded, and pairs that are added up, at once */
enum { SPAN_OF_BYTES = 255 }; /* of elements of the IFM that are bytes */

static int64_t smaller(int64_t a, int64_t b)
{
    return a < b ? a : b;
}

static int64_t ceiling(int64_t extent, int64_t unit)
{
    return (extent + unit - 1) / unit;
}

/* How many runs of elements of the IFM a sum is made of, and how many pairs such a run has. */
static int64_t segments_of(const struct weight_order *order)
{
    return order->kernel_height * (order->apart ? order->kernel_width : 1);
}

static int64_t pairs_of(const struct weight_order *order)
{
    return ceiling(order->ifm_depth * (order->apart ? 1 : order->kernel_width), 2);
}

static int64_t channels_of(const struct weight_order *order)
{
    return ceiling(order->ofm_depth, CHANNELS) * CHANNELS;
}

static int64_t weight_bytes(const struct weight_order *order)
{
    return channels_of(order) * segments_of(order) * pairs_of(order) * 2 * order->size;
}

static bool has_sums(const struct weight_order *order)
{
    return order->span > SPAN_OF_BYTES;
}

static int64_t scale_bytes(const struct weight_order *order)
{
    return (has_sums(order) ? ROW_SUM + 1 : ROW_SUM) * channels_of(order) * (int64_t)sizeof(int64_t);
}

int64_t packed_bytes(const struct weight_order *order, int64_t streams)
{
    return (int64_t)sizeof(struct packed_weights) + scale_bytes(order) + weight_bytes(order) +
           streams * (int64_t)sizeof(struct packed_stream) + ALIGNMENT;
}

/* What one core takes: channels of the OFM in its own count, or of all where it has no blocks of its own. */
struct share {
    int64_t depth;
    int64_t block;
    int64_t lanes; /* of a ublock */
};

static struct share share_of(const struct weight_order *order, int64_t core)
{
    if (!order->own_blocks) {
        return (struct share){order->ofm_depth, order->block_depth, order->ofm_ublock / order->cores};
    }
    const int64_t others = order->cores - 1 - core;
    return (struct share){(order->ofm_depth + others) / order->cores, (order->block_depth + others) / order->cores,
                          order->ofm_ublock};
}

/* An extent in parts, each of which is filled up to whole units: how many units those are. */
static int64_t units(int64_t extent, int64_t part, int64_t unit)
{
    return extent / part * ceiling(part, unit) + ceiling(extent % part, unit);
}

/* How many values the stream of a core has. */
static int64_t stream_length(const struct weight_order *order, struct share share)
{
    int64_t places = 0;
    for (int64_t y = 0; y < order->kernel_height; y += order->part_height) {
        const int64_t height = smaller(order->part_height, order->kernel_height - y);
        for (int64_t x = 0; x < order->kernel_width; x += order->part_width) {
            const int64_t width = smaller(order->part_width, order->kernel_width - x);
            places += ceiling(height * width, order->multiple) * (order->multiple + order->gap);
        }
    }
    return units(share.depth, share.block, order->ofm_ublock) * share.lanes * places *
           units(order->ifm_depth, order->ifm_block, order->ifm_ublock) * order->ifm_ublock;
}

/* Places of a part of the kernel, in their order. */
struct places {
    int64_t count;
    int64_t y[MOST_PLACES];
    int64_t x[MOST_PLACES];
};

static void find_places(struct places *places, const struct weight_order *order, int64_t top, int64_t left)
{
    const int64_t height = smaller(order->part_height, order->kernel_height - top);
    const int64_t width = smaller(order->part_width, order->kernel_width - left);
    places->count = 0;
    for (int64_t first_y = 0; first_y < order->stride_y; first_y++) {
        for (int64_t first_x = 0; first_x < order->stride_x; first_x++) {
            const int64_t across = ceiling(width - smaller(first_x, width), order->stride_x);
            for (int64_t y = first_y, row = 0; y < height; y += order->stride_y, row++) {
                const bool backwards = order->downwards && row % 2;
                for (int64_t i = 0; i < across; i++) {
                    const int64_t column = backwards ? across - 1 - i : i;
                    places->y[places->count] = top + y;
                    places->x[places->count] = left + first_x + column * order->stride_x;
                    places->count++;
                }
            }
        }
    }
}

/* The values of a stream, which come in portions. */
struct values {
    struct bytes stream;
    bool fast;
    int64_t length;   /* that it must have */
    int64_t position; /* of the next value of the stream that comes into the portion */
    int16_t *portion;
    int64_t room, taken, there; /* in it */
    struct mlw_reader mlw;
};

/* The next values, `count` of them, which there is room for; NULL where the stream is damaged. */
static const int16_t *next_values(struct values *values, int64_t count)
{
    if (values->taken + count > values->there) {
        const int64_t left = values->there - values->taken;
        int64_t more = smaller(values->room - left, values->length - values->position);
        memmove(values->portion, values->portion + values->taken, (size_t)left * sizeof *values->portion);
        if (values->fast) {
            fast_read(values->stream, values->position, more, values->portion + left);
        } else {
            more = mlw_read(&values->mlw, values->portion + left, more);
        }
        values->position += more;
        values->taken = 0;
        values->there = left + more;
        if (more < 0 || values->there < count) {
            return NULL;
        }
    }
    const int16_t *found = values->portion + values->taken;
    values->taken += count;
    return found;
}

/* Those of a stream for fast decoding that are another core's. */
static void skip_values(struct values *values, int64_t count)
{
    const int64_t there = smaller(count, values->there - values->taken);
    values->taken += there;
    values->position += count - there;
}

/* The weights that are put in order, and what is found out about them on the way. */
struct arranging {
    const struct weight_order *order;
    struct share share;
    int64_t core;
    uint8_t *weights;
    int64_t segments, pairs;
    int64_t skipped; /* values of other cores behind each group of places */
    int32_t stray;   /* OR of all values that are no weights */
    int32_t beyond;  /* not 0 where a weight takes more bytes than it is given */
};

/* A block of the OFM and one of the IFM. */
struct block {
    int64_t ofm, ofm_depth;
    int64_t ifm, ifm_depth;
};

static void take_stray(struct arranging *into, const int16_t *values, int64_t count)
{
    for (int64_t i = 0; i < count; i++) {
        into->stray |= values[i];
    }
}

/* Where the weights of an output channel begin that an element of the kernel, or a row of it, has: those of a pair
 * are side by side, pairs are as far apart as 16 channels of them are long. */
static uint8_t *weights_of(const struct arranging *into, int64_t channel, int64_t y, int64_t x)
{
    const struct weight_order *order = into->order;
    const int64_t segment = order->apart ? y * order->kernel_width + x : y;
    const int64_t pair = (channel / CHANNELS * into->segments + segment) * into->pairs;
    return into->weights + (pair * CHANNELS + channel % CHANNELS) * 2 * order->size;
}

/* A few input channels of one output channel, from a place in its run of elements on. */
static void take_weights(struct arranging *into, const int16_t *values, int64_t count, uint8_t *run, int64_t place)
{
    for (int64_t i = 0; i < count; i++) {
        const int64_t element = (place + i) / 2 * 2 * CHANNELS + (place + i) % 2;
        if (into->order->size == 1) {
            into->beyond |= values[i] ^ (int8_t)values[i];
            run[element] = (uint8_t)values[i];
        } else {
            memcpy(run + 2 * element, values + i, sizeof *values);
        }
    }
}

/* The usual number of input channels, of that many output channels, as bytes: of each a run from an even place. */
static void take_square(struct arranging *into, const int16_t *values, uint8_t *run, int64_t place)
{
    uint8_t bytes[USUAL_STEP * USUAL_STEP], *to = run + place * CHANNELS;
    int16_t beyond = 0;
    for (int i = 0; i < USUAL_STEP * USUAL_STEP; i++) {
        bytes[i] = (uint8_t)values[i];
        beyond |= (int16_t)((uint16_t)(values[i] + 128) >> 8);
    }
    into->beyond |= beyond;
    for (int pair = 0; pair < USUAL_STEP / 2; pair++) {
        for (int channel = 0; channel < USUAL_STEP; channel++) {
            memcpy(to + 2 * channel, bytes + USUAL_STEP * channel + 2 * pair, 2);
        }
        to += 2 * CHANNELS;
    }
}

/* All output channels of a ublock at one place: steps of input channels, in which each has some. */
static void take_place(struct arranging *into, const int16_t *values, const struct block *block,
                       int64_t ofm_ublock, int64_t ifm_ublock, int64_t y, int64_t x)
{
    const struct weight_order *order = into->order;
    const int64_t step = order->ifm_step, lanes = into->share.lanes;
    const int64_t pitch = order->group * (order->own_blocks ? 1 : order->cores);
    const int64_t first = order->own_blocks ? 0 : order->group * into->core;
    const int64_t left = order->apart ? 0 : x * order->ifm_depth;
    for (int64_t from = 0; from < order->ifm_ublock; from += step) {
        const int64_t ifm = ifm_ublock * order->ifm_ublock + from;
        const int64_t inside = ifm < block->ifm_depth ? smaller(step, block->ifm_depth - ifm) : 0;
        const int64_t place = left + block->ifm + ifm;
        for (int64_t lane = 0; lane < lanes; lane++) {
            const int64_t own = ofm_ublock * lanes + lane;
            const int64_t ofm =
                order->cores == 1 ? own : own / order->group * pitch + own % order->group + first;
            const int64_t among = block->ofm + ofm;
            const int64_t channel = order->own_blocks ? among * order->cores + into->core : among;
            if (step == USUAL_STEP && inside == step && place % 2 == 0 && order->size == 1 && order->cores == 1 &&
                lane + USUAL_STEP <= lanes && ofm + USUAL_STEP <= block->ofm_depth &&
                channel % CHANNELS + USUAL_STEP <= CHANNELS) {
                take_square(into, values, weights_of(into, channel, y, x), place);
                values += USUAL_STEP * USUAL_STEP;
                lane += USUAL_STEP - 1;
                continue;
            }
            const int64_t count = ofm < block->ofm_depth ? inside : 0;
            if (count > 0) {
                take_weights(into, values, count, weights_of(into, channel, y, x), place);
            }
            take_stray(into, values + count, step - count);
            values += step;
        }
    }
}

static bool take_part(struct arranging *into, struct values *values, const struct block *block,
                      const struct places *places)
{
    const struct weight_order *order = into->order;
    const int64_t at_once = order->ifm_ublock * into->share.lanes; /* values of a place */
    const int64_t groups = ceiling(places->count, order->multiple);
    const int64_t ofm_ublocks = ceiling(block->ofm_depth, order->ofm_ublock);
    for (int64_t ifm_ublock = 0; ifm_ublock * order->ifm_ublock < block->ifm_depth; ifm_ublock++) {
        for (int64_t ofm_ublock = 0; ofm_ublock < ofm_ublocks; ofm_ublock++) {
            for (int64_t group = 0; group < groups; group++) {
                for (int64_t i = 0; i < order->multiple + order->gap; i++) {
                    const int64_t place = group * order->multiple + i;
                    const int16_t *found = next_values(values, at_once);
                    if (found == NULL) {
                        return false;
                    }
                    if (i < order->multiple && place < places->count) {
                        take_place(into, found, block, ofm_ublock, ifm_ublock, places->y[place], places->x[place]);
                    } else {
                        take_stray(into, found, at_once);
                    }
                }
                skip_values(values, into->skipped);
            }
        }
    }
    return true;
}

/* The parts of the kernel, one after the other. */
static bool take_kernel(struct arranging *into, struct values *values, const struct block *block)
{
    const struct weight_order *order = into->order;
    const int64_t rows = ceiling(order->kernel_height, order->part_height);
    const int64_t columns = ceiling(order->kernel_width, order->part_width);
    bool whole = true;
    for (int64_t part = 0; whole && part < rows * columns; part++) {
        const int64_t row = order->downwards ? part % rows : part / columns;
        const int64_t column = order->downwards ? part / rows : part % columns;
        struct places places;
        find_places(&places, order, row * order->part_height, column * order->part_width);
        whole = take_part(into, values, block, &places);
    }
    return whole;
}

static bool take_core(struct arranging *into, struct values *values)
{
    const struct weight_order *order = into->order;
    const struct share *share = &into->share;
    const int64_t blocks = ceiling(order->ifm_depth, order->ifm_block);
    for (int64_t ofm = 0; ofm < share->depth; ofm += share->block) {
        const bool backwards = order->serpentine && ofm / share->block % 2;
        for (int64_t i = 0; i < blocks; i++) {
            const int64_t ifm = (backwards ? blocks - 1 - i : i) * order->ifm_block;
            const struct block block = {ofm, smaller(share->block, share->depth - ofm), ifm,
                                        smaller(order->ifm_block, order->ifm_depth - ifm)};
            if (!take_kernel(into, values, &block)) {
                return false;
            }
        }
    }
    return true;
}

/* The stream of one core, or what one core takes of the stream of all. */
static bool take_stream(struct arranging *into, struct values *values, struct bytes stream)
{
    const struct weight_order *order = into->order;
    const int64_t cores = order->fast ? order->cores : 1;
    /* Values of a core that are together where those of all cores are in one stream. */
    const int64_t together = order->ifm_ublock * into->share.lanes * order->multiple;
    values->stream = stream;
    values->length = stream_length(order, into->share) * cores;
    values->position = values->taken = values->there = 0;
    if (values->length / MOST_VALUES_A_BYTE > stream.size) {
        return false; /* it cannot have so many, and they are not worth the room */
    }
    if (order->fast) {
        into->skipped = (cores - 1) * together;
        skip_values(values, into->core * together);
        return fast_has(stream, values->length) && take_core(into, values);
    }
    int16_t another;
    mlw_begin(&values->mlw, stream.start, stream.size);
    return take_core(into, values) && mlw_read(&values->mlw, &another, 1) == 0;
}

static enum packing take_streams(struct arranging *into, const struct bytes *streams, int64_t count)
{
    const struct weight_order *order = into->order;
    struct values values = {.fast = order->fast};
    bool whole = true;
    for (int64_t core = 0; whole && core < (order->fast ? order->cores : count); core++) {
        const struct bytes stream = streams[order->fast ? 0 : core];
        into->core = core;
        into->share = share_of(order, core);
        if (into->share.block < 1) {
            whole = false;
        } else if (stream.size > 0 || order->own_blocks || order->fast) { /* else no channel is this core's */
            const int64_t room = PORTION + order->ifm_ublock * into->share.lanes;
            if (room > values.room) {
                free(values.portion);
                values.portion = malloc((size_t)room * sizeof *values.portion);
                values.room = room;
                if (values.portion == NULL) {
                    return NO_ROOM;
                }
            }
            whole = take_stream(into, &values, stream);
        }
    }
    free(values.portion);
    if (!whole || (order->strict && into->stray)) {
        return DAMAGED;
    }
    return into->beyond && order->size == 1 ? TOO_WIDE : PACKED;
}

static uint64_t number(const uint8_t *bytes, int64_t count)
{
    uint64_t found = 0;
    for (int64_t i = 0; i < count; i++) {
        found |= (uint64_t)bytes[i] << 8 * i;
    }
    return found;
}

static bool take_scales(const struct weight_order *order, const struct bytes *records, int64_t count,
                        int64_t *rows)
{
    const int64_t channels = channels_of(order), bias_bits = 8 * order->bias_bytes;
    for (int64_t core = 0; core < count; core++) {
        const int64_t depth = share_of(order, core).depth, step = order->own_blocks ? order->cores : 1;
        if (records[core].size < RECORD_BYTES * depth) {
            return false;
        }
        for (int64_t i = 0; i < depth; i++) {
            const uint8_t *record = records[core].start + RECORD_BYTES * i;
            const uint64_t bias = number(record, order->bias_bytes) << (64 - bias_bits);
            const uint64_t multiplier = number(record + order->bias_bytes, order->multiplier_bytes);
            int64_t *row = rows + i * step + core;
            if (multiplier >> order->multiplier_bits) {
                return false;
            }
            row[ROW_BIAS * channels] = (int64_t)bias >> (64 - bias_bits);
            const int64_t shift = record[order->bias_bytes + order->multiplier_bytes] & SHIFT_BITS;
            row[ROW_SCALE * channels] = scale_word((int64_t)multiplier, shift);
        }
    }
    return true;
}

static int64_t greatest(const int64_t *values, int64_t count)
{
    int64_t found = 0;
    for (int64_t i = 0; i < count; i++) {
        const int64_t magnitude = values[i] < 0 ? -values[i] : values[i];
        found = magnitude > found ? magnitude : found;
    }
    return found;
}

/* The sum of every channel's weights, if there is a place for it; returns the greatest sum of their magnitudes. */
static int64_t add_up(const struct weight_order *order, const uint8_t *weights, int64_t *sums)
{
    const int64_t pairs = segments_of(order) * pairs_of(order);
    int64_t largest = 0;
    for (int64_t channel = 0; channel < channels_of(order); channel += CHANNELS) {
        int64_t magnitudes[CHANNELS] = {0};
        for (int64_t from = 0; from < pairs; from += PORTION) {
            int32_t sum[2 * CHANNELS] = {0}, magnitude[2 * CHANNELS] = {0};
            for (int64_t pair = from; pair < smaller(from + PORTION, pairs); pair++) {
                const int16_t *words = (const int16_t *)(const void *)weights;
                for (int i = 0; i < 2 * CHANNELS; i++) {
                    const int32_t weight = order->size == 1 ? (int8_t)weights[i] : words[i];
                    sum[i] += weight;
                    magnitude[i] += weight < 0 ? -weight : weight;
                }
                weights += 2 * CHANNELS * order->size;
            }
            for (int i = 0; i < 2 * CHANNELS; i++) {
                magnitudes[i / 2] += magnitude[i];
            }
            for (int i = 0; sums != NULL && i < 2 * CHANNELS; i++) {
                sums[channel + i / 2] += sum[i];
            }
        }
        const int64_t here = greatest(magnitudes, CHANNELS);
        largest = here > largest ? here : largest;
    }
    return largest;
}

/* Whether all that scaling computes on the way fits 64 bits. */
static bool is_narrow(const struct weight_order *order, const int64_t *rows, int64_t largest)
{
    const int64_t channels = channels_of(order), *scales = rows + ROW_SCALE * channels;
    const wide_t sum = (wide_t)largest * order->span + greatest(rows + ROW_BIAS * channels, channels);
    int64_t multiplier = 0;
    for (int64_t i = 0; i < channels; i++) {
        const int64_t found = multiplier_of(scales[i]);
        multiplier = found > multiplier ? found : multiplier;
    }
    return sum * multiplier < (wide_t)1 << 62 && shift_of(greatest(scales, channels)) <= 62;
}

static void note_streams(struct packed_stream *to, const struct bytes *streams, int64_t count)
{
    for (int64_t i = 0; i < count; i++) {
        to[i] = (struct packed_stream){(int64_t)(uintptr_t)streams[i].start, streams[i].size};
    }
}

enum packing pack_weights(const struct weight_order *order, const struct bytes *streams, int64_t stream_count,
                          const struct bytes *records, int64_t record_count, struct packed_weights *packed)
{
    uint8_t *start = (uint8_t *)packed, *behind = (uint8_t *)(packed + 1);
    const int64_t channels = channels_of(order);
    /* The weights first: their address is a multiple of what a cache line holds. */
    uint8_t *weights = behind + (size_t)(-(uintptr_t)behind % ALIGNMENT);
    int64_t *rows = (int64_t *)(void *)(weights + weight_bytes(order));
    struct packed_stream *noted = (struct packed_stream *)(void *)((uint8_t *)rows + scale_bytes(order));
    struct arranging into = {
        .order = order,
        .weights = weights,
        .segments = segments_of(order),
        .pairs = pairs_of(order),
    };
    if (!take_scales(order, records, record_count, rows)) {
        return DAMAGED;
    }
    const enum packing found = take_streams(&into, streams, stream_count);
    if (found == PACKED) {
        const int64_t largest = add_up(order, weights, has_sums(order) ? rows + ROW_SUM * channels : NULL);
        note_streams(noted, streams, stream_count);
        note_streams(noted + stream_count, records, record_count);
        packed->streams = (uint8_t *)noted - start;
        packed->scales = (uint8_t *)rows - start;
        packed->weights = weights - start;
        packed->size = order->size;
        packed->channels = channels;
        packed->segments = into.segments;
        packed->pairs = into.pairs;
        packed->narrow = is_narrow(order, rows, largest);
        packed->largest = largest;
        __atomic_store_n(&packed->stream_count, stream_count + record_count, __ATOMIC_RELEASE);
    }
    return found;
}
