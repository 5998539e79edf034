/*
 * Runs a generated network on many inputs: int8 records in on standard input; for each, the outputs of all parts out on
 * standard output.
 */
#include "io.h"
#include "exported_network.h"

int main(void)
{
    static const int sizes[EXPORTED_NETWORK_PARTS] = EXPORTED_NETWORK_OUTPUTS;
    while (fill(exported_network_input(), EXPORTED_NETWORK_INPUT) == EXPORTED_NETWORK_INPUT) {
        int part;
        for (part = 0; part < EXPORTED_NETWORK_PARTS; part++) {
            if (!drain(exported_network_run(part), (size_t)sizes[part])) {
                return 255;
            }
        }
    }
    return 0;
}
