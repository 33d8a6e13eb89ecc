/* Asks through functions that dlsym finds in libc itself. */
#include <dlfcn.h>
#include <stdio.h>

typedef char *(*lookup)(const char *);

int main(int count, char **names) {
    void *libc = dlopen("libc.so.6", RTLD_LAZY);
    if (!libc) return 1;
    lookup plain = (lookup)dlsym(libc, "getenv");
    lookup secure = (lookup)dlsym(libc, "secure_getenv");
    for (int i = 1; i < count; i++) printf("%s=%s %s\n", names[i], plain(names[i]), secure(names[i]));
    return 0;
}
