/* Weights and scales, from their streams to what convolution.c takes. */

#ifndef NPU_CORE_WEIGHTS_H
#define NPU_CORE_WEIGHTS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "record.h"

/* What decides the order of a convolution's weights in their streams, and the form of both streams: words that
 * the Python side (weights.py) fills by their names.
 *
 * Order of the values of one core, outer to inner: OFM block; IFM block; part of the kernel; IFM ublock; OFM
 * ublock; place in that part; step of input channels; the core's output channels; input channels. Places are filled up to
 * a multiple, and behind every multiple there may be a gap. */
struct weight_order {
    int64_t ofm_depth;
    int64_t ifm_depth; /* 1 where a channel has weights for itself alone */
    int64_t kernel_height;
    int64_t kernel_width;
    int64_t cores;      /* that share the output channels */
    int64_t own_blocks; /* a core has blocks of its own, of every so-many-th channel; else some of every block */
    int64_t block_depth;
    int64_t ofm_ublock; /* output channels at once: of a core with blocks of its own, else of all */
    int64_t group;      /* channels of a core that follow each other */
    int64_t ifm_block;
    int64_t serpentine; /* backwards in every other OFM block */
    int64_t ifm_ublock;
    int64_t ifm_step;
    int64_t part_height; /* of the kernel */
    int64_t part_width;
    int64_t downwards; /* parts follow each other downwards first, and rows of places run to and fro */
    int64_t stride_y;  /* places that fall together with this stride come one after the other */
    int64_t stride_x;
    int64_t multiple;
    int64_t gap;
    int64_t fast;   /* one stream for all cores, coded for fast decoding */
    int64_t strict; /* what is no weight must be 0 */
    int64_t bias_bytes; /* of a record; behind it the multiplier, then a byte with the shift */
    int64_t multiplier_bytes;
    int64_t multiplier_bits;
    int64_t apart; /* elements of a row of the kernel are no run of the IFM */
    int64_t span;  /* the greatest magnitude of an element of the IFM less its zero point */
    int64_t size;  /* of a packed weight, in bytes: 1 or 2 */
};

#define ORDER_FIELDS(X)                                                                                           \
    X(ofm_depth)                                                                                                  \
    X(ifm_depth)                                                                                                  \
    X(kernel_height)                                                                                              \
    X(kernel_width)                                                                                               \
    X(cores)                                                                                                      \
    X(own_blocks)                                                                                                 \
    X(block_depth)                                                                                                \
    X(ofm_ublock)                                                                                                 \
    X(group)                                                                                                      \
    X(ifm_block)                                                                                                  \
    X(serpentine)                                                                                                 \
    X(ifm_ublock)                                                                                                 \
    X(ifm_step)                                                                                                   \
    X(part_height)                                                                                                \
    X(part_width)                                                                                                 \
    X(downwards)                                                                                                  \
    X(stride_y)                                                                                                   \
    X(stride_x)                                                                                                   \
    X(multiple)                                                                                                   \
    X(gap)                                                                                                        \
    X(fast)                                                                                                       \
    X(strict)                                                                                                     \
    X(bias_bytes)                                                                                                 \
    X(multiplier_bytes)                                                                                           \
    X(multiplier_bits)                                                                                            \
    X(apart)                                                                                                      \
    X(span)                                                                                                       \
    X(size)

struct bytes {
    const uint8_t *start;
    int64_t size;
};

/* Room that packed weights of so many streams take, at whatever address it begins. */
int64_t packed_bytes(const struct weight_order *order, int64_t streams);

enum packing { PACKED, DAMAGED, TOO_WIDE, NO_ROOM, NOT_BEGUN };

/* Packs weights into room of that size, all of it 0; that it holds streams is the last that is written, so that
 * another thread may look at it meanwhile. Whatever is wrong with a stream, it is DAMAGED: NumPy then
 * says what it is; TOO_WIDE if a weight does not fit the size that the order says, and a larger one has to be
 * tried. The streams are to stay as they are as long as the packed weights are used. */
enum packing pack_weights(const struct weight_order *order, const struct bytes *streams, int64_t stream_count,
                          const struct bytes *records, int64_t record_count, struct packed_weights *packed);

/* Whether a stream that is coded for fast decoding has so many weights. */
bool fast_has(struct bytes stream, int64_t count);

/* Some of its weights, from one on; it has them. */
void fast_read(struct bytes stream, int64_t first, int64_t count, int16_t *to);

#endif
