/* hand_on NAME TEXT PROGRAM ARGUMENT...: extends a variable by a text in front of its value, as launchers
   do, and executes the program. */
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

int main(int count, char **arguments) {
    static char extended[100000];
    if (count < 4) return 2;
    const char *value = getenv(arguments[1]);
    snprintf(extended, sizeof extended, "%s%s", arguments[2], value ? value : "");
    setenv(arguments[1], extended, 1);
    execvp(arguments[3], arguments + 3);
    perror(arguments[3]);
    return 9;
}
