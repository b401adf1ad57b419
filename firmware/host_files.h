/* Whole files of the host that simulates this target, in the folder that it offers. */
#ifndef HOST_FILES_H
#define HOST_FILES_H

#include <stdbool.h>
#include <stddef.h>

/* Reads a file, of which that many bytes are there afterwards; false where it is not there or the host serves no files. */
bool host_files_read(const char *name, void *bytes, size_t room, size_t *count);

/* Makes a file, in the place of one that is there. */
bool host_files_write(const char *name, const void *bytes, size_t count);

#endif
