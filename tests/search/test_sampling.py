"""What an encoder learns from is drawn from files one by one, and from archives as a whole."""

from pathlib import Path

import pytest
from search.test_listing import write_tar

from skdeepenc.images import decode_image
from skdeepenc.search.sampling import sampled_images

pytest.importorskip("fsspec")


def test_files_are_drawn_and_stay_in_order(photos):
    with sampled_images(photos, 4, random_state=0) as sample:
        assert sample == sorted(sample)
        assert len(set(sample)) == 4
        assert all(Path(path).parent == photos for path in sample)
    with sampled_images(photos, 100) as sample:
        assert len(sample) == 7


def test_what_is_not_a_file_here_is_one_for_a_while(photos, tmp_path, pixels):
    write_tar(tmp_path / "a.tar", {path.name: path.read_bytes() for path in photos.iterdir()})
    with sampled_images(tmp_path / "a.tar", 3) as sample:
        assert len(sample) == 3
        assert {path.suffix for path in sample} == {".png"}
        assert any((decode_image(sample[0]).shape == image.shape) for image in pixels)
    assert not any(path.exists() for path in sample)


def test_what_cannot_be_fetched_is_an_empty_file(pixels):
    with sampled_images(["memory://missing.png", pixels[0]], 9, random_state=0) as sample:
        (missing,) = [source for source in sample if isinstance(source, Path)]
        assert missing.read_bytes() == b""
