// What Ibex takes from a chip's technology library: plain versions, for a simulation.
module prim_buf #(parameter int Width = 1) (input logic [Width-1:0] in_i, output logic [Width-1:0] out_o);
  assign out_o = in_i;
endmodule

module prim_flop #(parameter int Width = 1, parameter logic [Width-1:0] ResetValue = 0) (
  input logic clk_i, input logic rst_ni, input logic [Width-1:0] d_i, output logic [Width-1:0] q_o
);
  always_ff @(posedge clk_i or negedge rst_ni) q_o <= rst_ni ? d_i : ResetValue;
endmodule

module prim_clock_gating #(parameter bit NoFpgaGate = 0, parameter bit FpgaBufGlobal = 1) (
  input logic clk_i, input logic en_i, input logic test_en_i, output logic clk_o
);
  assign clk_o = clk_i;
endmodule

module prim_clock_mux2 #(parameter bit NoFpgaBufG = 0) (
  input logic clk0_i, input logic clk1_i, input logic sel_i, output logic clk_o
);
  assign clk_o = sel_i ? clk1_i : clk0_i;
endmodule
