/*
 * A policy with memory as the programs that compare it call it: a row holds an observation and the memory before it, in
 * 128ths; scores are followed by the memory afterwards. So every row is a step of its own, whatever came before it.
 */
#ifndef MEMORY_H
#define MEMORY_H

#define EXPORTED_INPUTS (EXPORTED_FEATURES + EXPORTED_MEMORY)
#define EXPORTED_SCORES (EXPORTED_ACTIONS + EXPORTED_MEMORY)

static inline void exported_quantise(const float *row, int8_t *input)
{
    int i;
    own_quantise(row, input);
    for (i = EXPORTED_FEATURES; i < EXPORTED_INPUTS; i++) {
        input[i] = (int8_t)(row[i] * 128);
    }
}

static inline void exported_infer(const int8_t *input, exported_score *scores)
{
    exported_state state;
    int i;
    for (i = 0; i < EXPORTED_MEMORY; i++) {
        state.memory[i] = input[EXPORTED_FEATURES + i];
    }
    own_infer(&state, input, scores);
    for (i = 0; i < EXPORTED_MEMORY; i++) {
        scores[EXPORTED_ACTIONS + i] = state.memory[i];
    }
}

static inline exported_state exported_remembered(const float *row)
{
    exported_state state;
    int i;
    own_reset(&state);
    for (i = 0; i < EXPORTED_MEMORY; i++) {
        state.memory[i] = (int8_t)(row[EXPORTED_FEATURES + i] * 128);
    }
    return state;
}

#endif
