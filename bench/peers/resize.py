"""Decoding and resizing of bench/preprocess in PIL, on the image files given as arguments."""

import io
import statistics
import sys
import time

from PIL import Image

SIZE = 224
REPEATS = 5


def decode(data):
    return Image.open(io.BytesIO(data)).convert("RGB")


def resize(image):
    width, height = image.size
    short = min(width, height)
    size = (int(SIZE * width / short), int(SIZE * height / short))
    left, top = (size[0] - SIZE) // 2, (size[1] - SIZE) // 2
    return image.resize(size, Image.Resampling.BICUBIC).crop((left, top, left + SIZE, top + SIZE))


def report(name, items, work):
    best = []
    for item in items:
        times = []
        for _ in range(REPEATS):
            start = time.perf_counter()
            work(item)
            times.append(time.perf_counter() - start)
        best.append(min(times))
    print(f"preprocess.{name}.pil: {statistics.median(best) * 1e3:.2f} ms")


files = []
for path in sys.argv[1:]:
    with open(path, "rb") as file:
        files.append(file.read())
report("decode", files, decode)
report("resize", [decode(data) for data in files], resize)
