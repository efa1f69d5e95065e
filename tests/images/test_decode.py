import io
from concurrent.futures import ThreadPoolExecutor

import numpy as np
import pytest
from numpy.testing import assert_allclose, assert_array_equal
from PIL import Image, ImageOps

from skdeepenc.exceptions import ImageError
from skdeepenc.images import _jpeg, _limits, decode_image

LOSSLESS = ["PNG", "BMP", "TIFF", "PPM", "TGA"]


def smooth_image(height=48, width=64):
    """An image that compression hardly changes: red grows to the right, green downwards."""
    y, x = np.mgrid[0:height, 0:width]
    blue = np.where((x < width // 2) & (y < height // 2), 200, 40)
    return np.stack([255 * x / width, 255 * y / height, blue], axis=-1).astype(np.uint8)


def encode(image, format_name, **options):
    """Return the content of a file."""
    image = Image.fromarray(image) if isinstance(image, np.ndarray) else image
    stream = io.BytesIO()
    image.save(stream, format_name, **options)
    return stream.getvalue()


@pytest.fixture
def image():
    return smooth_image()


# --- Formats ---------------------------------------------------------------------------------


@pytest.mark.parametrize("format_name", LOSSLESS)
def test_lossless_formats_give_their_pixels(image, format_name):
    assert_array_equal(decode_image(encode(image, format_name)), image)


@pytest.mark.parametrize("kind", [str, bytes, lambda path: path])
def test_paths_and_bytes_give_the_same_image(tmp_path, image, kind):
    path = tmp_path / "image.png"
    data = encode(image, "PNG")
    path.write_bytes(data)
    source = data if kind is bytes else kind(path)
    assert_array_equal(decode_image(source), image)


def test_pil_images_are_taken(image):
    assert_array_equal(decode_image(Image.fromarray(image)), image)


@pytest.mark.parametrize("format_name", ["JPEG", "WEBP"])
def test_lossy_formats_come_close(image, format_name):
    decoded = decode_image(encode(image, format_name, quality=95))
    assert decoded.shape == image.shape
    assert np.abs(decoded.astype(int) - image).mean() < 3


# --- What a person sees ----------------------------------------------------------------------


def test_grey_becomes_rgb(image):
    grey = image[:, :, 0]
    assert_array_equal(decode_image(encode(grey, "PNG")), np.dstack([grey] * 3))


def test_palettes_become_their_colours():
    image = Image.new("P", (2, 1))
    image.putpalette([10, 20, 30, 40, 50, 60])
    image.putpixel((1, 0), 1)
    assert_array_equal(decode_image(encode(image, "PNG")), [[[10, 20, 30], [40, 50, 60]]])


def test_black_and_white_is_spread():
    bits = Image.fromarray(np.array([[0, 255]], dtype=np.uint8)).convert("1")
    assert_array_equal(decode_image(encode(bits, "PNG"))[0, :, 0], [0, 255])


def test_transparency_lies_on_white():
    red = np.zeros((1, 3, 4), dtype=np.uint8)
    red[..., 0] = 255
    red[0, :, 3] = [255, 0, 51]  # opaque, invisible, a fifth
    expected = [[[255, 0, 0], [255, 255, 255], [255, 204, 204]]]
    assert_array_equal(decode_image(encode(red, "PNG")), expected)
    assert_array_equal(decode_image(red), expected)


def test_transparent_palette_entries_lie_on_white():
    image = Image.new("P", (2, 1))
    image.putpalette([10, 20, 30, 40, 50, 60])
    image.putpixel((1, 0), 1)
    data = encode(image, "PNG", transparency=1)
    assert_array_equal(decode_image(data), [[[10, 20, 30], [255, 255, 255]]])


def test_transparent_colour_of_rgb_png_lies_on_white():
    image = Image.fromarray(np.array([[[1, 2, 3], [4, 5, 6]]], dtype=np.uint8))
    data = encode(image, "PNG", transparency=(4, 5, 6))
    assert_array_equal(decode_image(data), [[[1, 2, 3], [255, 255, 255]]])


def test_grey_with_opacity_lies_on_white():
    image = Image.fromarray(np.array([[[0, 255], [0, 0]]], dtype=np.uint8), mode=None)
    assert image.mode == "LA"
    assert_array_equal(decode_image(image)[0, :, 0], [0, 255])


def test_cmyk_shows_its_colours():
    cyan = Image.new("CMYK", (16, 16), (255, 0, 0, 0))
    decoded = decode_image(encode(cyan, "JPEG", quality=100))
    assert_allclose(decoded[8, 8], [0, 255, 255], atol=3)


@pytest.mark.parametrize("dtype", ["<u2", ">u2"])
def test_sixteen_bits_become_eight(dtype):
    deep = np.array([[0, 257 * 7, 65535]], dtype=dtype)
    assert_array_equal(decode_image(deep)[0, :, 0], [0, 7, 255])


@pytest.mark.parametrize("format_name", ["PNG", "TIFF"])
def test_sixteen_bit_files_become_eight(format_name):
    deep = Image.fromarray(np.array([[0, 257 * 7, 65535]], dtype=np.uint16))
    assert_array_equal(decode_image(encode(deep, format_name))[0, :, 0], [0, 7, 255])


@pytest.mark.parametrize(
    ("values", "expected"),
    [([0, 0.2, 1], [0, 51, 255]), ([0, 51, 255], [0, 51, 255]), ([-2, 0, 8], [0, 51, 255])],
)
def test_float_files_are_shown_by_their_range(values, expected):
    image = Image.fromarray(np.array([values], dtype=np.float32))
    assert_array_equal(decode_image(encode(image, "TIFF"))[0, :, 0], expected)


@pytest.mark.parametrize("orientation", range(1, 9))
@pytest.mark.parametrize("format_name", ["JPEG", "PNG", "TIFF", "WEBP"])
def test_exif_turns_the_image_upright(image, orientation, format_name):
    exif = Image.Exif()
    exif[0x0112] = orientation
    data = encode(image, format_name, exif=exif)
    upright = ImageOps.exif_transpose(Image.open(io.BytesIO(data))).convert("RGB")
    assert_array_equal(decode_image(data), np.asarray(upright))
    assert (upright.height > upright.width) == (orientation >= 5)


@pytest.mark.parametrize("format_name", ["GIF", "WEBP", "PNG", "TIFF"])
def test_animations_show_their_first_frame(format_name):
    frames = [Image.new("RGB", (8, 8), colour) for colour in ("red", "lime")]
    options = {} if format_name == "TIFF" else {"loop": 0, "duration": 100}
    data = encode(frames[0], format_name, save_all=True, append_images=frames[1:], **options)
    assert getattr(Image.open(io.BytesIO(data)), "n_frames", 1) == 2
    assert_allclose(decode_image(data)[4, 4], [255, 0, 0], atol=2)


# --- Arrays ----------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "array",
    [
        np.array([[0, 255]], dtype=np.uint8),
        np.array([[[0], [255]]], dtype=np.uint8),
        np.array([[0.0, 1.0]]),
        np.array([[0.0, 1.0]], dtype=np.float16),
        np.array([[-1e-5, 1.0002]]),
        np.array([[False, True]]),
        np.array([[0, 255]], dtype=np.int64),
        np.array([[[0.0, 0.0, 0.0], [1.0, 1.0, 1.0]]]),
    ],
)
def test_black_and_white_in_every_array_type(array):
    assert_array_equal(decode_image(array), [[[0, 0, 0], [255, 255, 255]]])


@pytest.mark.parametrize(
    ("array", "reason"),
    [
        (np.zeros(5), "not an image"),
        (np.zeros((1, 5, 5, 3)), "not an image"),
        (np.zeros((0, 5, 3)), "no pixels"),
        (np.zeros((3, 5, 5)), "move its first axis to the end"),
        (np.zeros((5, 5, 2)), "2 channels"),
        (np.full((5, 5, 3), 255.0), "from 0 to 1"),
        (np.full((5, 5, 3), np.nan), "from 0 to 1"),
        (np.full((5, 5, 3), -1), "from 0 to 255"),
        (np.full((5, 5), "a"), "cannot hold pixels"),
        (np.full((5, 5), None), "cannot hold pixels"),
    ],
)
def test_arrays_that_are_no_images_say_why(array, reason):
    with pytest.raises(ImageError, match=reason):
        decode_image(array)


# --- Bad files -------------------------------------------------------------------------------


def write(folder, content):
    path = folder / "broken.jpg"
    path.write_bytes(content)
    return path


def test_missing_files_and_folders_are_named(tmp_path):
    with pytest.raises(ImageError, match=r"absent\.jpg: there is no such file"):
        decode_image(tmp_path / "absent.jpg")
    with pytest.raises(ImageError, match="is a folder"):
        decode_image(tmp_path)


def test_empty_files_are_named(tmp_path):
    with pytest.raises(ImageError, match=r"broken\.jpg: the file is empty"):
        decode_image(write(tmp_path, b""))


def test_files_of_another_kind_are_named(tmp_path):
    with pytest.raises(ImageError, match=r"broken\.jpg: this is not an image"):
        decode_image(write(tmp_path, b"%PDF-1.4 and so on"))


@pytest.mark.parametrize("format_name", ["JPEG", "PNG", "GIF", "WEBP", "TIFF", "BMP"])
def test_truncated_files_are_named(tmp_path, image, format_name):
    data = encode(image, format_name)
    with pytest.raises(ImageError, match=r"broken\.jpg: .*damaged or cut off"):
        decode_image(write(tmp_path, data[: len(data) // 2]))


def test_programs_are_not_taken_for_images():
    with pytest.raises(ImageError, match="not an image of a known format, but a drawing"):
        decode_image(encode(smooth_image(), "EPS"))


@pytest.mark.parametrize(
    ("content", "reason"),
    [
        (b"\0\0\0\x18ftypheic\0\0\0\0", "HEIC.*pip install pillow-heif"),
        (b"\xff\x0a" + bytes(30), "JPEG XL.*pip install pillow-jxl-plugin"),
        (b"\0\0\0\x18ftypisom\0\0\0\0", "video"),
        (b"version https://git-lfs.github.com/spec/v1", "git lfs pull"),
        (b"\n<!DOCTYPE html><html>", "web page"),
        (b'<svg xmlns="http://www.w3.org/2000/svg"/>', "SVG"),
        (b"PK\x03\x04", "ZIP"),
        (b"\x89HDF\r\n\x1a\n", "HDF5"),
        (b"II*\0\x08\0\0\0" + bytes(6), "damaged or cut off, or a TIFF"),
        (b"no image at all", "known format$"),
    ],
)
def test_what_is_no_image_is_called_by_its_name(monkeypatch, content, reason):
    monkeypatch.setattr("skdeepenc.images.decode.register_plugins", lambda: None)
    monkeypatch.setattr(Image, "ID", [name for name in Image.ID if name != "HEIF"])
    with pytest.raises(ImageError, match=reason):
        decode_image(content)


def test_images_that_take_too_much_memory_are_refused_before_they_are_decoded(monkeypatch):
    monkeypatch.setattr(_limits, "LARGEST_IMAGE", 48 * 64 * 6)
    opaque, through = smooth_image(), np.full((48, 64, 4), 255, dtype=np.uint8)
    decode_image(encode(opaque, "PNG"))
    with pytest.raises(ImageError, match=r"64 x 48 pixels \(RGBA\) take .* more than the"):
        decode_image(encode(through, "PNG"))
    with pytest.raises(ImageError, match="shrink the image"):
        decode_image(encode(opaque, "JPEG"))
    decode_image(encode(opaque, "JPEG"), smallest=16)  # decoded to half the size
    with pytest.raises(ImageError, match="shrink the image"):
        decode_image(encode(opaque, "JPEG", progressive=True), smallest=16)


def test_images_whose_file_was_closed_say_so(tmp_path, image):
    path = write(tmp_path, encode(image, "PNG"))
    with Image.open(path) as closed:
        pass
    with pytest.raises(ImageError, match="has been closed"):
        decode_image(closed)
    with Image.open(path) as loaded:
        loaded.load()
    assert_array_equal(decode_image(loaded), image)


def test_our_own_mistakes_are_not_blamed_on_the_file(monkeypatch, image):
    def mistaken(image):
        raise ZeroDivisionError

    monkeypatch.setattr("skdeepenc.images.decode.as_rgb", mistaken)
    with pytest.raises(ZeroDivisionError):
        decode_image(encode(image, "PNG"))


@pytest.mark.parametrize("tags", [b"Exif\0\0M", b"Exif\0\0MM\0*", b"Exif\0\0II*\0\xff\xff\xff\xff"])
@pytest.mark.parametrize("format_name", ["PNG", "WEBP", "JPEG"])
@pytest.mark.filterwarnings("ignore:Corrupt EXIF")
def test_damaged_tags_do_not_spoil_whole_pixels(image, format_name, tags):
    options = {"lossless": True} if format_name == "WEBP" else {}
    damaged = encode(image, format_name, exif=tags, **options)
    assert_array_equal(decode_image(damaged), decode_image(encode(image, format_name, **options)))


def test_one_opened_image_is_decoded_by_many_threads():
    noise = np.random.default_rng(0).integers(0, 256, (300, 300, 3), dtype=np.uint8)
    data = encode(noise, "JPEG")
    expected = decode_image(data)
    with ThreadPoolExecutor(8) as threads:
        for _ in range(5):
            opened = [Image.open(io.BytesIO(data))] * 8
            for pixels in threads.map(decode_image, opened):
                assert_array_equal(pixels, expected)


def test_bombs_are_refused_before_they_are_decoded(monkeypatch, image):
    data = encode(image, "PNG")
    monkeypatch.setattr(Image, "MAX_IMAGE_PIXELS", 1000)
    with pytest.raises(ImageError, match="MAX_IMAGE_PIXELS"):
        decode_image(data)


@pytest.mark.parametrize("source", [None, 3, object(), io.BytesIO()])
def test_other_things_are_no_images(source):
    with pytest.raises(ImageError, match="is not an image"):
        decode_image(source)


# --- JPEG ------------------------------------------------------------------------------------


@pytest.fixture
def without_simplejpeg(monkeypatch):
    monkeypatch.setattr(_jpeg, "_simplejpeg", lambda: None)


@pytest.mark.parametrize("smallest", [None, 40, 24, 10, 5])
@pytest.mark.parametrize("subsampling", [0, 1, 2])
@pytest.mark.parametrize("shape", [(96, 131), (131, 96), (97, 97)])
def test_simplejpeg_gives_the_pixels_of_pillow(monkeypatch, shape, subsampling, smallest):
    pytest.importorskip("simplejpeg")
    noise = np.random.default_rng(0).integers(0, 256, (*shape, 3), dtype=np.uint8)
    data = encode(noise, "JPEG", subsampling=subsampling)
    fast = decode_image(data, smallest=smallest)
    monkeypatch.setattr(_jpeg, "_simplejpeg", lambda: None)
    assert_array_equal(fast, decode_image(data, smallest=smallest))


def test_jpeg_of_rgb_channels_keeps_its_colours(image):
    data = encode(image, "JPEG", keep_rgb=True, quality=100)
    assert_allclose(decode_image(data).astype(int), image, atol=8)


@pytest.mark.parametrize(
    ("smallest", "factor"), [(None, 1), (96, 1), (49, 1), (42, 1), (32, 2), (16, 4), (8, 8), (1, 8)]
)
def test_jpeg_shrinks_no_further_than_asked(without_simplejpeg, smallest, factor):
    data = encode(smooth_image(96, 128), "JPEG")
    decoded = decode_image(data, smallest=smallest)
    assert decoded.shape == (96 // factor, 128 // factor, 3)


def test_shrinking_while_decoding_changes_little():
    data = encode(smooth_image(400, 400), "JPEG", quality=95)

    def shrunk(pixels):
        small = Image.fromarray(pixels).resize((60, 60), Image.Resampling.BILINEAR)
        return np.asarray(small, dtype=int)

    difference = shrunk(decode_image(data)) - shrunk(decode_image(data, smallest=60))
    assert np.abs(difference).mean() < 1


def test_damage_that_pillow_repairs_is_repaired_with_simplejpeg_too(monkeypatch, image):
    data = encode(image, "JPEG")
    damaged = data[:-2] + b"\x00\x00\x00" + data[-2:]  # stray bytes before the end marker
    repaired = decode_image(damaged)
    monkeypatch.setattr(_jpeg, "_simplejpeg", lambda: None)
    assert_array_equal(repaired, decode_image(damaged))
