/* Started with descriptors 0 to 2 closed: writes what it sees into the file it is given. */
#include <dirent.h>
#include <stdio.h>
#include <stdlib.h>

int main(int count, char **arguments) {
    if (count != 2) return 1;
    FILE *file = fopen(arguments[1], "w");
    if (!file) return 2;
    const char *value = getenv("JAVA_TOOL_OPTIONS");
    int descriptors = 0;
    DIR *folder = opendir("/proc/self/fd");
    while (folder && readdir(folder)) descriptors++;
    /* The file, the folder, and the two dots. */
    fprintf(file, "descriptor %d, %d open, %s\n", fileno(file), descriptors - 2, value ? value : "(null)");
    return 0;
}
