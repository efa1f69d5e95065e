"""The small network that comes with skdeepenc, as PyTorch trains it.

After AlexNet: five convolutions, which keep the size of what they see, and three poolings; fc6 is a
convolution over the 4 x 4 positions that are left of 64 pixels. The second and the fourth are
refined by one more, added to what it sees (He et al., 2016).
"""

from torch import nn
from torch.nn import functional as F

CHANNELS = {"conv1": 48, "conv2": 96, "conv3": 160, "conv4": 224, "conv5": 224}
POOLED, REFINED = ("conv1", "conv3", "conv5"), ("conv2", "conv4")
N_HIDDEN = 512


class Convolution(nn.Module):
    """Convolve, take the maximum of squares of 2 x 2 if asked, normalise over the batch, rectify.

    Where it pools, the normalisation's gain is kept positive: then the maximum may come first,
    which saves three quarters of the work behind it, and the exported network may take it last.
    """

    def __init__(self, n_inputs, n_outputs, kernel, padding=0, pools=False):
        super().__init__()
        self.linear = nn.Conv2d(n_inputs, n_outputs, kernel, padding=padding, bias=False)
        self.norm = nn.BatchNorm2d(n_outputs)
        self.pools = pools

    @property
    def gain(self):
        """The factor of each channel."""
        return self.norm.weight.abs() if self.pools else self.norm.weight

    def forward(self, x, skipped=None):
        """Add what skipped this layer, if anything did, before rectifying."""
        x = self.linear(x)
        if self.pools:
            x = F.max_pool2d(x, 2)
        norm = self.norm
        x = F.batch_norm(
            x, norm.running_mean, norm.running_var, self.gain, norm.bias, self.training
        )
        return F.relu(x if skipped is None else x + skipped)


class EmbeddedNet(nn.Module):
    """Five convolutions, the last two on one grid, then fc6 and fc7 as convolutions."""

    def __init__(self, n_classes, n_teacher_features=0, dropout=0.2):
        super().__init__()
        n_inputs = CHANNELS["conv1"]
        self.stem = nn.Conv2d(3, n_inputs, 5, stride=2, padding=2)
        for name, n_outputs in CHANNELS.items():
            pools = name in POOLED
            setattr(self, name, Convolution(n_inputs, n_outputs, 3, padding=1, pools=pools))
            if name in REFINED:
                setattr(self, f"{name}_refined", Convolution(n_outputs, n_outputs, 3, padding=1))
            n_inputs = n_outputs
        self.fc6 = Convolution(n_inputs, N_HIDDEN, 4)
        self.fc7 = Convolution(N_HIDDEN, N_HIDDEN, 1)
        self.head = nn.Conv2d(N_HIDDEN, n_classes, 1)
        self.teacher_head = nn.Linear(N_HIDDEN, n_teacher_features) if n_teacher_features else None
        self.dropout = nn.Dropout(dropout)

    def forward(self, images):
        """Give class scores and, with a teacher, its predicted features."""
        x = self.conv2(self.conv1(F.relu(self.stem(images))))
        x = self.conv4(self.conv3(self.conv2_refined(x, skipped=x)))
        x = self.conv5(self.conv4_refined(x, skipped=x))
        fc7 = self.fc7(self.dropout(self.fc6(x)))
        scores = self.head(self.dropout(fc7)).flatten(1)
        features = self.teacher_head(fc7.flatten(1)) if self.teacher_head else None
        return scores, features
