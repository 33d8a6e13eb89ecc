/* Moves its environment elsewhere and overwrites where the kernel put it, as servers do to change
   their title in `ps`, and asks. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

extern char **environ;

int main(int count, char **arguments) {
    (void)count;
    int entries = 0;
    char *end = NULL;
    while (environ[entries]) entries++;
    char **moved = calloc(entries + 1, sizeof *moved);
    for (int i = 0; i < entries; i++) {
        end = environ[i] + strlen(environ[i]);
        moved[i] = strdup(environ[i]);
    }
    environ = moved;
    memset(arguments[0], 'x', end - arguments[0]);
    const char *watched = getenv("JAVA_TOOL_OPTIONS");
    printf("%s %s\n", getenv("HOME"), getenv("NOT_THERE") ? "wrong" : "right");
    printf("watched: %s\n", watched ? watched : "(null)");
    return 0;
}
