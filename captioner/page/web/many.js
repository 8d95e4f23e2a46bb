// The second view: many photos, their sentences to correct, and all of them as one file.
import {call, upload} from "./api.js";
import {Album} from "./album.js";
import {isArchive, tooLarge} from "./chooser.js";
import {decoded, saveAnswer, settings} from "./dom.js";
import {readWishes} from "./wishes.js";

const GROUP = 8; // photos that are sent and asked about together
const view = document.getElementById("many");
const find = (selector) => view.querySelector(selector);
const album = new Album(find(".album"), {change: tell});
const known = new Set(); // files that were given before, by what they are
let waiting = [], total = 0, stopping = null, stopped = false;

const counted = (number, what) => `${number.toLocaleString("en")} ${what}${number === 1 ? "" : "s"}`;

export const openIn = (show) => (album.open = async (item) => {
  const file = item.file ?? await unpacked(item).catch((error) => say(error.message, true));
  if (file) show({file, path: item.path});
});

// A photo of an archive comes back as a picture.
async function unpacked({archive, path}) {
  const answer = await call("one_of_archive", [await upload(archive), path]);
  if (answer.error) throw new Error(answer.error);
  const photo = decoded(answer.preview.split(",")[1], "image/jpeg");
  return new File([photo], path.split("/").at(-1), {type: photo.type});
}

export function take(files) {
  const fresh = files.filter((one) => !known.has(keyOf(one)));
  if (total + fresh.length > settings.limits.photos) {
    return say(`These are ${counted(total + fresh.length, "photo")} together, and the page takes ` +
      `${settings.limits.photos.toLocaleString("en")}: send them in parts.`, true);
  }
  fresh.forEach((one) => known.add(keyOf(one)));
  total += fresh.length;
  waiting.push(...fresh);
  return run();
}

const keyOf = ({file, path}) => [path, file.size, file.lastModified].join("\n");

async function run() {
  if (stopping) return;
  stopping = new AbortController();
  stopped = false;
  tell();
  try {
    while (waiting.length && !stopped) await next(stopping.signal);
  } catch (error) {
    if (!stopped) say(error.message, true);
    stopped = true;
  }
  stopping = null;
  tell();
}

// One archive, or some photos: they leave `waiting` as they are answered.
async function next(signal) {
  const first = waiting[0];
  const large = tooLarge(first);
  if (large) return done([{path: first.path, error: large}]);
  const several = waiting.findIndex((one) => isArchive(one.path) || tooLarge(one));
  const group = isArchive(first.path) ? [first]
    : waiting.slice(0, Math.min(GROUP, several < 0 ? GROUP : several));
  const photos = await Promise.all(group.map(({file}) => upload(file, signal)));
  const wishes = find("[name=wishes]").checked ? readWishes(document.querySelector("form")) : {};
  let answered = 0;
  const step = ({total: inside, rows}) => {
    if (isArchive(first.path)) unpack(first, inside, rows, answered);
    else done(rows.map((row, place) => ({...row, ...group[answered + place], error: row.error})));
    answered += rows.length;
  };
  await call("caption_steps", [photos, wishes], {signal, step});
  if (isArchive(first.path)) waiting.shift();
  return undefined;
}

function done(rows) {
  waiting.splice(0, rows.length);
  album.add(rows);
  tell();
}

function unpack(archive, inside, rows, before) {
  if (!before && !rows.length) total += inside - 1;
  if (total > settings.limits.photos) throw new Error(`With ${archive.path} these are ${
    counted(total, "photo")}, more than the page takes: send them in parts.`);
  const known = album.paths();
  album.add(rows.filter(({path}) => !known.has(path))
    .map((row) => ({...row, archive: archive.file})));
  tell();
}

function say(text, isError = false) {
  find(".status").textContent = text;
  find(".status").classList.toggle("error", isError);
}

function tell() {
  const {length, failed} = album;
  const busy = Boolean(stopping), progress = find("progress");
  const of = length < total ? ` of ${total.toLocaleString("en")}` : "";
  const unread = failed ? `, ${failed.toLocaleString("en")} could not be read` : "";
  if (total && (busy || !find(".status").classList.contains("error"))) {
    say(stopped && of ? `Stopped after ${length}${of} photos.`
      : of ? `${length}${of} photos done${unread}.` : `${counted(length, "photo")} done${unread}.`);
  }
  view.dataset.state = total ? (busy ? "busy" : "done") : "empty";
  progress.max = Math.max(1, total);
  progress.value = length;
  find("[data-act=go]").hidden = busy || !waiting.length;
  find("[data-act=stop]").hidden = !busy;
  find(".save-bar").hidden = !album.length;
  find("[data-save=teaching]").disabled = !album.edited;
}

const acts = {
  stop() {
    stopped = true;
    stopping?.abort();
  },
  go: () => {
    say("");
    run();
  },
  over() {
    const {edited} = album;
    if (edited && !confirm(`${counted(edited, "caption")} that you wrote will be lost. Start over?`)) return;
    acts.stop();
    waiting = [];
    total = 0;
    known.clear();
    album.clear();
    say("");
    tell();
  },
};
view.addEventListener("click", (event) => acts[event.target.dataset.act]?.());

find(".save-bar").addEventListener("click", async (event) => {
  const format = event.target.dataset.save;
  if (!format) return;
  try {
    saveAnswer(await call("save_captions", [{format, rows: album.rows()}]));
  } catch (error) {
    say(error.message, true);
  }
});
addEventListener("beforeunload", (event) => album.edited && event.preventDefault());
tell();
