/* NPU_OP_RESIZE of Ethos-U85; deploy/npu/execution/resize.py says the same in NumPy. */

#include "run.h"
#include "scaling.h"

/* As ResizeMode numbers them. */
enum { MODE_BILINEAR = 0 };

enum { CHUNK = 256, FRACTION_BITS = 16 };

/* Two neighbouring elements along an axis, inside its extent, and their weights. */
struct neighbours {
    int64_t front, behind;
    int64_t front_weight, behind_weight;
};

static struct neighbours neighbours_of(const struct sampling *sampling, int64_t number, int64_t extent,
                                       bool bilinear)
{
    const int64_t place = number * sampling->step + sampling->offset;
    const int64_t rest = ((place % sampling->parts) + sampling->parts) % sampling->parts;
    const int64_t front = (place - rest) / sampling->parts;
    if (!bilinear) {
        const int64_t nearest = clamp(front + (2 * rest >= sampling->parts), 0, extent - 1);
        return (struct neighbours){nearest, nearest, 1, 0};
    }
    return (struct neighbours){clamp(front, 0, extent - 1), clamp(front + 1, 0, extent - 1),
                               sampling->parts - rest, rest};
}

/* Adds some channels of one element, times a weight. */
static void add_element(const struct run *run, const struct map *ifm, const uint8_t *dense, int64_t y, int64_t x,
                        int64_t channel, int64_t count, int64_t weight, int64_t *values)
{
    int64_t elements[CHUNK];
    if (weight == 0) {
        return;
    }
    const int64_t place = (y * ifm->width + x) * ifm->depth + channel;
    run->kernels->load(elements, dense + place * TYPE_BYTES(ifm->type), ifm->type, count, ifm->zero_point);
    for (int64_t i = 0; i < count; i++) {
        values[i] += elements[i] * weight;
    }
}

enum outcome resize(struct run *run, const struct operation *operation, int64_t item)
{
    const struct map *ifm = &operation->ifm, *ofm = &operation->ofm;
    const bool bilinear = operation->mode == MODE_BILINEAR;
    const uint8_t *dense = read_map(run, ifm, item, SLOT_IFM);
    uint8_t *result = room_of(run, SLOT_OFM, map_bytes(ofm));
    if (dense == NULL || result == NULL) {
        return NO_MEMORY;
    }
    uint8_t *to = result;
    for (int64_t y = 0; y < ofm->height; y++) {
        const struct neighbours rows = neighbours_of(&operation->vertical, y, ifm->height, bilinear);
        for (int64_t x = 0; x < ofm->width; x++) {
            const struct neighbours columns = neighbours_of(&operation->horizontal, x, ifm->width, bilinear);
            for (int64_t channel = 0; channel < ofm->depth; channel += CHUNK) {
                const int64_t left = ofm->depth - channel, count = left < CHUNK ? left : CHUNK;
                int64_t values[CHUNK] = {0};
                add_element(run, ifm, dense, rows.front, columns.front, channel, count,
                            rows.front_weight * columns.front_weight, values);
                add_element(run, ifm, dense, rows.front, columns.behind, channel, count,
                            rows.front_weight * columns.behind_weight, values);
                add_element(run, ifm, dense, rows.behind, columns.front, channel, count,
                            rows.behind_weight * columns.front_weight, values);
                add_element(run, ifm, dense, rows.behind, columns.behind, channel, count,
                            rows.behind_weight * columns.behind_weight, values);
                for (int64_t i = 0; i < count; i++) {
                    values[i] = shifted_left(values[i], FRACTION_BITS);
                }
                apply_scale(run, operation, values, count);
                finish(run, operation, values, count, to);
                to += count * TYPE_BYTES(ofm->type);
            }
        }
    }
    write_map(run, ofm, item, result);
    return DONE;
}
