/* NPU_OP_CONV of Ethos-U85 whose weights are a feature map: a row of it, (1, output channels, input channels), is
 * what an output channel has in place of weights. */

#include "run.h"
#include "scaling.h"

enum { CHUNK = 256 }; /* elements that are worked on at once */

/* Elements less their zero point: of 17 bits at most. */
static int32_t *numbers(struct run *run, const struct map *map, const uint8_t *dense, int64_t first, int64_t count,
                        enum slot slot)
{
    int32_t *found = room_of(run, slot, (size_t)count * sizeof *found);
    for (int64_t from = 0; found != NULL && from < count; from += CHUNK) {
        const int64_t left = count - from, some = left < CHUNK ? left : CHUNK;
        int64_t values[CHUNK];
        run->kernels->load(values, dense + (first + from) * TYPE_BYTES(map->type), map->type, some,
                           map->zero_point);
        for (int64_t i = 0; i < some; i++) {
            found[from + i] = (int32_t)values[i];
        }
    }
    return found;
}

/* Sums that others add to are left; else they become elements of the OFM. */
static void finish_sums(const struct run *run, const struct operation *operation, int64_t *sums, int64_t count,
                        int64_t *kept, uint8_t *to)
{
    for (int64_t i = 0; i < count; i++) {
        sums[i] = wrapped_sum(sums[i], operation->keeps_sums ? kept[i] : 0);
        if (operation->leaves_sums) {
            kept[i] = sums[i];
        }
    }
    if (!operation->leaves_sums) {
        apply_scale(run, operation, sums, count);
        finish(run, operation, sums, count, to);
    }
}

enum outcome product(struct run *run, const struct operation *operation, int64_t item)
{
    const struct map *ifm = &operation->ifm, *ifm2 = &operation->ifm2, *ofm = &operation->ofm;
    const int64_t depth = ifm->depth, channels = ofm->depth, size = TYPE_BYTES(ofm->type);
    int64_t *kept = operation->keeps_sums || operation->leaves_sums ? kept_sums(run, item) : NULL;
    const uint8_t *first = read_map(run, ifm, item, SLOT_IFM), *second = read_map(run, ifm2, item, SLOT_IFM2);
    uint8_t *result = operation->leaves_sums ? (uint8_t *)kept : room_of(run, SLOT_OFM, map_bytes(ofm));
    if (first == NULL || second == NULL || result == NULL) {
        return NO_MEMORY;
    }
    const int32_t *rows = numbers(run, ifm2, second, 0, channels * depth, SLOT_PREPARED);
    for (int64_t pixel = 0; pixel < ofm->height * ofm->width; pixel++) {
        const int32_t *row = numbers(run, ifm, first, pixel * depth, depth, SLOT_ROW);
        if (rows == NULL || row == NULL) {
            return NO_MEMORY;
        }
        for (int64_t channel = 0; channel < channels; channel += CHUNK) {
            const int64_t left = channels - channel, count = left < CHUNK ? left : CHUNK;
            const int64_t place = pixel * channels + channel;
            int64_t sums[CHUNK] = {0};
            for (int64_t i = 0; i < count; i++) {
                for (int64_t c = 0; c < depth; c++) {
                    sums[i] += (int64_t)row[c] * rows[(channel + i) * depth + c];
                }
            }
            finish_sums(run, operation, sums, count, kept == NULL ? NULL : kept + place,
                        result + place * size);
        }
    }
    if (!operation->leaves_sums) {
        write_map(run, ofm, item, result);
    }
    return DONE;
}
