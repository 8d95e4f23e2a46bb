// How photos get in: dropped anywhere on the page, pasted, or chosen.
import {settings} from "./dom.js";

const LEFT_OUT = /(^|\/)(\.|__MACOSX\/|Thumbs\.db$|desktop\.ini$)/i; // what systems add unasked
export const isArchive = (name) => /\.(zip|tar|tar\.gz|tgz|tar\.bz2|tar\.xz)$/i.test(name);

// Listens on the whole window; `take(files)` gets what came: [{file, path}].
export function listen(take) {
  let depth = 0;
  const mark = (on) => document.body.classList.toggle("dragging", on);
  addEventListener("dragenter", (event) => {
    if (!hasFiles(event.dataTransfer)) return;
    event.preventDefault();
    mark(++depth > 0);
  });
  addEventListener("dragleave", () => mark((depth = Math.max(0, depth - 1)) > 0));
  addEventListener("dragover", (event) => event.preventDefault());
  addEventListener("drop", async (event) => {
    event.preventDefault(); // else the browser leaves the page for the photo
    mark((depth = 0) > 0);
    take(await dropped(event.dataTransfer));
  });
  addEventListener("paste", (event) => {
    if (/^(INPUT|TEXTAREA)$/.test(event.target.tagName)) return;
    const files = [...event.clipboardData.files].filter(({type}) => type.startsWith("image/"));
    if (!files.length) return;
    event.preventDefault();
    take(files.map(named));
  });
}

// A button that opens the browser's own choice of files through `input`.
export function chooseWith(buttons, input, take) {
  buttons.forEach((button) => button.addEventListener("click", () => input.click()));
  input.addEventListener("change", () => {
    const files = [...input.files].map(named);
    input.value = ""; // so that the same file can be chosen again
    if (files.length) take(files);
  });
}

const hasFiles = (data) => [...(data?.types ?? [])].includes("Files");
const named = (file) => ({file, path: file.webkitRelativePath || file.name});

async function dropped(data) {
  const entries = [...data.items].map((item) => item.webkitGetAsEntry?.()).filter(Boolean);
  const found = entries.length
    ? (await Promise.all(entries.map(walk))).flat()
    : [...data.files].map(named);
  return found.filter(({path}) => !LEFT_OUT.test(path));
}

async function walk(entry) {
  if (entry.isFile) {
    const file = await new Promise((done, fail) => entry.file(done, fail)).catch(() => null);
    return file ? [{file, path: entry.fullPath.replace(/^\//, "")}] : [];
  }
  const reader = entry.createReader(), found = [];
  for (;;) { // a reader gives a hundred at a time
    const some = await new Promise((done, fail) => reader.readEntries(done, fail));
    if (!some.length) return found;
    for (const one of some) found.push(...await walk(one));
  }
}

// A sentence for a file that is not even sent, or "".
export function tooLarge({file, path}) {
  const limit = settings.limits.upload;
  if (file.size <= limit) return "";
  return `${path} is larger than ${Math.round(limit / 2 ** 20)} MB. Make it smaller, then try again.`;
}

// The examples: small photos that belong to the page.
export async function fetchExample({file}) {
  const blob = await (await fetch(new URL(`page/${file}`, document.baseURI))).blob();
  return {file: new File([blob], file, {type: blob.type}), path: file};
}
