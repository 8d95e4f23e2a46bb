// The first view: one photo, its sentence, and everything to do with the two.
import {save, settings} from "./dom.js";
import {paintLegend} from "./heat.js";
import {Look} from "./look.js";
import {Rewrite} from "./rewrite.js";
import {Latest, Sending} from "./sending.js";
import {Sentence} from "./sentence.js";
import {inWords} from "./sureness.js";
import {showAlternatives} from "./alternatives.js";
import {listen, readOptions} from "./options.js";

const view = document.getElementById("photo");
const find = (selector) => view.querySelector(selector);
const form = find("form");
const latest = new Latest();
let sending = null, shown = null, url = "";

const look = new Look(find(".look"), find(".words"), {strip: find(".strip")});
const sentence = new Sentence(find(".sentence"), note);
const rewrite = new Rewrite(find(".rewrite"), {
  again: (prefix) => ask({prefix}),
  back: (caption) => show(caption),
});

// What is seen: "empty", "busy", "done", "again" (the last sentence, until the next is there),
// "kept" (the last sentence: there is no next one), "refused" (the options), "failed" (the photo).
function enter(state, text = "") {
  view.dataset.state = state;
  const status = find(".status");
  status.textContent = text;
  status.classList.toggle("error", ["failed", "kept", "refused"].includes(state));
  find(".heard").textContent = ""; // it told of the state before
}

let noting;
function note(text) {
  find(".note").textContent = text;
  clearTimeout(noting);
  noting = setTimeout(() => (find(".note").textContent = ""), 3000);
}

export async function take({file, path}) {
  sending = new Sending(file);
  const mine = sending;
  shown = null;
  rewrite.forget();
  sentence.set("");
  enter("busy", "Looking …");
  if (url) URL.revokeObjectURL(url);
  url = URL.createObjectURL(file);
  view.dataset.name = path;
  mine.visible = look.open(url);
  mine.photo().catch(() => {}); // on its way while the browser draws it; `ask` says if it failed
  find(".result").scrollIntoView({block: "nearest"});
  await ask({}, true);
}

// Asks about the present photo: with the options of the form, unless `changes` says otherwise.
function ask(changes = {}, arriving = false) {
  if (!sending) return undefined;
  return latest.run(async (signal) => {
    const mine = sending;
    if (shown) enter("again");
    else enter("busy", "Looking …");
    try {
      const visible = await mine.visible;
      const options = {choices: 5, ...readOptions(form), ...changes, preview: !visible};
      const answer = await mine.ask("caption", options, signal);
      if (answer.preview) mine.visible = look.open(answer.preview);
      await mine.visible;
      if (signal.aborted) return;
      if (answer.error) return refuse(answer.error);
      rewrite.leave(changes.prefix ? shown : null);
      show(answer, arriving);
    } catch (error) {
      if (!signal.aborted) refuse(error.message);
    }
  });
}

// A file that is not even sent.
export function complain(reason) {
  if (shown) return enter("kept", reason);
  if (view.dataset.state === "busy") return enter("busy", reason); // the photo before is under way
  look.clear();
  sending = shown = null;
  enter("failed", reason);
}

// A photo that cannot be read makes room for the next; an option that cannot be followed does not,
// nor does it take away a sentence that is there.
function refuse(reason) {
  if (shown) return enter("kept", reason);
  const unread = view.dataset.name && reason.startsWith(sending.file.name);
  look.clear();
  sentence.set("");
  shown = null;
  rewrite.forget();
  find(".alternatives").replaceChildren();
  enter(unread ? "failed" : "refused", reason);
  if (unread) sending = null;
}

function show(answer, arriving = false) {
  shown = answer;
  enter("done");
  look.show(answer);
  const kept = sentence.renew(answer.caption) ? " Your words are kept." : "";
  find(".heard").textContent = `Caption: ${answer.caption}${kept}`;
  find(".sure").textContent = inWords(answer);
  rewrite.offer(answer, null);
  tellAvoided(answer.avoided ?? []);
  showAlternatives(find(".alternatives"), answer, look.image.src);
  if (arriving) {
    hint();
    if (document.activeElement === document.body) look.chips[0]?.focus({preventScroll: true});
    look.arrive();
  }
}

// A word to avoid stands for its other forms, too: which ones.
function tellAvoided(words) {
  const asked = form.elements.avoid.value.toLowerCase().split(/[\s,;]+/);
  const added = words.filter((word) => !asked.includes(word));
  find(".avoided").textContent = added.length ? `Also avoided: ${added.join(", ")}.`
    : "Their plurals and other forms are avoided, too.";
}

// Said once to a visitor: that words can be touched.
function hint() {
  const told = "captioner.told";
  try {
    if (localStorage.getItem(told)) return;
    localStorage.setItem(told, "1");
  } catch { /* storage may be refused: then it is said each time */ }
  find(".hint").hidden = false;
}

look.ontouch = () => (find(".hint").hidden = true);
look.onpin = (index) => rewrite.offer(shown, index);
look.onplay = (playing) => (find(".play").textContent = playing ? "■ Stop" : "▶ Play");
find(".play").addEventListener("click", () => {
  if (!look.playing) return look.play();
  look.stop();
  return look.select(look.pinned);
});

const strength = find(".strength");
const apply = () => view.style.setProperty("--strength", strength.value / 100);
strength.value = settings.strength * 100;
strength.addEventListener("input", apply);
apply();
paintLegend(find(".legend canvas"));

find(".share").addEventListener("click", async (event) => {
  const kind = event.target.dataset.save;
  if (!kind || !shown) return;
  const {caption, words, attention} = {...shown, caption: sentence.text};
  try {
    if (kind === "json") {
      const {preview, alternatives, ...kept} = shown;
      const text = JSON.stringify({photo: view.dataset.name, ...kept}, null, 1);
      const stem = sending.file.name.replace(/\.\w+$/, "");
      save(new File([text], `${stem}.attention.json`, {type: "application/json"}));
      return;
    }
    note("Drawing …");
    const request = {kind, caption, words, attention, strength: strength.value / 100};
    save(await sending.fetchFile("save_photo", request));
    note("Saved.");
  } catch (error) {
    note(error.message);
  }
});

listen(form, () => ask());
