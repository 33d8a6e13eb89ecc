/* Prints name=value for each argument, as getenv answers, and an empty line; then waits for the end
   of standard input. */
#include <stdio.h>
#include <stdlib.h>

int main(int count, char **names) {
    for (int i = 1; i < count; i++) {
        const char *value = getenv(names[i]);
        printf("%s=%s\n", names[i], value ? value : "(null)");
    }
    puts("");
    fflush(stdout);
    while (getchar() != EOF) {
    }
    return 0;
}
