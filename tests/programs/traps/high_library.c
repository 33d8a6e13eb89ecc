/* A library that is linked above where libraries are loaded: its base wraps round. */
int number_of_high_library = 5;

int high_library(void) {
    return number_of_high_library;
}
