"""Stimuli: bytes in, display-ready bytes out. Pure: knows neither Django nor the database.

`read_manifest` -> `prepare_all` (-> `near_duplicates`) -> `equalise` under `random_key` names.
"""

from .batch import NearDuplicate, near_duplicates, prepare_all
from .errors import Fault, Limits, ManifestError, StimulusError
from .features import features
from .manifest import Generator, Manifest, Row, read_manifest
from .padding import equalise, pad, padded_length, random_key
from .pictures import Display, Prepared, prepare
from .similarity import near_pairs, perceptual_hash

__all__ = [
    "Display",
    "Fault",
    "Generator",
    "Limits",
    "Manifest",
    "ManifestError",
    "NearDuplicate",
    "Prepared",
    "Row",
    "StimulusError",
    "equalise",
    "features",
    "near_duplicates",
    "near_pairs",
    "pad",
    "padded_length",
    "perceptual_hash",
    "prepare",
    "prepare_all",
    "random_key",
    "read_manifest",
]
