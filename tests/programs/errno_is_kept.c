/* getenv does not set errno, whatever the injector meets. */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>

int main(void) {
    errno = 42;
    const char *value = getenv("JAVA_TOOL_OPTIONS");
    getenv("NOT_THERE");
    printf("%d %s\n", errno, value ? value : "(null)");
    return 0;
}
