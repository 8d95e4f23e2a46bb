// A photo with its sentence, and where the model looked for the chosen word.
// All of it happens here in the browser: the caption brings its attention along.
import {make, still} from "./dom.js";
import {density, paint, place} from "./heat.js";

// Milliseconds: from one word's attention to the next; that a word is read, and each of its letters.
export const pace = {glide: 260, word: 280, letter: 45};

const SMALL = new Set(("a an the of in on at to with and or is are it its that this there up by " +
  "for from next front top some other his her their").split(" "));

// Words that say something of the photo; the others hold the sentence together.
export const isContent = (word) => /\w/.test(word) && !SMALL.has(word);

const readingTime = (word) => pace.word + pace.letter * word.length;
const capital = (word) => word.charAt(0).toUpperCase() + word.slice(1);

export class Look {
  // `root` gets the photo, `sentence` the words; `strip`, where there is one, a small panel a word.
  // Between words there is the photo alone.
  constructor(root, sentence, {strip = null} = {}) {
    this.image = make("img", "image", {alt: "", draggable: false});
    this.canvas = make("canvas", "heat");
    this.canvas.setAttribute("aria-hidden", "true");
    this.photo = make("div", "photo", {}, this.image, this.canvas);
    this.words = sentence;
    root.replaceChildren(make("div", "stage", {}, this.photo));
    Object.assign(this, {strip, pinned: null, shown: null});
    this.onplay = this.onpin = this.ontouch = () => {};
    this.listen();
  }

  // Shows a photo alone. Resolves to whether this browser can display it.
  async open(url) {
    this.clear();
    this.image.src = url;
    try {
      await this.image.decode();
    } catch {
      return false;
    }
    this.aspect = this.image.naturalWidth / this.image.naturalHeight || 1;
    this.photo.style.setProperty("--aspect", this.aspect);
    return true;
  }

  clear() {
    this.stop();
    this.caption = this.glided = this.chips = null;
    this.pinned = this.shown = null;
    cancelAnimationFrame(this.frame);
    this.canvas.style.opacity = 0;
    this.image.alt = "";
    this.words.replaceChildren();
    this.strip?.replaceChildren();
  }

  show(caption) {
    this.stop();
    this.caption = caption;
    this.pinned = this.shown = null;
    this.resting = false;
    this.rows = caption.attention[0]?.length ?? 0;
    this.columns = caption.attention[0]?.[0].length ?? 0;
    this.maps = caption.attention.map((rows) => Float32Array.from(rows.flat()));
    this.image.alt = caption.caption;
    this.chips = caption.words.map((word, index) => this.chip(word, index));
    const ending = /[.!?]$/.exec(caption.caption)?.[0] ?? "";
    this.words.replaceChildren(...this.chips.flatMap((chip, index) =>
      [index && /\w/.test(chip.textContent) ? " " : "", chip]), ending);
    const seen = this.maps.length ? caption.words : [];
    this.strip?.replaceChildren(...seen.map((word, index) => this.panel(word, index)));
    this.select(null);
  }

  // A word is text that can be selected and a button at once.
  chip(word, index) {
    const chip = make("span", "word", {textContent: index ? word : capital(word)});
    chip.tabIndex = index ? -1 : 0;
    chip.setAttribute("role", "button");
    if (this.maps.length) {
      const where = place(this.maps[index], this.rows, this.columns);
      chip.setAttribute("aria-label", `${word}: looked at ${where}`);
    }
    return chip;
  }

  panel(word, index) {
    const canvas = make("canvas", "heat");
    paint(canvas, this.maps[index], this.rows, this.columns, this.aspect);
    const image = make("img", "image", {alt: "", src: this.image.src, draggable: false});
    const photo = make("div", "photo", {}, image, canvas);
    photo.style.setProperty("--aspect", this.aspect);
    const panel = make("div", "panel", {}, photo, make("span", "", {textContent: word}));
    panel.addEventListener("pointerenter", (event) => {
      if (event.pointerType === "mouse") this.touch(index);
    });
    panel.addEventListener("pointerleave", () => this.playing || this.select(this.pinned));
    panel.addEventListener("click", () => this.pin(index));
    return panel;
  }

  listen() {
    const on = (type, act) => this.words.addEventListener(type, (event) => {
      const index = this.chips?.indexOf(event.target.closest?.(".word")) ?? -1;
      if (index >= 0) act(index, event);
    });
    on("pointerover", (index, event) => event.pointerType === "mouse" && this.touch(index));
    on("focusin", (index) => {
      this.chips.forEach((chip, other) => (chip.tabIndex = other === index ? 0 : -1));
      if (!this.playing) this.select(index);
    });
    on("click", (index) => getSelection().isCollapsed && this.pin(index));
    on("keydown", (index, event) => this.key(index, event));
    const leave = () => this.playing || this.select(this.pinned);
    this.words.addEventListener("pointerleave", leave);
    this.words.addEventListener("focusout", leave);
    this.photo.addEventListener("pointermove", (event) => this.point(event));
    this.photo.addEventListener("pointerdown", (event) => this.point(event));
    this.photo.addEventListener("pointerleave", (event) => {
      if (event.pointerType === "mouse") this.light(null);
    });
  }

  key(index, event) {
    const last = this.chips.length - 1;
    const to = {
      ArrowRight: index === last ? 0 : index + 1,
      ArrowLeft: index === 0 ? last : index - 1,
      Home: 0,
      End: last,
    }[event.key];
    if (to !== undefined) {
      this.stop();
      this.chips[to].focus();
    } else if (event.key === "Enter" || event.key === " ") {
      this.pin(index);
    } else if (event.key === "Escape") {
      this.stop();
      this.unpin();
    } else return;
    event.preventDefault();
  }

  touch(index) {
    this.ontouch();
    if (!this.playing) this.select(index);
  }

  // Keeps a word chosen until it is chosen again.
  pin(index) {
    this.ontouch();
    this.stop();
    this.pinned = this.pinned === index && !this.resting ? null : index;
    this.resting = false;
    this.select(this.pinned);
    this.onpin(this.pinned);
  }

  unpin() {
    this.pinned = null;
    this.select(null);
    this.onpin(null);
  }

  select(index) {
    if (!this.chips) return;
    this.shown = index;
    const panels = this.strip ? [...this.strip.children] : [];
    this.chips.forEach((chip, place) => {
      chip.classList.toggle("on", place === index);
      chip.setAttribute("aria-pressed", String(place === this.pinned));
      panels[place]?.classList.toggle("on", place === index);
    });
    this.glide(this.maps[index] ?? null);
  }

  // The overlay moves from the map that is shown to the next, or fades where there is none.
  glide(target) {
    cancelAnimationFrame(this.frame);
    const from = this.glided ?? target;
    const faded = Number(this.canvas.style.opacity || 0);
    const began = performance.now();
    const step = (now) => {
      const part = still() ? 1 : Math.min(1, Math.max(0, now - began) / pace.glide);
      const eased = part * part * (3 - 2 * part);
      this.canvas.style.opacity = faded + ((target ? 1 : 0) - faded) * eased;
      if (target) {
        this.glided = from.map((cell, place) => cell + (target[place] - cell) * eased);
        paint(this.canvas, this.glided, this.rows, this.columns, this.aspect);
      }
      this.photo.classList.toggle("gliding", part < 1);
      if (part < 1) this.frame = requestAnimationFrame(step);
      else if (!target) this.glided = null;
    };
    step(began);
  }

  // The words light up by how much each looked at the place under the pointer.
  point(event) {
    if (!this.caption || !this.maps.length) return;
    const box = this.photo.getBoundingClientRect();
    const left = (event.clientX - box.left) / box.width;
    const top = (event.clientY - box.top) / box.height;
    this.light(this.maps.map((map) => density(map, this.rows, this.columns, left, top)));
    clearTimeout(this.fading);
    if (event.pointerType !== "mouse") {
      this.fading = setTimeout(() => this.light(null), 2500); // a finger has no way to leave
    }
  }

  light(densities) {
    // The word that looked here most lights fully, if it looked twice as hard as evenly.
    const most = Math.max(2, ...(densities ?? []));
    this.chips?.forEach((chip, index) => {
      chip.style.setProperty("--light", densities ? densities[index] / most : 0);
    });
  }

  async play() {
    if (!this.chips?.length) return;
    const run = (this.playing = {});
    this.onplay(true);
    for (let index = 0; index < this.chips.length; index++) {
      this.select(index);
      const time = readingTime(this.caption.words[index]);
      await new Promise((resolve) => setTimeout(resolve, time));
      if (this.playing !== run) return;
    }
    this.stop();
    this.select(this.pinned);
  }

  // Rests on the word of content that looked at one place most; `arrive` plays once before.
  rest() {
    const {words} = this.caption, content = words.some(isContent);
    const peaks = this.maps.map((map, index) =>
      content && !isContent(words[index]) ? 0 : Math.max(...map));
    this.pinned = peaks.length ? peaks.indexOf(Math.max(...peaks)) : null;
    this.resting = true;
    this.select(this.pinned);
  }

  async arrive() {
    this.rest();
    if (this.maps.length && !still()) await this.play();
  }

  stop() {
    if (!this.playing) return;
    this.playing = null;
    this.onplay(false);
  }
}
