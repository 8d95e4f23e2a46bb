// One photo on its way: shown at once, sent to the server, asked about as often as is needed.
import {call, fetchFile, upload} from "./api.js";

const KEPT = 10 * 60000; // milliseconds after which a photo is sent again: the server lets it go

export class Sending {
  constructor(file) {
    this.file = file;
  }

  // The photo as the server has to be told of it.
  async photo() {
    if (!this.sent || Date.now() - this.at > KEPT) {
      this.sent = upload(this.file);
      this.at = Date.now();
      this.sent.catch(() => (this.sent = null));
    }
    return this.sent;
  }

  async ask(name, options, signal) {
    return call(name, [await this.photo()], options, signal);
  }

  async fetchFile(name, request) {
    return fetchFile(name, [await this.photo()], request);
  }
}

// One request at a time: the next one ends the one before it.
export class Latest {
  // Runs `task(signal)`; resolves when it is over, whether it came to its end or was ended.
  async run(task) {
    this.running?.abort();
    const mine = (this.running = new AbortController());
    try {
      await task(mine.signal);
    } catch (error) {
      if (!mine.signal.aborted) throw error;
    }
  }
}
