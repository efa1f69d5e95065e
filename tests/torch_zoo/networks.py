"""Small networks of timm, torchvision and transformers, with random weights."""

import warnings
from collections.abc import Callable
from typing import NamedTuple

# A vision transformer of 16 channels holds all the operators of a large one.
_TINY_VIT = {"embed_dim": 16, "depth": 2, "num_heads": 2, "num_classes": 5}
_TINY_BERT = {
    "hidden_size": 16,
    "num_hidden_layers": 2,
    "num_attention_heads": 2,
    "intermediate_size": 32,
}
# Scales that start at nearly zero, and statistics that start at zero and one, would hide mistakes.
_TRIVIAL = ("gamma", "lambda1", "scale_", "ls1", "ls2", "running_", "bias", "pos", "token")


class Network(NamedTuple):
    """A module, what to watch in it, and how its outputs are laid out."""

    make: Callable
    side: int
    larger: tuple[int, int]
    layers: dict[str, str]  # modules by name: "map", "last" (channels last) or "tokens"
    default: str  # the layer that the head reads
    patch: int | None = None
    prefixes: int = 0  # tokens before the patches
    has_class_token: bool = False  # whether the first of them is the class token
    takes_any_size: bool = False  # whether the module itself takes images of other sizes


def _timm(name, **options):
    def make():
        import timm

        return timm.create_model(name, pretrained=False, **options)

    return make


def _vit(name, side, patch, larger, *, prefixes=1, has_class_token=True, **options):
    """Describe a vision transformer of timm, made small."""
    last = options.pop("last", "norm")
    options = {**_TINY_VIT, "img_size": side, "patch_size": patch, **options}
    any_size = options.get("dynamic_img_size", False)
    layers = {"blocks.0": "tokens", "blocks.1": "tokens", last: "tokens"}
    make = _timm(name, **options)
    return Network(make, side, larger, layers, last, patch, prefixes, has_class_token, any_size)


def _bert(name, larger, layer="encoder.layer", norm="layernorm", **options):
    """Describe a vision transformer of transformers, made small."""
    prefixes = options.pop("prefixes", 1)
    any_size = options.pop("takes_any_size", False)

    def make():
        import transformers

        config = name.replace("Model", "Config")
        sizes = {**_TINY_BERT, "image_size": 32, "patch_size": 8, **options}
        return _hidden_states(getattr(transformers, name)(getattr(transformers, config)(**sizes)))

    layers = {f"model.{layer}.0": "tokens", f"model.{layer}.1": "tokens"}
    if norm:
        layers[f"model.{norm}"] = "tokens"
    last = list(layers)[-1]
    return Network(make, 32, larger, layers, last, 8, prefixes, prefixes > 0, any_size)


def _hidden_states(model):
    """Wrap a model of transformers: its outputs in a tuple, as optimum exports them."""
    import torch

    class HiddenStates(torch.nn.Module):
        def __init__(self):
            super().__init__()
            self.model = model
            self.options = {}

        def forward(self, pixel_values):
            found = self.model(pixel_values, **self.options)
            return found.last_hidden_state, found.pooler_output

    return HiddenStates()


def _view_vgg():
    """Return a VGG as torchvision had it: `view` with the batch's size between maps and head."""
    from torch import nn
    from torchvision.models.vgg import make_layers

    class ViewVGG(nn.Module):
        def __init__(self):
            super().__init__()
            self.features = make_layers([8, "M", 16, "M"])
            self.classifier = nn.Sequential(
                nn.Linear(16 * 4 * 4, 24), nn.ReLU(), nn.Dropout(), nn.Linear(24, 5)
            )

        def forward(self, pixels):
            maps = self.features(pixels)
            return self.classifier(maps.view(maps.size(0), -1))

    return ViewVGG()


def _mobile(kind, family):
    """Return a network of inverted bottlenecks, narrow enough to keep."""

    def make():
        import timm
        from timm.models._efficientnet_builder import decode_arch_def

        blocks = [
            ["ds_r1_k3_s2_e1_c8_se0.25"],
            ["ir_r2_k3_s2_e2_c16"],
            ["ir_r1_k5_s2_e2_c24_se0.25"],
        ]
        module = getattr(timm.models, family)
        sizes = {"num_classes": 5, "stem_size": 8, "num_features": 32}
        return getattr(module, kind)(decode_arch_def(blocks), **sizes)

    return make


NETWORKS = {
    "vit_reg4": _vit(
        "vit_medium_patch16_reg4_gap_256",
        32,
        8,
        (48, 40),
        prefixes=4,
        has_class_token=False,
        last="blocks.1",
    ),
    "dinov2": _vit("vit_small_patch14_dinov2", 56, 14, (84, 112)),
    "dinov2_reg4": _vit("vit_small_patch14_reg4_dinov2", 56, 14, (84, 70), prefixes=5),
    "dinov2_any_size": _vit("vit_small_patch14_dinov2", 56, 14, (84, 112), dynamic_img_size=True),
    "siglip": _vit(
        "vit_base_patch16_siglip_224",
        32,
        8,
        (48, 48),
        prefixes=0,
        has_class_token=False,
        num_classes=0,
    ),
    "clip": _vit("vit_base_patch16_clip_quickgelu_224", 32, 8, (48, 40)),
    "dinov3": _vit(
        "vit_small_patch16_dinov3",
        32,
        8,
        (48, 40),
        prefixes=5,
        num_classes=0,
    ),
    "hf_dinov2": _bert("Dinov2Model", (48, 40), takes_any_size=True),
    "hf_dinov2_registers": _bert(
        "Dinov2WithRegistersModel", (48, 40), prefixes=5, takes_any_size=True
    ),
    "hf_dinov3": _bert(
        "DINOv3ViTModel", (48, 40), "model.layer", "norm", prefixes=1, takes_any_size=True
    ),
    "hf_vit": _bert("ViTModel", (48, 40), "layers"),
    "hf_clip": _bert("CLIPVisionModel", (48, 48), "encoder.layers", None),
    "hf_siglip": _bert(
        "SiglipVisionModel", (48, 40), "encoder.layers", "post_layernorm", prefixes=0
    ),
    "convnext": Network(
        _timm("convnext_tiny", depths=(1, 1, 2, 1), dims=(8, 8, 16, 24), num_classes=5),
        64,
        (96, 64),
        {"stages.1": "map", "stages.2.blocks.0.mlp.fc1": "last", "stages.3": "map"},
        "stages.3",
        takes_any_size=True,
    ),
    "convnext_conv_mlp": Network(
        _timm("convnext_atto", depths=(1, 1, 2, 1), dims=(8, 8, 16, 24), num_classes=5),
        64,
        (96, 64),
        {"stages.1": "map", "stages.2.blocks.0.mlp.fc1": "map", "stages.3": "map"},
        "stages.3",
        takes_any_size=True,
    ),
    "swin": Network(
        _timm(
            "swin_tiny_patch4_window7_224",
            img_size=32,
            window_size=4,
            embed_dim=8,
            depths=(2, 1),
            num_heads=(2, 2),
            num_classes=5,
        ),
        32,
        (64, 64),
        {"layers.0": "last", "layers.1.blocks.0": "last", "norm": "last"},
        "norm",
    ),
    "mobilenetv3": Network(
        _mobile("MobileNetV3", "mobilenetv3"),
        32,
        (64, 48),
        {"blocks.0": "map", "blocks.1": "map", "blocks.2": "map"},
        "blocks.2",
        takes_any_size=True,
    ),
    "efficientnet": Network(
        _mobile("EfficientNet", "efficientnet"),
        32,
        (64, 48),
        {"blocks.0": "map", "blocks.1": "map", "bn2": "map"},
        "bn2",
        takes_any_size=True,
    ),
    "resnet50": Network(
        _timm("resnet50", channels=(4, 4, 8, 8), layers=(1, 1, 2, 1), num_classes=5),
        64,
        (96, 80),
        {"layer2": "map", "layer3.0": "map", "layer4": "map"},
        "layer4",
        takes_any_size=True,
    ),
    "vgg_view": Network(
        _view_vgg,
        16,
        (24, 20),
        {"features.2": "map", "features.4": "map", "features": "map"},
        "features",
        takes_any_size=True,
    ),
}


def build(name, size=None):
    """Return a module, its weights always the same, its positions resampled for `size`."""
    import torch

    torch.manual_seed(0)
    network = NETWORKS[name]
    module = network.make().eval()
    with torch.no_grad():
        for key, weight in (*module.named_parameters(), *module.named_buffers()):
            if weight.is_floating_point() and any(part in key for part in _TRIVIAL):
                weight.copy_(torch.rand(weight.shape) + 0.5)
    if size not in (None, (network.side, network.side)):
        _resample_positions(module, size, network)
    return module


def _resample_positions(module, size, network):
    """Fit a module to images of another size, as its library does with antialiasing."""
    if hasattr(module, "set_input_size") and not network.takes_any_size:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # PyTorch's, of how timm does it
            module.set_input_size(img_size=size)
    elif hasattr(module, "options") and hasattr(
        module.model.embeddings, "interpolate_pos_encoding"
    ):
        from timm.layers import resample_abs_pos_embed

        embeddings = module.model.embeddings
        positions = getattr(embeddings, "position_embeddings", None)
        if positions is None:
            positions = embeddings.position_embedding.weight[None]
        grid = [side // network.patch for side in size]
        resampled = resample_abs_pos_embed(
            positions.detach(), grid, num_prefix_tokens=int(network.has_class_token)
        )
        embeddings.interpolate_pos_encoding = lambda *_: resampled
        if "Dinov2" not in type(module.model).__name__:
            module.options = {"interpolate_pos_encoding": True}
