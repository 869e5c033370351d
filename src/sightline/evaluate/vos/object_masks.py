"""One object's two masks in one frame, as its protocol reads them; for pictures of what went wrong."""

import numpy as np
from jaxtyping import Bool

from sightline.evaluate.vos.protocols import Folders
from sightline.evaluate.vos.saved import VOID, check_size, has_object_folders, read_labels, read_object


def object_masks(
    folders: Folders, protocol: str, video: str, object_id: str, frame: str
) -> tuple[Bool[np.ndarray, "h w"], Bool[np.ndarray, "h w"]]:
    """The annotated and the predicted mask; `frame` is the file's name. A video that was not predicted (mose2) has empty masks.

    Raises:
        FileNotFoundError, InputError: a file is gone, or the two are of different sizes.
    """
    if protocol == "sav" and has_object_folders(folders.truth / video):
        truth = read_object(folders.truth, video, object_id, frame)
        said = read_object(folders.predicted, video, object_id, frame)
        check_size(truth, said, f"{folders.predicted / video / object_id / frame}")
        return truth > 0, said > 0
    truth = read_labels(folders.truth, video, frame)
    predicted = (folders.predicted / video).is_dir()
    said = read_labels(folders.predicted, video, frame) if predicted else np.zeros_like(truth)
    check_size(truth, said, f"{folders.predicted / video / frame}")
    if protocol == "davis2016":
        return (truth > 0) & (truth != VOID), said > 0
    return truth == int(object_id), said == int(object_id)
