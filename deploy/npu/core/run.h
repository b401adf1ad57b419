/* One run of a program: its memory, its tables, and room to compute in. */

#ifndef NPU_CORE_RUN_H
#define NPU_CORE_RUN_H

#include <stdbool.h>
#include <stddef.h>

#include "kernels.h"
#include "record.h"

/* How an operation ended. Nothing was written where it is LEFT to NumPy or wants weights. */
enum outcome { DONE, WANTS_WEIGHTS, LEFT, NO_MEMORY };

/* Rows are the items of a batch; a region of one row is shared by all of them. */
struct region {
    uint8_t *bytes;
    int64_t rows;
    int64_t size;
};

/* Room of each purpose; it grows and is kept from operation to operation. */
enum slot {
    SLOT_IFM,
    SLOT_IFM2,
    SLOT_OFM,
    SLOT_PREPARED,
    SLOT_ROW,
    SLOT_ROWS,
    SLOT_BLOCKS,
    SLOTS
};

struct room {
    void *start[SLOTS];
    size_t size[SLOTS];
};

struct run {
    const struct kernels *kernels;
    const struct piece *pieces;
    const struct range *ranges;
    const int64_t *knots; /* of the sigmoid, 256 of them */
    struct region regions[REGION_COUNT];
    int64_t batch;
    int64_t band_bytes; /* that a convolution works in at once, roughly; a row of its OFM at least */
    struct room room;
};

/* NULL where the host has no such room. */
void *room_of(struct run *run, enum slot slot, size_t bytes);
void room_free(struct room *room);

static inline uint8_t *region_row(const struct run *run, int64_t region, int64_t item)
{
    const struct region *found = &run->regions[region];
    return found->bytes + (found->rows == 1 ? 0 : item * found->size);
}

/* The dense (rows, width, depth) array of some rows of a map: where they lie in memory, if they do, else copied to
 * a slot. */
const uint8_t *read_rows(struct run *run, const struct map *map, int64_t item, int64_t first, int64_t count,
                         enum slot slot);
void write_rows(struct run *run, const struct map *map, int64_t item, int64_t first, int64_t count,
                const uint8_t *dense);

/* Whether no byte of the host is among those of both maps, or between them. */
bool are_apart(const struct run *run, const struct map *a, const struct map *b, int64_t item);

static inline int64_t row_bytes(const struct map *map)
{
    return map->width * map->depth * TYPE_BYTES(map->type);
}

static inline size_t map_bytes(const struct map *map)
{
    return (size_t)(map->height * row_bytes(map));
}

static inline const uint8_t *read_map(struct run *run, const struct map *map, int64_t item, enum slot slot)
{
    return read_rows(run, map, item, 0, map->height, slot);
}

static inline void write_map(struct run *run, const struct map *map, int64_t item, const uint8_t *dense)
{
    write_rows(run, map, item, 0, map->height, dense);
}

/* Rows and columns that a kernel reads for the OFM, padding included. */
static inline int64_t rows_read(const struct operation *operation)
{
    return (operation->ofm.height - 1) * operation->stride_y +
           (operation->kernel_height - 1) * operation->dilation_y + 1;
}

static inline int64_t columns_read(const struct operation *operation)
{
    return (operation->ofm.width - 1) * operation->stride_x +
           (operation->kernel_width - 1) * operation->dilation_x + 1;
}

/* Scaled results to elements of the OFM: zero point, clamp, curve or table, saturation. */
void finish(const struct run *run, const struct operation *operation, int64_t *values, int64_t count, uint8_t *to);

/* OFM_SCALE, where there is one. */
void apply_scale(const struct run *run, const struct operation *operation, int64_t *values, int64_t count);

/* Elements of 8 bits by what the operation's table of bytes says of them. */
void look_up_elements(const struct run *run, const struct operation *operation, const uint8_t *elements,
                      int64_t count, uint8_t *to);

/* Entries of a table, of so many bytes each, for bytes. */
void look_up_bytes(const uint8_t *bytes, const uint8_t *table, int64_t size, int64_t count, uint8_t *to);

/* The kinds of operations, one item of the batch at a time. */
enum outcome convolution(struct run *run, const struct operation *operation, const struct packed_weights *weights,
                         int64_t item);
enum outcome product(struct run *run, const struct operation *operation, int64_t item);
enum outcome pooling(struct run *run, const struct operation *operation, int64_t item);
enum outcome fill_sums(struct run *run, const struct operation *operation, int64_t item);
enum outcome elementwise(struct run *run, const struct operation *operation, int64_t item);
enum outcome resize(struct run *run, const struct operation *operation, int64_t item);

/* What is made of the operands' elements, less their zero points; it is left in a. Without a second operand b is
 * the scalar. */
enum { ELEMENTWISE_CHUNK = 512 }; /* elements at most */
void compute_u55(const struct run *run, const struct operation *operation, int64_t *a, int64_t *b,
                 int64_t count);
void compute_u85(const struct run *run, const struct operation *operation, int64_t *a, int64_t *b,
                 int64_t count);

/* All items at once: what goes into the NPU must be the same for all of them. */
enum outcome transfer(struct run *run, const struct operation *operation);
enum outcome transfer_rows(struct run *run, const struct operation *operation);
enum outcome gather(struct run *run, const struct operation *operation);
enum outcome scatter(struct run *run, const struct operation *operation);

/* Whether all elements of the IFM, of every item, fit the bits that they may have. */
bool numbers_fit(struct run *run, const struct operation *operation);

/* The sums that are kept, as they lie in the OFM. */
static inline int64_t *kept_sums(const struct run *run, int64_t item)
{
    return (int64_t *)(void *)region_row(run, REGION_SUMS, item);
}

/* Whether weights were decoded from what memory holds now, for every item of the batch. */
bool weights_hold(const struct run *run, const struct operation *operation, const struct packed_weights *weights);

#endif
