/* On the console, line by line: the number of an exit, then its raw logits in; out whether to stop there (1) or to go on (0), and the class (`logits: [f f f f]`). */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "esp_cpu.h"
#include "freertos/FreeRTOS.h"
#include "freertos/task.h"

#include "exits_low_power_exits.h"

#define COUNT (1 + EXITS_LOW_POWER_CLASSES)

static char line[16 * COUNT + 16];
static char reply[48];
static size_t size;
static float values[COUNT];
static int answers[2];
static int checked; /* whether the line had a checksum */
static struct exits_low_power_exits exits;

/* The exclusive or of some characters, by which a damaged line is told. */
static unsigned checksum(const char *from, const char *to)
{
    unsigned made = 0;
    for (; from != to; from++) {
        made ^= (unsigned char)*from;
    }
    return made;
}

/*
 * Reads "logits: [f f f f]" into values[], numbers apart by spaces or commas; a checksum may follow, "*" and two
 * hexadecimal digits. Returns 1 if the line is complete and undamaged.
 */
static int parse(const char *line)
{
    const char *at = strchr(line, '[');
    int i;
    checked = 0;
    if (strncmp(line, "logits:", 7) != 0 || at == NULL) {
        return 0;
    }
    at++;
    for (i = 0; i < COUNT; i++) {
        char *end;
        at += strspn(at, " ,");
        values[i] = (float)strtod(at, &end);
        if (end == at) {
            return 0;
        }
        at = end;
    }
    at += strspn(at, " ");
    if (*at++ != ']') {
        return 0;
    }
    checked = *at == '*';
    if (*at != '\0' && !(checked && strtoul(at + 1, NULL, 16) == checksum(line, at))) {
        return 0;
    }
    return 1;
}

static void put(char c)
{
    if (size + 1 < sizeof reply) {
        reply[size++] = c;
    }
}

static void put_text(const char *text)
{
    while (*text != '\0') {
        put(*text++);
    }
}

static void put_number(int number)
{
    char digits[12];
    size_t count = 0;
    if (number < 0) {
        put('-');
    }
    do {
        const int digit = number % 10;
        digits[count++] = (char)('0' + (digit < 0 ? -digit : digit));
        number /= 10;
    } while (number != 0);
    while (count > 0) {
        put(digits[--count]);
    }
}

static void decide(void)
{
    answers[0] = exits_low_power_should_exit(&exits, values + 1, (int)values[0]);
    answers[1] = exits_low_power_prediction(&exits);
}

/* The answer to the last line, in reply[]; with a checksum if the line had one. */
static void answer(void)
{
    size = 0;
    put_text("exit: ");
    put_number(answers[0]);
    put_text(" class: ");
    put_number(answers[1]);
    if (checked) {
        const unsigned sum = checksum(reply, reply + size);
        put('*');
        put("0123456789ABCDEF"[sum >> 4]);
        put("0123456789ABCDEF"[sum & 15]);
    }
    reply[size] = '\0';
}

void app_main(void)
{
    size_t length = 0;
    uint32_t start;
    const int failures = exits_low_power_self_test() + exits_low_power_exits_self_test();
    printf("self-test: %d of %d failed\n", failures, EXITS_LOW_POWER_TEST_VECTORS);
    if (failures != 0) {
        return; /* this processor computes something else: it must not decide */
    }
    exits_low_power_exits_init(&exits);
    start = (uint32_t)esp_cpu_get_cycle_count();
    decide();
    printf("cycles: %lu a decision\n", (unsigned long)((uint32_t)esp_cpu_get_cycle_count() - start));
    fflush(stdout);
    for (;;) {
        const int c = getchar();
        if (c == EOF) {
            clearerr(stdin);
            vTaskDelay(1); /* the console does not wait: let the idle task, and its watchdog, run */
        } else if (c != '\n' && c != '\r') {
            if (length + 1 < sizeof line) {
                line[length++] = (char)c;
            }
        } else if (length > 0) {
            line[length] = '\0';
            length = 0;
            if (parse(line)) {
                decide();
                answer();
                printf("%s\n", reply);
            } else {
                printf("error: expected logits: [ and %d numbers ]\n", COUNT);
            }
            fflush(stdout);
        }
    }
}
