"""The networks that taste is trained with, in plain PyTorch, over a dictionary of parameters."""
import torch.nn.functional as F


def same(x, kernel, stride):
    """TensorFlow's padding: the odd zero last."""
    zeros = [max((-(-size // stride) - 1) * stride + kernel - size, 0) for size in (x.shape[3], x.shape[2])]
    return F.pad(x, [part for each in zeros for part in (each // 2, each - each // 2)])


class Networks:
    """One method a network."""

    def __init__(self, parameters):
        self.parameters = parameters

    def conv(self, x, name, stride=1, padding=0):
        return F.relu(F.conv2d(x, self.parameters[f"{name}.weight"], self.parameters[f"{name}.bias"], stride, padding))

    def dense(self, x, name):
        return F.linear(x, self.parameters[f"{name}.weight"], self.parameters[f"{name}.bias"])

    def cnn_f(self, x):
        x = F.max_pool2d(self.conv(same(x, 11, 4), "conv1", 4), 2, ceil_mode=True)
        x = F.max_pool2d(self.conv(x, "conv2", padding=2), 2, ceil_mode=True)
        for name in ("conv3", "conv4", "conv5"):
            x = self.conv(x, name, padding=1)
        x = F.max_pool2d(x, 2, ceil_mode=True).flatten(1)
        return self.dense(F.relu(self.dense(F.relu(self.dense(x, "full6")), "full7")), "full8")

    def alexnet(self, x):
        x = F.max_pool2d(self.conv(x, "features.0", 4, 2), 3, 2)
        x = F.max_pool2d(self.conv(x, "features.3", padding=2), 3, 2)
        for name in ("features.6", "features.8", "features.10"):
            x = self.conv(x, name, padding=1)
        x = F.adaptive_avg_pool2d(F.max_pool2d(x, 3, 2), 6).flatten(1)
        x = F.relu(self.dense(x, "classifier.1"))
        return self.dense(F.relu(self.dense(x, "classifier.4")), "classifier.6")

    def autoencoder(self, x):
        for name in ("encoder.0", "encoder.1", "encoder.2"):
            x = self.conv(same(x, 3, 2), name, 2)
        for name in ("decoder.0", "decoder.1", "decoder.2"):
            # A transposed convolution whose forward twin pads nothing before and one zero after.
            weight, bias = self.parameters[f"{name}.weight"], self.parameters[f"{name}.bias"]
            x = F.conv_transpose2d(x, weight, bias, 2)[:, :, :-1, :-1]
            x = x.sigmoid() if name == "decoder.2" else F.relu(x)
        return x
