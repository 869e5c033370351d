"""The mirrored sentence: every word of direction changes sides, and nothing else does.

Only whole words count ("bright" and "upright" stay), and only where they mean a direction: "the dog that left the room", "what is
left over", "right now" and "all right" stay. Whether "left" is the verb is told from its neighbours; a word that could be either
is a direction.
"""

import re

PAIRS = {
    "left": "right",
    "leftmost": "rightmost",
    "leftward": "rightward",
    "leftwards": "rightwards",
    "lefthand": "righthand",
    "leftside": "rightside",
}
MIRRORED = PAIRS | {right: left for left, right in PAIRS.items()}
WORD = re.compile(r"[A-Za-z]+(?:'[a-z]+)?")
DIRECTION = re.compile(rf"(?<![\w'])(?:{'|'.join(sorted(MIRRORED, key=len, reverse=True))})(?![\w'])", re.IGNORECASE)
# neighbours that make "left" the verb, whatever else is around it
VERB_AFTER = frozenset({"behind", "over", "alone", "out", "empty", "open", "lying", "standing", "unattended"})
VERB_BEFORE = frozenset(
    {"has", "have", "had", "having", "who", "that", "which", "he", "she", "they", "it", "just", "already", "got"}
)
PASSIVE = frozenset({"was", "were", "been", "being", "gets"})
OBJECT_AFTER = frozenset({"the", "a", "an", "his", "her", "its", "their", "this"})
PLACE_BEFORE = frozenset(
    {"the", "to", "on", "at", "from", "far", "its", "his", "her", "their", "towards", "toward", "upper", "lower"}
)
SIDE_AFTER = frozenset({"of", "side", "hand", "most", "third", "half", "edge", "corner", "part", "one"})
# neighbours that make "right" mean "exactly", "correct", "at once"
EXACTLY_AFTER = frozenset(
    {"now", "away", "next", "after", "before", "behind", "there", "here", "beside", "under", "above", "angle"}
)
AGREED_BEFORE = frozenset({"all"})


def mirror_words(text: str) -> str:
    """`text` as it is said of the mirrored picture."""
    return DIRECTION.sub(lambda match: _cased(match[0]) if _is_direction(text, match) else match[0], text)


def has_direction(text: str) -> bool:
    """Whether the words name a side."""
    return mirror_words(text) != text


def _is_direction(text: str, match: re.Match[str]) -> bool:
    word = match[0].lower()
    before = _last_word(text[: match.start()])
    after = _first_word(text[match.end() :])
    if word == "left":
        return not _is_verb(before, after)
    if word == "right":
        return after in SIDE_AFTER or not (after in EXACTLY_AFTER or before in AGREED_BEFORE)
    return True


def _is_verb(before: str, after: str) -> bool:
    if after in SIDE_AFTER:
        return False
    if after in VERB_AFTER or before in VERB_BEFORE | PASSIVE:
        return True
    return after in OBJECT_AFTER and before not in PLACE_BEFORE and before != ""


def _last_word(text: str) -> str:
    words = WORD.findall(text.rpartition(".")[2])
    return words[-1].lower() if words else ""


def _first_word(text: str) -> str:
    match = WORD.search(text.partition(".")[0])
    return match[0].lower() if match else ""


def _cased(word: str) -> str:
    found = MIRRORED[word.lower()]
    return found.upper() if word.isupper() else found.capitalize() if word[0].isupper() else found
