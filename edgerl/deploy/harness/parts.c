/*
 * Runs a generated network on many inputs: int8 records in on standard input; for each, the outputs of all parts out on
 * standard output.
 */
#include "io.h"
#include "network.h"

int main(void)
{
    static const int sizes[EDGERL_NETWORK_PARTS] = EDGERL_NETWORK_OUTPUTS;
    while (fill(edgerl_network_input(), EDGERL_NETWORK_INPUT) == EDGERL_NETWORK_INPUT) {
        int part;
        for (part = 0; part < EDGERL_NETWORK_PARTS; part++) {
            if (!drain(edgerl_network_run(part), (size_t)sizes[part])) {
                return 255;
            }
        }
    }
    return 0;
}
