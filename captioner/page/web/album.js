// The list of many photos: each with its sentence to correct; sorted and filtered as one likes.
import {make} from "./dom.js";
import {inWords, isDoubtful, measure} from "./sureness.js";

const SHOWN = {
  all: () => true,
  doubtful: (row) => !row.error && !row.edited && isDoubtful(row),
  edited: (row) => row.edited,
  failed: (row) => row.error,
};

export class Album {
  constructor(root, {change}) {
    this.root = root;
    this.change = change;
    this.items = [];
    this.list = root.querySelector("ol");
    this.tools = root.querySelector(".album-tools");
    this.open = () => {};
    this.tools.addEventListener("input", () => this.arrange());
  }

  get length() { return this.items.length; }
  get failed() { return this.items.filter(({row}) => row.error).length; }
  get edited() { return this.items.filter(({row}) => row.edited).length; }
  paths() { return new Set(this.items.map(({row}) => row.path)); }

  rows() {
    return this.items.map(({row: {path, caption, score, edited, error}}) =>
      ({path, caption, score, edited, error}));
  }

  // What is there already stays as it is, edited or not.
  add(rows) {
    const fresh = rows.map((row) => ({row, element: this.element(row)}));
    this.items.push(...fresh);
    this.root.hidden = !this.items.length;
    this.arrange();
  }

  // Another model's sentence, where nobody has written their own.
  revise(path, {caption, score, confidence, sure, error}) {
    const found = this.items.find(({row}) => row.path === path && !row.edited && !row.error);
    if (!found || error) return;
    Object.assign(found.row, {caption, score, confidence, sure});
    found.element.querySelector("textarea").value = caption;
    found.element.querySelector(".sure").textContent = inWords(found.row);
  }

  clear() {
    this.items = [];
    this.list.replaceChildren();
    this.root.hidden = true;
  }

  arrange() {
    const value = (name) => this.tools.querySelector(`[name=${name}]`).value;
    const text = value("find").trim().toLowerCase();
    const kept = this.items.filter(({row}) => SHOWN[value("shown")](row) &&
      `${row.path} ${row.caption ?? ""}`.toLowerCase().includes(text));
    if (value("order") === "doubt") {
      const rank = ({row}) => row.error ? -1 : row.edited ? 2 : measure(row);
      kept.sort((one, other) => rank(one) - rank(other));
    }
    const focused = document.activeElement;
    const wanted = kept.map(({element}) => element), there = this.list.children;
    if (wanted.length !== there.length || wanted.some((one, place) => one !== there[place])) {
      this.list.replaceChildren(...wanted);
      if (this.list.contains(focused)) focused.focus();
    }
    this.tools.querySelector(".none").hidden = Boolean(kept.length || !this.items.length);
  }

  element(row) {
    const name = make("span", "path", {textContent: row.path, title: row.path});
    if (row.error) {
      const sign = make("span", "thumb broken", {textContent: "⚠"});
      sign.setAttribute("aria-hidden", "true");
      return make("li", "item failed", {}, sign,
        make("div", "", {}, name, make("p", "reason", {textContent: row.error})));
    }
    const image = make("img", "", {src: row.thumbnail, alt: "", loading: "lazy"});
    const open = make("button", "thumb", {type: "button"}, image);
    open.setAttribute("aria-label", `Open ${row.path}`);
    open.addEventListener("click", () => this.open(row));
    const text = make("textarea", "", {value: row.caption, rows: 1, spellcheck: true});
    text.setAttribute("aria-label", `Caption of ${row.path}`);
    const sure = make("span", "sure", {textContent: inWords(row)});
    text.addEventListener("input", () => {
      Object.assign(row, {caption: text.value, score: "", edited: true}); // no longer the model's
      sure.textContent = "Your words.";
      this.change();
    });
    return make("li", "item", {}, open, make("div", "", {}, name, text, sure));
  }
}
