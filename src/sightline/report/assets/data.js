// Data files call sightline.receive(name, value) when their script runs; file URLs allow scripts, but not fetch.
(() => {
  "use strict";

  const waiting = new Map(); // name -> { promise, resolve }
  const KEPT = 400; // chunks of rows held at once; the oldest goes first
  const held = [];

  function slot(name) {
    if (!waiting.has(name)) {
      const entry = {};
      entry.promise = new Promise((resolve, reject) => Object.assign(entry, { resolve, reject }));
      waiting.set(name, entry);
    }
    return waiting.get(name);
  }

  function receive(name, value) {
    slot(name).resolve(value);
  }

  // The value of data/<name>.js, loaded once.
  function load(name) {
    const known = waiting.has(name);
    const { promise, reject } = slot(name);
    if (known) return promise;
    const tag = document.createElement("script");
    tag.src = `data/${name}.js`;
    tag.onload = () => tag.remove();
    tag.onerror = () => reject(new Error(`data/${name}.js did not load: is the report folder complete?`));
    document.head.append(tag);
    if (name.startsWith("rows-")) {
      held.push(name);
      if (held.length > KEPT) waiting.delete(held.shift());
    }
    return promise;
  }

  // A column: little-endian numbers in base64.
  function column(Kind, text) {
    const characters = atob(text);
    const bytes = new Uint8Array(characters.length);
    for (let place = 0; place < bytes.length; place++) bytes[place] = characters.charCodeAt(place);
    return new Kind(bytes.buffer);
  }

  window.sightline = { receive, load, column };
})();
