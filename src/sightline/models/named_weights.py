"""Weights by name into a network: every name there, no other, all of the right size, or an error that says which."""

from collections.abc import Mapping

from torch import Tensor, nn

from sightline.errors import InputError


def fill(model: nn.Module, tensors: Mapping[str, Tensor], *, where: str) -> None:
    """Copy `tensors` into the model, in the numbers that it has.

    Args:
        where: for messages: what they were read from.

    Raises:
        InputError: names missing or unknown, or another shape; the message names the first ones.
    """
    _check_names(model, tensors, where=where)
    model.load_state_dict(dict(tensors), strict=False)


def take(model: nn.Module, tensors: Mapping[str, Tensor], *, where: str) -> None:
    """Give the model these tensors as its own, without a copy; it may be on the meta device. Args and errors as of `fill`."""
    _check_names(model, tensors, where=where)
    model.load_state_dict(dict(tensors), assign=True)


def _check_names(model: nn.Module, tensors: Mapping[str, Tensor], *, where: str) -> None:
    expected = model.state_dict()
    missing, unknown = sorted(expected.keys() - tensors.keys()), sorted(tensors.keys() - expected.keys())
    other = [
        f"{name} is {tuple(tensors[name].shape)}, expected {tuple(tensor.shape)}"
        for name, tensor in expected.items()
        if name in tensors and tensors[name].shape != tensor.shape
    ]
    problems = [
        f"{len(names)} {what}: {', '.join(names[:3])}{', ...' if len(names) > 3 else ''}"
        for what, names in (("missing", missing), ("unknown", unknown), ("of another size", other))
        if names
    ]
    if problems:
        raise InputError(f"{where} does not fit the model ({'; '.join(problems)}). Is it the checkpoint of this configuration?")
