// The sentence as text: to read, to select, to correct, to copy, to hear.

const escaped = (text) => text.replace(/&/g, "&amp;").replace(/"/g, "&quot;").replace(/</g, "&lt;");

export class Sentence {
  // `root` holds the words and what can be done with them; `note(text)` says what was done.
  constructor(root, note) {
    this.find = (selector) => root.querySelector(selector);
    this.root = root;
    this.note = note;
    this.field = this.find("textarea");
    const acts = {
      copy: () => this.copy(this.text),
      alt: () => this.copy(`alt="${escaped(this.text)}"`),
      speak: () => this.speak(),
      edit: () => this.edit(),
      keep: () => this.keep(),
      original: () => this.set(this.original),
    };
    root.addEventListener("click", (event) => {
      acts[event.target.closest("[data-act]")?.dataset.act]?.();
    });
    this.field.addEventListener("keydown", (event) => {
      if (event.key === "Enter" || event.key === "Escape") {
        event.preventDefault();
        if (event.key === "Enter") this.keep();
        else this.edit(false);
      }
    });
    this.find("[data-act=speak]").hidden = !("speechSynthesis" in window);
  }

  // A person's words, where there are some, else the model's.
  get text() { return this.own ?? this.original; }

  // The model's words and nobody else's.
  set(text) {
    this.original = text;
    this.own = null;
    this.show();
    this.edit(false);
  }

  // Other words by the model. What a person wrote stays, finished or not: whether there is some.
  renew(text) {
    const editing = this.root.classList.contains("editing");
    const written = this.own !== null || (editing && this.field.value !== this.text);
    this.root.classList.toggle("renewed", written && text !== this.original);
    this.original = text;
    if (editing && !written) this.field.value = text;
    this.show();
    return written;
  }

  show() {
    this.root.classList.toggle("own", this.own !== null);
    this.find(".own-words").textContent = this.own ?? "";
  }

  edit(on = true) {
    this.root.classList.toggle("editing", on);
    if (!on) return this.root.classList.remove("renewed");
    this.field.value = this.text;
    this.field.focus();
  }

  keep() {
    const text = this.field.value.replace(/\s+/g, " ").trim();
    this.own = text && text !== this.original ? text : null;
    this.show();
    this.edit(false);
    this.find("[data-act=edit]").focus();
  }

  async copy(text) {
    try {
      await navigator.clipboard.writeText(text);
      this.note("Copied.");
    } catch {
      this.note("This browser does not allow copying; select the sentence instead.");
    }
  }

  speak() {
    speechSynthesis.cancel();
    const said = new SpeechSynthesisUtterance(this.text);
    said.lang = "en";
    speechSynthesis.speak(said);
  }
}
