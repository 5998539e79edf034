/* What compilers call that a freestanding program lacks: copying. */
#include <stddef.h>

void *memcpy(void *to, const void *from, size_t size);
void *memset(void *to, int value, size_t size);

void *memcpy(void *to, const void *from, size_t size)
{
    unsigned char *p = to;
    const unsigned char *q = from;
    while (size-- > 0) {
        *p++ = *q++;
        __asm__ volatile("" ::: "memory"); /* else the loop becomes a call of memcpy */
    }
    return to;
}

void *memset(void *to, int value, size_t size)
{
    unsigned char *p = to;
    while (size-- > 0) {
        *p++ = (unsigned char)value;
        __asm__ volatile("" ::: "memory");
    }
    return to;
}
