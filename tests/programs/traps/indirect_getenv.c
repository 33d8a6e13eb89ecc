/* Its getenv is an IFUNC, as is a function beside it: the loader runs their resolvers while it
   relocates, before any constructor. */
#include <stdio.h>
#include <string.h>

extern char **environ;
typedef char *search(const char *);

static char *slow(const char *name) {
    size_t length = strlen(name);
    for (char **entry = environ; *entry; entry++) {
        if (!strncmp(*entry, name, length) && (*entry)[length] == '=') return *entry + length + 1;
    }
    return NULL;
}

static search *choose(void) {
    return slow;
}

char *getenv(const char *name) __attribute__((ifunc("choose")));

static int one(void) {
    return 1;
}

static int (*choose_number(void))(void) {
    return one;
}

int number(void) __attribute__((ifunc("choose_number")));

int main(void) {
    const char *watched = getenv("JAVA_TOOL_OPTIONS");
    printf("%d %s %s\n", number(), getenv("HOME"), watched ? watched : "nothing");
    return 0;
}
