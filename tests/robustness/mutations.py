"""Damage to files: what disks, editors and strangers do to bytes."""

import re

STRANGE_WORDS = [
    *(b"", b"-1", b"0", b"1e999", b"nan", b"99999999999999999999", b"1_0", "²".encode(), b"\xff"),
    *(b"../../x", b"/etc/passwd", b"a\x00b", b"x" * 5000, b"\xef\xbb\xbf", b"'", b"{}", b"\r"),
]


def mutated(content, rng):
    """Return a content that differs by one to three kinds of damage."""
    for _ in range(rng.integers(1, 4)):
        damage = DAMAGES[rng.integers(len(DAMAGES))]
        content = damage(content, rng)
    return content


def flip_bits(content, rng):
    """Change single bits."""
    content = bytearray(content)
    for at in rng.integers(len(content), size=rng.integers(1, 4)) if content else ():
        content[at] ^= 1 << rng.integers(8)
    return bytes(content)


def set_bytes(content, rng):
    """Put extreme bytes, as sizes and counts, somewhere."""
    extreme = [b"\xff\xff\xff\xff", b"\xff\xff\xff\x7f", b"\x00\x00\x00\x80", bytes(4), bytes(8)]
    at = rng.integers(len(content) + 1)
    piece = extreme[rng.integers(len(extreme))]
    return content[:at] + piece + content[at + len(piece) :]


def cut(content, rng):
    """Keep the beginning."""
    return content[: rng.integers(len(content) + 1)]


def leave_out(content, rng):
    """Take a piece out."""
    start, stop = sorted(rng.integers(len(content) + 1, size=2))
    return content[:start] + content[min(stop, start + 40) :]


def repeat(content, rng):
    """Insert a copy of a piece."""
    start, stop = sorted(rng.integers(len(content) + 1, size=2))
    return content[:stop] + content[start:stop][:4000] + content[stop:]


def insert_noise(content, rng):
    """Insert random bytes."""
    at = rng.integers(len(content) + 1)
    return content[:at] + rng.bytes(rng.integers(1, 9)) + content[at:]


def replace_word(content, rng):
    """Put something strange in the place of a word or number."""
    words = list(re.finditer(rb"[\w./-]+", content))
    if not words:
        return content
    word = words[rng.integers(len(words))]
    strange = STRANGE_WORDS[rng.integers(len(STRANGE_WORDS))]
    return content[: word.start()] + strange + content[word.end() :]


def change_lines(content, rng):
    """Leave out, repeat or join lines."""
    lines = content.split(b"\n")
    at = rng.integers(len(lines))
    changed = ([], [lines[at]] * 2, [lines[at] + b" " + lines[-1]])[rng.integers(3)]
    return b"\n".join([*lines[:at], *changed, *lines[at + 1 :]])


DAMAGES = [flip_bits, set_bytes, cut, leave_out, repeat, insert_noise, replace_word, change_lines]
