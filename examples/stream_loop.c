/*
 * A firmware's main loop for an export of exit-stream: `edgerl export runs/stream --name stream --out stream_c`, then
 *
 *     gcc -std=c99 -Istream_c examples/stream_loop.c stream_c/stream.c stream_c/stream_stream.c -o loop && ./loop 100000
 *
 * plays a device whose frames, network and battery are made up. On a board, compute_exit runs the network's next part on
 * the picture, pause_until_frame sleeps, and the three shares are measured.
 */
#include <stdio.h>
#include <stdlib.h>

#include "stream_stream.h"

static unsigned random_state = 1;

static float uniform(void)
{
    random_state = random_state * 1664525u + 1013904223u;
    return (float)(random_state >> 8) / 16777216.0f;
}

/* A frame comes every 5 s in the mean, at whole tenths of a second. */
static float until_frame(void)
{
    float seconds = 0.1f;
    while (uniform() > 0.02f) {
        seconds += 0.1f;
    }
    return seconds;
}

/* Made up: the deeper the exit, the surer. */
static void compute_exit(int exit, int picture, float *probability, float *margin, int *class_of_it)
{
    *probability = 0.3f + 0.15f * (float)exit + 0.25f * uniform();
    *margin = *probability / 2.0f;
    *class_of_it = picture;
}

int main(int argc, char **argv)
{
    const long frames = argc > 1 ? atol(argv[1]) : 1000;
    static struct stream_stream stream;
    float next_frame = until_frame();
    float clock = 0.0f;
    long came = 0;
    long answered = 0;

    if (stream_self_test() != 0) {
        return 1;
    }
    stream_stream_init(&stream);
    while (came < frames) {
        const struct stream_power now = {0.5f, 0.5f, clock / 86400.0f};
        const int todo = stream_next(&stream, &now);
        float seconds = todo == STREAM_COMPUTE ? 0.6f : next_frame;
        answered += stream.answer >= 0;
        if (todo != STREAM_COMPUTE && seconds > STREAM_PAUSE_S) {
            seconds = STREAM_PAUSE_S;
        }
        clock += seconds;
        clock -= clock >= 86400.0f ? 86400.0f : 0.0f;
        while (next_frame <= seconds) {
            stream_stream_pass(&stream, next_frame);
            seconds -= next_frame;
            stream_stream_arrive(&stream);
            came++;
            next_frame = until_frame();
        }
        stream_stream_pass(&stream, seconds);
        next_frame -= seconds;
        if (todo == STREAM_COMPUTE) {
            float probability;
            float margin;
            int found;
            compute_exit(stream.exit + 1, stream.slot, &probability, &margin, &found);
            stream_stream_reach(&stream, probability, margin, found);
        }
    }
    printf("frames %ld answered %ld lost %ld waiting %d\n", came, answered, stream.lost,
           stream.waiting + (stream.slot >= 0));
    return came == answered + stream.lost + stream.waiting + (stream.slot >= 0) ? 0 : 1;
}
