/* Asks through asking_library, which it is linked to. */
#include <stdio.h>
#include <stdlib.h>

extern const char *ask_in_library(const char *name);

int main(void) {
    const char *watched = ask_in_library("JAVA_TOOL_OPTIONS");
    printf("HOME: %s %s\n", ask_in_library("HOME"), getenv("HOME"));
    printf("watched: %s\n", watched ? watched : "(null)");
    return 3;
}
