/* What an export answers, whether its actions are numbers of choices or continuous; for the programs that compare it. */
#ifndef ANSWER_H
#define ANSWER_H

#include "exported.h"

#if defined(EXPORTED_CONTINUOUS)
struct answer {
    float value[EXPORTED_ACTIONS];
    int16_t q15[EXPORTED_ACTIONS];
};

static struct answer decide(const exported_score *scores)
{
    struct answer made;
    exported_action(scores, made.value);
    exported_q15(scores, made.q15);
    return made;
}

/* Q15 is not asked for: its place is filled from the scores. */
static struct answer act(const float *obs)
{
    int8_t input[EXPORTED_INPUTS];
    exported_score scores[EXPORTED_SCORES];
    struct answer made;
#if defined(EXPORTED_MEMORY)
    exported_state state = exported_remembered(obs);
    own_step(&state, obs, made.value);
#else
    exported_act(obs, made.value);
#endif
    exported_quantise(obs, input);
    exported_infer(input, scores);
    exported_q15(scores, made.q15);
    return made;
}
#else
struct answer {
    int32_t number;
};

static struct answer decide(const exported_score *scores)
{
    struct answer made;
    made.number = exported_argmax(scores);
    return made;
}

static struct answer act(const float *obs)
{
    struct answer made;
#if defined(EXPORTED_MEMORY)
    exported_state state = exported_remembered(obs);
    made.number = own_step(&state, obs);
#else
    made.number = exported_act(obs);
#endif
    return made;
}
#endif

#endif
