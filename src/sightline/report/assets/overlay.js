// Pictures with what is known about them drawn on top. All geometry is in pixels of the original picture; the view box does the scaling.
(() => {
  "use strict";

  const { h, s } = sightline.dom;
  const LAYERS = {
    truth: "truth (T)", mask: "mask", box: "boxes around masks", dilated: "dilated mask", points: "predictions", line: "error line", reference: "reference (R)",
    evidence: "objects of the rule", seam: "seam", depth: "depth",
    agreement: "masks against the truth (both green, only predicted orange, only true blue)",
  };
  const AT_FIRST_OFF = ["depth", "agreement"]; // they cover the picture
  const NUM_COLOURS = 7; // .run-0 .. .run-6 in the style sheet (Okabe-Ito without the truth's green)
  const SHAPES = ["circle", "square", "triangle", "pentagon"];
  // Where a point's letter stands, so that letters of close points do not cover each other or the point. T and R have their own.
  const PLACES = ["ne", "se", "sw", "e", "s", "w", "n"];

  // One picture; `runs` are the entries to draw: { letter, number, prediction }. `as` is the picture in another size,
  // { src, width, height }, drawn in that many pixels of the page.
  function picture(example, imageIndex, { runs, hidden, boxHeight = null, as = null }) {
    const image = example.images[imageIndex];
    const file = as || image;
    const lines = s("svg", { viewBox: `0 0 ${image.width} ${image.height}`, preserveAspectRatio: "none", "aria-hidden": "true" });
    const frame = h("div.frame", {}, h("img", { loading: as ? "lazy" : "eager", decoding: "async", src: file.src, alt: image.roles.join(" and ") + " picture" }), lines);
    frame.style.aspectRatio = `${file.width} / ${file.height}`;
    if (as) frame.style.width = `${as.width}px`;
    if (boxHeight) frame.style.width = `min(100%, ${(boxHeight * image.width) / image.height}px)`;
    const draw = { example, image, imageIndex, lines, frame, shows: (layer) => !hidden.has(layer) };
    drawDepth(draw);
    drawSeam(draw);
    drawReference(draw);
    drawEvidence(draw);
    drawTruth(draw);
    const drawn = runs.filter(({ letter }) => !hidden.has(letter));
    if (drawn.length) drawAgreement(draw, drawn[0]);
    for (const run of drawn) drawPrediction(draw, run);
    return frame;
  }

  // Over its own view only, which may be one half of the picture.
  function drawDepth({ example, image, imageIndex, lines, shows }) {
    if (!shows("depth")) return;
    for (const { image: index, depth, x, y, width, height } of example.panels) {
      if (index !== imageIndex || !depth) continue;
      const colours = h("img.depth", { src: depth.src, alt: "", decoding: "async" });
      for (const [side, value, whole] of [["left", x, image.width], ["top", y, image.height], ["width", width, image.width], ["height", height, image.height]]) {
        colours.style[side] = `${(100 * value) / whole}%`;
      }
      lines.before(colours);
    }
  }

  function drawSeam({ example, image, imageIndex, lines, shows }) {
    if (!shows("seam")) return;
    for (const panel of example.panels) {
      if (panel.image !== imageIndex) continue;
      if (panel.x > 0) lines.append(s("line", { class: "seam", x1: panel.x, x2: panel.x, y1: 0, y2: image.height }));
      if (panel.y > 0) lines.append(s("line", { class: "seam", x1: 0, x2: image.width, y1: panel.y, y2: panel.y }));
    }
  }

  function drawReference(draw) {
    const { example, imageIndex, lines, shows } = draw;
    const reference = example.reference;
    if (!reference || reference.image !== imageIndex || !shows("reference")) return;
    outline(lines, rectangle(reference.box), "reference");
    mark(draw, reference.point, { letter: "R", shape: "ring", kind: "reference", place: "n" });
  }

  // The objects that a rule looked at, with their names, where it decided.
  function drawEvidence({ example, image, imageIndex, lines, frame, shows }) {
    if (!shows("evidence")) return;
    for (const { image: index, box, words } of example.evidence.boxes) {
      if (index !== imageIndex) continue;
      outline(lines, rectangle(box), "evidence");
      const name = h("span.overlap.evidence", {}, words);
      if (box[0] < image.width / 2) name.style.left = `${percent(box[0], image.width)}%`;
      else name.style.right = `${100 - percent(box[2], image.width)}%`; // so that the words stay in the picture
      name.style.top = `${percent(box[1], image.height)}%`;
      frame.append(name);
    }
  }

  function drawTruth(draw) {
    const { example, imageIndex, lines, shows } = draw;
    const truth = example.truth;
    if (truth.image !== imageIndex) return;
    const moved = `translate(${truth.x} ${truth.y})`;
    if (truth.dilated && shows("dilated")) outline(lines, example.outlines[truth.dilated], "dilated", moved);
    if (truth.mask && shows("mask")) outline(lines, example.outlines[truth.mask], "mask", moved);
    if (!shows("truth")) return;
    if (!truth.mask || shows("box")) for (const box of truth.boxes) outline(lines, rectangle(box), "truth");
    for (const point of truth.points) mark(draw, point, { letter: "T", shape: "cross", kind: "truth", place: "nw" });
  }

  let numMasks = 0;

  // Where the first run's mask and the true one agree, and where only one of them is.
  function drawAgreement({ example, image, imageIndex, lines, shows }, { prediction }) {
    const { truth } = example;
    const answer = prediction && prediction.answer;
    if (!shows("agreement") || !answer || !answer.outline || !truth.mask || answer.image !== imageIndex || truth.image !== imageIndex) return;
    const mine = { d: answer.outline };
    const theirs = { d: example.outlines[truth.mask], transform: `translate(${truth.x} ${truth.y})` };
    const area = { x: 0, y: 0, width: image.width, height: image.height };
    const part = (name, shape, other, [ground, ink]) => {
      const id = `part-${(numMasks += 1)}`;
      lines.append(
        s("mask", { id, maskUnits: "userSpaceOnUse", ...area },
          s("rect", { ...area, fill: ground, stroke: "none" }), s("path", { ...other, fill: ink, stroke: "none", "fill-rule": "evenodd" })),
        s("g", { class: `agreement ${name}`, mask: `url(#${id})` }, s("path", shape)),
      );
    };
    const [within, without] = [["black", "white"], ["white", "black"]];
    part("both", mine, theirs, within);
    part("only-predicted", mine, theirs, without);
    part("only-true", theirs, mine, without);
  }

  function drawPrediction(draw, { letter, number, prediction }) {
    const { example, imageIndex, lines, shows } = draw;
    const answer = prediction && prediction.answer;
    if (!answer || answer.image !== imageIndex || !shows("points")) return;
    const kind = `run-${number % NUM_COLOURS}`;
    const target = example.truth.image === imageIndex ? example.truth.points[0] : undefined;
    if (!answer.outline || shows("box")) for (const box of answer.boxes) outline(lines, rectangle(box), kind);
    if (answer.outline) outline(lines, answer.outline, kind);
    drawOverlap(draw, prediction, { letter, number, kind });
    const points = answer.points.length ? answer.points : answer.boxes.map(centre);
    for (const point of points) {
      if (target && shows("line")) {
        lines.append(s("line", { class: `error ${kind}`, x1: point[0], y1: point[1], x2: target[0], y2: target[1] }));
      }
      mark(draw, point, { letter, shape: SHAPES[number % SHAPES.length], kind, place: PLACES[number % PLACES.length] });
    }
  }

  // The overlap with the truth, at the upper left corner of the first box, or at the first corner of the mask's outline.
  function drawOverlap({ image, frame }, { answer, score }, { letter, number, kind }) {
    const corner = answer.boxes.length ? answer.boxes[0] : /^M(\d+) (\d+)/.exec(answer.outline)?.slice(1).map(Number);
    if (!score || score.iou === null || !corner) return;
    const words = h(`span.overlap.${kind}`, { title: `${letter}: overlap with the truth` }, `${letter} IoU ${sightline.dom.number(score.iou, 2)}`);
    words.style.left = `${percent(corner[0], image.width)}%`;
    words.style.top = `${percent(corner[1], image.height)}%`;
    words.style.marginTop = `${16 * number}px`; // those of models with the same box stand below each other
    frame.append(words);
  }

  // A mark of constant size on screen at a point, its letter beside it; one outside the picture is drawn hollow at the edge.
  function mark({ image, frame }, [x, y], { letter, shape, kind, place }) {
    const outside = !(x >= 0 && y >= 0 && x <= image.width && y <= image.height);
    const spot = h(`span.mark.${kind}.place-${place}${outside ? ".outside" : ""}`, { title: `${letter}: ${x}, ${y}` });
    spot.append(glyph(shape), h("span.letter", {}, letter));
    spot.style.left = `${percent(x, image.width)}%`;
    spot.style.top = `${percent(y, image.height)}%`;
    frame.append(spot);
  }

  function glyph(shape) {
    const drawn = {
      circle: () => s("circle", { r: 5 }),
      square: () => s("path", { d: "M-4.5-4.5h9v9h-9z" }),
      triangle: () => s("path", { d: "M0-6 5.5 4h-11z" }),
      pentagon: () => s("path", { d: "M0-5.5 5.2-1.7 3.2 4.5h-6.4L-5.2-1.7z" }),
      ring: () => s("circle", { r: 5, class: "hollow" }),
      cross: () => s("path", { d: "M-7 0H7M0-7V7", class: "hollow" }),
    }[shape]();
    return s("svg", { class: "glyph", viewBox: "-8 -8 16 16", "aria-hidden": "true" }, drawn.cloneNode(), drawn);
  }

  function outline(lines, path, kind, transform = "") {
    for (const layer of ["halo", "stroke"]) lines.append(s("path", { class: `${layer} ${kind}`, d: path, transform }));
  }

  function rectangle([x0, y0, x1, y1]) {
    return `M${x0} ${y0}H${x1}V${y1}H${x0}z`;
  }

  function centre([x0, y0, x1, y1]) {
    return [(x0 + x1) / 2, (y0 + y1) / 2];
  }

  // How opaque all overlays are, in percent; anything else is all of it.
  function strengthen(opacity) {
    const share = Number(opacity) / 100;
    document.documentElement.style.setProperty("--strength", share >= 0.1 && share <= 1 ? share : 1);
  }

  function percent(value, size) {
    return Math.min(100, Math.max(0, (100 * value) / size));
  }

  sightline.overlay = { LAYERS, AT_FIRST_OFF, NUM_COLOURS, picture, glyph, strengthen, SHAPES };
})();
