"""PyTorch in `vit`: the same transformer, as one writes it there: forward, backward and AdamW, step by step."""

import numpy as np
import torch
import torch.nn.functional as functional
import vit_problem
from torch import nn
from worker import Numbers, Prepared, serve, timed


class Block(nn.Module):
    """Pre-norm attention without biases, then a perceptron."""

    def __init__(self, width: int, heads: int, hidden: int, fused: bool) -> None:
        super().__init__()
        self.heads, self.fused = heads, fused
        self.norm1, self.norm2 = nn.LayerNorm(width, eps=1e-6), nn.LayerNorm(width, eps=1e-6)
        self.qkv, self.out = nn.Linear(width, 3 * width, bias=False), nn.Linear(width, width, bias=False)
        self.up, self.down = nn.Linear(width, hidden), nn.Linear(hidden, width)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        """Tokens [B, k, D] for tokens [B, k, D]."""
        batch, count, width = x.shape
        parts = self.qkv(self.norm1(x)).view(batch, count, 3, self.heads, width // self.heads)
        q, k, v = parts.permute(2, 0, 3, 1, 4)
        if self.fused:
            mixed = functional.scaled_dot_product_attention(q, k, v)
        else:
            mixed = ((q @ k.transpose(-1, -2)) * q.shape[-1] ** -0.5).softmax(-1) @ v
        x = x + self.out(mixed.transpose(1, 2).reshape(batch, count, width))
        return x + self.down(functional.gelu(self.up(self.norm2(x)), approximate="tanh"))


class Transformer(nn.Module):
    """The convolutional stem on each token's window of 8 x 8 pixels, fixed positions, blocks, the mean, a head."""

    def __init__(self, settings: Numbers) -> None:
        super().__init__()
        width, stem = settings["width"], settings["stem"]
        self.first = nn.Linear(vit_problem.KERNEL**2 * 3, stem, bias=False)
        self.norm = nn.LayerNorm(stem, eps=1e-6)
        self.second = nn.Linear(vit_problem.SIDE**2 * stem, width)
        self.token_norm, self.head_norm = nn.LayerNorm(width, eps=1e-6), nn.LayerNorm(width, eps=1e-6)
        more = width, settings["heads"], settings["hidden"], settings["fused"]
        self.blocks = nn.ModuleList(Block(*more) for _ in range(settings["depth"]))
        self.head = nn.Linear(width, vit_problem.CLASSES)
        self.register_buffer("table", torch.from_numpy(_positions(8, width)))

    def forward(self, windows: torch.Tensor, rows: torch.Tensor) -> torch.Tensor:
        """Logits [B, 10] of windows [B, k, 192] at places [B, k]."""
        batch, count, _ = windows.shape
        seen = windows.view(batch, count, 8, 8, 3).unfold(2, 4, 2).unfold(3, 4, 2)  # [B, k, 3, 3, 3, 4, 4]
        seen = seen.permute(0, 1, 2, 3, 5, 6, 4).reshape(batch, count, 9, -1)
        hidden = functional.gelu(self.norm(self.first(seen)), approximate="tanh").flatten(2)
        x = self.token_norm(self.second(hidden)) + self.table[rows]
        for block in self.blocks:
            x = block(x)
        return self.head(self.head_norm(x.mean(1)))


def _positions(grid: int, width: int) -> np.ndarray:
    """Sines and cosines of a patch's column and row."""
    y, x = np.divmod(np.arange(grid * grid), grid)
    frequency = 10_000.0 ** -(np.arange(width // 4) / (width // 4 - 1))
    columns, rows = x[:, None] * frequency, y[:, None] * frequency
    return np.concatenate([np.sin(columns), np.cos(columns), np.sin(rows), np.cos(rows)], axis=1).astype(np.float32)


def prepare(settings: Numbers) -> Prepared:
    """Settings: those of `vit_problem`, `heads`, `steps`, `fused` attention or not, `threads`."""
    torch.set_num_threads(settings["threads"])
    windows, rows, labels = (torch.from_numpy(values).contiguous() for values in vit_problem.batch(settings))
    labels, rows = labels.long(), rows.long()

    def run() -> Numbers:
        network = _filled(Transformer(settings), vit_problem.weights(settings))
        kernels = [p for p in network.parameters() if p.ndim > 1]
        others = [p for p in network.parameters() if p.ndim == 1]
        groups = [{"params": kernels, "weight_decay": vit_problem.DECAY}, {"params": others, "weight_decay": 0.0}]
        optimiser = torch.optim.AdamW(groups, lr=vit_problem.RATE)
        losses = []
        for _ in range(settings["steps"]):
            optimiser.zero_grad(set_to_none=True)
            loss = functional.cross_entropy(network(windows, rows), labels)
            loss.backward()
            optimiser.step()
            losses.append(float(loss.detach()))
        return {"steps": settings["steps"], "first_loss": losses[0]}

    timed(run)
    return Prepared(run, info={"torch": torch.__version__, "threads": torch.get_num_threads()})


def _filled(network: Transformer, kernels: dict[str, np.ndarray]) -> Transformer:
    """The network with these kernels, scales of 1 and biases of 0."""
    with torch.no_grad():
        for layer in network.modules():
            if isinstance(layer, nn.Linear) and layer.bias is not None:
                layer.bias.zero_()
        for name in ("first", "second", "head"):
            getattr(network, name).weight.copy_(torch.from_numpy(kernels[name].T))
        for number, block in enumerate(network.blocks):
            for name in ("qkv", "out", "up", "down"):
                getattr(block, name).weight.copy_(torch.from_numpy(kernels[name][number].T))
    return network


if __name__ == "__main__":
    serve(prepare)
