/* What this project's NPU driver asks of the system around it. */
#ifndef ETHOSU_SYSTEM_H
#define ETHOSU_SYSTEM_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#ifdef __cplusplus
extern "C" {
#endif

struct ethosu_driver;

/* Milliseconds since the start; wraps around. */
uint32_t ethosu_system_milliseconds(void);

/* Sleeps until the next interrupt, unless the interrupt handler has set the flag already. */
void ethosu_system_wait(const volatile bool *done);

/* Writes back and forgets what the data cache holds of a range. */
void ethosu_system_clean_and_invalidate(const void *address, size_t bytes);

/* Stand around every command stream, with the names and types of the hooks of Arm's driver. */
void ethosu_inference_begin(struct ethosu_driver *driver, void *user_arg);
void ethosu_inference_end(struct ethosu_driver *driver, void *user_arg);

#ifdef __cplusplus
}
#endif

#endif
