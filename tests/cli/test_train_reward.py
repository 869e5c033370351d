"""`sightline train reward` on the command line."""

import pytest

from sightline.cli import run


def test_the_help_lists_its_configurations(capsys):
    assert run(["train", "reward", "--help"]) == 0
    shown = capsys.readouterr().out
    assert "config: Answers are drawn" in shown
    assert "demo: The tiny model" in shown


def test_the_resolved_settings_are_shown_and_nothing_is_trained(capsys):
    pytest.importorskip("hydra", reason="needs the train extra")
    given = ["model.path=m", "data.tasksets=[t]", "--config-name", "demo", "--show-config"]
    assert run(["train", "reward", *given]) == 0
    shown = capsys.readouterr().out
    assert "dialect: pixels" in shown
    assert "inner_epochs: 1" in shown
