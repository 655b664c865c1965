"""Read a PyTorch state dict from a file, without running code from a pickle."""

import pickle
import warnings
from pathlib import Path
from typing import Any

import numpy as np

from wsseg.errors import InputError

SUFFIXES = (".safetensors", ".pth", ".pt")
OLDEST_SAFE = (2, 10)
"""Oldest safe version of PyTorch. Before it, a malicious file could bypass `weights_only` (CVE-2025-32434,
CVE-2026-24747)."""


def read_state_dict(path: str | Path) -> dict[str, np.ndarray]:
    """Read the tensors of a state dict.

    `.safetensors` files need the library safetensors only. `.pth` and `.pt` files are pickles, read by
    `torch.load(weights_only=True)`, which creates tensors and plain containers and refuses everything else.

    Args:
        path: A `.safetensors`, `.pth` or `.pt` file.

    Returns:
        Tensor name -> array in PyTorch's layout, in the file's order. All float types become float32.

    Raises:
        InputError: The file does not exist, is of another kind, is broken or holds objects other than tensors; or the
            library that reads it is not installed.
    """
    path = Path(path).expanduser()
    if not path.is_file():
        raise InputError(f"weights file {path} does not exist; give a {', '.join(SUFFIXES)} file")
    if path.suffix not in SUFFIXES:
        raise InputError(f"weights file {path} must be named {' or '.join('*' + s for s in SUFFIXES)}")
    state = _safetensors(path) if path.suffix == ".safetensors" else _torch(path)
    if not state:
        raise InputError(f"weights file {path} holds no tensor; give a network's state dict")
    return state


def _safetensors(path: Path) -> dict[str, np.ndarray]:
    try:
        from safetensors.numpy import load_file
    except ImportError:
        raise InputError(f"{path} needs the library safetensors: pip install safetensors") from None
    try:
        tensors = load_file(path)
    except Exception as error:  # SafetensorError, KeyError, TypeError ..., depending on the fault
        raise InputError(
            f"weights file {path} cannot be read ({error}): it is broken, incomplete, or not a safetensors file; "
            "download it again"
        ) from error
    return {name: _single_precision(array) for name, array in tensors.items()}


def _torch(path: Path) -> dict[str, np.ndarray]:
    try:
        import torch
    except ImportError:
        raise InputError(
            f'{path} needs PyTorch: pip install "wsseg[torch]"; or convert it on a machine with PyTorch: '
            "safetensors.torch.save_file(state_dict, 'weights.safetensors')"
        ) from None
    if tuple(int(part) for part in torch.__version__.split(".")[:2]) < OLDEST_SAFE:
        raise InputError(
            f"{path} needs PyTorch {'.'.join(map(str, OLDEST_SAFE))} or newer; this is {torch.__version__}, in which a "
            "malicious file can run code; update PyTorch, or convert the file to safetensors"
        )
    try:
        with warnings.catch_warnings():
            warnings.filterwarnings("ignore", message="Detected pickle protocol")  # errors are reported below
            content = torch.load(path, map_location="cpu", weights_only=True)
    except pickle.UnpicklingError as error:
        raise InputError(
            f"weights file {path} is refused: it is broken, or holds Python objects other than tensors, and "
            "loading those could run any code; save the network's `state_dict()` alone"
        ) from error
    except Exception as error:  # RuntimeError, EOFError, OSError ..., depending on the fault
        first_line = (str(error) or type(error).__name__).splitlines()[0]
        raise InputError(
            f"weights file {path} cannot be read ({first_line}): it is broken, incomplete, or not a state dict; "
            "download it again"
        ) from error
    if not (isinstance(content, dict) and all(isinstance(value, torch.Tensor) for value in content.values())):
        raise InputError(
            f"weights file {path} holds {_in_words(content)}, not tensors by name; save the network's "
            "`state_dict()` alone"
        )
    return {
        name: _single_precision((value.float() if value.is_floating_point() else value).numpy())
        for name, value in content.items()
    }


def _single_precision(array: np.ndarray) -> np.ndarray:
    """Return integers unchanged and everything else as float32 (NumPy does not know bfloat16 as a float)."""
    return array if array.dtype.kind in "iub" else np.asarray(array, np.float32)


def _in_words(content: Any) -> str:
    if isinstance(content, dict):
        return "the entries " + ", ".join(f"`{key}`" for key in list(content)[:5])
    return f"a {type(content).__name__}"
