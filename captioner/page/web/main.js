// Puts the page together: what comes in goes to the view that it is for.
import {chooseWith, fetchExample, isArchive, listen, tooLarge} from "./chooser.js";
import * as compare from "./compare.js";
import {make, settings} from "./dom.js";
import {pace} from "./look.js";
import * as many from "./many.js";
import * as photo from "./photo.js";
import {Tabs} from "./tabs.js";
import "./teach.js";

const views = {photo, compare, many};
let last = null; // the photo that was looked at last, for the other view

const tabs = new Tabs(document.querySelector("[role=tablist]"), (name) => {
  if (name === "compare" && last && compare.isEmpty()) compare.take(last);
});

function take(files) {
  if (!files.length) return;
  const [first] = files;
  if (files.length > 1 || isArchive(first.path)) {
    tabs.open("many");
    many.take(files);
  } else if (tabs.name === "many") many.take(files);
  else takeOne(first);
}

function takeOne(given) {
  const large = tooLarge(given);
  if (!large) last = given;
  if (large && tabs.name === "photo") photo.complain(large);
  else views[tabs.name].take(given);
}

listen(take);
many.openIn((given) => {
  tabs.open("photo");
  takeOne(given);
});
Object.keys(views).forEach((name) => {
  const view = document.getElementById(name);
  view.querySelectorAll("input[type=file]").forEach((input) => {
    const buttons = view.querySelectorAll(input.webkitdirectory ? "[data-choose=folder]"
      : "[data-choose=files]");
    chooseWith(buttons, input, take);
  });
  view.querySelectorAll(".examples").forEach((list) => list.replaceChildren(
    ...settings.examples.map((example) => make("li", "", {}, exampleButton(example)))));
});

function exampleButton({file, alt, note = ""}) {
  const image = make("img", "", {src: `page/${file}`, alt, width: 156, height: 104});
  const button = make("button", "", {type: "button"}, image,
    note ? make("span", "", {textContent: note}) : "");
  button.addEventListener("click", async () => takeOne(await fetchExample({file})));
  return button;
}

if (!["localhost", "127.0.0.1", "[::1]"].includes(location.hostname)) {
  document.querySelector(".stays").textContent =
    `Your photo goes to ${location.hostname}, and nowhere else; it is deleted within 15 minutes.`;
}
document.documentElement.dataset.ready = "";
window.captioner = {pace}; // for tests and for whoever is curious
