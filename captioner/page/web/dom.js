// Small things that every part of the page uses.

export const make = (tag, className = "", properties = {}, ...children) => {
  const element = Object.assign(document.createElement(tag), properties);
  if (className) element.className = className;
  element.append(...children);
  return element;
};

// What the server tells the page, in the page itself.
export const settings = JSON.parse(document.getElementById("settings").textContent);

export const percent = (part) => `${Math.round(part * 100)}\u00a0%`;

export const still = () => matchMedia("(prefers-reduced-motion: reduce)").matches;

export const save = (file) => {
  const link = make("a", "", {href: URL.createObjectURL(file), download: file.name});
  link.click();
  setTimeout(() => URL.revokeObjectURL(link.href), 60000);
};
