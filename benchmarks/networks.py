"""What benchmarks know of the published networks in the data folder: their files and inputs."""

from skdeepenc.images import Preprocessing

# Below the folder that SKDEEPENC_DATA names.
SQUEEZENET = "weights/squeezenet1_0_deepcomp.onnx"
# How Caffe's models, SqueezeNet among them, want their pixels.
CAFFE = Preprocessing(mean=(104, 117, 123), std=(1, 1, 1), channel_order="BGR", scale=1)
