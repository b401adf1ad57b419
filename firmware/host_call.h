/* Semihosting: what the host that simulates this target does for it. Arm, "Semihosting for AArch32 and AArch64". */
#ifndef HOST_CALL_H
#define HOST_CALL_H

#include <stdint.h>

/* Has the host carry out an operation with the arguments that it defines; -1 where nobody serves it. */
intptr_t host_call(uint32_t operation, const void *arguments);

#endif
