"""EfficientNet-Lite0 in plain PyTorch, with the weight names of the first PyTorch port of the EfficientNets."""
import torch
from torch import nn
from torch.nn import functional as F

# blocks, kernel, stride, widening, outputs
STAGES = [
    (1, 3, 1, 1, 16),
    (2, 3, 2, 6, 24),
    (2, 5, 2, 6, 40),
    (3, 3, 2, 6, 80),
    (3, 5, 1, 6, 112),
    (4, 5, 2, 6, 192),
    (1, 3, 1, 6, 320),
]


class Same(nn.Conv2d):
    """TensorFlow's padding: as many zeros as it takes for ceil(input / stride) outputs, the odd one last."""

    def forward(self, x):
        zeros = []
        for size in (x.shape[3], x.shape[2]):
            outputs = -(-size // self.stride[0])
            total = max((outputs - 1) * self.stride[0] + self.kernel_size[0] - size, 0)
            zeros += [total // 2, total - total // 2]
        return super().forward(F.pad(x, zeros))


class Block(nn.Module):
    def __init__(self, inputs, kernel, stride, widening, outputs):
        super().__init__()
        middle = inputs * widening
        if widening > 1:
            self._expand_conv = nn.Conv2d(inputs, middle, 1, bias=False)
            self._bn0 = nn.BatchNorm2d(middle, eps=1e-3)
        self._depthwise_conv = Same(middle, middle, kernel, stride, groups=middle, bias=False)
        self._bn1 = nn.BatchNorm2d(middle, eps=1e-3)
        self._project_conv = nn.Conv2d(middle, outputs, 1, bias=False)
        self._bn2 = nn.BatchNorm2d(outputs, eps=1e-3)
        self.widening = widening
        self.residual = stride == 1 and inputs == outputs

    def forward(self, x):
        y = F.relu6(self._bn0(self._expand_conv(x))) if self.widening > 1 else x
        y = F.relu6(self._bn1(self._depthwise_conv(y)))
        y = self._bn2(self._project_conv(y))
        return x + y if self.residual else y


class EfficientNetLite0(nn.Module):
    def __init__(self):
        super().__init__()
        self._conv_stem = Same(3, 32, 3, 2, bias=False)
        self._bn0 = nn.BatchNorm2d(32, eps=1e-3)
        blocks, inputs, self.last = [], 32, []
        for count, kernel, stride, widening, outputs in STAGES:
            for index in range(count):
                blocks.append(Block(inputs, kernel, stride if index == 0 else 1, widening, outputs))
                inputs = outputs
            self.last.append(len(blocks) - 1)
        self._blocks = nn.ModuleList(blocks)
        self._conv_head = nn.Conv2d(inputs, 1280, 1, bias=False)
        self._bn1 = nn.BatchNorm2d(1280, eps=1e-3)
        self._fc = nn.Linear(1280, 1000)

    def stages(self, x):
        """Name and activations of every stage, and the last maps at the end."""
        x = F.relu6(self._bn0(self._conv_stem(x)))
        found = {"stem": x}
        for index, block in enumerate(self._blocks):
            x = block(x)
            if index in self.last:
                found[f"stage{self.last.index(index) + 1}"] = x
        x = F.relu6(self._bn1(self._conv_head(x)))
        found["last"] = x
        return found
