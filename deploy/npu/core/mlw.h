/* Decompression of weight streams. */

#ifndef NPU_CORE_MLW_H
#define NPU_CORE_MLW_H

#include <stdbool.h>
#include <stdint.h>

enum {
    MLW_INDICES = 512, /* of weights of 9 bits */
    MLW_QUEUE = 512,   /* symbols that wait for what belongs to them */
    MLW_CHUNK = 12     /* symbols that are coded together, at most */
};

/* The bits of a stream, least significant bit of a byte first; behind its end there are zeros. */
struct mlw_bits {
    const uint8_t *bytes;
    int64_t size; /* in bits */
};

/* How indices become weights. */
struct mlw_palette {
    bool known;
    int64_t size;
    int64_t width;
    bool zero_runs;
    int16_t weights[MLW_INDICES]; /* by their indices */
};

/* Symbols of a kind, weights or zero runs: quotients as they come, then the remainders of each chunk. The first
 * ones that wait are those that have not been taken out. */
struct mlw_symbols {
    int64_t count;   /* that there are to be in the slice */
    int64_t divisor; /* bits of a remainder */
    int64_t begun;   /* symbols whose quotients were seen; may exceed the count by those of a chunk */
    int64_t pending; /* of them, those whose remainders are still to come */
    int64_t taken;   /* out of the queue */
    int64_t first;   /* in the queue: taken when it was tidied up last */
    int32_t open;    /* what has been seen of the next quotient */
    int32_t values[MLW_QUEUE + MLW_CHUNK];
};

/* What of a stream has been read. */
struct mlw_reader {
    struct mlw_bits bits;
    int64_t position;
    struct mlw_palette palette;
    bool ended;
    bool inside; /* of a slice, of which the following says more */
    bool walked; /* all of its symbols were seen */
    bool zero_runs, truncated, uncompressed;
    bool leading;     /* a zero run is in front of the first weight */
    int64_t run_left; /* zeros to come */
    struct mlw_symbols weights, zeros;
};

/* Once, before anything is read. */
void mlw_prepare(void);

void mlw_begin(struct mlw_reader *reader, const uint8_t *bytes, int64_t length);

/* The next values of a stream, `count` of them or those that are left; or -1 for a stream that is damaged. */
int64_t mlw_read(struct mlw_reader *reader, int16_t *to, int64_t count);

#endif
