/* Lets the Gum engine's object copy the beginnings of functions of arm64, and calls function and copy. Prints a line for
   each: its name, and `copied`, `refused`, or `differs` where the copy does not return what the function returns. */
#include <dlfcn.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>
#include <sys/mman.h>

/* What the preload object replaces. */
enum { REPLACED = 20 };

typedef long function(long);

/* FUNCTION(NAME, CODE): in a section whose other functions are within reach of every jump. */
#define FUNCTION(NAME, CODE)                                                                                           \
    extern const char NAME##_end[];                                                                                    \
    function NAME;                                                                                                     \
    __asm__(".text\n.p2align 2\n" #NAME ":\n" CODE "\n" #NAME "_end:\n");

long number = 1000;
__asm__(".text\n.p2align 4\nliterals: .quad 0x123456789abcdef0\n.word -5\n.word 7\n.double 2.5\n.quad 3, 4\n"
        ".p2align 2\nadds_nine: add x0, x0, 9\nret\n");

#define REST "add x0, x0, 1\nadd x0, x0, 2\nadd x0, x0, 4\nadd x0, x0, 8\nadd x0, x0, 16\n"
FUNCTION(plain, REST "add x0, x0, 32\nret")
FUNCTION(page_address, "adrp x2, number\nldr x2, [x2, :lo12:number]\nadd x0, x0, x2\nadrp x3, number\nadd x3, x3, :lo12:number\n"
                       "ldr x3, [x3]\nadd x0, x0, x3\nret")
FUNCTION(near_address, "adr x2, literals\nldr x3, [x2]\nadr x4, .\neor x0, x0, x3\nadr x5, near_address\nsub x4, x4, x5\nadd x0, x0, x4\nret")
FUNCTION(literal_words, "ldr x2, literals\nldr w3, literals + 8\nldrsw x4, literals + 8\nldr w5, literals + 12\nadd x0, x0, x2\n"
                        "add x0, x0, x3\nadd x0, x0, x4\nadd x0, x0, x5\nret")
FUNCTION(literal_numbers, "mov x5, x1\nldr d1, literals + 16\nldr q2, literals + 16\nldr s3, literals + 16\nadd x0, x0, 1\nfmov x2, d1\n"
                          "mov x3, v2.d[1]\nfmov w4, s3\nadd x0, x0, x2\nadd x0, x0, x3\nadd x0, x0, x4\nret")
FUNCTION(with_a_frame, "stp x29, x30, [sp, -32]!\nmov x29, sp\nstp x19, x20, [sp, 16]\nadrp x19, number\nldr x19, [x19, :lo12:number]\n"
                       "bl adds_nine\nadd x0, x0, x19\nldp x19, x20, [sp, 16]\nldp x29, x30, [sp], 32\nret")
FUNCTION(signed_return, "hint 25\nstp x29, x30, [sp, -16]!\nmov x29, sp\nadrp x2, number\nldr x2, [x2, :lo12:number]\nadd x0, x0, x2\n"
                        "bl adds_nine\nldp x29, x30, [sp], 16\nhint 29\nret")
FUNCTION(landing_pad, "hint 34\n" REST "ret")
FUNCTION(to_its_start, "cmp x0, 50\nadd x0, x0, 8\nmov x2, 1\nmov x3, 2\nmov x4, 3\nb.lt to_its_start\nret")
FUNCTION(to_what_stays, "mov x2, 1\nmov x3, 2\nmov x4, 3\nmov x5, 4\nmov x6, 5\nadd x0, x0, x6\ncmp x0, 100\nb.lt .-8\nret")
FUNCTION(breakpoint_that_stays, REST "cbnz x0, .+8\nbrk 0\nret")

FUNCTION(breakpoint_first, "brk 0\n" REST "ret")
FUNCTION(breakpoint_second, "add x0, x0, 1\nbrk 5\n" REST "ret")
FUNCTION(breakpoint_fifth, "mov x1, 1\nmov x2, 1\nmov x3, 1\nmov x4, 1\nbrk 0xffff\n" REST "ret")
FUNCTION(compare_and_branch, "cbz x0, .+24\n" REST "ret")
FUNCTION(test_and_branch, "mov x1, 1\ntbnz x0, 3, .+24\n" REST "ret")
FUNCTION(conditional, "cmp x0, 1\nb.eq .+24\n" REST "ret")
FUNCTION(call, "mov x9, x30\nbl adds_nine\nmov x30, x9\n" REST "ret")
FUNCTION(jump, "mov x1, 1\nmov x1, 1\nmov x1, 1\nmov x1, 1\nb adds_nine\nret")
FUNCTION(another_hook, "ldr x16, .+8\nbr x16\n.quad adds_nine\nadd x0, x0, 1\nadd x0, x0, 1\nret")
FUNCTION(returns_early, "cmp x0, 1\nret\n" REST "ret")
FUNCTION(too_short, "add x0, x0, 1\nadd x0, x0, 1\nret")
FUNCTION(not_an_instruction, ".inst 0xffffffff\n" REST "ret")
FUNCTION(back_by_condition, REST "cmp x0, 50\nb.lt .-20\nret")
FUNCTION(back_by_comparing, REST "cbz x0, .-4\nret")
FUNCTION(back_by_testing, REST "tbz x0, 0, .-16\nret")
FUNCTION(back_by_jump, REST "cbnz x0, .+8\nb .-12\nret")
FUNCTION(back_by_call, REST "cbnz x0, .+8\nbl .-12\nret")

#define CASE(NAME) {#NAME, NAME, NAME##_end}
static const struct { const char *name; function *function; const char *end; } cases[] = {
    CASE(plain), CASE(page_address), CASE(near_address), CASE(literal_words), CASE(literal_numbers), CASE(with_a_frame),
    CASE(signed_return), CASE(landing_pad), CASE(to_its_start), CASE(to_what_stays), CASE(breakpoint_that_stays),
    CASE(breakpoint_first), CASE(breakpoint_second), CASE(breakpoint_fifth), CASE(compare_and_branch),
    CASE(test_and_branch), CASE(conditional), CASE(call), CASE(jump), CASE(another_hook), CASE(returns_early),
    CASE(too_short), CASE(not_an_instruction), CASE(back_by_condition), CASE(back_by_comparing), CASE(back_by_testing),
    CASE(back_by_jump), CASE(back_by_call),
};

int main(int count, char **arguments) {
    void *object = count == 2 ? dlopen(arguments[1], RTLD_NOW) : NULL;
    if (!object) return 2;
    int (*relocate)(uintptr_t, size_t, size_t, void *) = dlsym(object, "opentelemetry_injector_gum_relocate");
    if (!relocate) return 3;
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        uintptr_t start = (uintptr_t)cases[i].function;
        /* Within reach of a jump back. */
        void *near = (void *)((start & -(uintptr_t)65536) + (32 << 20));
        char *copy = mmap(near, 4096, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
        if (copy == MAP_FAILED) return 4;
        const char *outcome = "refused";
        if (!relocate(start, (uintptr_t)cases[i].end - start, REPLACED, copy)) {
            mprotect(copy, 4096, PROT_READ | PROT_EXEC);
            __builtin___clear_cache(copy, copy + 4096);
            outcome = "copied";
            for (long value = 1; value < 100; value += 7)
                if (cases[i].function(value) != ((function *)(uintptr_t)copy)(value)) outcome = "differs";
        }
        printf("%s: %s\n", cases[i].name, outcome);
        munmap(copy, 4096);
    }
    return 0;
}
