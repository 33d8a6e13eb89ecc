/* Closes stderr and opens a data file, which gets its number; then asks. */
#include <fcntl.h>
#include <stdlib.h>
#include <unistd.h>

int main(int count, char **arguments) {
    if (count != 2) return 1;
    close(2);
    if (open(arguments[1], O_WRONLY | O_CREAT | O_TRUNC, 0644) != 2) return 2;
    if (!getenv("JAVA_TOOL_OPTIONS")) return 3;
    return write(2, "data\n", 5) != 5;
}
