// Loads a clip, asks about it, and says what went wrong. All addresses are those of this service.
(() => {
  "use strict";

  const get = (id) => document.getElementById(id);
  let source = null; // what says to the service which frames are meant
  let limits = { max_body_bytes: Infinity };

  class Refused extends Error {}

  async function ask(path, body) {
    const headers = {};
    if (body !== undefined) headers["Content-Type"] = "application/json";
    if (get("token").value) headers.Authorization = `Bearer ${get("token").value}`;
    const text = body === undefined ? undefined : JSON.stringify(body);
    if (text !== undefined && text.length > limits.max_body_bytes) {
      throw new Refused(`The files are larger than the ${(limits.max_body_bytes / 1e6).toFixed(1)} MB that a request may have. Choose smaller ones.`);
    }
    let response;
    try {
      response = await fetch(path, { method: text === undefined ? "GET" : "POST", headers, body: text });
    } catch (error) {
      throw new Refused(`The service does not answer (${error.message}). Is it still running?`);
    }
    const found = await response.json();
    if (response.status === 401) get("locked").hidden = false;
    if (!response.ok) throw new Refused(`${found.error.where}: ${found.error.message}. ${found.error.remedy}`);
    return found;
  }

  // Does `work` with its button held, and shows what it throws.
  async function working(form, words, work) {
    const button = form.querySelector("button[type=submit]");
    if (button.disabled) return;
    button.disabled = true;
    get("trouble").hidden = true;
    get("status").textContent = words;
    try {
      get("status").textContent = await work();
    } catch (error) {
      get("status").textContent = "";
      get("trouble").textContent = error.message;
      get("trouble").hidden = false;
      if (!(error instanceof Refused)) throw error;
    } finally {
      button.disabled = false;
    }
  }

  async function load() {
    const files = [...get("files").files].sort((a, b) => a.name.localeCompare(b.name, "en", { numeric: true }));
    const name = get("clip").value;
    if (files.length && name) throw new Refused("Files and a clip of this service are both chosen. Take one of them back.");
    if (!files.length && !name) throw new Refused("Choose a video, pictures, or a clip of this service.");
    const chosen = name ? { clip: name } : await sent(files);
    const numFrames = Number(get("num-frames").value);
    if (!Number.isInteger(numFrames) || numFrames < 1) throw new Refused("The number of frames is a whole number above 0.");
    const still = chosen.images && chosen.images.length === 1;
    source = null;
    viewer.load(null);
    const wanted = still ? chosen : { ...chosen, num_frames: numFrames };
    const clip = await ask("v1/frames", wanted);
    source = wanted;
    viewer.load(clip);
    get("expressions").focus();
    return `${clip.frames.length} of ${clip.num_frames_in_clip} frames, ${clip.width} × ${clip.height} pixels.`;
  }

  async function sent(files) {
    const pictures = files.filter(({ type }) => type.startsWith("image/"));
    if (pictures.length === files.length) return { images: await Promise.all(files.map(base64)) };
    if (files.length > 1) throw new Refused("Choose one video, or pictures alone.");
    return { video: await base64(files[0]) };
  }

  function base64(file) {
    return new Promise((resolve, reject) => {
      const reader = new FileReader();
      reader.onload = () => resolve(reader.result.slice(reader.result.indexOf(",") + 1));
      reader.onerror = () => reject(new Refused(`${file.name} cannot be read (${reader.error.message}).`));
      reader.readAsDataURL(file);
    });
  }

  async function segment() {
    const expressions = get("expressions").value.split("\n").map((line) => line.trim()).filter(Boolean);
    if (!expressions.length) throw new Refused("Type what to segment.");
    const found = await ask("v1/segment", { ...source, expressions, masks: "outline" });
    viewer.fill(found.answers);
    return `${found.model} took ${(found.model_ms / 1000).toFixed(1)} s.`;
  }

  async function begin() {
    const told = await ask("v1/clips");
    limits = told;
    get("model").textContent = told.model;
    get("num-frames").max = told.max_frames;
    get("served").hidden = !told.clips.length;
    get("clip").append(...told.clips.map((name) => new Option(name, name)));
    return "";
  }

  const submits = (form, words, work) => form.addEventListener("submit", (event) => {
    event.preventDefault();
    working(form, words, work);
  });
  submits(get("load"), "Loading …", load);
  submits(get("ask"), "The model is asked …", segment);
  get("expressions").addEventListener("keydown", (event) => {
    if (event.key === "Enter" && !event.shiftKey) {
      event.preventDefault();
      get("ask").requestSubmit();
    }
  });
  get("token").addEventListener("change", () => working(get("load"), "", begin));
  working(get("load"), "", begin).then(() => { document.body.dataset.ready = "yes"; });
})();
