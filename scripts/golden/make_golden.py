"""
Writes the golden folders that belong to the project: what transformers, PyTorch, tokenizers and NumPy compute for tiny
random models, texts and images that are made here. README.md in this folder says how to run it.

    python scripts/golden/make_golden.py [FOLDER]
"""
import pathlib
import shutil
import sys

import finetuning
import jpeg
import models
import preprocessing
import scores
import tokenization
import training

DEFAULT = pathlib.Path(__file__).parents[2] / 'libs/clip/test/golden'

if __name__ == '__main__':
    root = pathlib.Path(sys.argv[1]) if len(sys.argv) > 1 else DEFAULT
    shutil.rmtree(root, ignore_errors=True)
    for part in (models, training, finetuning, tokenization, preprocessing, jpeg, scores):
        part.write(root)
    size = sum(path.stat().st_size for path in root.rglob('*') if path.is_file())
    print(f'{root}: {size / 1e6:.2f} MB')
