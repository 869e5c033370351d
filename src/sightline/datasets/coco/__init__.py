"""COCO's JSON: pictures, CocoVID and YouTube-VIS, and the masks and slices all of them share."""
