"""gRefCOCO: expressions that mean any number of objects of a picture, or none. The layout is that of RefCOCO but for this:

    {root}/grefcoco/instances.json  grefs(unc).json      or grefs(unc).p
    {"ref_id": 3, "ann_id": [4001, 4002], "image_id": 9001, "split": "testA", "sentences": [{"sent_id": 5, "sent": "both dogs"}]}
    {"ref_id": 4, "ann_id": [-1], ...}                   nothing in the picture is meant

`ann_id` is a list. An expression without target has `object_ids` () and the kind "no_target". Crowd annotations stay tracks, but
are taken out of what an expression means, as the authors' loader does; that is told in `problems`. Source: henghuiding/ReLA.
"""

from sightline.datasets.referring.refcoco import RefCocoFormat
from sightline.datasets.referring.refs import ReferSet

GREFCOCO = RefCocoFormat(ReferSet("grefcoco", ("unc",), prefix="g", crowds=False))
