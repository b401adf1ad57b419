/* Poolings: maxima and minima, sums and averages of windows, and sums over channels.
 *
 * deploy/npu/execution/pooling.py says the same in NumPy, and where it is known from. */

#include <string.h>

#include "run.h"
#include "scaling.h"

/* As PoolingMode numbers them; those that are not named sum up. */
enum { MODE_MAX = 0, MODE_REDUCE_SUM = 2, MODE_MIN = 5, MODE_ARGMAX_X = 6, MODE_ARGMAX_Y = 7 };

/* The part of a window along one axis that lies inside the upscaled IFM. */
struct span {
    int64_t first, end; /* elements of the kernel */
    int64_t place;      /* of its element 0 in the upscaled IFM */
};

static struct span span_at(int64_t place, int64_t kernel, int64_t dilation, int64_t extent)
{
    struct span span = {0, kernel, place};
    while (span.first < span.end && place + span.first * dilation < 0) {
        span.first++;
    }
    while (span.end > span.first && place + (span.end - 1) * dilation >= extent) {
        span.end--;
    }
    return span;
}

/* Multiplier and shift that divide by a count. */
static struct scale reciprocal(int64_t count, int64_t bits, int64_t up)
{
    const int64_t divisor = count < 1 ? 1 : count;
    int64_t length = 0;
    while ((divisor - 1) >> length) {
        length++;
    }
    const int64_t dividend = ((int64_t)1 << (bits + length)) + ((int64_t)1 << length) + (up ? divisor - 1 : 0);
    return (struct scale){.used = 1, .multiplier = dividend / divisor, .shift = bits + length};
}

static bool is_extreme(const struct operation *operation)
{
    return operation->mode == MODE_MAX || operation->mode == MODE_MIN;
}

/* Takes one element of the window, all its channels, into the values. */
static void take(int64_t *values, const int64_t *elements, int64_t count, int64_t mode)
{
    if (mode == MODE_MAX) {
        for (int64_t i = 0; i < count; i++) {
            values[i] = elements[i] > values[i] ? elements[i] : values[i];
        }
    } else if (mode == MODE_MIN) {
        for (int64_t i = 0; i < count; i++) {
            values[i] = elements[i] < values[i] ? elements[i] : values[i];
        }
    } else {
        for (int64_t i = 0; i < count; i++) {
            values[i] += elements[i];
        }
    }
}

/* What an extreme starts from, less the zero point: nothing of the type is beyond it. */
static int64_t never(const struct operation *operation)
{
    const int64_t type = operation->ifm.type, bits = 8 * TYPE_BYTES(type);
    const int64_t lowest = type & 1 ? -((int64_t)1 << (bits - 1)) : 0;
    const int64_t highest = lowest + ((int64_t)1 << bits) - 1;
    return (operation->mode == MODE_MAX ? lowest : highest) - operation->ifm.zero_point;
}

enum { CHUNK = 256 }; /* channels that are worked on at once */

/* Some channels of one window. */
static void window(const struct run *run, const struct operation *operation, const uint8_t *dense,
                   struct span rows, struct span columns, int64_t channel, int64_t count, int64_t *values)
{
    const struct map *ifm = &operation->ifm;
    const int64_t size = TYPE_BYTES(ifm->type), halved = operation->upscale != UPSCALE_NONE;
    const int64_t start = is_extreme(operation) ? never(operation) : 0;
    for (int64_t i = 0; i < count; i++) {
        values[i] = start;
    }
    for (int64_t ky = rows.first; ky < rows.end; ky++) {
        const int64_t y = rows.place + ky * operation->dilation_y;
        for (int64_t kx = columns.first; kx < columns.end; kx++) {
            const int64_t x = columns.place + kx * operation->dilation_x;
            if (operation->upscale == UPSCALE_TRANSPOSE && (y % 2 || x % 2)) {
                continue; /* a zero */
            }
            const int64_t place = ((y >> halved) * ifm->width + (x >> halved)) * ifm->depth + channel;
            int64_t elements[CHUNK];
            run->kernels->load(elements, dense + place * size, ifm->type, count, ifm->zero_point);
            take(values, elements, count, operation->mode);
        }
    }
}

static void divide(int64_t *values, int64_t count, struct scale by, int64_t rounding)
{
    for (int64_t i = 0; i < count; i++) {
        values[i] = rescale(values[i], by.multiplier, by.shift, rounding);
    }
}

static void all_windows(const struct run *run, const struct operation *operation, const uint8_t *dense,
                        uint8_t *result)
{
    const struct map *ofm = &operation->ofm;
    const int64_t size = TYPE_BYTES(ofm->type);
    /* Height and width of the upscaled IFM, of which an odd one has no second half of its last element. */
    const int64_t height = rows_read(operation) - operation->top - operation->bottom;
    const int64_t width = columns_read(operation) - operation->left - operation->right;
    for (int64_t y = 0; y < ofm->height; y++) {
        const struct span rows = span_at(y * operation->stride_y - operation->top, operation->kernel_height,
                                         operation->dilation_y, height);
        for (int64_t x = 0; x < ofm->width; x++) {
            const struct span columns = span_at(x * operation->stride_x - operation->left, operation->kernel_width,
                                                operation->dilation_x, width);
            struct scale by = {.used = 0};
            if (operation->divides) {
                by = reciprocal((rows.end - rows.first) * (columns.end - columns.first),
                                operation->reciprocal_bits, operation->reciprocal_up);
            }
            for (int64_t channel = 0; channel < ofm->depth; channel += CHUNK) {
                const int64_t left = ofm->depth - channel, count = left < CHUNK ? left : CHUNK;
                int64_t values[CHUNK];
                window(run, operation, dense, rows, columns, channel, count, values);
                if (operation->divides) {
                    divide(values, count, by, operation->rounding);
                } else {
                    apply_scale(run, operation, values, count);
                }
                finish(run, operation, values, count,
                       result + ((y * ofm->width + x) * ofm->depth + channel) * size);
            }
        }
    }
}

/* Every result depends on one byte. */
static void bytewise(const struct run *run, const struct operation *operation, const uint8_t *dense,
                     uint8_t *result)
{
    const int64_t count = operation->ofm.height * operation->ofm.width * operation->ofm.depth;
    uint8_t every[256], table[256 * 4];
    int64_t values[256];
    for (int i = 0; i < 256; i++) {
        every[i] = (uint8_t)i;
    }
    run->kernels->load(values, every, operation->ifm.type, 256, operation->ifm.zero_point);
    apply_scale(run, operation, values, 256);
    finish(run, operation, values, 256, table);
    look_up_bytes(dense, table, TYPE_BYTES(operation->ofm.type), count, result);
}

static void sum_channels(const struct run *run, const struct operation *operation, const uint8_t *dense,
                         uint8_t *result)
{
    const struct map *ifm = &operation->ifm, *ofm = &operation->ofm;
    const int64_t height = rows_read(operation) - operation->top - operation->bottom;
    const int64_t width = columns_read(operation) - operation->left - operation->right;
    for (int64_t y = 0; y < ofm->height; y++) {
        const struct span rows = span_at(y * operation->stride_y - operation->top, 1, 1, height);
        for (int64_t x = 0; x < ofm->width; x++) {
            const struct span columns = span_at(x * operation->stride_x - operation->left, 1, 1, width);
            int64_t sum = 0;
            for (int64_t channel = 0; channel < ifm->depth; channel += CHUNK) {
                const int64_t left = ifm->depth - channel, count = left < CHUNK ? left : CHUNK;
                int64_t values[CHUNK];
                window(run, operation, dense, rows, columns, channel, count, values);
                for (int64_t i = 0; i < count; i++) {
                    sum += values[i];
                }
            }
            apply_scale(run, operation, &sum, 1);
            finish(run, operation, &sum, 1, result + (y * ofm->width + x) * TYPE_BYTES(ofm->type));
        }
    }
}

/* Where in its window the first maximum of each channel is. */
static void find_places(const struct run *run, const struct operation *operation, const uint8_t *dense,
                        uint8_t *result)
{
    const struct map *ifm = &operation->ifm, *ofm = &operation->ofm;
    const int64_t kernel = operation->kernel_height * operation->kernel_width;
    for (int64_t pixel = 0; pixel < ofm->height * ofm->width; pixel++) {
        const int64_t top = pixel / ofm->width * operation->stride_y;
        const int64_t left = pixel % ofm->width * operation->stride_x;
        for (int64_t channel = 0; channel < ofm->depth; channel += CHUNK) {
            const int64_t rest = ofm->depth - channel, count = rest < CHUNK ? rest : CHUNK;
            int64_t values[CHUNK], highest[CHUNK], places[CHUNK] = {0};
            for (int64_t i = 0; i < kernel; i++) {
                const int64_t y = top + i / operation->kernel_width * operation->dilation_y;
                const int64_t x = left + i % operation->kernel_width * operation->dilation_x;
                const int64_t place = (y * ifm->width + x) * ifm->depth + channel;
                run->kernels->load(values, dense + place * TYPE_BYTES(ifm->type), ifm->type, count, 0);
                for (int64_t c = 0; c < count; c++) {
                    const bool higher = i == 0 || values[c] > highest[c];
                    highest[c] = higher ? values[c] : highest[c];
                    places[c] = higher ? i : places[c];
                }
            }
            finish(run, operation, places, count, result + (pixel * ofm->depth + channel) * TYPE_BYTES(ofm->type));
        }
    }
}

static bool is_bytewise(const struct operation *operation)
{
    return TYPE_BYTES(operation->ifm.type) == 1 && operation->kernel_height == 1 && operation->kernel_width == 1 &&
           operation->stride_y == 1 && operation->stride_x == 1 && operation->upscale == UPSCALE_NONE &&
           !operation->top && !operation->left && !operation->bottom && !operation->right && !operation->divides;
}

enum outcome pooling(struct run *run, const struct operation *operation, int64_t item)
{
    const uint8_t *dense = read_map(run, &operation->ifm, item, SLOT_IFM);
    uint8_t *result = room_of(run, SLOT_OFM, map_bytes(&operation->ofm));
    if (dense == NULL || result == NULL) {
        return NO_MEMORY;
    }
    if (operation->mode == MODE_REDUCE_SUM) {
        sum_channels(run, operation, dense, result);
    } else if (operation->mode == MODE_ARGMAX_X || operation->mode == MODE_ARGMAX_Y) {
        find_places(run, operation, dense, result);
    } else if (is_bytewise(operation)) {
        bytewise(run, operation, dense, result);
    } else {
        all_windows(run, operation, dense, result);
    }
    write_map(run, &operation->ofm, item, result);
    return DONE;
}

enum outcome fill_sums(struct run *run, const struct operation *operation, int64_t item)
{
    const struct map *ifm = &operation->ifm;
    const uint8_t *dense = read_map(run, ifm, item, SLOT_IFM);
    if (dense == NULL) {
        return NO_MEMORY;
    }
    run->kernels->load(kept_sums(run, item), dense, ifm->type, ifm->height * ifm->width * ifm->depth,
                       ifm->zero_point);
    return DONE;
}

bool numbers_fit(struct run *run, const struct operation *operation)
{
    const struct map *ifm = &operation->ifm;
    const int64_t limit = (int64_t)1 << (operation->number_bits - 1), all = ifm->height * ifm->width * ifm->depth;
    for (int64_t item = 0; item < run->batch; item++) {
        const uint8_t *dense = read_map(run, ifm, item, SLOT_IFM);
        for (int64_t from = 0; dense != NULL && from < all; from += CHUNK) {
            const int64_t left = all - from, count = left < CHUNK ? left : CHUNK;
            int64_t values[CHUNK];
            run->kernels->load(values, dense + from * TYPE_BYTES(ifm->type), ifm->type, count, 0);
            for (int64_t i = 0; i < count; i++) {
                if (values[i] < -limit || values[i] >= limit) {
                    return false;
                }
            }
        }
    }
    return true;
}
