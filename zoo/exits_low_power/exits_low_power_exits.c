/* Exit features and decision. See exits_low_power_exits.h. Written by EdgeRL 0.2.0; do not edit. */
#include "exits_low_power_exits.h"

/* The policy that was trained for these features, and no other. */
typedef char requires_its_own_policy[EXITS_LOW_POWER_FEATURES == 7 && EXITS_LOW_POWER_ACTIONS == 2 ? 1 : -1];
/* Two's complement and an arithmetic right shift. */
typedef char requires_arithmetic_shift[(-3 >> 1) == -2 ? 1 : -1];

#define STEPS 4096           /* units of a scaled logit: 1/4096 of a power of two */
#define LIMIT 1073741824.0f  /* scaled logits saturate at +-2^30 */
#define ONE 1073741824u      /* 1 as a probability's numerator, 2^30 */

static const float gain[4] = {
    4.427897e+03f, 4.429819e+03f, 4.5205806e+03f, 4.6758154e+03f,
};

static const float known[4][3] = {
    {0.0e+00f, 5.252223e-01f, 4.747777e-01f}, {3.3333334e-01f, 9.436423e-01f, 5.635768e-02f}, {6.666667e-01f, 1.3148859e+00f, -3.1488585e-01f}, {1.0e+00f, 1.650875e+00f, -6.50875e-01f},
};

static const uint32_t powers[65] = {
    1073741824u, 1062175491u, 1050733751u, 1039415261u, 1028218693u, 1017142735u, 1006186087u, 995347464u,
    984625594u, 974019220u, 963527098u, 953147997u, 942880699u, 932724001u, 922676710u, 912737649u,
    902905651u, 893179563u, 883558244u, 874040567u, 864625413u, 855311680u, 846098274u, 836984114u,
    827968132u, 819049271u, 810226483u, 801498734u, 792865000u, 784324269u, 775875538u, 767517817u,
    759250125u, 751071493u, 742980960u, 734977579u, 727060411u, 719228525u, 711481005u, 703816941u,
    696235434u, 688735596u, 681316545u, 673977412u, 666717336u, 659535466u, 652430958u, 645402981u,
    638450708u, 631573326u, 624770026u, 618040012u, 611382493u, 604796689u, 598281827u, 591837143u,
    585461881u, 579155293u, 572916640u, 566745190u, 560640218u, 554601009u, 548626854u, 542717053u,
    536870912u,
};

static const uint32_t logs[65] = {
    0u, 1466u, 2909u, 4331u, 5732u, 7112u, 8473u, 9814u,
    11136u, 12440u, 13727u, 14996u, 16248u, 17484u, 18704u, 19909u,
    21098u, 22272u, 23433u, 24579u, 25711u, 26830u, 27936u, 29029u,
    30109u, 31178u, 32234u, 33279u, 34312u, 35334u, 36346u, 37346u,
    38336u, 39316u, 40286u, 41246u, 42196u, 43137u, 44068u, 44990u,
    45904u, 46809u, 47705u, 48593u, 49472u, 50344u, 51207u, 52063u,
    52911u, 53751u, 54584u, 55410u, 56229u, 57040u, 57845u, 58643u,
    59434u, 60219u, 60997u, 61769u, 62534u, 63294u, 64047u, 64794u,
    65536u,
};

static const uint64_t per_log_classes = 323228497u;

static const uint32_t test_confidence[16] = {
    12053u, 11730u, 10838u, 12114u, 21810u, 14165u, 12758u, 16404u,
    23347u, 15741u, 43980u, 64903u, 64024u, 49476u, 59105u, 65510u,
};

static const uint32_t test_margin[16] = {
    66u, 58u, 194u, 2758u, 23642u, 9688u, 61u, 4245u,
    24174u, 12365u, 48126u, 65231u, 64733u, 53502u, 61454u, 65526u,
};

static const uint32_t test_probability[16] = {
    3524u, 4024u, 3938u, 6103u, 25430u, 12395u, 4141u, 8537u,
    26382u, 14912u, 49020u, 65248u, 64779u, 54142u, 61676u, 65526u,
};

static const int test_prediction[16] = {
    68, 16, 23, 0, 1, 0, 61, 0,
    0, 0, 1, 0, 1, 0, 0, 0,
};

static const int test_decision[16] = {
    0, 0, 0, 1, 1, 0, 0, 1,
    1, 1, 1, 1, 1, 1, 1, 1,
};

struct answer {
    uint32_t confidence;  /* all in 1/65536 */
    uint32_t margin;
    uint32_t probability;
    int prediction;
};

static int32_t scaled(float logit, float by)
{
    const float x = logit * by; /* the only operation on floats */
    if (!(x > -LIMIT)) {
        return -1073741824;
    }
    return x < LIMIT ? (int32_t)x : 1073741824;
}

/* 2^30 * 2^(-distance / 4096) */
static uint32_t power(uint32_t distance)
{
    const uint32_t i = (distance % STEPS) >> 6;
    const uint32_t between = ((powers[i] - powers[i + 1]) * (distance & 63u)) >> 6;
    return distance >> 12 > 31 ? 0 : (powers[i] - between) >> (distance >> 12);
}

/* 65536 * log2(x / 2^30), x >= 2^30 */
static uint32_t logarithm(uint64_t x)
{
    uint32_t whole = 0;
    uint32_t i;
    uint32_t rest;
    while (x >> 31 != 0) {
        x >>= 1;
        whole++;
    }
    i = ((uint32_t)x - ONE) >> 24;
    rest = (((uint32_t)x - ONE) >> 8) & 0xffffu;
    return (whole << 16) + logs[i] + (((logs[i + 1] - logs[i]) * rest) >> 16);
}

static void answer_of(const float logits[EXITS_LOW_POWER_CLASSES], float by, struct answer *answer)
{
    uint64_t sum = 0;      /* of 2^30 * probability, unnormalised */
    uint64_t weighted = 0; /* of the same times the distance from the largest logit */
    uint64_t entropy;      /* in 1/65536 bits */
    uint32_t second = 0;
    int32_t largest;
    int i;
    answer->prediction = 0;
    for (i = 1; i < EXITS_LOW_POWER_CLASSES; i++) {
        const float best = logits[answer->prediction];
        if (logits[i] > best || (best != best && logits[i] == logits[i])) {
            answer->prediction = i;
        }
    }
    largest = scaled(logits[answer->prediction], by);
    for (i = 0; i < EXITS_LOW_POWER_CLASSES; i++) {
        const uint32_t distance = (uint32_t)largest - (uint32_t)scaled(logits[i], by);
        const uint32_t e = power(distance);
        sum += e;
        weighted += (uint64_t)e * distance;
        if (i != answer->prediction && e > second) {
            second = e;
        }
    }
    entropy = logarithm(sum) + (weighted / sum) * 16 + (weighted % sum) * 16 / sum;
    entropy = (entropy * per_log_classes) >> 31;
    answer->confidence = entropy > 65536 ? 0 : 65536 - (uint32_t)entropy;
    answer->probability = (uint32_t)(((uint64_t)ONE << 16) / sum);
    answer->margin = (uint32_t)(((uint64_t)(ONE - second) << 16) / sum);
}

/* The nearest exit that there is. */
static int inside(int exit)
{
    return exit < 0 ? 0 : exit > EXITS_LOW_POWER_EXITS - 1 ? EXITS_LOW_POWER_EXITS - 1 : exit;
}

static void observe(const struct exits_low_power_exits *exits, const struct answer *answer, int exit, float obs[EXITS_LOW_POWER_FEATURES])
{
    const float unit = 1.0f / 65536.0f;

    obs[0] = (float)answer->confidence * unit;
    obs[1] = known[exit][0];
    obs[2] = known[exit][1];
    obs[3] = known[exit][2];
    obs[4] = (float)answer->margin * unit;
    obs[5] = exit > 0 && answer->prediction == exits->predictions[exit - 1] ? 1.0f : 0.0f;
    obs[6] = (float)answer->probability * unit;
}

void exits_low_power_exits_init(struct exits_low_power_exits *exits)
{
    int i;
    for (i = 0; i < EXITS_LOW_POWER_EXITS; i++) {
        exits->predictions[i] = -1;
    }
    exits->last = 0;
}

void exits_low_power_observe(const struct exits_low_power_exits *exits, const float logits[EXITS_LOW_POWER_CLASSES], int exit, float obs[EXITS_LOW_POWER_FEATURES])
{
    struct answer answer;
    exit = inside(exit);
    answer_of(logits, gain[exit], &answer);
    observe(exits, &answer, exit, obs);
}

int exits_low_power_should_exit(struct exits_low_power_exits *exits, const float logits[EXITS_LOW_POWER_CLASSES], int exit)
{
    struct answer answer;
    float obs[EXITS_LOW_POWER_FEATURES];
    exit = inside(exit);
    answer_of(logits, gain[exit], &answer);
    observe(exits, &answer, exit, obs);
    exits->predictions[exit] = answer.prediction;
    exits->last = exit;
    return exit == EXITS_LOW_POWER_EXITS - 1 || exits_low_power_act(obs) == 1;
}

int exits_low_power_prediction(const struct exits_low_power_exits *exits)
{
    return exits->predictions[exits->last];
}

int exits_low_power_exits_self_test(void)
{
    struct exits_low_power_exits exits;
    uint32_t state = 1;
    int failures = 0;
    int test;
    exits_low_power_exits_init(&exits);
    for (test = 0; test < 16; test++) {
        float logits[EXITS_LOW_POWER_CLASSES];
        struct answer answer;
        const int exit = test % EXITS_LOW_POWER_EXITS;
        int i;
        for (i = 0; i < EXITS_LOW_POWER_CLASSES; i++) {
            state = state * 1664525u + 1013904223u;
            logits[i] = (float)(int32_t)(state >> 20) / 512.0f;
        }
        logits[state >> 8 & 1] += (float)test;
        answer_of(logits, gain[exit], &answer);
        failures += answer.confidence != test_confidence[test] || answer.margin != test_margin[test]
            || answer.probability != test_probability[test] || answer.prediction != test_prediction[test]
            || exits_low_power_should_exit(&exits, logits, exit) != test_decision[test];
    }
    return failures;
}
