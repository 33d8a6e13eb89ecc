/* Opens the library that it is given in the way that it is told, and asks through it. */
#define _GNU_SOURCE
#include <dlfcn.h>
#include <stdio.h>
#include <string.h>

int main(int count, char **arguments) {
    if (count != 3) return 2;
    void *library = NULL;
    if (!strcmp(arguments[1], "deepbind")) library = dlopen(arguments[2], RTLD_NOW | RTLD_DEEPBIND);
    if (!strcmp(arguments[1], "lazy")) library = dlopen(arguments[2], RTLD_LAZY);
    if (!strcmp(arguments[1], "namespace")) library = dlmopen(LM_ID_NEWLM, arguments[2], RTLD_NOW);
    if (!library) {
        puts(dlerror());
        return 1;
    }
    const char *(*ask)(const char *) = (const char *(*)(const char *))dlsym(library, "ask_in_library");
    const char *watched = ask("JAVA_TOOL_OPTIONS");
    printf("HOME: %s\n", ask("HOME"));
    printf("watched: %s\n", watched ? watched : "(null)");
    return dlclose(library);
}
