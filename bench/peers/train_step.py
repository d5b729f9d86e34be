"""The training step of bench/train-step in PyTorch: eager mode, transformers' modules, clip_grad_norm_ and
torch.optim.AdamW as the trainer uses them.

Protocol: a line `run N` on standard input is answered by one line of JSON with the milliseconds of N steps; `run N T` takes
texts of T tokens instead of the shape's.
The shape's "fused" asks for AdamW's fused kernel, "compile" for torch.compile of forward pass and loss (and so of the backward pass).
"device" names another device than the CPU, to which each step copies its batch; "tf32" lets matrix products and convolutions round to
TensorFloat-32; "mixed" computes under autocast in float16 with a GradScaler.
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
device = shape.get("device", "cpu")
torch.backends.cuda.matmul.allow_tf32 = torch.backends.cudnn.allow_tf32 = shape.get("tf32", False)


def config(values):
    values = dict(values)
    return AutoConfig.for_model(values.pop("model_type"), **values)


vision = config(shape["vision"])
if vision.model_type == "mobilenet_v2":
    # The dual encoder looks for the width of the pooled features here.
    vision.hidden_size = 1280
model = VisionTextDualEncoderModel(
    VisionTextDualEncoderConfig.from_vision_text_configs(
        vision, config(shape["text"]), projection_dim=shape["projection"]
    )
)
model.to(device).train(not shape["frozen"])
for module in model.modules():
    if isinstance(module, torch.nn.BatchNorm2d):
        module.eval()
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
    fused=shape.get("fused", False),
)

mixed = shape.get("mixed", False)
scaler = torch.amp.GradScaler(device, enabled=mixed)

B, T, size = shape["batch"], shape["tokens"], shape["image"]
pixels = (torch.arange(B * 3 * size * size) * 7919 % 2003 / 1001.5 - 1).reshape(B, 3, size, size)


def texts(tokens):
    ids = (5 + torch.arange(B * tokens) * 31 % (shape["text"]["vocab_size"] - 5)).reshape(B, tokens)
    return ids, torch.ones(B, tokens, dtype=torch.long)


def pooled(output):
    return output.pooler_output if output.pooler_output is not None else output.last_hidden_state[:, 0]


def loss_of(ids, mask):
    ids, mask = ids.to(device), mask.to(device)
    images = model.visual_projection(pooled(model.vision_model(pixel_values=pixels.to(device))))
    captions = model.text_projection(pooled(model.text_model(input_ids=ids, attention_mask=mask)))
    images, captions = (torch.nn.functional.normalize(x) for x in (images, captions))
    logits = model.logit_scale.exp() * captions @ images.T
    targets = torch.arange(B, device=device)
    cross_entropy = torch.nn.functional.cross_entropy
    return (cross_entropy(logits, targets) + cross_entropy(logits.T, targets)) / 2


if shape.get("compile"):
    loss_of = torch.compile(loss_of)


def step(ids, mask):
    with torch.autocast(device, dtype=torch.float16, enabled=mixed):
        loss = loss_of(ids, mask)
    scaler.scale(loss).backward()
    scaler.unscale_(optimizer)
    torch.nn.utils.clip_grad_norm_(trainable, settings["maxGradNorm"])
    scaler.step(optimizer)
    scaler.update()
    optimizer.zero_grad()
    return loss.item()


for line in sys.stdin:
    times = []
    loss = 0.0
    _, count, *tokens = line.split()
    ids, mask = texts(int(tokens[0]) if tokens else T)
    for _ in range(int(count)):
        started = time.perf_counter()
        loss = step(ids, mask)
        times.append(1000 * (time.perf_counter() - started))
    answer = {
        "ms": times,
        "loss": loss,
        "parameters": sum(p.numel() for p in trainable),
        "peakRssMb": round(resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024),
    }
    print(json.dumps(answer), flush=True)
