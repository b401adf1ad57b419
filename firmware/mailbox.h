/* Frames in memory in place of the UART's bytes, for a host that reaches the target's memory: a simulator. A request
 * lies in one area, its reply in another; PROTOCOL_DOORBELL on the UART, in either direction, says that it does.
 * An area is the length of the frame u32, and the frame. What does not fit goes over the UART.
 *
 * A simulator whose memory is not reached may serve files: then the frames lie in PROTOCOL_REQUEST_FILE and
 * PROTOCOL_REPLY_FILE, one each, and are copied to the areas and from them. */
#ifndef MAILBOX_H
#define MAILBOX_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "frame.h"
#include "network.h"

enum { MAILBOX_MIN_REQUEST_BYTES = 16 };
#define MAILBOX_REQUEST_BYTES \
    (NETWORK_INPUT_BYTES > MAILBOX_MIN_REQUEST_BYTES ? NETWORK_INPUT_BYTES : MAILBOX_MIN_REQUEST_BYTES)

/* Where the payload of a request lies, MAILBOX_REQUEST_BYTES of room: of one that comes over the UART, too. */
uint8_t *mailbox_payload(void);

/* NETWORK_INPUT_BYTES of room until a reply is written. */
uint8_t *mailbox_scratch(void);

/* Takes the request in the area as the parser takes one from the UART: FRAME_COMPLETE, or FRAME_DAMAGED. */
enum frame_event mailbox_take(struct frame_parser *parser);

/* Whether a reply with that much of payload fits. */
bool mailbox_fits(uint32_t length);

/* The beginning of a reply, the next piece of it, and the end, which rings. */
void mailbox_begin(void);
void mailbox_write(const void *bytes, size_t count);
void mailbox_end(void);

/* Address u64 of the area for requests, and of that for replies; bytes u32 of the former's longest frame, and of the
 * latter's. */
enum { MAILBOX_PLACE_BYTES = 24 };
void mailbox_place(struct frame_writer *writer);

/* Exchanges files from now on, until they are closed; false where there are none. What the host has put into the
 * file for requests, up to MAILBOX_PROOF_BYTES, is written to that for replies. */
enum { MAILBOX_PROOF_BYTES = 16 };
bool mailbox_open_files(void);
void mailbox_close_files(void);

#endif
