/* A CMSDK APB UART, as Arm's Corstone boards have it. */
#include "uart.h"

#include "board.h"
#include "cpu.h"

#define UART_DATA CPU_REGISTER(BOARD_UART_BASE + 0x00)
#define UART_STATE CPU_REGISTER(BOARD_UART_BASE + 0x04)
#define UART_CTRL CPU_REGISTER(BOARD_UART_BASE + 0x08)
#define UART_INTCLEAR CPU_REGISTER(BOARD_UART_BASE + 0x0C)
#define UART_BAUDDIV CPU_REGISTER(BOARD_UART_BASE + 0x10)

enum { STATE_TX_FULL = 1 << 0, STATE_RX_FULL = 1 << 1, STATE_OVERRUNS = 3 << 2 };
enum { CTRL_TX_ENABLE = 1 << 0, CTRL_RX_ENABLE = 1 << 1, CTRL_RX_INTERRUPT = 1 << 3 };
enum { INT_RX = 1 << 1 };

void uart_start(void)
{
    UART_BAUDDIV = (BOARD_UART_HZ + BOARD_UART_BAUD / 2) / BOARD_UART_BAUD;
    UART_STATE = STATE_OVERRUNS;
    UART_CTRL = CTRL_TX_ENABLE | CTRL_RX_ENABLE | CTRL_RX_INTERRUPT;
    cpu_enable_irq(BOARD_UART_RX_IRQ);
}

void UART_Handler(void);
void UART_Handler(void)
{
    UART_INTCLEAR = INT_RX; /* all it is for is to end WFI */
}

void uart_write(const void *bytes, size_t count)
{
    const uint8_t *next = bytes;
    while (count-- > 0) {
        while ((UART_STATE & STATE_TX_FULL) != 0) {
        }
        UART_DATA = *next++;
    }
}

bool uart_read(uint8_t *byte, uint32_t timeout_ms)
{
    uint32_t start = cpu_milliseconds();
    /* With interrupts off, one that comes between the question and WFI still ends WFI. */
    cpu_disable_interrupts();
    while ((UART_STATE & STATE_RX_FULL) == 0) {
        if (cpu_milliseconds() - start > timeout_ms) {
            cpu_enable_interrupts();
            return false;
        }
        cpu_wait_for_interrupt();
        cpu_enable_interrupts();
        cpu_instruction_sync();
        cpu_disable_interrupts();
    }
    cpu_enable_interrupts();
    *byte = (uint8_t)UART_DATA;
    return true;
}
