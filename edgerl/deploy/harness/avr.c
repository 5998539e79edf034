/*
 * Runs a generated policy on the observations in vectors.h, on an AVR in simavr: for each a line on the serial port, the
 * bytes of the quantised input, of the scores and of the action in hexadecimal; then its own tests' failures, the mean
 * cycles of a decision (network and argmax) and of all from the observation on, and the bytes of RAM that were used.
 */
#include <avr/interrupt.h>
#include <avr/io.h>
#include <avr/pgmspace.h>
#include <avr/sleep.h>
#include <stdlib.h>

#include "answer.h"
#include "vectors.h"

extern uint8_t _end;
extern uint8_t __stack;

/* All RAM behind the variables is painted before anything runs. */
__attribute__((naked, used, section(".init1"))) static void paint(void)
{
    __asm volatile("ldi r30, lo8(_end)\n ldi r31, hi8(_end)\n ldi r24, lo8(0xC5)\n ldi r25, hi8(__stack)\n rjmp 2f\n"
                   "1: st Z+, r24\n2: cpi r30, lo8(__stack)\n cpc r31, r25\n brlo 1b\n breq 1b");
}

static uint16_t untouched(void)
{
    const uint8_t *at = &_end;
    while (at < &__stack && *at == 0xC5) {
        at++;
    }
    return (uint16_t)(at - &_end);
}

static void put(char c)
{
    while (!(UCSR0A & (1 << UDRE0))) {
    }
    UDR0 = (uint8_t)c;
}

static void put_byte(uint8_t byte)
{
    put("0123456789abcdef"[byte >> 4]);
    put("0123456789abcdef"[byte & 15]);
}

static void put_bytes(const void *data, unsigned size)
{
    const uint8_t *byte = data;
    while (size-- > 0) {
        put_byte(*byte++);
    }
}

static void put_number(const char *word, uint32_t value)
{
    char digits[11];
    const char *p;
    for (p = word; *p != 0; p++) {
        put(*p);
    }
    ultoa(value, digits, 10);
    for (p = digits; *p != 0; p++) {
        put(*p);
    }
    put('\n');
}

static volatile uint16_t overflows;

ISR(TIMER1_OVF_vect)
{
    overflows++;
}

static uint32_t now(void)
{
    uint16_t time;
    uint16_t more;
    cli();
    time = TCNT1;
    more = overflows;
    if ((TIFR1 & 1) && time < 0x8000) {
        more++;
    }
    sei();
    return ((uint32_t)more << 16) | time;
}

int main(void)
{
    uint32_t decides = 0;
    uint32_t acts = 0;
    int i;
    UCSR0B = 1 << TXEN0;
    TCCR1B = 1;
    TIMSK1 = 1;
    sei();
    for (i = 0; i < VECTORS; i++) {
        float obs[EXPORTED_INPUTS];
        int8_t input[EXPORTED_INPUTS];
        exported_score scores[EXPORTED_SCORES];
        uint32_t begin;
        struct answer action;
        memcpy_P(obs, observations[i], sizeof obs);
        exported_quantise(obs, input);
        begin = now();
        exported_infer(input, scores);
        action = decide(scores);
        decides += now() - begin;
        put_bytes(input, sizeof input);
        put_bytes(scores, sizeof scores);
        put_bytes(&action, sizeof action);
        if (i % 16 == 0) {
            begin = now();
            action = act(obs);
            acts += now() - begin;
        }
        put_bytes(&action, sizeof action);
        put('\n');
    }
    put_number("failures ", (uint32_t)exported_self_test());
    put_number("decide ", decides / VECTORS);
    put_number("act ", acts / ((VECTORS + 15) / 16));
    put_number("ram ", (uint32_t)((uint16_t)&__stack - 0x100 + 1) - untouched());
    cli();
    sleep_enable();
    sleep_cpu();
    return 0;
}
