#include "host_call.h"

/* Without a host the breakpoint is a fault: Fault_Handler knows its place, and goes on behind it with -1. */
__attribute__((noinline)) intptr_t host_call(uint32_t operation, const void *arguments)
{
    register intptr_t result __asm("r0") = (intptr_t)operation;
    register const void *given __asm("r1") = arguments;
    __asm volatile(".global host_call_breakpoint\n"
                   "host_call_breakpoint: bkpt #0xAB\n"
                   : "+r"(result)
                   : "r"(given)
                   : "memory");
    return result;
}
