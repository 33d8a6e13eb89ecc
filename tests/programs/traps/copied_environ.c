/* Built without PIE, it has its own copy of `environ` (a copy relocation), reads it, changes it, and
   puts an array of its own in its place. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

extern char **environ;

int main(void) {
    int entries = 0;
    for (char **entry = environ; *entry; entry++) entries += strncmp(*entry, "LD_PRELOAD=", 11) != 0;
    printf("%d entries, HOME %s\n", entries, getenv("HOME"));
    setenv("HOME", "/set", 1);
    putenv("OWN=put");
    printf("HOME %s, OWN %s\n", getenv("HOME"), getenv("OWN"));
    char *own[] = {"HOME=/own", "no equals sign", NULL};
    environ = own;
    const char *put = getenv("OWN"), *watched = getenv("JAVA_TOOL_OPTIONS");
    printf("HOME %s, OWN %s\n", getenv("HOME"), put ? put : "nothing");
    printf("watched: %s\n", watched ? watched : "(null)");
    return 0;
}
