// Ibex with a memory of 4 MiB that answers in the next cycle, on both ports, and the devices of board.svh.
module board import ibex_pkg::*; #(
  parameter int Multiplier = 2,
  parameter bit BranchTarget = 0,
  parameter bit Writeback = 0
) (
  input logic clk_i,
  input logic rst_ni
);
  logic fetches, fetched, asks, answered, writes;
  logic [31:0] fetch_address, instruction, address, read, written;
  logic [3:0] bytes;

  ibex_top #(
    .RV32M(rv32m_e'(Multiplier)), .BranchTargetALU(BranchTarget), .WritebackStage(Writeback), .RegFile(RegFileFF)
  ) core (
    .clk_i, .rst_ni, .test_en_i(1'b0), .ram_cfg_i('0), .hart_id_i('0), .boot_addr_i(32'h0040_0000),
    .instr_req_o(fetches), .instr_gnt_i(fetches), .instr_rvalid_i(fetched), .instr_addr_o(fetch_address),
    .instr_rdata_i(instruction), .instr_rdata_intg_i('0), .instr_err_i(1'b0),
    .data_req_o(asks), .data_gnt_i(asks), .data_rvalid_i(answered), .data_we_o(writes), .data_be_o(bytes),
    .data_addr_o(address), .data_wdata_o(written), .data_wdata_intg_o(), .data_rdata_i(read),
    .data_rdata_intg_i('0), .data_err_i(1'b0),
    .irq_software_i(1'b0), .irq_timer_i(1'b0), .irq_external_i(1'b0), .irq_fast_i('0), .irq_nm_i(1'b0),
    .scramble_key_valid_i(1'b0), .scramble_key_i('0), .scramble_nonce_i('0), .scramble_req_o(),
    .debug_req_i(1'b0), .crash_dump_o(), .double_fault_seen_o(), .fetch_enable_i(IbexMuBiOn),
    .alert_minor_o(), .alert_major_internal_o(), .alert_major_bus_o(), .core_sleep_o(), .scan_rst_ni(1'b1)
  );

  `include "board.svh"

  always_ff @(posedge clk_i) begin
    fetched <= fetches;
    instruction <= memory[fetch_address[21:2]];
    answered <= asks;
    read <= address[31] ? clock : memory[address[21:2]];
    if (asks && writes) write(address, written, bytes);
  end
endmodule
