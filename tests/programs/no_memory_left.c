// Prints the variable in its argument as it is answered while there is no address space left, and
// once more when there is.
#include <stdio.h>
#include <stdlib.h>
#include <sys/resource.h>

int main(int count, char **arguments) {
    if (count != 2) return 2;
    struct rlimit before, none;
    if (getrlimit(RLIMIT_AS, &before) != 0) return 1;
    none = before;
    none.rlim_cur = 4096;
    if (setrlimit(RLIMIT_AS, &none) != 0) return 1;
    const char *without = getenv(arguments[1]);
    if (setrlimit(RLIMIT_AS, &before) != 0) return 1;
    printf("%s\n%s\n", without, getenv(arguments[1]));
    return 0;
}
