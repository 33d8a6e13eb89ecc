/* getenv(NULL) is a crash in libc; it stays one. */
#include <stdlib.h>

int main(void) {
    const char *volatile null = NULL;
    return getenv(null) != NULL;
}
