/* A library that asks for others: loaded and linked in every way that there is. */
#include <stdlib.h>

const char *ask_in_library(const char *name) {
    return getenv(name);
}
