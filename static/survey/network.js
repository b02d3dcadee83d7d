// All that travels: responses out (never lost), plans and images in (ahead of their time).

const BACK_OFF_MS = [300, 700, 1500, 3000, 6000, 10000];
const TIMEOUT_MS = 20000;
const FINAL = new Set([400, 404, 409]);

const wake = new EventTarget();
addEventListener("online", () => tryNow());

/** End every pause between two attempts now. */
export function tryNow() {
  wake.dispatchEvent(new Event("now"));
}

function pause(attempt) {
  return new Promise((resolve) => {
    const wait = BACK_OFF_MS[Math.min(attempt, BACK_OFF_MS.length - 1)];
    setTimeout(resolve, wait * (0.8 + 0.4 * Math.random()));
    wake.addEventListener("now", resolve, { once: true });
  });
}

/** The server has understood the request and will never accept it. */
export class Refusal extends Error {
  constructor({ error, message }) {
    super(message);
    this.code = error;
  }
}

async function request(url, body) {
  const response = await fetch(url, {
    method: body ? "POST" : "GET",
    headers: body ? { "Content-Type": "application/json" } : {},
    body: body && JSON.stringify(body),
    cache: "no-store",
    keepalive: Boolean(body),
    signal: AbortSignal.timeout(TIMEOUT_MS),
  });
  const answer = await response.json();
  // Only our own words count: a hotel's login page, too, answers with 200.
  if (response.ok && answer.step && (!body || answer.stored)) return answer;
  if (FINAL.has(response.status) && answer.error) throw new Refusal(answer);
  throw new Error(`${url} answered ${response.status}`);
}

/** Ask until there is an answer; `trouble` hears whether the connection works. */
export async function insist(url, body, trouble) {
  for (let attempt = 0; ; attempt++) {
    try {
      const answer = await request(url, body);
      trouble(false);
      return answer;
    } catch (error) {
      if (error instanceof Refusal) throw error;
      trouble(true);
      await pause(attempt);
    }
  }
}

/** The responses on this device that the server has not acknowledged, in IndexedDB. */
class Store {
  static async open() {
    const opening = indexedDB.open("honmono", 1);
    opening.onupgradeneeded = () =>
      opening.result.createObjectStore("responses", { keyPath: ["run", "number"] });
    const store = new Store();
    store.database = await done(opening);
    return store;
  }

  objects(mode) {
    return this.database.transaction("responses", mode).objectStore("responses");
  }

  all(run) {
    return done(this.objects("readonly").getAll(IDBKeyRange.bound([run], [run, []])));
  }

  add(item) {
    // The first response to a trial wins, also when two tabs are open.
    this.objects("readwrite").add(item).onerror = (event) => event.preventDefault();
  }

  delete(item) {
    this.objects("readwrite").delete([item.run, item.number]);
  }
}

function done(idbRequest) {
  return new Promise((resolve, reject) => {
    idbRequest.onsuccess = () => resolve(idbRequest.result);
    idbRequest.onerror = () => reject(idbRequest.error);
  });
}

/** Responses on their way to the server: one by one, in order, each until it is acknowledged. */
export class Outbox {
  constructor(url, { stored, refused, trouble }) {
    Object.assign(this, { url, stored, refused, trouble, items: [], sending: false });
  }

  /** Take up what an earlier visit of this page could not send. */
  async resume() {
    try {
      this.store = await Store.open();
      this.items = await this.store.all(this.url);
    } catch {
      this.store = null; // private windows of some browsers: the memory must do
    }
    this.send();
    return this.items.length > 0;
  }

  get numbers() {
    return new Set(this.items.map((item) => item.number));
  }

  add(number, response) {
    const item = { run: this.url, number, response };
    this.items.push(item);
    this.store?.add(item);
    this.send();
  }

  async send() {
    if (this.sending) return;
    this.sending = true;
    while (this.items.length > 0) {
      const item = this.items[0];
      try {
        const answer = await insist(this.url, item.response, this.trouble);
        this.remove(item);
        this.stored(item, answer);
      } catch (refusal) {
        [...this.items].forEach((left) => this.remove(left));
        this.refused(refusal);
      }
    }
    this.sending = false;
  }

  remove(item) {
    this.items.splice(this.items.indexOf(item), 1);
    this.store?.delete(item);
  }
}

const PATIENCE = 4;

/** The images of the next trials, fetched and decoded before they are needed. */
export class Gallery {
  constructor(failing) {
    Object.assign(this, { failing, loads: new Map() });
  }

  /** Keep what is coming up, drop what has been. */
  expect(trials) {
    const tokens = new Set(trials.map((trial) => trial.token));
    for (const token of this.loads.keys()) if (!tokens.has(token)) this.loads.delete(token);
    trials.forEach((trial) => this.get(trial));
  }

  /** Resolves with the decoded images of a trial and the time that this took. */
  get(trial) {
    if (!this.loads.has(trial.token)) this.loads.set(trial.token, this.load(trial));
    return this.loads.get(trial.token);
  }

  async load(trial) {
    const begun = performance.now();
    const images = await Promise.all(trial.images.map((url) => this.decode(trial, url)));
    return { images, loadedMs: performance.now() - begun };
  }

  async decode(trial, url) {
    for (let attempt = 0; ; attempt++) {
      const image = new Image();
      Object.assign(image, { alt: "", decoding: "sync", draggable: false, src: url });
      try {
        await image.decode();
        return image;
      } catch {
        if (attempt + 1 >= PATIENCE) this.failing(trial);
        await pause(attempt);
      }
    }
  }
}
