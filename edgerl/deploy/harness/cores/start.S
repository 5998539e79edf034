/* Where both cores begin: 0x80 bytes of jumps, since Ibex keeps its interrupts' there, then the program. */
    .section .vectors, "ax"
    .option norvc
    .rept 32
    j trapped
    .endr
    .section .text.start, "ax"
    .globl _start
_start:
    la sp, stack_top
    call main
end:
    li t0, 0x80000008
    sw a0, 0(t0)
1:  j 1b
trapped:
    li a0, 99
    j end
