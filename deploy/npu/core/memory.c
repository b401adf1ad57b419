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

/* Of a piece what is in the bytes from `low` to `high` of the dense array, which are whole rows; whether there is
 * any. Its position is counted from `low` on. */
static bool part_between(struct piece *part, const struct piece *piece, int64_t low, int64_t high)
{
    int outer = 0; /* in the dense array: if there are rows, these, perhaps together with what they consist of */
    *part = *piece;
    part->position -= low;
    for (int i = 1; i < PIECE_DIMENSIONS; i++) {
        const int64_t step = part->dense_steps[i], most = part->dense_steps[outer];
        outer = (step < 0 ? -step : step) > (most < 0 ? -most : most) ? i : outer;
    }
    int64_t *count = &part->counts[outer], *step = &part->dense_steps[outer];
    if (*step < 0) { /* backwards: from its end on */
        part->address += (*count - 1) * part->memory_steps[outer];
        part->position += (*count - 1) * *step;
        part->memory_steps[outer] = -part->memory_steps[outer];
        *step = -*step;
    }
    const int64_t end = (high - low - part->position + *step - 1) / *step;
    const int64_t first = part->position < 0 ? (-part->position + *step - 1) / *step : 0;
    *count = (end < *count ? end : *count) - first;
    part->address += first * part->memory_steps[outer];
    part->position += first * *step;
    return *count > 0;
}

const uint8_t *read_rows(struct run *run, const struct map *map, int64_t item, int64_t first, int64_t count,
                         enum slot slot)
{
    const uint8_t *memory = region_row(run, map->region, item);
    const struct piece *piece = run->pieces + map->first_piece;
    const int64_t low = first * row_bytes(map), high = low + count * row_bytes(map);
    if (map->dense) {
        return memory + piece->address + low;
    }
    uint8_t *dense = room_of(run, slot, (size_t)(high - low));
    for (int64_t i = 0; dense != NULL && i < map->pieces; i++) {
        struct piece part;
        if (part_between(&part, piece + i, low, high)) {
            move_piece(dense + part.position, part.dense_steps, memory + part.address, part.memory_steps,
                       part.counts, TYPE_BYTES(map->type));
        }
    }
    return dense;
}

void write_rows(struct run *run, const struct map *map, int64_t item, int64_t first, int64_t count,
                const uint8_t *dense)
{
    uint8_t *memory = region_row(run, map->region, item);
    const int64_t low = first * row_bytes(map), high = low + count * row_bytes(map);
    for (int64_t i = 0; i < map->pieces; i++) {
        struct piece part;
        if (part_between(&part, run->pieces + map->first_piece + i, low, high)) {
            move_piece(memory + part.address, part.memory_steps, dense + part.position, part.dense_steps,
                       part.counts, TYPE_BYTES(map->type));
        }
    }
}

/* Bytes of the host. */
struct reach {
    const uint8_t *first, *end;
};

static struct reach reach_of(const struct run *run, const struct map *map, int64_t item)
{
    int64_t low = INT64_MAX, high = INT64_MIN;
    for (int64_t i = 0; i < map->pieces; i++) {
        const struct piece *piece = run->pieces + map->first_piece + i;
        int64_t first = piece->address, end = piece->address + TYPE_BYTES(map->type);
        for (int d = 0; d < PIECE_DIMENSIONS; d++) {
            const int64_t extent = (piece->counts[d] - 1) * piece->memory_steps[d];
            *(extent < 0 ? &first : &end) += extent;
        }
        low = first < low ? first : low;
        high = end > high ? end : high;
    }
    const uint8_t *memory = region_row(run, map->region, item);
    return (struct reach){memory + low, memory + high};
}

bool are_apart(const struct run *run, const struct map *a, const struct map *b, int64_t item)
{
    const struct reach one = reach_of(run, a, item), other = reach_of(run, b, item);
    return one.end <= other.first || other.end <= one.first;
}
