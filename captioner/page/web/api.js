// Asks this page's server: sends files, asks about them, reads what it answers step by step.
// Every failure is an Error with a sentence to show.

const SILENCE = 60000; // milliseconds until an answer begins
const GONE = "The program behind this page does not answer. Is it still running?";

async function send(path, how) {
  let response;
  try {
    response = await fetch(new URL(path, document.baseURI), {method: "POST", ...how});
  } catch (error) {
    throw how.signal?.aborted && how.signal.reason !== GONE ? error : new Error(GONE);
  }
  if (response.ok) return response;
  const {detail} = await response.json().catch(() => ({}));
  throw new Error(typeof detail === "string" ? detail : `The page answered ${response.status}.`);
}

// Sends a file; gives what the server has to be told to find it.
export async function upload(file, signal) {
  const form = new FormData();
  form.append("files", file, file.name);
  const response = await send("gradio_api/upload", {body: form, signal});
  const [path] = await response.json();
  return {path, orig_name: file.name};
}

async function ask(name, files, request, signal) {
  const silence = new AbortController();
  const timer = setTimeout(() => silence.abort(GONE), SILENCE);
  const headers = {"Content-Type": "application/json"}, body = JSON.stringify({files, request});
  const either = signal ? AbortSignal.any([signal, silence.signal]) : silence.signal;
  try {
    return await send(`page/ask/${name}`, {body, headers, signal: either});
  } finally {
    clearTimeout(timer);
  }
}

export async function call(name, files, request, signal) {
  const response = await ask(name, files, request, signal);
  return response.json().catch(() => Promise.reject(new Error(GONE)));
}

// The answer as a file: to save it, or to go on with it.
export async function fetchFile(name, files, request) {
  const response = await ask(name, files, request);
  const [, written] = /filename\*=UTF-8''(.+)/.exec(response.headers.get("Content-Disposition"));
  const blob = await response.blob();
  return new File([blob], decodeURIComponent(written), {type: blob.type});
}

// `step` gets each thing that the server says, as it comes.
export async function follow(name, files, request, signal, step) {
  const response = await ask(name, files, request, signal);
  const reader = response.body.pipeThrough(new TextDecoderStream()).getReader();
  let text = "";
  for (;;) {
    const {done, value} = await reader.read().catch((error) => {
      throw signal.aborted ? error : new Error(GONE);
    });
    if (done) return;
    const lines = (text + value).split("\n");
    text = lines.pop();
    for (const line of lines) {
      const said = JSON.parse(line);
      if (said.detail) throw new Error(said.detail);
      step(said);
    }
  }
}
