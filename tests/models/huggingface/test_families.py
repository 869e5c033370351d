from itertools import takewhile
from pathlib import Path

from sightline.dialects import DIALECTS
from sightline.models.huggingface.families import FAMILIES, PLAIN_PROMPT

DOCS = Path(__file__).parents[3] / "docs" / "models.md"
HEADER = "| model_type | families | dialect |"


def test_every_family_has_a_dialect_that_exists_and_stands_in_the_documentation():
    lines = DOCS.read_text(encoding="utf-8").splitlines()
    table = takewhile(lambda line: line.startswith("|"), lines[lines.index(HEADER) + 2 :])
    rows = [line.split("|") for line in table]
    documented = {name.strip(" `"): row[3].split("`")[1] for row in rows for name in row[1].split(",")}
    assert documented == FAMILIES
    assert set(FAMILIES.values()) <= DIALECTS.keys()
    assert FAMILIES.keys() >= PLAIN_PROMPT
