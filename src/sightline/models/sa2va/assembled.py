"""A Sa2VA to be trained, as the published training begins: a language model that sees, a SAM 2.0, and what is new between them.

New are the tokens `[SEG]`, `<p>`, `</p>`, `<vp>`, `</vp>` with their rows in the embeddings and the head, each number drawn with
the mean and deviation of its column, and the projection, drawn as torch draws linear layers. All else is as it was.
"""

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import torch
from torch import Tensor

from sightline.errors import InputError
from sightline.files import read_json, whole_folder, write_json, write_whole
from sightline.models.checkpoint import PROCESSORS, Checkpoint, open_checkpoint
from sightline.models.named_weights import fill
from sightline.models.sa2va.checkpoint import (
    EMBEDDING,
    HEAD,
    MODEL_TYPE,
    published_state,
    read_family,
    read_tensors,
    read_tokenizer,
)
from sightline.models.sa2va.conversation import NEW_TOKENS
from sightline.models.sa2va.grounding import Grounding
from sightline.models.sa2va.internlm2 import KIND as INTERNLM2
from sightline.models.sa2va.network import Sa2Va
from sightline.models.sa2va.sizes import sam2_config, sizes_of
from sightline.models.sam2.weights import load_sam2

INTERNVL = "internvl_chat"
QWEN_VL = ("qwen2_5_vl", "qwen3_vl")
ARCHITECTURES = {INTERNVL: "Sa2VAChatModel"} | dict.fromkeys(QWEN_VL, "Sa2VAChatModelQwen")
BESIDE = (*PROCESSORS, "chat_template.jinja", "chat_template.json", "generation_config.json")
RUNS_CODE = ("auto_map", "_name_or_path")


def write_assembled(mllm: Path, sam2: Path, out: Path, *, sam2_yaml: Path | None = None, seed: int = 0) -> Path:
    """Write the checkpoint to `out`, whole or not at all, the language model in the number format of its own weights.

    Args:
        mllm: an InternVL 2.5 or 3 in OpenGVLab's own layout, a Qwen2.5-VL or a Qwen3-VL.
        sam2: a SAM 2.0, of any size.
        sam2_yaml: of a `.pt` file.
        seed: of what is new.

    Raises:
        FileNotFoundError: no such folder or file.
        InputError: a checkpoint of another kind, weights that do not fit, or `out` is there already.
    """
    if out.exists():
        raise InputError(f"{out} is there already. Delete it, or choose another folder.")
    checkpoint = open_checkpoint(mllm, processor=False)
    masks = load_sam2(sam2, config=sam2_yaml)
    if masks.config.enable_occlusion_spatial_embedding:
        raise InputError(f"{sam2}: a SAM 2.1; Sa2VA has a SAM 2.0, published with sam2_hiera_large.pt. Take one of those.")
    config = _config(checkpoint) | sizes_of(masks.config)
    tokenizer = read_tokenizer(mllm)
    fresh = [token for token in NEW_TOKENS if token not in tokenizer.get_vocab()]
    tokenizer.add_tokens(fresh, special_tokens=True)
    with torch.random.fork_rng():
        torch.manual_seed(seed)
        language, family = _language(checkpoint, config, tokenizer)
        _add_rows(language, tokenizer.convert_tokens_to_ids(fresh), size=len(tokenizer))
        grounding = Grounding(sam2_config(config, where=sam2), language.config.get_text_config().hidden_size)
    fill(grounding.clip.model, masks.state_dict(), where=str(sam2))
    config[_text_key(config)]["vocab_size"] = language.get_input_embeddings().num_embeddings
    model = Sa2Va(language, grounding, family, tokenizer)
    with whole_folder(out) as partial:
        tokenizer.save_pretrained(partial)
        for name in BESIDE:
            if (mllm / name).is_file() and not (partial / name).exists():
                write_whole(partial / name, (mllm / name).read_bytes())
        write_json(partial / "config.json", config)
        _save(published_state(model), partial / "model.safetensors")
    return out


def _config(checkpoint: Checkpoint) -> dict[str, Any]:
    """The language model's config.json as that of a Sa2VA."""
    path, kind = checkpoint.path, checkpoint.model_type
    if kind not in ARCHITECTURES:
        remedy = " Take OpenGVLab's own folder, whose name has no -hf." if kind == "internvl" else ""
        raise InputError(f"{path}: a checkpoint of {kind!r}; expected one of {', '.join(ARCHITECTURES)}.{remedy}")
    if not checkpoint.safetensors:
        raise InputError(f"{path}: pickled .bin files; expected weights in safetensors.")
    if kind == INTERNVL:
        values = read_json(path / "config.json", dict[str, Any])
        if values.get("llm_config", {}).get("model_type") == INTERNLM2:
            raise InputError(
                f"{path}: its language model is an InternLM2, whose tokenizer cannot be written with new tokens. Begin with the "
                "published Sa2VA-8B or 26B, which have them."
            )
    else:
        from transformers import AutoConfig  # noqa: PLC0415

        values = AutoConfig.from_pretrained(path, local_files_only=True).to_dict()  # older folders have no text_config
    kept = {key: value for key, value in values.items() if key not in RUNS_CODE}
    return kept | {"model_type": MODEL_TYPE, "architectures": [ARCHITECTURES[kind]], "template": "qwen_chat"}


def _text_key(config: Mapping[str, Any]) -> str:
    return "llm_config" if "llm_config" in config else "text_config"


def _language(checkpoint: Checkpoint, config: Mapping[str, Any], tokenizer: Any) -> tuple[Any, Any]:  # noqa: ANN401
    """The language model with its weights, and its family."""
    family = read_family(config, tokenizer, checkpoint.path)
    if checkpoint.model_type == INTERNVL:
        own = family.from_published(read_tensors(checkpoint.weights))
    else:
        from transformers import AutoModelForImageTextToText  # noqa: PLC0415

        own = AutoModelForImageTextToText.from_pretrained(checkpoint.path, local_files_only=True, dtype="auto").state_dict()
    tied = HEAD not in own or own[HEAD].data_ptr() == own[EMBEDDING].data_ptr()
    own[HEAD] = own[EMBEDDING] if tied else own[HEAD]
    language: Any = family.network(own[EMBEDDING].dtype, tied=tied)
    fill(language, own, where=str(checkpoint.path))
    return language, family


def _add_rows(language: Any, ids: list[int], *, size: int) -> None:  # noqa: ANN401 - transformers'
    """Rows for the new tokens; tables that are long enough already (padded ones) get none, but the rows are drawn anew."""
    before = min(ids, default=size)
    if size > language.get_input_embeddings().num_embeddings:
        language.resize_token_embeddings(size, mean_resizing=False)
    tables: dict[int, Tensor] = {
        table.weight.data_ptr(): table.weight for table in (language.get_input_embeddings(), language.get_output_embeddings())
    }
    for weight in tables.values():
        known = weight.data[:before].float()
        drawn = torch.randn(len(ids), weight.shape[1]) * known.std(dim=0) + known.mean(dim=0)
        weight.data[ids] = drawn.to(weight.dtype)


def _save(state: Mapping[str, Tensor], path: Path) -> None:
    from safetensors.torch import save_file  # noqa: PLC0415

    save_file({name: tensor.detach().contiguous() for name, tensor in state.items()}, path, metadata={"format": "pt"})
