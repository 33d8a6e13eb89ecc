/* Asks for a watched variable, changes its root, as pool workers do, and waits for the end of its input. */
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

int main(int count, char **arguments)
{
    char byte;
    const char *answer = getenv("JAVA_TOOL_OPTIONS");
    if (count < 2 || chroot(arguments[1]) || chdir("/"))
        return 1;
    printf("JAVA_TOOL_OPTIONS=%s\n\n", answer ? answer : "");
    fflush(stdout);
    return read(0, &byte, 1) < 0;
}
