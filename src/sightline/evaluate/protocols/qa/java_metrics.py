"""METEOR, SPICE and the Penn Treebank tokenizer: Java programs whose jars the package pycocoevalcap carries.

They run where `java` and the package are (pip install 'sightline[captions]'). Where they are not, or a program ends with an error,
the metric is "not run" with the reason, never 0. The jars are called here and not through the package: its wrapper waits for ever
for a METEOR that has died. SPICE also needs models that the package fetches on demand (`spice/get_stanford_models.py`) and an old
Java.
"""

import importlib.util
import json
import shutil
import subprocess
import tempfile
from collections.abc import Sequence
from pathlib import Path

PACKAGE = "pycocoevalcap"
TIMEOUT_S = 1800
METEOR, TOKENIZER = "meteor/meteor-1.5.jar", "tokenizer/stanford-corenlp-3.4.1.jar"
SPICE, SPICE_MODELS = "spice/spice-1.0.jar", "spice/lib/stanford-corenlp-3.6.0-models.jar"
PUNCTUATION = frozenset(("''", "'", "``", "`", "-LRB-", "-RRB-", "-LCB-", "-RCB-", ".", "?", "!", ",", ":", "-", "--", "...", ";"))


class NotRun(Exception):  # noqa: N818 - says what happened
    """A metric could not be computed; the message says why and what to do."""


def treebank(texts: Sequence[Sequence[str]]) -> list[list[str]]:
    """The texts in the words of the Penn Treebank tokenizer, lower case, punctuation dropped.

    Raises:
        NotRun: no Java, no package, or the program failed.
    """
    jar = _jar(TOKENIZER, "the PTB tokenizer")
    lines = [text.replace("\n", " ") for group in texts for text in group]
    command = ["java", "-cp", str(jar), "edu.stanford.nlp.process.PTBTokenizer", "-preserveLines", "-lowerCase"]
    found = _run(command, "\n".join(lines), "the PTB tokenizer").split("\n")
    words = iter([" ".join(word for word in line.rstrip().split(" ") if word not in PUNCTUATION) for line in found])
    return [[next(words, "") for _ in group] for group in texts]


def meteor(texts: Sequence[str], references: Sequence[Sequence[str]]) -> float:
    """METEOR 1.5 (0..1) of the corpus.

    Raises:
        NotRun: as for `treebank`.
    """
    command = ["java", "-Xmx2G", "-jar", str(_jar(METEOR, "METEOR")), "-", "-", "-stdio", "-l", "en", "-norm"]
    pairs = zip(texts, references, strict=True)
    lines = [" ||| ".join(("SCORE", *map(_one_line, accepted), _one_line(text).replace("  ", " "))) for text, accepted in pairs]
    counted = _run(command, "\n".join(lines) + "\n", "METEOR").splitlines()
    if len(counted) != len(texts):
        raise NotRun(f"METEOR answered {len(counted)} lines to {len(texts)} texts")
    scores = _run(command, " ||| ".join(("EVAL", *(line.strip() for line in counted))) + "\n", "METEOR").split()
    if len(scores) != len(texts) + 1:
        raise NotRun(f"METEOR gave {len(scores)} scores for {len(texts)} texts and their mean")
    return float(scores[-1])


def spice(texts: Sequence[str], references: Sequence[Sequence[str]]) -> float:
    """SPICE (0..1), the mean over the texts.

    Raises:
        NotRun: as for `treebank`, or its models are not there.
    """
    jar = _jar(SPICE, "SPICE")
    if not (jar.parent.parent / SPICE_MODELS).is_file():
        raise NotRun(f"SPICE needs models that are not here: run {PACKAGE}'s spice/get_stanford_models.py once")
    with tempfile.TemporaryDirectory() as folder:
        asked, answered = Path(folder) / "in.json", Path(folder) / "out.json"
        pairs = enumerate(zip(texts, references, strict=True))
        asked.write_text(json.dumps([{"image_id": i, "test": text, "refs": list(accepted)} for i, (text, accepted) in pairs]))
        _run(["java", "-Xmx8G", "-jar", str(jar), str(asked), "-out", str(answered), "-subset", "-silent"], "", "SPICE")
        if not answered.is_file():
            raise NotRun("SPICE wrote no result")
        scores = [float(entry["scores"]["All"]["f"]) for entry in json.loads(answered.read_text())]
    return sum(scores) / len(scores)


def _jar(name: str, metric: str) -> Path:
    spec = importlib.util.find_spec(PACKAGE)
    folders = list(spec.submodule_search_locations or ()) if spec is not None else []
    missing = [] if folders else [f"the package {PACKAGE} (pip install 'sightline[captions]')"]
    if shutil.which("java") is None:
        missing.append("a program called java (any JRE from version 8 on the PATH)")
    if missing:
        raise NotRun(f"{metric} needs {' and '.join(missing)}")
    jar = Path(folders[0]) / name
    if not jar.is_file():
        raise NotRun(f"{metric} needs {name}, which {folders[0]} does not have: install {PACKAGE} 1.2")
    return jar


def _run(command: Sequence[str], text: str, metric: str) -> str:
    try:
        done = subprocess.run(command, input=text.encode(), capture_output=True, check=True, timeout=TIMEOUT_S)
    except subprocess.CalledProcessError as error:
        said = error.stderr.decode(errors="replace").strip().splitlines()
        raise NotRun(f"{metric} ended with status {error.returncode}: {said[-1] if said else 'no message'}") from error
    except (OSError, subprocess.TimeoutExpired) as error:
        raise NotRun(f"{metric} did not run: {error}") from error
    return done.stdout.decode(errors="replace")


def _one_line(text: str) -> str:
    """A text cannot hold what separates texts and lines in METEOR's input."""
    return " ".join(text.replace("|||", "").splitlines())
