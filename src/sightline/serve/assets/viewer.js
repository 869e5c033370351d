// Frames one at a time with masks and boxes over them. Nothing here parses HTML: words become text, outlines a path's `d`.
const viewer = (() => {
  "use strict";

  const SVG = "http://www.w3.org/2000/svg";
  const NUM_PAINTS = 7;
  const get = (id) => document.getElementById(id);
  let clip = null;
  let answers = [];
  let timer = null;

  function s(tag, attributes, text = "") {
    const node = document.createElementNS(SVG, tag);
    for (const [key, value] of Object.entries(attributes)) node.setAttribute(key, value);
    if (text) node.textContent = text;
    return node;
  }

  function h(tag, className = "", text = "") {
    const node = document.createElement(tag);
    node.className = className;
    if (text) node.textContent = text;
    return node;
  }

  // `loaded` is what /v1/frames answers; null where nothing is loaded.
  function load(loaded) {
    stop();
    clip = loaded;
    answers = [];
    get("viewer").hidden = clip === null;
    get("answers").replaceChildren();
    if (clip === null) return;
    get("frame").max = clip.frames.length - 1;
    get("frame").disabled = clip.frames.length < 2;
    show(0);
  }

  function show(index) {
    get("frame").value = index;
    const picture = s("svg", { viewBox: `0 0 ${clip.width} ${clip.height}`, role: "img" });
    const said = `Frame ${clip.frame_numbers[index]} of ${clip.num_frames_in_clip}, ${clip.times_s[index].toFixed(2)} s`;
    picture.append(s("title", {}, said));
    picture.append(s("image", { href: `data:image/jpeg;base64,${clip.frames[index]}`, width: clip.width, height: clip.height }));
    for (const answer of answers) if (answer.shown) draw(picture, answer, index);
    get("stage").replaceChildren(picture);
    get("place").textContent = said;
    get("frame").setAttribute("aria-valuetext", said);
  }

  function draw(picture, answer, index) {
    if (!answer.masks[index]) return;
    const [x0, y0, x1, y1] = answer.boxes[index];
    const group = s("g", { class: answer.paint });
    group.append(s("path", { d: answer.masks[index] }), s("rect", { x: x0, y: y0, width: x1 - x0, height: y1 - y0 }));
    const size = clip.height / 22;
    group.append(s("text", { x: x0, y: Math.max(y0 - size / 4, size), "font-size": size }, answer.letter));
    picture.append(group);
  }

  // What /v1/segment answered, shown until the next question.
  function fill(found) {
    answers = found.map((answer, number) => ({
      ...answer, shown: true, letter: String.fromCharCode(65 + number), paint: `paint-${number % NUM_PAINTS}`,
    }));
    get("answers").replaceChildren(...answers.map(entry));
    show(Number(get("frame").value));
  }

  function entry(answer) {
    const node = h("li", answer.paint);
    const label = h("label");
    const shown = h("input");
    shown.type = "checkbox";
    shown.checked = true;
    shown.addEventListener("change", () => {
      answer.shown = shown.checked;
      show(Number(get("frame").value));
    });
    label.append(shown, `${answer.letter}: ${answer.expression}`);
    const there = answer.masks.filter(Boolean).length;
    const notes = answer.notes.length ? `; ${answer.notes.join(", ")}` : "";
    const status = answer.status === "not_visible" ? "not there" : answer.status;
    node.append(label, said(answer.raw), h("p", "note", `${status}: in ${there} of ${answer.masks.length} frames${notes}`), presence(answer));
    return node;
  }

  // The text, each [SEG] numbered.
  function said(text) {
    const node = h("p", "said");
    (text || "").split("[SEG]").forEach((words, at) => {
      if (at) node.append(h("span", "seg", `[SEG]${at}`));
      node.append(words);
    });
    return node;
  }

  function presence(answer) {
    const node = h("div", "presence");
    node.setAttribute("aria-hidden", "true");
    node.append(...answer.masks.map((mask) => h("i", mask ? "there" : "")));
    return node;
  }

  function step(by) {
    if (clip) show((Number(get("frame").value) + by + clip.frames.length) % clip.frames.length);
  }

  function stop() {
    clearInterval(timer);
    timer = null;
    get("play").setAttribute("aria-pressed", "false");
    get("play").textContent = "Play";
  }

  function play() {
    if (timer !== null) return stop();
    timer = setInterval(() => step(1), 200);
    get("play").setAttribute("aria-pressed", "true");
    get("play").textContent = "Stop";
  }

  get("frame").addEventListener("input", () => show(Number(get("frame").value)));
  get("back").addEventListener("click", () => step(-1));
  get("on").addEventListener("click", () => step(1));
  get("play").addEventListener("click", play);

  return { load, fill };
})();
