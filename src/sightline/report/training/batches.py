"""The batches with which the stages of a training begin, in words, with what is to be learnt marked by colour and brackets."""

from collections.abc import Sequence

from sightline.report.markup import Html, element, join, shorten
from sightline.train.vlm.shown import DecodedBatch, DecodedSample, Stretch

NOTE = "Marked is what the model is to write; the loss is asked of nothing else. “x 48” behind a token: 48 tokens of a picture."


def batches(decoded: Sequence[DecodedBatch]) -> Html | None:
    """A fold for each batch, the first one open; None where the run has none."""
    if not decoded:
        return None
    note = element("p", NOTE, class_="note")
    return join(note, *(_batch(each, is_open=each is decoded[0]) for each in decoded))


def _batch(decoded: DecodedBatch, *, is_open: bool) -> Html:
    title = element("summary", f"Step {decoded.step:,}, stage {decoded.stage}")
    return element("details", title, *map(_sample, decoded.samples), open="" if is_open else None)


def _sample(sample: DecodedSample) -> Html:
    numbers = f"{sample.num_pictures} pictures, {sample.num_tokens:,} tokens, {sample.num_supervised:,} to be learnt"
    head = element("p", element("b", f"{sample.source}, {sample.id}"), f": {numbers}", class_="note")
    return join(head, element("pre", *map(_stretch, sample.stretches), class_="decoded", tabindex="0"))


def _stretch(stretch: Stretch) -> Html:
    words, left = shorten(stretch.text)
    words += f" … {left:,} more characters" if left else ""
    return element("mark", words, title="to be learnt") if stretch.supervised else join(words)
