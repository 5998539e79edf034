"""An Arduino library, which PlatformIO takes as well: the policy's source and a sketch for the serial port."""

import json

from edgerl import __version__
from edgerl.deploy.targets import sketch

_LIBRARY = "arduino/EdgeRL_Policy"


def generate(sources: dict[str, str]) -> dict[str, str]:
    """Path in the export → text; `sources` are `policy.h` and `policy.c`."""
    return {
        f"{_LIBRARY}/library.properties": _PROPERTIES.format(version=__version__),
        f"{_LIBRARY}/library.json": json.dumps(_PLATFORMIO | {"version": __version__}, indent=2) + "\n",
        f"{_LIBRARY}/src/policy.h": sources["policy.h"],
        f"{_LIBRARY}/src/policy.c": sources["policy.c"],
        f"{_LIBRARY}/examples/serial_policy/serial_policy.ino": _SKETCH.replace("@PARSER@", sketch.PARSER),
    }


_PROPERTIES = """\
name=EdgeRL_Policy
version={version}
author=EdgeRL
maintainer=EdgeRL
sentence=An int8 policy: observation in, action out.
paragraph=Generated C99 without heap or dependencies, with test vectors and a self-test.
category=Data Processing
url=
architectures=*
includes=policy.h
"""

_PLATFORMIO = {
    "name": "EdgeRL_Policy",
    "description": "An int8 policy: observation in, action out.",
    "frameworks": "*",
    "platforms": "*",
    "headers": "policy.h",
}

_SKETCH = """\
// Answers `obs: [f f f f]` with `action: n`, line by line, on the serial port.
#include <policy.h>
#include <stdlib.h>
#include <string.h>

@PARSER@
static char line[32 * POLICY_FEATURES + 16];
static size_t length = 0;

void setup() {
  Serial.begin(115200);
  Serial.print("self-test failures: ");
  Serial.println(policy_self_test());
}

void loop() {
  float obs[POLICY_FEATURES];
  if (Serial.available() == 0) {
    return;
  }
  const char c = (char)Serial.read();
  if (c != '\\n' && c != '\\r') {
    if (length + 1 < sizeof line) {
      line[length++] = c;
    }
    return;
  }
  if (length == 0) {
    return;
  }
  line[length] = '\\0';
  length = 0;
  if (parse(line, obs)) {
    Serial.print("action: ");
    Serial.println(policy_act(obs));
  } else {
    Serial.println("error: expected obs: [ numbers ]");
  }
}
"""
