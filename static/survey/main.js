// The run: which screen comes next, until the server says that there are no more trials. And all
// that travels: responses out (never lost), plans and images in (ahead of their time).

import { measureFrame, pick, present, setBlock, tell } from "./trial.js";

// --- network --------------------------------------------------------------------------------------

const BACK_OFF_MS = [300, 700, 1500, 3000, 6000, 10000];
const TIMEOUT_MS = 20000;
const FINAL = new Set([400, 404, 409]);

const wake = new EventTarget();
addEventListener("online", () => tryNow());

/** End every pause between two attempts now. */
function tryNow() {
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
class Refusal extends Error {
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
async function insist(url, body, trouble) {
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
class Outbox {
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
class Gallery {
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

// --- screens --------------------------------------------------------------------------------------

const $ = (id) => document.getElementById(id);
const config = JSON.parse($("config").textContent);

// The one place where text becomes markup. The server has sanitised it; the policy of the page
// (Trusted Types) lets nothing else through.
const pass = { createHTML: (text) => text };
const trusted = window.trustedTypes?.createPolicy("honmono", pass) ?? pass;

let plan = null;
let onstage = null; // the trial that is being shown
let awaited = null; // the trial whose images must come before the run can go on
let answered = new Set(); // numbers of the trials that have a response here
let changed = () => {}; // wakes whoever waits for a new plan

const feedbacks = new Map();

function show(id) {
  for (const name of ["waiting", "problem", "instructions", "stage"]) $(name).hidden = name !== id;
}

function count(ongoing) {
  const done = plan.done + outbox.items.length;
  $("progress").value = done;
  $("progress").max = plan.total;
  $("count").textContent = `${Math.min(done + ongoing, plan.total)} / ${plan.total}`;
}

const outbox = new Outbox(config.urls.responses, {
  stored(item, answer) {
    feedbacks.set(item.number, answer.feedback);
    take(answer);
    if (answer.replayed && onstage && !upcoming().some(({ token }) => token === onstage.token)) {
      location.reload(); // another tab was here before us: what is on the stage is past
    }
  },
  refused: refuse,
  trouble: (failing) => ($("offline").hidden = !failing),
});

const gallery = new Gallery((trial) => trial.token === awaited?.token && complain());

/** A new plan from the server: load its images, wake the run. */
function take(answer) {
  plan = answer;
  gallery.expect(upcoming());
  changed();
}

function upcoming() {
  return (plan.trials ?? []).filter((trial) => !answered.has(trial.number));
}

const nextPlan = () => new Promise((resolve) => (changed = resolve));

/** The server will not take what was sent; its page knows what to say. */
function refuse(refusal) {
  if (!(refusal instanceof Refusal)) throw refusal;
  if (["withdrawn", "closed", "out_of_order"].includes(refusal.code)) location.reload();
  else complain(refusal.message);
}

function complain(message = "") {
  $("problem-server").textContent = message;
  $("problem-server").hidden = !message;
  $("problem-image").hidden = Boolean(message);
  $("again").onclick = message ? () => location.reload() : tryNow;
  show("problem");
}

/** Wait for something that is mostly there; the page says so when it takes longer than a blink. */
async function patiently(promise) {
  const timer = setTimeout(() => $("problem").hidden && show("waiting"));
  const value = await promise;
  clearTimeout(timer);
  return value;
}

async function instruct(block) {
  $("part-number").textContent = block.number + 1;
  $("instructions-text").innerHTML = trusted.createHTML(block.instructions);
  const asks =
    config.fullscreen === "ask" && document.fullscreenEnabled && !document.fullscreenElement;
  $("plain-start").hidden = asks;
  $("whole-start").hidden = !asks;
  show("instructions");
  $("instructions").querySelector("h1").focus();
  const { value } = await pick([
    { value: asks, element: $(asks ? "start-whole" : "start"), keys: [" ", "enter"] },
    { value: false, element: $("start-without") },
  ]);
  if (value) await takeWholeScreen();
}

/** A browser that refuses, or never answers, shows the trials in its window. */
function takeWholeScreen() {
  const answer = document.documentElement.requestFullscreen().catch(() => {});
  return Promise.race([answer, new Promise((resolve) => setTimeout(resolve, 1000))]);
}

async function runTrial(trial, block) {
  awaited = trial;
  const loaded = await patiently(gallery.get(trial));
  awaited = null;
  show("stage");
  count(1);
  $("announcement").textContent = $("count").textContent;
  onstage = trial;
  const response = await present(trial, block, loaded);
  onstage = null;
  answered.add(trial.number);
  outbox.add(trial.number, response);
  if (trial.wait_feedback) await giveFeedback(trial);
}

async function giveFeedback(trial) {
  while (!feedbacks.has(trial.number)) await nextPlan();
  const next = upcoming()[0];
  await tell(feedbacks.get(trial.number), trial.practice && next && !next.practice);
}

async function run() {
  const unsent = await outbox.resume();
  answered = outbox.numbers;
  if (unsent) await patiently(nextPlan());
  else take(config.plan ?? (await patiently(insist(config.urls.trials, null, outbox.trouble))));
  let blockNumber = null;
  while (plan.step === "trials") {
    const trial = upcoming()[0];
    if (!trial) {
      await patiently(nextPlan());
      continue;
    }
    const { block } = plan;
    if (block.number !== blockNumber) {
      blockNumber = block.number;
      setBlock(block);
      measureFrame();
      if (!block.started) await instruct(block);
    }
    await runTrial(trial, block);
  }
  location.replace(plan.url);
}

/** The whole screen for the pictures, where the browser can and the participant wants it. */
function offerWholeScreen(button) {
  button.hidden = !document.fullscreenEnabled || config.fullscreen === "off";
  button.addEventListener("click", () =>
    document.fullscreenElement ? document.exitFullscreen() : document.documentElement.requestFullscreen(),
  );
  document.addEventListener("fullscreenchange", () => {
    const on = Boolean(document.fullscreenElement);
    button.setAttribute("aria-pressed", on);
    $("announcement").textContent = on ? button.dataset.on : button.dataset.off;
  });
}

offerWholeScreen($("whole-screen"));

// A page that comes back from the history is older than the server's knowledge.
addEventListener("pageshow", (event) => event.persisted && location.reload());

run().catch(refuse);
