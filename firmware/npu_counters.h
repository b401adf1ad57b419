/* The NPU's performance counters over one inference, read around every command stream from the hooks
 * ethosu_inference_begin and ethosu_inference_end, which this project's driver and Arm's both call. */
#ifndef NPU_COUNTERS_H
#define NPU_COUNTERS_H

#include <stdint.h>

#ifdef __cplusplus
extern "C" {
#endif

enum { NPU_COUNTERS = 4 };

struct npu_counters {
    uint64_t cycles;
    uint16_t events[NPU_COUNTERS]; /* numbers of what is counted, see ethosu_registers.h */
    uint32_t values[NPU_COUNTERS];
    uint32_t streams; /* command streams that ran */
};

/* Forgets what was counted. */
void npu_counters_clear(void);

/* What was counted since. */
void npu_counters_get(struct npu_counters *counters);

/* Called before and after each command stream. */
void npu_counters_begin(void);
void npu_counters_end(void);

#ifdef __cplusplus
}
#endif

#endif
