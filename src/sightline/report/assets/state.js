// The view as it stands in the URL: "#set=t1_multi-validation&model=center&hit=0". A link to it shows the same examples again.
(() => {
  "use strict";

  // What narrows the gallery, with the words for it. Each is one key of the URL.
  const FILTERS = {
    set: "task set", model: "model", status: "status", right: "right", hit: "hit", dilated: "hit (dilated)", pointed: "point read",
    within: "L2 (picture = 1) below", iou: "IoU at least", truth: "object is", said: "model said", claim: "visibility right", joint: "hit, or rightly absent",
    either: "object or answer is", half: "reference half", kind: "error", note: "note", bin: "slice", cell: "place", side: "side", label: "label", tier: "tier", scene: "scene",
    vs: "compared with", versus: "comparison", q: "text",
  };
  const OTHERS = ["sort", "open", "hide", "show", "opacity"];

  function read(address = location.hash) {
    const state = {};
    for (const [key, value] of new URLSearchParams(address.slice(1))) {
      if (value !== "" && (key in FILTERS || OTHERS.includes(key))) state[key] = value;
    }
    return state;
  }

  function format(state) {
    const parts = new URLSearchParams();
    for (const key of [...Object.keys(FILTERS), ...OTHERS]) if (state[key]) parts.set(key, state[key]);
    return "#" + parts.toString();
  }

  // Opening an example is a step of its own for the browser's back button; narrowing replaces the present one.
  function go(state, { step = false } = {}) {
    const url = format(state);
    if (url !== location.hash) history[step ? "pushState" : "replaceState"](null, "", url);
    sightline.render();
  }

  sightline.state = { FILTERS, read, format, go };
})();
