/* A value is kept by a caller for ever, follows setenv, and costs memory once. */
#define _GNU_SOURCE
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define NAME "JAVA_TOOL_OPTIONS"

/* setenv would keep every value itself: the two variables are entries of our own. */
static char first[] = NAME "=-Dfirst";
static char second[] = NAME "=-Dsecond";

static long resident_pages(void) {
    long size, resident;
    FILE *file = fopen("/proc/self/statm", "r");
    if (!file || fscanf(file, "%ld %ld", &size, &resident) != 2) exit(1);
    fclose(file);
    return resident;
}

int main(void) {
    const char *unset = getenv(NAME);
    putenv(first);
    const char *one = getenv(NAME);
    putenv(second);
    const char *two = getenv(NAME);
    char kept[3][4096];
    strcpy(kept[0], unset), strcpy(kept[1], one), strcpy(kept[2], two);
    /* The first round also brings in pages of the program itself. */
    long before = 0;
    for (int i = 0; i < 1000000; i++) {
        if (i == 100000) before = resident_pages();
        putenv(i % 2 ? first : second);
        if (getenv(NAME) != (i % 2 ? one : two)) return 2;
    }
    unsetenv(NAME);
    if (getenv(NAME) != unset) return 3;
    if (strcmp(kept[0], unset) || strcmp(kept[1], one) || strcmp(kept[2], two)) return 4;
    if (resident_pages() - before > 1000) return 5; /* 900,000 values would be over 10,000; the kernel counts roughly */
    printf("%s\n%s\n%s\n", unset, one, two);
    return 0;
}
