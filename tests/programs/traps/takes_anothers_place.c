/* Loads a library, asks through it, unloads it and loads another one, which mostly gets the same
   address. Prints whether it did, and what the second one was answered. */
#include <dlfcn.h>
#include <stdio.h>

typedef const char *question(const char *);

static const char *ask(const char *path, void **library, question **function) {
    *library = dlopen(path, RTLD_NOW);
    if (!*library) return dlerror();
    *function = (question *)dlsym(*library, "ask_in_library");
    const char *value = (*function)("DOTNET_STARTUP_HOOKS");
    return value ? value : "(null)";
}

int main(int count, char **paths) {
    void *library;
    question *first, *second;
    if (count < 3) return 2;
    printf("%s\n", ask(paths[1], &library, &first));
    dlclose(library);
    const char *value = ask(paths[2], &library, &second);
    printf("%s\n%s\n", first == second ? "same address" : "another address", value);
    return 0;
}
