/* Executes a program as few do: with entries that have no `=`, no name or the same name, or with no
   environment and no arguments at all. Everything that begins with LD_ or OPENTELEMETRY_ goes with
   it. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

extern char **environ;

int main(int count, char **arguments) {
    if (count < 3) return 2;
    char *entries[64] = {"", "no equals sign", "=no name", "=", "HOME", "HOME=/first", "HOME=/second", "JAVA_TOOL_OPTIONS"};
    int filled = strcmp(arguments[1], "odd") ? 0 : 8;
    for (char **entry = environ; *entry && filled < 60; entry++) {
        if (!strncmp(*entry, "LD_", 3) || !strncmp(*entry, "OPENTELEMETRY_", 14)) entries[filled++] = *entry;
    }
    char *none[] = {NULL};
    execve(arguments[2], strcmp(arguments[1], "bare") ? arguments + 2 : none, entries);
    perror(arguments[2]);
    return 1;
}
