/* Called by the reset handler when memory, caches and the tick are ready. */
#ifndef FIRMWARE_H
#define FIRMWARE_H

void firmware_main(void);

#endif
