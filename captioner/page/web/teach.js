// Under "Many photos", on a page that its owner alone can reach: a model learns from the captions
// that were corrected, and then writes in their manner.
import {call, follow, upload} from "./api.js";
import {isArchive} from "./chooser.js";
import {make, settings} from "./dom.js";
import {GROUP, album, choice} from "./many.js";

const LEAST = 10; // captions, to learn from and to tell whether it helped
const EVERY = 500; // milliseconds between two looks at the lesson

const view = document.getElementById("many");
const button = (label, act) => {
  const made = make("button", "button", {type: "button", textContent: label});
  made.addEventListener("click", () => act().catch((error) => say(error.message, true)));
  return made;
};
const begins = button("Teach these", begin);
const cancels = button("Cancel", () => call("cancel_lesson", [], {}));
const chooser = make("select", "", {},
  new Option("the built-in model", "album"), new Option("the taught model", "album_taught"));
const choosing = make("label", "", {hidden: true}, "Sentences by ", chooser);
const needs = make("span");
const said = make("div", "status");
said.setAttribute("role", "status");
const bar = make("progress", "", {max: 1, value: 0, hidden: true});
bar.setAttribute("aria-label", "Lesson done");
const judged = make("ol", "judged", {});
const found = make("details", "more", {hidden: true},
  make("summary", "", {textContent: "Before and after, on photos that it did not learn from"}), judged);
let learning = false;

function tell() {
  const taught = written().length;
  begins.parentElement.parentElement.hidden = !album.length;
  begins.disabled = learning || taught < LEAST;
  needs.textContent = taught < LEAST && !learning
    ? `Teaches a model your words. Correct ${LEAST} captions at least: ${taught} are.` : "";
  cancels.hidden = bar.hidden = !learning;
}

const rows = () => album.items.map(({row}) => row).filter(({error}) => !error);
const written = () => rows().filter(({edited, caption}) => edited && caption.trim());

function say(text, isError = false) {
  said.textContent = text;
  said.classList.toggle("error", isError);
}

async function begin() {
  const captions = new Map(); // of a file, or of an archive by its photos' paths
  for (const {file, archive, path, caption} of written()) {
    captions.set(file ?? archive, file ? caption : {...captions.get(archive), [path]: caption});
  }
  learning = true;
  try {
    say("The photos are sent.");
    tell();
    const files = [];
    for (const file of captions.keys()) files.push(await upload(file));
    await call("teach", files, {captions: [...captions.values()]});
    show(await end());
  } finally {
    learning = false;
    tell();
  }
}

async function end() {
  for (;;) {
    const lesson = await call("lesson", [], {});
    bar.value = lesson.done ?? 0;
    say(lesson.said, lesson.state === "failed");
    if (lesson.state !== "learning") return lesson;
    await new Promise((resolve) => setTimeout(resolve, EVERY));
  }
}

function show({state, rows}) {
  if (state !== "done") return;
  found.hidden = choosing.hidden = false;
  const line = (name, text) => make("p", "", {}, make("small", "", {textContent: `${name}: `}), text);
  judged.replaceChildren(...rows.map(({photo, yours, before, after}) => make("li", "", {},
    make("span", "path", {textContent: photo}),
    line("yours", yours), line("before", before), line("after", after))));
}

// The sentences that nobody wrote, anew, by the model that was chosen.
async function again() {
  choice.album = chooser.value;
  const open = rows().filter(({edited}) => !edited);
  const files = [...new Set(open.map(({file, archive}) => file ?? archive))];
  const paths = new Map(open.map(({file, path}) => [file, path]));
  chooser.disabled = true;
  try {
    while (files.length) {
      const packed = files.findIndex((file) => isArchive(file.name));
      const group = files.splice(0, packed ? Math.min(GROUP, packed < 0 ? GROUP : packed) : 1);
      const sent = await Promise.all(group.map((file) => upload(file)));
      let answered = 0;
      await follow(choice.album, sent, {}, new AbortController().signal, ({rows: fresh}) => {
        for (const row of fresh) album.revise(paths.get(group[answered++]) ?? row.path, row);
      });
    }
  } finally {
    chooser.disabled = false;
  }
}

if (settings.teachable) {
  view.append(make("div", "teach", {},
    make("div", "tools", {}, begins, cancels, needs, choosing), bar, said, found));
  chooser.addEventListener("change", () => again().catch((error) => say(error.message, true)));
  view.addEventListener("told", tell);
  tell();
}
