/* What the core is given: a translated program, as plain structs of 64-bit words.
 *
 * The Python side (translation.py) fills them by the names in FIELDS, which the module hands out, so that the
 * order of the members stands here; what belongs together, as a map, is filled as a whole in that order, which the
 * tests hold. All that is checked is checked there: addresses lie in their regions,
 * types, modes and sizes are ones that the code below handles. */

#ifndef NPU_CORE_RECORD_H
#define NPU_CORE_RECORD_H

#include <stdint.h>

/* Types: bits 2:1 the logarithm of the bytes of an element, bit 0 whether it is signed. */
enum { TYPE_U8, TYPE_I8, TYPE_U16, TYPE_I16, TYPE_U32, TYPE_I32, TYPE_U64, TYPE_I64 };

#define TYPE_BYTES(type) ((int64_t)1 << ((type) >> 1))

/* Kinds of operations; those that the core leaves to its caller are KIND_OTHER. */
enum {
    KIND_OTHER,
    KIND_CONVOLUTION,
    KIND_PRODUCT,
    KIND_POOLING,
    KIND_FILL,
    KIND_U55_ELEMENTWISE,
    KIND_U85_ELEMENTWISE,
    KIND_RESIZE,
    KIND_TRANSFER,
    KIND_ROWS_TRANSFER,
    KIND_GATHER,
    KIND_SCATTER
};

enum { ROUNDING_TFL, ROUNDING_NATURAL, ROUNDING_SYMMETRIC, ROUNDING_DOWN };

enum { UPSCALE_NONE, UPSCALE_NEAREST, UPSCALE_TRANSPOSE };

/* As Function numbers them. */
enum {
    FUNCTION_NONE = 0,
    FUNCTION_TANH = 3,
    FUNCTION_SIGMOID = 4,
    FUNCTION_LUT = 16,
    FUNCTION_TANH_BY_TABLE = 32,
    FUNCTION_SIGMOID_BY_TABLE = 33
};

/* Regions 0 to 7 as commands number them; the NPU's own memory; sums that operations leave and go on with, 64 bits
 * each; buffers for feature maps between operations. */
enum { REGION_INTERNAL = 8, REGION_SUMS = 9, REGION_CHAINS = 10, REGION_COUNT = 18 };

/* A part of a feature map: a block of elements in memory, and where they are in the dense array of the whole map.
 * Everything in bytes but the counts; dimensions from the outermost to the innermost. */
enum { PIECE_DIMENSIONS = 4 };

struct piece {
    int64_t address;
    int64_t position;
    int64_t counts[PIECE_DIMENSIONS];
    int64_t memory_steps[PIECE_DIMENSIONS];
    int64_t dense_steps[PIECE_DIMENSIONS];
};

/* A run of bytes in a region. */
struct range {
    int64_t region;
    int64_t address;
    int64_t length;
};

/* A feature map. Its pieces stand in a table of their own; `dense` says that it lies in memory as one dense array.
 */
struct map {
    int64_t region;
    int64_t type;
    int64_t height;
    int64_t width;
    int64_t depth;
    int64_t zero_point;
    int64_t first_piece;
    int64_t pieces;
    int64_t dense;
};

/* OFM_SCALE or the scale of an operand; `used` is 0 where values stay as they are. `away` is added to what is not
 * negative and subtracted from what is: the first of two roundings of an operand. */
struct scale {
    int64_t used;
    int64_t multiplier;
    int64_t shift;
    int64_t away;
};

/* Where along an axis elements are taken from, in units of 1 / parts. */
struct sampling {
    int64_t parts;
    int64_t step;
    int64_t offset;
};

/* Rows of bytes that indices name, plane by plane. */
struct indexed_rows {
    int64_t region;
    int64_t address;
    int64_t step;
    int64_t plane_step;
};

struct operation {
    int64_t kind;
    int64_t work; /* roughly: steps of its innermost loop, of one inference */
    struct map ifm;
    struct map ifm2;
    struct map ofm;
    /* The output stage */
    int64_t function;
    int64_t table; /* address in the NPU's own memory */
    int64_t minimum;
    int64_t maximum;
    int64_t index_type; /* of what is looked up with a table, else of what is stored */
    int64_t rounding;
    struct scale scale;
    /* Poolings and elementwise operations */
    int64_t mode;
    int64_t divides;         /* a pooling divides by the elements inside the IFM ... */
    int64_t reciprocal_bits; /* ... with a reciprocal of so many bits, */
    int64_t reciprocal_up;   /* rounded up */
    int64_t number_bits;     /* that every element of the IFM must fit; 0 for any */
    int64_t has_ifm2;
    union { /* no kind of operation has two of these */
        struct {
            /* Windows */
            int64_t kernel_height;
            int64_t kernel_width;
            int64_t stride_y;
            int64_t stride_x;
            int64_t dilation_y;
            int64_t dilation_x;
            int64_t top;
            int64_t left;
            int64_t bottom;
            int64_t right;
            int64_t upscale;
            /* Convolutions, and products of feature maps */
            int64_t keeps_sums;  /* adds up those that are there */
            int64_t leaves_sums; /* for the next operation, in place of an OFM */
            int64_t depthwise;
            int64_t first_stream;
            int64_t streams;
        };
        struct {
            /* Elementwise operations */
            int64_t scalar;
            int64_t reversed_operands;
            int64_t operand_scaling;
            struct scale operand_a;
            struct scale operand_b;
        };
        struct {
            /* Resizing */
            struct sampling vertical;
            struct sampling horizontal;
        };
        struct {
            /* Transfers; those of rows are from the IFM to the OFM */
            struct range source;
            struct range destination;
            struct indexed_rows indexed; /* of the source that is gathered, or destination that is scattered to */
            struct indexed_rows indices; /* 32 bits each */
            int64_t highest_index;
        };
    };
};

enum { OPERATION_WORDS = sizeof(struct operation) / sizeof(int64_t) };

#define MAP_FIELDS(X, map)                                                                                        \
    X(map.region)                                                                                                 \
    X(map.type)                                                                                                   \
    X(map.height) X(map.width) X(map.depth) X(map.zero_point) X(map.first_piece) X(map.pieces) X(map.dense)

#define SCALE_FIELDS(X, scale) X(scale.used) X(scale.multiplier) X(scale.shift) X(scale.away)

#define SAMPLING_FIELDS(X, sampling) X(sampling.parts) X(sampling.step) X(sampling.offset)

#define RANGE_FIELDS(X, range) X(range.region) X(range.address) X(range.length)

#define ROWS_FIELDS(X, rows) X(rows.region) X(rows.address) X(rows.step) X(rows.plane_step)

/* Every member of struct operation, in any order. */
#define FIELDS(X)                                                                                                 \
    X(kind)                                                                                                       \
    X(work)                                                                                                       \
    MAP_FIELDS(X, ifm) MAP_FIELDS(X, ifm2) MAP_FIELDS(X, ofm) X(function) X(table) X(minimum) X(maximum)          \
        X(index_type) X(rounding) SCALE_FIELDS(X, scale) X(kernel_height) X(kernel_width) X(stride_y) X(stride_x) \
            X(dilation_y) X(dilation_x) X(top) X(left) X(bottom) X(right) X(upscale) X(keeps_sums) X(leaves_sums) X(depthwise) X(first_stream) \
                X(streams) X(mode) X(divides) X(reciprocal_bits) X(reciprocal_up) X(number_bits) X(has_ifm2) X(scalar)           \
                    X(reversed_operands) X(operand_scaling) SCALE_FIELDS(X, operand_a) SCALE_FIELDS(X, operand_b) \
                        SAMPLING_FIELDS(X, vertical) SAMPLING_FIELDS(X, horizontal) RANGE_FIELDS(X, source)       \
                            RANGE_FIELDS(X, destination) ROWS_FIELDS(X, indexed) ROWS_FIELDS(X, indices) X(highest_index)

/* In magnitude: of an index of 9 bits, and 5 bits that it is offset by. */
enum { LARGEST_WEIGHT = 271 };

struct packed_stream {
    int64_t address; /* in the host's memory */
    int64_t size;
};

/* Rows of scales: bias; multiplier, of 32 bits, and behind it the shift; the sum of the weights, where elements of
 * the IFM keep their zero point: those of 16 bits. */
enum { ROW_BIAS, ROW_SCALE, ROW_SUM };

static inline int64_t scale_word(int64_t multiplier, int64_t shift)
{
    return multiplier | shift << 32;
}

static inline int64_t multiplier_of(int64_t scale_word)
{
    return scale_word & UINT32_MAX;
}

static inline int64_t shift_of(int64_t scale_word)
{
    return scale_word >> 32;
}

/* Weights and scales of a convolution, see weights.h. Offsets are bytes from the start of this struct. */
struct packed_weights {
    int64_t streams; /* that they were decoded from: address and size of each, which stay where they are */
    int64_t stream_count; /* 0 until all else is there */
    int64_t scales;   /* rows of a word a channel, see below */
    int64_t weights;  /* blocks of channels, segments, pairs, channels, both of a pair */
    int64_t size;     /* of a weight, in bytes: 1 where all fit, else 2 */
    int64_t channels; /* in a row, padded to whole blocks */
    int64_t segments; /* runs of the IFM that a sum is made of */
    int64_t pairs;    /* of elements in such a run */
    int64_t narrow;   /* whether scaled values fit 64 bits on the way */
    int64_t largest;  /* the greatest sum of magnitudes of one channel's weights */
};

#endif
