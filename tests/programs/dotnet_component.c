/* dotnet_component LIBHOSTFXR ROOT RUNTIMECONFIG: starts a CLR for a component, as node-api-dotnet and
   pythonnet do, and prints the environment of the process. (dotnet/runtime, hostfxr.h) */
#include <dlfcn.h>
#include <stddef.h>
#include <stdio.h>

extern char **environ;

struct parameters {
    size_t size;
    const char *host_path;
    const char *dotnet_root;
};

int main(int count, char **arguments) {
    void *library = count == 4 ? dlopen(arguments[1], RTLD_NOW) : NULL;
    if (library == NULL)
        return 1;
    int (*initialize)(const char *, const struct parameters *, void **);
    int (*get_delegate)(void *, int, void **);
    *(void **)&initialize = dlsym(library, "hostfxr_initialize_for_runtime_config");
    *(void **)&get_delegate = dlsym(library, "hostfxr_get_runtime_delegate");
    struct parameters parameters = {sizeof parameters, arguments[0], arguments[2]};
    void *context = NULL, *load = NULL;
    if (initialize(arguments[3], &parameters, &context) != 0)
        return 2;
    /* hdt_load_assembly_and_get_function_pointer */
    if (get_delegate(context, 5, &load) != 0 || load == NULL)
        return 3;
    puts("the CLR runs");
    for (char **entry = environ; *entry != NULL; entry++)
        puts(*entry);
    return 0;
}
