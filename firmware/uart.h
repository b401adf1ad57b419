/* The UART that host and firmware speak on. The processor sleeps while it waits for a byte. */
#ifndef UART_H
#define UART_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#ifdef __cplusplus
extern "C" {
#endif

void uart_start(void);

/* Sends bytes; returns when the last one is in the transmitter. */
void uart_write(const void *bytes, size_t count);

/* Waits for a byte for at most that many milliseconds; false if none came. */
bool uart_read(uint8_t *byte, uint32_t timeout_ms);

#ifdef __cplusplus
}
#endif

#endif
