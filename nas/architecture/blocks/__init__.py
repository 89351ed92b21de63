"""The block vocabulary: one file a kind, one import line here."""

from nas.architecture.blocks.base import BLOCKS, Block, BlockError, block_class, block_from_dict, did_you_mean
from nas.architecture.blocks.bottleneck import Bottleneck
from nas.architecture.blocks.conv import Conv
from nas.architecture.blocks.dense_block import DenseBlock
from nas.architecture.blocks.heads import FlattenHead, GlobalPoolHead
from nas.architecture.blocks.inception import Inception
from nas.architecture.blocks.pool import Pool
from nas.architecture.blocks.residual import Residual
from nas.architecture.blocks.separable import Separable

__all__ = [
    "BLOCKS",
    "Block",
    "BlockError",
    "Bottleneck",
    "Conv",
    "DenseBlock",
    "FlattenHead",
    "GlobalPoolHead",
    "Inception",
    "Pool",
    "Residual",
    "Separable",
    "block_class",
    "block_from_dict",
    "did_you_mean",
]
