// The open example's pictures share one zoom, one scroll position and one crosshair, all as shares of the picture: in views that show
// the same place (before and after) the same spot is marked in each.
(() => {
  "use strict";

  const { h, number } = sightline.dom;
  const LARGEST = 8;
  let zoom = 1; // kept from one example to the next

  // `pictures` are { frame, image }; returns { node, windows }: the controls, and what holds each frame.
  function link(pictures) {
    const place = h("output.note", {}, "");
    const slider = h("input", { type: "range", name: "zoom", min: 1, max: LARGEST, step: 0.5 });
    const windows = pictures.map(({ frame }) => h("div.window", { tabIndex: 0 }, frame));
    for (const [index, { frame, image }] of pictures.entries()) {
      const pane = windows[index];
      pane.style.width = frame.style.width;
      pane.style.aspectRatio = frame.style.aspectRatio;
      frame.append(h("i.cross.across"), h("i.cross.down"));
      frame.addEventListener("pointermove", (event) => point(event, pictures, index, place));
      frame.addEventListener("pointerleave", () => unpoint(pictures, place));
      pane.addEventListener("scroll", () => follow(pane, windows), { passive: true });
    }
    const apply = () => {
      for (const { frame } of pictures) frame.style.width = `${100 * zoom}%`;
    };
    slider.value = zoom;
    slider.addEventListener("input", () => {
      const before = zoom;
      zoom = Number(slider.value);
      const spots = windows.map((pane) => [pane, pane.scrollLeft + pane.clientWidth / 2, pane.scrollTop + pane.clientHeight / 2]);
      apply();
      for (const [pane, x, y] of spots) pane.scrollTo((x * zoom) / before - pane.clientWidth / 2, (y * zoom) / before - pane.clientHeight / 2);
    });
    apply();
    return { node: h("p.zoom", {}, h("label", {}, "zoom ", slider), " ", place), windows };
  }

  // Setting a position that is already there makes no event, so the windows do not push each other on.
  function follow(pane, windows) {
    const [x, y] = [pane.scrollLeft / Math.max(1, pane.scrollWidth - pane.clientWidth), pane.scrollTop / Math.max(1, pane.scrollHeight - pane.clientHeight)];
    for (const other of windows) {
      if (other === pane) continue;
      const [left, top] = [x * (other.scrollWidth - other.clientWidth), y * (other.scrollHeight - other.clientHeight)];
      if (Math.abs(other.scrollLeft - left) > 1) other.scrollLeft = left;
      if (Math.abs(other.scrollTop - top) > 1) other.scrollTop = top;
    }
  }

  function point(event, pictures, index, place) {
    const box = pictures[index].frame.getBoundingClientRect();
    const [x, y] = [(event.clientX - box.left) / box.width, (event.clientY - box.top) / box.height];
    for (const { frame } of pictures) {
      frame.classList.add("pointed");
      frame.querySelector(".cross.down").style.left = `${100 * x}%`;
      frame.querySelector(".cross.across").style.top = `${100 * y}%`;
    }
    const { width, height } = pictures[index].image;
    place.textContent = `(${number(x * width)}, ${number(y * height)}) px of picture ${index}`;
  }

  function unpoint(pictures, place) {
    for (const { frame } of pictures) frame.classList.remove("pointed");
    place.textContent = "";
  }

  sightline.zoom = { link };
})();
