"""`sightline serve`: a model as a small HTTP service."""

import json as json_text
import os
import signal
import socket
import threading
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from sightline.cli import app
from sightline.cli.console import Json, say
from sightline.cli.model_options import takes_model_options
from sightline.errors import InputError

if TYPE_CHECKING:
    from sightline.models import ModelOptions

TOKEN_VARIABLE = "SIGHTLINE_TOKEN"  # noqa: S105 - the variable's name


@app.command()
@takes_model_options
def serve(  # noqa: PLR0913 - one parameter an option
    *,
    model: Annotated[str, typer.Option(help="A baseline, hf:FOLDER, roborefer:FOLDER, openai:URL#NAME, or sa2va:FOLDER.")],
    options: "ModelOptions",
    host: Annotated[str, typer.Option(help="Address to listen at; any but loopback needs a token.")] = "127.0.0.1",
    port: Annotated[int, typer.Option(min=0, max=65535, help="0 takes a free one.")] = 8008,
    token_env: Annotated[str | None, typer.Option(help=f"Environment variable with the token, if not {TOKEN_VARIABLE}.")] = None,
    max_batch: Annotated[
        int | None, typer.Option(min=1, help="Requests answered together; else as many as the model takes.")
    ] = None,
    max_wait_ms: Annotated[float, typer.Option(min=0.0, help="Longest wait for requests that are just being read.")] = 20.0,
    max_queue: Annotated[int, typer.Option(min=1, help="Requests that may wait; more are refused with 503.")] = 32,
    request_timeout: Annotated[float, typer.Option(min=0.1, help="Seconds for one request, its wait included.")] = 60.0,
    max_body_mb: Annotated[float, typer.Option(min=0.001, help="Megabytes of one request.")] = 32.0,
    max_request_pixels: Annotated[int, typer.Option(min=1, help="Pixels of all pictures of one request together.")] = 16_000_000,
    depth_model: Annotated[
        str | None, typer.Option(help="Folder of a depth network for /query of a RoboRefer: depth of pictures sent without.")
    ] = None,
    clips: Annotated[Path | None, typer.Option(help="Folder of clips that may be asked about by name.")] = None,
    max_frames: Annotated[int, typer.Option(min=1, help="Frames of one clip that a model of masks is shown.")] = 64,
    grace: Annotated[float, typer.Option(min=0.0, help="Seconds to finish what is under way when told to stop.")] = 30.0,
    json: Json = False,
) -> None:
    """Answer over HTTP where something is: POST /v1/point, masks: /v1/segment. Ctrl-C or SIGTERM stops it when all are answered."""
    import msgspec  # noqa: PLC0415

    from sightline.models import get_model  # noqa: PLC0415
    from sightline.models.depth import depth_model as network  # noqa: PLC0415
    from sightline.serve.access import access_to  # noqa: PLC0415
    from sightline.serve.clips import ClipFolder  # noqa: PLC0415
    from sightline.serve.depth_maker import DepthMaker  # noqa: PLC0415
    from sightline.serve.posted import Limits  # noqa: PLC0415
    from sightline.serve.server import Server  # noqa: PLC0415
    from sightline.serve.service import Service, Settings  # noqa: PLC0415

    access = access_to(host, os.environ, variable=token_env or TOKEN_VARIABLE, asked=token_env is not None)
    # nobody waits longer for a server behind this one
    chosen = get_model(model, msgspec.structs.replace(options, budget_s=min(options.budget_s, request_timeout)))
    settings = Settings(
        max_batch=max_batch or chosen.batch_size,
        max_wait_s=max_wait_ms / 1000,
        max_queue=max_queue,
        timeout_s=request_timeout,
        limits=Limits(max_body_bytes=round(max_body_mb * 1e6), max_pixels=max_request_pixels, max_frames=max_frames),
    )
    if clips is not None and not clips.is_dir():
        raise FileNotFoundError(f"--clips {clips}: no such folder.")
    makes_depth = None
    if depth_model is not None:
        if chosen.describe()["kind"] != "roborefer":
            raise InputError(f"--depth-model is for roborefer: models; {chosen.name!r} is none. Leave it out.")
        makes_depth = DepthMaker(network(depth_model, device=options.device))
    service = Service(chosen, settings, clips=None if clips is None else ClipFolder(clips), makes_depth=makes_depth)
    try:
        server = Server(service, (host, port), access)
    except OSError as error:
        raise InputError(f"--host {host} --port {port}: {error.strerror}. Give another port; 0 takes a free one.") from error
    service.warm_up()
    stop = _stop_on_signal()
    if json:
        print(json_text.dumps({"url": server.url, "pid": os.getpid(), **service.health()}), flush=True)
    else:
        where = f"{server.url}/v1/segment, and shows it at {server.url}/" if service.gives_masks else f"{server.url}/v1/point"
        print(f"{chosen.name} answers at {where}. Ctrl-C stops it.", flush=True)
    if not server.run(stop, grace_s=grace):
        say(f"Stopped after {grace:g} s with requests still unanswered.")


def _stop_on_signal() -> threading.Event:
    """Set by the first SIGINT or SIGTERM; the second one ends the process at once.

    The event is set by a thread that the signal wakes through a socket. A handler could not: it may run while the main thread holds
    the event's lock, and it does not run at all if the signal comes just before that thread begins to wait.
    """
    stop = threading.Event()
    reading, writing = socket.socketpair()
    writing.setblocking(False)
    signal.set_wakeup_fd(writing.fileno(), warn_on_full_buffer=False)

    def watch(_writing: socket.socket) -> None:
        reading.recv(1)
        stop.set()

    threading.Thread(target=watch, args=(writing,), name="signals", daemon=True).start()
    for number in (signal.SIGINT, signal.SIGTERM):
        signal.signal(number, lambda number, _frame: signal.signal(number, signal.SIG_DFL))
    return stop
