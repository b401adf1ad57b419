/* Feature maps to dense arrays and back, and the room for them. */

#include "run.h"

#include <stdlib.h>
#include <string.h>

enum { ALIGNMENT = 64 };

void *room_of(struct run *run, enum slot slot, size_t bytes)
{
    struct room *room = &run->room;
    if (bytes > room->size[slot] || room->start[slot] == NULL) {
        free(room->start[slot]);
        room->size[slot] = (bytes + ALIGNMENT) / ALIGNMENT * ALIGNMENT;
        room->start[slot] = aligned_alloc(ALIGNMENT, room->size[slot]);
        if (room->start[slot] == NULL) {
            room->size[slot] = 0;
        }
    }
    return room->start[slot];
}

void room_free(struct room *room)
{
    for (int slot = 0; slot < SLOTS; slot++) {
        free(room->start[slot]);
    }
}

static void move_run(uint8_t *to, int64_t to_step, const uint8_t *from, int64_t from_step, int64_t count,
                     int64_t size)
{
    if (to_step == size && from_step == size) {
        if (count * size == 16) {
            memcpy(to, from, 16); /* a brick: one load and one store */
        } else {
            memcpy(to, from, (size_t)(count * size));
        }
        return;
    }
    for (int64_t i = 0; i < count; i++) {
        for (int64_t byte = 0; byte < size; byte++) {
            to[byte] = from[byte];
        }
        to += to_step;
        from += from_step;
    }
}

static void move_piece(uint8_t *to, const int64_t *to_steps, const uint8_t *from, const int64_t *from_steps,
                       const int64_t *counts, int64_t size)
{
    for (int64_t a = 0; a < counts[0]; a++) {
        for (int64_t b = 0; b < counts[1]; b++) {
            uint8_t *target = to + a * to_steps[0] + b * to_steps[1];
            const uint8_t *source = from + a * from_steps[0] + b * from_steps[1];
            for (int64_t c = 0; c < counts[2]; c++) {
                move_run(target + c * to_steps[2], to_steps[3], source + c * from_steps[2], from_steps[3],
                         counts[3], size);
            }
        }
    }
}

const uint8_t *read_map(struct run *run, const struct map *map, int64_t item, enum slot slot)
{
    const uint8_t *memory = region_row(run, map->region, item);
    const struct piece *piece = run->pieces + map->first_piece;
    if (map->dense) {
        return memory + piece->address;
    }
    uint8_t *dense = room_of(run, slot, map_bytes(map));
    if (dense == NULL) {
        return NULL;
    }
    for (int64_t i = 0; i < map->pieces; i++, piece++) {
        move_piece(dense + piece->position, piece->dense_steps, memory + piece->address, piece->memory_steps,
                   piece->counts, TYPE_BYTES(map->type));
    }
    return dense;
}

void write_map(struct run *run, const struct map *map, int64_t item, const uint8_t *dense)
{
    uint8_t *memory = region_row(run, map->region, item);
    const struct piece *piece = run->pieces + map->first_piece;
    for (int64_t i = 0; i < map->pieces; i++, piece++) {
        move_piece(memory + piece->address, piece->memory_steps, dense + piece->position, piece->dense_steps,
                   piece->counts, TYPE_BYTES(map->type));
    }
}

/* Elements may lie at any address. */
#define LOAD(name, type)                                                                                          \
    static void name(int64_t *values, const uint8_t *from, int64_t count, int64_t zero_point)                     \
    {                                                                                                             \
        for (int64_t i = 0; i < count; i++) {                                                                     \
            type element;                                                                                         \
            memcpy(&element, from + i * (int64_t)sizeof element, sizeof element);                                 \
            values[i] = (int64_t)((uint64_t)(int64_t)element - (uint64_t)zero_point);                             \
        }                                                                                                         \
    }

LOAD(load_u8, uint8_t)
LOAD(load_i8, int8_t)
LOAD(load_u16, uint16_t)
LOAD(load_i16, int16_t)
LOAD(load_u32, uint32_t)
LOAD(load_i32, int32_t)
LOAD(load_i64, int64_t)

void load_elements(int64_t *values, const uint8_t *from, int64_t type, int64_t count, int64_t zero_point)
{
    switch (type) {
    case TYPE_U8:
        load_u8(values, from, count, zero_point);
        break;
    case TYPE_I8:
        load_i8(values, from, count, zero_point);
        break;
    case TYPE_U16:
        load_u16(values, from, count, zero_point);
        break;
    case TYPE_I16:
        load_i16(values, from, count, zero_point);
        break;
    case TYPE_U32:
        load_u32(values, from, count, zero_point);
        break;
    case TYPE_I32:
        load_i32(values, from, count, zero_point);
        break;
    default:
        load_i64(values, from, count, zero_point);
        break;
    }
}
