// The open example: pictures at full width, truth, and for each run the raw text and how it was read.
(() => {
  "use strict";

  const { h, number } = sightline.dom;

  function fill(body, view, row, example) {
    const { rows } = view;
    const set = sightline.rows.setOf(rows, row);
    const at = row - set.first;
    const runs = sightline.card.entries(view.runsOf(set, { all: true }), example);
    body.replaceChildren(
      ...pictures(view, example, runs),
      ...(example.plan ? [sightline.floorPlan.figure(example.plan)] : []),
      h("div.columns", {},
        h("section", {}, h("h3", {}, "Example"), facts(exampleFacts(rows, set, row, example)), evidence(example), prompts(example)),
        h("section", {}, h("h3", {}, "Answers"), runs.map((entry) => answer(view, entry, at, example))),
      ),
    );
  }

  function pictures(view, example, runs) {
    const single = sightline.strip.others(example);
    const clip = example.clip ? [sightline.strip.full(view, example, runs)] : [];
    if (!single.length) return clip;
    const drawn = single.map((index) => ({
      image: example.images[index], index,
      frame: sightline.overlay.picture(example, index, { runs, hidden: view.hidden, boxHeight: 0.58 * innerHeight }),
    }));
    const { node, windows } = sightline.zoom.link(drawn);
    return [...clip, node, h("div.big-pictures", {}, drawn.map(({ image, index }, at) => {
      const scale = image.preview_width / image.width;
      const scaled = scale === 1 ? "kept unscaled" : `preview at ${number(100 * scale)} % (${image.preview_width} × ${image.preview_height})`;
      return h("figure", {}, windows[at],
        h("figcaption", {}, h("b", {}, image.roles.join(" | ")), ` picture ${index}, ${image.width} × ${image.height} px, ${scaled}`),
        view.hidden.has("depth") ? null : example.panels.filter((panel) => panel.image === index).map(depthLegend),
      );
    }))];
  }

  // The colours of a view's depth and what they mean in metres.
  function depthLegend({ role, depth }) {
    if (!depth) return h("figcaption.depth-legend", {}, `${role}: no depth of this view`);
    if (!depth.known) return h("figcaption.depth-legend", {}, `${role}: no pixel of this view has a depth`);
    const clear = depth.known < 1 ? `; clear: no depth (${number(100 * (1 - depth.known))} %)` : "";
    return h("figcaption.depth-legend", {}, `${role}: depth ≤ ${number(depth.near_m, 2)} m `, h("span.depth-colours"), ` ≥ ${number(depth.far_m, 2)} m${clear}`);
  }

  function exampleFacts(rows, set, row, example) {
    const truth = example.truth;
    const where = place(truth);
    const panels = example.panels.filter(({ role }) => !example.clip || role !== "frame");
    const accepted = truth.mask && truth.points.length ? `, accepted on its mask${truth.dilated ? " (dashed: dilated mask)" : ""}` : "";
    return [
      ["id", rows.ids[row]],
      ...(example.expression ? [["expression", example.expression]] : []),
      ["task set", `${set.name} (${set.task}, ${example.split})`],
      ["scene", rows.groups[rows.group[row]]],
      ["object", example.label ? `${example.object} (${example.label})` : example.object],
      ["tier", rows.tiers[rows.tier[row]]],
      ["truth", truth.word || (truth.visible ? `${where} px of picture ${truth.image}${accepted}` : "not visible")],
      ...(example.clip ? [["frames", `${example.clip.times.length} of the clip, ${number(example.clip.times[0], 2)} s to ${number(example.clip.times.at(-1), 2)} s`]] : []),
      ...(panels.length ? [["views", panels.map((panel) => `${panel.role} ${panel.view || "?"} at ${pair([panel.x, panel.y])} of picture ${panel.image}`).join("; ")]] : []),
      ...(example.reference ? [["reference", `${pair(example.reference.point)} px of picture ${example.reference.image}`]] : []),
      ...Object.entries(example.slices).map(([name, value]) => [name, String(value)]),
    ];
  }

  // The rule, its margin and whatever else the task keeps of it.
  function evidence(example) {
    const { facts: found } = example.evidence;
    return found.length ? h("div.decided", {}, h("h4", {}, "What decided the truth"), facts(found)) : null;
  }

  // The prompt as each dialect wrote it; picture slots stand as words.
  function prompts(example) {
    return example.prompts.map(({ dialect, segments }) => h("div", {},
      h("h4", {}, dialect ? `Prompt in ${dialect}` : "Prompt"),
      h("pre.text", {}, segments.map((segment) => (typeof segment === "string" ? segment : h("span.slot", {}, `picture ${segment}`)))),
    ));
  }

  function answer(view, entry, at, example) {
    const { prediction, label, letter } = entry;
    const head = h("h4", {}, sightline.card.chip(entry, at), ` ${label}`);
    if (!prediction) return h("div.answer", {}, head, h("p.note", {}, `${letter} has no scored prediction for this example.`));
    return h("div.answer", {}, head, rawText(prediction), facts(answerFacts(prediction, entry.run.kind[at])), saw(view, example, entry));
  }

  // The pictures as the model's processor made them, and every place in the numbers of each frame.
  function saw(view, example, entry) {
    const { prediction } = entry;
    const { sizes, how, written, truth_written: truthWritten } = prediction.saw;
    const known = { recorded: "recorded by the run", declared: "from the run's options", stored: "as stored: the run names no other size" }[how];
    const pictures = example.images.map((image, index) => {
      const [width, height] = sizes[index] || [image.width, image.height];
      const scale = `${number(100 * width / image.width)} % × ${number(100 * height / image.height)} %`;
      return [`${index}`, `${image.width} × ${image.height}`, `${width} × ${height}`, scale];
    });
    const places = [...frames("answer", prediction.answer, written, example, sizes), ...frames("truth", example.truth, truthWritten, example, sizes)];
    return h("details.saw", {}, h("summary", {}, "What the model saw"),
      h("p.note", {}, `Sizes ${known}.`),
      table(["picture", "original px", "processed px", "scale"], pictures),
      prediction.saw.pictures.length ? h("p.note", {}, "One pixel of the page for each pixel as processed; the whole picture, resampled (a processor that crops shows the model less).") : null,
      processed(view, example, entry),
      places.length ? table(["place", "in the dialect", "original px", "processed px", "picture = 1"], places) : null);
  }

  // One pixel of the page for each pixel of the processed picture, so that lost detail is lost here too.
  function processed(view, example, entry) {
    const { sizes, pictures } = entry.prediction.saw;
    return pictures.map((src, index) => {
      const [width, height] = sizes[index];
      const words = `picture ${index} at ${width} × ${height} px`;
      if (!src) return h("p.note", {}, `${words} is too large for the report to hold it; above is its preview.`);
      const drawn = sightline.overlay.picture(example, index, { runs: [entry], hidden: view.hidden, as: { src, width, height } });
      return h("figure.processed", {}, h("div.scroll", { tabIndex: 0 }, drawn),
        h("figcaption", {}, words));
    });
  }

  function frames(name, read, written, example, sizes) {
    if (!read || !example.images[read.image]) return [];
    const { width, height } = example.images[read.image];
    const [processedWidth, processedHeight] = sizes[read.image] || [width, height];
    const shares = [1 / width, 1 / height], processed = [processedWidth / width, processedHeight / height];
    const scaled = (place, [x, y], digits) => `(${place.map((value, axis) => number(value * (axis % 2 ? y : x), digits)).join(", ")})`;
    return [...read.points, ...read.boxes].map((place, at) =>
      [name, written[at] || "–", pair(place), scaled(place, processed, 1), scaled(place, shares, 4)]);
  }

  function table(titles, rows) {
    return h("div.scroll", { tabIndex: 0 }, h("table", {},
      h("thead", {}, h("tr", {}, titles.map((title) => h("th", { scope: "col" }, title)))),
      h("tbody", {}, rows.map((cells) => h("tr", {}, cells.map((cell) => h("td", {}, cell)))))));
  }

  function rawText({ text, num_more: numMore }) {
    if (text === null) return h("p.note", {}, "Answers in geometry, not in text.");
    if (text === "") return h("p.note", {}, "The text is empty.");
    const more = numMore ? h("span.note", {}, ` … ${numMore} more characters`) : null;
    return h("pre.text", {}, segments(text), more);
  }

  // Each [SEG] stands for a mask: numbered in the order in which they count.
  function segments(text) {
    return text.split("[SEG]").flatMap((words, at) => (at ? [h("b.seg", { title: `[SEG] ${at} of the answer` }, "[SEG]", h("sub", {}, String(at))), words] : [words]));
  }

  function confusion({ object, label, expression, same_class: same, iou, own_iou: own }) {
    const classes = same === null ? "" : same ? ", of the same class" : ", of another class";
    const verdict = iou > own ? "on another object" : "most overlap with";
    return `${verdict}: ${expression} (object ${object}${label ? `, ${label}` : ""}${classes}), overlap ${number(iou, 2)}; with what is meant ${number(own, 2)}`;
  }

  function answerFacts(prediction, kind) {
    const { answer: read, score, notes } = prediction;
    const made = read ? (read.not_visible ? "not visible" : read.word || `${place(read)} px of picture ${read.image}`) : "nothing";
    const outcome = score && [
      score.hit !== null && (score.hit ? "hit" : "miss"),
      score.hit_dilated !== null && (score.hit_dilated ? "hit on the dilated mask" : "miss on the dilated mask"),
      score.wrong_panel && "in the wrong half",
      score.said_visible !== null && (score.said_visible ? "said visible" : "said not visible"),
    ].filter(Boolean).join(", ");
    return [
      ["read as", `${prediction.status}: ${made}`],
      ["found", prediction.num_found === 1 ? "1 answer" : `${prediction.num_found} answers`],
      ...(notes.length ? [["notes", notes.join(", ")]] : []),
      ...(prediction.confusion ? [["other object", confusion(prediction.confusion)]] : []),
      ...(outcome ? [["outcome", outcome]] : []),
      ...(sightline.index.kindNames[kind] ? [["kind", sightline.index.kinds[sightline.index.kindNames[kind]].toLowerCase()]] : []),
      ...(score && score.iou !== null ? [["overlap", `${number(score.iou, 3)} (IoU; at least 0.5 is a hit)`]] : []),
      ...(score ? Object.entries(score.values).map(([name, value]) => [name, number(value, name.endsWith("_px") ? 0 : 3)]) : []),
      ...(score && score.l2_px !== null
        ? [["distance", `${number(score.l2_px)} px (line to T), ${number(score.l2_norm, 3)} of the picture` +
            (score.l2_over_size === null ? "" : `, ${number(score.l2_over_size, 2)} of the object's size`)]]
        : []),
    ];
  }

  // Points and boxes by their numbers, a mask by its size.
  function place({ points, boxes, outline, pixels }) {
    return [...points.map(pair), ...boxes.map(pair), ...(outline ? [`mask of ${pixels}`] : [])].join(", ");
  }

  function facts(pairs) {
    return h("dl.facts", {}, pairs.map(([name, value]) => [h("dt", {}, name), h("dd", {}, value)]));
  }

  function pair(values) {
    return `(${values.map((value) => String(Math.round(value * 100) / 100)).join(", ")})`;
  }

  sightline.detail = { fill };
})();
