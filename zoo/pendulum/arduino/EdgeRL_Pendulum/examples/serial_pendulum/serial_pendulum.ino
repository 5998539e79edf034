// On the serial port, line by line: an observation in, the action out in Q15 (-32768 is the lowest, 32767 the highest) (`obs: [f f f f]`).
#include <pendulum.h>
#include <stdlib.h>
#include <string.h>

#define COUNT (PENDULUM_FEATURES)

static char line[32 * COUNT + 16];
static char reply[48];
static size_t size;
static float values[COUNT];
static int answers[2];
static int checked; /* whether the line had a checksum */

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
 * Reads "obs: [f f f f]" into values[], numbers apart by spaces or commas; a checksum may follow, "*" and two
 * hexadecimal digits. Returns 1 if the line is complete and undamaged.
 */
static int parse(const char *line)
{
    const char *at = strchr(line, '[');
    int i;
    checked = 0;
    if (strncmp(line, "obs:", 4) != 0 || at == NULL) {
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
    int8_t input[PENDULUM_FEATURES];
    pendulum_score scores[PENDULUM_ACTIONS];
    int16_t action[PENDULUM_ACTIONS];
    int i;
    pendulum_quantise(values, input);
    pendulum_infer(input, scores);
    pendulum_q15(scores, action);
    for (i = 0; i < PENDULUM_ACTIONS; i++) {
        answers[i] = action[i];
    }
}

/* The answer to the last line, in reply[]; with a checksum if the line had one. */
static void answer(void)
{
    size = 0;
    put_text("action: [");
    put_number(answers[0]);
    put_text("]");
    if (checked) {
        const unsigned sum = checksum(reply, reply + size);
        put('*');
        put("0123456789ABCDEF"[sum >> 4]);
        put("0123456789ABCDEF"[sum & 15]);
    }
    reply[size] = '\0';
}

static size_t length = 0;
static int failures = 0;

void setup() {
  Serial.begin(115200);
  failures = pendulum_self_test();
  Serial.print(F("self-test: "));
  Serial.print(failures);
  Serial.print(F(" of "));
  Serial.print(PENDULUM_TEST_VECTORS);
  Serial.println(F(" failed"));
  if (failures != 0) {
    return;  // this processor computes something else: it must not decide
  }
  const unsigned long start = micros();
  for (int i = 0; i < 16; i++) {
    decide();
  }
  Serial.print(F("cycles: "));
  Serial.print((micros() - start) * (F_CPU / 1000000UL) / 16);
  Serial.println(F(" a decision"));
}

void loop() {
  if (failures != 0 || Serial.available() == 0) {
    return;
  }
  const char c = (char)Serial.read();
  if (c != '\n' && c != '\r') {
    if (length + 1 < sizeof line) {
      line[length++] = c;
    }
    return;
  }
  if (length == 0) {
    return;
  }
  line[length] = '\0';
  length = 0;
  if (parse(line)) {
    decide();
    answer();
    Serial.println(reply);
  } else {
    Serial.println(F("error: expected obs: [ numbers ]"));
  }
}
