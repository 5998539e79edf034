"""A headless Chromium for tests, spoken to in DevTools' protocol over two pipes."""

import json
import os
import shutil
import subprocess
import tempfile
import time

import pytest

needs_chromium = pytest.mark.skipif(shutil.which("chromium") is None, reason="not installed: chromium (Debian package)")


class Browser:
    """One tab. `complaints` has a line for each error on its console, each exception and each request but the page's.

    Used as a context: `with Browser() as tab: tab.open(path)`. Width and height are the page's, in pixels.
    """

    def __init__(self, width=1200, height=800):
        self.size = {"width": width, "height": height}
        self.complaints, self._count, self._text, self._loaded = [], 0, b"", False

    def __enter__(self):
        (theirs_in, self._in), (self._out, theirs_out) = os.pipe(), os.pipe()
        self._folder = tempfile.TemporaryDirectory(ignore_cleanup_errors=True)
        # Chromium reads from file descriptor 3 and writes to 4; a shell is what can hand them over by these numbers.
        shell = f'exec chromium "$@" 3<&{theirs_in} 4>&{theirs_out}'
        options = ["--headless=new", "--no-sandbox", "--disable-gpu", "--remote-debugging-pipe"]
        options += ["--no-first-run", "--disable-background-networking", f"--user-data-dir={self._folder.name}"]
        self._process = subprocess.Popen(
            ["bash", "-c", shell, "chromium", *options, "about:blank"],
            pass_fds=(theirs_in, theirs_out),
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
        )
        os.close(theirs_in)
        os.close(theirs_out)
        self._session = None
        targets = self.call("Target.getTargets")["targetInfos"]
        tab = next(target["targetId"] for target in targets if target["type"] == "page")
        self._session = self.call("Target.attachToTarget", targetId=tab, flatten=True)["sessionId"]
        for domain in ("Page", "Runtime", "Log", "Network"):
            self.call(f"{domain}.enable")
        # Not by Chromium's option, which takes no window narrower than 500.
        self.call("Emulation.setDeviceMetricsOverride", **self.size, deviceScaleFactor=1, mobile=False)
        return self

    def __exit__(self, *exception):
        self._process.kill()
        self._process.wait()
        os.close(self._in)
        os.close(self._out)
        self._folder.cleanup()

    def open(self, path):
        """Loads a file, its scripts as well."""
        self._page, self._loaded = path.as_uri(), False
        self.call("Page.navigate", url=self._page)
        while not self._loaded:
            self._heard(self._next())

    def call(self, method, **parameters):
        """The result of a command of the protocol."""
        self._count += 1
        message = {"id": self._count, "method": method, "params": parameters}
        message |= {"sessionId": self._session} if self._session else {}
        os.write(self._in, json.dumps(message).encode() + b"\0")
        while (answer := self._next()).get("id") != self._count:
            self._heard(answer)
        assert "result" in answer, answer
        return answer["result"]

    def value(self, expression):
        """What a JavaScript expression is, as plain values."""
        result = self.call("Runtime.evaluate", expression=expression, returnByValue=True, awaitPromise=True)
        assert "exceptionDetails" not in result, result
        return result["result"].get("value")

    def wait(self, expression, seconds=60):
        """Until a JavaScript expression is true; its value."""
        end = time.monotonic() + seconds
        while not (value := self.value(expression)):
            assert time.monotonic() < end, f"not within {seconds} s: {expression}; {self.complaints}"
            time.sleep(0.05)
        return value

    def press(self, key):
        """A key goes down and up."""
        for kind in ("keyDown", "keyUp"):
            self.call("Input.dispatchKeyEvent", type=kind, key=key)

    def click(self, selector):
        """The mouse's left button, in the middle of an element."""
        box = self.value(f"document.querySelector({json.dumps(selector)}).getBoundingClientRect().toJSON()")
        middle = {"x": box["x"] + box["width"] / 2, "y": box["y"] + box["height"] / 2}
        for kind in ("mousePressed", "mouseReleased"):
            self.call("Input.dispatchMouseEvent", type=kind, button="left", clickCount=1, **middle)

    def _next(self):
        while b"\0" not in self._text:
            read = os.read(self._out, 2**16)
            assert read, "Chromium ended"
            self._text += read
        message, _, self._text = self._text.partition(b"\0")
        return json.loads(message)

    def _heard(self, event):
        given = event.get("params", {})
        self._loaded |= event.get("method") == "Page.loadEventFired"
        if event.get("method") == "Runtime.exceptionThrown":
            self.complaints.append(json.dumps(given["exceptionDetails"])[:500])
        elif event.get("method") == "Log.entryAdded" and given["entry"]["level"] in ("error", "warning"):
            self.complaints.append(given["entry"]["text"])
        elif event.get("method") == "Runtime.consoleAPICalled":
            self.complaints.append(json.dumps(given["args"])[:500])
        elif event.get("method") == "Network.requestWillBeSent" and given["request"]["url"] != self._page:
            self.complaints.append(f"a request: {given['request']['url'][:200]}")
