// All rows as columns, and which of them a state selects. A row is one example of one task set; each run has columns over its task set.
(() => {
  "use strict";

  const { column } = sightline;
  const UNSCORED = 255;
  const YES_NO = { 1: true, 0: false };
  // Bits of a run's `flags`: known, then value, for each question.
  const CORRECT = 1, HIT_KNOWN = 2, HIT = 4, DILATED_KNOWN = 8, DILATED = 16, SAID_KNOWN = 32, SAID = 64, HALF = 128;

  function decode(index) {
    const rows = {
      ...index,
      group: column(Uint32Array, index.group),
      tier: column(Uint8Array, index.tier),
      visible: column(Uint8Array, index.visible),
      cell: column(Uint8Array, index.cell),
      side: column(Uint8Array, index.side),
      haystack: index.ids.map((id, row) => `${id}\n${index.labels[row]}`.toLowerCase()),
      kindNames: Object.keys(index.kinds),
      slices: Object.fromEntries(Object.entries(index.slices).map(([name, text]) => [name, column(Uint8Array, text)])),
      position: new Map(),
      orders: new Map(), // rows in an order of their own, made when it is first asked for
    };
    for (const set of rows.sets) set.runs = [];
    for (const run of index.runs) {
      run.status = column(Uint8Array, run.status);
      run.kind = column(Uint8Array, run.kind);
      run.flags = column(Uint8Array, run.flags);
      run.l2 = column(Float64Array, run.l2);
      run.iou = column(Float64Array, run.iou);
      run.marks = run.marks ? column(Uint32Array, run.marks) : new Uint32Array(run.status.length);
      run.texts = null;
      rows.sets[run.set].runs.push(run);
    }
    for (const [number, set] of rows.sets.entries()) {
      for (let row = set.first; row < set.first + set.count; row++) rows.position.set(`${number}\n${rows.ids[row]}`, row);
    }
    return rows;
  }

  // The condition of a state on what one run did with row `at` of its task set.
  function outcome(rows, state) {
    let mask = 0, value = 0;
    const need = (bits, set) => { mask |= bits; value |= set; };
    if (state.right) need(CORRECT, YES_NO[state.right] ? CORRECT : 0);
    if (state.hit) need(HIT_KNOWN | HIT, YES_NO[state.hit] ? HIT_KNOWN | HIT : HIT_KNOWN);
    if (state.dilated === "any") need(DILATED_KNOWN, DILATED_KNOWN);
    else if (state.dilated) need(DILATED_KNOWN | DILATED, YES_NO[state.dilated] ? DILATED_KNOWN | DILATED : DILATED_KNOWN);
    if (state.said === "visible") need(SAID_KNOWN | SAID, SAID_KNOWN | SAID);
    if (state.said === "absent") need(SAID_KNOWN | SAID, SAID_KNOWN);
    if (state.said === "neither") need(SAID_KNOWN, 0);
    if (state.half) need(HALF, YES_NO[state.half] ? HALF : 0);
    const statuses = state.status && new Set(state.status.split(",").map((name) => rows.statuses.indexOf(name)));
    const kinds = state.kind && new Set(state.kind.split(",").map((name) => rows.kindNames.indexOf(name)));
    const noted = state.note && rows.mark_sets.map((marks) => marks.includes(state.note));
    const within = state.within === undefined ? Infinity : Number(state.within);
    const pointed = state.pointed || state.within;
    const overlap = state.iou === undefined ? null : Number(state.iou); // an overlap that is not known is below every bound
    const about = state.claim || state.either || state.joint;
    if (!mask && !statuses && !kinds && !noted && !pointed && overlap === null && !about && !state.model) return null;
    return (run, at, visible) =>
      run.status[at] !== UNSCORED && (run.flags[at] & mask) === value && (!statuses || statuses.has(run.status[at])) &&
      (!kinds || kinds.has(run.kind[at])) && (!noted || noted[run.marks[at]]) &&
      (!pointed || run.l2[at] < within) && (overlap === null || run.iou[at] >= overlap) && (!about || claims(state, run.flags[at], visible));
  }

  // Conditions on the truth and the claim together: the claim is right (or not); it is hit where it is visible
  // and said to be absent where it is absent (or not); the object is absent or was said to be.
  function claims(state, flags, visible) {
    const said = flags & SAID_KNOWN ? Number(Boolean(flags & SAID)) : -1;
    if (state.claim && (said === visible) !== YES_NO[state.claim]) return false;
    if (state.joint && (visible ? Boolean(flags & HIT) : said === 0) !== YES_NO[state.joint]) return false;
    return !state.either || visible === 0 || said === 0;
  }

  const RELATIONS = {
    won: (a, b) => a && !b,
    lost: (a, b) => !a && b,
    both: (a, b) => a && b,
    neither: (a, b) => !a && !b,
    differ: (a, b) => a !== b,
  };

  // Row numbers in the order of display.
  function select(rows, state) {
    const found = [];
    const group = state.scene === undefined ? -1 : rows.groups.indexOf(state.scene);
    const tiers = state.tier && new Set(state.tier.split(",").map((name) => rows.tiers.indexOf(name)));
    const truth = { visible: 1, absent: 0 }[state.truth];
    const words = (state.q || "").toLowerCase().split(/\s+/).filter(Boolean);
    const inBin = state.bin && binTest(rows, state.bin);
    const cell = state.cell === undefined ? -1 : rows.cells.indexOf(state.cell);
    const side = { left: 0, right: 1 }[state.side];
    const did = outcome(rows, state);
    for (const set of rows.sets) {
      if (state.set && set.name !== state.set) continue;
      const runs = state.model ? set.runs.filter((run) => rows.models[run.model].label === state.model) : set.runs;
      const other = set.runs.find((run) => rows.models[run.model].label === state.vs);
      const relation = RELATIONS[state.versus] || null;
      if (did && !runs.length) continue;
      if (state.vs && (!other || !runs.length)) continue;
      for (let at = 0; at < set.count; at++) {
        const row = set.first + at;
        if (group >= 0 ? rows.group[row] !== group : state.scene) continue;
        if (tiers && !tiers.has(rows.tier[row])) continue;
        if (inBin && !inBin(row)) continue;
        if (cell >= 0 ? rows.cell[row] !== cell : state.cell) continue;
        if (state.side && rows.side[row] !== side) continue;
        if (state.label && rows.labels[row] !== state.label) continue;
        if (truth !== undefined && rows.visible[row] !== truth) continue;
        if (did && !runs.some((run) => did(run, at, rows.visible[row]))) continue;
        if (state.vs && !compares(runs[0], other, at, relation)) continue;
        if (words.length && !words.every((word) => mentions(rows, runs, row, at, word))) continue;
        found.push(row);
      }
    }
    return order(rows, state, found);
  }

  // "size:small <1%": the rows of one bin of a slicing.
  function binTest(rows, text) {
    const [name, ...label] = text.split(":");
    if (!Object.hasOwn(rows.bins, name)) return () => false;
    const position = rows.bins[name].indexOf(label.join(":"));
    return (row) => rows.slices[name][row] === position;
  }

  function compares(run, other, at, relation) {
    if (run.status[at] === UNSCORED || other.status[at] === UNSCORED) return false;
    return !relation || relation(Boolean(run.flags[at] & CORRECT), Boolean(other.flags[at] & CORRECT));
  }

  function mentions(rows, runs, row, at, word) {
    return rows.haystack[row].includes(word) || runs.some((run) => run.texts !== null && run.texts[at].includes(word));
  }

  // All rows are ordered once for each order and model; what is found is then picked from them in that order.
  function order(rows, state, found) {
    if (!Object.hasOwn(KEYS, state.sort || "")) return found;
    const ordered = orderOf(rows, state);
    const chosen = new Uint8Array(ordered.length);
    for (const row of found) chosen[row] = 1;
    return Array.from(ordered.filter((row) => chosen[row]));
  }

  const KEYS = { error: worstErrors, overlap: missingOverlaps, disagreement: disagreements };

  function orderOf(rows, state) {
    const name = `${state.sort}\n${state.sort === "disagreement" ? "" : state.model || ""}`;
    if (!rows.orders.has(name)) rows.orders.set(name, largestFirst(KEYS[state.sort](rows, state)));
    return rows.orders.get(name);
  }

  // Rows by falling key, equal ones as stored: a radix sort over the keys' bits, 16 at a time. Keys are -1 or from 0 up, so that with
  // the sign turned their bits stand in the same order as their values.
  function largestFirst(keys) {
    const parts = new Uint16Array(keys.buffer); // lowest first: browsers run on little-endian machines
    let from = Uint32Array.from(keys.keys()), to = new Uint32Array(keys.length);
    for (let part = 0; part < 4; part++) {
      const turned = part === 3 ? 0x8000 : 0;
      const places = new Uint32Array(0x10000);
      for (let at = part; at < parts.length; at += 4) places[parts[at] ^ turned]++;
      if (places[parts[part] ^ turned] === keys.length) continue; // all alike here
      for (let digit = 0xffff, place = 0; digit >= 0; digit--) {
        const count = places[digit];
        places[digit] = place;
        place += count;
      }
      for (let at = 0; at < from.length; at++) to[places[parts[4 * from[at] + part] ^ turned]++] = from[at];
      const sorted = to;
      to = from;
      from = sorted;
    }
    return from;
  }

  // Makes the orders while the reader looks at the page, one at a time, so that asking for one finds it made.
  function prepare(rows) {
    const states = ["", ...rows.models.map(({ label }) => label)].flatMap((model) => Object.keys(KEYS).map((sort) => ({ sort, model })));
    const next = () => {
      const state = states.shift();
      if (!state) return;
      orderOf(rows, state);
      requestIdleCallback(next);
    };
    requestIdleCallback(next);
  }

  // The largest distance to the truth of the chosen (or any) run; rows without one come last.
  function worstErrors(rows, state) {
    return worst(rows, state, (run, at) => run.l2[at]);
  }

  // What the smallest overlap of the chosen (or any) run lacks of a whole one.
  function missingOverlaps(rows, state) {
    return worst(rows, state, (run, at) => 1 - run.iou[at]);
  }

  function worst(rows, state, error) {
    const found = new Float64Array(rows.ids.length).fill(-1);
    for (const { first, count, runs } of rows.sets) {
      for (const run of runs) {
        if (state.model && rows.models[run.model].label !== state.model) continue;
        for (let at = 0; at < count; at++) {
          const value = error(run, at);
          if (value > found[first + at]) found[first + at] = value;
        }
      }
    }
    return found;
  }

  // How evenly the runs are split between right and wrong.
  function disagreements(rows) {
    const split = new Float64Array(rows.ids.length);
    for (const { first, count, runs } of rows.sets) {
      for (const { flags } of runs) for (let at = 0; at < count; at++) split[first + at] += flags[at] & CORRECT;
      for (let row = first; row < first + count; row++) split[row] = Math.min(split[row], runs.length - split[row]);
    }
    return split;
  }

  function setOf(rows, row) {
    return rows.sets.find((set) => row >= set.first && row < set.first + set.count);
  }

  // The texts of every run that a search can meet, loaded once.
  async function loadTexts(rows) {
    await Promise.all(rows.runs.map(async (run, number) => {
      if (run.has_texts && run.texts === null) run.texts = await sightline.load(`texts-${number}`);
    }));
  }

  async function detail(rows, row) {
    const chunk = await sightline.load(`rows-${Math.floor(row / rows.chunk_rows)}`);
    return { ...chunk.rows[row % rows.chunk_rows], outlines: chunk.outlines };
  }

  function isRight(run, at) {
    return run.status[at] === UNSCORED ? null : Boolean(run.flags[at] & CORRECT);
  }

  // Status, kind, right, hit, hit on the dilated mask, said visible, wrong panel, distance, overlap; null where it does not apply.
  function outcomeOf(rows, run, at) {
    if (run.status[at] === UNSCORED) return Array(9).fill(null);
    const flags = run.flags[at];
    const where = (known, bit) => (flags & known ? Boolean(flags & bit) : null);
    return [rows.statuses[run.status[at]], rows.kindNames[run.kind[at]] ?? null, Boolean(flags & CORRECT), where(HIT_KNOWN, HIT),
      where(DILATED_KNOWN, DILATED), where(SAID_KNOWN, SAID), Boolean(flags & HALF), run.l2[at], run.iou[at]];
  }

  sightline.rows = { decode, select, prepare, setOf, loadTexts, detail, isRight, outcomeOf };
})();
