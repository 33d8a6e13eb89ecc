/* Defines and exports a getenv of its own, as bash does, and asks libc's as well. */
#define _GNU_SOURCE
#include <dlfcn.h>
#include <stdio.h>
#include <string.h>

extern char **environ;

char *getenv(const char *name) {
    size_t length = strlen(name);
    for (char **entry = environ; *entry; entry++) {
        if (!strncmp(*entry, name, length) && (*entry)[length] == '=') return *entry + length + 1;
    }
    return NULL;
}

int main(void) {
    char *(*theirs)(const char *) = (char *(*)(const char *))dlsym(RTLD_NEXT, "getenv");
    const char *own = getenv("JAVA_TOOL_OPTIONS"), *watched = theirs("JAVA_TOOL_OPTIONS");
    printf("own: %s %s\n", getenv("HOME"), own ? own : "nothing");
    printf("watched: %s\n", watched ? watched : "(null)");
    return 0;
}
