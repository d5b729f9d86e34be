"""The forward passes of bench/forward in PyTorch: eager mode, transformers' modules, inference mode.

Protocol: a line `run B` on standard input is answered by one line of JSON with the milliseconds of forwards of batch B.
Usage: forward.py '<tower as JSON>' REPEATS
"""

import json
import resource
import sys
import time

import torch
from transformers import AutoConfig, AutoModel

tower = json.loads(sys.argv[1])
repeats = int(sys.argv[2])
torch.manual_seed(0)
values = dict(tower["config"])
model = AutoModel.from_config(AutoConfig.for_model(values.pop("model_type"), **values)).eval()
size = 224


def inputs(batch):
    if tower["kind"] == "vision":
        pixels = torch.arange(batch * 3 * size * size) * 7919 % 2003 / 1001.5 - 1
        return {"pixel_values": pixels.reshape(batch, 3, size, size)}
    ids = (5 + torch.arange(batch * tower["tokens"]) * 31 % 50_000).reshape(batch, tower["tokens"])
    return {"input_ids": ids, "attention_mask": torch.ones_like(ids)}


with torch.inference_mode():
    for line in sys.stdin:
        batch = inputs(int(line.split()[1]))
        times = []
        for _ in range(repeats):
            started = time.perf_counter()
            model(**batch)
            times.append(1000 * (time.perf_counter() - started))
        rss = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
        print(json.dumps({"ms": times, "peakRssMb": round(rss)}), flush=True)
