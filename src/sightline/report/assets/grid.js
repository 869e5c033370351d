// The gallery's grid: only the cards in sight exist. `show` gives it row numbers; `card(row)` makes a card and fills it when it can.
(() => {
  "use strict";

  const CARD_WIDTH = 330; // smallest, in CSS pixels; cards share the width
  const CARD_HEIGHT = 236;
  const GAP = 12;
  const SPARE = 2; // rows of cards kept above and below what is in sight

  class Grid {
    constructor(container, card) {
      this.container = container;
      this.card = card;
      this.found = [];
      this.cards = new Map(); // position -> element
      this.columns = 1;
      this.scheduled = false;
      addEventListener("scroll", () => this.schedule(), { passive: true });
      addEventListener("resize", () => this.schedule()); // a taller window shows more rows
      new ResizeObserver(() => this.layout()).observe(container);
      new ResizeObserver(() => this.schedule()).observe(document.body); // what is above was opened or closed
    }

    show(found) {
      this.found = found;
      for (const card of this.cards.values()) card.remove();
      this.cards.clear();
      this.layout();
    }

    layout() {
      const width = this.container.clientWidth;
      this.columns = Math.max(1, Math.floor((width + GAP) / (CARD_WIDTH + GAP)));
      this.cardWidth = (width - GAP * (this.columns - 1)) / this.columns;
      const numLines = Math.ceil(this.found.length / this.columns);
      this.container.style.height = `${Math.max(0, numLines * (CARD_HEIGHT + GAP) - GAP)}px`;
      for (const [position, card] of this.cards) this.place(card, position);
      this.draw();
    }

    schedule() {
      if (this.scheduled) return;
      this.scheduled = true;
      requestAnimationFrame(() => { this.scheduled = false; this.draw(); });
    }

    draw() {
      const top = -this.container.getBoundingClientRect().top;
      const pitch = CARD_HEIGHT + GAP;
      const first = Math.max(0, Math.floor(top / pitch) - SPARE) * this.columns;
      const last = Math.min(this.found.length, (Math.ceil((top + innerHeight) / pitch) + SPARE) * this.columns);
      for (const [position, card] of this.cards) {
        if (position < first || position >= last) { card.remove(); this.cards.delete(position); }
      }
      for (let position = first; position < last; position++) {
        if (this.cards.has(position)) continue;
        const card = this.card(this.found[position], position);
        this.place(card, position);
        this.cards.set(position, card);
        this.insert(card, position);
      }
    }

    // In the order of the rows, so that Tab goes through them.
    insert(card, position) {
      card.dataset.position = position;
      const next = [...this.container.children].find((other) => Number(other.dataset.position) > position);
      this.container.insertBefore(card, next || null);
    }

    place(card, position) {
      const line = Math.floor(position / this.columns);
      card.style.width = `${this.cardWidth}px`;
      card.style.height = `${CARD_HEIGHT}px`;
      card.style.transform = `translate(${(position % this.columns) * (this.cardWidth + GAP)}px, ${line * (CARD_HEIGHT + GAP)}px)`;
    }

    // Bring a position into sight and put the keyboard's focus on it.
    focus(position) {
      const pitch = CARD_HEIGHT + GAP;
      const top = this.container.getBoundingClientRect().top + Math.floor(position / this.columns) * pitch;
      const margin = 150;
      if (top < margin || top + CARD_HEIGHT > innerHeight) scrollBy({ top: top - margin, behavior: "instant" });
      this.draw();
      this.cards.get(position)?.focus({ preventScroll: true });
    }
  }

  sightline.Grid = Grid;
})();
