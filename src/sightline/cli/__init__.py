"""The command line: `sightline --help`. Errors are one paragraph and exit code 2; `--debug` shows where they arose.

Commands import what they need when they run, so that `--help` answers at once.
"""

import errno
import json
import sys

import typer
import typer.exceptions

from sightline.cli.sections import Sections
from sightline.errors import InputError

FULL = {errno.ENOSPC: "the disk is full", errno.EDQUOT: "the quota is used up", errno.EFBIG: "a file may not become larger"}

app = typer.Typer(
    name="sightline",
    cls=Sections,
    no_args_is_help=True,
    add_completion=False,
    rich_markup_mode=None,
    help="Spatial-grounding tasks from masks, boxes, depth and poses: build them, ask any model, score and look.",
    epilog="Add --debug to any command for the traceback of an error, --json for output that programs read.",
)


def main() -> None:
    """Run the command line of this process and exit."""
    arguments = [argument for argument in sys.argv[1:] if argument != "--debug"]
    sys.exit(run(arguments, debug="--debug" in sys.argv[1:]))


def run(arguments: list[str], *, debug: bool = False) -> int:
    """Run one command and return its exit code: 0, 1 (the check found something), 2 (the user can mend it), 70 (our mistake)."""
    from sightline.cli import (  # noqa: F401, PLC0415 - importing registers the commands
        assemble_sa2va,
        assemble_spatial_mllm,
        build,
        cache_features,
        check,
        choose_frames,
        demo,
        depth,
        eval_sam2,
        eval_vos,
        export,
        geometry,
        inspect,
        leaks,
        mixtures,
        name_objects,
        prepare,
        prepare_scan,
        runs,
        serve,
        track,
        train,
    )

    if arguments[:2] == ["eval", "sam2"]:  # KEY=VALUE arguments, and none of the options of `eval`
        arguments = ["eval-sam2", *arguments[2:]]
    try:
        code = app(args=arguments, standalone_mode=False)
    except typer.exceptions.TyperException as error:
        if debug:
            raise
        context = getattr(error, "ctx", None)
        command = context.command_path if context is not None else "sightline"
        _report(error, arguments, f"{error.format_message().rstrip('.')}. `{command} --help` lists what it takes.")
        return 2
    except (typer.Abort, KeyboardInterrupt):
        print("Stopped. The same command goes on where it was.", file=sys.stderr)
        return 130
    except (InputError, OSError) as error:
        if debug:
            raise
        _report(error, arguments, _words(error))
        return 2
    except Exception as error:
        if debug:
            raise
        _report(
            error, arguments, f"{type(error).__name__}: {error}. This is a mistake in Sightline: please report it with --debug."
        )
        return 70
    return code if isinstance(code, int) else 0


def _words(error: InputError | OSError) -> str:
    if isinstance(error, OSError) and error.errno in FULL:
        return f"{FULL[error.errno]} ({error}). Whatever is complete is kept: make room and run the same command again."
    return str(error)


def _report(error: BaseException, arguments: list[str], message: str) -> None:
    print(f"error: {message}", file=sys.stderr)
    if "--json" in arguments:
        print(json.dumps({"error": message, "kind": type(error).__name__}))
