// Ties state, filter bar, grid and the open example together. The URL is the only state: everything is drawn from it by `render`.
(() => {
  "use strict";

  const { h } = sightline.dom;
  const at = (id) => document.getElementById(id);
  const view = { rows: null, state: {}, found: [], hidden: new Set(), cursor: -1 };
  let grid = null;
  let shown = null; // what the grid shows, as text

  async function start() {
    view.rows = sightline.rows.decode(await sightline.load("index"));
    sightline.index = view.rows;
    grid = new sightline.Grid(at("grid"), (row, position) => sightline.card.make(view, row, position));
    sightline.controls.build(at("filters"), view.rows, (key, value) => change({ [key]: value }));
    at("gallery").hidden = false;
    addEventListener("hashchange", () => render());
    addEventListener("popstate", () => render());
    addEventListener("keydown", onKey);
    at("filters").elements.q.addEventListener("focus", () => searchTexts());
    at("example").addEventListener("close", () => change({ open: "" }));
    at("save").addEventListener("click", () => sightline.save(view));
    at("close").addEventListener("click", () => at("example").close());
    at("next").addEventListener("click", () => move(1));
    at("previous").addEventListener("click", () => move(-1));
    document.addEventListener("click", onNumber);
    await render();
    sightline.rows.prepare(view.rows);
    if (location.hash.length > 1) at("gallery").scrollIntoView({ behavior: "instant" });
  }

  // A number of a table was clicked: its examples are below.
  function onNumber(event) {
    if (!event.target.closest("a.examples")) return;
    setTimeout(() => at("gallery").scrollIntoView({ behavior: "instant" }));
  }

  function change(values, options) {
    sightline.state.go({ ...view.state, ...values }, options);
  }

  async function render() {
    const state = (view.state = sightline.state.read());
    view.hidden = hidden(state);
    if (state.q) await searchTexts();
    if (state !== view.state) return; // a newer state came while the texts loaded
    const { open, ...narrowing } = state;
    const wanted = JSON.stringify(narrowing);
    if (wanted !== shown) {
      shown = wanted;
      sightline.overlay.strengthen(state.opacity);
      view.found = sightline.rows.select(view.rows, state);
      grid.show(view.found);
      sightline.controls.follow(at("filters"), state);
      sightline.controls.conditions(at("conditions"), state, (keys) => change(Object.fromEntries(keys.map((key) => [key, ""]))));
      for (const place of document.querySelectorAll(".switches")) sightline.controls.switches(place, view, toggle, change);
      at("count").textContent = `${view.found.length} of ${view.rows.ids.length} examples`;
      at("none").hidden = view.found.length > 0;
    }
    await renderExample(open);
    document.body.dataset.ready = location.hash; // for whoever waits for the page
  }

  async function renderExample(open) {
    const dialog = at("example");
    if (!open) return dialog.open && dialog.close();
    const [setName, ...id] = open.split(":");
    const set = view.rows.sets.findIndex(({ name }) => name === setName);
    const row = view.rows.position.get(`${set}\n${id.join(":")}`);
    view.cursor = view.found.indexOf(row);
    at("title").textContent = row === undefined ? `No example ${open} in this report.` : id.join(":");
    at("place").textContent = view.cursor < 0 ? "" : `${view.cursor + 1} of ${view.found.length}`;
    if (!dialog.open) dialog.showModal();
    if (row === undefined) return at("body").replaceChildren();
    const example = await sightline.rows.detail(view.rows, row);
    if (view.state.open === open) sightline.detail.fill(at("body"), view, row, example);
  }

  view.open = (position) => {
    const row = view.found[position];
    const name = sightline.rows.setOf(view.rows, row).name;
    change({ open: `${name}:${view.rows.ids[row]}` }, { step: !view.state.open });
  };

  // The runs to draw: those chosen, or all.
  view.runsOf = (set, { all = false } = {}) => set.runs
    .map((run) => ({ run, index: set.runs.indexOf(run), number: run.model, ...view.rows.models[run.model] }))
    .filter(({ label }) => all || !view.state.model || label === view.state.model || label === view.state.vs);

  const names = (text) => new Set((text || "").split(",").filter(Boolean));

  function hidden(state) {
    const shown = names(state.show);
    return new Set([...names(state.hide), ...sightline.overlay.AT_FIRST_OFF.filter((layer) => !shown.has(layer))]);
  }

  // The address names what is unlike at first: `hide` what is off, `show` what is on of those that are off at first.
  function toggle(layer) {
    const key = sightline.overlay.AT_FIRST_OFF.includes(layer) ? "show" : "hide";
    const named = names(view.state[key]);
    if (!named.delete(layer)) named.add(layer);
    change({ [key]: [...named].join(",") });
  }

  async function searchTexts() {
    const missing = view.rows.runs.some((run) => run.has_texts && run.texts === null);
    if (missing) await sightline.rows.loadTexts(view.rows);
  }

  function move(step) {
    if (!view.found.length) return;
    const focused = document.activeElement?.closest(".card");
    if (!view.state.open && focused) view.cursor = Number(focused.dataset.position);
    view.cursor = Math.min(view.found.length - 1, Math.max(0, view.cursor + step));
    if (view.state.open) view.open(view.cursor);
    else grid.focus(view.cursor);
  }

  function onKey(event) {
    if (event.ctrlKey || event.metaKey || event.altKey) return;
    const typing = /^(INPUT|SELECT|TEXTAREA)$/.test(event.target.tagName) && event.target.type !== "checkbox";
    if (event.key === "Escape" && typing) event.target.blur();
    if (typing) return;
    const action = { j: () => move(1), k: () => move(-1), "/": () => at("filters").elements.q.focus() }[event.key];
    if (!action || (event.key === "/" && view.state.open)) return;
    event.preventDefault();
    action();
  }

  sightline.render = render;
  start().catch((error) => {
    at("trouble").append(h("p.trouble", {}, `The gallery did not start: ${error.message}`));
    throw error;
  });
})();
