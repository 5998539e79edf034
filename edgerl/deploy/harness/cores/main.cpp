// Runs a verilated board until its program ends.
#include "Vboard.h"
#include "verilated.h"

int main(int count, char **arguments)
{
    Verilated::commandArgs(count, arguments);
    Vboard board;
    board.clk_i = 0;
    board.rst_ni = 0;
    for (unsigned long edge = 0; !Verilated::gotFinish(); edge++) {
        board.rst_ni = edge >= 8;
        board.clk_i = !board.clk_i;
        board.eval();
    }
    return 0;
}
