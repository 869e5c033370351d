"""A checkpoint folder as transformers writes it, looked at without torch: what it is, whether it is whole, and which one it is.

    config.json                      {"model_type": "qwen2_5_vl", "architectures": [..], ..}
    model.safetensors                or model-00001-of-00004.safetensors .. and model.safetensors.index.json
    processor_config.json            or preprocessor_config.json (older)
    tokenizer.json, chat_template.jinja, generation_config.json, ..

A safetensors file is 8 bytes (the header's length, little endian), a JSON header {"name": {"dtype": "BF16", "shape": [..],
"data_offsets": [begin, end]}, ..}, and the tensors' bytes. A half-downloaded file is shorter than its header says.
"""

import hashlib
import json
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any, BinaryIO

import msgspec

from sightline.errors import InputError
from sightline.files import inside, read_json

CONFIG = "config.json"
PROCESSORS = ("processor_config.json", "preprocessor_config.json")
SMALL_FILES = (
    CONFIG,
    *PROCESSORS,
    "generation_config.json",
    "chat_template.jinja",
    "chat_template.json",
    "tokenizer.json",
    "tokenizer_config.json",
    "tokenizer.model",
    "vocab.json",
    "merges.txt",
    "special_tokens_map.json",
    "added_tokens.json",
)
"""What changes the text that a model is given or gives."""
WEIGHTS = ("model.safetensors", "pytorch_model.bin")
CONFIG_DTYPES = ("float32", "bfloat16", "float16", "float64", "auto")
PLAIN_DTYPES = frozenset({"F64", "F32", "F16", "BF16"})
QUANTIZED_DTYPES = frozenset({"I8", "U8", "F8_E4M3", "F8_E5M2", "F4", "I4", "U4"})
MAX_HEADER_BYTES = 100_000_000
SAMPLE_BYTES = 256
SAMPLE_EVERY = 2**20


@dataclass(frozen=True)
class Checkpoint:
    """A folder whose weight files are all there and whole. `safetensors`: they are of that kind (else pickled, `.bin`)."""

    path: Path
    model_type: str
    architecture: str
    weights: tuple[Path, ...]
    safetensors: bool

    def revision(self) -> str:
        """32 hexadecimal digits that tell this checkpoint from any other, without reading all of its weights.

        BLAKE2b of the small files that matter, and of every weight file: the safetensors header and up to 256 bytes from the middle
        of each tensor (of a `.bin`, 256 bytes of every MiB), so that a fine-tune of the same shapes is another revision.
        """
        digest = hashlib.blake2b(digest_size=16)
        for name in SMALL_FILES:
            if (self.path / name).is_file():
                digest.update(f"{name}\0".encode() + hashlib.sha256((self.path / name).read_bytes()).digest())
        for path in self.weights:
            digest.update(f"{path.name} {path.stat().st_size}\0".encode())
            with path.open("rb") as file:
                for start, length in _samples(path, file) if self.safetensors else _strides(path):
                    file.seek(start)
                    digest.update(file.read(length))
        return digest.hexdigest()


def open_checkpoint(path: Path, *, processor: bool = True) -> Checkpoint:
    """Look at the folder `path`. `processor`: whether it must hold one.

    Raises:
        FileNotFoundError: no such folder.
        InputError: it is no model checkpoint, has no processor, no weights or not all of them, a weight file that is cut short or
            damaged, or weights of a number format that config.json does not explain; the message names the file.
    """
    if not path.is_dir():
        raise FileNotFoundError(
            f"{path} is no folder. A model is given as hf:FOLDER, a checkpoint on this machine; nothing is fetched from a hub. "
            "Download it first, e.g. `hf download OWNER/NAME --local-dir FOLDER`."
        )
    config = _config(path)
    if processor and not any((path / name).is_file() for name in PROCESSORS):
        raise InputError(
            f"{path}: no processor (neither {' nor '.join(PROCESSORS)}). Copy the processor's and the tokenizer's files of the "
            "base model into the folder, or save them with `processor.save_pretrained(FOLDER)`."
        )
    weights = weight_files(path)
    safetensors = weights[0].suffix == ".safetensors"
    if safetensors:
        _check_headers(weights, quantized="quantization_config" in config)
    architectures = config.get("architectures") or ["unknown"]
    return Checkpoint(path, config["model_type"], str(architectures[0]), weights, safetensors)


def _config(path: Path) -> dict[str, Any]:
    if not (path / CONFIG).is_file():
        adapter = " It holds an adapter (LoRA): merge it into its base model first." * (path / "adapter_config.json").is_file()
        raise InputError(f"{path}: no {CONFIG}, so this is no checkpoint folder of transformers.{adapter}")
    config = read_json(path / CONFIG, dict[str, Any])
    if not isinstance(config.get("model_type"), str):
        raise InputError(f"{path / CONFIG}: no model_type in it, so it is not known what model this is. Get the file again.")
    for part in (config, *(value for value in config.values() if isinstance(value, dict))):
        dtype = part.get("dtype", part.get("torch_dtype"))
        if dtype is not None and dtype not in CONFIG_DTYPES:
            raise InputError(
                f"{path / CONFIG}: dtype {dtype!r}; expected one of {', '.join(CONFIG_DTYPES)}. Put in what the weights are "
                "stored as."
            )
    return config


def weight_files(path: Path) -> tuple[Path, ...]:
    """The files with a folder's weights: safetensors before pickles, whole or in numbered parts.

    Raises:
        InputError: there are none, or not all that an index names.
    """
    for name in WEIGHTS:
        if (path / name).is_file():
            return (path / name,)
        index = path / f"{name}.index.json"
        if index.is_file():
            shards = sorted(set(read_json(index, _ShardIndex).weight_map.values()))
            missing = [shard for shard in shards if not inside(path, shard).is_file()]
            if missing or not shards:
                raise InputError(
                    f"{path}: {len(missing)} of the {len(shards)} weight files that {index.name} names are missing "
                    f"({', '.join(missing[:3])}). Download the checkpoint again."
                )
            return tuple(path / shard for shard in shards)
    raise InputError(
        f"{path}: no weights (none of {', '.join(WEIGHTS)}, whole or in numbered parts with their index). "
        "Download the checkpoint again, or save the model with `model.save_pretrained(FOLDER)`."
    )


class _ShardIndex(msgspec.Struct):
    """`model.safetensors.index.json`: which file each tensor is in."""

    weight_map: dict[str, str]


class _Tensor(msgspec.Struct):
    """One entry of a safetensors header."""

    dtype: str
    shape: tuple[int, ...]
    data_offsets: tuple[int, int]


def _check_headers(weights: tuple[Path, ...], *, quantized: bool) -> None:
    for path in weights:
        with path.open("rb") as file:
            start, tensors = _header(path, file)
        expected = start + max((tensor.data_offsets[1] for tensor in tensors.values()), default=0)
        if path.stat().st_size != expected:
            raise InputError(
                f"{path}: {path.stat().st_size:,} bytes, but its header speaks of {expected:,}: the file is cut short or damaged. "
                "Download it again."
            )
        found = {tensor.dtype for tensor in tensors.values()} & QUANTIZED_DTYPES
        if found and not quantized:
            raise InputError(
                f"{path}: weights stored as {', '.join(sorted(found))}, but {CONFIG} has no quantization_config that says how to "
                f"read them; expected {', '.join(sorted(PLAIN_DTYPES))}. Save the model in one of these, or restore the {CONFIG}."
            )


def _header(path: Path, file: BinaryIO) -> tuple[int, dict[str, _Tensor]]:
    """Where the tensors' bytes begin, and the header's entries by tensor."""
    length = int.from_bytes(file.read(8), "little")
    if not 2 <= length <= min(MAX_HEADER_BYTES, path.stat().st_size - 8):
        raise InputError(f"{path}: not a safetensors file, or cut short (a header of {length:,} bytes). Download it again.")
    try:
        plain = json.loads(file.read(length))
        plain.pop("__metadata__", None)
        return 8 + length, msgspec.convert(plain, dict[str, _Tensor])
    except (ValueError, AttributeError, RecursionError) as error:
        raise InputError(f"{path}: its safetensors header cannot be read ({error}). Download the file again.") from error


def _samples(path: Path, file: BinaryIO) -> Iterator[tuple[int, int]]:
    """Start and length of the header and of the middle of each tensor."""
    first, tensors = _header(path, file)
    yield 0, first
    for tensor in tensors.values():
        begin, end = tensor.data_offsets
        length = min(end - begin, SAMPLE_BYTES)
        yield first + (begin + end - length) // 2, length


def _strides(path: Path) -> Iterator[tuple[int, int]]:
    for start in range(0, path.stat().st_size, SAMPLE_EVERY):
        yield start, SAMPLE_BYTES
