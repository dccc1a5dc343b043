/* fibre.c: stacks to go to and fro between. What a function has to preserve
 * for its caller is on the stack that is left. */
#include "tests/weave/fibre.h"

#include <stdint.h>
#include <string.h>

#if defined __x86_64__
enum { RETURNS_TO = 6, WORDS = 8 };
__asm__(".globl fibre_switch\n"
        ".type fibre_switch, @function\n"
        "fibre_switch:\n"
        "push %rbp; push %rbx; push %r12; push %r13; push %r14; push %r15\n"
        "mov %rsp, (%rdi)\n"
        "mov %rsi, %rsp\n"
        "pop %r15; pop %r14; pop %r13; pop %r12; pop %rbx; pop %rbp\n"
        "ret\n"
        ".size fibre_switch, . - fibre_switch\n");
#elif defined __aarch64__
enum { RETURNS_TO = 11, WORDS = 20 }; /* x19-x30, d8-d15 */
__asm__(".globl fibre_switch\n"
        ".type fibre_switch, %function\n"
        "fibre_switch:\n"
        "sub sp, sp, #160\n"
        "stp x19, x20, [sp]; stp x21, x22, [sp, #16]; stp x23, x24, [sp, #32]\n"
        "stp x25, x26, [sp, #48]; stp x27, x28, [sp, #64]\n"
        "stp x29, x30, [sp, #80]; stp d8, d9, [sp, #96]\n"
        "stp d10, d11, [sp, #112]; stp d12, d13, [sp, #128]\n"
        "stp d14, d15, [sp, #144]\n"
        "mov x9, sp; str x9, [x0]; mov sp, x1\n"
        "ldp x19, x20, [sp]; ldp x21, x22, [sp, #16]; ldp x23, x24, [sp, #32]\n"
        "ldp x25, x26, [sp, #48]; ldp x27, x28, [sp, #64]\n"
        "ldp x29, x30, [sp, #80]; ldp d8, d9, [sp, #96]\n"
        "ldp d10, d11, [sp, #112]; ldp d12, d13, [sp, #128]\n"
        "ldp d14, d15, [sp, #144]\n"
        "add sp, sp, #160\n"
        "ret\n"
        ".size fibre_switch, . - fibre_switch\n");
#else
#error "fibre.c: no switch of stacks for this processor"
#endif

void *fibre_on(char *stack, size_t size, void (*function)(void))
{
    uintptr_t *top = (uintptr_t *)(stack + size);

    memset(top - WORDS, 0, WORDS * sizeof *top);
    top[RETURNS_TO - WORDS] = (uintptr_t)function;
    return top - WORDS;
}
