// The model of exits_low_power_int8.tflite, 1744 bytes. Written by EdgeRL; do not edit.
#ifndef EDGERL_EXITS_LOW_POWER_MODEL_DATA_H
#define EDGERL_EXITS_LOW_POWER_MODEL_DATA_H

// The model's hash is in its symbol: this header and another export's object do not link.
#define exits_low_power_model_data exits_low_power_model_data_2d781d19
#define exits_low_power_model_data_len exits_low_power_model_data_len_2d781d19

extern const unsigned char exits_low_power_model_data[];
extern const int exits_low_power_model_data_len;

#endif
