// Starts .NET as an application's own executable does: by libhostfxr, whose path comes first.
// Arguments: libhostfxr, the folder of the runtime, the application's assembly, its arguments.
#include <dlfcn.h>
#include <stdio.h>

typedef int (*run)(int, const char **, const char *, const char *, const char *);

int main(int count, const char **arguments) {
    void *library = count > 3 ? dlopen(arguments[1], RTLD_NOW) : NULL;
    run start = library ? (run)dlsym(library, "hostfxr_main_startupinfo") : NULL;
    if (!start) {
        fprintf(stderr, "%s\n", dlerror());
        return 1;
    }
    return start(count - 3, arguments + 3, arguments[0], arguments[2], arguments[3]);
}
