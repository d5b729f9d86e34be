"""What the golden files share: how they are written."""
import torch
from safetensors.torch import save_file


def save_golden(folder, tensors, name='golden.safetensors', metadata=None):
    """Contiguous copies; integers as int32, but counts of batches, which PyTorch keeps as int64."""
    stored = {}
    for key, tensor in tensors.items():
        narrow = tensor.dtype == torch.int64 and not key.endswith('num_batches_tracked')
        stored[key] = tensor.detach().to(torch.int32 if narrow else tensor.dtype).contiguous().clone()
    save_file(stored, folder / name, metadata=metadata)
