/* The NPU of this board, whichever driver is linked: ethosu_platform.c stands on this project's,
 * ethosu_platform_arm.c on Arm's. The drivers know nothing of it: what they need is below them, in ethosu_system.h and
 * ethosu_system_arm.h. */
#ifndef ETHOSU_PLATFORM_H
#define ETHOSU_PLATFORM_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "message.h"

#ifdef __cplusplus
extern "C" {
#endif

/* Initialises the driver and enables the NPU's interrupt. 0 on success, -1 on failure.
 * fast_memory: the dedicated SRAM of Vela's Dedicated_Sram modes, else NULL. */
int ethosu_platform_start(void *fast_memory, size_t fast_memory_bytes, uint32_t region_config, uint32_t timeout_ms);

/* Appends ": " and what the driver failed from last; false if it did not fail or does not say. */
bool ethosu_platform_problem(struct message *text);
void ethosu_platform_forget_problem(void);

/* Whether a payload was compiled for this NPU. 0 if so, or if the driver cannot tell beforehand; else -1. */
int ethosu_platform_check_payload(const void *payload, size_t bytes);

/* From now on runs only the first words of a command stream, in a buffer that stays valid; UINT32_MAX: all of them.
 * This project's driver only. */
void ethosu_platform_stop_after(uint32_t words, uint32_t *buffer, size_t buffer_words);

#ifdef __cplusplus
}
#endif

#endif
