/* What remains to be done when the processor stopped the program: say why, over the UART. */
#ifndef FAULT_H
#define FAULT_H

#include <stdint.h>

/* Sends an error frame that names the exception and where it happened, and never returns. */
__attribute__((noreturn, used)) void fault_report(uint32_t exception, uint32_t program_counter);

#endif
