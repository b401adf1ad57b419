/* What Arm's NPU driver asks of the system around it; it calls these functions by the names that it gave them. */
#ifndef ETHOSU_SYSTEM_ARM_H
#define ETHOSU_SYSTEM_ARM_H

#include <stdint.h>

struct ethosu_driver;

/* How long the driver may wait for the end of a command stream. */
void ethosu_system_limit(uint32_t timeout_ms);

void *ethosu_semaphore_create(void);
void ethosu_semaphore_destroy(void *semaphore);
int ethosu_semaphore_take(void *semaphore, uint64_t timeout);
int ethosu_semaphore_give(void *semaphore);
void *ethosu_mutex_create(void);
int ethosu_mutex_lock(void *mutex);
int ethosu_mutex_unlock(void *mutex);

/* Stand around every command stream. */
void ethosu_inference_begin(struct ethosu_driver *driver, void *user_arg);
void ethosu_inference_end(struct ethosu_driver *driver, void *user_arg);

#endif
