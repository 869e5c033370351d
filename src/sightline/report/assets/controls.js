// The filter bar: form fields that follow the state and change it, a chip for each condition, and the overlay switches.
(() => {
  "use strict";

  const { h } = sightline.dom;
  const { FILTERS } = sightline.state;

  const MAX_LABELS = 1000; // offered while typing; any other can be typed
  const MAX_NOTES = 200; // reasons of errors are notes, too, and may all differ
  const FIXED = {
    right: [["", "right or wrong"], ["1", "right"], ["0", "wrong"]],
    hit: [["", "hit or miss"], ["1", "hit"], ["0", "miss"]],
    truth: [["", "visible or absent"], ["visible", "object visible"], ["absent", "object absent"]],
    side: [["", "any side"], ["left", "true point on the left"], ["right", "true point on the right"]],
    versus: [["", "any outcome"], ["won", "only the first right"], ["lost", "only the second right"], ["both", "both right"],
      ["neither", "both wrong"], ["differ", "one right, one wrong"]],
    sort: [["", "stored order"], ["error", "largest error first"], ["overlap", "smallest overlap first"], ["disagreement", "disagreement first"]],
  };

  function build(form, rows, change) {
    const lists = {
      ...FIXED,
      set: [["", "all task sets"], ...rows.sets.map(({ name }) => [name, name])],
      model: [["", "any model"], ...rows.models.map(({ label, letter }) => [label, `${letter} ${label}`])],
      vs: [["", "no comparison"], ...rows.models.map(({ label, letter }) => [label, `${letter} ${label}`])],
      kind: [["", "any kind"], ...Object.entries(rows.kinds).map(([name, label]) => [name, label.toLowerCase()])],
      status: [["", "any status"], ...rows.statuses.map((name) => [name, name])],
      note: [["", "any note"], ...[...new Set(rows.mark_sets.flat())].sort().slice(0, MAX_NOTES).map((name) => [name, name.replaceAll("_", " ")])],
      bin: [["", "any slice"], ...Object.entries(rows.bins).flatMap(([name, bins]) => bins.map((bin) => [`${name}:${bin}`, `${name} ${bin}`]))],
      cell: [["", "any place"], ...rows.cells.map((name) => [name, name])],
      tier: [["", "any tier"], ...rows.tiers.map((name) => [name, name])],
    };
    for (const [name, choices] of Object.entries(lists)) {
      form.elements[name].replaceChildren(...choices.map(([value, words]) => h("option", { value }, words)));
    }
    document.getElementById("scenes").replaceChildren(...rows.groups.map((value) => h("option", { value })));
    const labels = [...new Set(rows.labels)].filter(Boolean).slice(0, MAX_LABELS);
    document.getElementById("labels").replaceChildren(...labels.map((value) => h("option", { value })));
    form.addEventListener("input", (event) => change(event.target.name, event.target.value));
    form.addEventListener("submit", (event) => event.preventDefault());
  }

  function follow(form, state) {
    for (const field of form.elements) {
      if (field.name && document.activeElement !== field) field.value = state[field.name] || "";
      if (field.name && field.value !== (state[field.name] || "") && field.tagName === "SELECT") field.value = "";
    }
  }

  // Every active condition, so that also those without a field of their own are seen and can be dropped.
  function conditions(container, state, drop) {
    const active = Object.keys(FILTERS).filter((key) => state[key]);
    container.replaceChildren(
      ...active.map((key) => {
        const words = { 1: "yes", 0: "no" }[["within", "iou", "q"].includes(key) ? "" : state[key]] || state[key];
        return h("button.condition", { type: "button", title: "drop this condition", onclick: () => drop([key]) }, `${FILTERS[key]}: ${words} ×`);
      }),
      ...(active.length > 1 ? [h("button.condition.clear", { type: "button", onclick: () => drop(active) }, "show all")] : []),
    );
  }

  function switches(container, view, toggle, change) {
    const { LAYERS } = sightline.overlay;
    container.replaceChildren(
      ...Object.entries(LAYERS).filter(([layer]) => view.rows.layers[layer] !== false).map(([layer, words]) => box(layer, [words], view.hidden, toggle)),
      ...view.rows.models.map(({ letter, label }, number) => box(letter, [symbol(letter, number), ` ${label}`], view.hidden, toggle)),
      strength(view.state.opacity, change),
    );
  }

  // While it is dragged only the style follows; the state would draw a new slider.
  function strength(opacity, change) {
    const slider = h("input", { type: "range", name: "opacity", min: 10, max: 100, step: 5 });
    slider.value = opacity || 100;
    slider.addEventListener("input", () => sightline.overlay.strengthen(slider.value));
    slider.addEventListener("change", () => change({ opacity: slider.value === "100" ? "" : slider.value }));
    return h("label", {}, "opacity ", slider);
  }

  function symbol(letter, number) {
    const { NUM_COLOURS, SHAPES, glyph } = sightline.overlay;
    return h(`span.legend.run-${number % NUM_COLOURS}`, {}, glyph(SHAPES[number % SHAPES.length]), h("span.letter", {}, letter));
  }

  function box(layer, words, hidden, toggle) {
    return h("label", {}, h("input", { type: "checkbox", name: layer, checked: !hidden.has(layer), onchange: () => toggle(layer) }), " ", words);
  }

  sightline.controls = { build, follow, conditions, switches };
})();
