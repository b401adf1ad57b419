/* Weight streams, decompressed. deploy/npu/weights/mlw.py says the same in NumPy, and what the format is.
 *
 * Whatever is wrong with a stream, the answer is -1: NumPy then says what it is. */

#include "mlw.h"

#include <stddef.h>
#include <string.h>

enum {
    ZERO_RUNS_OFF = 6,
    END_OF_STREAM = 7,
    UNCOMPRESSED = 7,
    CHUNK = MLW_CHUNK,
    USUAL_WIDTH = 8,      /* of an index in a slice that is not compressed */
    MOST_BITS = 56,       /* that are read at once */
    MOST_BYTES = 1 << 26, /* of a stream */
    FAR = 1 << 24         /* beyond all weights, and all runs that are worth it */
};

static int64_t smaller(int64_t a, int64_t b)
{
    return a < b ? a : b;
}

/* At most 56 bits. */
static inline uint64_t peek(const struct mlw_bits *bits, int64_t position, int64_t count)
{
    const int64_t start = position >> 3, left = (bits->size >> 3) - start;
    uint64_t word = 0;
    if (left >= 8) {
        memcpy(&word, bits->bytes + start, 8);
    } else if (left > 0) {
        memcpy(&word, bits->bytes + start, (size_t)left);
    }
    return word >> (position & 7) & (((uint64_t)1 << count) - 1);
}

/* Unary digits come four at a time. A digit is a bit of the first part and, where that is 1, one of the second. */
enum { DIGITS = 4, PATTERNS = 1 << DIGITS };

/* What becomes of weights and of zero runs: a 2 goes on in the next digit unless truncated, a 1 of a zero run. */
enum coding { TRUNCATED, GOING_ON, ZEROS, CODINGS };

/* What four digits say. */
struct quotients {
    uint8_t ended; /* symbols that end here */
    uint8_t ones;  /* bits of the second part */
    uint8_t open;  /* what has been seen of the next symbol */
    uint8_t values[DIGITS];
};

static struct quotients tables[CODINGS][PATTERNS * PATTERNS];

static struct quotients quotients_of(enum coding coding, int first, int second)
{
    struct quotients found = {0};
    const int last = coding == TRUNCATED ? 3 : coding == GOING_ON ? 2 : 1;
    for (int digit = 0; digit < DIGITS; digit++) {
        const int one = first >> digit & 1, value = one + (one & second);
        second >>= one;
        found.ones += (uint8_t)one;
        found.open += (uint8_t)value;
        if (value < last) {
            found.values[found.ended++] = found.open;
            found.open = 0;
        }
    }
    return found;
}

void mlw_prepare(void)
{
    for (int coding = 0; coding < CODINGS; coding++) {
        for (int pattern = 0; pattern < PATTERNS * PATTERNS; pattern++) {
            /* Zero runs have no second part. */
            const int second = coding == ZEROS ? 0 : pattern / PATTERNS;
            tables[coding][pattern] = quotients_of((enum coding)coding, pattern % PATTERNS, second);
        }
    }
}

/* The quotients of a chunk of so many digits. */
static inline void take_quotients(struct mlw_symbols *symbols, enum coding coding, uint64_t first, uint64_t second,
                                  int64_t digits)
{
    int32_t *value = symbols->values + (symbols->begun - symbols->first), open = symbols->open;
    const int32_t *begin = value;
    for (int64_t digit = 0; digit < digits; digit += DIGITS) {
        const uint64_t pattern = (first & (PATTERNS - 1)) | (second & (PATTERNS - 1)) << DIGITS;
        const struct quotients *found = &tables[coding][pattern];
        for (int i = 0; i < DIGITS; i++) {
            value[i] = found->values[i];
        }
        value[0] += open;
        open = found->open + (found->ended ? 0 : open);
        value += found->ended;
        first >>= DIGITS;
        second >>= found->ones;
    }
    symbols->begun += value - begin;
    symbols->open = open;
}

/* The remainders of the chunk before; moves the position behind them. */
static inline void read_remainders(const struct mlw_bits *bits, int64_t *position, struct mlw_symbols *symbols)
{
    const int64_t divisor = symbols->divisor, mask = ((int64_t)1 << divisor) - 1;
    int64_t left = symbols->pending;
    int32_t *value = symbols->values + (smaller(symbols->begun, symbols->count) - left - symbols->first);
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

/* Goes on in a slice until its symbols end or no more may wait; whether the stream has room for them. */
static bool walk(struct mlw_reader *reader)
{
    const struct mlw_bits *bits = &reader->bits;
    struct mlw_symbols *weights = &reader->weights, *zeros = &reader->zeros;
    const bool zero_runs = reader->zero_runs, uncompressed = reader->uncompressed;
    const int64_t zero_width = zeros->divisor < 3 ? 12 : 8;
    const int64_t most = uncompressed && weights->divisor > 5 ? 8 : CHUNK;
    const enum coding coding = reader->truncated ? TRUNCATED : GOING_ON;
    int64_t position = reader->position;
    while (weights->begun - weights->first <= MLW_QUEUE - CHUNK &&
           zeros->begun - zeros->first <= MLW_QUEUE - CHUNK) {
        const int64_t balance = zero_runs ? weights->begun - zeros->begun : 0;
        const bool take = balance < 8 && weights->begun < weights->count;
        const bool take_zero_runs = zero_runs && balance >= 0 && zeros->begun < zeros->count;
        uint64_t unary0 = 0, unary1 = 0, zero_unary = 0;
        if (position > bits->size) {
            return false;
        }
        if (take && !uncompressed) {
            unary0 = peek(bits, position, CHUNK);
            position += CHUNK;
        }
        if (take_zero_runs) {
            zero_unary = peek(bits, position, zero_width);
            position += zero_width;
        }
        if (take && !uncompressed) {
            const int64_t width = __builtin_popcountll(unary0);
            unary1 = peek(bits, position, width);
            position += width;
        }
        read_remainders(bits, &position, weights);
        read_remainders(bits, &position, zeros);
        if (position > bits->size) {
            return false;
        }
        if (take) {
            const int64_t first = weights->begun;
            if (uncompressed) {
                memset(weights->values + (first - weights->first), 0, (size_t)most * sizeof *weights->values);
                weights->begun += most;
            } else {
                take_quotients(weights, coding, unary0, unary1, CHUNK);
            }
            weights->pending = smaller(weights->begun, weights->count) - first;
        }
        if (take_zero_runs) {
            const int64_t first = zeros->begun;
            take_quotients(zeros, ZEROS, zero_unary, 0, zero_width);
            zeros->pending = smaller(zeros->begun, zeros->count) - first;
        }
        if (!take && !take_zero_runs) {
            reader->walked = true;
            break;
        }
    }
    reader->position = position;
    return true;
}

/* What waits moves to the front of the queue. */
static void tidy_up(struct mlw_symbols *symbols)
{
    const int64_t gone = symbols->taken - symbols->first, left = symbols->begun - symbols->taken;
    if (left > 0) {
        memmove(symbols->values, symbols->values + gone, (size_t)left * sizeof *symbols->values);
    }
    symbols->first = symbols->taken;
}

/* Symbols that wait and are whole. */
static int64_t whole(const struct mlw_symbols *symbols)
{
    return smaller(symbols->begun, symbols->count) - symbols->pending - symbols->taken;
}

/* Weights that wait; how many there were, or -1. */
static int64_t take_weights(struct mlw_reader *reader, int16_t *to, int64_t room)
{
    struct mlw_symbols *weights = &reader->weights;
    const int32_t *index = weights->values + (weights->taken - weights->first);
    const int64_t count = smaller(room, whole(weights));
    int32_t seen = 0;
    for (int64_t i = 0; i < count; i++) {
        seen |= index[i];
        to[i] = reader->palette.weights[index[i] & (MLW_INDICES - 1)];
    }
    weights->taken += count;
    return seen < MLW_INDICES ? count : -1;
}

/* Weights of indices of so many bits, one behind the other. */
static inline void read_indices(struct mlw_reader *reader, int16_t *to, int64_t count, int64_t width)
{
    const uint64_t mask = ((uint64_t)1 << width) - 1;
    const int64_t most = width > 0 ? MOST_BITS / width : count;
    int64_t done = 0;
    for (int64_t together; done < count; done += together) {
        together = smaller(most, count - done);
        uint64_t bits = peek(&reader->bits, reader->position + done * width, together * width);
        for (int64_t i = 0; i < together; i++) {
            to[done + i] = reader->palette.weights[bits & mask];
            bits >>= width;
        }
    }
    reader->position += count * width;
}

/* Weights without unary parts and zero runs: remainders alone, none of which has to wait; how many there were, or
 * -1. */
static int64_t take_plain(struct mlw_reader *reader, int16_t *to, int64_t room)
{
    struct mlw_symbols *weights = &reader->weights;
    const int64_t count = smaller(room, weights->count - weights->taken);
    if (weights->divisor == USUAL_WIDTH) {
        read_indices(reader, to, count, USUAL_WIDTH); /* shifts by a constant: in half the time */
    } else {
        read_indices(reader, to, count, weights->divisor);
    }
    weights->taken += count;
    reader->walked = weights->taken == weights->count;
    return reader->position <= reader->bits.size ? count : -1;
}

/* Weights that wait and the zeros behind each; a run that has no room goes on later. */
static int64_t take_weights_and_zeros(struct mlw_reader *reader, int16_t *to, int64_t room)
{
    struct mlw_symbols *weights = &reader->weights, *zeros = &reader->zeros;
    int64_t produced = smaller(reader->run_left, room);
    memset(to, 0, (size_t)room * sizeof *to);
    reader->run_left -= produced;
    if (reader->leading && reader->run_left == 0 && whole(zeros) > 0) {
        reader->run_left = zeros->values[zeros->taken++ - zeros->first];
        reader->leading = false;
    } else if (!reader->leading && reader->run_left == 0) {
        const int32_t *index = weights->values + (weights->taken - weights->first);
        const int32_t *run = zeros->values + (zeros->taken - zeros->first);
        const int64_t ready = smaller(whole(weights), whole(zeros));
        int32_t seen = 0;
        int64_t done = 0;
        while (done < ready && produced < room && reader->run_left == 0) {
            seen |= index[done];
            to[produced++] = reader->palette.weights[index[done] & (MLW_INDICES - 1)];
            const int64_t zeros_here = smaller(run[done], room - produced);
            reader->run_left = run[done] - zeros_here;
            produced += zeros_here;
            done++;
        }
        weights->taken += done;
        zeros->taken += done;
        if (seen >= MLW_INDICES) {
            return -1;
        }
    }
    return reader->run_left < FAR ? produced : -1;
}

static int64_t bit_length(int64_t value)
{
    int64_t length = 0;
    while (value >> length) {
        length++;
    }
    return length;
}

static bool read_palette(struct mlw_reader *reader, bool zero_runs)
{
    struct mlw_palette *palette = &reader->palette;
    const struct mlw_bits *bits = &reader->bits;
    const int64_t word = (int64_t)peek(bits, reader->position, 13), direct_offset = word & 31;
    palette->size = word >> 5 & 31;
    palette->size += palette->size > 0;
    palette->width = (word >> 10 & 7) + 2;
    palette->zero_runs = zero_runs;
    palette->known = true;
    reader->position += 13;
    for (int64_t i = 0; i < MLW_INDICES; i++) {
        int64_t value = i - palette->size + direct_offset;
        if (i < palette->size) {
            value = (int64_t)peek(bits, reader->position, palette->width);
            reader->position += palette->width;
        }
        palette->weights[i] = (int16_t)(value & 1 ? -(value >> 1) : value >> 1);
    }
    return reader->position <= bits->size;
}

static void begin_symbols(struct mlw_symbols *symbols, int64_t count, int64_t divisor)
{
    symbols->count = count;
    symbols->divisor = divisor;
    symbols->begun = symbols->pending = symbols->taken = symbols->first = symbols->open = 0;
}

enum next { SLICE, NOTHING, DAMAGE };

/* Moves to where the symbols of the next slice begin. */
static enum next begin_slice(struct mlw_reader *reader)
{
    const struct mlw_bits *bits = &reader->bits;
    while (!reader->ended) {
        if (reader->position + 3 > bits->size) {
            return DAMAGE;
        }
        const int64_t zero_divisor = (int64_t)peek(bits, reader->position, 3);
        reader->position += 3;
        if (zero_divisor == END_OF_STREAM) {
            /* Up to the next byte; what follows is padding or another stream. */
            reader->position = (reader->position + 7) & ~(int64_t)7;
            reader->palette.known = false;
            if (reader->position >= bits->size) {
                reader->ended = true;
                return NOTHING;
            }
            continue;
        }
        if ((zero_divisor > 3 && zero_divisor != ZERO_RUNS_OFF) || reader->position + 20 > bits->size) {
            return DAMAGE;
        }
        const int64_t word = (int64_t)peek(bits, reader->position, 20), coded_divisor = word >> 15 & 7;
        const bool new_palette = word >> 19 & 1;
        reader->position += 20;
        reader->truncated = word >> 18 & 1;
        reader->uncompressed = coded_divisor == UNCOMPRESSED;
        reader->zero_runs = zero_divisor != ZERO_RUNS_OFF;
        if (coded_divisor == 6 || (new_palette && reader->position + 13 > bits->size) ||
            (new_palette && !read_palette(reader, reader->zero_runs))) {
            return DAMAGE;
        }
        const struct mlw_palette *palette = &reader->palette;
        if (!palette->known || palette->zero_runs != reader->zero_runs) {
            return DAMAGE;
        }
        const int64_t count = (word & 0x7FFF) + 1;
        const int64_t index_bits = palette->size ? bit_length(palette->size - 1) : palette->width;
        begin_symbols(&reader->weights, count, reader->uncompressed ? index_bits : coded_divisor);
        begin_symbols(&reader->zeros, reader->zero_runs ? count + new_palette : 0, zero_divisor);
        /* A slice that brings a palette may start with zeros; the other runs follow their weight. */
        reader->leading = reader->zero_runs && new_palette;
        reader->run_left = 0;
        reader->walked = false;
        return SLICE;
    }
    return NOTHING;
}

void mlw_begin(struct mlw_reader *reader, const uint8_t *bytes, int64_t length)
{
    reader->bits = (struct mlw_bits){bytes, 8 * length};
    /* In a longer one there are quotients of more than 31 bits. */
    reader->position = length > MOST_BYTES ? 8 * length : 0;
    reader->palette.known = false;
    reader->inside = reader->ended = false;
}

int64_t mlw_read(struct mlw_reader *reader, int16_t *to, int64_t count)
{
    int64_t produced = 0;
    while (produced < count) {
        if (!reader->inside) {
            const enum next next = begin_slice(reader);
            if (next != SLICE) {
                return next == NOTHING ? produced : -1;
            }
            reader->inside = true;
        }
        const int64_t room = smaller(count - produced, MLW_QUEUE); /* which is filled with zeros first */
        const int64_t found = reader->zero_runs      ? take_weights_and_zeros(reader, to + produced, room)
                              : reader->uncompressed ? take_plain(reader, to + produced, room)
                                                     : take_weights(reader, to + produced, room);
        if (found < 0) {
            return -1;
        }
        produced += found;
        if (found > 0 || reader->run_left > 0) {
            continue;
        }
        if (reader->walked) {
            reader->inside =
                reader->weights.taken < reader->weights.count || reader->zeros.taken < reader->zeros.count;
            continue;
        }
        tidy_up(&reader->weights);
        tidy_up(&reader->zeros);
        if (!walk(reader)) {
            return -1;
        }
    }
    return produced;
}
