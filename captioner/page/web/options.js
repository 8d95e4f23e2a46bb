// How the sentence is to be written: three plain choices, and all the others for experts.
import {make, settings} from "./dom.js";

const LENGTHS = {
  shorter: {length_penalty: 0.3, max_words: 8},
  usual: {},
  longer: {length_penalty: 1.2, min_words: 12},
};
const SEVERAL = {alternatives: 9, beam: 12, groups: 4}; // three that differ are shown
const KINDS = {
  coco: "things (as in COCO)",
  flickr8k: "what happens (as in Flickr8k)",
  flickr30k: "people, in detail (as in Flickr30k)",
};

export function readOptions(form) {
  const value = (name) => form.elements[name].value;
  const number = (name) => Number(value(name));
  const options = {...LENGTHS[value("extent")]};
  if (value("count") === "several") Object.assign(options, SEVERAL);
  const prefix = value("prefix").trim();
  if (prefix) options.prefix = prefix;
  const avoid = value("avoid").split(/[\s,;]+/).filter(Boolean);
  if (avoid.length) options.avoid = avoid;
  if (number("beam") !== 10) options.beam = number("beam");
  if (!form.elements.consensus.checked) options.consensus = false;
  if (number("temperature") > 0) {
    options.temperature = number("temperature");
    options.seed = number("seed");
  }
  if (value("style") && value("style") !== settings.styles[0]) options.style = value("style");
  return options;
}

// Calls `changed(options)` a moment after the last change.
export function listen(form, changed) {
  const style = form.elements.style;
  style.append(...settings.styles.map((name) =>
    make("option", "", {value: name, textContent: KINDS[name] ?? name})));
  style.closest("label").hidden = settings.styles.length < 2;
  form.elements.beam.max = settings.limits.beam;
  let timer;
  const later = () => {
    form.querySelectorAll("output").forEach((output) =>
      (output.value = form.elements[output.htmlFor.value].value));
    clearTimeout(timer);
    timer = setTimeout(() => changed(readOptions(form)), 400);
  };
  form.addEventListener("input", later);
  form.addEventListener("reset", () => setTimeout(later));
  form.addEventListener("submit", (event) => event.preventDefault());
}
