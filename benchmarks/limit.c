/* CartPole-v1 with random actions in C: what the processor can do, for `sim` to compare EdgeRL with.

   The dynamics, the start of an episode and its end are those of edgerl/tasks/cartpole/env.py, in float32. Written
   for speed and for nothing else: a compiler turns each loop over LANES into vector instructions (see `sim_limit.py`
   for its options), every thread keeps its lanes in the first cache, and what is known of the task is used:

   * while an episode runs, the angle is below 12 degrees, for which short polynomials of sine and cosine are exact to
     float32;
   * an episode lasts WINDOW steps or more (from 0.05 rad and 0.05 rad/s, 18 rad/s^2 at most need 8 steps of 0.02 s to
     12 degrees), so that one prepared start a lane is enough for WINDOW steps;
   * one word of 32 random bits is 32 actions.
*/
#include <math.h>
#include <pthread.h>
#include <stdint.h>
#include <stdlib.h>

#ifndef LANES
#define LANES 128 /* stepped together by one thread */
#endif
#define WINDOW 8
#define MOST_THREADS 1024
#define MOST_STEPS 4194304 /* so that no 32-bit sum of a lane overflows, whatever its episodes' lengths */

static const float LIMIT_X = 2.4f, LIMIT_THETA = 12 * 2 * 3.14159265358979f / 360;

/* The episodes that finished. */
typedef struct {
    uint64_t episodes, length, squares; /* how many; sums of their lengths and of the squares */
    uint32_t shortest, longest;
} Statistics;

typedef struct {
    float x[LANES], x_dot[LANES], theta[LANES], theta_dot[LANES];
    float next_x[LANES], next_x_dot[LANES], next_theta[LANES], next_theta_dot[LANES]; /* the next episode's start */
    uint32_t time[LANES], random[LANES], actions[LANES];
    uint32_t episodes[LANES], length[LANES], squares[LANES], shortest[LANES], longest[LANES];
} Lanes;

/* Marsaglia's xorshift, 2003: period 2^32 - 1, never 0. */
static inline uint32_t draw(uint32_t *state) {
    uint32_t s = *state;
    s ^= s << 13;
    s ^= s >> 17;
    s ^= s << 5;
    return *state = s;
}

static inline float uniform(uint32_t *state) { /* in [-0.05, 0.05) */
    return (float)(int32_t)draw(state) * (0.05f / 2147483648.0f);
}

static void prepare_starts(Lanes *l) {
    for (int i = 0; i < LANES; i++) {
        uint32_t state = l->random[i];
        l->next_x[i] = uniform(&state);
        l->next_x_dot[i] = uniform(&state);
        l->next_theta[i] = uniform(&state);
        l->next_theta_dot[i] = uniform(&state);
        l->random[i] = state;
    }
}

static void begin(Lanes *l, uint32_t first) {
    for (int i = 0; i < LANES; i++) {
        uint32_t s = (first + i + 1) * 0x9E3779B9u; /* lanes far apart: one round of a 32-bit finaliser */
        s = (s ^ (s >> 16)) * 0x7FEB352Du;
        s = (s ^ (s >> 15)) * 0x846CA68Bu;
        l->random[i] = (s ^ (s >> 16)) | 1;
        l->time[i] = l->episodes[i] = l->length[i] = l->squares[i] = l->longest[i] = 0;
        l->shortest[i] = UINT32_MAX;
    }
    prepare_starts(l);
    for (int i = 0; i < LANES; i++) {
        l->x[i] = l->next_x[i];
        l->x_dot[i] = l->next_x_dot[i];
        l->theta[i] = l->next_theta[i];
        l->theta_dot[i] = l->next_theta_dot[i];
    }
}

static inline void step(Lanes *l) {
    const float mass = 1.1f, pole = 0.05f, tau = 0.02f;
    for (int i = 0; i < LANES; i++) {
        float theta = l->theta[i], square = theta * theta;
        float sin = theta + theta * square * (-1.0f / 6 + square * (1.0f / 120));
        float cos = 1 + square * (-0.5f + square * (1.0f / 24 + square * (-1.0f / 720)));
        float force = (int32_t)l->actions[i] < 0 ? 10.0f : -10.0f;
        float temp = (force + pole * l->theta_dot[i] * l->theta_dot[i] * sin) * (1 / mass);
        float theta_acc = (9.8f * sin - cos * temp) / (0.5f * 4 / 3 - 0.05f / mass * cos * cos);
        float x_acc = temp - pole / mass * theta_acc * cos;
        float x = l->x[i] + tau * l->x_dot[i], x_dot = l->x_dot[i] + tau * x_acc;
        float new_theta = theta + tau * l->theta_dot[i], theta_dot = l->theta_dot[i] + tau * theta_acc;
        uint32_t time = l->time[i] + 1;
        int ended = (fabsf(x) > LIMIT_X) | (fabsf(new_theta) > LIMIT_THETA) | (time >= 500);
        l->actions[i] <<= 1;
        l->x[i] = ended ? l->next_x[i] : x;
        l->x_dot[i] = ended ? l->next_x_dot[i] : x_dot;
        l->theta[i] = ended ? l->next_theta[i] : new_theta;
        l->theta_dot[i] = ended ? l->next_theta_dot[i] : theta_dot;
        l->time[i] = ended ? 0 : time;
        uint32_t length = ended ? time : 0;
        l->episodes[i] += ended;
        l->length[i] += length;
        l->squares[i] += length * length;
        l->shortest[i] = ended && time < l->shortest[i] ? time : l->shortest[i];
        l->longest[i] = length > l->longest[i] ? length : l->longest[i];
    }
}

static void play(Lanes *l, uint32_t first, long steps, Statistics *sum) {
    begin(l, first);
    for (long done = 0; done < steps; done++) {
        if (done % 32 == 0)
            for (int i = 0; i < LANES; i++) l->actions[i] = draw(&l->random[i]);
        if (done % WINDOW == 0) prepare_starts(l);
        step(l);
    }
    for (int i = 0; i < LANES; i++) {
        sum->episodes += l->episodes[i];
        sum->length += l->length[i];
        sum->squares += l->squares[i];
        sum->shortest = l->shortest[i] < sum->shortest ? l->shortest[i] : sum->shortest;
        sum->longest = l->longest[i] > sum->longest ? l->longest[i] : sum->longest;
    }
}

typedef struct {
    long first, last, steps; /* groups of LANES */
    Statistics sum;
} Share;

static void *work(void *argument) {
    Share *share = argument;
    Lanes *lanes = aligned_alloc(64, (sizeof(Lanes) + 63) / 64 * 64);
    for (long group = share->first; lanes && group < share->last; group++)
        play(lanes, (uint32_t)(group * LANES), share->steps, &share->sum);
    void *failed = lanes ? NULL : share;
    free(lanes);
    return failed;
}

/* Plays `steps` steps in each of `groups` * LANES environments on `threads` threads. 0, or -1 if it could not. */
int limit_run(long groups, long steps, int threads, Statistics *result) {
    pthread_t started[MOST_THREADS];
    Share shares[MOST_THREADS];
    int count = 0, failed = threads < 1 || threads > MOST_THREADS || steps < 1 || steps > MOST_STEPS;
    *result = (Statistics){.shortest = UINT32_MAX};
    for (; !failed && count < threads; count++) {
        shares[count] = (Share){groups * count / threads, groups * (count + 1) / threads, steps, *result};
        if (pthread_create(&started[count], NULL, work, &shares[count])) break;
    }
    failed |= count < threads;
    for (int i = 0; i < count; i++) {
        void *bad = NULL;
        failed |= pthread_join(started[i], &bad) || bad;
        result->episodes += shares[i].sum.episodes;
        result->length += shares[i].sum.length;
        result->squares += shares[i].sum.squares;
        result->shortest = shares[i].sum.shortest < result->shortest ? shares[i].sum.shortest : result->shortest;
        result->longest = shares[i].sum.longest > result->longest ? shares[i].sum.longest : result->longest;
    }
    return failed ? -1 : 0;
}

int limit_lanes(void) { return LANES; }
