/* Prints the cost of one getenv in nanoseconds: hit, miss, unwatched name that begins like a
   watched one, watched. The argument is how many variables the environment has. */
#include <stdio.h>
#include <stdlib.h>
#include <time.h>

#define CALLS 100000

static double now(void) {
    struct timespec time;
    clock_gettime(CLOCK_MONOTONIC, &time);
    return time.tv_sec * 1e9 + time.tv_nsec;
}

static double cost(const char *name) {
    double best = 1e18;
    for (int round = 0; round < 5; round++) {
        double start = now();
        for (int i = 0; i < CALLS; i++) {
            char *volatile value = getenv(name);
            (void)value;
        }
        double took = (now() - start) / CALLS;
        if (took < best) best = took;
    }
    return best;
}

int main(int count, char **arguments) {
    if (count != 2) return 1;
    clearenv();
    /* The one that is hit is the last. */
    for (int i = 1; i < atoi(arguments[1]); i++) {
        char name[32];
        snprintf(name, sizeof name, "VARIABLE_%d", i);
        setenv(name, "some value", 1);
    }
    setenv("HOME", "/here", 1);
    printf("%f %f %f %f\n", cost("HOME"), cost("NOT_THERE"), cost("JAVA_HOME"), cost("JAVA_TOOL_OPTIONS"));
    return 0;
}
