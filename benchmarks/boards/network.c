/*
 * Runs the parts of a network one after the other on a verilated core's board: a line each with the cycles, less those of
 * reading the clock, and the FNV-1a hash of the output.
 */
#include <stdint.h>

#include "console.h"
#include "parts.h" /* outputs: bytes of each part's output */

int network_prepare(void); /* 0 once the input is in place */
const int8_t *network_run(int part);

int main(void)
{
    uint32_t start;
    uint32_t nothing;
    int part;
    if (network_prepare() != 0) {
        return 1;
    }
    (void)counter();
    start = counter();
    nothing = counter() - start;
    for (part = 0; part < (int)(sizeof outputs / sizeof outputs[0]); part++) {
        const int8_t *output;
        uint32_t spent;
        uint32_t hash = 2166136261u;
        int32_t i;
        start = counter();
        output = network_run(part);
        spent = counter() - start - nothing;
        for (i = 0; i < outputs[part]; i++) {
            hash = (hash ^ (uint8_t)output[i]) * 16777619u;
        }
        put_number(spent, ' ');
        put_number(hash, '\n');
    }
    return 0;
}
