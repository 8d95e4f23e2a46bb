// Three views behind three tabs; the address says which one is open.

export class Tabs {
  constructor(list, opened) {
    this.tabs = [...list.querySelectorAll("[role=tab]")];
    this.opened = opened;
    list.addEventListener("click", (event) => {
      const tab = event.target.closest("[role=tab]");
      if (tab) this.open(tab.getAttribute("aria-controls"));
    });
    list.addEventListener("keydown", (event) => {
      const step = {ArrowRight: 1, ArrowLeft: -1}[event.key];
      if (!step) return;
      const at = this.tabs.indexOf(document.activeElement);
      const next = this.tabs.at((at + step) % this.tabs.length);
      this.open(next.getAttribute("aria-controls"));
      next.focus();
    });
    addEventListener("hashchange", () => this.open(location.hash.slice(1)));
    this.open(location.hash.slice(1));
  }

  open(name) {
    const names = this.tabs.map((tab) => tab.getAttribute("aria-controls"));
    this.name = names.includes(name) ? name : names[0];
    this.tabs.forEach((tab, place) => {
      const on = names[place] === this.name;
      tab.setAttribute("aria-selected", String(on));
      tab.tabIndex = on ? 0 : -1;
      document.getElementById(names[place]).hidden = !on;
    });
    if (location.hash.slice(1) !== this.name && (location.hash || this.name !== names[0])) {
      history.replaceState(null, "", `#${this.name}`);
    }
    this.opened(this.name);
  }
}
