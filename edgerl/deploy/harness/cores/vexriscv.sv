// VexRiscv as LiteX builds it: a memory of 4 MiB that answers at once behind its caches, the devices of board.svh.
module board (
  input logic clk_i,
  input logic rst_ni
);
  logic fetches, fetch_strobe, asks, strobe, writes;
  logic [29:0] fetch_address, address;
  logic [31:0] written;
  logic [3:0] bytes;

  VexRiscv core (
    .clk(clk_i), .reset(~rst_ni), .externalResetVector(32'h0040_0080),
    .timerInterrupt(1'b0), .softwareInterrupt(1'b0), .externalInterruptArray(32'b0),
    .iBusWishbone_CYC(fetches), .iBusWishbone_STB(fetch_strobe), .iBusWishbone_ACK(fetches & fetch_strobe),
    .iBusWishbone_ADR(fetch_address), .iBusWishbone_DAT_MISO(memory[fetch_address[19:0]]), .iBusWishbone_ERR(1'b0),
    .iBusWishbone_WE(), .iBusWishbone_DAT_MOSI(), .iBusWishbone_SEL(), .iBusWishbone_CTI(), .iBusWishbone_BTE(),
    .dBusWishbone_CYC(asks), .dBusWishbone_STB(strobe), .dBusWishbone_ACK(asks & strobe),
    .dBusWishbone_ADR(address), .dBusWishbone_DAT_MISO(address[29] ? clock : memory[address[19:0]]),
    .dBusWishbone_ERR(1'b0), .dBusWishbone_WE(writes), .dBusWishbone_DAT_MOSI(written), .dBusWishbone_SEL(bytes),
    .dBusWishbone_CTI(), .dBusWishbone_BTE()
  );

  `include "board.svh"

  always_ff @(posedge clk_i) if (rst_ni && asks && strobe && writes) write({address, 2'b00}, written, bytes);
endmodule
