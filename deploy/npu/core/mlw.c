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
    MOST_WEIGHTS = 1 << 15,
    MOST_BITS = 56,       /* that are read at once */
    MOST_BYTES = 1 << 26, /* of a stream */
    INDICES = 512,        /* of weights of 9 bits */
    FAR = 1 << 24         /* beyond all weights, and all runs that are worth it */
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

static int64_t smaller(int64_t a, int64_t b)
{
    return a < b ? a : b;
}

/* How indices become weights. */
struct palette {
    bool known;
    int64_t size;
    int64_t width;
    bool zero_runs;
    int16_t weights[INDICES]; /* by their indices */
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
    int64_t begun;   /* symbols whose quotients were seen; may exceed the count by those of a chunk */
    int64_t pending; /* of them, those whose remainders are still to come */
    int32_t open;    /* what has been seen of the next quotient */
    int32_t values[MOST_WEIGHTS + 1 + CHUNK];
};

/* The remainders of the chunk before; moves the position behind them. */
static void read_remainders(const struct bits *bits, int64_t *position, struct symbols *symbols, int64_t first)
{
    const int64_t divisor = symbols->divisor, mask = ((int64_t)1 << divisor) - 1;
    int32_t *value = symbols->values + first;
    int64_t left = symbols->pending;
    while (divisor > 0 && left > 0) {
        const int64_t together = left * divisor <= MOST_BITS ? left : MOST_BITS / divisor;
        uint64_t remainders = peek(bits, *position, together * divisor);
        for (int64_t i = 0; i < together; i++) {
            *value = (int32_t)(smaller(*value, FAR) << divisor | (int64_t)(remainders & (uint64_t)mask));
            remainders >>= divisor;
            value++;
        }
        *position += together * divisor;
        left -= together;
    }
    symbols->pending = 0;
}

static void take_weights(struct symbols *weights, const struct slice *slice, uint64_t unary0, uint64_t unary1,
                         int64_t most)
{
    int32_t *value = weights->values + weights->begun, open = weights->open;
    if (slice->uncompressed) {
        memset(value, 0, (size_t)most * sizeof *value);
        weights->begun += most;
        return;
    }
    /* A digit is 0, 1 or 2; a 2 goes on in the next one unless truncated. */
    const int32_t last = slice->truncated ? 3 : 2;
    for (int digit = 0; digit < CHUNK; digit++) {
        const uint64_t one = unary0 >> digit & 1, both = one & unary1;
        const int32_t found = (int32_t)(one + both);
        const bool ends = found < last;
        unary1 >>= one;
        open += found;
        *value = open;
        value += ends;
        open = ends ? 0 : open;
    }
    weights->begun = value - weights->values;
    weights->open = open;
}

static void take_zeros(struct symbols *zeros, uint64_t unary, int64_t width)
{
    int32_t *value = zeros->values + zeros->begun, open = zeros->open;
    for (int digit = 0; digit < width; digit++) {
        const int32_t goes_on = unary >> digit & 1;
        *value = open;
        value += 1 - goes_on;
        open = goes_on ? open + 1 : 0;
    }
    zeros->begun = value - zeros->values;
    zeros->open = open;
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
        uint64_t unary0 = 0, unary1 = 0, zero_unary = 0;
        if (*position > bits->size) {
            return false;
        }
        if (take && !slice->uncompressed) {
            unary0 = peek(bits, *position, CHUNK);
            *position += CHUNK;
        }
        if (take_zero_runs) {
            zero_unary = peek(bits, *position, zero_width);
            *position += zero_width;
        }
        if (take && !slice->uncompressed) {
            const int64_t width = __builtin_popcountll(unary0);
            unary1 = peek(bits, *position, width);
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

/* Weights of a slice and the zeros between them; how many they are together, or -1. */
static int64_t take_symbols(const struct slice *slice, const struct palette *palette, int16_t *to, int64_t room,
                            const int32_t *indices, const int32_t *runs)
{
    int64_t produced = 0;
    int32_t seen = 0;
    if (slice->zero_runs && slice->new_palette) {
        /* A slice that brings a palette may start with zeros; the other runs follow their weight. */
        if (*runs >= FAR || *runs + slice->count > room) {
            return -1;
        }
        memset(to, 0, (size_t)*runs * sizeof *to);
        produced = *runs++;
    }
    for (int64_t i = 0; i < slice->count; i++) {
        seen |= indices[i];
        to[produced++] = palette->weights[indices[i] & (INDICES - 1)];
        if (slice->zero_runs) {
            const int32_t run = runs[i];
            if (run >= FAR || produced + run + slice->count - i - 1 > room) {
                return -1;
            }
            memset(to + produced, 0, (size_t)run * sizeof *to);
            produced += run;
        }
    }
    return seen < INDICES ? produced : -1;
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
            weights->values[i] = (int32_t)peek(bits, *position, slice->divisor);
            *position += slice->divisor;
        }
        if (*position > bits->size) {
            return -1;
        }
    } else if (!walk(bits, position, slice, weights, zeros)) {
        return -1;
    }
    return take_symbols(slice, palette, to, room, weights->values, zeros->values);
}

static bool read_palette(const struct bits *bits, int64_t *position, bool zero_runs, struct palette *palette)
{
    const int64_t word = (int64_t)peek(bits, *position, 13), direct_offset = word & 31;
    palette->size = word >> 5 & 31;
    palette->size += palette->size > 0;
    palette->width = (word >> 10 & 7) + 2;
    palette->zero_runs = zero_runs;
    palette->known = true;
    *position += 13;
    for (int64_t i = 0; i < INDICES; i++) {
        int64_t value = i - palette->size + direct_offset;
        if (i < palette->size) {
            value = (int64_t)peek(bits, *position, palette->width);
            *position += palette->width;
        }
        palette->weights[i] = (int16_t)(value & 1 ? -(value >> 1) : value >> 1);
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
    if (length > MOST_BYTES) {
        return -1; /* quotients of more than 31 bits */
    }
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
