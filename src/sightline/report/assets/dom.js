// Elements with text only: nothing here, and nothing that calls it, parses HTML.
(() => {
  "use strict";

  const SVG = "http://www.w3.org/2000/svg";

  // h("p.note", { title: "x" }, "text", child): an element with classes, properties and children; strings become text.
  function h(name, properties = {}, ...children) {
    const [tag, ...classes] = name.split(".");
    const node = document.createElement(tag);
    node.className = classes.join(" ");
    for (const [key, value] of Object.entries(properties)) {
      if (key.startsWith("aria-") || key === "role") node.setAttribute(key, value);
      else node[key] = value;
    }
    node.append(...children.flat(Infinity).filter((child) => child !== null && child !== undefined));
    return node;
  }

  function s(tag, attributes = {}, ...children) {
    const node = document.createElementNS(SVG, tag);
    for (const [key, value] of Object.entries(attributes)) node.setAttribute(key, value);
    node.append(...children);
    return node;
  }

  function number(value, digits = 1) {
    return value.toLocaleString("en", { minimumFractionDigits: digits, maximumFractionDigits: digits, useGrouping: false });
  }

  sightline.dom = { h, s, number };
})();
