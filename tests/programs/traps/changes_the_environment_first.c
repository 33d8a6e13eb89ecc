/* Its constructor changes the environment, in the way that WAY says, perhaps before anybody else has
   looked for what the kernel has put behind it. */
#define _GNU_SOURCE
#include <stdlib.h>
#include <string.h>

extern char **environ;

__attribute__((constructor)) static void change(void) {
    const char *way = getenv("WAY");
    const char *kept = getenv("OPENTELEMETRY_INJECTOR_CONFIGURATION");
    static char configuration[4096];
    static char *own[2];
    if (!way || !kept) return;
    if (!strcmp(way, "set")) {
        setenv("A", "1", 1);
        setenv("B", "2", 1);
    } else if (!strcmp(way, "unset")) {
        unsetenv("FIRST");
        unsetenv("SECOND");
    } else if (!strcmp(way, "own")) {
        strcpy(configuration, "OPENTELEMETRY_INJECTOR_CONFIGURATION=");
        strcat(configuration, kept);
        own[0] = configuration;
        environ = own;
    }
}
