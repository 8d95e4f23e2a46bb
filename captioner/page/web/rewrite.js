// Each word offers those that nearly stood in its place; choosing one rewrites the rest.
import {make, percent} from "./dom.js";

export class Rewrite {
  // `again(prefix)` asks for a sentence that begins so; `back(caption)` shows an earlier one.
  constructor(root, {again, back}) {
    Object.assign(this, {root, again, back, earlier: []});
  }

  // A new photo: there is nothing to go back to.
  forget() {
    this.earlier = [];
    this.offer(null, null);
  }

  // Another sentence takes the place of `caption`; null, under new options: of one that is gone.
  leave(caption) {
    this.earlier = caption ? [...this.earlier, caption] : [];
  }

  // What might stand in place of the word at `index` of the caption; null: nothing is chosen.
  offer(caption, index) {
    const others = caption && index !== null ? this.others(caption, index) : [];
    const parts = [];
    if (others.length) {
      const word = caption.words[index];
      const buttons = others.map(([other, chance]) => {
        const button = make("button", "button", {type: "button"},
          `${other} `, make("small", "", {textContent: percent(chance)}));
        button.addEventListener("click", () => this.choose(caption, index, other));
        return button;
      });
      const label = make("span", "", {textContent: `Instead of “${word}” (${
        percent(caption.probabilities[index])}) it might have written`});
      parts.push(label, make("span", "others", {}, ...buttons));
    } else if (caption?.choices?.length && index !== null) {
      parts.push(`No other word came close to “${caption.words[index]}”.`);
    }
    if (this.earlier.length) {
      const undo = make("button", "button", {type: "button", textContent: "↶ Undo"});
      undo.addEventListener("click", () => this.undo());
      parts.push(undo);
    }
    this.root.replaceChildren(...parts);
    this.root.hidden = !parts.length;
  }

  others(caption, index) {
    const all = caption.choices?.[index] ?? [];
    return all.filter(([word, chance]) => word !== caption.words[index] && chance >= 0.005);
  }

  choose(caption, index, word) {
    this.again([...caption.words.slice(0, index), word].join(" "));
  }

  undo() {
    const caption = this.earlier.pop();
    this.back(caption);
  }
}
