/* Makes its environment 10 MB long, in a few long entries and in many short ones, and asks in it. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

int main(void) {
    static char value[100001], name[32];
    memset(value, 'x', 100000);
    for (int i = 0; i < 80; i++) {
        sprintf(name, "JAVA_TOOL_OPTION%d", i);
        setenv(name, value, 1);
    }
    value[1000] = 0;
    for (int i = 0; i < 2000; i++) {
        sprintf(name, "HOM%d", i);
        setenv(name, value, 1);
    }
    const char *last = getenv("HOM1999"), *missing = getenv("HOM2000"), *watched = getenv("JAVA_TOOL_OPTIONS");
    printf("%zu %s %s\n", strlen(last), missing ? missing : "nothing", getenv("HOME"));
    printf("watched: %s\n", watched ? watched : "(null)");
    return 0;
}
