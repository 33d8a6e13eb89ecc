/* Prints name=value for each argument, as getenv answers, and an empty line; then waits for the end
   of standard input. */
#include <stdio.h>
#include <stdlib.h>

// What PHP exports for its extensions, so that a copy named `php` passes for one (-rdynamic).
struct {
    const char *name, *pretty_name;
    void *startup, *shutdown, *activate;
} sapi_module = {"stand-in", "", 0, 0, 0};
int php_check_open_basedir_ex(const char *path, int warn) { return path == 0 || warn; }
const char *zend_ini_string(const char *name, unsigned long length, int original) {
    return length > 0 && original ? name : "";
}
int zend_alter_ini_entry_chars(void *name, const char *value, unsigned long length, int type, int stage) {
    return name == 0 || value == 0 || length > 0 || type == stage;
}
int cfg_get_string(const char *name, const char **value) {
    *value = name;
    return 0;
}

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
