"""What the example of a package does: numbers come in on a line, the export's entry point is called, a line goes out.

The protocol is the same on every board: `WORD: [f f f f]` in, an answer out, a line each. After a reset the board says
`self-test: 0 of N failed` and, if so, how long one decision takes; a board that computes something else stops there.
"""

import dataclasses
from collections.abc import Mapping
from string import Template
from typing import Any


@dataclasses.dataclass(frozen=True)
class Example:
    """One entry point. In the texts, `$p` and `$P` stand for the export's name.

    Attributes:
      header: file to include, "$p.h".
      word: what a line begins with.
      count: C expression, how many numbers follow.
      digits: characters of a number, at most.
      tests: C expression that runs all self-tests: 0 if the processor computes as it should.
      total: C expression, how many tests there are, for the greeting.
      state: C definitions at file scope.
      start: C statements after the self-test has passed.
      decide: C statements that decide about `values[]` and set as many `int answers[]` as `says` has %d.
      says: format of the answer's line, with a %d for each number.
      about: what goes in and comes out, for the README.
      restart: C statement for the first question of an episode, whose line begins with "start" instead; empty: there is
        no such line.
    """

    header: str
    word: str
    count: str
    digits: int
    tests: str
    total: str
    decide: str
    says: str
    about: str
    state: str = ""
    start: str = ""
    restart: str = ""

    def named(self, words: Mapping[str, str]) -> "Example":
        """The same of one export."""
        texts = {field.name: getattr(self, field.name) for field in dataclasses.fields(self)}
        filled: dict[str, Any] = {
            name: Template(text).substitute(words) if isinstance(text, str) else text for name, text in texts.items()
        }
        return Example(**filled)


_POLICY = Example(
    header="$p.h",
    word="obs",
    count="${P}_FEATURES",
    digits=32,
    tests="${p}_self_test()",
    total="${P}_TEST_VECTORS",
    decide="answers[0] = ${p}_act(values);",
    says="action: %d",
    about="an observation in, the action out",
)

_DECIDE = """\
int8_t input[${P}_FEATURES];
    ${p}_score scores[${P}_ACTIONS];
    int16_t action[${P}_ACTIONS];
    int i;
    ${p}_quantise(values, input);
    ${p}_infer(@PASS@input, scores);
    ${p}_q15(scores, action);
    for (i = 0; i < ${P}_ACTIONS; i++) {
        answers[i] = action[i];
    }"""


_MEMORY: dict[str, Any] = {
    "state": "static ${p}_state memory;\nstatic ${p}_state before; /* the last decision */\nstatic char last_turn;",
    "start": "${p}_reset(&memory);",
    "restart": "${p}_reset(&memory);",
}


def of_policy(numbers: int | None, memory: bool = False) -> Example:
    """What the example of a policy does.

    Args:
      numbers: of a continuous action; None: the actions are discrete.
      memory: whether the policy remembers.
    """
    if numbers is None and memory:
        return dataclasses.replace(_POLICY, decide="answers[0] = ${p}_step(&memory, values);", **_MEMORY)
    if numbers is None:
        return _POLICY
    return dataclasses.replace(
        _POLICY,
        **(_MEMORY if memory else {}),
        decide=_DECIDE.replace("@PASS@", "&memory, " if memory else ""),
        says=f"action: [{' '.join(['%d'] * numbers)}]",
        about="an observation in, the action out in Q15 (-32768 is the lowest, 32767 the highest)",
    )


_PARSER = """\
/* The exclusive or of some characters, by which a damaged line is told. */
static unsigned checksum(const char *from, const char *to)
{
    unsigned made = 0;
    for (; from != to; from++) {
        made ^= (unsigned char)*from;
    }
    return made;
}

/*
 * Reads "@WORD@: [f f f f]" into values[], numbers apart by spaces or commas; a checksum may follow, "*" and two
 * hexadecimal digits. Returns 1 if the line is complete and undamaged.
 */
static int parse(const char *line)
{
    const char *at = strchr(line, '[');
@TURN_IS@    int i;
    checked = 0;
    if (@OTHER_WORD@ || at == NULL) {
        return 0;
    }
    at++;
    for (i = 0; i < COUNT; i++) {
        char *end;
        at += strspn(at, " ,");
        values[i] = (float)strtod(at, &end);
        if (end == at) {
            return 0;
        }
        at = end;
    }
    at += strspn(at, " ");
    if (*at++ != ']') {
        return 0;
    }
@TURN@    checked = *at == '*';
    if (*at != '\\0' && !(checked && strtoul(at + 1, NULL, 16) == checksum(line, at))) {
        return 0;
    }
@REMEMBER@    return 1;
}

static void put(char c)
{
    if (size + 1 < sizeof reply) {
        reply[size++] = c;
    }
}

static void put_text(const char *text)
{
    while (*text != '\\0') {
        put(*text++);
    }
}

static void put_number(int number)
{
    char digits[12];
    size_t count = 0;
    if (number < 0) {
        put('-');
    }
    do {
        const int digit = number % 10;
        digits[count++] = (char)('0' + (digit < 0 ? -digit : digit));
        number /= 10;
    } while (number != 0);
    while (count > 0) {
        put(digits[--count]);
    }
}

static void decide(void)
{
    @DECIDE@
}

/* The answer to the last line, in reply[]; with a checksum if the line had one. */
static void answer(void)
{
    size = 0;
@ANSWER@
    if (checked) {
        const unsigned sum = checksum(reply, reply + size);
        put('*');
        put("0123456789ABCDEF"[sum >> 4]);
        put("0123456789ABCDEF"[sum & 15]);
    }
    reply[size] = '\\0';
}
"""


# Of a policy with memory: "start:" begins an episode. "#d" behind the numbers, with a digit that differs from step to
# step, tells a question that is asked again from the next one: what is remembered then is what it was before.
_TURN = """\
    if (*at == '#' && at[1] != '\\0') {
        turn = at[1];
        at += 2;
    }
"""
_REMEMBER = """\
    if (strncmp(line, "start:", 6) == 0) {
        @RESTART@
    } else if (turn != '\\0' && turn == last_turn) {
        memory = before;
    }
    last_turn = turn;
    before = memory;
"""


def _parser(example: Example) -> str:
    """With what a policy that remembers needs, if it does."""
    parser = _PARSER.replace("@WORD@", example.word)
    remember = _REMEMBER.replace("@RESTART@", example.restart)
    word = f'strncmp(line, "{example.word}:", {len(example.word) + 1}) != 0'
    parts = {
        "@TURN_IS@": "    char turn = '\\0';\n",
        "@OTHER_WORD@": f'(strncmp(line, "start:", 6) != 0 && {word})',
        "@TURN@": _TURN,
        "@REMEMBER@": remember,
    }
    others = dict.fromkeys(parts, "") | {"@OTHER_WORD@": word}
    for key, text in (parts if example.restart else others).items():
        parser = parser.replace(key, text)
    return parser


def common(example: Example) -> str:
    """C, and C++, that all examples share: buffers, the parser, the decision, the answer."""
    parser = _parser(example)
    pieces, lines = example.says.split("%d"), []
    for i, piece in enumerate(pieces):
        lines += [f'    put_text("{piece}");'] if piece else []
        lines += [f"    put_number(answers[{i}]);"] if i + 1 < len(pieces) else []
    state = f"{example.state}\n" if example.state else ""
    reply = max(48, len(example.says) + 8 * len(pieces))  # a number has eight characters more than its %d, at most
    return (
        f"#define COUNT ({example.count})\n\n"
        f"static char line[{example.digits} * COUNT + 16];\nstatic char reply[{reply}];\nstatic size_t size;\n"
        f"static float values[COUNT];\nstatic int answers[{max(2, len(pieces) - 1)}];\n"
        "static int checked; /* whether the line had a checksum */\n"
        f"{state}\n" + parser.replace("@DECIDE@", example.decide).replace("@ANSWER@", "\n".join(lines))
    )
