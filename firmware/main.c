#include "firmware.h"
#include "server.h"
#include "uart.h"

void firmware_main(void)
{
    uart_start();
    server_run();
}
