/* An object with the injector's mark whose constructor does harm: -DHARM=…, where -DWHERE=… is
   true. Unless -DSILENT is given it says something when it is asked to, as the injector does. */
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/auxv.h>
#include <unistd.h>

#ifndef WHERE
#define WHERE 1
#endif

/* src/preload/version.rs */
__attribute__((used, section(".note.opentelemetry_injector"), aligned(4))) static const struct {
    uint32_t owner_length, length, kind;
    char owner[16], version[8];
} note = {14, 8, 1, "OpenTelemetry", "0.0.0"};

__attribute__((constructor)) static void construct(void) {
    if (WHERE) {
        HARM;
    }
#ifndef SILENT
    if (getenv("OPENTELEMETRY_INJECTOR_DEBUG")) {
        fputs("opentelemetry-injector[1 program]: here\n", stderr);
    }
#endif
}
