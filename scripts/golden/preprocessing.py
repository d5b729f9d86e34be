"""
Images drawn here, ordinary and odd, as transformers' image processors (the PIL ones) resize and normalise them.
"""
import json

import numpy as np
import torch
import transformers as t
from common import save_golden
from PIL import Image

SIDE = 16
HALF, IMAGENET = dict(image_mean=[0.5] * 3, image_std=[0.5] * 3), dict(
    image_mean=[0.485, 0.456, 0.406], image_std=[0.229, 0.224, 0.225]
)
SQUARE = dict(height=SIDE, width=SIDE)

# Folder name -> (class, fields)
PROCESSORS = {
    'clip': (t.CLIPImageProcessor, dict(size=dict(shortest_edge=SIDE), crop_size=SQUARE)),
    'convnext': (t.ConvNextImageProcessor, dict(size=dict(shortest_edge=SIDE), crop_pct=0.875, resample=2, **HALF)),
    'deit': (t.DeiTImageProcessor, dict(size=dict(height=20, width=20), crop_size=SQUARE, resample=3, **HALF)),
    'dinov2': (t.BitImageProcessor, dict(size=dict(shortest_edge=18), crop_size=SQUARE, resample=3, **IMAGENET)),
    'mobilenet-v2': (
        t.MobileNetV2ImageProcessor,
        dict(size=dict(shortest_edge=19), crop_size=SQUARE, resample=2, **HALF),
    ),
    'siglip': (t.SiglipImageProcessor, dict(size=SQUARE, resample=3, **HALF)),
    'swin': (t.ViTImageProcessor, dict(size=SQUARE, resample=3, **IMAGENET)),
    'vit': (t.ViTImageProcessor, dict(size=dict(height=24, width=20), resample=2, **HALF)),
}


def smooth(height, width, channels, rng):
    """Coloured waves with noise."""
    y, x = np.mgrid[0:height, 0:width]
    waves = [np.sin(x * a + y * b + c) for a, b, c in rng.uniform(-0.5, 0.5, [channels, 3]) + [0.2, 0.1, 3]]
    values = 128 + 90 * np.stack(waves, -1) + rng.normal(0, 12, [height, width, channels])
    return np.clip(values, 0, 255).astype(np.uint8)


def draw_images(folder):
    rng = np.random.default_rng(0)
    modes = {'photo.png': (45, 60, 3), 'gray.png': (30, 41, 1), 'rgba.png': (37, 33, 4), 'tiny.png': (2, 3, 3)}
    folder.mkdir(parents=True, exist_ok=True)
    for name, shape in {**modes, 'wide.png': (9, 140, 3), 'tall.jpg': (70, 50, 3)}.items():
        pixels = smooth(*shape, rng)
        Image.fromarray(pixels[..., 0] if shape[2] == 1 else pixels).save(folder / name)
    return sorted(path for path in folder.iterdir() if path.suffix in ('.png', '.jpg'))


def write(root):
    folder = root / 'preprocess'
    images = draw_images(folder)
    for name, (processor_class, fields) in PROCESSORS.items():
        processor = processor_class(**fields)
        target = folder / name
        target.mkdir(parents=True, exist_ok=True)
        config = json.loads(processor.to_json_string())
        (target / 'preprocessor_config.json').write_text(json.dumps(config, indent=1) + '\n')
        tensors = {}
        for path in images:
            image = Image.open(path).convert('RGB')
            resized = processor(image, do_rescale=False, do_normalize=False, return_tensors='np').pixel_values[0]
            values = processor(image, return_tensors='np').pixel_values[0]
            tensors[f'resized.{path.name}'] = torch.from_numpy(resized.astype(np.uint8))
            tensors[f'pixel_values.{path.name}'] = torch.from_numpy(values.astype(np.float32))
        save_golden(target, tensors)
