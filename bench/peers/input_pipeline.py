"""The PyTorch side of bench/input-pipeline: `input_pipeline.py FOLDER WORKERS` answers `views N` and `resized N`.

Without torchvision its transforms are written out as torchvision 0.28 computes them on PIL images.
"""

import json
import math
import multiprocessing
import os
import random
import resource
import sys
import time

import numpy
import torch
from PIL import Image, ImageEnhance

try:
    from torchvision import transforms
except Exception:
    transforms = None

SIDE, BATCH = 224, 64
MEAN = (0.48145466, 0.4578275, 0.40821073)
STD = (0.26862954, 0.26130258, 0.27577711)
AREA, ASPECT, BRIGHTNESS, CONTRAST = (0.5, 1.0), 1.25, 0.2, 0.2


def to_tensor(image):
    values = torch.from_numpy(numpy.array(image, copy=True)).permute(2, 0, 1).contiguous().float().div(255)
    mean = torch.tensor(MEAN).view(3, 1, 1)
    std = torch.tensor(STD).view(3, 1, 1)
    return values.sub_(mean).div_(std)


def view(image):
    width, height = image.size
    area = random.uniform(*AREA) * width * height
    aspect = math.exp(random.uniform(-math.log(ASPECT), math.log(ASPECT))) * width / height
    w = min(width, round(math.sqrt(area * aspect)))
    h = min(height, round(math.sqrt(area / aspect)))
    left, top = random.randint(0, width - w), random.randint(0, height - h)
    image = image.crop((left, top, left + w, top + h)).resize((SIDE, SIDE), Image.Resampling.BICUBIC)
    if random.random() < 0.5:
        image = image.transpose(Image.Transpose.FLIP_LEFT_RIGHT)
    image = ImageEnhance.Brightness(image).enhance(random.uniform(1 - BRIGHTNESS, 1 + BRIGHTNESS))
    image = ImageEnhance.Contrast(image).enhance(random.uniform(1 - CONTRAST, 1 + CONTRAST))
    return to_tensor(image)


def resized(image):
    width, height = image.size
    short = min(width, height)
    size = (int(SIDE * width / short), int(SIDE * height / short))
    left, top = (size[0] - SIDE) // 2, (size[1] - SIDE) // 2
    image = image.resize(size, Image.Resampling.BICUBIC).crop((left, top, left + SIDE, top + SIDE))
    return to_tensor(image)


WORK = {"views": view, "resized": resized}
if transforms is not None:
    bicubic = transforms.InterpolationMode.BICUBIC
    end = [transforms.ToTensor(), transforms.Normalize(MEAN, STD)]
    ratio = (1 / ASPECT * 4 / 3, ASPECT * 4 / 3)
    WORK = {
        "views": transforms.Compose(
            [
                transforms.RandomResizedCrop(SIDE, AREA, ratio, bicubic),
                transforms.RandomHorizontalFlip(),
                transforms.ColorJitter(BRIGHTNESS, CONTRAST),
                *end,
            ]
        ),
        "resized": transforms.Compose([transforms.Resize(SIDE, bicubic), transforms.CenterCrop(SIDE), *end]),
    }


class Files(torch.utils.data.Dataset):
    def __init__(self, paths, kind, count):
        self.paths, self.kind, self.count = paths, kind, count

    def __len__(self):
        return self.count

    def __getitem__(self, index):
        with Image.open(self.paths[index % len(self.paths)]) as image:
            return WORK[self.kind](image.convert("RGB"))


def cpu_seconds():
    """Of this process and its workers."""
    total = sum(os.times()[:2])
    for child in multiprocessing.active_children():
        with open(f"/proc/{child.pid}/stat") as stat:
            fields = stat.read().rpartition(")")[2].split()
        total += (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")
    return total


def main():
    folder, workers = sys.argv[1], int(sys.argv[2])
    paths = sorted(os.path.join(folder, name) for name in os.listdir(folder))
    loaders = {}
    for line in sys.stdin:
        kind, count = line.split()
        if line not in loaders:
            files = Files(paths, kind, int(count))
            loaders[line] = torch.utils.data.DataLoader(files, BATCH, num_workers=workers, persistent_workers=True)
        # The first round of each kind starts the worker processes; the bench does not count it.
        started, cpu = time.perf_counter(), cpu_seconds()
        done = sum(len(batch) for batch in loaders[line])
        assert done == int(count)
        seconds = time.perf_counter() - started
        peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
        using = "Pillow" if transforms is None else "torchvision"
        answer = {"ms": seconds * 1000, "cpuMs": (cpu_seconds() - cpu) * 1000, "peakRssMb": round(peak / 1024)}
        print(json.dumps({**answer, "with": using}), flush=True)


if __name__ == "__main__":
    main()
