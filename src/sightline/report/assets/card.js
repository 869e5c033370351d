// One example as a small card: its pictures with the overlays, and what each run made of it.
(() => {
  "use strict";

  const { h } = sightline.dom;
  const PICTURE_HEIGHT = 150;

  // `shown` are the runs to draw: { letter, number, run, label }.
  function make(view, row, position) {
    const { rows } = view;
    const set = sightline.rows.setOf(rows, row);
    const id = rows.ids[row];
    const pictures = h("div.pictures");
    const card = h(
      "button.card", { type: "button", title: id, onclick: () => view.open(position) },
      h("span.card-head", {}, h("span.tier", { title: "tier" }, rows.tiers[rows.tier[row]]),
        rows.visible[row] ? null : h("span.absent", {}, "absent"), h("span.id", {}, id)),
      pictures,
      h("span.chips", {}, view.runsOf(set).map((entry) => chip(entry, row - set.first))),
    );
    sightline.rows.detail(rows, row).then(
      (example) => fill(view, pictures, example, set),
      (error) => pictures.append(h("span.trouble", {}, error.message)),
    );
    return card;
  }

  function fill(view, pictures, example, set) {
    const runs = entries(view.runsOf(set), example);
    const options = { runs, hidden: view.hidden, boxHeight: PICTURE_HEIGHT };
    const single = sightline.strip.others(example);
    if (example.clip) {
      pictures.append(...single.slice(0, 1).map((index) => sightline.overlay.picture(example, index, options)));
      pictures.append(sightline.strip.contact(example, runs, view.hidden));
      return;
    }
    for (const index of single) pictures.append(sightline.overlay.picture(example, index, options));
  }

  function entries(runs, example) {
    return runs.map((entry) => ({ ...entry, prediction: example.runs[entry.index] || null }));
  }

  // Letter, colour and shape of a run, and whether it was right.
  function chip({ letter, number, run, label }, at) {
    const right = sightline.rows.isRight(run, at);
    const [sign, word] = right === null ? ["–", "no prediction"] : right ? ["✓", "right"] : ["✗", "wrong"];
    const status = right === null ? "" : sightline.index.statuses[run.status[at]];
    return h(
      `span.chip.${right === null ? "none" : right ? "right" : "wrong"}`, { title: `${letter} = ${label}: ${word} ${status}` },
      h(`b.key.run-${number % sightline.overlay.NUM_COLOURS}`, {}, letter), ` ${sign}`,
      status && status !== "ok" ? h("i", {}, ` ${status}`) : null,
    );
  }

  sightline.card = { make, entries, chip };
})();
