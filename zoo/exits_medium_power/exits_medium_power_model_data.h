// The model of exits_medium_power_int8.tflite, 1744 bytes. Written by EdgeRL; do not edit.
#ifndef EDGERL_EXITS_MEDIUM_POWER_MODEL_DATA_H
#define EDGERL_EXITS_MEDIUM_POWER_MODEL_DATA_H

// The model's hash is in its symbol: this header and another export's object do not link.
#define exits_medium_power_model_data exits_medium_power_model_data_1454c110
#define exits_medium_power_model_data_len exits_medium_power_model_data_len_1454c110

extern const unsigned char exits_medium_power_model_data[];
extern const int exits_medium_power_model_data_len;

#endif
