"""
Tiny random models of each architecture with their outputs and the gradient of every parameter.

A folder holds config.json, model.safetensors (names and layouts of transformers) and golden.safetensors: `input.*`,
`output.*`, `cotangent.*`, `grad.*`, where loss = sum of outputs * cotangents; with batch norm in training mode also
`after.*`, the running statistics after the one forward pass.
"""
import torch
import transformers as t
from common import save_golden

TINY = dict(hidden_size=16, num_hidden_layers=2, num_attention_heads=2)
VISION = dict(**TINY, intermediate_size=24, image_size=16, patch_size=4)
DINO = dict(**TINY, mlp_ratio=2, image_size=16, patch_size=4)
TEXT = dict(**TINY, vocab_size=40, intermediate_size=24, max_position_embeddings=16)
SWIN = dict(image_size=16, patch_size=2, embed_dim=8, depths=[2, 2], num_heads=[2, 4], window_size=4)
MOBILENET = dict(
    image_size=32, depth_multiplier=0.1, min_depth=4, depth_divisible_by=4, finegrained_output=False, expand_ratio=2
)
RESNET = dict(embedding_size=8, hidden_sizes=[16, 24], depths=[2, 1], layer_type='bottleneck')
BERT = dict(pad_token_id=0)
ROBERTA = dict(pad_token_id=1, type_vocab_size=1, layer_norm_eps=1e-5)
CLIP_TEXT = {**TEXT, 'eos_token_id': 39, 'bos_token_id': 38, 'pad_token_id': 0}

HIDDEN_AND_POOLED = ('last_hidden_state', 'pooler_output')


def vit(**other):
    return t.ViTConfig(**VISION, **other)


def mobilenet():
    return t.MobileNetV2Config(**MOBILENET)


def pair(config_class, text):
    return config_class(text_config=text, vision_config=VISION, **projection(config_class))


def projection(config_class):
    return dict(projection_dim=12) if config_class is t.CLIPConfig else {}


def models():
    """Folder name -> (model class, config, names of the outputs, names of the inputs)."""
    pixels, tokens, both = ('pixel_values',), ('input_ids', 'attention_mask'), ('pixel_values', 'input_ids')
    distil = dict(vocab_size=40, dim=16, n_layers=2, n_heads=2, hidden_dim=24, max_position_embeddings=16)
    return {
        'vit': (t.ViTModel, vit(), HIDDEN_AND_POOLED, pixels),
        'vit-no-bias': (t.ViTModel, vit(qkv_bias=False, hidden_act='relu'), HIDDEN_AND_POOLED, pixels),
        'vit-image-classification': (t.ViTForImageClassification, vit(num_labels=5), ('logits',), pixels),
        'deit': (t.DeiTModel, t.DeiTConfig(**VISION), HIDDEN_AND_POOLED, pixels),
        'dinov2': (t.Dinov2Model, t.Dinov2Config(**DINO), HIDDEN_AND_POOLED, pixels),
        'dinov2-swiglu': (
            t.Dinov2Model,
            t.Dinov2Config(**DINO, use_swiglu_ffn=True),
            HIDDEN_AND_POOLED,
            pixels,
        ),
        'swin': (t.SwinModel, t.SwinConfig(**SWIN, drop_path_rate=0.0), HIDDEN_AND_POOLED, pixels),
        'swin-padded': (t.SwinModel, t.SwinConfig(**{**SWIN, 'window_size': 3}), HIDDEN_AND_POOLED, pixels),
        'resnet': (t.ResNetModel, t.ResNetConfig(**RESNET), HIDDEN_AND_POOLED, pixels),
        'convnext': (
            t.ConvNextModel,
            t.ConvNextConfig(num_stages=2, hidden_sizes=[8, 16], depths=[1, 2], image_size=32),
            HIDDEN_AND_POOLED,
            pixels,
        ),
        'mobilenet-v2': (t.MobileNetV2Model, mobilenet(), HIDDEN_AND_POOLED, pixels),
        'bert': (t.BertModel, t.BertConfig(**TEXT, **BERT), HIDDEN_AND_POOLED, tokens),
        'roberta': (t.RobertaModel, t.RobertaConfig(**TEXT, **ROBERTA), HIDDEN_AND_POOLED, tokens),
        'roberta-masked-lm': (t.RobertaForMaskedLM, t.RobertaConfig(**TEXT, **ROBERTA), ('logits',), tokens),
        'xlm-roberta': (t.XLMRobertaModel, t.XLMRobertaConfig(**TEXT, **ROBERTA), HIDDEN_AND_POOLED, tokens),
        'distilbert': (t.DistilBertModel, t.DistilBertConfig(**distil), ('last_hidden_state',), tokens),
        'mpnet': (t.MPNetModel, t.MPNetConfig(**TEXT), HIDDEN_AND_POOLED, tokens),
        'clip': (
            t.CLIPModel,
            pair(t.CLIPConfig, CLIP_TEXT),
            ('image_embeds', 'text_embeds', 'logits_per_image'),
            (*both, 'attention_mask'),
        ),
        'siglip': (
            t.SiglipModel,
            pair(t.SiglipConfig, TEXT),
            ('image_embeds', 'text_embeds', 'logits_per_image'),
            both,
        ),
    }


def randomize(model, generator):
    """Values at which every tensor matters, unlike the initial ones (zero biases, unit scales)."""
    for name, parameter in model.named_parameters():
        noise = torch.randn(parameter.shape, generator=generator)
        is_norm = parameter.ndim == 1 and name.endswith('weight')
        is_table = 'embeddings.weight' in name or 'embedding.weight' in name
        fan_in = parameter[0].numel() if parameter.ndim > 1 else 1
        std = 0.1 if parameter.ndim < 2 else 0.5 if is_table else 0.6 * fan_in**-0.5
        parameter.data = noise * std + (1.0 if is_norm else 0.0)
    for name, buffer in model.named_buffers():
        if name.endswith('running_mean'):
            buffer.copy_(torch.randn(buffer.shape, generator=generator) * 0.1)
        if name.endswith('running_var'):
            buffer.copy_(torch.rand(buffer.shape, generator=generator) + 0.5)
    for name in ('logit_scale', 'logit_bias'):
        if hasattr(model, name):
            getattr(model, name).data.fill_(1.5 if name == 'logit_scale' else -2.0)


# Images of another size than the positions were trained on.
SIDES = {'dinov2-swiglu': 20}


def draw_inputs(config, names, generator, side):
    vision = getattr(config, 'vision_config', config)
    text = getattr(config, 'text_config', config)
    side = side or getattr(vision, 'image_size', 32)
    B, T = 2, 9
    inputs = {}
    if 'pixel_values' in names:
        inputs['pixel_values'] = torch.randn([B, 3, side, side], generator=generator)
    if 'input_ids' in names:
        last = text.vocab_size - 3
        inputs['input_ids'] = torch.randint(4, last, [B, T], generator=generator)
        inputs['attention_mask'] = torch.ones([B, T], dtype=torch.long)
        padding = text.pad_token_id if text.pad_token_id is not None else 0
        inputs['input_ids'][1, 6:] = padding
        inputs['attention_mask'][1, 6:] = 0
        if config.model_type == 'clip':
            inputs['input_ids'][0, 8] = inputs['input_ids'][1, 5] = text.eos_token_id
        if config.model_type == 'siglip':
            inputs['input_ids'] = torch.randint(4, last, [B, text.max_position_embeddings], generator=generator)
    return {name: inputs[name] for name in names}


def write_model(folder, model_class, config, outputs, names, seed, training=False):
    generator = torch.Generator().manual_seed(seed)
    torch.manual_seed(seed)
    config.attn_implementation = 'eager'
    model = model_class(config)
    randomize(model, generator)
    model.eval()
    folder.mkdir(parents=True, exist_ok=True)
    model.save_pretrained(folder, safe_serialization=True)
    model.train(training)
    inputs = draw_inputs(config, names, generator, SIDES.get(folder.name))
    result = model(**inputs)
    tensors = {f'input.{name}': value for name, value in inputs.items()}
    loss = 0
    for name in outputs:
        value = getattr(result, name)
        cotangent = torch.randn(value.shape, generator=generator)
        tensors |= {f'output.{name}': value, f'cotangent.{name}': cotangent}
        loss = loss + (value * cotangent).sum()
    loss.backward()
    tensors |= {f'grad.{name}': p.grad for name, p in model.named_parameters() if p.grad is not None}
    if training:
        tensors |= {f'after.{name}': buffer for name, buffer in model.named_buffers() if 'normalization' in name}
    save_golden(folder, tensors)


def write_half(folder):
    """Weights in half precision, as many checkpoints on the hub have them; no outputs."""
    model = t.BertModel(t.BertConfig(**TEXT, **BERT))
    randomize(model, torch.Generator().manual_seed(101))
    model.half().save_pretrained(folder, safe_serialization=True)


def write(root):
    for seed, (name, (model_class, config, outputs, inputs)) in enumerate(models().items()):
        write_model(root / 'models' / name, model_class, config, outputs, inputs, seed)
    resnet = t.ResNetConfig(**{**RESNET, 'hidden_act': 'gelu'})
    folder = root / 'models-training-mode' / 'resnet'
    write_model(folder, t.ResNetModel, resnet, ('pooler_output',), ('pixel_values',), 100, training=True)
    write_half(root / 'half-precision' / 'bert')
