/* What the protocol server asks of whatever runs the network. */
#ifndef RUNTIME_H
#define RUNTIME_H

#include <stddef.h>
#include <stdint.h>

#include "npu_counters.h"

#ifdef __cplusplus
extern "C" {
#endif

enum runtime_kind { RUNTIME_OTHER = 0, RUNTIME_NPU = 1, RUNTIME_TFLM = 2 };

struct runtime_report {
    uint32_t arena_used; /* bytes of the tensor arena that are in use */
    struct npu_counters counters;
};

enum runtime_kind runtime_kind(void);

/* Prepares the network. NULL when it can run, else why it cannot: a text that stays valid. */
const char *runtime_start(void);

/* Memory of an input or output, by its place in network_inputs and network_outputs. */
void *runtime_input(unsigned number);
const void *runtime_output(unsigned number);

/* Puts what the network keeps from one inference to the next into its initial state, as runtime_start does.
 * NULL on success, else why not: a text that stays valid until the next call. */
const char *runtime_reset(void);

/* Runs the network once, from the state that the inference before it left. NULL on success, else why not: a text that stays valid until the next call. */
const char *runtime_infer(struct runtime_report *report);

/* In the next inference, and in that one alone, the NPU stops after so many words of its command stream; RUNTIME_WHOLE:
 * it does not. NULL on success, else why not: a text that stays valid. */
#define RUNTIME_WHOLE UINT32_MAX
const char *runtime_stop_after(uint32_t words);

/* Memory that the NPU writes to, by the number of its region. NULL and 0 bytes where there is none to be shown. */
const void *runtime_memory(unsigned region, size_t *bytes);

#ifdef __cplusplus
}
#endif

#endif
