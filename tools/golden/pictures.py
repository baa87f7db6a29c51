"""Draws one small motif into every kind of picture file that `catalogue::picture` must open, with what
Pillow and NumPy read back from it as 8-bit RGB on white, upright.

    /usr/bin/python3 tools/golden/pictures.py fixtures/pictures

Made with Pillow 9.4.0 (libjpeg-turbo 2.1.5, libwebp 1.2.4) and NumPy 1.24.2. `expected.json` holds for each
file its width, height, the largest difference allowed per sample (0: lossless) and the RGB samples in
hexadecimal. Tolerances of lossy files are what two correct decoders may differ by: JPEG's inverse transform and
chroma interpolation are not specified to the last bit. Seen: JPEG 2, with subsampled chroma 3; WebP 0.
"""

import io
import json
import struct
import sys
import zlib
from pathlib import Path

import numpy as np
from PIL import Image, ImageOps

WIDTH, HEIGHT = 21, 13
JPEG, WEBP = 3, 1


def motif():
    """A gradient with a bright and a dark corner: no symmetry, so every wrong turn shows."""
    y, x = np.mgrid[0:HEIGHT, 0:WIDTH]
    rgb = np.stack([x * 12, y * 19, 255 - x * 6 - y * 9], axis=-1)
    rgb[:4, :5] = [250, 240, 20]
    rgb[9:, 15:] = [10, 30, 60]
    return rgb.astype(np.uint8)


def alpha():
    y, x = np.mgrid[0:HEIGHT, 0:WIDTH]
    return np.clip(x * 17 - y * 5, 0, 255).astype(np.uint8)


def on_white(image):
    """What Pillow shows of an image on a white page."""
    rgba = image.convert("RGBA")
    page = Image.new("RGB", image.size, "white")
    page.paste(rgba, mask=rgba.getchannel("A"))
    return page


def png(samples, colour_type, bits, extra=b"", interlaced=False):
    """A PNG written by hand, for the kinds that Pillow cannot write."""
    height, width = samples.shape[:2]

    def chunk(name, data):
        return struct.pack(">I", len(data)) + name + data + struct.pack(">I", zlib.crc32(name + data))

    def rows(part):
        kind = ">u2" if bits == 16 else "u1"
        return b"".join(b"\0" + row.astype(kind).tobytes() for row in part if row.size)

    adam7 = [(0, 0, 8, 8), (0, 4, 8, 8), (4, 0, 8, 4), (0, 2, 4, 4), (2, 0, 4, 2), (0, 1, 2, 2), (1, 0, 2, 1)]
    passes = adam7 if interlaced else [(0, 0, 1, 1)]
    data = b"".join(rows(samples[y::dy, x::dx]) for y, x, dy, dx in passes)
    header = struct.pack(">IIBBBBB", width, height, bits, colour_type, 0, 0, int(interlaced))
    return (
        b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", header) + extra + chunk(b"IDAT", zlib.compress(data, 9)) + chunk(b"IEND", b"")
    )


def huge_png():
    """50,000 x 50,000 pixels in 10 kB: a header that asks for 7.5 GB."""
    def chunk(name, data):
        return struct.pack(">I", len(data)) + name + data + struct.pack(">I", zlib.crc32(name + data))

    header = struct.pack(">IIBBBBB", 50_000, 50_000, 8, 2, 0, 0, 0)
    pixels = zlib.compress(bytes(10_000_000), 9)
    return b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", header) + chunk(b"IDAT", pixels) + chunk(b"IEND", b"")


def saved(image, kind, **options):
    out = io.BytesIO()
    image.save(out, kind, **options)
    return out.getvalue()


def ycck(image):
    """An Adobe YCCK JPEG. Pillow writes CMYK samples inverted and untouched, so that YCC can be smuggled in as
    if it were CMY; then the marker's transform byte is set to say so."""
    rgb = np.asarray(image).astype(int)
    black = rgb.max(axis=-1).clip(1)
    light = (rgb * 255 // black[..., None]).clip(0, 255).astype(np.uint8)
    ycc = np.asarray(Image.fromarray(light).convert("YCbCr"))
    stored = np.dstack([ycc, black.astype(np.uint8)])
    data = bytearray(saved(Image.fromarray(255 - stored, "CMYK"), "JPEG", quality=95, subsampling=0))
    at = data.index(b"Adobe")
    data[at + 11] = 2
    return bytes(data)


def exif(orientation):
    tags = Image.Exif()
    tags[0x0112] = orientation
    return tags


def main(folder):
    folder.mkdir(parents=True, exist_ok=True)
    rgb, a = motif(), alpha()
    picture, grey = Image.fromarray(rgb), Image.fromarray(rgb).convert("L")
    rgba = Image.fromarray(np.dstack([rgb, a]))
    grey_alpha = Image.merge("LA", (grey, Image.fromarray(a)))
    palette = picture.quantize(16)
    wide = rgb.astype(np.uint16) * 256 + np.arange(WIDTH, dtype=np.uint16)[None, :, None] * 12
    wide_alpha = a.astype(np.uint16) * 256 + 200

    files = {}  # name: (bytes, tolerance, expected samples or None for Pillow's own reading)

    def add(name, data, tolerance=0, expected=None):
        files[name] = (data, tolerance, expected)

    add("rgb.png", saved(picture, "PNG"))
    add("grey.png", saved(grey, "PNG"))
    add("grey-alpha.png", saved(grey_alpha, "PNG"))
    add("rgba.png", saved(rgba, "PNG"))
    add("palette.png", saved(palette, "PNG"))
    add("palette-transparent.png", saved(palette, "PNG", transparency=3))
    add("bilevel.png", saved(picture.convert("1"), "PNG"))
    add("interlaced.png", png(rgb, 2, 8, interlaced=True))
    add("rgb-colour-key.png", png(rgb, 2, 8, struct.pack(">I", 6) + b"tRNS" + (key := struct.pack(">HHH", 250, 240, 20))
        + struct.pack(">I", zlib.crc32(b"tRNS" + key))))
    add("rgb-16.png", png(wide, 2, 16), 0, wide >> 8)
    add("grey-16.png", png(wide[..., 0], 0, 16), 0, np.repeat(wide[..., :1] >> 8, 3, axis=2))
    high = Image.fromarray(np.dstack([wide >> 8, wide_alpha >> 8]).astype(np.uint8))
    add("rgba-16.png", png(np.dstack([wide, wide_alpha]), 6, 16), 0, np.asarray(on_white(high)))
    add("turned.png", saved(picture, "PNG", exif=exif(6)))

    add("444.jpg", saved(picture, "JPEG", quality=95, subsampling=0), JPEG)
    add("420.jpg", saved(picture, "JPEG", quality=90, subsampling=2), 4)
    add("progressive.jpg", saved(picture, "JPEG", quality=95, subsampling=0, progressive=True), JPEG)
    add("grey.jpg", saved(grey, "JPEG", quality=95), JPEG)
    cmyk = np.dstack([255 - rgb, np.full((HEIGHT, WIDTH), 40, np.uint8)])
    add("cmyk.jpg", saved(Image.fromarray(cmyk, "CMYK"), "JPEG", quality=95, subsampling=0), JPEG)
    add("ycck.jpg", ycck(picture), JPEG)
    for orientation in range(1, 9):
        data = saved(picture, "JPEG", quality=95, subsampling=0, exif=exif(orientation))
        add(f"orientation-{orientation}.jpg", data, JPEG)

    add("lossy.webp", saved(picture, "WEBP", quality=90), WEBP)
    add("lossy-alpha.webp", saved(rgba, "WEBP", quality=90), WEBP)
    add("lossless.webp", saved(picture, "WEBP", lossless=True))
    add("lossless-alpha.webp", saved(rgba, "WEBP", lossless=True, exact=True))
    add("turned.webp", saved(picture, "WEBP", lossless=True, exif=exif(8).tobytes()))
    add("animated.webp", saved(picture, "WEBP", lossless=True, save_all=True, append_images=[picture.rotate(180)]))

    add("palette.gif", saved(palette, "GIF"))
    add("transparent.gif", saved(palette, "GIF", transparency=3))
    other = picture.rotate(180).quantize(16)
    add("animated.gif", saved(palette, "GIF", save_all=True, append_images=[other], duration=100))

    add("24.bmp", saved(picture, "BMP"))
    add("32.bmp", saved(picture.convert("RGBA"), "BMP"))
    add("palette.bmp", saved(palette, "BMP"))
    add("bilevel.bmp", saved(picture.convert("1"), "BMP"))

    expected = {}
    for name, (data, tolerance, samples) in files.items():
        (folder / name).write_bytes(data)
        if samples is None:
            samples = np.asarray(on_white(ImageOps.exif_transpose(Image.open(io.BytesIO(data)))))
        samples = samples.astype(np.uint8)
        height, width, _ = samples.shape
        expected[name] = {"width": width, "height": height, "tolerance": tolerance, "rgb": samples.tobytes().hex()}
    (folder / "expected.json").write_text(json.dumps(expected, indent=0) + "\n")
    (folder / "hostile").mkdir(exist_ok=True)
    (folder / "hostile" / "huge.png").write_bytes(huge_png())


if __name__ == "__main__":
    main(Path(sys.argv[1]))
