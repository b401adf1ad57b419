/* Numbers of the protocol; frame.h describes the frames, server.c what they carry. */
#ifndef PROTOCOL_H
#define PROTOCOL_H

enum {
    PROTOCOL_VERSION = 1,
    PROTOCOL_IDLE_MS = 2000, /* silence inside a frame that ends it */
    PROTOCOL_DOORBELL = 0xB1, /* between frames: one lies in the mailbox */
};

/* In the folder that the host offers. */
#define PROTOCOL_REQUEST_FILE "deploy-request.bin"
#define PROTOCOL_REPLY_FILE "deploy-reply.bin"

enum protocol_type {
    TYPE_HELLO = 0x01,
    TYPE_INFER = 0x02,
    TYPE_BYE = 0x03,
    TYPE_INFER_PACKED = 0x04,
    TYPE_STOP_AFTER = 0x05,
    TYPE_READ = 0x06,
    TYPE_RESET = 0x07,
    TYPE_MAILBOX = 0x08,
    TYPE_FILES = 0x09,
    TYPE_HELLO_REPLY = 0x81,
    TYPE_RESULT = 0x82,
    TYPE_BYE_REPLY = 0x83,
    TYPE_STOP_REPLY = 0x85,
    TYPE_MEMORY = 0x86,
    TYPE_RESET_REPLY = 0x87,
    TYPE_MAILBOX_REPLY = 0x88,
    TYPE_FILES_REPLY = 0x89,
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

#endif
