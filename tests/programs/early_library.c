/* A library whose constructor asks before the preload object's own constructor runs. */
#include <stdio.h>
#include <stdlib.h>

const char *early_home;
int early_was_injected;

__attribute__((constructor)) static void ask(void) {
    early_home = getenv("HOME");
    early_was_injected = getenv("JAVA_TOOL_OPTIONS") != NULL;
}
