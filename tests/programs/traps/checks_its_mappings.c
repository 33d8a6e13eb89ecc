/* Looks for memory of its own that is writable and executable, as hardened daemons do, for writable
   code of libc, and for descriptors that it has not opened. */
#include <dirent.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

int main(void) {
    char line[512], rights[8];
    int writable_code = 0, code_of_libc = 0, descriptors = 0;
    FILE *maps = fopen("/proc/self/maps", "r");
    while (maps && fgets(line, sizeof line, maps)) {
        if (sscanf(line, "%*s %7s", rights) != 1) continue;
        if (rights[1] == 'w' && rights[2] == 'x') writable_code++;
        if (strstr(line, "/libc.so.6") && rights[2] == 'x') code_of_libc = 1;
    }
    fclose(maps);
    DIR *folder = opendir("/proc/self/fd");
    while (readdir(folder)) descriptors++;
    const char *watched = getenv("JAVA_TOOL_OPTIONS");
    printf("writable code: %d, code of libc: %d, descriptors: %d\n", writable_code, code_of_libc, descriptors);
    printf("watched: %s\n", watched ? watched : "(null)");
    return 0;
}
