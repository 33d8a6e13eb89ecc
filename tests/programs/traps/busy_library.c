/* Asks and sets in its constructor and its destructor. */
#include <stdio.h>
#include <stdlib.h>

__attribute__((constructor)) static void begin(void) {
    setenv("SET_AT_START", getenv("HOME"), 1);
    unsetenv("NOT_THERE");
}

__attribute__((destructor)) static void end(void) {
    setenv("SET_AT_END", getenv("SET_AT_START"), 1);
    const char *watched = getenv("JAVA_TOOL_OPTIONS");
    printf("at the end: %s %s\n", getenv("SET_AT_END"), getenv("HOME"));
    printf("watched: %s\n", watched ? watched : "(null)");
}

const char *ask_in_library(const char *name) {
    return getenv(name);
}
