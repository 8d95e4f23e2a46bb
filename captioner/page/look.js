// A photo with its caption as chips, and where the model looked for the chosen word.
// All of it happens here in the browser: the caption brings its attention along.
(() => {
  captioner.glide = 260; // milliseconds from one word's attention to the next
  const DOUBTFUL = 0.1; // a word less probable than this is a guess: one in twenty
  const still = () => matchMedia("(prefers-reduced-motion: reduce)").matches;
  const mean = (maps) => maps[0].map((_, cell) =>
    maps.reduce((sum, map) => sum + map[cell], 0) / maps.length);
  const readingTime = (word) => 280 + 45 * word.length;

  captioner.make = (tag, className, properties = {}, ...children) => {
    const element = Object.assign(document.createElement(tag), {className}, properties);
    element.append(...children);
    return element;
  };
  const {make} = captioner;

  // Quartiles of the scores that the model that comes along gave its captions of the 596
  // validation photos: a quarter of its sentences each.
  captioner.sureness = (score) =>
    score >= 0.46 ? "Sure" : score >= 0.40 ? "Fairly sure" : score >= 0.36 ? "Unsure" : "Guessing";

  captioner.percent = (part) => `${Math.round(part * 100)}\u00a0%`;

  captioner.Look = class {
    // `root` gets the photo and the chips; `strip`, where there is one, a small panel a word.
    // Between words there is the photo alone; in an `overview`, where the sentence looked at all.
    constructor(root, {strip = null, overview = false} = {}) {
      this.image = make("img", "cap-image", {alt: "", draggable: false});
      this.canvas = make("canvas", "cap-heat");
      this.canvas.setAttribute("aria-hidden", "true");
      this.photo = make("div", "cap-photo", {}, this.image, this.canvas);
      this.words = make("div", "cap-words");
      this.words.setAttribute("role", "group");
      this.words.setAttribute("aria-label", "The caption, word by word");
      this.sure = make("p", "cap-sure");
      root.replaceChildren(make("div", "cap-stage", {}, this.photo), this.words, this.sure);
      this.strip = strip;
      this.overview = overview;
      this.pinned = this.shown = null;
      this.onplay = () => {};
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
      this.caption = this.glided = null;
      this.pinned = this.shown = null;
      this.canvas.style.opacity = 0;
      this.image.alt = "";
      this.words.replaceChildren();
      this.sure.replaceChildren();
      this.strip?.replaceChildren();
    }

    show(caption) {
      this.stop();
      this.caption = caption;
      this.pinned = this.shown = null;
      this.rows = caption.attention[0]?.length ?? 0;
      this.columns = caption.attention[0]?.[0].length ?? 0;
      this.maps = caption.attention.map((rows) => Float32Array.from(rows.flat()));
      this.resting = this.overview && this.maps.length ? mean(this.maps) : null;
      this.image.alt = caption.caption;
      this.chips = caption.words.map((word, index) => this.chip(word, index));
      this.words.replaceChildren(...this.chips);
      this.sure.replaceChildren(...this.sureLine());
      const seen = this.maps.length ? caption.words : [];
      this.strip?.replaceChildren(...seen.map((word, index) => this.panel(word, index)));
      this.select(null);
    }

    chip(word, index) {
      const sure = this.caption.probabilities[index];
      const chip = make("button", "cap-chip", {type: "button", textContent: word});
      chip.tabIndex = index ? -1 : 0;
      chip.title = `${captioner.percent(sure)} sure of this word`;
      chip.classList.toggle("cap-doubtful", sure < DOUBTFUL);
      return chip;
    }

    sureLine() {
      const {score, words, probabilities} = this.caption;
      const least = probabilities.indexOf(Math.min(...probabilities));
      const line = make("strong", "", {textContent: captioner.sureness(score)});
      let text = `: ${captioner.percent(score)} a word`;
      if (words.length && probabilities[least] < 0.25) {
        text += `, least so of “${words[least]}” (${captioner.percent(probabilities[least])})`;
      }
      text += ".";
      if (probabilities.some((sure) => sure < DOUBTFUL)) text += " Dashed words are guesses.";
      if (!this.maps.length) text += " This decoder has no attention: it looks nowhere.";
      return [line, text];
    }

    panel(word, index) {
      const canvas = make("canvas", "cap-heat");
      captioner.paint(canvas, this.maps[index], this.rows, this.columns, this.aspect);
      const image = make("img", "cap-image", {alt: "", src: this.image.src, draggable: false});
      const photo = make("div", "cap-photo", {}, image, canvas);
      photo.style.setProperty("--aspect", this.aspect);
      const panel = make("div", "cap-panel", {}, photo, make("span", "", {textContent: word}));
      panel.addEventListener("pointerenter", (event) => {
        if (event.pointerType === "mouse") this.select(index);
      });
      panel.addEventListener("pointerleave", () => this.select(this.pinned));
      panel.addEventListener("click", () => this.pin(index));
      return panel;
    }

    listen() {
      const indexOf = (event) => this.chips?.indexOf(event.target.closest(".cap-chip")) ?? -1;
      const on = (type, act) => this.words.addEventListener(type, (event) => {
        const index = indexOf(event);
        if (index >= 0) act(index, event);
      });
      on("pointerover", (index, event) => {
        if (event.pointerType === "mouse" && !this.playing) this.select(index);
      });
      on("focusin", (index) => {
        this.chips.forEach((chip, other) => (chip.tabIndex = other === index ? 0 : -1));
        if (!this.playing) this.select(index);
      });
      on("click", (index) => this.pin(index));
      on("keydown", (index, event) => this.key(index, event));
      this.words.addEventListener("pointerleave", () => this.playing || this.select(this.pinned));
      this.words.addEventListener("focusout", () => this.playing || this.select(this.pinned));
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
      } else if (event.key === "Escape") {
        this.stop();
        this.pinned = null;
        this.select(null);
      } else return;
      event.preventDefault();
    }

    // Keeps a word chosen until it is chosen again.
    pin(index) {
      this.stop();
      this.pinned = this.pinned === index ? null : index;
      this.select(this.pinned);
    }

    select(index) {
      if (!this.chips) return;
      this.shown = index;
      const panels = this.strip ? [...this.strip.children] : [];
      this.chips.forEach((chip, place) => {
        chip.classList.toggle("cap-on", place === index);
        chip.setAttribute("aria-pressed", String(place === this.pinned));
        panels[place]?.classList.toggle("cap-on", place === index);
      });
      this.glide(index === null ? this.resting : this.maps[index] ?? null);
    }

    // The overlay moves from the map that is shown to the next, or fades where there is none.
    glide(target) {
      cancelAnimationFrame(this.frame);
      const from = this.glided ?? target;
      const faded = Number(this.canvas.style.opacity || 0);
      const began = performance.now();
      const step = (now) => {
        const part = still() ? 1 : Math.min(1, Math.max(0, now - began) / captioner.glide);
        const eased = part * part * (3 - 2 * part);
        this.canvas.style.opacity = faded + ((target ? 1 : 0) - faded) * eased;
        if (target) {
          this.glided = from.map((cell, place) => cell + (target[place] - cell) * eased);
          captioner.paint(this.canvas, this.glided, this.rows, this.columns, this.aspect);
        }
        this.photo.classList.toggle("cap-gliding", part < 1);
        if (part < 1) this.frame = requestAnimationFrame(step);
        else if (!target) this.glided = null;
      };
      step(began);
    }

    // The chips light up by how much each word looked at the place under the pointer.
    point(event) {
      if (!this.caption || !this.maps.length) return;
      const box = this.photo.getBoundingClientRect();
      const left = (event.clientX - box.left) / box.width;
      const top = (event.clientY - box.top) / box.height;
      this.light(this.maps.map((map) =>
        captioner.density(map, this.rows, this.columns, left, top)));
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

    stop() {
      if (!this.playing) return;
      this.playing = null;
      this.onplay(false);
    }
  };
})();
