"""The serial protocol that every example speaks: `obs: [f f f f]` in, `action: n` out, a line each."""

PARSER = """\
/* Reads "obs: [f f f f]", numbers apart by spaces or commas. Returns 1 if the line is complete. */
static int parse(const char *line, float obs[POLICY_FEATURES])
{
    const char *at = strchr(line, '[');
    int i;
    if (strncmp(line, "obs:", 4) != 0 || at == NULL) {
        return 0;
    }
    at++;
    for (i = 0; i < POLICY_FEATURES; i++) {
        char *end;
        at += strspn(at, " ,");
        obs[i] = (float)strtod(at, &end);
        if (end == at) {
            return 0;
        }
        at = end;
    }
    at += strspn(at, " ");
    return *at == ']';
}
"""
