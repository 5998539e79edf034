"""The rules of MISRA C:2012 that the generated C leaves aside, and why. A test has no other found by cppcheck."""

DEVIATIONS = {
    "2.3": "a type that nothing uses is an assertion at compile time",
    "2.5": "the header has macros for the program that includes it",
    "2.7": "a parameter stands in assembler, which the checker does not read",
    "8.9": "constants stand at file scope, where an AVR keeps them in flash",
    "10.1": "a negative number is shifted to the right, arithmetically, which is asserted at compile time",
    "10.3": "a number goes into a narrower type where its range is known from the weights",
    "10.4": "integers of unlike width and sign meet in sums whose range is known from the weights",
    "10.7": "a byte goes into a sum of words",
    "10.8": "a difference becomes unsigned, so that one comparison tells both sides of a range",
    "12.1": "a product in a sum has no brackets",
    "12.3": "the checker takes the commas of a declaration for operators",
    "13.3": "a pointer moves on in the expression that reads",
    "17.8": "a function moves the pointers and clamps the numbers that it is given",
    "18.4": "pointers walk over weights and buffers",
    "19.2": "a union reads the bits of a float without a library",
}
"""Rule → reason."""


def section() -> str:
    """A section of an export's README."""
    rows = "\n".join(f"| {rule} | {reason} |" for rule, reason in DEVIATIONS.items())
    return (
        "## Static analysis\n\n"
        "The C compiles without a warning under gcc and clang (`-Wall -Wextra -Wconversion -Wshadow -pedantic`), also\n"
        "with `-ffast-math`; cppcheck and clang-tidy find no error. Of MISRA C:2012, cppcheck's addon finds these\n"
        f"rules left aside, all on purpose:\n\n| rule | why |\n|---|---|\n{rows}\n"
    )
