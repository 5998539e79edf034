/* The peer that decides nothing: what the benchmark itself adds to a program. */
int peer_prepare(void);
int peer_act(const float *observation);

int peer_prepare(void)
{
    return 0;
}

int peer_act(const float *observation)
{
    return observation[0] > 0;
}
