/* Ends with 0 where the watched name is answered with WANTED. With an argument, it says so first
   and then waits until its standard input ends. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

int main(int count, char **arguments) {
    (void)arguments;
    const char *watched = getenv("JAVA_TOOL_OPTIONS"), *wanted = getenv("WANTED");
    if (!watched || !wanted || strcmp(watched, wanted) || getenv("NOT_THERE")) return 1;
    if (count > 1) {
        puts("ready");
        fflush(stdout);
        while (getchar() != EOF) continue;
    }
    return 0;
}
