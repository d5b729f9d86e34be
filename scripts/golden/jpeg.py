"""JPEG files of the kinds that sharp does not write, with the pixels that Pillow (libjpeg-turbo) decodes them to."""
import numpy as np
import torch
from PIL import Image

from common import save_golden
from preprocessing import smooth

COARSE = [min(300, 16 + 5 * k) for k in range(64)]
# Name: height, width, channels, how it is saved. Tables above 255 take 16 bits a value.
FILES = {
    '422': (37, 53, 3, dict(quality=85, subsampling='4:2:2')),
    '422-fine': (35, 49, 3, dict(quality=97, subsampling='4:2:2')),
    '422-restart-each': (33, 40, 3, dict(quality=80, subsampling='4:2:2', restart_marker_blocks=1)),
    '420-restart': (45, 61, 3, dict(quality=80, subsampling='4:2:0', restart_marker_blocks=3)),
    '444-restart-rows': (40, 40, 3, dict(quality=80, subsampling='4:4:4', restart_marker_rows=1)),
    'gray-restart': (29, 37, 1, dict(quality=80, restart_marker_blocks=2)),
    '16-bit-tables': (32, 40, 3, dict(qtables=[COARSE, COARSE], subsampling='4:4:4')),
}


def write(root):
    folder = root / 'jpeg'
    folder.mkdir(parents=True, exist_ok=True)
    rng = np.random.default_rng(1)
    pixels = {}
    for name, (height, width, channels, options) in FILES.items():
        drawn = smooth(height, width, channels, rng)
        path = folder / f'{name}.jpg'
        Image.fromarray(drawn[..., 0] if channels == 1 else drawn).save(path, **options)
        pixels[path.name] = torch.from_numpy(np.array(Image.open(path).convert('RGB')))
    save_golden(folder, pixels)
