/* NPU_OP_DMA_START: a copy of bytes, or of planes of rows of them (U85). */

#include <string.h>

#include "run.h"
#include "scaling.h"

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

/* Whether all indices, of every item, name rows, and these lie in their region: nothing else is checked later. */
static bool rows_exist(const struct run *run, const struct operation *operation, int64_t length, int64_t rows,
                       int64_t planes)
{
    const struct indexed_rows *indices = &operation->indices, *indexed = &operation->indexed;
    const int64_t last = run->regions[indexed->region].size - length;
    for (int64_t item = 0; item < run->regions[indices->region].rows; item++) {
        const uint8_t *numbers = region_row(run, indices->region, item) + indices->address;
        for (int64_t i = 0; i < planes * rows; i++) {
            const int64_t plane = i / rows, row = i % rows;
            int32_t number;
            memcpy(&number, numbers + plane * indices->plane_step + row * indices->step, sizeof number);
            const wide_t place = (wide_t)indexed->address + (wide_t)plane * indexed->plane_step +
                                 (wide_t)number * indexed->step;
            if (number < 0 || number > operation->highest_index || place < 0 || place > last) {
                return false;
            }
        }
    }
    return true;
}

/* Offsets in their region of the rows that an item's indices name; they are read before anything is written. */
static int64_t *row_places(struct run *run, const struct operation *operation, int64_t item, int64_t rows,
                           int64_t planes)
{
    const struct indexed_rows *indices = &operation->indices, *indexed = &operation->indexed;
    const uint8_t *numbers = region_row(run, indices->region, item) + indices->address;
    int64_t *places = room_of(run, SLOT_ROWS, (size_t)(planes * rows) * sizeof *places);
    for (int64_t i = 0; places != NULL && i < planes * rows; i++) {
        const int64_t plane = i / rows, row = i % rows;
        int32_t number;
        memcpy(&number, numbers + plane * indices->plane_step + row * indices->step, sizeof number);
        places[i] = indexed->address + plane * indexed->plane_step + number * indexed->step;
    }
    return places;
}

enum outcome gather(struct run *run, const struct operation *operation)
{
    const struct map *to = &operation->ofm;
    const int64_t planes = to->height, rows = to->width, length = to->depth;
    const int64_t targets = run->regions[to->region].rows;
    if (!rows_exist(run, operation, length, rows, planes)) {
        return LEFT;
    }
    /* A copy, because the ranges may overlap; where the NPU's own memory is filled, of the first item. */
    uint8_t *content = room_of(run, SLOT_OFM, map_bytes(to));
    if (content == NULL) {
        return NO_MEMORY;
    }
    for (int64_t item = 0; item < run->batch; item++) {
        const uint8_t *memory = region_row(run, operation->indexed.region, item);
        const int64_t *places = row_places(run, operation, item, rows, planes);
        if (places == NULL) {
            return NO_MEMORY;
        }
        for (int64_t i = 0; i < planes * rows; i++) {
            uint8_t *row = content + i * length;
            if (targets == 1 && item > 0) {
                if (memcmp(row, memory + places[i], (size_t)length) != 0) {
                    return LEFT; /* one copy for all of the batch, whose items must agree */
                }
            } else {
                memcpy(row, memory + places[i], (size_t)length);
            }
        }
        if (targets > 1) {
            write_map(run, to, item, content);
        }
    }
    if (targets == 1) {
        write_map(run, to, 0, content);
    }
    return DONE;
}

enum outcome scatter(struct run *run, const struct operation *operation)
{
    const struct map *from = &operation->ifm;
    const int64_t planes = from->height, rows = from->width, length = from->depth;
    if (!rows_exist(run, operation, length, rows, planes)) {
        return LEFT;
    }
    uint8_t *content = room_of(run, SLOT_OFM, map_bytes(from));
    if (content == NULL) {
        return NO_MEMORY;
    }
    for (int64_t item = 0; item < run->batch; item++) {
        uint8_t *memory = region_row(run, operation->indexed.region, item);
        const uint8_t *found = read_map(run, from, item, SLOT_IFM);
        const int64_t *places = row_places(run, operation, item, rows, planes);
        if (found == NULL || places == NULL) {
            return NO_MEMORY;
        }
        memcpy(content, found, map_bytes(from));
        for (int64_t i = 0; i < planes * rows; i++) {
            memcpy(memory + places[i], content + i * length, (size_t)length);
        }
    }
    return DONE;
}
