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

enum { BRICK = 16 }; /* bytes, which are moved by one load and one store */

static void move_bricks(uint8_t *to, int64_t to_step, const uint8_t *from, int64_t from_step, int64_t count)
{
    for (int64_t i = 0; i < count; i++) {
        memcpy(to + i * to_step, from + i * from_step, BRICK);
    }
}

static void move_run(uint8_t *to, int64_t to_step, const uint8_t *from, int64_t from_step, int64_t count,
                     int64_t size)
{
    if (to_step == size && from_step == size) {
        memcpy(to, from, (size_t)(count * size));
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
    const bool bricks = to_steps[3] == size && from_steps[3] == size && counts[3] * size == BRICK;
    for (int64_t a = 0; a < counts[0]; a++) {
        for (int64_t b = 0; b < counts[1]; b++) {
            uint8_t *target = to + a * to_steps[0] + b * to_steps[1];
            const uint8_t *source = from + a * from_steps[0] + b * from_steps[1];
            if (bricks) {
                move_bricks(target, to_steps[2], source, from_steps[2], counts[2]);
                continue;
            }
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
