/* The NPU of this board. */
#ifndef ETHOSU_PLATFORM_H
#define ETHOSU_PLATFORM_H

#include "ethosu_driver.h"

#ifdef __cplusplus
extern "C" {
#endif

/* Initialises the driver and enables the NPU's interrupt. 0 on success, -1 on failure. */
int ethosu_platform_start(struct ethosu_driver *driver, void *fast_memory, size_t fast_memory_bytes);

#ifdef __cplusplus
}
#endif

#endif
