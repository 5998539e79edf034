// The model of cartpole_positions_int8.tflite, 4288 bytes. Written by EdgeRL; do not edit.
#ifndef EDGERL_CARTPOLE_POSITIONS_MODEL_DATA_H
#define EDGERL_CARTPOLE_POSITIONS_MODEL_DATA_H

// The model's hash is in its symbol: this header and another export's object do not link.
#define cartpole_positions_model_data cartpole_positions_model_data_c4a143a2
#define cartpole_positions_model_data_len cartpole_positions_model_data_len_c4a143a2

extern const unsigned char cartpole_positions_model_data[];
extern const int cartpole_positions_model_data_len;

#endif
