"""
Training of tiny dual encoders: initial weights, batches, logits and gradients of the first step, the trajectory of loss,
learning rate, gradient norm and logit_scale, and the final weights.
"""
import json
import math

import torch
import torch.nn.functional as F
import transformers as t
from common import save_golden
from models import TINY, randomize

TOWER = dict(**TINY, intermediate_size=24, hidden_dropout_prob=0.0, attention_probs_dropout_prob=0.0)
VIT = t.ViTConfig(**TOWER, image_size=8, patch_size=4)
SWIN = t.SwinConfig(
    image_size=16, patch_size=2, embed_dim=8, depths=[1, 2], num_heads=[2, 4], window_size=2, drop_path_rate=0.0
)
# VisionTextDualEncoderConfig asks for a hidden_size; ResNet takes images of any size.
RESNET = t.ResNetConfig(
    embedding_size=4, hidden_sizes=[4, 8], depths=[1, 1], layer_type='basic', image_size=12, hidden_size=8
)
ROBERTA = t.RobertaConfig(**TOWER, vocab_size=60, max_position_embeddings=14, type_vocab_size=1, layer_norm_eps=1e-5)
SMALL_ROBERTA = t.RobertaConfig(**{**ROBERTA.to_diff_dict(), 'hidden_size': 8, 'num_hidden_layers': 1})

LINEAR = dict(steps=6, batch=4, lr=2e-3, wd=0.1, betas=[0.9, 0.999], eps=1e-8, clip=1.0, warmup=2, schedule='linear')
COSINE = {**LINEAR, 'steps': 4, 'batch': 3, 'betas': [0.9, 0.98], 'eps': 1e-6, 'schedule': 'cosine'}

# Folder name -> (vision config, text config, options, micro-batches of a step, whether the towers are frozen)
RUNS = {
    'vit-roberta': (VIT, ROBERTA, LINEAR, 1, False),
    'vit-roberta-frozen': (VIT, ROBERTA, LINEAR, 1, True),
    'vit-roberta-large-batch': (VIT, ROBERTA, {**LINEAR, 'steps': 3, 'batch': 3}, 3, False),
    'swin-roberta': (SWIN, ROBERTA, COSINE, 1, False),
    'resnet-roberta': (RESNET, SMALL_ROBERTA, {**LINEAR, 'steps': 3}, 1, False),
}

NOTES = (
    'AdamW (decoupled decay on tensors of rank >= 2 only), clipping by the global norm, lr is the one used for that '
    'step, loss = mean of the two directions of cross entropy over exp(logit_scale) * cosine, logit_scale clamped to '
    '[0, ln 100] after each update; dropout 0'
)


def learning_rate(step, options):
    """transformers' get_linear_schedule_with_warmup and get_cosine_schedule_with_warmup."""
    warmup, steps = options['warmup'], options['steps']
    if step < warmup:
        return options['lr'] * step / warmup
    done = (step - warmup) / max(1, steps - warmup)
    return options['lr'] * (1 - done if options['schedule'] == 'linear' else 0.5 * (1 + math.cos(math.pi * done)))


def draw_batch(generator, config, size):
    side, T = config.vision_config.image_size, 10
    ids = torch.randint(4, config.text_config.vocab_size, [size, T], generator=generator)
    ids[:, 0] = 0
    mask = torch.ones_like(ids)
    for row in range(size):
        length = int(torch.randint(4, T + 1, [], generator=generator))
        ids[row, length - 1 :] = 2
        ids[row, length:] = 1
        mask[row, length:] = 0
    pixels = torch.randn([size, 3, side, side], generator=generator)
    return {'pixel_values': pixels, 'input_ids': ids, 'attention_mask': mask}


def loss_of(model, batch):
    out = model(**batch)
    logits = model.logit_scale.exp() * out.text_embeds @ out.image_embeds.T
    target = torch.arange(len(logits))
    return out, (F.cross_entropy(logits, target) + F.cross_entropy(logits.T, target)) / 2


class ResNet(t.ResNetModel):
    """What VisionTextDualEncoderModel asks of a tower: it takes more arguments, and pooler_output is [B, C]."""

    def forward(self, pixel_values=None, **_):
        output = super().forward(pixel_values)
        output.pooler_output = output.pooler_output.flatten(1)
        return output


def write_run(folder, vision_config, text_config, options, micro, frozen, seed):
    generator = torch.Generator().manual_seed(seed)
    torch.manual_seed(seed)
    config = t.VisionTextDualEncoderConfig.from_vision_text_configs(vision_config, text_config, projection_dim=12)
    vision_model = ResNet(RESNET) if vision_config is RESNET else None
    model = t.VisionTextDualEncoderModel(config, vision_model=vision_model)
    randomize(model, generator)
    model.logit_scale.data.fill_(2.6592)
    folder.mkdir(parents=True, exist_ok=True)
    model.save_pretrained(folder, safe_serialization=True)
    trained = {
        name: parameter
        for name, parameter in model.named_parameters()
        if not (frozen and name.startswith(('vision_model.', 'text_model.')))
    }
    for name, parameter in model.named_parameters():
        parameter.requires_grad_(name in trained)
    model.train()
    decayed = [p for p in trained.values() if p.ndim >= 2]
    others = [p for p in trained.values() if p.ndim < 2]
    groups = [{'params': decayed, 'weight_decay': options['wd']}, {'params': others, 'weight_decay': 0.0}]
    optimizer = torch.optim.AdamW(groups, lr=options['lr'], betas=options['betas'], eps=options['eps'])
    tensors, log = {}, []
    for step in range(options['steps']):
        batches = [draw_batch(generator, config, options['batch']) for _ in range(micro)]
        for i, batch in enumerate(batches):
            tensors |= {f'batch{step * micro + i}.{name}': value for name, value in batch.items()}
        whole = {name: torch.cat([batch[name] for batch in batches]) for name in batches[0]}
        optimizer.zero_grad()
        out, loss = loss_of(model, whole)
        loss.backward()
        if step == 0:
            if micro == 1:
                names = ('image_embeds', 'text_embeds', 'logits_per_image')
                tensors |= {f'step0.{name}': getattr(out, name) for name in names}
            gradients = {f'step0.grad.{name}': p.grad for name, p in trained.items() if p.grad is not None}
            tensors |= {name: gradient.clone() for name, gradient in gradients.items()}
        norm = torch.nn.utils.clip_grad_norm_(trained.values(), options['clip'])
        rate = learning_rate(step, options)
        for group in optimizer.param_groups:
            group['lr'] = rate
        optimizer.step()
        with torch.no_grad():
            model.logit_scale.clamp_(0, math.log(100))
        scale = model.logit_scale.item()
        log.append(dict(step=step, lr=rate, loss=loss.item(), grad_norm=norm.item(), logit_scale=scale))
    tensors |= {f'final.{name}': parameter for name, parameter in trained.items()}
    tensors |= {f'final.{name}': buffer for name, buffer in model.named_buffers() if 'normalization' in name}
    save_golden(folder, tensors)
    versions = dict(transformers=t.__version__, torch=torch.__version__)
    batch_norm = dict(batch_norm='training') if vision_config is RESNET else {}
    trajectory = dict(
        **versions, **batch_norm, frozen_towers=frozen, micro_batches_per_step=micro, options=options, notes=NOTES, log=log
    )
    (folder / 'trajectory.json').write_text(json.dumps(trajectory, indent=1) + '\n')


def write(root):
    for seed, (name, run) in enumerate(RUNS.items()):
        write_run(root / 'training' / name, *run, seed)
