"""The block vocabulary: one file a kind, one import line here."""

from nas.architecture.blocks.activation import ActivationBlock
from nas.architecture.blocks.base import BLOCKS, Block, BlockError, block_from_dict
from nas.architecture.blocks.bottleneck import Bottleneck
from nas.architecture.blocks.conv import Conv
from nas.architecture.blocks.dense_block import DenseBlock
from nas.architecture.blocks.fcn import FcnHead
from nas.architecture.blocks.fully_convolutional import FullyConvolutionalHead
from nas.architecture.blocks.head import Head
from nas.architecture.blocks.heads import FlattenHead, GlobalPoolHead
from nas.architecture.blocks.inception import Inception
from nas.architecture.blocks.lrn import LocalResponse
from nas.architecture.blocks.pad import Pad
from nas.architecture.blocks.points import PointsHead
from nas.architecture.blocks.pool import Pool
from nas.architecture.blocks.region import RegionHead
from nas.architecture.blocks.residual import Residual
from nas.architecture.blocks.rpn import RpnHead
from nas.architecture.blocks.separable import Separable
from nas.architecture.blocks.skip import Skip
from nas.architecture.blocks.spp import SpatialPyramidHead
from nas.architecture.blocks.yolo import YoloHead

__all__ = [
    "BLOCKS",
    "ActivationBlock",
    "Block",
    "BlockError",
    "Bottleneck",
    "Conv",
    "DenseBlock",
    "FcnHead",
    "FlattenHead",
    "FullyConvolutionalHead",
    "GlobalPoolHead",
    "Head",
    "Inception",
    "LocalResponse",
    "Pad",
    "PointsHead",
    "Pool",
    "RegionHead",
    "Residual",
    "RpnHead",
    "Separable",
    "Skip",
    "SpatialPyramidHead",
    "YoloHead",
    "block_from_dict",
]
