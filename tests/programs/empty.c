/* The program that does nothing: what an exec costs. */
int main(void) { return 0; }
