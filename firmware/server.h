/* Serves the protocol on the UART: hello, infer, bye. */
#ifndef SERVER_H
#define SERVER_H

#include <stddef.h>

#ifdef __cplusplus
extern "C" {
#endif

enum {
    PROTOCOL_VERSION = 1,
    PROTOCOL_IDLE_MS = 2000, /* silence inside a frame that ends it */
};

enum protocol_type {
    TYPE_HELLO = 0x01,
    TYPE_INFER = 0x02,
    TYPE_BYE = 0x03,
    TYPE_INFER_PACKED = 0x04,
    TYPE_HELLO_REPLY = 0x81,
    TYPE_RESULT = 0x82,
    TYPE_BYE_REPLY = 0x83,
    TYPE_LOG = 0x90,
    TYPE_ERROR = 0xEE,
};

enum protocol_error {
    PROTOCOL_UNKNOWN_REQUEST = 1,
    PROTOCOL_DAMAGED = 2,
    PROTOCOL_TRUNCATED = 3,
    PROTOCOL_SIZE = 4,
    PROTOCOL_VERSION_DIFFERS = 5,
    PROTOCOL_NOT_READY = 6,
    PROTOCOL_INFERENCE = 7,
    PROTOCOL_FAULT = 8,
};

/* Announces itself and answers requests; never returns. */
void server_run(void);

/* Takes in one byte from the host and answers when a request is complete. */
void server_push(unsigned char byte);

/* Prepares the network and announces itself. */
void server_start(void);

/* Nothing has come for PROTOCOL_IDLE_MS. */
void server_idle(void);

/* Sends a text for people. */
void server_log(const char *text, size_t length);

/* Sends why the processor stopped. */
void server_report_fault(const char *text);

#ifdef __cplusplus
}
#endif

#endif
