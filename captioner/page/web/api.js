// Asks this page's server: sends files, calls endpoints, reads what they answer step by step.
// Every failure is an Error with a sentence to show.

const SILENCE = 45000; // milliseconds; the server says every 15 seconds that it is still there
const GONE = "The program behind this page does not answer. Is it still running?";
const BUSY = "The page is busy. Try again in a moment.";
const root = new URL("gradio_api/", document.baseURI);

async function ask(path, how) {
  let response;
  try {
    response = await fetch(new URL(path, root), how);
  } catch (error) {
    throw error.name === "AbortError" ? error : new Error(GONE);
  }
  if (response.ok) return response;
  if (response.status === 503) throw new Error(BUSY);
  const {detail} = await response.json().catch(() => ({}));
  throw new Error(typeof detail === "string" ? detail : `The page answered ${response.status}.`);
}

// Sends a file; gives what an endpoint has to be told to find it.
export async function upload(file, signal) {
  const form = new FormData();
  form.append("files", file, file.name);
  const response = await ask("upload", {method: "POST", body: form, signal});
  const [path] = await response.json();
  return {path, orig_name: file.name, meta: {_type: "gradio.FileData"}};
}

// Calls an endpoint with a list of values. `step` gets each thing that it says before the end.
export async function call(name, data, {signal, step} = {}) {
  const headers = {"Content-Type": "application/json"};
  const body = JSON.stringify({data});
  const asked = await ask(`call/${name}`, {method: "POST", headers, body, signal});
  const {event_id: id} = await asked.json();
  const stream = await ask(`call/${name}/${id}`, {signal});
  let last;
  for await (const [kind, value] of events(stream.body)) {
    if (kind === "generating") step?.((last = value[0]));
    if (kind === "complete") return value?.[0] ?? last;
    if (kind === "error") throw new Error(value?.error || "This went wrong. Try again.");
  }
  throw new Error(GONE);
}

async function* events(body) {
  const reader = body.pipeThrough(new TextDecoderStream()).getReader();
  let text = "";
  for (;;) {
    const {done, value} = await soon(reader.read());
    if (done) return;
    text += value;
    const whole = text.split("\n\n");
    text = whole.pop();
    for (const event of whole) {
      const [, kind] = /^event: (\w+)/m.exec(event) ?? [];
      const [, data] = /^data: (.*)/m.exec(event) ?? [];
      yield [kind, JSON.parse(data ?? "null")];
    }
  }
}

async function soon(promise) {
  let timer;
  const silence = new Promise((_, reject) => {
    timer = setTimeout(() => reject(new Error(GONE)), SILENCE);
  });
  try {
    return await Promise.race([promise, silence]);
  } catch (error) {
    throw error.name === "AbortError" || error.message === GONE ? error : new Error(GONE);
  } finally {
    clearTimeout(timer);
  }
}
