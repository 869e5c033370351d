// A clip: some of its frames on a card; in the open example all that the report holds, and the overlap with the truth over time.
(() => {
  "use strict";

  const { h, s, number } = sightline.dom;
  const ON_CARD = 4;
  const CARD_HEIGHT = 73;
  const FRAME_HEIGHT = 170;
  const CHART = { width: 900, height: 150, left: 34, right: 60, top: 10, bottom: 24 };

  // Frames of the clip are drawn here, all other pictures as ever.
  function others(example) {
    const ofClip = new Set(example.clip ? example.clip.frames.map(({ image }) => image) : []);
    return [...example.images.keys()].filter((index) => !ofClip.has(index) && example.images[index].src);
  }

  // Frame `at` of those shown as an example of one picture, so that it is drawn as any picture is.
  function single(example, at, runs) {
    const { image, boxes, outline } = example.clip.frames[at];
    const truth = { ...example.truth, image, boxes, points: spots(boxes, outline), mask: outline ? "frame" : null, dilated: null, x: 0, y: 0 };
    return {
      example: { ...example, truth, outlines: { frame: outline } },
      runs: runs.map((run) => ({ ...run, prediction: run.prediction && answerAt(example, run.prediction, at) })),
    };
  }

  function answerAt(example, prediction, at) {
    const { image, position } = example.clip.frames[at];
    const { track } = prediction;
    const overlap = track.overlaps.length ? track.overlaps[position] : null;
    const place = track.frames[at];
    return { ...prediction, overlap, answer: { image, ...place, points: spots(place.boxes, place.outline) }, score: null };
  }

  function drawn(example, at, runs, hidden, boxHeight) {
    const one = single(example, at, runs);
    const layers = new Set([...hidden, "line"]); // where letters stand are no answers to be joined
    return sightline.overlay.picture(one.example, example.clip.frames[at].image, { runs: one.runs, hidden: layers, boxHeight });
  }

  // A few frames, evenly over the clip.
  function contact(example, runs, hidden) {
    const count = example.clip.frames.length;
    const chosen = count <= ON_CARD ? [...Array(count).keys()] : [...Array(ON_CARD).keys()].map((k) => Math.round(k * (count - 1) / (ON_CARD - 1)));
    return h("div.contact", {}, chosen.map((at) => drawn(example, at, runs, hidden, CARD_HEIGHT)));
  }

  // Everything about the clip of the open example.
  function full(view, example, runs) {
    const { frames, times } = example.clip;
    const some = frames.length < times.length ? ` ${frames.length} of ${times.length} frames are shown.` : "";
    const strip = h("div.strip", {}, frames.map((frame, at) => figure(view, example, runs, at)));
    return h("section.clip", {},
      h("p.note", {}, `A clip of ${times.length} frames. Enter or a click makes a frame large.${some}`),
      worst(example, runs, strip), chart(example, runs), boundaries(example, runs), strip);
  }

  function figure(view, example, runs, at) {
    const { position, scored } = example.clip.frames[at];
    const when = `frame ${position}, ${number(example.clip.times[position], 2)} s${scored ? "" : ", not scored: the truth is not known"}`;
    const node = h(`figure${scored ? "" : ".unscored"}`, { tabIndex: 0 }, h("div.frame-place"), h("figcaption", {}, h("div", {}, when), overlaps(example, at, runs)));
    node.dataset.position = position;
    let large = true;
    const toggle = () => {
      large = !large;
      const { width, height } = example.images[example.clip.frames[at].image];
      const boxHeight = large ? 0.7 * innerHeight : FRAME_HEIGHT;
      node.style.width = `${boxHeight * width / height + 8}px`;
      node.firstChild.replaceChildren(drawn(example, at, runs, view.hidden, boxHeight));
    };
    toggle();
    node.addEventListener("click", toggle);
    node.addEventListener("keydown", (event) => event.key === "Enter" && toggle());
    return node;
  }

  // The overlap of each run in a frame, under it.
  function overlaps(example, at, runs) {
    return runs.flatMap(({ letter, number: paint, prediction }) => {
      const { overlap } = prediction ? answerAt(example, prediction, at) : { overlap: null };
      return overlap === null ? [] : [h("span.frame-overlap", {}, key(letter, paint), ` ${number(overlap, 2)} `)];
    });
  }

  // A button for each run that goes to the frame in which it is worst.
  function worst(example, runs, strip) {
    const buttons = runs.filter(({ prediction }) => prediction && prediction.track.worst !== null).map(({ letter, number: paint, prediction }) => {
      const { worst: position, overlaps } = prediction.track;
      const words = ` worst frame: ${position} (IoU ${number(overlaps[position], 2)})`;
      return h("button.to-worst", { type: "button", onclick: () => go(strip, position) }, key(letter, paint), words);
    });
    return buttons.length ? h("div.worst-frames", {}, buttons) : "";
  }

  function go(strip, position) {
    for (const figure of strip.children) figure.classList.toggle("worst", figure.dataset.position === String(position));
    const found = strip.querySelector(".worst");
    found.scrollIntoView({ block: "center", behavior: "instant" });
    found.focus({ preventScroll: true });
  }

  // The overlap of each run over time; where a stretch of time is asked for, the stretches.
  function chart(example, runs) {
    const answered = runs.filter(({ prediction }) => prediction);
    const curves = answered.filter(({ prediction }) => prediction.track.overlaps.length);
    const spans = [
      ...(example.clip.span ? [{ letter: "T", kind: "truth", span: example.clip.span }] : []),
      ...answered.filter(({ prediction }) => prediction.track.span)
        .map(({ letter, number: paint, prediction }) => ({ letter, kind: run(paint), span: prediction.track.span })),
    ];
    if (!curves.length && !spans.length) return "";
    const scale = across(example.clip.times, spans);
    const lines = curves.length ? [...grid(), ...curves.flatMap((entry) => curve(example, entry, scale, "IoU", (track) => track.overlaps))] : spans.flatMap((entry, row) => bar(entry, row, scale));
    const height = curves.length ? CHART.height : CHART.top + CHART.bottom + 20 * spans.length;
    const words = curves.length ? "IoU with the truth (of masks: J), frame by frame" : "Stretches of time";
    return plot(words, height, [...lines, ...ticks(scale, height)]);
  }

  // Of masks also how well their edges fit.
  function boundaries(example, runs) {
    const curves = runs.filter(({ prediction }) => prediction && prediction.track.boundaries.length);
    if (!curves.length) return "";
    const scale = across(example.clip.times, []);
    const lines = curves.flatMap((entry) => curve(example, entry, scale, "F", (track) => track.boundaries));
    return plot("F (boundary) against the truth, frame by frame", CHART.height, [...grid(), ...lines, ...ticks(scale, CHART.height)]);
  }

  function plot(words, height, drawn) {
    return h("figure.over-time", {}, h("figcaption", {}, words),
      s("svg", { viewBox: `0 0 ${CHART.width} ${height}`, width: CHART.width, height, role: "img", "aria-label": words }, ...drawn));
  }

  function across(times, spans) {
    const ends = [...times, ...spans.flatMap(({ span }) => span)].filter(Number.isFinite);
    const first = Math.min(...ends), length = Math.max(Math.max(...ends) - first, 1e-6);
    return { first, length, x: (time) => CHART.left + (time - first) / length * (CHART.width - CHART.left - CHART.right) };
  }

  const y = (share) => CHART.top + (1 - share) * (CHART.height - CHART.top - CHART.bottom);

  function grid() {
    return [0, 0.5, 1].flatMap((share) => [
      s("line", { class: "gridline", x1: CHART.left, x2: CHART.width - CHART.right, y1: y(share), y2: y(share) }),
      s("text", { x: 2, y: y(share) + 4 }, String(share)),
    ]);
  }

  function ticks({ first, length, x }, height) {
    return [first, first + length].map((time) => s("text", { x: x(time), y: height - 6, "text-anchor": "middle" }, `${number(time, 2)} s`));
  }

  // A line through neighbouring frames in which the truth is known, a dot at each; the letter at the end.
  function curve(example, { letter, number: paint, prediction }, { x }, name, valuesOf) {
    const overlaps = valuesOf(prediction.track);
    const points = overlaps.map((overlap, frame) => (overlap === null ? null : [x(example.clip.times[frame]), y(overlap)]));
    const path = points.map((point, frame) => (point === null ? "" : `${frame && points[frame - 1] ? "L" : "M"}${point.map((value) => value.toFixed(1)).join(" ")}`)).join("");
    const dots = points.flatMap((point, frame) => {
      if (point === null) return [];
      const title = s("title", {}, `${letter}, frame ${frame}: ${name} ${number(overlaps[frame], 3)}`);
      return [s("circle", { class: `dot ${run(paint)}`, cx: point[0], cy: point[1], r: overlaps.length > 60 ? 1.5 : 3 }, title)];
    });
    const last = points.findLast((point) => point !== null);
    const mark = last ? [s("text", { class: "letter", x: CHART.width - CHART.right + 6 + 12 * (paint % 4), y: last[1] + 4 }, letter)] : [];
    return [s("path", { class: `curve halo`, d: path }), s("path", { class: `curve ${run(paint)}`, d: path }), ...dots, ...mark];
  }

  function bar({ letter, kind, span }, row, { x }) {
    const top = CHART.top + 20 * row;
    const width = Math.max(x(span[1]) - x(span[0]), 1);
    return [
      s("text", { class: "letter", x: 6, y: top + 12 }, letter),
      s("rect", { class: `bar ${kind}`, x: x(span[0]), y: top, width, height: 14 }, s("title", {}, `${letter}: ${number(span[0], 2)} s to ${number(span[1], 2)} s`)),
    ];
  }

  function key(letter, paint) {
    return h(`b.key.${run(paint)}`, {}, letter);
  }

  function run(paint) {
    return `run-${paint % sightline.overlay.NUM_COLOURS}`;
  }

  // Where a letter stands: in the middle of each box, at the first corner of a mask.
  function spots(boxes, outline) {
    const corner = /^M(\d+) (\d+)/.exec(outline);
    return corner ? [corner.slice(1).map(Number)] : boxes.map(centre);
  }

  function centre([x0, y0, x1, y1]) {
    return [(x0 + x1) / 2, (y0 + y1) / 2];
  }

  sightline.strip = { others, contact, full };
})();
