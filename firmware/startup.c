/* Vector table, reset and fault handlers for Cortex-M55 without any vendor library.
 * Memory comes from the linker script: __data_load, __data_start ... __stack_top. */
#include <stdint.h>

#include "board.h"
#include "cpu.h"
#include "fault.h"
#include "firmware.h"

#define USED __attribute__((used))
#define WEAK_DEFAULT __attribute__((weak, alias("Default_Handler")))

#if defined(__ARMCC_VERSION)
/* armlink names the regions of its scatter file. */
#define __data_load Load$$DATA$$Base
#define __data_start Image$$DATA$$Base
#define __data_end Image$$DATA$$Limit
#define __bss_start Image$$BSS$$ZI$$Base
#define __bss_end Image$$BSS$$ZI$$Limit
#define __stack_limit Image$$STACK$$ZI$$Base
#define __stack_top Image$$STACK$$ZI$$Limit
#else
extern void (*const __init_array_start[])(void);
extern void (*const __init_array_end[])(void);
#endif

extern const uint32_t __data_load[];
extern uint32_t __data_start[], __data_end[], __bss_start[], __bss_end[], __stack_limit[], __stack_top[];

void Reset_Handler(void);
void Default_Handler(void);
void Fault_Handler(void);
void SysTick_Handler(void);
void SVC_Handler(void) WEAK_DEFAULT;
void PendSV_Handler(void) WEAK_DEFAULT;
void NPU_Handler(void) WEAK_DEFAULT;
void UART_Handler(void) WEAK_DEFAULT;

typedef void (*vector)(void);

enum { EXCEPTIONS = 16, INTERRUPTS = 64 };

/* Every interrupt has the default handler until a line below gives it its own, in whatever order their numbers are. */
#pragma GCC diagnostic push
#pragma GCC diagnostic ignored "-Woverride-init"
USED __attribute__((section(".vectors"), aligned(512))) const vector vectors[EXCEPTIONS + INTERRUPTS] = {
    (vector)(uintptr_t)__stack_top,
    Reset_Handler,
    Default_Handler, /* NMI */
    Fault_Handler,   /* HardFault */
    Fault_Handler,   /* MemManage */
    Fault_Handler,   /* BusFault */
    Fault_Handler,   /* UsageFault */
    Fault_Handler,   /* SecureFault */
    0,
    0,
    0,
    SVC_Handler,
    Default_Handler, /* DebugMonitor */
    0,
    PendSV_Handler,
    SysTick_Handler,
    [EXCEPTIONS ... EXCEPTIONS + INTERRUPTS - 1] = Default_Handler,
    [EXCEPTIONS + BOARD_UART_RX_IRQ] = UART_Handler,
    [EXCEPTIONS + BOARD_NPU_IRQ] = NPU_Handler,
};
#pragma GCC diagnostic pop

/* Before this has run there are no initialised variables: it must not call anything. */
static inline __attribute__((always_inline)) void initialise_memory(void)
{
    const uint32_t *from = __data_load;
    for (uint32_t *to = __data_start; to < __data_end;) {
        *to++ = *from++;
    }
    for (volatile uint32_t *to = __bss_start; to < __bss_end;) {
        *to++ = 0;
    }
}

USED void Reset_Handler(void)
{
    __asm volatile("msr msplim, %0" ::"r"(__stack_limit));
    SCB_VTOR = (uint32_t)(uintptr_t)vectors;
    SCB_CPACR |= 0xFu << 20; /* floating point and vector instructions */
    cpu_data_sync();
    cpu_instruction_sync();
    initialise_memory();
    SCB_SHCSR |= 0xFu << 16; /* MemManage, BusFault, UsageFault, SecureFault of their own */
    cpu_start();
#if !defined(__ARMCC_VERSION)
    for (void (*const *constructor)(void) = __init_array_start; constructor < __init_array_end; constructor++) {
        (*constructor)();
    }
#endif
    firmware_main();
    for (;;) {
        cpu_wait_for_interrupt();
    }
}

/* The processor has pushed r0-r3, r12, lr, pc, psr. Nothing ever returns from here, so the report gets the whole
 * stack: the fault may well be that there was none left. */
#define REPORT_AND_STOP                                                                                               \
    __asm volatile("mrs r3, msp\n"                                                                                    \
                   "mrs r0, ipsr\n"                                                                                   \
                   "ldr r1, [r3, #24]\n"                                                                              \
                   "ldr r2, =vectors\n"                                                                               \
                   "ldr r2, [r2]\n"                                                                                   \
                   "msr msp, r2\n"                                                                                    \
                   "b fault_report\n")

/* A breakpoint for a host that is not there (host_call) is stepped over: the call returns -1. */
__attribute__((naked)) void Fault_Handler(void)
{
    __asm volatile("ldr r0, [sp, #24]\n"
                   "ldr r1, =host_call_breakpoint\n"
                   "bic r1, r1, #1\n"
                   "cmp r0, r1\n"
                   "bne 1f\n"
                   "adds r0, #2\n"
                   "str r0, [sp, #24]\n"
                   "mov r0, #-1\n"
                   "str r0, [sp]\n"
                   "bx lr\n"
                   "1:\n");
    REPORT_AND_STOP;
}

__attribute__((naked)) void Default_Handler(void)
{
    REPORT_AND_STOP;
}
