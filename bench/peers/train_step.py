"""The training step of bench/train-step in PyTorch: eager mode, transformers' modules, clip_grad_norm_ and
torch.optim.AdamW as the trainer uses them.

Protocol: a line `run N` on standard input is answered by one line of JSON with the milliseconds of N steps.
Usage: train_step.py '<shape as JSON>'
"""

import json
import resource
import sys
import time

import torch
from transformers import (
    AutoConfig,
    VisionTextDualEncoderConfig,
    VisionTextDualEncoderModel,
)

shape = json.loads(sys.argv[1])
torch.manual_seed(0)


def config(values):
    values = dict(values)
    return AutoConfig.for_model(values.pop("model_type"), **values)


model = VisionTextDualEncoderModel(
    VisionTextDualEncoderConfig.from_vision_text_configs(
        config(shape["vision"]), config(shape["text"]), projection_dim=shape["projection"]
    )
)
model.train(not shape["frozen"])
if shape["frozen"]:
    for tower in (model.vision_model, model.text_model):
        tower.requires_grad_(False)
trainable = [p for p in model.parameters() if p.requires_grad]
settings = shape["optimizer"]
groups = [
    {"params": [p for p in trainable if p.ndim >= 2], "weight_decay": settings["weightDecay"]},
    {"params": [p for p in trainable if p.ndim < 2], "weight_decay": 0.0},
]
optimizer = torch.optim.AdamW(
    groups,
    lr=settings["learningRate"],
    betas=(settings["beta1"], settings["beta2"]),
    eps=settings["epsilon"],
)

B, T, size = shape["batch"], shape["tokens"], shape["image"]
pixels = (torch.arange(B * 3 * size * size) * 7919 % 2003 / 1001.5 - 1).reshape(B, 3, size, size)
ids = (5 + torch.arange(B * T) * 31 % (shape["text"]["vocab_size"] - 5)).reshape(B, T)
mask = torch.ones(B, T, dtype=torch.long)


def step():
    output = model(input_ids=ids, pixel_values=pixels, attention_mask=mask, return_loss=True)
    output.loss.backward()
    torch.nn.utils.clip_grad_norm_(trainable, settings["maxGradNorm"])
    optimizer.step()
    optimizer.zero_grad()
    return output.loss.item()


for line in sys.stdin:
    times = []
    loss = 0.0
    for _ in range(int(line.split()[1])):
        started = time.perf_counter()
        loss = step()
        times.append(1000 * (time.perf_counter() - started))
    answer = {
        "ms": times,
        "loss": loss,
        "parameters": sum(p.numel() for p in trainable),
        "peakRssMb": round(resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024),
    }
    print(json.dumps(answer), flush=True)
