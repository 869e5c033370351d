"""Vision-language checkpoints on this machine, run by transformers: `hf:FOLDER`.

Any checkpoint that `AutoModelForImageTextToText` loads, with its own processor and chat template. Greedy by default: the sampling
settings and penalties in a checkpoint's generation_config.json are left aside, only its end tokens are used, so that equal
checkpoints give equal texts. Nothing is fetched, weights come from safetensors where there are any (else from pickles that may hold
nothing but tensors), and code inside the folder is run only if asked for by name (`trust_remote_code`).

An answer ends at the first end token; without one among `max_new_tokens` it is cut off and read as truncated. Special tokens before
the end stay in the text: Qwen2-VL and PaliGemma write coordinates with them.
"""

import hashlib
import importlib.util
from collections.abc import Collection, Iterator, Sequence
from contextlib import contextmanager, nullcontext
from functools import cached_property
from importlib.metadata import version
from pathlib import Path
from pickle import UnpicklingError
from typing import Any

import msgspec

from sightline.dialects import Dialect
from sightline.errors import InputError
from sightline.models.checkpoint import Checkpoint, open_checkpoint
from sightline.models.huggingface.families import family_dialect
from sightline.models.huggingface.inputs import Batch, Inputs
from sightline.models.model import NotApplicable, Said, Usage
from sightline.models.options import ModelOptions
from sightline.taskset.store import TaskSet
from sightline.types import Question

BATCH_SIZE = 8
DTYPES = ("auto", "float32", "bfloat16", "float16")
PACKAGES = ("torch", "transformers")


def huggingface(folder: str, options: ModelOptions) -> "HuggingFace":
    """The checkpoint in `folder`. Its weights are loaded when the first question is asked.

    Raises:
        FileNotFoundError: no such folder.
        InputError: torch or transformers are not installed; no whole checkpoint with a processor; an unknown family without a
            dialect; or an option of no sense. The message says what to do.
    """
    missing = [package for package in PACKAGES if importlib.util.find_spec(package) is None]
    if missing:
        raise InputError(f"hf: models need {' and '.join(missing)}, not installed here. Run: pip install 'sightline[models]'.")
    if options.dtype not in DTYPES:
        raise InputError(f"--dtype {options.dtype!r}: expected one of {', '.join(DTYPES)}.")
    for name in ("batch_size", "max_new_tokens"):
        if (number := getattr(options, name)) is not None and number < 1:
            raise InputError(f"--{name.replace('_', '-')} {number}: expected 1 or more.")
    checkpoint = open_checkpoint(Path(folder).expanduser())
    family_dialect(checkpoint.model_type, options.dialect, where=str(checkpoint.path))
    return HuggingFace(checkpoint, options)


class HuggingFace:
    """A checkpoint as a model of ours. `describe` needs its processor, `answer` also its weights; each is loaded once."""

    def __init__(self, checkpoint: Checkpoint, options: ModelOptions) -> None:
        self.checkpoint = checkpoint
        self.options = options
        self.name = options.name or checkpoint.path.resolve().name
        self.batch_size = options.batch_size or BATCH_SIZE

    @property
    def dialect(self) -> Dialect:
        return self._inputs.dialect

    def holding(self, model: Any, *, revision: str) -> "HuggingFace":  # noqa: ANN401 - any of transformers' models
        """The same with the weights of a `model` in memory, in place of those in the folder; `revision` tells them from others.

        The model's generation settings become those of the options. It is asked where it lies and in the numbers it has.
        """
        held = type(self)(self.checkpoint, self.options)
        held._config, held._inputs, held._revision = self._config, self._inputs, revision
        held._placement = (model.device.type, str(model.dtype).removeprefix("torch."))
        model.generation_config = held._generation(model.generation_config)
        held._model = model
        return held

    def describe(self) -> dict[str, Any]:
        """What tells this model's answers from others'. The batch size is not part of it: it changes the speed alone."""
        device, dtype = self._placement
        least, most = self._inputs.limits or (None, None)
        return {
            "kind": "huggingface",
            "name": self.name,
            "model_type": self.checkpoint.model_type,
            "architecture": self.checkpoint.architecture,
            "revision": self._revision,
            "dtype": dtype,
            "device": "cpu" if device == "cpu" else "cuda",
            "min_pixels": least,
            "max_pixels": most,
            "max_new_tokens": self.options.max_new_tokens,
            "temperature": self.options.temperature,
            "trust_remote_code": self.options.trust_remote_code,
            "versions": {package: version(package) for package in PACKAGES},
        }

    def check(self, taskset: TaskSet) -> None:
        first = next(iter(taskset), None)
        if first is not None and first.question.form.shape == "mask":
            raise NotApplicable(
                f"model {self.name!r} cannot answer task set {taskset.manifest.name!r}: it writes text, and no text family can "
                "write masks. Use tasks that ask for points or boxes."
            )

    def answer(self, questions: Sequence[Question], taskset: TaskSet) -> list[Said]:
        """One text a question. With a temperature, each is drawn alone from its question's own seed: batches change nothing."""
        if self.options.temperature == 0:
            return self._generate(questions, taskset)
        return [said for question in questions for said in self._generate([question], taskset)]

    def _generate(self, questions: Sequence[Question], taskset: TaskSet) -> list[Said]:
        import torch  # noqa: PLC0415 # pyright: ignore[reportMissingImports] - an extra

        batch = self._inputs.batch(questions, taskset, room=self._room)
        tensors = batch.tensors.to(self._model.device, dtype=self._model.dtype)
        with torch.inference_mode(), _seeded(questions[0].id) if self.options.temperature else nullcontext():
            try:
                tokens = self._model.generate(**tensors)  # (B, prompt + new)
            except torch.cuda.OutOfMemoryError as error:
                raise InputError(
                    f"model {self.name!r}: out of GPU memory with {len(questions)} questions at a time, the first of them "
                    f"{questions[0].id!r}. Use a smaller --batch-size; the same command goes on where this one stopped."
                ) from error
        new_tokens = tokens[:, tensors["input_ids"].shape[1] :].tolist()
        return [self._said(row, batch, index) for index, row in enumerate(new_tokens)]

    def _said(self, tokens: list[int], batch: Batch, row: int) -> Said:
        """The text of one row of new token ids, up to its end token."""
        ends = self._model.generation_config.eos_token_id or ()
        length = next((index for index, token in enumerate(tokens) if token in ends), None)
        kept = tokens[:length]
        text = self._inputs.processor.tokenizer.decode(kept, skip_special_tokens=False, clean_up_tokenization_spaces=False)
        num_answer_tokens = len(tokens) if length is None else length + 1
        exposure = msgspec.structs.replace(batch.exposures[row], num_answer_tokens=num_answer_tokens)
        usage = Usage(prompt_tokens=exposure.num_prompt_tokens or 0, answer_tokens=num_answer_tokens)
        return Said(text=text, cut=length is None, usage=usage, exposure=exposure)

    @property
    def _room(self) -> int | None:
        """How many tokens a prompt may have beside the longest answer."""
        positions = getattr(self._config.get_text_config(), "max_position_embeddings", None)
        return None if positions is None else positions - self.options.max_new_tokens

    @cached_property
    def _revision(self) -> str:
        return self.checkpoint.revision()

    @cached_property
    def _config(self) -> Any:  # noqa: ANN401 - any config class of transformers
        from transformers import AutoConfig  # noqa: PLC0415 # pyright: ignore[reportMissingImports]

        try:
            return AutoConfig.from_pretrained(
                self.checkpoint.path, local_files_only=True, trust_remote_code=self.options.trust_remote_code
            )
        except (OSError, ValueError, KeyError) as error:
            raise InputError(
                f"{self.checkpoint.path}: transformers {version('transformers')} cannot read its config ({error}). If the model "
                "brings its own code and you trust it, add --trust-remote-code."
            ) from error

    @cached_property
    def _inputs(self) -> Inputs:
        return Inputs(self.checkpoint, self.options, config=self._config)

    @cached_property
    def _placement(self) -> tuple[str, str]:
        """Device ("auto" is spread by accelerate) and number format."""
        import torch  # noqa: PLC0415 # pyright: ignore[reportMissingImports]

        has_gpu = torch.cuda.is_available()
        device = self.options.device or ("cuda" if has_gpu else "cpu")
        if device != "auto":
            try:
                kind = torch.device(device).type
            except RuntimeError as error:
                raise InputError(f"--device {device!r}: expected auto, cpu, cuda or cuda:N ({error}).") from error
            if kind == "cuda" and not has_gpu:
                raise InputError(f"--device {device!r}: torch {torch.__version__} sees no GPU here. Use --device cpu.")
        on_gpu = has_gpu and device != "cpu"
        if self.options.dtype != "auto":
            return device, self.options.dtype
        return device, "float32" if not on_gpu else "bfloat16" if torch.cuda.is_bf16_supported() else "float16"

    @cached_property
    def _model(self) -> Any:  # noqa: ANN401 - any model class
        import torch  # noqa: PLC0415 # pyright: ignore[reportMissingImports]
        from transformers import AutoModelForImageTextToText  # noqa: PLC0415 # pyright: ignore[reportMissingImports]
        from transformers.utils import logging  # noqa: PLC0415 # pyright: ignore[reportMissingImports]

        logging.disable_progress_bar()  # ours is on the screen
        device, dtype = self._placement
        try:
            loaded: Any = AutoModelForImageTextToText.from_pretrained(
                self.checkpoint.path,
                config=self._config,
                dtype=getattr(torch, dtype),
                device_map=device,
                local_files_only=True,
                use_safetensors=self.checkpoint.safetensors,
                weights_only=True,
                trust_remote_code=self.options.trust_remote_code,
                output_loading_info=True,
            )
        except (OSError, ValueError, RuntimeError, KeyError, UnpicklingError) as error:
            raise InputError(
                f"{self.checkpoint.path}: the model cannot be loaded ({error}). Get config.json and weights that belong together."
            ) from error
        model, report = loaded
        refuse_missing(self.checkpoint, report["missing_keys"])
        model.generation_config = self._generation(model.generation_config)
        return model.eval()

    def _generation(self, declared: Any) -> Any:  # noqa: ANN401 - transformers'
        """Generation settings: the end tokens of the checkpoint and of its tokenizer, everything else as declared in `options`."""
        from transformers import GenerationConfig  # noqa: PLC0415 # pyright: ignore[reportMissingImports]

        tokenizer = self._inputs.processor.tokenizer
        ends = declared.eos_token_id if isinstance(declared.eos_token_id, list) else [declared.eos_token_id]
        drawn = {"temperature": self.options.temperature, "top_k": 0, "top_p": 1.0} if self.options.temperature else {}
        return GenerationConfig(
            max_new_tokens=self.options.max_new_tokens,
            do_sample=bool(drawn),
            num_beams=1,
            bos_token_id=declared.bos_token_id,
            pad_token_id=tokenizer.pad_token_id,
            eos_token_id=sorted({token for token in [*ends, tokenizer.eos_token_id] if token is not None}) or None,
            **drawn,
        )


def refuse_missing(checkpoint: Checkpoint, missing: Collection[str]) -> None:
    """transformers fills weights that it does not find with random numbers and only warns."""
    if missing:
        names = sorted(missing)
        raise InputError(
            f"{checkpoint.path}: its weights lack {len(names)} tensors that a {checkpoint.architecture} has, such as "
            f"{', '.join(names[:3])}; they would be random numbers. Get the weights and the config.json that belong together."
        )


@contextmanager
def _seeded(example_id: str) -> Iterator[None]:
    """Draws inside depend on the example alone; the generators outside are left as they were."""
    import torch  # noqa: PLC0415 # pyright: ignore[reportMissingImports]

    seed = int.from_bytes(hashlib.blake2b(example_id.encode(), digest_size=7).digest(), "big")
    with torch.random.fork_rng():
        torch.manual_seed(seed)
        yield
