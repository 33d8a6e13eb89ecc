/* Prints name=value for each argument, as getenv and secure_getenv answer. */
#define _GNU_SOURCE
#include <stdio.h>
#include <stdlib.h>

int main(int count, char **names) {
    for (int i = 1; i < count; i++) {
        const char *value = getenv(names[i]);
        const char *secure = secure_getenv(names[i]);
        printf("%s=%s\n", names[i], value ? value : "(null)");
        if (value != secure) printf("secure_getenv differs: %s\n", secure ? secure : "(null)");
    }
    return 0;
}
