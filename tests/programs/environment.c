// Prints what main was handed and what environ holds, without the variables that tests set always.
#include <stdio.h>
#include <string.h>

extern char **environ;

static void print(const char *what, char **entries) {
    for (; *entries; entries++) {
        if (strncmp(*entries, "OTEL_", 5) == 0 || strncmp(*entries, "OPENTELEMETRY_INJECTOR_A", 24) == 0) {
            printf("%s %s\n", what, *entries);
        }
    }
}

int main(int count, char **arguments, char **entries) {
    (void)count;
    (void)arguments;
    print("main", entries);
    print("environ", environ);
    return 0;
}
