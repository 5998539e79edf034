/*
 * Standard input and output of the programs that run generated code: on a host, or with -DFREESTANDING on Linux for RV32
 * (qemu-riscv32), where the program brings its own start and calls. For one source file of a program.
 */
#include <stddef.h>

#ifdef FREESTANDING
static long call(long number, long a, long b, long c)
{
    register long a0 __asm__("a0") = a;
    register long a1 __asm__("a1") = b;
    register long a2 __asm__("a2") = c;
    register long a7 __asm__("a7") = number;
    __asm__ volatile("ecall" : "+r"(a0) : "r"(a1), "r"(a2), "r"(a7) : "memory");
    return a0;
}
#define READ(data, size) call(63, 0, (long)(data), (long)(size))
#define WRITE(data, size) call(64, 1, (long)(data), (long)(size))
#else
#include <unistd.h>
#define READ(data, size) (long)read(0, (data), (size))
#define WRITE(data, size) (long)write(1, (data), (size))
#endif

/* Fills `size` bytes, fewer only at the end of the input. */
static size_t fill(void *data, size_t size)
{
    size_t got = 0;
    while (got < size) {
        const long more = READ((char *)data + got, size - got);
        if (more <= 0) {
            break;
        }
        got += (size_t)more;
    }
    return got;
}

static int drain(const void *data, size_t size)
{
    size_t put = 0;
    while (put < size) {
        const long more = WRITE((const char *)data + put, size - put);
        if (more <= 0) {
            return 0;
        }
        put += (size_t)more;
    }
    return 1;
}

int main(void);

#ifdef FREESTANDING
void _start(void);
void _start(void)
{
    __asm__ volatile(".option push\n.option norelax\nla gp, __global_pointer$\n.option pop");
    call(93, main(), 0, 0);
    for (;;) {
    }
}
#endif
