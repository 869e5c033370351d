"""`sightline export` for trainers and toolkits, and `sightline import predictions` from them."""

import enum
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from sightline.cli.console import Json, Out, emit, plain, print_table
from sightline.cli.export.exchange import export_app, import_app

if TYPE_CHECKING:
    from sightline.export.files import Exported

TaskSets = Annotated[list[Path], typer.Argument(help="Task sets.")]
DialectName = Annotated[str, typer.Option("--dialect", help="How prompts and answers are written: roborefer, qwen25, qwen3, ...")]
MediaRoot = Annotated[Path | None, typer.Option(help="Paths of pictures are relative to this folder, in which they lie already.")]
CopyMedia = Annotated[bool, typer.Option("--copy-media", help="Copy each picture once to OUT/media; paths are relative to OUT.")]


class FormName(enum.StrEnum):
    llava = "llava"
    sharegpt = "sharegpt"
    messages = "messages"


class FormatName(enum.StrEnum):
    lmms_eval = "lmms-eval"
    vlmevalkit = "vlmevalkit"
    jsonl = "jsonl"


@export_app.command("llava")
def export_llava(
    tasksets: TaskSets,
    *,
    out: Out,
    dialect: DialectName,
    form: Annotated[FormName, typer.Option(help="LLaVA's keys, ShareGPT's, or role and content.")] = FormName.llava,
    media_root: MediaRoot = None,
    copy_media: CopyMedia = False,
    json: Json = False,
) -> None:
    """JSON for LLaVA, the Qwen-VL fine-tuning code, LLaMA-Factory and ms-swift: one <image> per picture."""
    from sightline.dialects import get_dialect  # noqa: PLC0415
    from sightline.export.files import choose_root  # noqa: PLC0415
    from sightline.export.llava import export_llava as write  # noqa: PLC0415

    root = choose_root(media_root, copy_media=copy_media)
    _show(write(tasksets, out, dialect=get_dialect(dialect), form=form.value, media_root=root), json=json)


@export_app.command("vila")
def export_vila(  # noqa: PLR0913 - one parameter an option
    tasksets: TaskSets,
    *,
    out: Out,
    dialect: DialectName = "roborefer",
    depth: Annotated[bool, typer.Option("--depth", help="Also depth maps, as RoboRefer reads them, in OUT/depth.")] = False,
    depth_from: Annotated[
        Path | None, typer.Option(help="The same from a folder that `sightline depth` made, instead of the data set's own depth.")
    ] = None,
    media_root: MediaRoot = None,
    copy_media: CopyMedia = False,
    json: Json = False,
) -> None:
    """JSON for RoboRefer and VILA: no media tokens, lists of pictures and depth maps."""
    from sightline.dialects import get_dialect  # noqa: PLC0415
    from sightline.export.files import choose_root  # noqa: PLC0415
    from sightline.export.vila import export_vila as write  # noqa: PLC0415

    root = choose_root(media_root, copy_media=copy_media)
    _show(
        write(tasksets, out, dialect=get_dialect(dialect), media_root=root, depth=depth, depth_from=depth_from),
        json=json,
    )


@export_app.command("parquet")
def export_parquet(tasksets: TaskSets, *, out: Out, dialect: DialectName, json: Json = False) -> None:
    """Parquet with the pictures in it, for Hugging Face datasets."""
    from sightline.dialects import get_dialect  # noqa: PLC0415
    from sightline.export.parquet import export_parquet as write  # noqa: PLC0415

    _show(write(tasksets, out, dialect=get_dialect(dialect)), json=json)


@export_app.command("vlmevalkit")
def export_vlmevalkit(
    tasksets: TaskSets, *, out: Out, dialect: DialectName, media_root: MediaRoot = None, json: Json = False
) -> None:
    """TSV for VLMEvalKit; the pictures are in it unless --media-root says where they lie."""
    from sightline.dialects import get_dialect  # noqa: PLC0415
    from sightline.export.vlmevalkit import export_vlmevalkit as write  # noqa: PLC0415

    _show(write(tasksets, out, dialect=get_dialect(dialect), media_root=media_root), json=json)


@export_app.command("lmms-eval")
def export_lmms_eval(
    taskset: Annotated[Path, typer.Argument(help="A task set.")], *, out: Out, dialect: DialectName, json: Json = False
) -> None:
    """A task folder of lmms-eval, which scores as Sightline does."""
    from sightline.dialects import get_dialect  # noqa: PLC0415
    from sightline.evaluate.lmms_eval import metric_names  # noqa: PLC0415
    from sightline.export.lmms_eval import export_lmms_eval as write  # noqa: PLC0415
    from sightline.taskset.store import TaskSet  # noqa: PLC0415

    metrics = metric_names(TaskSet(taskset).manifest.task)
    _show(write(taskset, out, dialect=get_dialect(dialect), metrics=metrics), json=json)


@export_app.command("coco")
def export_coco(
    taskset: Annotated[Path, typer.Argument(help="A task set whose target is a box or a mask.")],
    *,
    out: Out,
    media_root: MediaRoot = None,
    copy_media: CopyMedia = False,
    json: Json = False,
) -> None:
    """COCO detection JSON of box and mask targets."""
    from sightline.export.coco import export_coco as write  # noqa: PLC0415
    from sightline.export.files import choose_root  # noqa: PLC0415

    _show(write(taskset, out, media_root=choose_root(media_root, copy_media=copy_media)), json=json)


@import_app.command("predictions")
def import_predictions(
    file: Annotated[Path, typer.Argument(help="Answers: *_samples_*.jsonl, a TSV with predictions, or RoboPoint's answer JSONL.")],
    *,
    kind: Annotated[FormatName, typer.Option("--format", help="The tool that wrote the file.")],
    taskset: Annotated[Path, typer.Option(help="The task set that was asked.")],
    dialect: Annotated[str, typer.Option("--dialect", help="How the model writes: roborefer, qwen25, qwen3, ...")],
    out: Out,
    name: Annotated[str | None, typer.Option(help="The model's name in tables; default: the file's name.")] = None,
    json: Json = False,
) -> None:
    """A run from answers that another tool recorded: score it like any other."""
    from sightline.dialects import get_dialect  # noqa: PLC0415
    from sightline.evaluate.predict import predict  # noqa: PLC0415
    from sightline.export.predictions import read_answers  # noqa: PLC0415
    from sightline.taskset.store import TaskSet  # noqa: PLC0415

    asked = TaskSet(taskset)
    model = read_answers(file, kind.value, taskset=asked, dialect=get_dialect(dialect), name=name)
    info = predict(asked, model, out)
    emit(plain(info), as_json=json, text=lambda: print(f"{out}: answers read. Next: sightline score {out}"))


def _show(exported: "Exported", *, json: bool) -> None:
    def text() -> None:
        print_table(exported.path, ("file", "rows"), list(exported.rows.items()))
        if exported.num_copied:
            print(f"{exported.num_copied} pictures copied")
        if exported.left_out:
            print_table("Left out (see left_out.jsonl)", ("reason", "examples"), list(exported.left_out.items()))

    emit(plain(exported), as_json=json, text=text)
