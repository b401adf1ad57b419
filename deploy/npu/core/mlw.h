/* Decompression of weight streams. */

#ifndef NPU_CORE_MLW_H
#define NPU_CORE_MLW_H

#include <assert.h>
#include <stdint.h>

/* To work in. */
struct mlw_room {
    _Alignas(8) uint8_t bytes[(1 << 15) * 8 + 1024];
};

/* At most `limit` values of a stream; how many they are, or -1 for a stream that does not decode to that. */
int64_t decompress(const uint8_t *bytes, int64_t length, int16_t *to, int64_t limit, struct mlw_room *room);

#endif
