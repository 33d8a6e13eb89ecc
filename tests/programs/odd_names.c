/* Names and environments that few programs use, answered as libc does. */
#define _GNU_SOURCE
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

extern char **environ;

static void expect(const char *name, const char *wanted) {
    const char *value = getenv(name);
    int same = value && wanted ? strcmp(value, wanted) == 0 : value == wanted;
    if (!same) {
        printf("getenv(\"%s\") is %s, not %s\n", name, value ? value : "(null)", wanted ? wanted : "(null)");
        exit(1);
    }
}

int main(void) {
    char *own[] = {"",      "novalue", "A=one",   "AB=two",    "ABC=three", "=empty name", "E=",
                   "twice=1", "twice=2", "A B=blank", "ABCD",      "Z==",         NULL};
    environ = own;
    expect("", NULL);
    expect("novalue", NULL);
    expect("A", "one");
    expect("AB", "two");
    expect("ABC", "three");
    expect("ABCD", NULL);
    expect("B", NULL);
    expect("E", "");
    expect("twice", "1");
    expect("A B", "blank");
    expect("Z", "=");
    expect("AB=two", NULL);
    expect("JAVA_HOME", NULL);
    expect("JAVA_TOOL_OPTION", NULL);
    expect("JAVA_TOOL_OPTIONSX", NULL);
    char *none[] = {NULL};
    environ = none;
    expect("A", NULL);
    environ = NULL;
    expect("A", NULL);
    /* Without an environment libc does not look at the name. */
    const char *volatile null = NULL;
    if (getenv(null) != NULL) return 2;
    /* The watched one is answered from any of these. */
    const char *injected = getenv("JAVA_TOOL_OPTIONS");
    environ = own;
    if (getenv("JAVA_TOOL_OPTIONS") != injected) return 3;
    clearenv();
    if (getenv("JAVA_TOOL_OPTIONS") != injected) return 4;
    printf("%s\n", injected ? injected : "(null)");
    return 0;
}
