/* Weights that are coded for fast decoding; deploy/npu/weights/fast.py says the same in NumPy, and what the format
 * is. */

#include "weights.h"

enum { HEADER = 32, OFFSET = 13, PALETTE_BIT = 112, ENTRIES = 16, ENTRY_BITS = 9, WITHOUT_PALETTE = 1, SMALL = 2 };

static int bits_of(struct bytes stream)
{
    return stream.start[0] & WITHOUT_PALETTE ? 8 : stream.start[0] & SMALL ? 2 : 4;
}

static int16_t palette_entry(const uint8_t *header, int number)
{
    const int bit = PALETTE_BIT + ENTRY_BITS * number;
    const int entry = (header[bit / 8] | header[bit / 8 + 1] << 8) >> bit % 8 & ((1 << ENTRY_BITS) - 1);
    return (int16_t)(entry & 1 ? -(entry >> 1) : entry >> 1);
}

bool fast_has(struct bytes stream, int64_t count)
{
    return stream.size >= HEADER && stream.size - HEADER >= (count * bits_of(stream) + 7) / 8;
}

void fast_read(struct bytes stream, int64_t first, int64_t count, int16_t *to)
{
    const uint8_t *header = stream.start, *data = stream.start + HEADER;
    const int64_t bits = bits_of(stream);
    int16_t palette[ENTRIES];
    if (header[0] & WITHOUT_PALETTE) {
        for (int64_t i = 0; i < count; i++) {
            to[i] = (int16_t)((int8_t)data[first + i] - (int8_t)header[OFFSET]);
        }
        return;
    }
    for (int i = 0; i < ENTRIES; i++) {
        palette[i] = palette_entry(header, i);
    }
    for (int64_t i = 0; i < count; i++) {
        const int64_t bit = (first + i) * bits;
        to[i] = palette[data[bit / 8] >> bit % 8 & ((1 << bits) - 1)];
    }
}
