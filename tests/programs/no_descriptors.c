/* Allows itself no further descriptor, then asks. */
#include <stdio.h>
#include <stdlib.h>
#include <sys/resource.h>

int main(void) {
    struct rlimit none = {3, 3};
    if (setrlimit(RLIMIT_NOFILE, &none)) return 1;
    const char *value = getenv("JAVA_TOOL_OPTIONS");
    printf("%s\n", value ? value : "(null)");
    return 0;
}
