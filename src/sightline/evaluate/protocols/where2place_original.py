"""Protocol "where2place-original": how Where2Place's authors count an answer, mistakes included.

Source: robopoint/eval/summarize_vqa.py of wentaoyuan/RoboPoint. The mean over the answers of the mean mask value of their points,
as in `refspatial_original`, of which this is the elder; what differs:

- Shares are multiplied by 640 and 480 whatever the picture's size is.
- The mask's grey is not thresholded: a point on a JPEG's soft edge counts a part.
- A box is in shares if its first number has a decimal point, else in pixels. It is filled on a canvas of 640 x 480, where negative
  numbers count from the other side; reversed corners make an empty box, not a failure. A decimal point in a later number only makes
  the parser fail, and the answer is left out of the mean.
- The mask is that of the line's number; here it is that of the picture's name (they are the same in the published data).
"""

from sightline.evaluate.protocols.refspatial_original import Box, ParserFails, Pixels, point_of, tuples

WIDTH, HEIGHT = 640, 480


def in_shares_of_vga(text: str, _width: int, _height: int) -> Pixels:
    """Tuples as they are read there.

    Raises:
        ParserFails: the answer is left out.
    """
    points, boxes = [], []
    for numbers in tuples(text):
        if len(numbers) == 2:
            points.append(point_of(numbers, WIDTH, HEIGHT))
        elif len(numbers) == 4:
            boxes.append(_box_of(numbers))
    return Pixels(tuple(points), tuple(boxes))


def _box_of(numbers: list[int | float]) -> Box:
    if isinstance(numbers[0], float):
        try:
            corners = [int(value * (WIDTH, HEIGHT)[index % 2]) for index, value in enumerate(numbers)]
        except OverflowError as error:
            raise ParserFails from error
    elif any(isinstance(value, float) for value in numbers):
        raise ParserFails
    else:
        corners = [int(value) for value in numbers]
    x0, x1, _ = slice(corners[0], corners[2]).indices(WIDTH)
    y0, y1, _ = slice(corners[1], corners[3]).indices(HEIGHT)
    return x0, y0, max(x0, x1), max(y0, y1)
