// The second view: many photos, their sentences to correct, and all of them as one file.
import {fetchFile, follow, upload} from "./api.js";
import {Album} from "./album.js";
import {isArchive, tooLarge} from "./chooser.js";
import {save, settings} from "./dom.js";
import {readOptions} from "./options.js";

export const GROUP = 8; // photos that are sent and asked about together
const view = document.getElementById("many");
const find = (selector) => view.querySelector(selector);
export const album = new Album(find(".album"), {change: tell});
const known = new Set(); // files that were given before, by what they are
export const choice = {album: "album"}; // the endpoint, and by it the model, that writes
let waiting = [], stopping = null, stopped = false;

// All photos: those in the album and those to come, as far as is known of the archives among them.
const total = () => waiting.reduce((sum, {inside = 1, shown = 0}) => sum + inside - shown, album.length);
const counted = (number, what) => `${number.toLocaleString("en")} ${what}${number === 1 ? "" : "s"}`;

export const openIn = (show) => (album.open = async (item) => {
  const file = item.file ?? await unpacked(item).catch((error) => say(error.message, true));
  if (file) show({file, path: item.path});
});

// A photo of an archive comes back as a picture.
const unpacked = async ({archive, path}) => fetchFile("packed_photo", [await upload(archive)], path);

export function take(files) {
  const fresh = files.filter((one) => !known.has(keyOf(one)));
  const together = total() + fresh.length;
  if (together > settings.limits.photos) {
    return say(`These are ${counted(together, "photo")} together, and the page takes ` +
      `${settings.limits.photos.toLocaleString("en")}: send them in parts.`, true);
  }
  fresh.forEach((one) => known.add(keyOf(one)));
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
  const options = find("[name=options]").checked ? readOptions(document.querySelector("form")) : {};
  delete options.alternatives; // a row has one sentence
  let answered = 0;
  const step = ({total: inside, rows}) => {
    if (isArchive(first.path)) unpack(first, inside, rows);
    else done(rows.map((row, place) => ({...row, ...group[answered + place], error: row.error})));
    answered += rows.length;
  };
  await follow(choice.album, photos, options, signal, step);
  if (isArchive(first.path)) waiting.shift();
  return undefined;
}

function done(rows) {
  waiting.splice(0, rows.length);
  album.add(rows);
  tell();
}

function unpack(archive, inside, rows) {
  archive.inside = inside;
  if (total() > settings.limits.photos) {
    const all = counted(total(), "photo");
    waiting.shift();
    throw new Error(`With ${archive.path} these are ${all}, more than the page takes: send them in parts.`);
  }
  const known = album.paths(); // of an earlier run that was stopped
  const fresh = rows.filter(({path}) => !known.has(path));
  archive.shown = (archive.shown ?? 0) + fresh.length;
  album.add(fresh.map((row) => ({...row, archive: archive.file})));
  tell();
}

function say(text, isError = false) {
  find(".status").textContent = text;
  find(".status").classList.toggle("error", isError);
}

function tell() {
  const {length, failed} = album;
  const busy = Boolean(stopping), progress = find("progress"), all = total();
  const of = length < all ? ` of ${all.toLocaleString("en")}` : "";
  const unread = failed ? `, ${failed.toLocaleString("en")} could not be read` : "";
  const told = failed ? counted(length - failed, "caption") : `${counted(length, "photo")} done`;
  if (all && (busy || !find(".status").classList.contains("error"))) {
    say(stopped && of ? `Stopped after ${length}${of} photos.`
      : of ? `${length}${of} photos done${unread}.` : `${told}${unread}.`);
  }
  view.dataset.state = all ? (busy ? "busy" : "done") : "empty";
  progress.max = Math.max(1, all);
  progress.value = length;
  find("[data-act=go]").hidden = busy || !waiting.length;
  find("[data-act=stop]").hidden = !busy;
  find(".save-bar").hidden = !album.length;
  find("[data-save=teaching]").disabled = !album.edited;
  view.dispatchEvent(new Event("told"));
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
    save(await fetchFile("save_album", [], {format, rows: album.rows()}));
  } catch (error) {
    say(error.message, true);
  }
});
addEventListener("beforeunload", (event) => album.edited && event.preventDefault());
tell();
