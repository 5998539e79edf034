"""The pages of exports, for tests: what is in them, and other ones in their place."""

import base64
import hashlib
import json
import re

import numpy as np

from edgerl.deploy.folder import PAGE
from edgerl.deploy.targets import demo
from edgerl.util import files


def data_of(page):
    """The values in a page."""
    return json.loads(re.search(r'<script type="application/json" id="data">(.*?)</script>', page.read_text())[1])


def with_program(page, program):
    """A page's bytes with other WebAssembly."""
    text = base64.b64encode(program).decode()
    return re.sub(r'(id="program">)[^<]*', rf"\g<1>{text}", page.decode()).encode()


def replace(folder, data):
    """Puts another page into an export, with its hash in the report."""
    (folder / PAGE).write_bytes(data)
    report = files.read_json(folder / "report.json")
    report["files"][PAGE] = hashlib.sha256(data).hexdigest()
    files.write_json(folder / "report.json", report)


def with_changed_weights(folder, count):
    """The program of an export's page, `count` weights of whose first layer were changed by 64."""
    program = demo.program_of(folder / PAGE)
    numbers = re.search(r"weights_0\[\d+\] WEIGHTS = \{(.*?)\}", (folder / "policy.c").read_text(), re.DOTALL)[1]
    weights = np.array([int(number) for number in re.findall(r"-?\d+", numbers)], np.int8).tobytes()
    at = program.index(weights[:32])
    return program[:at] + bytes(byte ^ 64 for byte in weights[:count]) + program[at + count :]
