"""`sightline --help` in the order in which a newcomer meets the commands, not that of their modules."""

from typing import Any

from typer.core import TyperGroup

SECTIONS: dict[str, tuple[str, ...]] = {
    "Begin": ("demo", "doctor", "datasets"),
    "Data": ("check-data", "prepare", "depth", "geometry", "choose-frames", "name-objects", "leaks", "mixtures"),
    "Task sets": ("build", "show", "import", "export"),
    "Models": ("eval", "predict", "score", "compare", "report", "track", "eval-vos", "serve"),
    "Training": (
        "check",
        "train",
        "cache-features",
        "assemble-sa2va",
        "assemble-spatial-mllm",
        "demo-clips",
        "demo-expressions",
        "demo-geometry",
    ),
}


class Sections(TyperGroup):
    """A group whose help lists its commands by `SECTIONS`; one that stands in none comes at the end, under "Others"."""

    def format_commands(self, ctx: Any, formatter: Any) -> None:  # noqa: ANN401, ARG002 - typer's own copy of click
        """Write the sections."""
        shown = {name: command for name, command in self.commands.items() if not command.hidden}
        others = tuple(name for name in shown if not any(name in names for names in SECTIONS.values()))
        width = formatter.width - 6 - max(map(len, shown))
        for title, names in (SECTIONS | {"Others": others}).items():
            if rows := [(name, shown[name].get_short_help_str(width)) for name in names if name in shown]:
                with formatter.section(title):
                    formatter.write_dl(rows, col_max=max(map(len, shown)), col_spacing=2)
