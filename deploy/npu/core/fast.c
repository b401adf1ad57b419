/* Weights that are coded for fast decoding; deploy/npu/weights/fast.py says the same in NumPy, and what the format
 * is. */

#include "weights.h"

enum { HEADER = 32, OFFSET = 13, PALETTE_BIT = 112, ENTRIES = 16, ENTRY_BITS = 9, WITHOUT_PALETTE = 1, SMALL = 2 };

static int16_t palette_entry(const uint8_t *header, int number)
{
    const int bit = PALETTE_BIT + ENTRY_BITS * number;
    const int entry = (header[bit / 8] | header[bit / 8 + 1] << 8) >> bit % 8 & ((1 << ENTRY_BITS) - 1);
    return (int16_t)(entry & 1 ? -(entry >> 1) : entry >> 1);
}

int decompress_fast(struct bytes stream, int64_t count, int16_t *to)
{
    const uint8_t *header = stream.start, *data = stream.start + HEADER;
    const int flags = stream.size > 0 ? header[0] : 0;
    const int bits = flags & WITHOUT_PALETTE ? 8 : flags & SMALL ? 2 : 4;
    int16_t palette[ENTRIES];
    if (stream.size < HEADER + (count * bits + 7) / 8) {
        return 0;
    }
    if (flags & WITHOUT_PALETTE) {
        for (int64_t i = 0; i < count; i++) {
            to[i] = (int16_t)((int8_t)data[i] - (int8_t)header[OFFSET]);
        }
        return 1;
    }
    for (int i = 0; i < ENTRIES; i++) {
        palette[i] = palette_entry(header, i);
    }
    for (int64_t i = 0; i < count; i++) {
        to[i] = palette[data[i * bits / 8] >> i * bits % 8 & ((1 << bits) - 1)];
    }
    return 1;
}
