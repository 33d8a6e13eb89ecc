/* Executes a program under a limit: limited as|data|stack|fsize|memlock|nofile LIMIT PROGRAM... */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <unistd.h>

int main(int count, char **arguments) {
    if (count < 4) return 2;
    const struct {
        const char *name;
        int resource;
    } limits[] = {{"as", RLIMIT_AS}, {"data", RLIMIT_DATA}, {"stack", RLIMIT_STACK}, {"fsize", RLIMIT_FSIZE}, {"memlock", RLIMIT_MEMLOCK}, {"nofile", RLIMIT_NOFILE}};
    for (size_t i = 0; i < sizeof limits / sizeof *limits; i++) {
        struct rlimit limit = {strtoul(arguments[2], NULL, 10), strtoul(arguments[2], NULL, 10)};
        if (!strcmp(arguments[1], limits[i].name) && setrlimit(limits[i].resource, &limit)) return 2;
    }
    execv(arguments[3], arguments + 3);
    return 126;
}
