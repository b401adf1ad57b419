/* Serves the protocol on the UART: hello, infer, reset, stop after, read, bye. */
#ifndef SERVER_H
#define SERVER_H

#ifdef __cplusplus
extern "C" {
#endif

/* Announces itself and answers requests; never returns. */
void server_run(void);

/* Takes in one byte from the host and answers when a request is complete. */
void server_push(unsigned char byte);

/* Prepares the network and announces itself. */
void server_start(void);

/* Nothing has come for PROTOCOL_IDLE_MS. */
void server_idle(void);

#ifdef __cplusplus
}
#endif

#endif
