"""Compares what Python computes from a checkpoint folder with the folder's own ONNX models and with libs/clip.

    pip install torch transformers pillow onnx onnxruntime
    python scripts/check-checkpoint.py FOLDER [IMAGE...]

Prints one line a check with the largest absolute difference of an embedding's numbers, and exits 0 when all pass:

    keys        VisionTextDualEncoderModel.from_pretrained finds every tensor, and no other
    onnx        onnx.checker accepts both models
    torch       PyTorch's embeddings equal those of the ONNX models, from the same inputs
    libs/clip   ClipEncoder's embeddings, from the files and texts themselves, equal PyTorch's (needs Node.js and a build)

Images are those named, or eight that are drawn. What VisionTextDualEncoderModel's own forward cannot do (other text
poolings, the residual head, a few towers) is computed here from its towers.
"""

import json
import shutil
import subprocess
import sys
import tempfile
from pathlib import Path

import numpy as np
import onnx
import onnxruntime
import torch
from PIL import Image
from safetensors.torch import load_file
from transformers import AutoImageProcessor, AutoTokenizer, VisionTextDualEncoderModel
from transformers import logging as transformers_logging

TOLERANCE = 1e-4
PROJECT = Path(__file__).resolve().parent.parent
NO_FORWARD = {"convnext", "mobilenet_v2", "resnet", "distilbert", "siglip_text_model"}
CAPTIONS = [
    "a red circle above a blue square",
    "A photo of a dog on the beach.",
    "two people riding bicycles, one of them waving",
    "an orange ring",
    "green triangle",
    "the quick brown fox jumps over the lazy dog",
    "a plate of food with a fork and a knife",
    "blue",
]
CLIP_ENCODER = """
const { ClipEncoder } = await import('@clip-ts/clip');
const { folder, images, texts } = JSON.parse(process.argv[1]);
const encoder = await ClipEncoder.load(folder);
const rows = async (embeds) => (await embeds).map((row) => [...row]);
console.log(JSON.stringify({
  images: await rows(encoder.encodeImages(images)), texts: await rows(encoder.encodeTexts(texts)) }));
await encoder.dispose();
"""


def drawn_images(folder, count=8):
    """Smooth colours with a rectangle, of different sizes."""
    random = np.random.default_rng(0)
    for number in range(count):
        height, width = random.integers(40, 400, 2)
        y, x = np.mgrid[0:height, 0:width]
        pixels = np.stack([255 * x / width, 255 * y / height, np.full(x.shape, 28.0 * number)], -1).astype(np.uint8)
        pixels[height // 4 : height // 2, width // 3 : width // 2] = random.integers(0, 256, 3)
        path = Path(folder) / f"{number}.png"
        Image.fromarray(pixels).save(path)
        yield path


def head(projection, name, features, weights, config):
    """The linear head of transformers, or this project's residual one."""
    projected = projection(features)
    if config.get("projection_head") == "residual":
        hidden = torch.nn.functional.gelu(projected) @ weights[f"{name}.residual.weight"].T
        norm = weights[f"{name}.layer_norm.weight"], weights[f"{name}.layer_norm.bias"]
        projected = torch.nn.functional.layer_norm(projected + hidden, projected.shape[-1:], *norm, eps=1e-5)
    return torch.nn.functional.normalize(projected, dim=-1).numpy()


def torch_embeds(model, inputs, pixels, weights, config):
    images = model.vision_model(pixel_values=pixels).pooler_output.flatten(1)
    hidden = model.text_model(**inputs)
    pooling = config.get("text_pooling", "pooler")
    if pooling == "mean":
        mask = inputs["attention_mask"].unsqueeze(-1)
        texts = (hidden.last_hidden_state * mask).sum(1) / mask.sum(1)
    elif pooling == "cls" or getattr(hidden, "pooler_output", None) is None:
        texts = hidden.last_hidden_state[:, 0]
    else:
        texts = hidden.pooler_output
    return (
        head(model.visual_projection, "visual_projection", images, weights, config),
        head(model.text_projection, "text_projection", texts, weights, config),
    )


def onnx_embeds(folder, name, inputs):
    session = onnxruntime.InferenceSession(str(folder / "onnx" / name), providers=["CPUExecutionProvider"])
    wanted = {entry.name for entry in session.get_inputs()}
    return session.run(None, {key: value.numpy() for key, value in inputs.items() if key in wanted})[0]


def clip_encoder_embeds(folder, images):
    if shutil.which("node") is None or not (PROJECT / "libs/clip/dist/index.js").exists():
        return None
    request = {"folder": str(folder), "images": [str(path.resolve()) for path in images], "texts": CAPTIONS}
    command = ["node", "--input-type=module", "-e", CLIP_ENCODER, "--", json.dumps(request)]
    run = subprocess.run(command, cwd=PROJECT, capture_output=True, text=True, check=True)
    return json.loads(run.stdout)


def main(folder, images):
    failed = []

    def report(name, passed, text):
        print(f"{name:<10} {'ok    ' if passed else 'FAILED'} {text}")
        if not passed:
            failed.append(name)

    def compare(name, what, ours, theirs):
        difference = float(np.abs(np.asarray(ours) - np.asarray(theirs)).max())
        report(name, difference <= TOLERANCE, f"{what}: at most {difference:.1e} apart, {TOLERANCE} allowed")

    transformers_logging.set_verbosity_error()
    config = json.loads((folder / "config.json").read_text())
    residual = config.get("projection_head") == "residual"
    model, loading = VisionTextDualEncoderModel.from_pretrained(folder, output_loading_info=True)
    model.eval()
    weights = load_file(folder / "model.safetensors")
    head_names = {name for name in loading["unexpected_keys"] if ".residual." in name or ".layer_norm." in name}
    unexpected = set(loading["unexpected_keys"]) - (head_names if residual else set())
    problems = [*loading["missing_keys"], *unexpected, *loading["mismatched_keys"]]
    note = f", and {len(head_names)} of the residual head, which transformers lacks" if residual else ""
    report("keys", not problems, ", ".join(map(str, problems)) or f"{len(model.state_dict())} tensors{note}")
    for name in ["vision_model.onnx", "text_model.onnx"]:
        onnx.checker.check_model(str(folder / "onnx" / name), full_check=True)
        report("onnx", True, name)

    towers = {config["vision_config"]["model_type"], config["text_config"]["model_type"]}
    siglip = "siglip_text_model" in towers  # takes texts padded to the full length, and no mask
    padding = "max_length" if siglip else True
    tokenizer = AutoTokenizer.from_pretrained(folder)
    inputs = tokenizer(CAPTIONS, padding=padding, truncation=True, return_tensors="pt")
    opened = [Image.open(path).convert("RGB") for path in images]
    processor = AutoImageProcessor.from_pretrained(folder, use_fast=False)
    pixels = processor(images=opened, return_tensors="pt")["pixel_values"]
    with torch.inference_mode():
        seen = {"input_ids": inputs["input_ids"]} if siglip else inputs
        image_embeds, text_embeds = torch_embeds(model, seen, pixels, weights, config)
        if config.get("text_pooling", "pooler") == "pooler" and not residual and not towers & NO_FORWARD:
            output = model(**inputs, pixel_values=pixels)
            compare("model()", "image_embeds", output.image_embeds.numpy(), image_embeds)
            compare("model()", "text_embeds", output.text_embeds.numpy(), text_embeds)
    compare("torch", "image_embeds", onnx_embeds(folder, "vision_model.onnx", {"pixel_values": pixels}), image_embeds)
    compare("torch", "text_embeds", onnx_embeds(folder, "text_model.onnx", inputs), text_embeds)
    ours = clip_encoder_embeds(folder, images)
    if ours is None:
        print("libs/clip  skipped: needs Node.js and `npm run build`")
    else:
        compare("libs/clip", f"{len(images)} images", ours["images"], image_embeds)
        compare("libs/clip", f"{len(CAPTIONS)} captions", ours["texts"], text_embeds)
    return 1 if failed else 0


if __name__ == "__main__":
    if len(sys.argv) < 2:
        sys.exit(__doc__)
    with tempfile.TemporaryDirectory() as scratch:
        named = [Path(argument) for argument in sys.argv[2:]]
        sys.exit(main(Path(sys.argv[1]).resolve(), named or list(drawn_images(scratch))))
