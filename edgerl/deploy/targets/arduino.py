"""An Arduino library, which PlatformIO takes as well: the export's sources and a sketch for the serial port."""

import json
from collections.abc import Mapping

from edgerl import __version__
from edgerl.deploy.targets import project
from edgerl.deploy.targets.example import Example, common


def library(name: str) -> str:
    """What the library is called."""
    return "EdgeRL_" + "_".join(word.capitalize() for word in name.split("_"))


def generate(sources: Mapping[str, str], name: str, example: Example, readme: str) -> dict[str, str]:
    """Path in the export → text. Arguments are those of `esp_idf.generate`."""
    made, folder = library(name), f"arduino/{library(name)}"
    properties = _PROPERTIES.format(
        name=made,
        version=__version__,
        header=example.header,
        who=project.MAINTAINER,
        url=project.URL,
        licence=project.LICENCE,
    )
    manifest = _PLATFORMIO | {"name": made, "version": __version__, "headers": example.header}
    sketch = f"serial_{name}"
    return {
        f"{folder}/library.properties": properties,
        f"{folder}/library.json": json.dumps(manifest, indent=2) + "\n",
        f"{folder}/README.md": readme,
        **{f"{folder}/src/{file}": text for file, text in sources.items()},
        f"{folder}/examples/{sketch}/{sketch}.ino": _sketch(example),
    }


_PROPERTIES = """\
name={name}
version={version}
author=EdgeRL
maintainer={who}
sentence=A decision by EdgeRL: numbers in, decision out.
paragraph=An int8 network in generated C99, without heap or dependencies, with test vectors and a self-test.
category=Data Processing
url={url}
architectures=avr,esp32,esp8266,rp2040,mbed_nano,mbed_rp2040,samd,sam,renesas_uno,stm32
includes={header}
license={licence}
"""

_PLATFORMIO = {
    "description": "A decision by EdgeRL: an int8 network in generated C99, without heap or dependencies.",
    "keywords": "tinyml, reinforcement learning",
    "license": project.LICENCE,
    "frameworks": "*",
    "platforms": "*",
}


def _sketch(example: Example) -> str:
    start = f"  {example.start}\n" if example.start else ""
    text = _SKETCH
    for key, value in {
        "@HEADER@": example.header,
        "@WORD@": example.word,
        "@ABOUT@": example.about,
        "@COMMON@": common(example),
        "@TESTS@": example.tests,
        "@TOTAL@": example.total,
        "@START@": start,
    }.items():
        text = text.replace(key, value)
    return text


_SKETCH = """\
// On the serial port, line by line: @ABOUT@ (`@WORD@: [f f f f]`).
#include <@HEADER@>
#include <stdlib.h>
#include <string.h>

@COMMON@
static size_t length = 0;
static int failures = 0;

void setup() {
  Serial.begin(115200);
  failures = @TESTS@;
  Serial.print(F("self-test: "));
  Serial.print(failures);
  Serial.print(F(" of "));
  Serial.print(@TOTAL@);
  Serial.println(F(" failed"));
  if (failures != 0) {
    return;  // this processor computes something else: it must not decide
  }
@START@  const unsigned long start = micros();
  for (int i = 0; i < 16; i++) {
    decide();
  }
  Serial.print(F("cycles: "));
  Serial.print((micros() - start) * (F_CPU / 1000000UL) / 16);
  Serial.println(F(" a decision"));
}

void loop() {
  if (failures != 0 || Serial.available() == 0) {
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
  if (parse(line)) {
    decide();
    answer();
    Serial.println(reply);
  } else {
    Serial.println(F("error: expected @WORD@: [ numbers ]"));
  }
}
"""
