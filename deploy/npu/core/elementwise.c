/* Elementwise operations: operands, tables and parts; what is computed is the instruction set's. */

#include <string.h>

#include "run.h"

/* Some elements of an operand, from one on, in the order of the OFM's; where it is broadcast they repeat. */
static void load_operand(const struct run *run, const struct map *map, const uint8_t *dense,
                         const struct map *ofm, int64_t from, int64_t count, int64_t *values)
{
    const int64_t size = TYPE_BYTES(map->type);
    if (map->height == ofm->height && map->width == ofm->width && map->depth == ofm->depth) {
        run->kernels->load(values, dense + from * size, map->type, count, map->zero_point);
        return;
    }
    int64_t channel = from % ofm->depth, column = from / ofm->depth % ofm->width,
            row = from / ofm->depth / ofm->width;
    for (int64_t done = 0; done < count;) {
        const int64_t left = ofm->depth - channel, rest = count - done, some = left < rest ? left : rest;
        const int64_t y = map->height == 1 ? 0 : row, x = map->width == 1 ? 0 : column;
        const int64_t place = (y * map->width + x) * map->depth;
        if (map->depth == 1) {
            run->kernels->load(values + done, dense + place * size, map->type, 1, map->zero_point);
            for (int64_t i = 1; i < some; i++) {
                values[done + i] = values[done];
            }
        } else {
            run->kernels->load(values + done, dense + (place + channel) * size, map->type, some, map->zero_point);
        }
        done += some;
        channel = 0;
        if (++column == ofm->width) {
            column = 0;
            row++;
        }
    }
}

static void compute(const struct run *run, const struct operation *operation, int64_t *a, int64_t *b,
                    int64_t count)
{
    if (operation->kind == KIND_U55_ELEMENTWISE) {
        compute_u55(run, operation, a, b, count);
    } else {
        compute_u85(run, operation, a, b, count);
    }
}

static void fill_scalar(const struct operation *operation, int64_t *b, int64_t count)
{
    for (int64_t i = 0; i < count; i++) {
        b[i] = operation->scalar;
    }
}

/* One operand of bytes: every result depends on one of 256 values. */
static void bytewise(const struct run *run, const struct operation *operation, const uint8_t *first, int64_t count,
                     uint8_t *result)
{
    uint8_t every[256], table[256 * 4];
    int64_t a[256], b[256];
    for (int i = 0; i < 256; i++) {
        every[i] = (uint8_t)i;
    }
    run->kernels->load(a, every, operation->ifm.type, 256, operation->ifm.zero_point);
    fill_scalar(operation, b, 256);
    compute(run, operation, a, b, 256);
    finish(run, operation, a, 256, table);
    look_up_bytes(first, table, TYPE_BYTES(operation->ofm.type), count, result);
}

enum outcome elementwise(struct run *run, const struct operation *operation, int64_t item)
{
    const struct map *ofm = &operation->ofm;
    const uint8_t *first = read_map(run, &operation->ifm, item, SLOT_IFM), *second = NULL;
    uint8_t *result = room_of(run, SLOT_OFM, map_bytes(ofm));
    if (first == NULL || result == NULL) {
        return NO_MEMORY;
    }
    if (operation->has_ifm2) {
        second = read_map(run, &operation->ifm2, item, SLOT_IFM2);
        if (second == NULL) {
            return NO_MEMORY;
        }
    }
    const int64_t all = ofm->height * ofm->width * ofm->depth;
    if (second == NULL && TYPE_BYTES(operation->ifm.type) == 1 && all >= 256) {
        bytewise(run, operation, first, all, result);
    } else {
        for (int64_t from = 0; from < all; from += ELEMENTWISE_CHUNK) {
            const int64_t left = all - from, count = left < ELEMENTWISE_CHUNK ? left : ELEMENTWISE_CHUNK;
            int64_t a[ELEMENTWISE_CHUNK], b[ELEMENTWISE_CHUNK];
            load_operand(run, &operation->ifm, first, ofm, from, count, a);
            if (second != NULL) {
                load_operand(run, &operation->ifm2, second, ofm, from, count, b);
            } else {
                fill_scalar(operation, b, count);
            }
            compute(run, operation, a, b, count);
            finish(run, operation, a, count, result + from * TYPE_BYTES(ofm->type));
        }
    }
    write_map(run, ofm, item, result);
    return DONE;
}
