"""MobileNet-v1 in plain PyTorch, with the weight names of the model hub's port of TensorFlow's network."""
from efficientnet_lite import Same
from torch import nn

# Stride and outputs of each pair of a depthwise and a pointwise convolution.
PAIRS = [(1, 64), (2, 128), (1, 128), (2, 256), (1, 256), (2, 512)] + [(1, 512)] * 5 + [(2, 1024), (1, 1024)]


class Layer(nn.Module):
    def __init__(self, inputs, outputs, kernel, stride, groups=1):
        super().__init__()
        self.convolution = Same(inputs, outputs, kernel, stride, groups=groups, bias=False)
        self.normalization = nn.BatchNorm2d(outputs, eps=1e-3)

    def forward(self, x):
        return self.normalization(self.convolution(x)).clamp(0, 6)


class Body(nn.Module):
    def __init__(self):
        super().__init__()
        self.conv_stem = Layer(3, 32, 3, 2)
        layers, inputs = [], 32
        for stride, outputs in PAIRS:
            layers += [Layer(inputs, inputs, 3, stride, inputs), Layer(inputs, outputs, 1, 1)]
            inputs = outputs
        self.layer = nn.ModuleList(layers)


class MobileNetV1(nn.Module):
    def __init__(self):
        super().__init__()
        self.mobilenet_v1 = Body()
        self.classifier = nn.Linear(1024, 1001)

    def stages(self, x):
        """Name and activations of every stage, and the last maps at the end."""
        found = {"stem": (x := self.mobilenet_v1.conv_stem(x))}
        for index, layer in enumerate(self.mobilenet_v1.layer):
            x = layer(x)
            # A stage ends before the next halving.
            if index in (1, 5, 9, 21, 25):
                found[f"stage{len(found)}"] = x
        found["last"] = x
        return found
