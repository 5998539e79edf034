// What both boards have: a program's memory, of 4 MiB, from 0x00400000; a console's byte at 0x80000000; at 0x80000008 the end, with
// an exit status; at 0x80000010 the clock, in cycles.
logic [31:0] memory [1048576];
logic [31:0] clock = 0;
string program_file;

initial begin
  if (!$value$plusargs("program=%s", program_file)) $fatal(1, "+program=FILE is missing");
  $readmemh(program_file, memory);
end

always_ff @(posedge clk_i) clock <= clock + 1;

task automatic write(input logic [31:0] where, input logic [31:0] value, input logic [3:0] enabled);
  if (where == 32'h8000_0000) $write("%c", value[7:0]);
  else if (where == 32'h8000_0008) begin
    $display("\nexit status %0d", value);
    $finish;
  end else for (int i = 0; i < 4; i++) if (enabled[i]) memory[where[21:2]][8*i +: 8] <= value[8*i +: 8];
endtask
