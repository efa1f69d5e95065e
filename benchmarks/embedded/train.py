"""Train the small network that comes with skdeepenc, on 64-pixel images with PyTorch.

A teacher (any ONNX network with a pooled feature) is optional: linear classifiers on its features,
each fitted without the images that it labels, give soft targets, and the features themselves are
predicted from fc7.

Two CPU cores suffice. The rate follows the epochs, or with --minutes the clock; the run saves its
state after each epoch and goes on from there. `benchmarks.embedded.export` writes the ONNX file::

    python -m benchmarks.embedded.train --data IMAGES --work STATE --teacher mobilenet_v2.onnx
    python -m benchmarks.embedded.export STATE skdeepenc/backbones/embedded/model.onnx
"""

import argparse
import io
import json
import math
import time
import zipfile
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import numpy as np
import torch
from PIL import Image
from torch import nn
from torch.nn import functional as F
from torch.optim.swa_utils import AveragedModel, get_ema_multi_avg_fn

from benchmarks.embedded.network import EmbeddedNet

SIDE = 64
MEAN = torch.tensor([123.675, 116.28, 103.53]).view(3, 1, 1)
STD = torch.tensor([58.395, 57.12, 57.375]).view(3, 1, 1)
FINISH = 0.8  # share of a run after which images look as they do in use
EMA_DECAY = 0.998  # the weights that are kept are those of the last epoch, averaged


def read_images(archive, cache):
    """Decode a zip of class folders once: (n, 64, 64, 3) bytes, labels and class names."""
    with zipfile.ZipFile(archive) as file:
        names = sorted(name for name in file.namelist() if not name.endswith("/"))
        classes = sorted({Path(name).parts[-2] for name in names})
        labels = np.array([classes.index(Path(name).parts[-2]) for name in names])
        if not cache.exists():
            pixels = np.empty((len(names), SIDE, SIDE, 3), np.uint8)
            for row, name in enumerate(names):
                pixels[row] = Image.open(io.BytesIO(file.read(name))).convert("RGB")
            np.save(cache, pixels)
    return torch.from_numpy(np.load(cache)), torch.from_numpy(labels), classes


def teacher_features(images, model, tensor, cache, side=160):
    """Run the teacher over enlarged images once: (n, d) pooled features."""
    if not cache.exists():
        import onnx
        import onnxruntime

        graph = onnx.load(model)
        graph.graph.output.append(onnx.helper.make_tensor_value_info(tensor, 1, None))
        session = onnxruntime.InferenceSession(
            graph.SerializeToString(), providers=["CPUExecutionProvider"]
        )
        rows = []
        for batch in images.split(64):
            pixels = F.interpolate(batch.permute(0, 3, 1, 2).float(), (side, side), mode="bicubic")
            pixels = (pixels.clamp(0, 255) - 128) / 128
            output = session.run([tensor], {session.get_inputs()[0].name: pixels.numpy()})[0]
            rows.append(output.reshape(len(batch), -1).astype(np.float16))
        np.save(cache, np.concatenate(rows))
    return torch.from_numpy(np.load(cache)).float()


def fit_probe(features, labels, n_classes, n_epochs=12):
    """Fit a linear softmax classifier."""
    probe = nn.Linear(features.shape[1], n_classes)
    optimizer = torch.optim.AdamW(probe.parameters(), lr=2e-3, weight_decay=0.1)
    for _ in range(n_epochs):
        for rows in torch.randperm(len(features)).split(512):
            optimizer.zero_grad()
            F.cross_entropy(probe(features[rows]), labels[rows]).backward()
            optimizer.step()
    return probe


@torch.no_grad()
def soft_targets(features, labels, n_classes, cache, n_folds=4):
    """Score each image by a probe that was fitted without it."""
    if not cache.exists():
        fold = torch.randperm(len(features), generator=torch.Generator().manual_seed(0)) % n_folds
        scores = torch.empty(len(features), n_classes)
        for held_out in range(n_folds):
            with torch.enable_grad():
                seen = fold != held_out
                probe = fit_probe(features[seen], labels[seen], n_classes)
            scores[fold == held_out] = probe(features[fold == held_out])
        np.save(cache, scores.numpy())
    return calibrate(torch.from_numpy(np.load(cache)), labels)


def calibrate(scores, labels):
    """Divide scores by the temperature at which they predict the labels best."""
    losses = {t: F.cross_entropy(scores / t, labels).item() for t in np.arange(1, 8, 0.25)}
    temperature = min(losses, key=losses.__getitem__)
    accuracy = (scores.argmax(1) == labels).float().mean()
    print(
        f"teacher's probes on images held out: {accuracy:.1%} top-1, loss "
        f"{losses[temperature]:.2f} at temperature {temperature}",
        flush=True,
    )
    return scores / temperature


def normalize(pixels):
    """Subtract the mean and divide by the deviation of each colour."""
    return ((pixels - MEAN) / STD).contiguous(memory_format=torch.channels_last)


def augment(pixels, min_area, generator):
    """Cut a random part of each image, mirror half of them, vary its colours."""

    def uniform(low, high, *shape):
        return low + (high - low) * torch.rand(len(pixels), *shape, generator=generator)

    area, aspect = uniform(min_area, 1), uniform(-0.2, 0.2).exp()
    scale = torch.stack([area.sqrt() * aspect, area.sqrt() / aspect], 1).clamp(max=1)
    shift = uniform(-1, 1, 2) * (1 - scale + 0.06)
    mirror = uniform(-1, 1).sign()
    theta = torch.zeros(len(pixels), 2, 3)
    theta[:, 0, 0], theta[:, 1, 1], theta[:, :, 2] = scale[:, 0] * mirror, scale[:, 1], shift
    grid = F.affine_grid(theta, [len(pixels), 3, SIDE, SIDE], align_corners=False)
    pixels = F.grid_sample(pixels, grid, padding_mode="reflection", align_corners=False)
    saturation, contrast = uniform(0.75, 1.2, 1, 1), uniform(0.85, 1.15, 1, 1)
    colours = contrast * (saturation * torch.eye(3) + (1 - saturation) / 3)
    offset = 128 * (1 - contrast) + uniform(-15, 15, 1, 1)
    return torch.baddbmm(offset, colours, pixels.flatten(2)).view_as(pixels)


def paste(pixels, generator):
    """Fill one rectangle of all images from others (CutMix: Yun et al., 2019).

    Gives the images, from which row each was filled, and the share that stayed its own.
    """
    partners = torch.randperm(len(pixels), generator=generator)
    place, share = torch.rand(2, generator=generator), torch.rand(1, generator=generator)
    half = SIDE * (1 - share).sqrt() / 2
    top, left = (SIDE * place - half).clamp(min=0).long().tolist()
    bottom, right = (SIDE * place + half).clamp(max=SIDE).long().tolist()
    mixed = pixels.clone()
    mixed[:, :, top:bottom, left:right] = pixels[partners, :, top:bottom, left:right]
    return mixed, partners, 1 - (bottom - top) * (right - left) / SIDE**2


def prepared_batches(images, order, generator, run):
    """Yield pixels, rows, the rows mixed into them and the share of the former.

    A second thread prepares one batch ahead. Half of the batches are of mixed images.
    """

    def prepare(rows):
        pixels = images[rows].permute(0, 3, 1, 2).float()
        pixels, partners, share = augment(pixels, run.min_area, generator), slice(None), 1.0
        if run.mixes and torch.rand(1, generator=generator) < 0.5:
            pixels, partners, share = paste(pixels, generator)
        return normalize(pixels), rows, rows[partners], share

    with ThreadPoolExecutor(1, initializer=torch.set_num_threads, initargs=(1,)) as thread:
        upcoming = thread.submit(prepare, order[0])
        for rows in order[1:]:
            batch, upcoming = upcoming.result(), thread.submit(prepare, rows)
            yield batch
        yield upcoming.result()


def loss_of(outputs, truth, targets=None, teacher=None):
    """Labels alone, or labels, soft targets and the teacher's features together."""
    scores, predicted = outputs
    hard = F.cross_entropy(scores.float(), truth, label_smoothing=0.1)
    if targets is None:
        return hard
    soft = F.cross_entropy(scores.float(), targets)
    match = 1 - F.cosine_similarity(predicted.float(), teacher, dim=1).mean()
    return 0.5 * (hard + soft + match)


@torch.no_grad()
def top1(net, images, labels):
    """Share of images whose highest score is their class."""
    net.eval()
    hits = 0
    for batch, truth in zip(images.split(500), labels.split(500), strict=True):
        scores, _ = net(normalize(batch.permute(0, 3, 1, 2).float()))
        hits += (scores.argmax(1) == truth).sum().item()
    return hits / len(images)


def learning_rate(progress, peak, warmup=0.12):
    """One cycle: up in a line, down in a cosine; `progress` runs from 0 to 1."""
    if progress < warmup:
        return peak * (0.05 + 0.95 * progress / warmup)
    return peak * max(0.5 * (1 + math.cos(math.pi * (progress - warmup) / (1 - warmup))), 1e-3)


def make_optimizer(net):
    """SGD with Nesterov momentum; only weights of two and more axes decay."""
    decayed = [p for p in net.parameters() if p.ndim > 1]
    plain = [p for p in net.parameters() if p.ndim <= 1]
    groups = [{"params": decayed, "weight_decay": 5e-4}, {"params": plain, "weight_decay": 0}]
    return torch.optim.SGD(groups, lr=0.1, momentum=0.9, nesterov=True)


class Run:
    """A training run that knows how far it is and can be taken up again."""

    def __init__(self, net, options):
        self.net, self.options = net, options
        self.optimizer = make_optimizer(net)
        self.epoch, self.seconds = 0, 0.0
        if options.start:
            net.load_state_dict(torch.load(options.start)["average"])
        self.state_file = options.work / "state.pt"
        if self.state_file.exists():
            state = torch.load(self.state_file)
            net.load_state_dict(state["net"])
            self.optimizer.load_state_dict(state["optimizer"])
            self.epoch, self.seconds = state["epoch"], state["seconds"]
        self.average = AveragedModel(
            net, multi_avg_fn=get_ema_multi_avg_fn(EMA_DECAY), use_buffers=True
        )
        if self.state_file.exists() and "average" in state:
            self.average.module.load_state_dict(state["average"])
            self.average.n_averaged += 1  # else the first update would begin anew
        self.progress = self.find_progress(0, time.perf_counter())

    def find_progress(self, share_of_epoch, start):
        """How much of the run is behind us, by the clock or by epochs."""
        if self.options.minutes:
            seconds = self.seconds + time.perf_counter() - start
            return seconds / (60 * self.options.minutes)
        return (self.epoch + share_of_epoch) / self.options.epochs

    @property
    def mixes(self):
        """Whether images are mixed: once they are known."""
        return 0.3 < self.progress < FINISH

    @property
    def min_area(self):
        """Nearly whole images at the end: objects then have the size that they have in use."""
        return 0.5 if self.progress < FINISH else 0.7

    def take_step(self, loss):
        """Follow the gradient at the rate of the hour."""
        for group in self.optimizer.param_groups:
            group["lr"] = learning_rate(self.progress, self.options.rate)
        self.optimizer.zero_grad()
        loss.backward()
        self.optimizer.step()
        self.average.update_parameters(self.net)

    def train_epoch(self, images, lessons):
        """Go once over the images in random order; return the mean loss.

        `lessons` are what to learn of each image: classes, soft targets, the teacher's features.
        """
        self.net.train()
        start, losses = time.perf_counter(), []
        generator = torch.Generator().manual_seed(self.epoch)
        order = torch.randperm(len(images), generator=generator).split(self.options.batch_size)
        for pixels, rows, others, share in prepared_batches(images, order, generator, self):
            self.progress = self.find_progress(len(losses) / len(order), start)
            if self.progress >= 1:
                break
            with torch.autocast("cpu", torch.bfloat16):
                outputs = self.net(pixels)
            mixed = [share * each[rows] + (1 - share) * each[others] for each in lessons]
            loss = loss_of(outputs, *mixed)
            self.take_step(loss)
            losses.append(loss.item())
        self.epoch += 1
        self.seconds += time.perf_counter() - start
        self.progress = self.find_progress(0, time.perf_counter())
        return float(np.mean(losses))

    def save(self, record):
        """Keep the state and a line about it; replace the last one in one step."""
        state = {"net": self.net.state_dict(), "optimizer": self.optimizer.state_dict()}
        state |= {"average": self.average.module.state_dict(), "epoch": self.epoch}
        state |= {"seconds": self.seconds, "record": record}
        torch.save(state, self.state_file.with_suffix(".part"))
        self.state_file.with_suffix(".part").replace(self.state_file)


def parse_options():
    """Read the command line."""
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("--data", type=Path, required=True, help="folder of the two zip files")
    parser.add_argument("--work", type=Path, required=True, help="folder for caches and the state")
    parser.add_argument("--teacher", type=Path, help="ONNX network to learn from")
    parser.add_argument("--teacher-tensor", default="L62_average_pool_2d")
    parser.add_argument("--epochs", type=int, default=40)
    parser.add_argument("--minutes", type=float, help="let the clock end the run, not the epochs")
    parser.add_argument("--start", type=Path, help="state of an earlier run to begin with")
    parser.add_argument("--batch-size", type=int, default=128)
    parser.add_argument("--rate", type=float, default=0.12, help="highest learning rate")
    return parser.parse_args()


def main():
    """Train, or go on with what the work folder holds."""
    options = parse_options()
    options.work.mkdir(parents=True, exist_ok=True)
    torch.manual_seed(0)
    images, labels, classes = read_images(
        options.data / "tiny_imagenet_train.zip", options.work / "train.npy"
    )
    held_out, truth, _ = read_images(
        options.data / "tiny_imagenet_val.zip", options.work / "val.npy"
    )
    lessons = [F.one_hot(labels, len(classes)).float()]
    if options.teacher:
        cache = options.work / "teacher.npy"
        teacher = teacher_features(images, options.teacher, options.teacher_tensor, cache)
        teacher = (teacher - teacher.mean(0)) / (teacher.std(0) + 1e-3)
        targets = soft_targets(teacher, labels, len(classes), options.work / "targets.npy")
        lessons += [targets.softmax(1), teacher]
    net = EmbeddedNet(len(classes), lessons[-1].shape[1] if options.teacher else 0)
    run = Run(net.to(memory_format=torch.channels_last), options)
    while run.progress < 1:
        loss = run.train_epoch(images, lessons)
        accuracy = top1(run.average.module, held_out, truth)
        record = {"epoch": run.epoch, "loss": loss, "top1": accuracy}
        record |= {
            "last_top1": top1(net, held_out, truth),
            "minutes": run.seconds / 60,
            "classes": classes,
        }
        run.save(record)
        print(json.dumps({k: v for k, v in record.items() if k != "classes"}), flush=True)


if __name__ == "__main__":
    main()
