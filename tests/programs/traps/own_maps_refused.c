/* Asks where the kernel gives out no memory any more, and again where it does. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/resource.h>

int main(int count, char **arguments) {
    int resource = count > 1 && !strcmp(arguments[1], "as") ? RLIMIT_AS : RLIMIT_DATA;
    printf("HOME %s\n", getenv("HOME"));
    struct rlimit before, none;
    if (getrlimit(resource, &before)) return 2;
    none = before;
    none.rlim_cur = 4096;
    if (setrlimit(resource, &none)) return 2;
    int refused = mmap(NULL, 4096, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0) == MAP_FAILED;
    const char *first = getenv("JAVA_TOOL_OPTIONS");
    if (setrlimit(resource, &before)) return 2;
    const char *watched = getenv("JAVA_TOOL_OPTIONS");
    printf("refused %d, then %s\n", refused, first ? first : "nothing");
    printf("watched: %s\n", watched ? watched : "(null)");
    return 0;
}
