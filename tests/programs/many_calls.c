// Asks as often as its argument says for a name that is not set.
#include <stdlib.h>

int main(int count, char **arguments) {
    for (long left = atol(arguments[1]); left > 0; left--)
        getenv("SOME_NAME");
    return 0;
}
