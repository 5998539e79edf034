/*
 * Lets an example's `app_main` talk over the serial port of QEMU's RISC-V `virt` machine, as it would over a board's.
 * With picolibc, which brings the start-up code, printf and strtod.
 */
#include <stdint.h>
#include <stdio.h>

static volatile uint8_t *const uart = (uint8_t *)0x10000000;

static int uart_put(char c, FILE *file)
{
    (void)file;
    uart[0] = (uint8_t)c;
    return (unsigned char)c;
}

static int uart_get(FILE *file)
{
    (void)file;
    while ((uart[5] & 1) == 0) {
    }
    return uart[0];
}

static FILE uart_file = FDEV_SETUP_STREAM(uart_put, uart_get, NULL, _FDEV_SETUP_RW);
FILE *const stdin = &uart_file;
FILE *const stdout = &uart_file;
FILE *const stderr = &uart_file;

/* The console does not end. */
void _exit(int status);
void _exit(int status)
{
    (void)status;
    for (;;) {
    }
}

void app_main(void);

int main(void)
{
    app_main();
    return 0;
}
