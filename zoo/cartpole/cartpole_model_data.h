// The model of cartpole_int8.tflite, 2688 bytes. Written by EdgeRL; do not edit.
#ifndef EDGERL_CARTPOLE_MODEL_DATA_H
#define EDGERL_CARTPOLE_MODEL_DATA_H

// The model's hash is in its symbol: this header and another export's object do not link.
#define cartpole_model_data cartpole_model_data_c75f198a
#define cartpole_model_data_len cartpole_model_data_len_c75f198a

extern const unsigned char cartpole_model_data[];
extern const int cartpole_model_data_len;

#endif
