/* Corstone-300 (MPS3, AN547): addresses, interrupts and clocks that the rest of the firmware needs.
 * Another board starts here, and in the linker script. */
#ifndef BOARD_H
#define BOARD_H

#define BOARD_UART_BASE 0x59303000u
#define BOARD_UART_RX_IRQ 33
#define BOARD_UART_HZ 25000000u
#ifndef BOARD_UART_BAUD
#define BOARD_UART_BAUD 115200u
#endif

#define BOARD_NPU_BASE 0x58102000u
#define BOARD_NPU_IRQ 56

/* AN547 runs at 32 MHz, Arm's FVP at 25 MHz unless told otherwise. Only the length of time-outs depends on it. */
#define BOARD_CPU_HZ 32000000u

#endif
