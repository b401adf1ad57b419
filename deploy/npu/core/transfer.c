/* NPU_OP_DMA_START: a copy of bytes, or of planes of rows of them (U85). */

#include <string.h>

#include "run.h"

enum outcome transfer(struct run *run, const struct operation *operation)
{
    const struct range *source = &operation->source, *destination = &operation->destination;
    const size_t length = (size_t)source->length;
    const int64_t rows = run->regions[destination->region].rows;
    if (rows == 1) {
        /* One copy for all of the batch, whose items must agree. */
        const uint8_t *content = region_row(run, source->region, 0) + source->address;
        for (int64_t item = 1; item < run->regions[source->region].rows; item++) {
            if (memcmp(region_row(run, source->region, item) + source->address, content, length) != 0) {
                return LEFT;
            }
        }
    }
    for (int64_t item = 0; item < rows; item++) {
        memmove(region_row(run, destination->region, item) + destination->address,
                region_row(run, source->region, item) + source->address, length);
    }
    return DONE;
}

enum outcome transfer_rows(struct run *run, const struct operation *operation)
{
    const struct map *source = &operation->ifm, *destination = &operation->ofm;
    const size_t bytes = map_bytes(source);
    const int64_t rows = run->regions[destination->region].rows;
    /* A copy, because the ranges may overlap; of rows that need none as well. */
    uint8_t *content = room_of(run, SLOT_OFM, bytes);
    if (content == NULL) {
        return NO_MEMORY;
    }
    for (int64_t item = 0; item < run->batch; item++) {
        const uint8_t *found = read_map(run, source, item, SLOT_IFM);
        if (found == NULL) {
            return NO_MEMORY;
        }
        if (rows == 1 && item > 0) {
            if (memcmp(content, found, bytes) != 0) {
                return LEFT; /* one copy for all of the batch, whose items must agree */
            }
            continue;
        }
        memcpy(content, found, bytes);
        if (rows > 1) {
            write_map(run, destination, item, content);
        }
    }
    if (rows == 1) {
        write_map(run, destination, 0, content);
    }
    return DONE;
}
