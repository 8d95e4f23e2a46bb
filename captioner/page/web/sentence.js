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

  set(text) {
    this.text = this.original = text;
    this.show();
    this.edit(false);
  }

  show() {
    const own = this.text !== this.original;
    this.root.classList.toggle("own", own);
    this.find(".own-words").textContent = own ? this.text : "";
  }

  edit(on = true) {
    this.root.classList.toggle("editing", on);
    if (!on) return;
    this.field.value = this.text;
    this.field.focus();
  }

  keep() {
    this.text = this.field.value.replace(/\s+/g, " ").trim() || this.original;
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
