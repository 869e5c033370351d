// The floor plan of a spatial question: boxes from above, the camera's path, the lines that decided the answer. Text only.
(() => {
  "use strict";

  const { h, s } = sightline.dom;

  const points = (outline) => outline.map((point) => point.join(",")).join(" ");

  function figure(plan) {
    if (!plan) return null;
    const [width, height] = plan.size;
    const asked = plan.boxes.filter((box) => box.asked).map((box) => box.words);
    const words = `Floor plan: ${plan.boxes.length} objects from above${asked.length ? `; asked about: ${asked.join(", ")}` : ""}`;
    const drawn = s("svg", { viewBox: `0 0 ${width} ${height}`, width, height, role: "img", "aria-label": words },
      ...plan.boxes.map(box),
      ...(plan.path.length ? [s("polyline", { class: "path", points: points(plan.path) })] : []),
      ...plan.headings.map(([from, to], at) => s("g", { class: "eye" },
        s("line", { x1: from[0], y1: from[1], x2: to[0], y2: to[1] }),
        s("circle", { cx: from[0], cy: from[1], r: 3 }),
        s("title", {}, `camera of frame ${at + 1}`))),
      ...plan.lines.map((line) => s("polyline", { class: "measured", points: points(line) })),
      ...plan.boxes.filter((each) => each.asked).map(name),
      ruler(plan.ruler, height));
    return h("figure.floor-plan", {}, h("div.scroll", { tabIndex: 0 }, drawn),
      h("figcaption", {}, "Seen from above: objects asked about are filled, the camera's path is dashed, thick lines are what was measured."));
  }

  function box({ outline, words, asked }) {
    return s("polygon", { class: asked ? "object asked" : "object", points: points(outline) }, s("title", {}, words));
  }

  function name({ outline, words }) {
    const middle = [0, 1].map((axis) => outline.reduce((sum, point) => sum + point[axis], 0) / outline.length);
    return s("text", { x: middle[0], y: middle[1] }, words);
  }

  function ruler({ length, words }, height) {
    const y = height - 8;
    return s("g", { class: "ruler" }, s("line", { x1: 24, y1: y, x2: 24 + length, y2: y }), s("text", { x: 30 + length, y: y + 4 }, words));
  }

  sightline.floorPlan = { figure };
})();
