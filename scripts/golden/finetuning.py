"""
Fine-tuning of whole tiny CLIP and SigLIP models in their own layout: with rates per group, layer-wise decay and label
smoothing; with the sigmoid loss; with one tower locked and the other trained from its last block on. The files are those of
training.py; `options` in trajectory.json says what each run does.
"""
import json
import math

import torch
import torch.nn.functional as F
import transformers as t
from common import save_golden
from models import randomize
from training import learning_rate

VISION = dict(
    hidden_size=8, num_hidden_layers=2, num_attention_heads=2, intermediate_size=12, image_size=8, patch_size=4
)
TEXT = dict(
    vocab_size=20, hidden_size=8, num_hidden_layers=2, num_attention_heads=2, intermediate_size=12,
    max_position_embeddings=8,
)
CLIP = t.CLIPConfig(
    vision_config=VISION, text_config={**TEXT, 'eos_token_id': 19, 'bos_token_id': 18, 'pad_token_id': 0},
    projection_dim=6,
)
SIGLIP = t.SiglipConfig(vision_config=VISION, text_config={**TEXT, 'projection_size': 8})

COMMON = dict(
    steps=4, batch=4, lr=1e-3, wd=0.1, betas=[0.9, 0.98], eps=1e-6, clip=1.0, warmup=1, schedule='cosine'
)

# Folder name -> (model class, config, options)
RUNS = {
    'clip-finetune': (
        t.CLIPModel,
        CLIP,
        dict(tower_lr=5e-4, head_lr=2e-3, logit_scale_lr=2e-4, layer_decay=0.6, label_smoothing=0.1),
    ),
    'siglip-finetune': (t.SiglipModel, SIGLIP, dict(loss='sigmoid')),
    'clip-lit': (t.CLIPModel, CLIP, dict(lock_tower='vision', unfreeze_last=dict(text=1))),
}

NOTES = (
    'AdamW (decoupled decay on tensors of rank >= 2 only), clipping by the global norm over all that learns, logit_scale '
    'clamped to [0, ln 100] after each update; rate of a group = its base rate * lr_factor; a tower tensor at tower_lr * '
    'layer_decay^(depth + 1 - layer), layer 0 = embeddings (and pre_layrnorm), 1..depth = blocks, depth + 1 = what follows; '
    'softmax: mean of both cross entropies; sigmoid: mean over rows of -sum log sigmoid(z * (exp(logit_scale) cos + '
    'logit_bias)), z = 1 on the diagonal, else -1; SigLIP texts without a mask'
)


def position(name, depth):
    """(tower, layer) of a tensor; (None, None) for heads and scalars."""
    tower = next((side for side in ('vision', 'text') if name.startswith(f'{side}_model.')), None)
    if tower is None:
        return None, None
    if '.encoder.layers.' in name:
        return tower, int(name.split('.encoder.layers.')[1].split('.')[0]) + 1
    return tower, 0 if '.embeddings.' in name or 'pre_layrnorm' in name else depth + 1


def learns(name, options, depth):
    tower, layer = position(name, depth)
    if tower is None:
        return True
    unfrozen = options.get('unfreeze_last', {}).get(tower, depth + 1)
    return tower != options.get('lock_tower') and layer > depth - unfrozen


def base_rate(name, options, depth):
    tower, layer = position(name, depth)
    if name in ('logit_scale', 'logit_bias'):
        return options.get('logit_scale_lr', options['lr'])
    if tower is None:
        return options.get('head_lr', options['lr'])
    return options.get('tower_lr', options['lr']) * options.get('layer_decay', 1) ** (depth + 1 - layer)


def draw_batch(generator, config, size):
    text, side = config.text_config, config.vision_config.image_size
    pixels = torch.randn([size, 3, side, side], generator=generator)
    siglip = config.model_type == 'siglip'
    T = text.max_position_embeddings if siglip else 6
    ids = torch.randint(1, text.vocab_size - 2, [size, T], generator=generator)
    mask = torch.ones_like(ids)
    if not siglip:
        ids[:, 0] = text.bos_token_id
        for row in range(size):
            length = int(torch.randint(3, T + 1, [], generator=generator))
            ids[row, length - 1] = text.eos_token_id
            ids[row, length:] = text.pad_token_id
            mask[row, length:] = 0
    return {'pixel_values': pixels, 'input_ids': ids, 'attention_mask': mask}


def loss_of(model, batch, options):
    inputs = {**batch, 'attention_mask': None} if options.get('loss') == 'sigmoid' else batch
    out = model(**inputs)
    logits, N = out.logits_per_text, len(batch['input_ids'])
    if options.get('loss') == 'sigmoid':
        return out, -F.logsigmoid((2 * torch.eye(N) - 1) * logits).sum(-1).mean()
    smooth = dict(label_smoothing=options.get('label_smoothing', 0.0))
    target = torch.arange(N)
    return out, (F.cross_entropy(logits, target, **smooth) + F.cross_entropy(logits.T, target, **smooth)) / 2


def write_run(folder, model_class, config, extra, seed):
    options = {**COMMON, **extra}
    generator = torch.Generator().manual_seed(seed)
    model = model_class(config).eval()
    randomize(model, generator)
    model.logit_scale.data.fill_(2.6592)
    if hasattr(model, 'logit_bias'):
        model.logit_bias.data.fill_(-1)
    folder.mkdir(parents=True, exist_ok=True)
    model.save_pretrained(folder, safe_serialization=True)
    depth = VISION['num_hidden_layers']
    trained = {name: p for name, p in model.named_parameters() if learns(name, options, depth)}
    for name, parameter in model.named_parameters():
        parameter.requires_grad_(name in trained)
    rates = {name: base_rate(name, options, depth) for name in trained}
    decay = lambda p: options['wd'] if p.ndim >= 2 else 0.0
    groups = [{'params': [p], 'weight_decay': decay(p), 'lr': rates[name]} for name, p in trained.items()]
    optimizer = torch.optim.AdamW(groups, betas=options['betas'], eps=options['eps'])
    tensors, log = {}, []
    for step in range(options['steps']):
        batch = draw_batch(generator, config, options['batch'])
        tensors |= {f'batch{step}.{name}': value for name, value in batch.items()}
        optimizer.zero_grad()
        out, loss = loss_of(model, batch, options)
        loss.backward()
        if step == 0:
            tensors |= {f'step0.{key}': out[key] for key in ('image_embeds', 'text_embeds', 'logits_per_image')}
            tensors |= {f'step0.grad.{name}': p.grad.clone() for name, p in trained.items()}
        norm = torch.nn.utils.clip_grad_norm_(trained.values(), options['clip'])
        factor = learning_rate(step, options) / options['lr']
        for group, rate in zip(optimizer.param_groups, rates.values()):
            group['lr'] = rate * factor
        optimizer.step()
        with torch.no_grad():
            model.logit_scale.clamp_(0, math.log(100))
        entry = dict(step=step, lr_factor=factor, loss=loss.item(), grad_norm=norm.item())
        entry['logit_scale'] = model.logit_scale.item()
        if hasattr(model, 'logit_bias'):
            entry['logit_bias'] = model.logit_bias.item()
        log.append(entry)
    tensors |= {f'final.{name}': parameter for name, parameter in trained.items()}
    save_golden(folder, tensors)
    versions = dict(transformers=t.__version__, torch=torch.__version__)
    trajectory = dict(**versions, options=options, notes=NOTES, log=log)
    (folder / 'trajectory.json').write_text(json.dumps(trajectory, indent=1) + '\n')


def write_losses(folder):
    """Value and gradients of each loss on random embeddings of unit length."""
    generator = torch.Generator().manual_seed(7)
    draw = lambda: F.normalize(torch.randn([5, 6], generator=generator), dim=-1)
    inputs = {'image_embeds': draw(), 'text_embeds': draw()}
    inputs |= {'logit_scale': torch.tensor(1.7), 'logit_bias': torch.tensor(-2.5)}
    tensors = {f'input.{name}': value for name, value in inputs.items()}
    for kind, options in dict(softmax={}, smoothed=dict(label_smoothing=0.2), sigmoid=dict(loss='sigmoid')).items():
        leaves = {name: value.clone().requires_grad_(True) for name, value in inputs.items()}
        bias = leaves['logit_bias'] if kind == 'sigmoid' else 0
        logits = leaves['logit_scale'].exp() * leaves['text_embeds'] @ leaves['image_embeds'].T + bias
        if kind == 'sigmoid':
            loss = -F.logsigmoid((2 * torch.eye(5) - 1) * logits).sum(-1).mean()
        else:
            target = torch.arange(5)
            loss = (F.cross_entropy(logits, target, **options) + F.cross_entropy(logits.T, target, **options)) / 2
        loss.backward()
        tensors[f'{kind}.loss'] = loss
        tensors |= {f'{kind}.grad.{name}': leaf.grad for name, leaf in leaves.items() if leaf.grad is not None}
    folder.mkdir(parents=True, exist_ok=True)
    save_golden(folder, tensors)


def write(root):
    for seed, (name, run) in enumerate(RUNS.items()):
        write_run(root / 'training' / name, *run, seed)
    write_losses(root / 'losses')
