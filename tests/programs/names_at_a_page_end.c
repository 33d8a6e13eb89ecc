/* Every beginning of every watched name, and every name of one or two characters, each ending right
   before memory that may not be read: nobody may look behind a name's end. Each name is asked for
   unset and set. */
#define _GNU_SOURCE
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

extern char **environ;

static char *page_end;

/* Whether libc's answers for a name, unset and set, are the right ones. */
static int is_answered(const char *name) {
    char *at = page_end - strlen(name) - 1;
    strcpy(at, name);
    char entry[64];
    char *own[] = {entry, NULL};
    snprintf(entry, sizeof entry, "%s=value", name);
    environ = own + 1;
    if (getenv(at) != NULL) return 0;
    environ = own;
    return getenv(at) == entry + strlen(name) + 1;
}

int main(void) {
    const char *names[] = {"JAVA_TOOL_OPTION", "NODE_OPTION", "PYTHONPAT", "RUBYOP", "PHP_INI_SCAN_DI",
                           "ERL_AFLAG", "DOTNET_STARTUP_HOOK", "DOTNET_ADDITIONAL_DEP", "DOTNET_SHARED_STOR",
                           "OTEL", "OPENTELEMETRY_INJECTOR_BOOT"};
    long page = sysconf(_SC_PAGESIZE);
    char *memory = mmap(NULL, 2 * page, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    if (memory == MAP_FAILED || mprotect(memory + page, page, PROT_NONE) != 0) return 1;
    page_end = memory + page;
    int asked = 0;
    char name[32];
    for (size_t i = 0; i < sizeof names / sizeof *names; i++) {
        for (size_t length = 1; length <= strlen(names[i]); length++, asked++) {
            snprintf(name, sizeof name, "%.*s", (int)length, names[i]);
            if (!is_answered(name)) printf("%s\n", name);
        }
    }
    for (int first = 1; first < 256; first++) {
        for (int second = 0; second < 256; second++, asked++) {
            if (first == '=' || second == '=') continue;
            name[0] = first, name[1] = second, name[2] = 0;
            if (!is_answered(name)) printf("%d %d\n", first, second);
        }
    }
    printf("%d names\n", asked);
    return 0;
}
