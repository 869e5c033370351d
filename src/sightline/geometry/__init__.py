"""Points, boxes, masks, resizing, cameras and visibility: pure functions on numbers and numpy arrays, in continuous pixels."""
