/* Gives a watched variable ever new values and asks for each: neither memory nor time may grow with
   their number for ever. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static long resident(void) {
    char line[256];
    long kilobytes = 0;
    FILE *status = fopen("/proc/self/status", "r");
    while (status && fgets(line, sizeof line, status)) sscanf(line, "VmRSS: %ld", &kilobytes);
    if (status) fclose(status);
    return kilobytes;
}

int main(void) {
    static char entry[64] = "JAVA_TOOL_OPTIONS=";
    char wanted[64];
    const char *watched = getenv("JAVA_TOOL_OPTIONS");
    long before = 0;
    int lost = 0;
    putenv(entry);
    for (int i = 0; i < 20000; i++) {
        if (i == 5000) before = resident();
        sprintf(entry, "JAVA_TOOL_OPTIONS=-Dvalue=%d", i);
        sprintf(wanted, "-Dvalue=%d", i);
        const char *value = getenv("JAVA_TOOL_OPTIONS");
        if (!value || !strstr(value, wanted)) lost++;
    }
    printf("lost %d, grown %d\n", lost, resident() > before + 256);
    strcpy(entry, "JAVA_TOOL_OPTION=x");
    int same = getenv("JAVA_TOOL_OPTIONS") == watched;
    printf("the first as before: %d\n", same);
    printf("watched: %s\n", watched ? watched : "(null)");
    return 0;
}
