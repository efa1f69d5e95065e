"""Whatever lies at a path: an answer at once, without reading what never ends."""

import os
import socket

import pytest

from skdeepenc.exceptions import ImageError
from skdeepenc.images import _files, decode_image


@pytest.mark.skipif(not hasattr(os, "mkfifo"), reason="there are no named pipes here")
def test_named_pipes_are_refused_without_waiting_for_a_writer(tmp_path):
    path = tmp_path / "pipe.jpg"
    os.mkfifo(path)
    with pytest.raises(ImageError, match=r"pipe\.jpg: this is a named pipe"):
        decode_image(path)


@pytest.mark.skipif(not os.path.exists("/dev/zero"), reason="there are no devices here")
def test_devices_are_refused():
    with pytest.raises(ImageError, match="/dev/zero: this is a device"):
        decode_image("/dev/zero")


@pytest.mark.skipif(not hasattr(socket, "AF_UNIX"), reason="sockets have no paths here")
def test_sockets_are_refused(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)  # paths of sockets are short
    with socket.socket(socket.AF_UNIX) as listening:
        listening.bind("s.jpg")
        with pytest.raises(ImageError, match="this is a socket"):
            decode_image("s.jpg")


def test_endless_files_are_refused_by_their_size(tmp_path):
    path = tmp_path / "sparse.jpg"
    with open(path, "wb") as file:
        file.truncate(_files.LARGEST_FILE + 1)
    with pytest.raises(ImageError, match=r"0\.5 GiB, more than the 0\.5 GiB"):
        decode_image(path)


def test_links_that_lead_nowhere_are_named(tmp_path):
    path = tmp_path / "round.jpg"
    try:
        path.symlink_to(path)
    except OSError:
        pytest.skip("links are not allowed here")
    with pytest.raises(ImageError, match="cannot be read"):
        decode_image(path)
