"""What of a page runs: its blocks of Python, and the commands among its blocks of bash.

A block that cannot run says why behind its language, where readers do not see it::

    ```python skip: needs PyTorch
"""

import re
import shlex
import textwrap
from dataclasses import dataclass
from pathlib import Path

ROOT = Path(__file__).parents[1]
_FENCE = re.compile(
    r"^(?P<indent> *)(?P<fence>`{3,})(?P<info>[^`\n]+)\n(?P<code>.*?)^ *(?P=fence) *$",
    re.DOTALL | re.MULTILINE,
)


@dataclass(frozen=True)
class Block:
    """One block of a page: its language, why it does not run, its code and where that begins."""

    language: str
    skipped: str
    code: str
    line: int

    @property
    def commands(self):
        """The calls of skdeepenc in a block of bash, as lists of words."""
        if self.language != "bash":
            return []
        lines = self.code.replace("\\\n", " ").splitlines()
        words = [shlex.split(line, comments=True) for line in lines]
        return [parts[1:] for parts in words if parts[:1] == ["skdeepenc"]]


def blocks_of(page):
    """Return the fenced blocks of a file, from top to bottom."""
    text = page.read_text(encoding="utf-8")
    return [_block(match, text) for match in _FENCE.finditer(text)]


def _block(match, text):
    language, _, rest = match["info"].strip().partition(" ")
    before = text[: match.start("code")].count("\n")
    return Block(language, rest.strip(), textwrap.dedent(match["code"]), before + 1)


def pages():
    """Return the README and every page of the documentation that is written by hand."""
    made = {"_build", "generated", "gallery"}
    found = sorted((ROOT / "docs").rglob("*.md"))
    # Of the page's path inside the project: the project itself may stand in such a folder.
    written = (page for page in found if made.isdisjoint(page.relative_to(ROOT).parts))
    return [ROOT / "README.md", *written]
