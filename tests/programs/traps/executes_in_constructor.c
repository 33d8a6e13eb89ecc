/* Its constructor executes the program anew before main, once. */
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

__attribute__((constructor)) static void again(int count, char **arguments) {
    if (getenv("AGAIN")) return;
    setenv("AGAIN", count > 1 ? arguments[1] : "yes", 1);
    execv("/proc/self/exe", arguments);
    _exit(126);
}

int main(void) {
    const char *watched = getenv("JAVA_TOOL_OPTIONS");
    printf("AGAIN %s\n", getenv("AGAIN"));
    printf("watched: %s\n", watched ? watched : "(null)");
    return 0;
}
