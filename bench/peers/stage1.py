"""Stage 1 in PyTorch, as a practitioner would write it: features of the frozen towers once for each image and caption
(DataLoader with workers, no gradients, captions sorted by length), then heads from features. Linear heads, batch norm and
dropout of the towers off, AdamW with warm-up and cosine decay, text to image recall on the validation split after each epoch.

Prints JSON lines with seconds: features (image_seconds, text_seconds), heads, all.
Usage: stage1.py '<settings as JSON>'
"""

import json
import math
import os
import resource
import sys
import time

started = time.perf_counter()

import numpy as np
import torch
from PIL import Image
from torch.nn import functional as F
from torch.utils.data import DataLoader, Dataset
from torchvision import transforms
from transformers import AutoModel, AutoTokenizer

settings = json.loads(sys.argv[1])
torch.manual_seed(1)
torch.set_num_threads(settings["threads"])
processor = json.load(open(os.path.join(settings["vision"], "preprocessor_config.json")))
EDGE = processor["size"].get("shortest_edge") or (processor["size"]["height"], processor["size"]["width"])
CROP = processor.get("crop_size", {}).get("height")
TRANSFORM = transforms.Compose(
    [transforms.Resize(EDGE, transforms.InterpolationMode.BILINEAR)]
    + ([transforms.CenterCrop(CROP)] if processor.get("do_center_crop") else [])
    + [transforms.ToTensor(), transforms.Normalize(processor["image_mean"], processor["image_std"])]
)


class Images(Dataset):
    def __init__(self, files):
        self.files = files

    def __len__(self):
        return len(self.files)

    def __getitem__(self, index):
        return TRANSFORM(Image.open(self.files[index]).convert("RGB"))


def read_split(name):
    """Files of the images, and the captions of each."""
    with open(os.path.join(settings["data"], "annotations", f"captions_{name}.json")) as file:
        content = json.load(file)
    captions = {image["id"]: [] for image in content["images"]}
    for annotation in content["annotations"]:
        captions[annotation["image_id"]].append(annotation["caption"])
    folder = os.path.join(settings["data"], "images", name)
    files = [os.path.join(folder, image["file_name"]) for image in content["images"]]
    return files, [captions[image["id"]] for image in content["images"]]


@torch.no_grad()
def image_features(files):
    model = AutoModel.from_pretrained(settings["vision"], torch_dtype=torch.float32).eval()
    loader = DataLoader(Images(files), batch_size=settings["imageBatch"], num_workers=settings["workers"])
    return torch.cat([model(pixel_values=pixels).pooler_output for pixels in loader])


@torch.no_grad()
def text_features(texts):
    tokenizer = AutoTokenizer.from_pretrained(settings["text"])
    model = AutoModel.from_pretrained(settings["text"], torch_dtype=torch.float32).eval()
    ids = tokenizer(texts, truncation=True, max_length=settings["maxLength"])["input_ids"]
    order = sorted(range(len(ids)), key=lambda i: len(ids[i]))
    features = torch.empty(len(ids), model.config.hidden_size)
    for start in range(0, len(order), settings["textBatch"]):
        rows = order[start : start + settings["textBatch"]]
        batch = tokenizer.pad({"input_ids": [ids[i] for i in rows]}, return_tensors="pt")
        hidden = model(**batch).last_hidden_state
        mask = batch["attention_mask"].unsqueeze(-1).float()
        features[rows] = (hidden * mask).sum(1) / mask.sum(1)
    return features


def features_of(name):
    """Features of a split, with the number of its first caption for each image."""
    file = os.path.join(settings["cache"], f"{name}.pt")
    files, captions = read_split(name)
    first = np.concatenate([[0], np.cumsum([len(own) for own in captions])])
    if os.path.exists(file):
        return *torch.load(file), first, 0.0, 0.0
    at = time.perf_counter()
    images = image_features(files)
    image_seconds = time.perf_counter() - at
    at = time.perf_counter()
    texts = text_features([caption for own in captions for caption in own])
    text_seconds = time.perf_counter() - at
    torch.save((images, texts), file)
    return images, texts, first, image_seconds, text_seconds


images, texts, first, *seconds = features_of("train2017")
val_images, val_texts, val_first, *val_seconds = features_of("val2017")
print(json.dumps({"image_seconds": seconds[0] + val_seconds[0], "text_seconds": seconds[1] + val_seconds[1]}))

at = time.perf_counter()
image_head = torch.nn.Linear(images.shape[1], settings["dim"], bias=False)
text_head = torch.nn.Linear(texts.shape[1], settings["dim"], bias=False)
scale = torch.nn.Parameter(torch.tensor(math.log(1 / 0.07)))
dropout = torch.nn.Dropout(settings["dropout"])
optimizer = torch.optim.AdamW(
    [
        {"params": [image_head.weight, text_head.weight], "weight_decay": 0.1},
        {"params": [scale], "weight_decay": 0.0},
    ],
    lr=1e-3,
)
batch = min(256, len(images))
per_epoch = len(images) // batch
total = per_epoch * settings["epochs"]
random = np.random.default_rng(1)
rate = lambda step: min((step + 1) / per_epoch, 0.5 * (1 + math.cos(math.pi * step / total)))
step = 0
for epoch in range(settings["epochs"]):
    order = random.permutation(len(images))
    for n in range(per_epoch):
        rows = order[n * batch : (n + 1) * batch]
        shown = first[rows] + (random.random(batch) * (first[rows + 1] - first[rows])).astype(int)
        x = F.normalize(dropout(image_head(images[rows])))
        y = F.normalize(dropout(text_head(texts[shown])))
        logits = scale.exp() * y @ x.T
        targets = torch.arange(batch)
        loss = (F.cross_entropy(logits, targets) + F.cross_entropy(logits.T, targets)) / 2
        optimizer.zero_grad()
        loss.backward()
        torch.nn.utils.clip_grad_norm_([image_head.weight, text_head.weight, scale], 1)
        for group in optimizer.param_groups:
            group["lr"] = 1e-3 * rate(step)
        optimizer.step()
        step += 1
    with torch.no_grad():
        x, y = F.normalize(image_head(val_images)), F.normalize(text_head(val_texts[val_first[:-1]]))
        scores = y @ x.T
        rank = (scores > scores.diagonal().unsqueeze(1)).sum(1)
        recall = [(rank < k).float().mean().item() for k in (1, 5, 10)]
torch.save({"image": image_head.state_dict(), "text": text_head.state_dict(), "scale": scale}, settings["output"])
print(json.dumps({"heads_seconds": time.perf_counter() - at, "recall": recall}))
print(
    json.dumps(
        {
            "seconds": time.perf_counter() - started,
            "peak_rss_mb": round(resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024),
        }
    )
)
