// The model of pendulum_int8.tflite, 2624 bytes. Written by EdgeRL; do not edit.
#ifndef EDGERL_PENDULUM_MODEL_DATA_H
#define EDGERL_PENDULUM_MODEL_DATA_H

// The model's hash is in its symbol: this header and another export's object do not link.
#define pendulum_model_data pendulum_model_data_e484b109
#define pendulum_model_data_len pendulum_model_data_len_e484b109

extern const unsigned char pendulum_model_data[];
extern const int pendulum_model_data_len;

#endif
