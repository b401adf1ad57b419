/* Weight streams, decompressed. deploy/npu/weights/mlw.py says the same in NumPy, and what the format is.
 *
 * Whatever is wrong with a stream, the answer is -1: NumPy then says what it is. */

#include "mlw.h"

#include <stdbool.h>
#include <stddef.h>
#include <string.h>

enum {
    ZERO_RUNS_OFF = 6,
    END_OF_STREAM = 7,
    UNCOMPRESSED = 7,
    CHUNK = 12,
    MOST_ENTRIES = 32,
    MOST_WEIGHTS = 1 << 15
};

/* The bits of a stream, least significant bit of a byte first; behind its end there are zeros. */
struct bits {
    const uint8_t *bytes;
    int64_t size; /* in bits */
};

/* At most 56 bits. */
static uint64_t peek(const struct bits *bits, int64_t position, int64_t count)
{
    const int64_t start = position >> 3, length = bits->size >> 3, left = length - start;
    uint64_t word = 0;
    if (left > 0) {
        memcpy(&word, bits->bytes + start, left < 8 ? (size_t)left : 8);
    }
    return word >> (position & 7) & (((uint64_t)1 << count) - 1);
}

/* How indices become weights. */
struct palette {
    bool known;
    int64_t direct_offset;
    int64_t size;
    int64_t width;
    bool zero_runs;
    int64_t entries[MOST_ENTRIES + 1];
};

struct slice {
    int64_t count;
    int64_t zero_divisor;
    int64_t divisor;
    bool truncated;
    bool new_palette;
    bool uncompressed;
    bool zero_runs;
};

/* Symbols of a kind, weights or zero runs: quotients as they come, then the remainders of each chunk. */
struct symbols {
    int64_t count;   /* that there are to be */
    int64_t divisor; /* bits of a remainder */
    int64_t begun;   /* symbols whose quotients were seen; may exceed the count */
    int64_t pending; /* of them, those whose remainders are still to come */
    int64_t open;    /* what has been seen of the next quotient */
    int64_t values[MOST_WEIGHTS + 1];
};

static void add_symbol(struct symbols *symbols, int64_t quotient)
{
    if (symbols->begun < symbols->count) {
        symbols->values[symbols->begun] = quotient;
    }
    symbols->begun++;
}

/* The remainders of the chunk before; moves the position behind them. */
static void read_remainders(const struct bits *bits, int64_t *position, struct symbols *symbols, int64_t first)
{
    for (int64_t i = 0; i < symbols->pending; i++) {
        const int64_t remainder = (int64_t)peek(bits, *position, symbols->divisor);
        symbols->values[first + i] = symbols->values[first + i] * ((int64_t)1 << symbols->divisor) + remainder;
        *position += symbols->divisor;
    }
    symbols->pending = 0;
}

static void take_weights(struct symbols *weights, const struct slice *slice, int64_t unary0, int64_t unary1,
                         int64_t most)
{
    if (slice->uncompressed) {
        for (int64_t i = 0; i < most; i++) {
            add_symbol(weights, 0);
        }
        return;
    }
    for (int digit = 0; digit < CHUNK; digit++) {
        int64_t value = unary0 >> digit & 1;
        if (value) {
            value += unary1 & 1;
            unary1 >>= 1;
        }
        if (slice->truncated) {
            add_symbol(weights, value);
            continue;
        }
        weights->open += value;
        if (value < 2) {
            add_symbol(weights, weights->open);
            weights->open = 0;
        }
    }
}

static void take_zeros(struct symbols *zeros, int64_t unary, int64_t width)
{
    for (int digit = 0; digit < width; digit++) {
        if (unary >> digit & 1) {
            zeros->open++;
        } else {
            add_symbol(zeros, zeros->open);
            zeros->open = 0;
        }
    }
}

static int64_t smaller(int64_t a, int64_t b)
{
    return a < b ? a : b;
}

/* All symbols of a slice; whether the stream has room for them. */
static bool walk(const struct bits *bits, int64_t *position, const struct slice *slice, struct symbols *weights,
                 struct symbols *zeros)
{
    const int64_t zero_width = slice->zero_divisor < 3 ? 12 : 8;
    const int64_t most = slice->uncompressed && slice->divisor > 5 ? 8 : CHUNK;
    int64_t weights_first = 0, zeros_first = 0;
    for (;;) {
        const int64_t balance = slice->zero_runs ? weights->begun - zeros->begun : 0;
        const bool take = balance < 8 && weights->begun < weights->count;
        const bool take_zero_runs = slice->zero_runs && balance >= 0 && zeros->begun < zeros->count;
        int64_t unary0 = 0, unary1 = 0, zero_unary = 0;
        if (*position > bits->size) {
            return false;
        }
        if (take && !slice->uncompressed) {
            unary0 = (int64_t)peek(bits, *position, CHUNK);
            *position += CHUNK;
        }
        if (take_zero_runs) {
            zero_unary = (int64_t)peek(bits, *position, zero_width);
            *position += zero_width;
        }
        if (take && !slice->uncompressed) {
            const int64_t width = __builtin_popcountll((uint64_t)unary0);
            unary1 = (int64_t)peek(bits, *position, width);
            *position += width;
        }
        read_remainders(bits, position, weights, weights_first);
        read_remainders(bits, position, zeros, zeros_first);
        if (*position > bits->size) {
            return false;
        }
        if (take) {
            weights_first = weights->begun;
            take_weights(weights, slice, unary0, unary1, most);
            weights->pending = smaller(weights->begun, weights->count) - weights_first;
        }
        if (take_zero_runs) {
            zeros_first = zeros->begun;
            take_zeros(zeros, zero_unary, zero_width);
            zeros->pending = smaller(zeros->begun, zeros->count) - zeros_first;
        }
        if (!take && !take_zero_runs) {
            return true;
        }
    }
}

/* False for an index that stands for a weight of more than 9 bits. */
static bool weight_of(const struct palette *palette, int64_t index, int16_t *weight)
{
    if (index >= 512) {
        return false;
    }
    const int64_t value =
        index < palette->size ? palette->entries[index] : index - palette->size + palette->direct_offset;
    *weight = (int16_t)(value & 1 ? -(value >> 1) : value >> 1);
    return true;
}

static int64_t bit_length(int64_t value)
{
    int64_t length = 0;
    while (value >> length) {
        length++;
    }
    return length;
}

/* The values of a slice; how many they are, or -1. */
static int64_t read_slice(const struct bits *bits, int64_t *position, struct slice *slice,
                          const struct palette *palette, int16_t *to, int64_t room, struct symbols *weights,
                          struct symbols *zeros)
{
    if (slice->uncompressed) {
        slice->divisor = palette->size ? bit_length(palette->size - 1) : palette->width;
    }
    weights->count = slice->count;
    weights->divisor = slice->divisor;
    zeros->count = slice->zero_runs ? slice->count + slice->new_palette : 0;
    zeros->divisor = slice->zero_divisor;
    weights->begun = weights->pending = weights->open = zeros->begun = zeros->pending = zeros->open = 0;
    if (slice->count > room) {
        return -1;
    }
    if (slice->uncompressed && !slice->zero_runs) {
        for (int64_t i = 0; i < slice->count; i++) {
            weights->values[i] = (int64_t)peek(bits, *position, slice->divisor);
            *position += slice->divisor;
        }
        if (*position > bits->size) {
            return -1;
        }
    } else if (!walk(bits, position, slice, weights, zeros)) {
        return -1;
    }
    int64_t produced = 0, next_run = 0;
    for (int64_t i = -(int64_t)(slice->zero_runs && slice->new_palette); i < slice->count; i++) {
        /* A slice that brings a palette may start with zeros; the other runs follow their weight. */
        const int64_t run = slice->zero_runs ? zeros->values[next_run++] : 0;
        if (produced + (i >= 0) + run > room) {
            return -1;
        }
        if (i >= 0 && !weight_of(palette, weights->values[i], &to[produced++])) {
            return -1;
        }
        memset(to + produced, 0, (size_t)run * sizeof *to);
        produced += run;
    }
    return produced;
}

static bool read_palette(const struct bits *bits, int64_t *position, bool zero_runs, struct palette *palette)
{
    const int64_t word = (int64_t)peek(bits, *position, 13);
    palette->size = word >> 5 & 31;
    palette->size += palette->size > 0;
    palette->width = (word >> 10 & 7) + 2;
    palette->direct_offset = word & 31;
    palette->zero_runs = zero_runs;
    palette->known = true;
    *position += 13;
    for (int64_t i = 0; i < palette->size; i++) {
        palette->entries[i] = (int64_t)peek(bits, *position, palette->width);
        *position += palette->width;
    }
    return *position <= bits->size;
}

int64_t decompress(const uint8_t *bytes, int64_t length, int16_t *to, int64_t limit, struct mlw_room *room)
{
    const struct bits bits = {bytes, 8 * length};
    struct symbols *weights = (struct symbols *)(void *)room->bytes, *zeros = weights + 1;
    struct palette palette = {.known = false};
    int64_t position = 0, produced = 0;
    static_assert(2 * sizeof(struct symbols) <= sizeof(struct mlw_room),
                  "there is room for weights and zero runs");
    for (;;) {
        if (position + 3 > bits.size) {
            return -1;
        }
        const int64_t zero_divisor = (int64_t)peek(&bits, position, 3);
        position += 3;
        if (zero_divisor == END_OF_STREAM) {
            /* Up to the next byte; what follows is padding or another stream. */
            position = (position + 7) & ~(int64_t)7;
            palette.known = false;
            if (position >= bits.size) {
                return produced;
            }
            continue;
        }
        if ((zero_divisor > 3 && zero_divisor != ZERO_RUNS_OFF) || position + 20 > bits.size) {
            return -1;
        }
        const int64_t word = (int64_t)peek(&bits, position, 20), divisor = word >> 15 & 7;
        struct slice slice = {
            .count = (word & 0x7FFF) + 1,
            .zero_divisor = zero_divisor,
            .divisor = divisor,
            .truncated = word >> 18 & 1,
            .new_palette = word >> 19 & 1,
            .uncompressed = divisor == UNCOMPRESSED,
            .zero_runs = zero_divisor != ZERO_RUNS_OFF,
        };
        position += 20;
        if (divisor == 6 || (slice.new_palette && position + 13 > bits.size)) {
            return -1;
        }
        if (slice.new_palette && !read_palette(&bits, &position, slice.zero_runs, &palette)) {
            return -1;
        }
        if (!palette.known || palette.zero_runs != slice.zero_runs) {
            return -1;
        }
        const int64_t found =
            read_slice(&bits, &position, &slice, &palette, to + produced, limit - produced, weights, zeros);
        if (found < 0) {
            return -1;
        }
        produced += found;
    }
}
