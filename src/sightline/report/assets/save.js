// The rows that the gallery shows as a CSV file: one line an example and shown model, the columns of `sightline report --rows` that the
// index knows. A text that a spreadsheet would take for a formula is led by a quote.
(() => {
  "use strict";

  const COLUMNS = ["task_set", "model", "id", "scene", "tier", "label", "visible", "status", "kind", "right", "hit", "hit_dilated",
    "said_visible", "wrong_panel", "l2_norm", "iou"];
  const FORMULA = /^[=+\-@\t\r\n\uff1d\uff0b\uff0d\uff20]/;
  const BOM = "\ufeff"; // without it some spreadsheets read UTF-8 as something else

  function save(view) {
    const blob = new Blob([BOM, table(view)], { type: "text/csv;charset=utf-8" });
    const url = URL.createObjectURL(blob);
    const link = sightline.dom.h("a", { href: url, download: "rows.csv", hidden: true });
    document.body.append(link);
    link.click();
    link.remove();
    setTimeout(() => URL.revokeObjectURL(url), 60_000);
  }

  function table(view) {
    const { rows } = view;
    const lines = [COLUMNS.join(",")];
    for (const row of view.found) {
      const set = sightline.rows.setOf(rows, row);
      const example = [set.name, rows.ids[row], rows.groups[rows.group[row]], rows.tiers[rows.tier[row]], rows.labels[row]];
      for (const { run, label } of view.runsOf(set)) lines.push(line(example, Boolean(rows.visible[row]), label, sightline.rows.outcomeOf(rows, run, row - set.first)));
    }
    return lines.join("\r\n") + "\r\n";
  }

  function line([set, ...example], visible, label, did) {
    return [set, label, ...example, visible, ...did].map(cell).join(",");
  }

  // Numbers and truth values stand as they are; texts are quoted.
  function cell(value) {
    if (value === null || value === "") return "";
    if (typeof value !== "string") return Number.isNaN(value) ? "" : String(value);
    return `"${(FORMULA.test(value) ? `'${value}` : value).replaceAll('"', '""')}"`;
  }

  sightline.save = save;
  sightline.save.table = table;
})();
