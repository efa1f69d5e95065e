"""Drive Chromium by its developer tools' protocol over a pipe: no driver, no port, no package."""

import base64
import json
import os
import select
import shutil
import subprocess
import time
from contextlib import contextmanager
from itertools import count
from pathlib import Path

BROWSERS = "chromium", "chromium-browser", "google-chrome"
SECONDS = 60


def find_chromium():
    """Return the path of the browser, or None."""
    return next(filter(None, map(shutil.which, BROWSERS)), None)


@contextmanager
def opened(folder, address, *, width=1280, height=800, dark=False):
    """Yield a tab that shows an address; the browser keeps what it keeps in a folder."""
    to_browser, our_words = os.pipe()
    our_ears, from_browser = os.pipe()
    # The browser reads its file 3 and writes to its file 4.
    start = f'exec {find_chromium()} "$@" 3<&{to_browser} 4>&{from_browser}'
    options = ["--headless=new", "--no-sandbox", "--disable-gpu", "--no-first-run"]
    options += ["--remote-debugging-pipe", f"--user-data-dir={folder}", "--hide-scrollbars"]
    process = subprocess.Popen(
        ["bash", "-c", start, "chromium", *options],
        pass_fds=(to_browser, from_browser),
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
    )
    os.close(to_browser)
    os.close(from_browser)
    try:
        tab = Tab(our_words, our_ears)
        tab.begin(width, height, dark)
        tab.visit(address)
        yield tab
    finally:
        process.terminate()
        process.wait(SECONDS)
        os.close(our_words)
        os.close(our_ears)


class Tab:
    """A tab: what it is told, and what it tells."""

    def __init__(self, words, ears):
        self._words, self._ears = words, ears
        self._numbers, self._heard, self._session = count(1), b"", None
        self.requests, self.complaints = [], []

    def begin(self, width, height, dark):
        target = self.tell("Target.createTarget", url="about:blank")["targetId"]
        attached = self.tell("Target.attachToTarget", targetId=target, flatten=True)
        self._session = attached["sessionId"]
        for domain in ("Page", "Runtime", "Network", "Log"):
            self.tell(f"{domain}.enable")
        self.resize(width, height)
        scheme = {"name": "prefers-color-scheme", "value": "dark" if dark else "light"}
        self.tell("Emulation.setEmulatedMedia", features=[scheme])

    def tell(self, method, **parameters):
        """Send a command, and return its result."""
        number = next(self._numbers)
        message = {"id": number, "method": method, "params": parameters}
        if self._session:
            message["sessionId"] = self._session
        os.write(self._words, json.dumps(message).encode() + b"\0")
        while True:
            answer = self._hear()
            if answer.get("id") == number:
                assert "error" not in answer, answer
                return answer["result"]

    def _hear(self):
        while b"\0" not in self._heard:
            ready, _, _ = select.select([self._ears], [], [], SECONDS)
            assert ready, "the browser is silent"
            self._heard += os.read(self._ears, 1 << 20)
        message, _, self._heard = self._heard.partition(b"\0")
        event = json.loads(message)
        self._note(event)
        return event

    def _note(self, event):
        parameters = event.get("params", {})
        if event.get("method") == "Network.requestWillBeSent":
            self.requests.append(parameters["request"]["url"])
        elif event.get("method") == "Runtime.exceptionThrown":
            self.complaints.append(parameters["exceptionDetails"])
        elif event.get("method") == "Log.entryAdded" and parameters["entry"]["level"] == "error":
            self.complaints.append(parameters["entry"])

    def resize(self, width, height):
        """Take another size; narrow ones are those of a phone."""
        is_phone = width < 500
        self.tell(
            "Emulation.setDeviceMetricsOverride",
            width=width,
            height=height,
            deviceScaleFactor=2 if is_phone else 1,
            mobile=is_phone,
        )

    def visit(self, address):
        self.tell("Page.navigate", url=address)

    def run(self, script):
        """Return what an expression gives, when it is there."""
        found = self.tell(
            "Runtime.evaluate", expression=script, awaitPromise=True, returnByValue=True
        )
        assert "exceptionDetails" not in found, found["exceptionDetails"]
        return found["result"].get("value")

    def wait(self, condition):
        """Wait until an expression is true."""
        last = time.monotonic() + SECONDS
        while time.monotonic() < last:
            if self.run(f"(() => {{ try {{ return Boolean({condition}) }} catch {{}} }})()"):
                return
            time.sleep(0.05)
        raise AssertionError(f"never: {condition}; {self.run('document.body.innerText')}")

    def press(self, key, *, shift=False):
        text = {"Enter": "\r"}.get(key, key if len(key) == 1 else "")
        codes = {"Enter": 13, "Escape": 27, "Tab": 9, "ArrowLeft": 37, "ArrowRight": 39}
        for kind in ("keyDown", "keyUp"):
            self.tell(
                "Input.dispatchKeyEvent",
                type=kind,
                key=key,
                code=key,
                text=text if kind == "keyDown" else "",
                windowsVirtualKeyCode=codes.get(key, 0),
                modifiers=8 if shift else 0,
            )

    def place_of(self, selector, across=0.5, down=0.5):
        box = self.run(
            f"(({{left, top, width, height}}) => [left, top, width, height])"
            f"(document.querySelector({json.dumps(selector)}).getBoundingClientRect())"
        )
        left, top, width, height = box
        return left + across * width, top + down * height

    def mouse(self, kind, at):
        x, y = at
        self.tell(
            "Input.dispatchMouseEvent",
            type=f"mouse{kind}",
            x=x,
            y=y,
            button="left",
            buttons=0 if kind == "Released" else 1,
            clickCount=1,
        )

    def click(self, selector):
        for kind in ("Pressed", "Released"):
            self.mouse(kind, self.place_of(selector))

    def drag(self, selector, start, end):
        """Drag from one place of an element to another, in shares of its size."""
        self.mouse("Pressed", self.place_of(selector, *start))
        for part in (0.5, 1.0):
            way = [a + part * (b - a) for a, b in zip(start, end, strict=True)]
            self.mouse("Moved", self.place_of(selector, *way))
        self.mouse("Released", self.place_of(selector, *end))

    def drop(self, path):
        """Drop a file onto the page, as its own event would bring it."""
        content = base64.b64encode(Path(path).read_bytes()).decode()
        self.run(
            f"""(async () => {{
              const bytes = Uint8Array.from(atob("{content}"), (c) => c.charCodeAt(0));
              const files = new DataTransfer();
              files.items.add(new File([bytes], {json.dumps(Path(path).name)}));
              for (const kind of ["dragover", "drop"]) dispatchEvent(
                new DragEvent(kind, {{ dataTransfer: files, bubbles: true, cancelable: true }}));
            }})()"""
        )

    def screenshot(self, path):
        data = self.tell("Page.captureScreenshot", format="png")["data"]
        Path(path).write_bytes(base64.b64decode(data))
