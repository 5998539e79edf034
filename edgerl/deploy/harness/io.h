/*
 * Standard input and output of the programs that run generated code, and their start, for one source file of a program:
 * on a host; with FREESTANDING on Linux for RV32 (qemu-riscv32); with SEMIHOSTING on a Cortex-M (QEMU, which opens the
 * files `in` and `out`); with SIMCALLS on an Xtensa (QEMU's `sim` machine).
 */
#include <stddef.h>
#include <stdint.h>

int main(void);

#if defined(FREESTANDING)
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

void _start(void);
void _start(void)
{
    __asm__ volatile(".option push\n.option norelax\nla gp, __global_pointer$\n.option pop");
    call(93, main(), 0, 0);
    for (;;) {
    }
}

#elif defined(SEMIHOSTING)
static uint32_t call(uint32_t operation, const uint32_t *arguments)
{
    register uint32_t r0 __asm__("r0") = operation;
    register const uint32_t *r1 __asm__("r1") = arguments;
    __asm__ volatile("bkpt 0xab" : "+r"(r0) : "r"(r1) : "memory");
    return r0;
}

static uint32_t opened(const char *name, uint32_t length, uint32_t mode)
{
    const uint32_t arguments[] = {(uint32_t)name, mode, length};
    return call(0x01, arguments);
}

/* Bytes read (operation 6) or written (5); the call tells how many were not. */
static long moved(uint32_t operation, uint32_t file, const void *data, size_t size)
{
    const uint32_t arguments[] = {file, (uint32_t)data, (uint32_t)size};
    return (long)size - (long)call(operation, arguments);
}

static uint32_t in_file;
static uint32_t out_file;
#define READ(data, size) moved(0x06, in_file, (data), (size))
#define WRITE(data, size) moved(0x05, out_file, (data), (size))

extern uint32_t data_load[], data_start[], data_end[], bss_start[], bss_end[], stack_top[];

static void end(uint32_t status)
{
    const uint32_t arguments[] = {0x20026, status};
    (void)call(0x20, arguments);
    for (;;) {
    }
}

static void fault(void)
{
    end(254);
}

void reset(void);
void reset(void)
{
    uint32_t *to;
    const uint32_t *from = data_load;
#if defined(__ARM_FP)
    *(volatile uint32_t *)0xE000ED88 |= 0xFu << 20; /* lets the floating-point unit run */
    __asm__ volatile("dsb\n isb" ::: "memory");
#endif
    for (to = data_start; to < data_end; to++) {
        *to = *from++;
    }
    for (to = bss_start; to < bss_end; to++) {
        *to = 0;
    }
    in_file = opened("in", 2, 1);
    out_file = opened("out", 3, 5);
    end((uint32_t)main());
}

union vector {
    uint32_t *stack;
    void (*handler)(void);
};
__attribute__((section(".vectors"), used)) static const union vector vectors[] = {
    {.stack = stack_top}, {.handler = reset}, {.handler = fault}, {.handler = fault}, {.handler = fault},
};

#elif defined(SIMCALLS)
static long call(long number, long a, long b, long c)
{
    register long a2 __asm__("a2") = number;
    register long a3 __asm__("a3") = a;
    register long a4 __asm__("a4") = b;
    register long a5 __asm__("a5") = c;
    __asm__ volatile(".byte 0x00, 0x51, 0x00" : "+r"(a2), "+r"(a3) : "r"(a4), "r"(a5) : "memory"); /* simcall */
    return a2;
}
#define READ(data, size) call(3, 0, (long)(data), (long)(size))
#define WRITE(data, size) call(4, 1, (long)(data), (long)(size))

void started(void);
void started(void)
{
    call(1, main(), 0, 0);
    for (;;) {
    }
}

/* The processor starts at the first byte, in front of the literals that the rest loads. */
__asm__(".section .text.start, \"ax\"\n .global _start\n_start:\n j enter\n .text\n .align 4\nenter:\n"
        " movi a0, 0\n movi a1, stack_top\n movi a2, started\n callx0 a2\n");

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
