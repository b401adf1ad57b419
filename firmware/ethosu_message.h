/* Says in words what the driver failed from. */
#ifndef ETHOSU_MESSAGE_H
#define ETHOSU_MESSAGE_H

#include "ethosu_driver.h"
#include "message.h"

#ifdef __cplusplus
extern "C" {
#endif

void ethosu_describe(const struct ethosu_failure *failure, struct message *text);

#ifdef __cplusplus
}
#endif

#endif
