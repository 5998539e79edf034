// The model of exits_high_power_int8.tflite, 1744 bytes. Written by EdgeRL; do not edit.
#ifndef EDGERL_EXITS_HIGH_POWER_MODEL_DATA_H
#define EDGERL_EXITS_HIGH_POWER_MODEL_DATA_H

// The model's hash is in its symbol: this header and another export's object do not link.
#define exits_high_power_model_data exits_high_power_model_data_3b3c39f0
#define exits_high_power_model_data_len exits_high_power_model_data_len_3b3c39f0

extern const unsigned char exits_high_power_model_data[];
extern const int exits_high_power_model_data_len;

#endif
