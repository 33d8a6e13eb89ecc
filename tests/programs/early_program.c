/* Uses early_library. */
#include <stdio.h>
#include <stdlib.h>

extern const char *early_home;
extern int early_was_injected;

int main(void) {
    printf("%s %d %s\n", early_home, early_was_injected, getenv("JAVA_TOOL_OPTIONS"));
    return 0;
}
