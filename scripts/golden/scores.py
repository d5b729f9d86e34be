"""The residual projection head with its loss, and retrieval recall."""
import json

import numpy as np
import torch
import torch.nn.functional as F
from common import save_golden

FORMULA = (
    'p = W_p z (no bias); o = p + W_h gelu(p) (erf gelu, no bias, dropout 0); e = l2(layer_norm(o, eps 1e-5)); '
    'logits = text @ image^T without temperature; loss = mean of both directions'
)
DEFINITION = (
    'rank = number of wrong items scoring at least as high as the best correct one (ties count against); '
    "R@k = share with rank < k; image_to_text takes the best of an image's captions; ranks reported from 1"
)


def write_head(folder):
    generator = torch.Generator().manual_seed(0)
    draw = lambda *shape: torch.randn(shape, generator=generator)
    B, D, E = 5, 12, 8
    inputs = {'image_features': draw(B, D), 'text_features': draw(B, D)}
    heads = {
        side: {'p': draw(E, D) * 0.3, 'h': draw(E, E) * 0.3, 'ln.weight': 1 + draw(E) * 0.1, 'ln.bias': draw(E) * 0.1}
        for side in ('vision', 'text')
    }
    weights = {f'{side}.{name}': value for side, head in heads.items() for name, value in head.items()}
    for value in weights.values():
        value.requires_grad_(True)

    def embed(head, z):
        p = z @ head['p'].T
        o = p + F.gelu(p) @ head['h'].T
        return F.normalize(F.layer_norm(o, [E], head['ln.weight'], head['ln.bias'], 1e-5), dim=-1)

    image, text = embed(heads['vision'], inputs['image_features']), embed(heads['text'], inputs['text_features'])
    logits = text @ image.T
    target = torch.arange(B)
    loss = (F.cross_entropy(logits, target) + F.cross_entropy(logits.T, target)) / 2
    loss.backward()
    folder.mkdir(parents=True, exist_ok=True)
    tensors = {**weights, 'loss': loss.reshape(1)}
    tensors |= {f'input.{name}': value for name, value in inputs.items()}
    tensors |= {'output.image_embeds': image, 'output.text_embeds': text, 'output.logits': logits}
    tensors |= {f'grad.{name}': value.grad for name, value in weights.items()}
    save_golden(folder, tensors, metadata={'formula': FORMULA})


def summary(ranks):
    recall = {f'R@{k}': float(np.mean(ranks < k)) for k in (1, 5, 10)}
    return {**recall, 'median_rank': float(np.median(ranks + 1)), 'mean_rank': float(np.mean(ranks + 1))}


def retrieval_case(name, owner, images, decimals, rng):
    owner = np.array(owner)
    scores = rng.normal(size=[len(owner), images])
    scores[np.arange(len(owner)), owner] += 1
    scores = scores.round(decimals)
    best = scores[np.arange(len(owner)), owner]
    text_ranks = np.array([np.sum(np.delete(row, o) >= s) for row, o, s in zip(scores, owner, best)])
    image_ranks = np.array(
        [np.sum(scores[owner != n, n] >= scores[owner == n, n].max()) for n in range(images) if np.any(owner == n)]
    )
    return dict(
        name=name,
        caption_owner=owner.tolist(),
        scores_text_by_image=scores.tolist(),
        text_to_image=summary(text_ranks),
        image_to_text=summary(image_ranks),
    )


def write_retrieval(folder):
    rng = np.random.default_rng(0)
    varying = [image for image in range(12) for _ in range(1 + image % 4)]
    cases = [
        retrieval_case('one-to-one', range(20), 20, 4, rng),
        retrieval_case('five-captions', [i // 5 for i in range(60)], 12, 4, rng),
        retrieval_case('varying-captions', varying, 12, 4, rng),
        retrieval_case('ties', [i // 2 for i in range(24)], 12, 0, rng),
    ]
    folder.mkdir(parents=True, exist_ok=True)
    (folder / 'retrieval.json').write_text(json.dumps(dict(definition=DEFINITION, cases=cases)) + '\n')


def write(root):
    write_head(root / 'seed-head')
    write_retrieval(root / 'metrics')
